"""How long does the whole landscape of a data set take, and how much memory, beside before?

Gaussian inputs with a bias and Gaussian labels, of the sizes to which listing goes; the last row
has whole numbers.  Each is listed in a process of its own, of which the seconds on the clock and on
the processors are those of `landscape`, compilation included and imports not, and the memory is the
largest that the process held.  With --before, the package in that directory takes its turn first on
each row, and both listings are compared.

    python benchmarks/reach.py --json benchmarks/reach.json [--before DIR] [--sizes N:INPUTS:K ...]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIZES = ("300:1:1", "40:2:1", "16:3:1", "12:4:1", "100:1:2", "10:2:2", "14:1:3", "60:2:1:whole")
# A process that asks for more ends with an error.
MOST_BYTES = 12 * 2**30


def draw(size: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Draw samples with a bias, and labels."""
    samples, inputs, width = map(int, size.split(":")[:3])
    rng = np.random.default_rng([samples, inputs, width])
    if size.endswith("whole"):
        x, y = rng.integers(-50, 51, (samples, inputs)), rng.integers(-9, 10, samples)
    else:
        x, y = rng.normal(size=(samples, inputs)), rng.normal(size=samples)
    return np.column_stack([x, np.ones(samples, x.dtype)]), y, width


def measure(size: str) -> dict:
    """List one landscape in this process."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    import jax

    jax.config.update("jax_enable_x64", True)
    from landscape_jax.theory.cells import landscape

    x, y, width = draw(size)
    begin, used = time.perf_counter(), time.process_time()
    try:
        found = landscape(x, y, width)
    except MemoryError as error:
        return {"error": str(error)}
    return {
        "seconds": time.perf_counter() - begin,
        "processor_seconds": time.process_time() - used,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10,
        "faces": found.faces,
        "face_combinations": found.face_combinations,
        "listed": [
            len(found.differentiable_minima),
            len(found.nondifferentiable_minima),
            len(found.saddles),
        ],
        "global_loss": found.global_loss,
    }


def apart(size: str, package: Path) -> dict:
    """List one landscape in a process of its own, by the package in a directory."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", size]
    paths = os.pathsep.join(map(str, (package, Path(__file__).resolve().parent)))
    environment = os.environ | {"PYTHONPATH": paths}
    found = subprocess.run(
        command, cwd=package, env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(found.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--before", type=Path, metavar="DIR")
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="N:INPUTS:K")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one)))
        return
    if not chosen.json:
        parser.error("--json is missing")
    rows = []
    for size in chosen.sizes:
        row: dict = {"samples:inputs:neurons": size}
        if chosen.before:
            row["before"] = apart(size, chosen.before.resolve())
        row["after"] = apart(size, Path(__file__).resolve().parents[1])
        rows.append(row)
        print(row, flush=True)
    from report import write

    write(chosen.json, __doc__, {"rows": rows})


if __name__ == "__main__":
    main()
