"""How fast and how exact are thousands of basin values in one call, beside other solvers?

Speed: problems of 20 samples, 5 inputs and 4 neurons, in one jitted call; beside them Clarabel, one
after the other, from the matrices of a problem to its value, and qpax under `vmap`.  Repeats take
turns, medians are given, and what compiles is called once before.  Accuracy: problems of
several sizes, with fewer and more unknowns than samples, duplicated samples and dependent inputs;
differences are relative to the value of W = 0, where Clarabel says that it has solved; the gaps of
the same problems in single precision are beside.

    python benchmarks/basins.py --json benchmarks/basins.json [--problems 10000] [--repeats 3]
    LANDSCAPE_JAX_NATIVE=0 python benchmarks/basins.py --json benchmarks/basins_without_kernel.json
"""

import argparse
import importlib
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from report import write
from scipy.sparse import csc_matrix

from landscape_jax.theory.basins import BasinValues, basin_values, region_patterns

SPEED = (20, 5, 4)
# Samples, inputs and neurons; the rank of the inputs; how many samples are there twice.
ACCURACY = (
    ((20, 5, 4), 5, 0),
    ((20, 2, 8), 2, 0),
    ((20, 5, 12), 5, 0),
    ((12, 6, 2), 6, 0),
    ((16, 6, 4), 3, 4),
)
EACH = 100
Problem = tuple[np.ndarray, np.ndarray]


def problems(
    shape: tuple[int, int, int], count: int, rank: int, twice: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw data, signs and the starts' patterns."""
    samples, inputs, neurons = shape
    random = np.random.default_rng(seed)
    x = random.standard_normal((samples, rank)) @ random.standard_normal((rank, inputs))
    x[samples - twice :] = x[:twice]
    y = random.standard_normal(samples)
    v = random.choice([-1.0, 1.0], (count, neurons))
    W = random.standard_normal((count, neurons, inputs))
    return x, y, v, np.asarray(region_patterns(x, W))


def matrices(x: np.ndarray, v: np.ndarray, pattern: np.ndarray) -> Problem:
    """Give A and G: minimise ‖Au − y‖² over Gu ≥ 0."""
    samples, inputs = x.shape
    neurons = len(v)
    A = (np.where(pattern, v, 0.0)[:, :, None] * x[:, None]).reshape(samples, -1)
    G = np.zeros((neurons, samples, neurons, inputs))
    for i in range(neurons):
        G[i, :, i] = np.where(pattern[:, i], 1.0, -1.0)[:, None] * x
    return A, G.reshape(neurons * samples, -1)


def clarabel_solver() -> Callable[[Problem, np.ndarray], tuple[float, bool, float]]:
    """Give Clarabel as a function of A, G and y: value, whether solved, seconds in the solver."""
    clarabel = importlib.import_module("clarabel")
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    for name in ("tol_gap_abs", "tol_gap_rel", "tol_feas"):
        setattr(settings, name, 1e-10)

    def solve(problem: Problem, y: np.ndarray) -> tuple[float, bool, float]:
        A, G = problem
        solver = clarabel.DefaultSolver(
            csc_matrix(np.triu(A.T @ A)),
            -A.T @ y,
            csc_matrix(-G),
            np.zeros(len(G)),
            [clarabel.NonnegativeConeT(len(G))],
            settings,
        )
        found = solver.solve()
        loss = float(np.mean((A @ np.array(found.x) - y) ** 2))
        return loss, str(found.status) == "Solved", found.solve_time

    return solve


def qpax_solver(y: np.ndarray) -> Callable[[jax.Array, jax.Array], Any]:
    """Give qpax, compiled for many problems."""
    qpax = importlib.import_module("qpax")

    def one(A: jax.Array, G: jax.Array) -> Any:
        none = jnp.zeros((0, A.shape[1])), jnp.zeros(0)
        zeros = jnp.zeros(len(G))
        return qpax.solve_qp(A.T @ A, -A.T @ y, *none, -G, zeros, solver_tol=1e-10)

    return jax.jit(jax.vmap(one))


def seconds(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - begin


def quality(found: BasinValues, y: np.ndarray) -> dict:
    """Return how good the problems' own bounds are."""
    gap = np.asarray(found.gap) / np.mean(y**2)
    return {
        "small_gap": float(np.mean(np.asarray(found.solved | found.bounded))),
        "gap": {"median": float(np.median(gap)), "max": float(np.max(gap))},
        "bounded_for_all_W": float(np.mean(np.isinf(np.asarray(found.reach)).all(axis=1))),
        "steps": {
            "mean": float(np.mean(np.asarray(found.steps))),
            "max": int(np.max(np.asarray(found.steps))),
        },
    }


def speed(count: int, repeats: int) -> dict:
    """Time one call, and the others on a tenth of its problems."""
    x, y, v, patterns = problems(SPEED, count, SPEED[1], 0, 0)
    few = count // 10
    tables = [matrices(x, v[k], patterns[k]) for k in range(few)]
    stacked = [jnp.asarray(np.stack(part)) for part in zip(*tables, strict=True)]
    arguments = tuple(map(jnp.asarray, (x, y, patterns, v)))
    reference, library = clarabel_solver(), qpax_solver(y)
    first = seconds(lambda: basin_values(*arguments)), seconds(lambda: library(*stacked))
    times: dict[str, list[float]] = {"call": [], "clarabel": [], "inside": [], "qpax": []}
    for _ in range(repeats):
        times["call"].append(seconds(lambda: basin_values(*arguments)) / count)
        begin = time.perf_counter()
        solved = [reference(table, y) for table in tables]
        times["clarabel"].append((time.perf_counter() - begin) / few)
        times["inside"].append(statistics.mean(inside for _, _, inside in solved))
        times["qpax"].append(seconds(lambda: library(*stacked)) / few)
    call, loop, inside, peer = (statistics.median(times[name]) for name in times)
    ends = library(*stacked)
    return {
        "problems": count,
        "samples_inputs_neurons": SPEED,
        "first_seconds": first[0],
        "seconds_per_problem": call,
        "clarabel": {
            "problems": few,
            "seconds_per_problem": loop,
            "of_these_in_the_solver": inside,
            "times_slower": loop / call,
        },
        "qpax": {
            "problems": few,
            "first_seconds": first[1],
            "seconds_per_problem": peer,
            "times_slower": peer / call,
            "converged": float(np.mean(np.asarray(ends[4]) == 1)),
            "not_finite": float(np.mean(~np.isfinite(np.asarray(ends[0])).all(axis=1))),
        },
    } | quality(basin_values(*arguments), y)


def accuracy(seed: int, case: tuple[tuple[int, int, int], int, int]) -> dict:
    """Compare the values with Clarabel's."""
    shape, rank, twice = case
    x, y, v, patterns = problems(shape, EACH, rank, twice, seed)
    found, reference = basin_values(x, y, patterns, v), clarabel_solver()
    other = [reference(matrices(x, v[k], patterns[k]), y) for k in range(EACH)]
    solved = np.array([ok for _, ok, _ in other])
    loss = np.array([value for value, _, _ in other])
    off = (np.asarray(found.value) - loss)[solved] / np.mean(y**2)
    single = basin_values(x.astype(np.float32), y.astype(np.float32), patterns, v)
    return {
        "samples_inputs_neurons": shape,
        "rank": rank,
        "samples_twice": twice,
        "problems": EACH,
        "clarabel_solved": float(np.mean(solved)),
        "above_clarabel": float(np.max(off)),
        "below_clarabel": float(np.max(-off)),
        "in_single_precision": quality(single, y),
    } | quality(found, y)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--problems", type=int, default=10000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    results = [accuracy(seed, case) for seed, case in enumerate(ACCURACY)]
    for result in results:
        print(result, flush=True)
    timing = speed(arguments.problems, arguments.repeats)
    print(timing)
    write(arguments.json, __doc__, {"dtype": "float64", "speed": timing, "accuracy": results})


if __name__ == "__main__":
    main()
