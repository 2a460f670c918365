"""Does memory stay flat while restarts are streamed to disk, up to a million at (6, 6)?

Each number of restarts is one fresh process with a `sweep` in a directory: all runs are on disk in
the end, those that ended above the threshold come back, and their families are proven.  The peak of
its resident memory, the size of the directory and the time are read when it ends.

    python benchmarks/memory.py --json benchmarks/memory.json
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import write

CODE = """
import json, resource, sys, time
import jax, jax.numpy as jnp, landscape_jax as lj
jax.config.update("jax_enable_x64", True)
risk, start, key = lj.PopulationRisk(jnp.eye(6)), lj.starts.gaussian((6, 6)), jax.random.key(0)
begin = time.perf_counter()
runs = lj.sweep(
    risk, start, int(sys.argv[1]), key=key, out=sys.argv[2], below_value=1e-3,
    gradient_tolerance=1e-9, only=lambda part: ~part.is_below_value,
)
seconds = time.perf_counter() - begin
found = lj.families(risk, runs)
proven = [family for family in found if lj.prove_minimum(risk, family.representative)]
print(json.dumps({
    "restarts": int(sys.argv[1]), "above": len(runs), "families": len(found),
    "proven": sum(family.count for family in proven), "sweep_seconds": seconds,
    "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def stream(restarts: int) -> dict:
    """Run so many restarts in a process of their own."""
    with tempfile.TemporaryDirectory() as place:
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CODE, str(restarts), place],
            check=True,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - begin
        stored = sum(path.stat().st_size for path in Path(place).rglob("*") if path.is_file())
    return json.loads(done.stdout) | {"wall_seconds": seconds, "stored_mebibytes": stored / 2**20}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--restarts", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    results = []
    for restarts in arguments.restarts:
        results.append(stream(restarts))
        print(results[-1], flush=True)
        write(arguments.json, __doc__, {"results": results})


if __name__ == "__main__":
    main()
