"""How long does the least squares of 10,000 activation patterns take, and numpy's, one by one?

`cell_solutions` in one call, beside a loop of `numpy.linalg.lstsq` on the same matrices, in turns
and in one process.  Patterns are drawn at random, or met by Gaussian weights: then some neurons are
active on fewer samples than inputs, and their patterns are of deficient rank.  What compiles is
called before; the first call is reported apart.  Errors are those of R against numpy in float64,
relative to the largest entry.

    python benchmarks/cells.py --json benchmarks/cells.json [--shape N,d,K] [--count 10000]
    LANDSCAPE_JAX_NATIVE=0 python benchmarks/cells.py --json benchmarks/cells_without_kernel.json
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from report import write

from landscape_jax.theory.cells import cell_solutions

TURNS = 5
KINDS = ("random", "met by weights")


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Give the seconds of a call, and its result."""
    begin = time.perf_counter()
    result = jax.block_until_ready(call())
    return time.perf_counter() - begin, result


def draw(kind: str, shape: tuple[int, int, int], count: int) -> tuple[np.ndarray, ...]:
    """Draw samples with a bias, labels and patterns."""
    samples, inputs, neurons = shape
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(samples, inputs)), rng.normal(size=samples)
    x[:, -1] = 1
    if kind == "random":
        return x, y, rng.random((count, samples, neurons)) < 0.5
    return x, y, np.einsum("nd,ckd->cnk", x, rng.normal(size=(count, neurons, inputs))) > 0


def measure(kind: str, shape: tuple[int, int, int], count: int, dtype: type) -> dict:
    """Time both, turn by turn, and compare what they find."""
    x, y, patterns = draw(kind, shape, count)
    tables = (patterns[:, :, :, None] * x[:, None, :]).reshape(count, len(x), -1).astype(dtype)
    labels = y.astype(dtype)
    given = jnp.asarray(x, dtype), jnp.asarray(y, dtype), jnp.asarray(patterns)
    first, found = timed(lambda: cell_solutions(*given))
    ours, numpys = [], []
    for _ in range(TURNS):
        ours.append(timed(lambda: cell_solutions(*given))[0])
        numpys.append(timed(lambda: [np.linalg.lstsq(A, labels) for A in tables])[0])
    exact = np.array([np.linalg.lstsq(A.astype(float), y)[0] for A in tables])
    unique = np.asarray(found.unique)
    errors = np.max(np.abs(np.asarray(found.R).reshape(count, -1) - exact), axis=1)
    relative = (errors / np.max(np.abs(exact), axis=1))[unique]
    return {
        "patterns": kind,
        "dtype": np.dtype(dtype).name,
        "samples_inputs_neurons": shape,
        "count": count,
        "of_full_rank": int(unique.sum()),
        "first_seconds": first,
        "seconds": {"median": statistics.median(ours), "min": min(ours), "max": max(ours)},
        "numpy_seconds": {"median": statistics.median(numpys), "min": min(numpys)},
        "times_faster": statistics.median(numpys) / statistics.median(ours),
        "error": {"median": float(np.median(relative)), "max": float(np.max(relative))},
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--shape", default="50,5,4")
    parser.add_argument("--count", type=int, default=10_000)
    given = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    samples, inputs, neurons = map(int, given.shape.split(","))
    results = []
    for dtype in (np.float64, np.float32):
        for kind in KINDS:
            results.append(measure(kind, (samples, inputs, neurons), given.count, dtype))
            print(results[-1])
    write(given.json, __doc__, {"results": results})


if __name__ == "__main__":
    main()
