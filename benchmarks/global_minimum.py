"""How many more combinations of cells does the global minimum alone take on, in the same time?

Gaussian inputs with a bias and Gaussian labels.  In a process of its own each: the whole landscape
of a data set (`landscape`), and the global minimum alone (`global_minimum`) of the same data and of
data with at least ten times as many combinations; seconds on the clock and on the processors,
compilation included and imports not.

    python benchmarks/global_minimum.py --json benchmarks/global_minimum.json
"""

import argparse
import json
import subprocess
import sys
import time
from math import comb
from pathlib import Path

import numpy as np
from report import write

# Samples, inputs and neurons of the listing; then of the larger problems for the minimum alone.
ROWS = (("60:1:2", ("60:1:2", "200:1:2", "60:1:3")), ("10:2:2", ("10:2:2", "20:2:2", "20:2:3")))


def measure(job: str, size: str) -> dict:
    """Solve one problem in this process."""
    import jax

    jax.config.update("jax_enable_x64", True)
    from landscape_jax.theory.cells import global_minimum, landscape

    samples, inputs, width = map(int, size.split(":"))
    rng = np.random.default_rng([samples, inputs, width])
    x = np.column_stack([rng.normal(size=(samples, inputs)), np.ones(samples)])
    y = rng.normal(size=samples)
    begin, used = time.perf_counter(), time.process_time()
    if job == "landscape":
        found = landscape(x, y, width)
        assert found.combinations == combinations(size)
        row = {"loss": found.global_loss}
    else:
        found = global_minimum(x, y, width)
        row = {"regions": found.regions, "loss": found.loss, "proven": found.proven}
    return row | {
        "seconds": time.perf_counter() - begin,
        "processor_seconds": time.process_time() - used,
    }


def combinations(size: str) -> int:
    """Count the combinations of cells of samples in general position, neurons being alike."""
    samples, inputs, width = map(int, size.split(":"))
    cells = 2 * sum(comb(samples - 1, i) for i in range(inputs + 1))
    return comb(cells + width - 1, width)


def apart(job: str, size: str) -> dict:
    """Solve one problem in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--one", job, size]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    row = {"samples:inputs:neurons": size, "job": job} | json.loads(found.stdout.splitlines()[-1])
    print(row, flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(*chosen.one)))
        return
    if not chosen.json:
        parser.error("--json is missing")
    rows = []
    for listed, alone in ROWS:
        rows.append(apart("landscape", listed))
        rows += [apart("global_minimum", size) for size in alone]
    for row in rows:
        row["combinations"] = combinations(row["samples:inputs:neurons"])
    write(chosen.json, __doc__, {"rows": rows})


if __name__ == "__main__":
    main()
