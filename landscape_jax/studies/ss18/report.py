"""The table for a terminal: the cells of its rows, and lines of text."""

from collections.abc import Iterator

from landscape_jax.studies.ss18.rows import Row, Table

# The headers of the columns, in groups that stay side by side on a narrow terminal.
GROUPS = (
    ("k:n",),
    ("runs",),
    ("above\n1e-3", "95 %", "paper", "agrees"),
    ("proven\nspurious", "other\nminima", "not\nproven"),
    ("least\neig.", "paper"),
    ("value", "paper"),
    ("families",),
    ("seconds",),
)


def unproven(table: Table) -> Iterator[str]:
    """Describe each family about which less is proven than could be, with the reason."""
    labels = {"minimum": "minimum", "saddle": "direction of descent"}
    for row in table.rows:
        for family in row.ends:
            if family.reason is not None:
                label = labels.get(family.outcome, "unproven")
                yield (
                    f"{row.k}:{row.n} {label}: {family.count} of {row.restarts} runs "
                    f"({family.kind}, value {number(family.value)}, least eigenvalue "
                    f"{number(family.min_eigenvalue)}): {family.reason}"
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


def cells(row: Row) -> list[str]:
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
        number(row.mean_min_eigenvalue),
        "" if paper is None else number(paper.min_eigenvalue),
        number(row.mean_objective),
        "" if paper is None else number(paper.objective),
        str(row.families),
        f"{row.seconds:.1f}",
    ]


def number(value: float | None) -> str:
    """Format a number to three digits; a dash if there is none."""
    return "-" if value is None else f"{value:.3g}"
