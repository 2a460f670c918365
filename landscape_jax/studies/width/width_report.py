"""The study of width for a terminal: the cells of its rows, and lines of text."""

from collections.abc import Iterator

from landscape_jax.studies.ss18.published import Published
from landscape_jax.studies.ss18.report import number
from landscape_jax.studies.width.survival import Survival
from landscape_jax.studies.width.width_rows import WidthRow, WidthTable

# The headers of the columns, in groups that stay side by side on a narrow terminal.
GROUPS = (
    ("k:n",),
    ("scale", "runs"),
    ("global", "95 %", "paper"),
    ("spurious", "proven", "other", "not\nended"),
    ("families",),
    ("steps\nmedian", "99 %"),
    ("restarts\nfor 99 %",),
    ("seconds",),
)


def cells(row: WidthRow) -> list[str]:
    """Format the cells of one row; "other" counts what is undecided."""
    low, high = row.interval
    steps = ("-", "-") if row.steps is None else tuple(f"{step:.0f}" for step in row.steps)
    return [
        f"{row.k}:{row.n}",
        f"{row.students.scale:g}",
        str(row.restarts),
        f"{100 * row.share_global:.1f} %",
        f"{100 * low:.1f}-{100 * high:.1f}",
        _paper(row.published),
        str(row.spurious),
        str(row.proven),
        str(row.undecided),
        str(row.unfinished),
        str(row.families),
        *steps,
        "-" if row.restarts_needed is None else str(row.restarts_needed),
        f"{row.seconds:.1f}",
    ]


def lines(table: WidthTable) -> Iterator[str]:
    """Describe what is left open, what becomes of spurious minima, and the whole."""
    for row in table.rows:
        for end in row.ends:
            if end.reason is not None and not end.proven:
                yield (
                    f"{row.k}:{row.n} {end.outcome}: {end.count} of {row.restarts} runs "
                    f"({end.kind}, value {number(end.value)}): {end.reason}"
                )
        if row.below:
            yield (
                f"{row.k}:{row.n} undecided: {row.below} of {row.restarts} runs fell below the "
                "threshold, but no straight line from their ends falls to a known global minimum"
            )
        for fate in row.survival:
            yield f"{row.k}:{row.n} {_fate(fate, row.students.threshold or 0.0)}"
    spurious = sum(row.spurious for row in table.rows)
    proven = sum(row.proven for row in table.rows)
    students = table.rows[0].students
    kind = (
        f"{students.activation}, {'both layers' if students.trained == 'both' else 'first layer'}"
    )
    yield (f"{kind} trained, on {table.device}: {proven} of {spurious} spurious runs are proven.")


def _fate(fate: Survival, threshold: float) -> str:
    """Describe what becomes of a minimum with one more neuron."""
    indices = sorted({split.index for split in fate.splits})
    index = "/".join(map(str, indices))
    ends = [value for split in fate.splits for value in split.ends]
    below = sum(value < threshold for value in ends)
    others = [
        f"{count} at {value:.4g}"
        for value, count in sorted(fate.ends().items())
        if value >= threshold
    ]
    return (
        f"minimum {fate.value:.4g} and one more neuron: grown from 0 at the rate "
        f"{fate.growth:.3g}; split off, index {index}; then {below} of {len(ends)} descents end "
        f"below {threshold:g}" + "".join(f", {other}" for other in others)
    )


def _paper(published: Published | None) -> str:
    if published is None:
        return ""
    return f"{100 - published.percent - published.unverified:.1f} %"
