"""The table for a terminal: as lines of text, and as a grid for rich."""

from collections.abc import Iterator
from itertools import compress

from rich import box
from rich.table import Table as Grid

from landscape_jax.studies.ss18.rows import Row, Table

# The header of each column, and whether a narrow table has it too.
_COLUMNS = (
    ("k:n", True),
    ("runs", False),
    ("above\n1e-3", True),
    ("95 %", True),
    ("paper", True),
    ("agrees", True),
    ("proven\nspurious", True),
    ("other\nminima", False),
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
    """Arrange the rows in a grid; where the width is too small, drop the less important columns."""
    laid = Grid(box=box.ASCII2) if ascii_only else Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown = [needed or width >= _WIDE for _, needed in _COLUMNS]
    for header, _ in compress(_COLUMNS, shown):
        laid.add_column(header, justify="right", vertical="bottom")
    for row in table.rows:
        laid.add_row(*compress(_cells(row), shown))
    return laid


def unproven(table: Table) -> Iterator[str]:
    """Describe each family about which less is proven than could be, with the reason."""
    labels = {"minimum": "minimum", "saddle": "direction of descent"}
    for row in table.rows:
        for family in row.ends:
            if family.reason is not None:
                label = labels.get(family.outcome, "unproven")
                yield (
                    f"{row.k}:{row.n} {label}: {family.count} of {row.restarts} runs "
                    f"({family.kind}, value {_number(family.value)}, least eigenvalue "
                    f"{_number(family.min_eigenvalue)}): {family.reason}"
                )


def summary(table: Table) -> str:
    """Summarize the table in one line."""
    within = [row for row in table.rows if row.n >= row.k]
    parts = []
    if within:
        above, proven = sum(row.above for row in within), sum(row.proven or 0 for row in within)
        parts.append(f"{proven} of {above} spurious runs are proven")
    beyond = [row for row in table.rows if row.n < row.k]
    if beyond:
        above, minima = (sum(getattr(row, x) for row in beyond) for x in ("above", "minima"))
        parts.append(
            f"with fewer students than teachers, {minima} of {above} runs above 1e-3 end in a "
            "proven minimum"
        )
    compared = [row.agrees for row in table.rows if row.agrees is not None]
    if compared:
        parts.append(
            f"{sum(compared)} of {len(compared)} shares agree with the published ones "
            "(Fisher's exact test, p >= 0.001/26)"
        )
    return "; ".join(parts) + "."


def _cells(row: Row) -> list[str]:
    """Format the cells of one row; "not proven" counts saddles and undecided runs."""
    low, high = row.percent_interval
    paper = row.published
    return [
        f"{row.k}:{row.n}",
        str(row.restarts),
        f"{row.percent_above:.1f} %",
        f"{low:.1f}-{high:.1f}",
        "" if paper is None else f"{paper.percent + paper.unverified:.1f} %",
        {None: "", True: "yes", False: "NO"}[row.agrees],
        "" if row.proven is None else str(row.proven),
        str(row.minima),
        str(row.saddles + row.undecided),
        _number(row.mean_min_eigenvalue),
        "" if paper is None else _number(paper.min_eigenvalue),
        _number(row.mean_objective),
        "" if paper is None else _number(paper.objective),
        str(row.families),
        f"{row.seconds:.1f}",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
