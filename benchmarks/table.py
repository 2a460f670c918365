"""How long do Tables 1 and 2 take, all 26 sizes, proven and verified, beside plain descent alone?

The command's own work is timed: 1000 restarts of each size, families, proofs and verification, in a
fresh process, with nothing compiled before.  For the plain engine, the closed gradient with
`jnp.arccos` batched by `vmap`, a step in a batch of 256 is timed at every size, and the steps are
counted that plain descent takes to the same ends (below 1e-3, or a gradient of 1e-9, nothing
finished by Newton's method) from some of the same starts.  Their product favours the plain engine:
no lane of it ever waits, and it compiles nothing.

    python benchmarks/table.py --json benchmarks/table.json
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from peers import STEPS, jax_descent, plain
from report import write

import landscape_jax as lj
from landscape_jax.files import read_json
from landscape_jax.studies.ss18.protocol import BELOW_VALUE, GRADIENT_TOLERANCE, key
from landscape_jax.studies.ss18.published import PUBLISHED


def ours() -> dict:
    """Run the command for all sizes in a fresh process."""
    with tempfile.TemporaryDirectory() as place:
        target = Path(place, "table.json")
        sizes = [f"{k}:{n}" for k, n in PUBLISHED]
        command = [sys.executable, "-m", "landscape_jax", "table", *sizes, "--json", str(target)]
        environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
        begin = time.perf_counter()
        subprocess.run(command, check=True, env=environment)
        seconds = time.perf_counter() - begin
        rows = read_json(target)["rows"]
    return {"seconds": seconds, "restarts": sum(r["restarts"] for r in rows), "rows": rows}


def plain_microseconds(k: int, n: int) -> float:
    """Time a plain step of one run in a batch of 256: the median of 10."""
    risk = lj.PopulationRisk(jnp.eye(k))
    W = jax.vmap(lj.starts.gaussian((n, k)))(jax.random.split(jax.random.key(0), 256))
    descent = jax_descent(lambda w: plain(w, risk.teacher))
    descent(W)
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        descent(W)
        times.append((time.perf_counter() - begin) / STEPS / 256)
    return 1e6 * float(np.median(times))


def plain_steps(k: int, n: int, restarts: int) -> np.ndarray:
    """Count the steps of plain descents of one size to their ends."""
    runs = lj.restart(
        lj.PopulationRisk(jnp.eye(k)),
        lj.starts.gaussian((n, k)),
        restarts,
        key=key((k, n), 0),
        gradient_tolerance=GRADIENT_TOLERANCE,
        below_value=BELOW_VALUE,
        finish=False,
    )
    return np.asarray(runs.steps, float)


def plain_engine(restarts: int) -> dict:
    """Give what 1000 plain descents of every size take, and the standard error of the sum."""
    sizes, variance = [], 0.0
    microseconds = {size: plain_microseconds(*size) for size in PUBLISHED}
    for size, each in microseconds.items():
        steps = plain_steps(*size, restarts)
        sizes.append(
            {
                "k": size[0],
                "n": size[1],
                "microseconds_per_step": each,
                "steps_per_restart": float(steps.mean()),
                "seconds_per_1000": float(steps.mean()) * each / 1000,
            }
        )
        variance += float(steps.var()) / restarts * (each / 1000) ** 2
        print(sizes[-1], flush=True)
    total = sum(size["seconds_per_1000"] for size in sizes)
    return {
        "seconds": total,
        "standard_error": variance**0.5,
        "restarts_counted": restarts,
        "sizes": sizes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--restarts", type=int, default=200, help="of each size, counted")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    table, engine = ours(), plain_engine(arguments.restarts)
    ratio = engine["seconds"] / table["seconds"]
    print(f"ours {table['seconds']:.0f} s, plain descents alone {engine['seconds']:.0f} s")
    write(arguments.json, __doc__, {"ours": table, "plain": engine, "plain_over_ours": ratio})


if __name__ == "__main__":
    main()
