"""What does width buy?  Shares of global runs beside published ones, and what they depend on.

Four parts:

- "table": k = 6, 9, 12, 15 with 0, 1, 2 more students, 1000 runs each, beside SS18's rows and
  earlier counts of 200 runs (Fisher's exact test); with `--reference FILE.csv` also beside the
  classes of Safran, Yehudai & Shamir 2021 (500 runs for each n = k).
- "wide": k up to 30 with 1 and 2 more students; the least k at which a spurious minimum is proven,
  and the least at which a run met one, with upper bounds of the shares below.  Goes on from its
  own file.
- "start": (17, 17), (17, 18), (17, 19) from initial points of several scales, by smaller steps, and
  stopped after several times, beside the shares of Huang, Loureiro & Sarao Mannelli 2026
  (arXiv 2604.09412, as quoted for 10,000 runs).
- "workers": seconds of one command with one process of one or two threads, and with Dask workers;
  and, from measured constants, what 10⁹ restarts would cost.

    python benchmarks/width.py table --json benchmarks/width_table.json
    python benchmarks/width.py wide --json benchmarks/width_wide.json
    python benchmarks/width.py start --json benchmarks/width_start.json
    python benchmarks/width.py workers --json benchmarks/width_workers.json
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import optax
from charts import Panel, draw
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


def beside_classes(rows: Iterable[width.WidthRow], reference: Path) -> list[dict[str, Any]]:
    """Compare with the classes of Safran, Yehudai & Shamir 2021, columns k, multiplicity, value."""
    with reference.open(encoding="utf-8") as lines:
        classes = [
            (int(line["k"]), int(line["multiplicity"]), float(line["value"]))
            for line in csv.DictReader(lines)
        ]
    found = []
    for row in rows:
        theirs = [(count, value) for k, count, value in classes if k == row.k]
        if row.n != row.k or not theirs:
            continue
        known = [any(abs((end.value or 0.0) - v) < 1e-7 for _, v in theirs) for end in row.found]
        total, of_zero = sum(c for c, _ in theirs), sum(c for c, v in theirs if v == 0)
        found.append(
            {
                "k": row.k,
                "p of the global share": fisher(row.global_runs, row.restarts, of_zero, total),
                "families of ours": len(known),
                "of which the values are theirs": sum(known),
            }
        )
    return found


def table(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure the shares beside published ones."""
    begin = time.perf_counter()
    found = width.table([*EARLIER], [0, 1, 2], 1000)
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
    beside = {}
    if chosen.reference is not None:
        beside = {"Safran 2021": beside_classes(found.rows, chosen.reference)}
    return {"seconds": seconds, "rows": rows} | beside


def two_against_one(k: int) -> np.ndarray:
    """Return the critical point of k − 1 aligned neurons and two against teacher k, by Newton.

    It has seven distinct entries, followed down from those at k = 17.
    """
    x = jnp.array([0.998, -0.006, 0.111, 0.037, -0.633, 0.054, -0.182])
    x, W = follow(x, 17)
    for size in range(16, k - 1, -1):
        x, W = follow(x, size)
    return W


def follow(x: jax.Array, k: int) -> tuple[jax.Array, np.ndarray]:
    """Converge seven distinct entries to a critical point for k teachers."""

    def point(x: jax.Array) -> jax.Array:
        a, o, to_last, c, d, e, f = x
        i = jnp.arange(k - 1)
        W = jnp.full((k + 1, k), o).at[i, i].set(a).at[: k - 1, k - 1].set(to_last)
        return W.at[k - 1].set(c).at[k - 1, k - 1].set(d).at[k].set(e).at[k, k - 1].set(f)

    risk = lj.PopulationRisk(jnp.eye(k))

    def value(x: jax.Array) -> jax.Array:
        return risk(point(x))

    newton = jax.jit(lambda x: x - jnp.linalg.solve(jax.hessian(value)(x), jax.grad(value)(x)))
    for _ in range(20):
        x = newton(x)
    return x, np.asarray(point(x))


def wide(chosen: argparse.Namespace) -> dict[str, Any]:
    """Measure one and two more students up to k = 30; rows in the file already are kept."""
    known: dict[str, Any] = {"rows": []}
    if chosen.json.exists():
        known = json.loads(chosen.json.read_text(encoding="utf-8"))
    rows: list[Any] = known["rows"]
    done = {(row["k"], row["n"]) for row in rows}
    for h in (1, 2):
        for k in range(3 if h == 1 else 6, 31):
            if (k, k + h) in done:
                continue
            few = 10_000 if (k, h) == (7, 1) else 1000 if k <= 20 else 300 if k <= 25 else 100
            (row,) = width.table([k], [h], few).rows
            names = ("count", "value", "outcome", "min_eigenvalue", "reason")
            found = [{name: getattr(end, name) for name in names} for end in row.ends]
            rows.append(row.summary() | {"families_above": found})
            write(chosen.json, __doc__, {"part": "wide", "rows": rows})
            print(
                *(row.summary()[x] for x in ("k", "n", "global", "spurious", "proven")), flush=True
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


def at_share(times: np.ndarray, count: int, percent: float) -> float | None:
    """Return the time within which so many percent of the runs were global; `None` if never."""
    place = int(np.ceil(percent / 100 * count)) - 1
    return float(np.sort(times)[place]) if place < len(times) else None


def start(_: argparse.Namespace) -> dict[str, Any]:
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
                    "time_at_their_share": {
                        name: at_share(times, count, percents[n - 17])
                        for name, percents in HUANG.items()
                    },
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


def workers(_: argparse.Namespace) -> dict[str, Any]:
    """Measure one command with one process, and with Dask workers."""
    rows = []
    command = ["width", "12", "--extra", "0,1", "--restarts", "4000", "--json"]
    program = [sys.executable, "-m", "landscape_jax"]
    kinds = {
        "one process, one thread": ({"NPROC": "1"}, []),
        "one process, two threads": ({}, []),
        "one worker": ({}, ["--workers", "1"]),
        "two workers": ({}, ["--workers", "2"]),
    }
    for name, (environment, more) in kinds.items():
        seconds = []
        for _turn in range(3):
            with tempfile.TemporaryDirectory() as folder:
                begin = time.perf_counter()
                subprocess.run(
                    [*program, *command, os.path.join(folder, "rows.json"), *more],
                    check=True,
                    capture_output=True,
                    env=os.environ | environment,
                )
                seconds.append(time.perf_counter() - begin)
        rows.append({"with": name, "seconds": float(np.median(seconds)), "all": seconds})
        print(rows[-1], flush=True)
    sweeps = {"one process": in_one_sweep(0), "two workers": in_one_sweep(2)}
    return {
        "command_measured": " ".join(["landscape-jax", *command[:-1]]),
        "rows": rows,
        "sweep of 40,000 runs of (12, 12), seconds after the first 500": sweeps,
        "a billion restarts of (6, 6)": billion(),
    }


def in_one_sweep(workers: int) -> float:
    """Return the seconds of a sweep once everything is imported and compiled."""
    risk, begin = lj.PopulationRisk(jnp.eye(12)), lj.starts.gaussian((12, 12))
    settings: dict[str, Any] = {"key": jax.random.key(0), "chunk": 500, "below_value": 1e-3}
    with cluster(workers) as executor:
        each = 500 * max(workers, 1)
        lj.sweep(risk, begin, np.arange(each), executor=executor, **settings)
        start = time.perf_counter()
        lj.sweep(risk, begin, np.arange(each, 40_000 + each), executor=executor, **settings)
        return time.perf_counter() - start


@contextmanager
def cluster(workers: int) -> Iterator[Any]:
    if not workers:
        yield None
        return
    from distributed import Client, LocalCluster

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as local,
        Client(local) as client,
    ):
        yield client.get_executor()


def billion() -> dict[str, Any]:
    """Compute what 10⁹ restarts would cost, from what one chunk of 10,000 costs."""
    risk, begin = lj.PopulationRisk(jnp.eye(6)), lj.starts.gaussian((6, 6))
    chunk, chunks = 10_000, 100_000
    settings: dict[str, Any] = {"key": jax.random.key(0), "room": chunk, "below_value": 1e-3}
    lj.restart(risk, begin, [0], **settings)
    start = time.perf_counter()
    runs = jax.block_until_ready(lj.restart(risk, begin, chunk, **settings))
    descending = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "runs.zarr")
        start = time.perf_counter()
        runs.save(place)
        writing = time.perf_counter() - start
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        files = sum(path.is_file() for path in place.rglob("*"))
        start = time.perf_counter()
        lj.Runs.load(place)
        reading = time.perf_counter() - start
    sent = len(cloudpickle.dumps(runs.to_xarray()))
    days = descending * chunks / 86400
    return {
        "measured, a chunk of 10,000": {
            "descending_seconds_on_these_cores": descending, "writing_seconds": writing,
            "reading_seconds": reading, "bytes_on_disk": size, "files": files, "bytes_sent": sent,
        },
        "computed, 100,000 chunks": {
            "descending_days_on_these_cores": days,
            "hours of the one writer": (writing * chunks) / 3600,
            "workers like these cores that the writer keeps busy": descending / writing,
            "hours to read all again": reading * chunks / 3600,
            "terabytes_on_disk": size * chunks / 1e12,
            "million_files": files * chunks / 1e6,
            "terabytes_sent": sent * chunks / 1e12,
            "minutes of Dask's scheduler, at 1 ms a task": chunks * 1e-3 / 60,
        },
    }  # fmt: skip


def speedup(path: Path, found: dict[str, Any]) -> None:
    """Draw the speedup against the workers."""
    seconds = {row["with"]: row["seconds"] for row in found["rows"]}
    sweeps = found["sweep of 40,000 runs of (12, 12), seconds after the first 500"]
    one = seconds["one process, two threads"]
    lines = {
        "whole command": [
            one / seconds["one worker"], one / seconds["two workers"]
        ],
        "sweep, compiled": [None, sweeps["one process"] / sweeps["two workers"]],
        "baseline: one process": [1.0, 1.0],
    }  # fmt: skip
    draw(
        path,
        [
            Panel(
                "Dask workers, on two cores", "speed; one process of two threads = 1", [1, 2], lines
            )
        ],
    )


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parts = {"table": table, "wide": wide, "start": start, "workers": workers}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--reference", type=Path, metavar="FILE.csv", help="of the part 'table'")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="of the part 'workers'")
    chosen = parser.parse_args()
    found = parts[chosen.part](chosen)
    write(chosen.json, __doc__, {"part": chosen.part} | found)
    if chosen.plot is not None:
        speedup(chosen.plot, found)


if __name__ == "__main__":
    main()
