"""Data sets in CSV files: a header row, and decimals that are read as they are written."""

import csv
import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from landscape_jax.cli.inputs import refuse

# Three digits of exponent reach beyond float64; more would only fill the memory.
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_MOST_DIGITS = 1000
# Of an entry that is shown in a message.
_SHOWN = 40
# What else than commas people put between columns.
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


class DataTable(NamedTuple):
    """Samples as exact numbers: their inputs, one sample a row, their labels, and the names."""

    x: list[list[Fraction]]
    y: list[Fraction]
    names: list[str]

    def __str__(self) -> str:
        """Say how many samples and inputs there are."""
        inputs = "1 input" if len(self.names) == 1 else f"{len(self.names)} inputs"
        return f"{len(self.y)} samples of {inputs}"


def homogeneous(path: Path, table: DataTable, no_bias: bool) -> list[list[Fraction]]:
    """Give the inputs, with a last one of 1 for the bias, of at least one sample."""
    if not table.y:
        refuse(f"{path} has no samples; give a row for each")
    return [row if no_bias else [*row, Fraction(1)] for row in table.x]


def read_table(path: Path, target: str) -> DataTable:
    """Read a CSV file whose column `target` is the label and whose other columns are inputs.

    Empty lines are skipped.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            lines = csv.reader(stream, strict=True)
            rows = [(lines.line_num, row) for row in lines if row]
    except OSError as error:
        refuse(f"{path}: {error.strerror}")
    except (UnicodeDecodeError, csv.Error) as error:
        refuse(f"{path} is not a CSV file of UTF-8 text: {error}")
    if not rows:
        refuse(f"{path} is empty; give a header row and a row for each sample")
    names = [name.strip() for name in rows.pop(0)[1]]
    place = _target(path, names, target)
    numbers = [_numbers(path, names, line, row) for line, row in rows]
    return DataTable(
        [row[:place] + row[place + 1 :] for row in numbers],
        [row[place] for row in numbers],
        names[:place] + names[place + 1 :],
    )


def _target(path: Path, names: list[str], target: str) -> int:
    """Say which column is the label."""
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        refuse(f"{path} has two columns {twice!r}; give each its own name in the first row")
    if target not in names:
        if separator := _separator(names, target):
            refuse(f"{path} has {separator} between its columns; give a file with commas")
        refuse(f"{path} has no column {target!r}; --target is one of {', '.join(names)}")
    if len(names) < 2:
        refuse(f"{path} has no column but {target!r}; give one for each input too")
    return names.index(target)


def _separator(names: list[str], target: str) -> str | None:
    """Return what is between the columns of a header row in place of commas, if it shows."""
    header = ",".join(names)
    for mark, name in _SEPARATORS.items():
        parts = [part.strip().strip('"') for part in header.split(mark)]
        # A single name may have spaces in it; two columns do not share one.
        if target in parts or (len(names) == 1 and len(parts) > 1 and mark != " "):
            return name
    return None


def _numbers(path: Path, names: list[str], line: int, row: list[str]) -> list[Fraction]:
    if len(row) != len(names):
        refuse(f"{path}, line {line}: {len(row)} entries; there are {len(names)} columns")
    for name, entry in zip(names, row, strict=True):
        if not _DECIMAL.fullmatch(entry.strip()):
            shown = entry.strip()
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
            refuse(f"{path}, line {line}: column {name!r} is not numeric, it has {shown!r}")
        if len(entry.strip()) > _MOST_DIGITS:
            refuse(
                f"{path}, line {line}: column {name!r} has a number of {len(entry.strip())} "
                f"characters; give at most {_MOST_DIGITS}"
            )
    return [Fraction(entry.strip()) for entry in row]
