"""How long does one step of descent take, for one of many runs, beside peers and the machine?

The contenders: the package; the package without its CPU kernel; the same closed gradient written
down in JAX, NumPy (one run at a time), PyTorch, and PyTorch compiled (see peers.py).  All must end
at the same points.  Compile time is apart; the contenders take turns, each turn one call to get
warm and one timed call; medians are reported.  The limit is the count of flops over the machine's
peak, measured here with a large matrix product.  In float32 all use full float32 products.
PyTorch's threads wait without spinning (OMP_WAIT_POLICY=passive, unless the environment says
otherwise): on a machine with other work to do, spinning makes it a hundred times slower.

    python benchmarks/step.py --json benchmarks/step.json [--plot FILE.png] [--dtype float32]
"""

import argparse
import importlib
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from charts import Panel, draw
from peers import STEPS, jax_descent, numpy_descent, plain, torch_descent
from report import write

import landscape_jax as lj
from landscape_jax.objectives.population import _students_in_xla

ROUNDS, NUMPY_RUNS = 10, 4
BATCHES = {6: (64, 256), 10: (64, 256), 20: (64, 256), 50: (16, 64, 256)}
# Of a square root and a polynomial for each pair of neurons.
PAIR_FLOPS = 50
# Threads that wait for work spin for some milliseconds; the next contender shall not feel them.
PAUSE = 0.02


def has_torch() -> bool:
    try:
        importlib.import_module("torch")
    except ImportError:
        return False
    return True


def contenders(k: int, W: jax.Array, torch: bool) -> dict[str, tuple[Callable, Any]]:
    """Give what takes part: a descent and its starts."""
    risk = lj.PopulationRisk(jnp.eye(k))
    ones, V, starts = jnp.ones(k, W.dtype), jnp.eye(k, dtype=W.dtype), np.array(W)
    found = {
        "ours": (jax_descent(jax.grad(risk)), W),
        "ours without kernel": (jax_descent(lambda W: _students_in_xla(W, V, ones, ones)[1]), W),
        "plain": (jax_descent(lambda W: plain(W, V)), W),
        "numpy": (numpy_descent(np.asarray(V)), starts[:NUMPY_RUNS]),
    }
    if torch:
        tensor = importlib.import_module("torch").tensor(starts)
        for name, compiled in (("torch eager", False), ("torch.compile", True)):
            found[name] = (torch_descent(np.array(V), compiled=compiled), tensor)
    return found


def check(ends: dict[str, np.ndarray]) -> float:
    """Assert that all end at the same points; give the largest difference."""
    ours = ends["ours"]
    # Each step rounds sums of 2 n products over sums of d, six roundings a neuron at most.
    roundings = STEPS * 6 * ours.shape[1]
    bound = roundings * float(np.finfo(ours.dtype).eps) * max(1.0, float(np.abs(ours).max()))
    differences = {x: float(np.abs(end - ours[: len(end)]).max()) for x, end in ends.items()}
    assert max(differences.values()) < bound, differences
    return max(differences.values())


def measure(k: int, batch: int, dtype: str, torch: bool) -> dict:
    """Time all contenders on the same starts, in turns; microseconds per run and step."""
    start = lj.starts.gaussian((k, k), dtype=jnp.dtype(dtype))
    W = jax.vmap(start)(jax.random.split(jax.random.key(0), batch))
    taking_part = contenders(k, W, torch)
    ends, first_call, times = {}, {}, {name: [] for name in taking_part}
    for name, (descend, starts) in taking_part.items():
        begin = time.perf_counter()
        ends[name] = np.asarray(descend(starts))
        first_call[name] = time.perf_counter() - begin
    difference = check(ends)
    for _ in range(ROUNDS):
        for name, (descend, starts) in taking_part.items():
            time.sleep(PAUSE)
            descend(starts)
            begin = time.perf_counter()
            descend(starts)
            times[name].append((time.perf_counter() - begin) / STEPS / len(starts) * 1e6)
    return {
        "k": k,
        "batch": batch,
        "microseconds_per_run_and_step": {x: statistics.median(t) for x, t in times.items()},
        "over_ours": {
            name: statistics.median(t / o for t, o in zip(of, times["ours"], strict=True))
            for name, of in times.items()
            if name != "ours"
        },
        "largest_difference": difference,
        "first_call_seconds": first_call,
    }


def flops(n: int, k: int, d: int) -> int:
    """Count those of one step: cosines of all pairs, combinations, square roots, polynomials."""
    pairs = n * (n - 1) // 2 + n * k
    return 2 * d * pairs + 2 * (n * n * d + n * k * d) + PAIR_FLOPS * pairs


def peak(dtype: str, size: int = 2048) -> float:
    """Measure the flops per second of a large matrix product."""
    A = jax.random.normal(jax.random.key(0), (size, size), jnp.dtype(dtype))
    product = jax.jit(jnp.matmul)
    product(A, A).block_until_ready()
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        product(A, A).block_until_ready()
        times.append(time.perf_counter() - begin)
    return 2 * size**3 / min(times)


def best(results: list[dict], k: int, peak: float) -> dict:
    """Let each contender have its best batch; compare with ours, and ours with the limit."""
    of_k = [r["microseconds_per_run_and_step"] for r in results if r["k"] == k]
    times = {name: min(r[name] for r in of_k) for name in of_k[0]}
    compiled = times.get("torch.compile")
    limit = flops(k, k, k) / peak * 1e6
    return {
        "k": k,
        "microseconds_per_run_and_step": times,
        "plain_over_ours": times["plain"] / times["ours"],
        "torch_compile_over_ours": compiled / times["ours"] if compiled else None,
        "flops": flops(k, k, k),
        "limit_microseconds": limit,
        "ours_over_limit": times["ours"] / limit,
    }


def plot(path: Path, summary: list[dict]) -> None:
    lines = {
        name: [r["microseconds_per_run_and_step"][name] for r in summary]
        for name in summary[0]["microseconds_per_run_and_step"]
    }
    lines["limit: flops / measured peak"] = [r["limit_microseconds"] for r in summary]
    y_label = "microseconds per run and step (best batch)"
    draw(path, [Panel("k = n = d", y_label, [r["k"] for r in summary], lines)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument("--k", nargs="+", type=int, choices=[*BATCHES], default=[*BATCHES])
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_default_matmul_precision", "highest")
    policy = os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # Read when torch is loaded.
    torch = has_torch()
    device = jax.devices()[0].device_kind
    note = f"on the cpu; JAX on {device}" if torch else "left out: it cannot be imported"
    flops_per_second = peak(arguments.dtype)
    results = []
    for k in arguments.k:
        for batch in BATCHES[k]:
            results.append(measure(k, batch, arguments.dtype, torch))
            print(k, batch, results[-1]["microseconds_per_run_and_step"], flush=True)
    summary = [best(results, k, flops_per_second) for k in arguments.k]
    for r in summary:
        print(r)
    report = {
        "dtype": arguments.dtype,
        "torch": note,
        "omp_wait_policy": policy,
        "peak_gigaflops": flops_per_second / 1e9,
        "best_batch": summary,
        "results": results,
    }
    write(arguments.json, __doc__, report)
    if arguments.plot:
        plot(arguments.plot, summary)


if __name__ == "__main__":
    main()
