"""The file of a claim in rational numbers: exact fractions, each in one spelling, bounded in size.

A file is a JSON object of the fields of the claim, besides `format`, `version`, `kind` and
`statement`.  Rational numbers are strings, p or p/q in lowest terms.
"""

import re
from collections.abc import Mapping
from typing import Any

from flint import fmpq, fmpq_mat

from landscape_jax.proofs.certificate_file import CertificateError

FORMAT = "landscape_jax claim"
VERSION = 1
MOST_DIGITS = 100_000
MOST_NUMBERS = 200_000
_RATIONAL = re.compile(r"(0|-?[1-9][0-9]*)(/[1-9][0-9]*)?")

# Fields by name: the names of their axes, "neurons+1" for one more; an entry of an axis that ends
# in "?" may be null.  Fields without axes are numbers.
Shapes = Mapping[str, str]


def write_entries(
    kind: str, statement: str, entries: Mapping[str, Any], shapes: Shapes, versions: Any
) -> dict[str, Any]:
    """Return the JSON object of a claim.

    **Raises:** `CertificateError` if a field is not of rational numbers.
    """
    head = {"format": FORMAT, "version": VERSION, "kind": kind, "statement": statement}
    fields = {name: _written(name, entries[name], axes) for name, axes in shapes.items()}
    return head | fields | {"versions": versions}


def read_entries(found: Mapping[str, Any], shapes: Shapes) -> tuple[dict[str, Any], str]:
    """Return the fields and the sentence of a JSON object, after checking all of them.

    **Raises:** `CertificateError` if a field is missing, unknown, malformed, or of a shape that
    does not fit the others.
    """
    if type(found.get("version")) is not int or found["version"] != VERSION:
        raise CertificateError(f"version {found.get('version')!r}, where {VERSION} is read.")
    known = {"format", "version", "kind", "statement", "versions", *shapes}
    if missing := known - set(found):
        raise CertificateError(f"{min(missing)!r} is missing.")
    if unknown := set(found) - known:
        raise CertificateError(f"{min(unknown)!r} is not a field of this kind of claim.")
    if not isinstance(found["statement"], str):
        raise CertificateError("'statement' must be a sentence.")
    versions = found["versions"]
    if not (isinstance(versions, dict) and all(isinstance(v, str) for v in versions.values())):
        raise CertificateError("'versions' must hold names and versions.")
    sizes: dict[str, int] = {}
    for name, axes in shapes.items():
        _check_shape(name, found[name], axes.split(), sizes)
    entries = {name: _read(name, found[name], axes.split()) for name, axes in shapes.items()}
    return entries | {"versions": versions}, found["statement"]


def _written(name: str, entry: Any, axes: str) -> Any:
    """Return the JSON value of one field."""
    match len(axes.split()), entry:
        case 2, fmpq_mat():
            return [[str(t) for t in row] for row in entry.tolist()]
        case 1, tuple():
            return [None if t is None else _written(name, t, "") for t in entry]
        case 0, fmpq():
            return str(entry)
    raise CertificateError(f"'{name}' must hold rational numbers of python-flint.")


def _check_shape(name: str, raw: Any, axes: list[str], sizes: dict[str, int]) -> None:
    """Check that a field has its axes, of the `sizes` that the fields before it have."""
    rows = raw if len(axes) == 2 else [raw]
    if axes and not (isinstance(raw, list) and all(isinstance(row, list) for row in rows)):
        raise CertificateError(f"'{name}' must be an array with {len(axes)} axes.")
    if not axes:
        return
    if sum(map(len, rows)) > MOST_NUMBERS:
        raise CertificateError(f"'{name}' has more than {MOST_NUMBERS} numbers.")
    lengths = [len(raw)] if len(axes) == 1 else [len(raw), len(rows[0]) if rows else 0]
    if any(len(row) != lengths[-1] for row in rows):
        raise CertificateError(f"'{name}' has rows of different lengths.")
    if not _fits(lengths, axes, sizes):
        raise CertificateError(f"'{name}' has a shape that does not fit the other fields.")


def check_shapes(given: Mapping[str, fmpq_mat | tuple], shapes: Shapes) -> None:
    """Check that arguments have the shapes of fields, and that these fit each other.

    **Raises:** `ValueError` if one does not; the message names it.
    """
    sizes: dict[str, int] = {}
    for name, value in given.items():
        before, axes = dict(sizes), shapes[name].split()
        matrix = isinstance(value, fmpq_mat)
        lengths = [value.nrows(), value.ncols()] if matrix else [len(value)]
        if not _fits(lengths, axes, sizes):
            known = ", ".join(f"{axis} are {size}" for axis, size in before.items())
            right = f"({', '.join(axis.rstrip('?') for axis in axes)}), none of them 0"
            where = f", where {known}" if known else ""
            raise ValueError(f"{name} has shape {tuple(lengths)}; it must be {right}{where}.")


def _fits(lengths: list[int], axes: list[str], sizes: dict[str, int]) -> bool:
    """Check the lengths of a field's axes, and add those that are new to the `sizes`."""
    for axis, length in zip(axes, lengths, strict=True):
        axis, _, more = axis.rstrip("?").partition("+")
        size = int(axis) if axis.isdigit() else sizes.setdefault(axis, length - int(more or 0))
        if length != size + int(more or 0) or size < 1:
            return False
    return True


def _read(name: str, raw: Any, axes: list[str]) -> Any:
    """Read one field of a known shape."""
    if len(axes) == 2:
        return fmpq_mat([[_rational(name, t) for t in row] for row in raw])
    if not axes:
        return _rational(name, raw)
    missing = axes[0].endswith("?")
    return tuple(None if missing and t is None else _rational(name, t) for t in raw)


def _rational(name: str, raw: Any) -> fmpq:
    """Read p or p/q in lowest terms."""
    if not isinstance(raw, str) or len(raw) > MOST_DIGITS or not _RATIONAL.fullmatch(raw):
        raise CertificateError(
            f"'{name}' must hold rational numbers, as strings p/q of at most {MOST_DIGITS} digits."
        )
    number = fmpq(raw)
    if str(number) != raw:
        raise CertificateError(f"'{name}' must hold fractions in lowest terms.")
    return number
