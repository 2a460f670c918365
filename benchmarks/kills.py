"""Is anything lost, done twice or changed by SIGKILL?  A hundred of them, at random moments.

Three works are killed and begun again until they are done: the table of two sizes, a sweep of an
empirical risk, and the same on two workers of Dask, of which one is killed at every second time
instead of the client.  After each kill every chunk that was on disk is still there, the same to its
inode; in the end the results equal those of a work that nobody killed, and no restart is there
twice.

    python benchmarks/kills.py --kills 100 --json benchmarks/kills.json
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from report import write

HEAD = """
import os, sys
import jax, jax.numpy as jnp, landscape_jax as lj
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_compilation_cache_dir", sys.argv[2])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
x = jnp.linspace(-1, 1, 8)[:, None]
risk, key = lj.EmpiricalRisk(x, jnp.sin(3 * x[:, 0])), jax.random.key(0)
start = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation=lambda t: jnp.tanh(2 * t))
how = dict(key=key, chunk=25, max_steps=int(sys.argv[3]), finish=False, out=sys.argv[1])
"""
WORKS = {
    "table": HEAD + """
from landscape_jax.studies import ss18
from landscape_jax.sweeps import chunks
chunks.CHUNK = 10
print(flush=True)
ss18.table([(6, 6), (8, 8)], 100, out=sys.argv[1])
""",
    "sweep": HEAD + """
print(flush=True)
lj.sweep(risk, start, 250, **how)
""",
    "dask sweep": HEAD + """
from dask.distributed import Client, LocalCluster
if __name__ == "__main__":
    place = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with LocalCluster(2, **place) as cluster, Client(cluster) as client:
        print(*client.run(os.getpid).values(), flush=True)
        lj.sweep(risk, start, 250, executor=client.get_executor(), **how)
""",
}  # fmt: skip
# Seconds after which a work that does not end has hung.
PATIENCE = 600


class Work:
    """One work in a directory, begun again and again."""

    def __init__(self, name: str, folder: Path, steps: int):
        self.steps = str(steps)
        self.out, self.program, self.cache = folder / "out", folder / "work.py", folder / "cache"
        self.program.write_text(WORKS[name], encoding="utf-8")

    def begin(self) -> tuple[subprocess.Popen, list[int]]:
        """Start it; return the process and its workers' pids, when it has begun to work."""
        files = (self.program, self.out, self.cache)
        command = [sys.executable, *map(str, files), self.steps]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert child.stdout is not None
        return child, [int(pid) for pid in child.stdout.readline().split()]

    def finish(self) -> float:
        """Let it run to its end; return the seconds from when it began to work."""
        child, _ = self.begin()
        begin = time.perf_counter()
        child.communicate(timeout=PATIENCE)
        if child.returncode:
            raise RuntimeError(f"the work ended with {child.returncode}")
        return time.perf_counter() - begin

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Return the inode and the time of each finished file or directory of runs."""
        finished = [p for p in self.out.rglob("*.zarr") if not p.name.startswith(".")]
        finished += [p for p in self.out.glob("rows/*") if not p.name.startswith(".")]
        return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns) for p in finished}

    def results(self) -> dict[str, Any]:
        """Return all runs, by their index, and all rows and certificates without their seconds."""
        parts: dict[str, list[xr.Dataset]] = {}
        for path in sorted(self.out.rglob("[!.]*.zarr")):
            parts.setdefault(path.parent.name, []).append(xr.open_zarr(path, chunks=None).load())
        found: dict[str, Any] = {}
        for name, every in parts.items():
            runs = xr.concat(every, "restart", combine_attrs="drop").sortby("restart")
            index = runs["restart"].values
            if len(np.unique(index)) < len(index):
                raise RuntimeError(f"{name} holds a restart twice")
            found[name] = runs
        for path in sorted(self.out.glob("rows/[!.]*.json")):
            row = json.loads(path.read_text(encoding="utf-8"))
            del row["seconds"], row["checksum"], row["digests"]
            found[path.name] = row
        for path in sorted(self.out.rglob("restart-*.json")):
            certificate = json.loads(path.read_text(encoding="utf-8"))
            certificate.pop("seconds", None)
            found[f"{path.parent.name}/{path.name}"] = certificate
        return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Check that two works have equal results, to the bit."""
    return one.keys() == other.keys() and all(
        part.identical(other[name]) if isinstance(part, xr.Dataset) else part == other[name]
        for name, part in one.items()
    )


def campaign(
    name: str, kills: int, folder: Path, seed: int = 0, *, steps: int = 30_000
) -> dict[str, Any]:
    """Kill a work so often, and hold what it leaves and what it ends with against a whole one.

    **Raises:** `RuntimeError` if anything was lost, done again, doubled or changed.
    """
    rng = np.random.default_rng(seed)
    whole = Work(name, _made(folder / "whole"), steps)
    whole.finish()
    # Again, with all programs in the cache: as long as those that are to be killed.
    length = Work(name, _made(folder / "whole" / "again"), steps).finish()
    expected = whole.results()
    done, rounds, kept, begin = 0, 0, [], time.perf_counter()
    while done < kills:
        work = Work(name, _made(folder / f"round {rounds}"), steps)
        work.cache = whole.cache
        rounds += 1
        before: dict[str, tuple[int, int]] = {}
        while done < kills:
            child, workers = work.begin()
            if workers and done % 2:
                time.sleep(rng.uniform(0, length / 2))
                _kill(int(rng.choice(workers)))
            time.sleep(rng.uniform(0, length / 2))
            ended = child.poll() is not None
            child.kill()
            child.communicate()
            done += not ended
            now = work.stamps()
            if not before.items() <= now.items():
                raise RuntimeError("what was on disk was lost, or done again")
            kept.append(len(now) - len(before))
            before = now
            if ended:
                break
        work.finish()
        if not before.items() <= work.stamps().items():
            raise RuntimeError("what was on disk was lost, or done again")
        if not same(work.results(), expected):
            raise RuntimeError("the results differ from those of a work that nobody killed")
    return {
        "work": name,
        "kills": done,
        "rounds": rounds,
        "seconds_of_a_whole_one": length,
        "new_on_disk_at_each_kill": kept,
        "equal": True,
        "seconds": time.perf_counter() - begin,
    }


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--kills", type=int, default=100)
    arguments = parser.parse_args()
    results = []
    shares = [len(part) for part in np.array_split(np.arange(arguments.kills), len(WORKS))]
    for name, kills in zip(WORKS, shares, strict=True):
        with tempfile.TemporaryDirectory() as folder:
            results.append(campaign(name, kills, Path(folder)))
        print(results[-1], flush=True)
        write(arguments.json, __doc__, {"results": results})


if __name__ == "__main__":
    main()
