"""Do Lanczos' eigenvalues agree with dense ones to the stated bound, and what does a million cost?

Up to 2,000 parameters: the five largest and the five smallest eigenvalues by Lanczos beside the
dense spectrum, the largest ratio of error to bound, and the time of both (the second call).  Then,
in a process of its own, the five largest of an Mlp of 1,007,910 parameters on 10,000 samples in
float32, with the peak of its resident memory.

    python benchmarks/hessian.py --json benchmarks/hessian.json
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from report import write

import landscape_jax as lj
from landscape_jax.critical import extreme_eigenvalues

COUNT, STEPS = 5, 160
MILLION = """
import json, sys, time
from pathlib import Path
import jax, jax.numpy as jnp
import landscape_jax as lj
from landscape_jax.critical import extreme_eigenvalues

steps, chunk = int(sys.argv[1]), int(sys.argv[2])
keys = jax.random.split(jax.random.key(0), 4)
x, y = jax.random.normal(keys[0], (10_000, 784)), jax.random.randint(keys[1], (10_000,), 0, 10)
network = lj.starts.network(lj.Mlp, (784, 900, 300, 100, 10))(keys[2])
risk = lj.EmpiricalRisk(x, y, criterion="cross_entropy", chunk=chunk)

def peak():
    # Linux's own number: getrusage's counts the process that started this one too.
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

before = peak()
begin = time.perf_counter()
found = jax.block_until_ready(extreme_eigenvalues(risk, network, 5, steps=steps, key=keys[3]))
print(json.dumps({
    "parameters": sum(leaf.size for leaf in jax.tree.leaves(network)),
    "samples": len(x),
    "dtype": str(found.values.dtype),
    "steps": steps,
    "chunk": chunk,
    "values": found.values.tolist(),
    "error_bounds": found.error_bounds.tolist(),
    "seconds_with_compilation": time.perf_counter() - begin,
    "mebibytes_before": before,
    "peak_mebibytes": peak(),
}))
"""


def problems() -> dict[str, tuple[lj.AbstractObjective, Any]]:
    """Give objectives with a random point each, up to 2,000 parameters."""
    key, rng = jax.random.key(0), np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(300, 10))), jnp.asarray(rng.normal(size=(300, 3)))
    risk = lj.EmpiricalRisk(x, y)
    found: dict[str, tuple[lj.AbstractObjective, Any]] = {
        f"PopulationRisk, k = n = {k}": (
            lj.PopulationRisk(jnp.eye(k)),
            lj.starts.gaussian((k, k))(key),
        )
        for k in (6, 20, 44)
    }
    for kind, sizes in ((lj.Mlp, (10, 50, 25, 3)), (lj.DeepLinear, (10, 38, 38, 3))):
        found[f"{kind.__name__} {sizes}"] = (risk, lj.starts.network(kind, sizes)(key))
    return found


def second(call: Callable[[], Any]) -> tuple[float, Any]:
    """Give the seconds of the second call, and its result."""
    jax.block_until_ready(call())
    begin = time.perf_counter()
    result = jax.block_until_ready(call())
    return time.perf_counter() - begin, result


def compare(name: str, risk: lj.AbstractObjective, params: Any) -> dict:
    """Compare Lanczos with the dense spectrum at one point."""
    count = COUNT
    dense_seconds, dense = second(lambda: lj.spectrum(risk, params))
    seconds, found = second(
        lambda: extreme_eigenvalues(
            risk, params, count, which="both", steps=STEPS, key=jax.random.key(1)
        )
    )
    values, bounds = np.asarray(found.values), np.asarray(found.error_bounds)
    errors = np.abs(values[:, None] - dense).min(axis=1)
    return {
        "problem": name,
        "parameters": len(dense),
        "steps": min(STEPS, len(dense)),
        "largest_error": float(errors.max()),
        "largest_bound": float(bounds.max()),
        "largest_ratio_of_error_to_bound": float((errors / bounds).max()),
        "largest_error_as_the_ith": float(
            np.abs(values - np.r_[dense[:count], dense[-count:]]).max()
        ),
        "seconds": seconds,
        "dense_seconds": dense_seconds,
    }


def million(steps: int, chunk: int) -> dict:
    """Measure a million parameters in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MILLION, str(steps), str(chunk)],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--steps", type=int, default=40, help="of the million parameters")
    parser.add_argument("--chunks", nargs="+", type=int, default=[1000, 10_000])
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results: dict[str, Any] = {"dense": [], "million": []}
    for name, (risk, params) in problems().items():
        results["dense"].append(compare(name, risk, params))
        print(results["dense"][-1], flush=True)
        write(arguments.json, __doc__, results)
    for chunk in arguments.chunks:
        results["million"].append(million(arguments.steps, chunk))
        print(results["million"][-1], flush=True)
        write(arguments.json, __doc__, results)


if __name__ == "__main__":
    main()
