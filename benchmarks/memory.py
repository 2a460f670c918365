"""Does memory stay flat while restarts are streamed to disk, up to a million at (6, 6)?

Each number of restarts is one fresh process that makes the row of the table in a directory: all
runs are on disk in the end, the spurious families proven.  The peak of its resident memory, the
size of the directory and the time are read when it ends.

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
import json, resource, sys
import jax
jax.config.update("jax_enable_x64", True)
from landscape_jax.studies import ss18
row = ss18.table([(6, 6)], int(sys.argv[1]), out=sys.argv[2]).rows[0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(row.summary() | {"peak_mebibytes": peak}))
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
