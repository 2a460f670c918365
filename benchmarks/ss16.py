"""Do SS16's lower bounds of F_n hold, how near are they, and where does descent end?

For each theorem and size: F_n at the theorem's level by Monte Carlo, with Clopper–Pearson intervals
that hold for all rows of the file together with probability 95 %, how often starts have the event
of the proof, its exact probability where known, and the bounds.  `holds` says that no bound is
above its interval's upper end, and `agrees` that the exact probability is in the event's interval.
Then descents of the first layer, beside the basin values of their starts.

    python benchmarks/ss16.py --json benchmarks/ss16.json [--starts N]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import xarray as xr
from report import write

from landscape_jax.studies import ss16

CASES: list[tuple[Callable[..., xr.Dataset], tuple]] = [
    *((ss16.theorem_2, (dim, (8, 12, 16, 20))) for dim in (1, 2, 4, 8)),
    *((ss16.theorem_7, (m, d, (8, 12, 16))) for m, d in ((2, 4), (5, 10), (10, 20), (20, 20))),
    *((ss16.theorem_8, (k, d, (12, 16, 24, 32))) for k, d in ((2, 3), (4, 4))),
    (ss16.theorem_5, (2, 1, (16, 32, 64), 0.05)),
    (ss16.theorem_5, (2, 2, (16, 32, 64), 0.2)),
]
BOUNDS = ("bound", "power_bound", "event_bound", "union_bound", "exact_union_bound")
# About the number of rows; each has two comparisons.
ROWS = 40
# Samples, inputs and widths; the samples and labels are N(0, 1).
DESCENTS = (((2, 3), (2, 4, 8)), ((12, 3), (2, 4, 8)))


def measure(study: Callable[..., xr.Dataset], sizes: tuple, starts: int) -> dict:
    """Run one case, and compare."""
    begin = time.perf_counter()
    found = study(*sizes, starts=starts, confidence=1 - 0.05 / (2 * ROWS))
    bounds = [found[name].values for name in BOUNDS if name in found]
    case = dict(found.attrs)
    case |= {"seconds": time.perf_counter() - begin, "width": found.width.values.tolist()}
    case["holds"] = all(bool((np.nan_to_num(b) <= found.share_high.values).all()) for b in bounds)
    if "exact" in found:
        inside = (found.event_low <= found.exact) & (found.exact <= found.event_high)
        case["agrees"] = bool(inside.all())
    columns = {
        name: [None if np.isnan(value) else value for value in column.values.tolist()]
        for name, column in found.data_vars.items()
    }
    return case | columns


def descend(samples: int, inputs: int, width: int, starts: int) -> dict:
    """Count how descents end, relative to the basin values of their starts.

    Differences are in units of the value at W = 0; within 1e-6 of it they count as none.
    """
    begin = time.perf_counter()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(samples, inputs)), rng.normal(size=samples)
    found = ss16.descended(x, y, width, starts)
    left, top = found.left_at.values >= 0, ss16.value_at_zero(y)
    off = (found.end - found.value).values / top
    early = (found.lowest - (found.value - found.gap)).values / top
    status, counts = np.unique(found.status.values, return_counts=True)
    case = {"samples": samples, "inputs": inputs, "starts": starts} | found.attrs
    case |= {"seconds": time.perf_counter() - begin, "left": int(left.sum())}
    case |= {"status": dict(zip(status.tolist(), counts.tolist(), strict=True))}
    case["least_above_bound_while_inside"] = float(early.min())
    for name, chosen in (("stayed", ~left), ("left", left)):
        ends = off[chosen]
        case[f"ends_of_those_that_{name}"] = {
            "below": int((ends < -1e-6).sum()),
            "level": int((np.abs(ends) <= 1e-6).sum()),
            "above": int((ends > 1e-6).sum()),
            "quantiles": np.quantile(ends, [0, 0.1, 0.5, 0.9, 1]).tolist() if len(ends) else [],
        }
    return case


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--starts", type=int, default=1000)
    arguments = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    cases, descents = [], []
    for study, sizes in CASES:
        cases.append(measure(study, sizes, arguments.starts))
        print(study.__name__, sizes, cases[-1]["holds"], cases[-1].get("agrees"), flush=True)
        write(arguments.json, __doc__, {"dtype": "float64", "theorems": cases})
    for (samples, inputs), widths in DESCENTS:
        for width in widths:
            descents.append(descend(samples, inputs, width, arguments.starts))
            print(descents[-1], flush=True)
    both = {"theorems": cases, "descents": descents}
    write(arguments.json, __doc__, {"dtype": "float64"} | both)


if __name__ == "__main__":
    main()
