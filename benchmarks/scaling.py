"""How does the time of a search grow with restarts, width, dimension and devices, and its memory?

Each point is a process of its own: one call with `max_steps=1`, which compiles the same program,
then the timed call.  `devices` shares restarts between virtual CPU devices, whatever accelerator
there is, and compares the ends with those of one device: that checks the sharing; it is no speedup,
as the devices share the machine's cores.

    python benchmarks/scaling.py --json benchmarks/scaling.json [--plot FILE.png] [--only PART]

`--most N` caps the restarts, to try the script.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from charts import Panel, draw
from report import write

import landscape_jax as lj

# What varies, and all points: restarts, n, k, d, devices (0: no mesh).
PARTS = {
    "restarts": [(count, 6, 6, 6, 0) for count in (1000, 10_000, 100_000)],
    "width": [(200, n, n, n, 0) for n in (4, 8, 12, 16, 20, 24)],
    "dimension": [(200, 6, 6, d, 0) for d in (6, 12, 24, 48)],
    "devices": [(2000, 6, 6, 6, count) for count in (1, 2, 8)],
}
NAMES = ("restarts", "n", "k", "d", "devices")
VARIES = {"restarts": "restarts", "width": "n", "dimension": "d", "devices": "devices"}


def peak_mib() -> float:
    """Give the most memory that this process has had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)


def measure(point: Sequence[int], params: Path | None) -> dict:
    """Time one search in this process; keep its ends where a file is named."""
    restarts, n, k, d, devices = point
    jax.config.update("jax_enable_x64", True)
    mesh = jax.make_mesh((devices,), ("restarts",)) if devices else None
    risk, start = lj.PopulationRisk(jnp.eye(k, d)), lj.starts.gaussian((n, d))

    def search(max_steps: int) -> lj.Runs:
        runs = lj.restart(
            risk, start, restarts, key=jax.random.key(0), max_steps=max_steps, mesh=mesh
        )
        return jax.block_until_ready(runs)

    before = peak_mib()
    begin = time.perf_counter()
    search(1)
    middle = time.perf_counter()
    runs = search(10_000_000)
    seconds = time.perf_counter() - middle
    if params is not None:
        np.save(params, np.asarray(runs.params))
    on_device = jax.devices()[0].memory_stats() or {}
    return {
        **dict(zip(NAMES, point, strict=True)),
        "seconds": seconds,
        "milliseconds_per_restart": 1e3 * seconds / restarts,
        "steps": int(np.asarray(runs.steps, int).sum()),
        "first_call_of_one_step_seconds": middle - begin,
        "peak_mib": peak_mib(),
        "peak_before_search_mib": before,
        "peak_on_accelerator_bytes": on_device.get("peak_bytes_in_use"),
    }


def in_a_process(point: Sequence[int], params: Path | None) -> dict:
    """Measure one point in a fresh process."""
    environment = dict(os.environ)
    if point[-1]:
        flag = f"--xla_force_host_platform_device_count={point[-1]}"
        environment["XLA_FLAGS"] = f"{environment.get('XLA_FLAGS', '')} {flag}".strip()
        environment["JAX_PLATFORMS"] = "cpu"
    command = [sys.executable, __file__, "--point", *map(str, point)]
    command += ["--params", str(params)] if params else []
    output = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(output.stdout.splitlines()[-1])


def part(name: str, most: int | None) -> list[dict]:
    """Measure all points of a part; on several devices, compare with one."""
    results, first = [], None
    with tempfile.TemporaryDirectory() as folder:
        for restarts, *rest in PARTS[name]:
            point = (min(restarts, most or restarts), *rest)
            params = Path(folder, "params.npy") if name == "devices" else None
            results.append(in_a_process(point, params))
            if params is not None:
                ends = np.load(params)
                first = ends if first is None else first
                results[-1]["same_bits_as_one_device"] = ends.tobytes() == first.tobytes()
                results[-1]["largest_difference_to_one_device"] = float(np.abs(ends - first).max())
            print(name, results[-1], flush=True)
    return results


def plot(path: Path, parts: dict[str, list[dict]]) -> None:
    panels = []
    for name, results in parts.items():
        lines = {"ms per restart": [r["milliseconds_per_restart"] for r in results]}
        if name == "restarts":
            lines |= {
                "seconds": [r["seconds"] for r in results],
                "peak memory, MiB": [r["peak_mib"] for r in results],
            }
        label = {"n": "n = k = d", "d": "d (n = k = 6)"}.get(VARIES[name], VARIES[name])
        panels.append(Panel(label, " / ".join(lines), [r[VARIES[name]] for r in results], lines))
    draw(path, panels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="required")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--only", choices=[*PARTS], help="all four where left out")
    parser.add_argument("--most", type=int, help="restarts at most, to try the script")
    parser.add_argument("--point", nargs=5, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--params", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.point:
        print(json.dumps(measure(arguments.point, arguments.params)))
        return
    if arguments.json is None:
        parser.error("--json is missing")
    # The report asks this process for its device: an accelerator's memory stays with the points.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    parts = {}
    for name in [arguments.only] if arguments.only else PARTS:
        parts[name] = part(name, arguments.most)
        write(arguments.json, __doc__, {"dtype": "float64", "parts": parts})
    if arguments.plot:
        plot(arguments.plot, parts)


if __name__ == "__main__":
    main()
