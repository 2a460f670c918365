"""How fast is the search on the device at hand, and does it end where a CPU ends?

In order of importance: the time of a step at several lanes, sizes and precisions, beside the limits
by formula (roofline.py: on an H100, a prediction); whole searches of 10⁴ to 10⁶ runs; ends beside
those of the CPU; the studies `width` and `table`; the same steps and searches on the CPU.  Compile
time is apart.  The JSON file is written after each measurement; the same command goes on where it
stopped, also with a larger budget.  What does not fit the budget is not begun.

On a machine without network: with the same Python and system elsewhere,

    pip download 'landscape-jax[cuda]' -d wheels        # or [tpu]; all that it needs comes along

then copy `wheels` and `benchmarks` there, and

    python -m venv env && env/bin/pip install --no-index --find-links wheels 'landscape-jax[cuda]'
    env/bin/python benchmarks/accelerator.py --budget 300 --json benchmarks/accelerator.json

jax[cuda13] needs an NVIDIA driver of version 580 or newer.  `--platform cpu` tries the script on
any machine.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from report import write
from roofline import flops, prediction

import landscape_jax as lj
from landscape_jax.objectives.protocols import descend
from landscape_jax.search.default_lanes import default_lanes
from landscape_jax.studies import ss18, width

STEPS, ROUNDS = 32, 3
LANES, SIZES, DTYPES = (2**8, 2**11, 2**14, 2**17), (6, 20, 50), ("float64", "float32")
SEARCHES = ((6, 10**4), (20, 10**4), (6, 10**5), (6, 10**6))
# Flops a second that the first estimates count on, until a step has been measured.
CAUTIOUS = {"cpu": 1e10, "gpu": 3e11, "tpu": 3e11}
# A run takes about this many steps, and compiling a search about this many seconds.
STEPS_OF_A_RUN, COMPILING = 3000, 20.0


def timed(work: Callable[[], Any]) -> float:
    """Return the seconds that a call takes until its result is there."""
    begin = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - begin


def step(k: int, lanes: int, dtype: str) -> dict[str, Any]:
    """Measure the time of a step of descent, of many runs at a time."""
    risk, rate = lj.PopulationRisk(jnp.eye(k)), jnp.asarray(0.1, dtype)
    start = lj.starts.gaussian((k, k), dtype=jnp.dtype(dtype))
    W = jax.jit(jax.vmap(start))(jax.random.split(jax.random.key(0), lanes))
    count = jnp.asarray(STEPS)
    many = jax.jit(jax.vmap(lambda W: descend(risk, W, rate, count, most=STEPS)[0]))
    begin = time.perf_counter()
    compiled = many.lower(W).compile()
    compiling = time.perf_counter() - begin
    timed(lambda: compiled(W))
    seconds = statistics.median(timed(lambda: compiled(W)) for _ in range(ROUNDS))
    return {
        "microseconds_per_run_and_step": 1e6 * seconds / (lanes * STEPS),
        "flops_per_second": flops(k, k, jnp.dtype(dtype)) * lanes * STEPS / seconds,
        "compile_seconds": compiling,
        "H100, prediction in microseconds": prediction(k, k, lanes, jnp.dtype(dtype)),
    }


def search(k: int, restarts: int) -> dict[str, Any]:
    """Measure a whole search."""
    risk, start, key = lj.PopulationRisk(jnp.eye(k)), lj.starts.gaussian((k, k)), jax.random.key(0)
    # The same program, with one run in it.
    first = timed(lambda: lj.restart(risk, start, [0], key=key, room=restarts).value)
    runs: Any = None

    def work() -> jax.Array:
        nonlocal runs
        runs = lj.restart(risk, start, restarts, key=key, room=restarts)
        return runs.value

    seconds = timed(work)
    return {
        "seconds": seconds, "first_call_seconds": first, "lanes": runs.lanes,
        "run_steps_per_second": float(np.sum(np.asarray(runs.steps, float))) / seconds,
        "statuses": runs.summary(), "default_lanes": default_lanes(k * k),
    }  # fmt: skip


def ends_beside_cpu(k: int, restarts: int) -> dict[str, Any]:
    """Compare statuses and values of the ends with those of the CPU."""
    risk, start, key = lj.PopulationRisk(jnp.eye(k)), lj.starts.gaussian((k, k)), jax.random.key(1)
    starts = np.asarray(jax.vmap(lambda i: start(jax.random.fold_in(key, i)))(jnp.arange(restarts)))
    here = lj.restart(risk, starts, restarts)
    with jax.default_device(jax.devices("cpu")[0]):
        cpu = lj.restart(lj.PopulationRisk(jnp.eye(k)), starts, restarts)
    above = np.asarray(cpu.is_converged & here.is_converged)
    apart = np.abs(np.asarray(here.value) - np.asarray(cpu.value))
    differ = (here.status_names != cpu.status_names) | (above & (apart > 1e-9))
    return {
        "runs": restarts,
        "other_ends": int(differ.sum()),
        "restarts_with_other_ends": np.flatnonzero(differ).tolist(),
        "largest_difference_of_values_above": float(apart[above & ~differ].max(initial=0)),
    }


def table() -> dict[str, Any]:
    seconds = timed(lambda: ss18.table())
    return {"seconds": seconds}


def width_table() -> dict[str, Any]:
    begin = time.perf_counter()
    rows = width.table([6, 9, 12, 15], [0, 1, 2], 1000).rows
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "global": {f"{row.k}:{row.n}": row.global_runs for row in rows}}


def on_cpu(work: Callable[..., dict[str, Any]], *args: Any) -> Callable[[], dict[str, Any]]:
    def call() -> dict[str, Any]:
        with jax.default_device(jax.devices("cpu")[0]):
            return work(*args)

    return call


def measurements(platform: str) -> Iterator[tuple[str, float, Callable[[], dict[str, Any]]]]:
    """Yield names, flops that they take, and what measures them, the most important first."""

    def of_step(k: int, lanes: int, dtype: str) -> float:
        return (1 + ROUNDS) * STEPS * lanes * flops(k, k, jnp.dtype(dtype))

    def of_search(k: int, restarts: int) -> float:
        return STEPS_OF_A_RUN * restarts * flops(k, k, jnp.dtype("float64"))

    for dtype in DTYPES:
        for k in SIZES:
            for lanes in LANES:
                name = f"step: k = n = {k}, {lanes} lanes, {dtype}"
                yield name, of_step(k, lanes, dtype), lambda a=(k, lanes, dtype): step(*a)
    for k, restarts in SEARCHES[:2]:
        name = f"search: k = n = {k}, {restarts} runs"
        yield name, of_search(k, restarts), lambda a=(k, restarts): search(*a)
    if platform != "cpu":
        yield "ends beside the CPU's: k = n = 10, 1000 runs", 0.0, lambda: ends_beside_cpu(10, 1000)
    for k, restarts in SEARCHES[2:]:
        name = f"search: k = n = {k}, {restarts} runs"
        yield name, of_search(k, restarts), lambda a=(k, restarts): search(*a)
    yield "width 6 9 12 15 --extra 0,1,2", of_search(12, 12_000), width_table
    yield "table", of_search(8, 5000), table
    if platform != "cpu":
        for k in SIZES:
            name = f"step on the CPU: k = n = {k}, 256 lanes, float64"
            yield name, 0.0, on_cpu(step, k, 2**8, "float64")
        yield "search on the CPU: k = n = 6, 10000 runs", 0.0, on_cpu(search, 6, 10**4)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--budget", type=float, default=300.0, metavar="SECONDS")
    parser.add_argument("--platform", choices=("cpu", "gpu", "tpu"), help="instead of the default")
    chosen = parser.parse_args()
    if chosen.platform is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(chosen.platform, chosen.platform))
    jax.config.update("jax_enable_x64", True)
    begin, device = time.perf_counter(), jax.devices()[0]
    results: dict[str, Any] = {}
    if chosen.json.exists():
        known = json.loads(chosen.json.read_text(encoding="utf-8"))
        if known["device"] != device.device_kind:
            parser.error(f"{chosen.json} is of {known['device']}, not {device.device_kind}")
        results = known["results"]
    measured = [each.get("flops_per_second", 0.0) / 2 for each in results.values()]
    rate = max(CAUTIOUS.get(device.platform, 1e10), *measured, 0.0)
    for name, work, measure in measurements(device.platform):
        left = chosen.budget - (time.perf_counter() - begin)
        whole = "search" in name or "CPU" in name or not name.startswith("step")
        if name in results or work / rate + (COMPILING if whole else 3.0) > left:
            continue
        results[name] = measure()
        stats = device.memory_stats() if device.platform != "cpu" else None
        results[name]["peak_bytes"] = (stats or {}).get("peak_bytes_in_use")
        rate = max(rate, results[name].get("flops_per_second", 0.0) / 2)
        write(chosen.json, __doc__, {"platform": device.platform, "results": results})
        print(f"{time.perf_counter() - begin:6.1f} s  {name}: {results[name]}", flush=True)
    every = [name for name, *_ in measurements(device.platform)]
    print(f"{len(results)} of {len(every)} measurements are in {chosen.json}")


if __name__ == "__main__":
    main()
