"""The table as a person reads it: in lines of text, and as a grid for rich."""

from collections.abc import Iterator

from rich import box
from rich.table import Table as Grid

from landscape_jax.studies.ss18.rows import Row, Table

_COLUMNS = (
    "k:n",
    "runs",
    "spurious",
    "95 %",
    "paper",
    "agrees",
    "proven",
    "unproven",
    "least\neigenvalue",
    "paper",
    "objective",
    "paper",
    "families",
    "seconds",
)


def grid(table: Table, *, ascii_only: bool) -> Grid:
    """Lay the rows out: ours, its 95 % interval, the published value, whether they agree, ..."""
    laid = Grid(box=box.ASCII2) if ascii_only else Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header in _COLUMNS:
        laid.add_column(header, justify="right", vertical="bottom")
    for row in table.rows:
        laid.add_row(*_cells(row))
    return laid


def unproven(table: Table) -> Iterator[str]:
    """Give a line for each family that is not proven, with the reason."""
    for row in table.rows:
        for trap in row.traps:
            if not trap.proven:
                yield (
                    f"{row.k}:{row.n} unproven: {trap.count} of {row.restarts} runs ({trap.kind}, "
                    f"value {_number(trap.value)}, least eigenvalue "
                    f"{_number(trap.min_eigenvalue)}): {trap.reason}"
                )


def summary(table: Table) -> str:
    """Give the whole in one line."""
    spurious, proven = (sum(getattr(r, x) for r in table.rows) for x in ("spurious", "proven"))
    line = f"{proven} of {spurious} spurious runs are proven"
    compared = [row.agrees for row in table.rows if row.agrees is not None]
    if not compared:
        return f"{line}."
    return (
        f"{line}; {sum(compared)} of {len(compared)} shares agree with the published ones "
        "(Fisher's exact test, p >= 0.001)."
    )


def _cells(row: Row) -> list[str]:
    """Write one row."""
    low, high = row.percent_interval
    paper = row.published
    return [
        f"{row.k}:{row.n}",
        str(row.restarts),
        f"{row.percent_spurious:.1f} %",
        f"{low:.1f}-{high:.1f}",
        "" if paper is None else f"{paper.percent + paper.unverified:.1f} %",
        {None: "", True: "yes", False: "NO"}[row.agrees],
        str(row.proven),
        str(row.unproven),
        _number(row.mean_min_eigenvalue),
        "" if paper is None else _number(paper.min_eigenvalue),
        _number(row.mean_objective),
        "" if paper is None else _number(paper.objective),
        str(row.families),
        f"{row.seconds:.1f}",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
