"""What does width buy?  Shares of global runs beside published ones, and what they depend on.

Four parts, each of them resumable where `--out` names a directory:

- "table": k = 6, 9, 12, 15 with 0, 1, 2 more students, 1000 runs each, beside SS18's rows and
  earlier counts of 200 runs (Fisher's exact test).
- "wide": k up to 30 with 1 and 2 more students; the least k at which a spurious minimum is proven,
  and the least at which a run met one, with upper bounds of the shares below.
- "start": (17, 17), (17, 18), (17, 19) from initial points of several scales, by smaller steps, and
  stopped after several times, beside the shares of Huang, Loureiro & Sarao Mannelli 2026
  (arXiv 2604.09412, as quoted for 10,000 runs).
- "workers": seconds of one command with one process, and with Dask workers.

    python benchmarks/width.py table --json benchmarks/width_table.json
    python benchmarks/width.py wide --json benchmarks/width_wide.json --out DIR
    python benchmarks/width.py start --json benchmarks/width_start.json
    python benchmarks/width.py workers --json benchmarks/width_workers.json
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from report import write
from scipy.stats import fisher_exact

import landscape_jax as lj
from landscape_jax.studies import width
from landscape_jax.theory.overspecification import clopper_pearson

# Spurious runs of 200 at k = 6, 9, 12, 15 (another seed), for 0, 1 and 2 more students.
EARLIER = {6: (1, 0, 0), 9: (56, 0, 0), 12: (111, 1, 0), 15: (167, 24, 0)}
# Percent of global runs at n = 17, 18, 19 for k = 17.
HUANG = {
    "gradient flow": (13.09, 59.29, 99.63),
    "descent": (13.25, 64.18, 77.50),
    "descent, both layers": (13.24, 67.91, 99.48),
}
# Sum of the percentages of all outcomes that they list for the flow, the global one included.
HUANG_LISTED = (96.15, 81.21, 99.99)


def fisher(one: int, of_one: int, other: int, of_other: int) -> float:
    """Return the probability of two counts that differ as much, if the shares are equal."""
    return float(fisher_exact([[one, of_one - one], [other, of_other - other]]).pvalue)  # type: ignore


def table(out: Path | None) -> dict[str, Any]:
    """Measure the shares beside published ones."""
    begin = time.perf_counter()
    found = width.table([*EARLIER], [0, 1, 2], 1000, out=out)
    seconds = time.perf_counter() - begin
    rows = []
    for row in found.rows:
        spurious = row.restarts - row.global_runs
        rows.append(
            row.summary()
            | {
                "p_published": row.p_value,
                "p_earlier": fisher(spurious, row.restarts, EARLIER[row.k][row.n - row.k], 200),
                "unexplained": [
                    end.reason for end in row.ends if end.reason is None and not end.proven
                ],
                "survival": [
                    {
                        "value": fate.value,
                        "growth": fate.growth,
                        "indices": sorted({split.index for split in fate.splits}),
                        "flat": sorted({split.flat for split in fate.splits}),
                        "ends": {f"{v:g}": c for v, c in sorted(fate.ends().items())},
                    }
                    for fate in row.survival
                ],
            }
        )
    return {"seconds": seconds, "rows": rows}


def two_against_one(k: int) -> np.ndarray:
    """Return the critical point of k − 1 aligned neurons and two against teacher k, by Newton.

    It has seven distinct entries; started from those at k = 17.
    """

    def point(x: jax.Array) -> jax.Array:
        a, o, to_last, c, d, e, f = x
        i = jnp.arange(k - 1)
        W = jnp.full((k + 1, k), o).at[i, i].set(a).at[: k - 1, k - 1].set(to_last)
        return W.at[k - 1].set(c).at[k - 1, k - 1].set(d).at[k].set(e).at[k, k - 1].set(f)

    risk = lj.PopulationRisk(jnp.eye(k))
    x = jnp.array([0.998, -0.006, 0.111, 0.037, -0.633, 0.054, -0.182])

    def value(x: jax.Array) -> jax.Array:
        return risk(point(x))

    for _ in range(30):
        x = x - jnp.linalg.solve(jax.hessian(value)(x), jax.grad(value)(x))
    return np.asarray(point(x))


def wide(out: Path | None) -> dict[str, Any]:
    """Measure one and two more students up to k = 30."""
    rows: list[Any] = []
    for h in (1, 2):
        for k in range(3 if h == 1 else 6, 31):
            few = 10_000 if (k, h) == (7, 1) else 1000 if k <= 20 else 300 if k <= 25 else 100
            place = None if out is None else out / f"h{h}-{k}-{few}"
            (row,) = width.table([k], [h], few, out=place).rows
            rows.append(
                row.summary()
                | {
                    "families_above": [
                        {
                            "count": end.count,
                            "value": end.value,
                            "outcome": end.outcome,
                            "min_eigenvalue": end.min_eigenvalue,
                            "reason": end.reason,
                        }
                        for end in row.ends
                    ]
                }
            )
            print(
                rows[-1]["k"],
                rows[-1]["n"],
                rows[-1]["global"],
                rows[-1]["spurious"],
                rows[-1]["proven"],
                rows[-1]["seconds"],
                flush=True,
            )
    constructed = []
    for k in (6, 7, 8):
        W = two_against_one(k)
        proof = lj.prove_minimum(lj.PopulationRisk(jnp.eye(k)), W)
        constructed.append(
            {"k": k, "n": k + 1, "value": float(lj.PopulationRisk(jnp.eye(k))(W))}
            | {"proven": bool(proof and lj.verify(proof)), "kind": getattr(proof, "kind", None)}
            | {"min_eigenvalue": float(lj.spectrum(lj.PopulationRisk(jnp.eye(k)), W)[0])}
        )
    return {"rows": rows, "constructed": constructed, "least": least(rows, constructed)}


def least(rows: list[Any], constructed: list[Any]) -> dict[str, Any]:
    """Return for each h the least k with a proven spurious minimum, and with one that was met."""
    found = {}
    for h in (1, 2):
        mine = [row for row in rows if row["n"] - row["k"] == h]
        known = [c["k"] for c in constructed if c["n"] - c["k"] == h and c["kind"] == "spurious"]
        met = min((row["k"] for row in mine if row["proven"]), default=None)
        found[f"h = {h}"] = {
            "least k proven": min([*known, *([] if met is None else [met])], default=None),
            "least k met by a run": met,
            "95 % upper bound of the share below": {
                row["k"]: float(
                    clopper_pearson(row["restarts"] - row["global"], row["restarts"]).high
                )
                for row in mine
                if met is None or row["k"] < met
            },
        }
    return found


def start(_: Path | None) -> dict[str, Any]:
    """Measure what the share of global runs at k = 17 depends on."""
    k, runs, rows = 17, 2000, []
    risk = lj.PopulationRisk(jnp.eye(k))
    for n in (17, 18, 19):
        gaussian = {s: lj.starts.gaussian((n, k), scale=s / k**0.5) for s in (0.01, 0.1, 0.3, 1, 2)}
        variants: dict[str, tuple[Any, int, dict[str, Any]]] = {
            f"scale {s:g}": (begin, runs, {}) for s, begin in gaussian.items()
        }
        variants["sphere of radius 1"] = (lj.starts.sphere((n, k)), runs, {})
        small = {"optimizer": optax.sgd(0.02), "max_steps": 2_000_000}
        variants["scale 1, steps of 0.02"] = (gaussian[1], 500, small)
        for name, (begin, count, settings) in variants.items():
            ended = lj.restart(
                risk, begin, count, key=jax.random.key(17), levels=[1e-3], **settings
            )
            reached = ended.is_below_value
            step = 0.02 if settings else 0.1
            times = np.asarray(ended.descent_steps)[reached] * step
            share = clopper_pearson(int(reached.sum()), count)
            rows.append(
                {
                    "n": n, "variant": name, "runs": count, "global": int(reached.sum()),
                    "percent": 100 * float(share.estimate),
                    "interval": [100 * float(share.low), 100 * float(share.high)],
                    "time_median": float(np.median(times)) if len(times) else None,
                    "time_99": float(np.quantile(times, 0.99)) if len(times) else None,
                    "percent_within_time": {
                        str(t): 100 * float((times <= t).sum()) / count
                        for t in (100, 200, 300, 400, 500, 1000, 2000, 5000, 10_000)
                    },
                    "values_above": {
                        f"{v:g}": int(c)
                        for v, c in zip(*np.unique(np.round(np.asarray(ended.value)[~reached], 6),
                                                   return_counts=True), strict=True)
                    },
                }
            )  # fmt: skip
            print(n, name, rows[-1]["percent"], rows[-1]["time_median"], flush=True)
    return {"rows": rows, "huang": HUANG, "huang_listed_in_all": HUANG_LISTED}


def workers(_: Path | None) -> dict[str, Any]:
    """Measure one command with one process, and with Dask workers."""
    rows = []
    command = ["width", "12", "--extra", "0,1", "--restarts", "4000", "--json"]
    program = [sys.executable, "-m", "landscape_jax"]
    for count in (None, 1, 2):
        more = [] if count is None else ["--workers", str(count)]
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            place = os.path.join(folder, "rows.json")
            subprocess.run([*program, *command, place, *more], check=True, capture_output=True)
            rows.append({"workers": count, "seconds": time.perf_counter() - begin})
        print(rows[-1], flush=True)
    return {"command_measured": " ".join(["landscape-jax", *command[:-1]]), "rows": rows}


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parts = {"table": table, "wide": wide, "start": start, "workers": workers}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--out", type=Path, metavar="DIR")
    chosen = parser.parse_args()
    write(chosen.json, __doc__, {"part": chosen.part} | parts[chosen.part](chosen.out))


if __name__ == "__main__":
    main()
