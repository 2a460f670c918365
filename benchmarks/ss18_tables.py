"""Do Tables 1 and 2 of SS18 come out again, at every size, and is every spurious run proven?

For each of the 26 sizes: 1000 restarts, 10,000 where the published share is at most 0.3 %.  The
share is compared with the published one by Fisher's exact test (with the runs that they could not
verify), mean objective and mean smallest eigenvalue within 4 combined standard errors and half a
unit of the printed digit, over the runs whose family is proven, as theirs are over verified runs.

    python benchmarks/ss18_tables.py --out DIR --json benchmarks/ss18_tables.json

An interrupted run is resumed by repeating the command; `--sizes` does some of the sizes.
"""

import argparse
import math
from decimal import Decimal
from pathlib import Path

import jax
import numpy as np
from report import write

from landscape_jax.studies import ss18
from landscape_jax.studies.ss18.published import PUBLISHED
from landscape_jax.studies.ss18.rows import Row


def restarts_of(percent: float) -> int:
    """Give enough restarts that a rare minimum is met."""
    return 10_000 if percent <= 0.3 else 1000


def half_unit(printed: float) -> float:
    """Give half a unit of the last digit printed."""
    exponent = Decimal(str(printed)).as_tuple().exponent
    assert isinstance(exponent, int)
    return 0.5 * 10.0**exponent


def compare_mean(values: np.ndarray, counts: np.ndarray, printed: float, theirs: int) -> dict:
    """Hold a mean over our runs against a printed one over `theirs` runs of the same spread."""
    ours = counts.sum()
    if ours == 0:
        return {"ours": None, "published": printed, "agrees": None}
    mean = float(np.average(values, weights=counts))
    spread = math.sqrt(float(np.average((values - mean) ** 2, weights=counts)))
    error = spread * math.sqrt(1 / ours + 1 / max(theirs, 1))
    allowed = 4 * error + half_unit(printed)
    return {
        "ours": mean,
        "published": printed,
        "allowed_difference": allowed,
        "agrees": abs(mean - printed) <= allowed,
    }


def compare(row: Row) -> dict:
    """Hold one row against the published one."""
    published = PUBLISHED[row.k, row.n]
    proven = [end for end in row.ends if end.proven]
    counts = np.array([end.count for end in proven])
    values = np.array([end.value for end in proven], float)
    lowest = np.array([end.min_eigenvalue for end in proven], float)
    verified = round(published.restarts * published.percent / 100)
    ends = [end.value for end in row.ends if end.value is not None]
    result = {
        "share_agrees": row.agrees,
        "objective": compare_mean(values, counts, published.objective, verified),
        "eigenvalue": compare_mean(lowest, counts, published.min_eigenvalue, verified),
        "families_between_1e-3_and_1e-2": sum(1e-3 <= end < 1e-2 for end in ends),
    }
    parts = (result["objective"]["agrees"], result["eigenvalue"]["agrees"])
    result["agrees"] = (
        result["share_agrees"]
        and all(part is not False for part in parts)
        and not result["families_between_1e-3_and_1e-2"]
    )
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", required=True, help="directory of runs and certificates")
    parser.add_argument("--json", required=True, type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sizes", nargs="+", metavar="K:N", help="all 26 where left out")
    arguments = parser.parse_args()
    sizes = [tuple(map(int, size.split(":"))) for size in arguments.sizes or ()] or [*PUBLISHED]
    jax.config.update("jax_enable_x64", True)
    results = []
    for k, n in sizes:
        restarts = restarts_of(PUBLISHED[k, n].percent)
        row = ss18.table([(k, n)], restarts, arguments.seed, out=arguments.out).rows[0]
        result = row.summary() | row.details() | {"comparison": compare(row)}
        results.append(result)
        print(
            f"{k}:{n} {row.percent_spurious:.2f} % (published {PUBLISHED[k, n].percent} %), "
            f"p = {row.p_value:.3g}, proven {row.proven}, unproven "
            f"{row.unproven}, {row.seconds:.0f} s, agrees: {result['comparison']['agrees']}",
            flush=True,
        )
        found = {
            "seconds": sum(r["seconds"] for r in results),
            "sizes_left_out": [f"{k}:{n}" for k, n in PUBLISHED if (k, n) not in sizes],
            "all_agree": all(r["comparison"]["agrees"] for r in results),
            "sizes": results,
        }
        write(arguments.json, __doc__, found)


if __name__ == "__main__":
    main()
