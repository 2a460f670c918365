"""Data sets in CSV files: a header row, and decimals that are read as they are written."""

import csv
import io
import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from landscape_jax.cli.inputs import meant, refuse

# Three digits of exponent reach beyond float64; more would only fill the memory.
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_MOST_DIGITS = 1000
# Of an entry that is shown in a message.
_SHOWN = 40
# Names that are listed in a message.
_LISTED = 20
# Bytes of a file.  All numbers are kept as fractions, which take far more.
_LARGEST = 64 * 2**20
# What people put between columns in place of commas.  As decimals may have commas then, a file with
# other separators is not guessed at, but refused.
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


class DataTable(NamedTuple):
    """Samples as exact numbers: their inputs, one sample a row, their labels, and the names."""

    x: list[list[Fraction]]
    y: list[Fraction]
    names: list[str]

    def __str__(self) -> str:
        """Describe how many samples and inputs there are."""
        inputs = "1 input" if len(self.names) == 1 else f"{len(self.names)} inputs"
        return f"{len(self.y)} samples of {inputs}"


def homogeneous(path: Path, table: DataTable, no_bias: bool) -> list[list[Fraction]]:
    """Return the inputs, with a last one of 1 for the bias, of at least one sample."""
    if not table.y:
        refuse(f"{path} has no samples; give a row for each")
    return [row if no_bias else [*row, Fraction(1)] for row in table.x]


def read_table(path: Path, target: str) -> DataTable:
    """Read a CSV file whose column `target` is the label and whose other columns are inputs.

    Empty lines are skipped.
    """
    text, target = _text(path), target.strip()
    if separator := _separator(text.lstrip().partition("\n")[0], target):
        refuse(f"{path} has {separator} between its columns; give a file with commas")
    try:
        lines = csv.reader(io.StringIO(text, newline=""), strict=True)
        rows = [(lines.line_num, row) for row in lines if row]
    except csv.Error as error:
        refuse(f"{path} is not a CSV file: {error}")
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


def _text(path: Path) -> str:
    """Read a text file of bounded size; a device may have no end."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(_LARGEST + 1)
    except OSError as error:
        refuse(f"{path}: {error.strerror}")
    if len(content) > _LARGEST:
        refuse(f"{path} is larger than {_LARGEST} bytes; give fewer samples")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(f"{path} is not UTF-8 text ({error.reason}); save it as a CSV file in UTF-8")
    if "\0" in text:
        refuse(f"{path} is not UTF-8 text (it has zero bytes); save it as a CSV file in UTF-8")
    return text


def _target(path: Path, names: list[str], target: str) -> int:
    """Return which column is the label, where all columns have names that tell."""
    if all(map(_DECIMAL.fullmatch, names)) and target not in names:
        refuse(f"{path} has numbers in its first row; give the names of the columns there")
    if names[0] in ("", "Unnamed: 0") and len(names) > 1:
        refuse(
            f"{path} has a first column without a name, as pandas writes an index; leave it out "
            "by to_csv(..., index=False), or name it if it is an input"
        )
    if "" in names:
        refuse(f"{path} has no name for column {names.index('') + 1} in its first row")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        refuse(f"{path} has two columns {twice!r}; give each its own name in the first row")
    if target not in names:
        more = ", ..." if len(names) > _LISTED else ""
        refuse(
            f"{path} has no column {target!r}; --target is one of "
            f"{', '.join(names[:_LISTED])}{more}{meant(target, names)}"
        )
    if len(names) < 2:
        refuse(f"{path} has no column but {target!r}; give one for each input too")
    return names.index(target)


def _separator(header: str, target: str) -> str | None:
    """Return what is between the columns of a header row in place of commas, if it shows."""
    names = {mark: [n.strip().strip('"') for n in header.split(mark)] for mark in ",;\t| "}
    if len(names[","]) > 1 and target in names[","]:
        return None
    for mark, name in _SEPARATORS.items():
        # A single name may have spaces in it; two columns do not share one.
        single = len(names[","]) == 1 and len(names[mark]) > 1 and mark != " "
        if single or (target in names[mark] and len(names[mark]) > 1):
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
