"""How long is the first call of a search, and does a second call compile anything?

In fresh processes, without JAX's persistent cache, JAX's own event durations are collected during
`restart` with `max_steps=1`, so that running costs nothing: with an empty cache directory (the C++
compiler makes the CPU kernel), with the kernel in it, and without the kernel.  Then a call with
another key, and one with another `below_value`, must compile nothing.  On an accelerator the three
do not differ, as the kernel is the CPU's.

    python benchmarks/compile.py --json benchmarks/compile.json [--plot FILE.png] [--size K:N]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
from charts import stack
from report import write

import landscape_jax as lj

RESTARTS = 1000
STAGES = {
    "trace": "/jax/core/compile/jaxpr_trace_duration",
    "lower": "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "compile": "/jax/core/compile/backend_compile_duration",
}


class Events:
    """The stages of compilation since the last `take`, as intervals of time."""

    def __init__(self):
        self.intervals: list[tuple[str, float, float]] = []
        jax.monitoring.register_event_duration_secs_listener(self._add)

    def _add(self, event: str, duration_secs: float, **_: object) -> None:
        now = time.perf_counter()
        self.intervals.append((event, now - duration_secs, now))

    def take(self) -> dict:
        """Give each stage's events and seconds; one event inside another counts once."""
        taken, self.intervals = self.intervals, []
        result = {}
        for stage, name in STAGES.items():
            seconds, reached = 0.0, float("-inf")
            intervals = sorted((begin, end) for event, begin, end in taken if event == name)
            for begin, end in intervals:
                seconds += max(0.0, end - max(begin, reached))
                reached = max(reached, end)
            result[stage] = {"events": len(intervals), "seconds": seconds}
        return result


def measure(k: int, n: int) -> dict:
    """Call three times in this process, and say what each call compiled."""
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_enable_compilation_cache", False)
    risk, start = lj.PopulationRisk(jnp.eye(k)), lj.starts.gaussian((n, k))
    keys = [jax.random.key(0), jax.random.key(1)]
    jax.block_until_ready(keys)
    events = Events()
    results = {}
    for name, key, below_value in (
        ("first", keys[0], 1e-3),
        ("another key", keys[1], 1e-3),
        ("another below_value", keys[1], 2e-3),
    ):
        begin = time.perf_counter()
        runs = lj.restart(risk, start, RESTARTS, key=key, below_value=below_value, max_steps=1)
        jax.block_until_ready(runs)
        results[name] = {"seconds": time.perf_counter() - begin} | events.take()
    for name in ("another key", "another below_value"):
        assert results[name]["compile"]["events"] == 0, (name, results[name])
    return results


def in_a_process(size: str, environment: dict[str, str]) -> dict:
    """Measure in a fresh process."""
    output = subprocess.run(
        [sys.executable, __file__, "--size", size, "--measure"],
        env=os.environ | environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(output.stdout.splitlines()[-1])


def plot(path: Path, results: dict[str, dict]) -> None:
    bars = {}
    for name, result in results.items():
        first = result["first"]
        stages = {stage: first[stage]["seconds"] for stage in STAGES}
        bars[name] = stages | {"everything else": max(0.0, first["seconds"] - sum(stages.values()))}
    stack(path, "seconds of the first call", bars)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="required")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--size", metavar="K:N", default="20:20")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        k, n = map(int, arguments.size.split(":"))
        print(json.dumps(measure(k, n)))
        return
    if arguments.json is None:
        parser.error("--json is missing")
    with tempfile.TemporaryDirectory() as cache:
        cases = {
            "kernel made now": {"XDG_CACHE_HOME": cache},
            "kernel in the cache": {"XDG_CACHE_HOME": cache},
            "no kernel": {"LANDSCAPE_JAX_NATIVE": "0"},
        }
        results = {name: in_a_process(arguments.size, case) for name, case in cases.items()}
    for name, result in results.items():
        print(name, result["first"])
    write(arguments.json, __doc__, {"size": arguments.size, "restarts": RESTARTS, "cases": results})
    if arguments.plot:
        plot(arguments.plot, results)


if __name__ == "__main__":
    main()
