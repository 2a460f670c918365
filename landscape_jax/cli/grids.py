"""Tables on a terminal: grids side by side, or below each other where the terminal is narrow."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from rich import box
from rich.console import Console
from rich.table import Table as Grid

# Wider than any table, which is measured in it.
_UNBOUNDED = 10_000


def print_grids(groups: Sequence[Sequence[str]], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of cells; the first column is repeated in each grid.

    **Arguments:** `groups`, the headers of the columns, in groups that stay side by side, the first
    column a group of its own; `rows`, their cells.
    """
    terminal = Console().is_terminal
    console = Console(width=None if terminal else 200)
    for grid in grids(groups, rows, width=console.width, ascii_only=not terminal):
        console.print(grid)


def grids(
    groups: Sequence[Sequence[str]],
    rows: Iterable[Sequence[str]],
    *,
    width: int,
    ascii_only: bool,
) -> Iterator[Grid]:
    """Arrange the rows in a grid, or in as many below each other as the width asks for."""
    columns = iter(zip(*rows, strict=True))
    (first,), *waiting = [[(header, next(columns)) for header in group] for group in groups]
    console = Console(width=_UNBOUNDED)
    while waiting:
        count = len(waiting)
        while True:
            laid = _grid([first, *chain.from_iterable(waiting[:count])], ascii_only)
            if count == 1 or console.measure(laid).maximum <= width:
                break
            count -= 1
        yield laid
        waiting = waiting[count:]


def _grid(columns: list[tuple[str, tuple[str, ...]]], ascii_only: bool) -> Grid:
    laid = Grid(box=box.ASCII2) if ascii_only else Grid(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for header, _ in columns:
        laid.add_column(header, justify="right", vertical="bottom", overflow="fold")
    for row in zip(*(cells for _, cells in columns), strict=True):
        laid.add_row(*row)
    return laid
