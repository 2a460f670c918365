"""The table as a person reads it: in lines of text, and as a grid for rich."""

from collections.abc import Iterator
from itertools import compress

from rich import box
from rich.table import Table as Grid

from landscape_jax.studies.ss18.rows import Row, Table

# The header of each column, and whether it stands in a narrow table too.
_COLUMNS = (
    ("k:n", True),
    ("runs", False),
    ("spurious", True),
    ("95 %", True),
    ("paper", True),
    ("agrees", True),
    ("proven", True),
    ("not\nproven", True),
    ("least\neig.", True),
    ("paper", False),
    ("value", True),
    ("paper", False),
    ("families", False),
    ("seconds", False),
)
_WIDE = 118


def grid(table: Table, *, width: int, ascii_only: bool) -> Grid:
    """Lay the rows out; where the width is not enough for all columns, the lesser ones go."""
    laid = Grid(box=box.ASCII2) if ascii_only else Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = [needed or width >= _WIDE for _, needed in _COLUMNS]
    for header, _ in compress(_COLUMNS, shown):
        laid.add_column(header, justify="right", vertical="bottom")
    for row in table.rows:
        laid.add_row(*compress(_cells(row), shown))
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
        "(Fisher's exact test, p >= 0.001/26)."
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
