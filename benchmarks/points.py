"""How long do families, Hessians and proofs take, as the number of parameters grows?

For each size: a search as in SS18, its runs grouped, Hessians one by one and ten at once, and for
every spurious family the proof and the verification of its representative.  What compiles is
called twice; the first call is reported apart.  Proofs use no JAX and compile nothing.

    python benchmarks/points.py --json benchmarks/points.json [--plot FILE.png] [--sizes K:N ...]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from charts import Panel, draw
from report import write

import landscape_jax as lj

SIZES = ("6:6", "10:10", "15:16", "20:20")
REPEATS, BATCH = 5, 10


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Give the seconds of a call, and its result."""
    begin = time.perf_counter()
    result = jax.block_until_ready(call())
    return time.perf_counter() - begin, result


def twice(call: Callable[[], Any], repeats: int = 1) -> dict:
    """Time the first call, and the median of later ones."""
    first = timed(call)[0]
    return {
        "first_seconds": first,
        "seconds": statistics.median(timed(call)[0] for _ in range(repeats)),
    }


def spread(seconds: list[float]) -> dict | None:
    """Give the median and the largest; nothing of nothing."""
    return {"median": statistics.median(seconds), "max": max(seconds)} if seconds else None


def measure(k: int, n: int, restarts: int) -> dict:
    """Search one size and time what is done with its ends."""
    risk = lj.PopulationRisk(jnp.eye(k))
    search, runs = timed(
        lambda: lj.restart(
            risk,
            lj.starts.gaussian((n, k)),
            restarts,
            key=jax.random.key(0),
            gradient_tolerance=1e-9,
            below_value=1e-3,
        )
    )
    grouping = twice(lambda: lj.families(risk, runs))
    found = lj.families(risk, runs)
    hessian = jax.jit(lambda W: lj.hessian(risk, W))
    hessians = jax.jit(jax.vmap(lambda W: lj.hessian(risk, W)))
    batch = jnp.resize(runs.params, (BATCH, n, k))
    points = [family.representative for family in found if family.kind == "spurious"]
    proofs = [timed(lambda W=W: lj.prove_minimum(risk, W)) for W in points]
    certificates = [proof for _, proof in proofs if isinstance(proof, lj.Certificate)]
    checks = [timed(lambda c=c: lj.verify(c)) for c in certificates]
    return {
        "k": k,
        "n": n,
        "parameters": n * k,
        "restarts": restarts,
        "search_and_compile_seconds": search,
        "spurious_runs": sum(f.count for f in found if f.kind == "spurious"),
        "families": len(found),
        "spurious_families": len(points),
        "proven": len(certificates),
        "verified": sum(bool(check) for _, check in checks),
        "group": grouping,
        "hessian": twice(lambda: hessian(batch[0]), REPEATS),
        f"hessians_of_{BATCH}": twice(lambda: hessians(batch), REPEATS),
        "prove_seconds": spread([seconds for seconds, _ in proofs]),
        "verify_seconds": spread([seconds for seconds, _ in checks]),
    }


def plot(path: Path, results: list[dict]) -> None:
    lines = {
        f"group {results[0]['restarts']} runs": [r["group"]["seconds"] for r in results],
        "one Hessian": [r["hessian"]["seconds"] for r in results],
        f"{BATCH} Hessians at once": [r[f"hessians_of_{BATCH}"]["seconds"] for r in results],
        "prove, median": [(r["prove_seconds"] or {}).get("median") for r in results],
        "verify, median": [(r["verify_seconds"] or {}).get("median") for r in results],
    }
    draw(path, [Panel("parameters", "seconds", [r["parameters"] for r in results], lines)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--sizes", nargs="+", metavar="K:N", default=SIZES)
    parser.add_argument("--restarts", type=int, default=1000)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = []
    for size in arguments.sizes:
        k, n = map(int, size.split(":"))
        results.append(measure(k, n, arguments.restarts))
        print(results[-1], flush=True)
        write(arguments.json, __doc__, {"dtype": "float64", "results": results})
    if arguments.plot:
        plot(arguments.plot, results)


if __name__ == "__main__":
    main()
