"""Short summaries of results: lines of text on a terminal, a table in a notebook."""

import dataclasses
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

# Rows beyond these are counted, not listed.
_MOST = 12


class Summary(NamedTuple):
    """A title, the heads of columns, and rows; what is beyond twelve rows is counted."""

    title: str
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()

    @property
    def rest(self) -> str:
        """Return how many rows are not listed, in words."""
        left = len(self.rows) - _MOST
        return f"… and {left} more" if left > 0 else ""

    def text(self) -> str:
        """Write the title, and the rows in aligned columns below it."""
        if not self.rows:
            return self.title
        table = [self.heads, *self.rows[:_MOST]]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            for row in table
        ]
        return "\n".join([self.title, *lines, *([f"  {self.rest}"] if self.rest else [])])

    def html(self) -> str:
        """Write it as a table, without colours of its own, so that it suits light and dark."""
        title = f"<div>{escape(self.title)}</div>"
        if not self.rows:
            return title
        body = "".join(_row("td", row) for row in self.rows[:_MOST])
        rest = f"<div>{self.rest}</div>" if self.rest else ""
        head = f"<thead>{_row('th', self.heads)}</thead>"
        return f"<div>{title}<table>{head}<tbody>{body}</tbody></table>{rest}</div>"


class Summarised:
    """Shows itself by its `summary`, on a terminal and in a notebook."""

    def summarise(self) -> Summary:
        """Return what is shown."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.summarise().text()

    def _repr_html_(self) -> str:
        return self.summarise().html()


def of_fields(value: Any) -> Summary:
    """Summarise a Module in one line: its fields, arrays by dtype and shape, without `None`."""
    given = [(f.name, getattr(value, f.name)) for f in dataclasses.fields(value)]
    parts = [f"{name}={_short(part)}" for name, part in given if part is not None]
    return Summary(f"{type(value).__name__}({', '.join(parts)})")


class Tabulated(Summarised):
    """The rows of a study: shown by some of their columns, and a table of pandas.

    - `SHOWN`: the columns, names in `to_json()["rows"]`.
    """

    SHOWN: ClassVar[tuple[str, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return the rows as JSON values."""
        raise NotImplementedError

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a table of pandas, with all columns of `to_json()["rows"]`."""
        import pandas as pd

        return pd.DataFrame(self.to_json()["rows"])

    def summarise(self) -> Summary:
        """Return how many rows there are, and the columns shown."""
        records = self.to_json()["rows"]
        rows = [[_cell(record[name]) for name in self.SHOWN] for record in records]
        count = f"{len(rows)} row" + ("" if len(rows) == 1 else "s")
        heads = [name.replace("_", " ") for name in self.SHOWN]
        return Summary(f"{type(self).__name__}({count})", heads, rows)


def _cell(value: Any) -> str:
    """Write a value of a table: numbers to six digits, lists of whole numbers as sums."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ("+" if all(isinstance(part, int) for part in value) else " to ").join(
            map(_cell, value)
        )
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _short(part: Any) -> str:
    """Write a field: what has a name, such as an activation, by its name."""
    name = getattr(part, "name", None)
    if isinstance(name, str) and name:
        return repr(name)
    if isinstance(part, Summarised):
        return repr(part)
    if dataclasses.is_dataclass(part):
        return of_fields(part).title
    import equinox as eqx

    return " ".join(eqx.tree_pformat(part, width=10_000).split())


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"
