"""How long do Tables 1 and 2 take, all 26 sizes, proven and verified, beside plain descent alone?

The command's own work is timed: 1000 restarts of each size, families, proofs and verification, in a
fresh process, with nothing compiled before.  For the plain engine, the closed gradient with
`jnp.arccos` batched by `vmap`, steps are counted and one step is timed: at some sizes plain descent
runs to the same ends (below 1e-3, or a gradient of 1e-9, nothing finished by Newton's method), its
steps are multiplied by the plain step's time in a batch of 256, and what lies between is
interpolated.  That favours the plain engine: no lane of it ever waits, and it compiles nothing.

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
from landscape_jax.storage import read_json
from landscape_jax.studies.ss18.published import PUBLISHED
from landscape_jax.studies.ss18.runs import BELOW_VALUE, GRADIENT_TOLERANCE, key

SAMPLED = [(6, 6), (10, 10), (14, 14), (15, 16), (17, 18), (20, 20)]


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


def plain_seconds(k: int, n: int, restarts: int) -> dict:
    """Give what plain descents of one size take: their steps times the plain step's time."""
    risk = lj.PopulationRisk(jnp.eye(k))
    start = lj.starts.gaussian((n, k))
    runs = lj.restart(
        risk,
        start,
        restarts,
        key=key((k, n), 0),
        gradient_tolerance=GRADIENT_TOLERANCE,
        below_value=BELOW_VALUE,
        finish=False,
    )
    steps = int(np.asarray(runs.steps, int).sum())
    W = jax.vmap(start)(jax.random.split(jax.random.key(0), 256))
    descent = jax_descent(lambda w: plain(w, risk.teacher))
    descent(W)
    times = []
    for _ in range(10):
        begin = time.perf_counter()
        descent(W)
        times.append((time.perf_counter() - begin) / STEPS / 256)
    microseconds = 1e6 * float(np.median(times))
    per_restart = steps / restarts
    return {
        "k": k,
        "n": n,
        "restarts": restarts,
        "steps_per_restart": per_restart,
        "microseconds_per_step": microseconds,
        "seconds_per_1000": per_restart * microseconds / 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--restarts", type=int, default=500, help="of each plain sample")
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    table = ours()
    samples = []
    for k, n in SAMPLED:
        samples.append(plain_seconds(k, n, arguments.restarts))
        print(samples[-1], flush=True)
    sizes = np.array([k + (n - k) / 2 for k, n in PUBLISHED])
    known = np.array([s["k"] + (s["n"] - s["k"]) / 2 for s in samples])
    seconds = np.exp(np.interp(sizes, known, np.log([s["seconds_per_1000"] for s in samples])))
    total = float(seconds.sum())
    print(f"ours {table['seconds']:.0f} s, plain descents alone {total:.0f} s")
    results = {
        "ours": table,
        "plain_samples": samples,
        "plain_descents_seconds": total,
        "plain_over_ours": total / table["seconds"],
    }
    write(arguments.json, __doc__, results)


if __name__ == "__main__":
    main()
