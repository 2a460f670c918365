"""Lists of symmetric points in files, in the form of Safran, Yehudai & Shamir 2021."""

import csv
import io
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Float

from landscape_jax.mistakes import explained, shown

# Bytes of a file; the published list has half a million.
_LARGEST = 64 * 2**20
_NEEDED = ("k", "class", "multiplicity", "blocks", "values")
_MOST_NEURONS = 1_000_000


@dataclass(frozen=True, eq=False)
class ListedPoint:
    """A point of a list: `blocks`, `teacher_blocks` and `values` as in `SymmetricCertificate`.

    `number`, its class among those of its k; `count`, the runs that ended there.
    """

    number: int
    count: int
    blocks: tuple[int, ...]
    teacher_blocks: tuple[int, ...]
    values: Float[np.ndarray, "M columns"]

    @property
    def k(self) -> int:
        """Return the number of teachers."""
        return sum(self.teacher_blocks)

    @property
    def n(self) -> int:
        """Return the number of students."""
        return sum(self.blocks)


@explained
def read_points(path: str | PathLike[str]) -> list[ListedPoint]:
    """Read a list of symmetric points.

    A CSV file with the columns k; class; multiplicity; blocks, the sizes of the students' blocks
    with spaces between; values, rows with semicolons and entries with spaces between; and, where
    n ≠ k, teacher_blocks.  Other columns are left out.

    **Raises:** `ValueError` if the file is no such list, with the line; `OSError` if it cannot be
    opened.
    """
    if not isinstance(path, str | PathLike):  # A number would be an open file of the process.
        raise TypeError(f"path is {shown(path)}; give the path of a CSV file")
    with open(path, "rb") as stream:
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"{path} is larger than {_LARGEST} bytes; give fewer points")
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), strict=True)
        names = [name.strip() for name in rows.fieldnames or ()]
        rows.fieldnames = names
        if missing := [name for name in _NEEDED if name not in names]:
            raise ValueError(
                f"{path} has no column {missing[0]!r}; give the columns {', '.join(_NEEDED)}"
            )
        found = [_point(f"{path}, line {rows.line_num}", row) for row in rows]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error.reason})") from None
    except csv.Error as error:
        raise ValueError(f"{path} is not a CSV file: {error}") from None
    if not found:
        raise ValueError(f"{path} has no points; give a line for each")
    return found


def _point(place: str, row: dict[str, Any]) -> ListedPoint:
    """Read one line."""
    if None in row or None in row.values():
        raise ValueError(f"{place}: it has more or fewer columns than the header")
    blocks = _sizes(place, "blocks", row["blocks"])
    listed = row.get("teacher_blocks", "").strip()
    teachers = _sizes(place, "teacher_blocks", listed) if listed else blocks
    try:
        lines = [[float(x) for x in line.split()] for line in row["values"].split(";")]
        values = np.array(lines, np.float64)
    except ValueError:
        raise ValueError(
            f"{place}: values is {row['values'][:60]!r}, not rows of numbers"
        ) from None
    shape = (len(teachers), len(blocks) + 1)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"{place}: values must be {shape[0]} rows of {shape[1]} finite numbers")
    point = ListedPoint(
        _count(place, "class", row["class"]),
        _count(place, "multiplicity", row["multiplicity"]),
        blocks,
        teachers,
        values,
    )
    if _count(place, "k", row["k"]) != point.k:
        raise ValueError(f"{place}: k is {row['k']}, but the teachers' blocks have {point.k}")
    return point


def _sizes(place: str, name: str, text: str) -> tuple[int, ...]:
    """Read sizes of blocks."""
    sizes = tuple(_count(place, name, part) for part in text.split())
    if not sizes or min(sizes) < 1 or sum(sizes) > _MOST_NEURONS:
        raise ValueError(f"{place}: {name} is {text!r}; give sizes such as 1 6")
    return sizes


def _count(place: str, name: str, text: str) -> int:
    """Read a whole number."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{place}: {name} is {text[:60]!r}; give a whole number")
    return int(text)
