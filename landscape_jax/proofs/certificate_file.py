"""The file of a certificate: its fields, and the one reader that every certificate passes.

A file is a JSON object of the fields of `Certificate`, besides `format`, `version`, `statement` and
the `index` 0.
Arrays are hexadecimal floats, exact; the bounds are decimal and read back exactly.
"""

import json
import math
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.arguments import ARGUMENTS

Kind = Literal["minimum", "spurious", "global"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMAT = "landscape_jax certificate"
VERSION = 3

# By name: the number of axes.
ARRAYS = {
    "point": 2,
    "given": 2,
    "teacher": 2,
    "witness": 2,
    "teacher_weights": 1,
    "student_weights": 1,
    "units": 1,
}
NUMBERS = (
    "teacher_gram_lower",
    "teacher_gram_upper",
    "moved",
    "value_lower",
    "value_upper",
    "witness_value_upper",
    "gradient_norm_upper",
    "min_eigenvalue_lower",
    "padding_min_eigenvalue_lower",
    "lipschitz_upper",
    "radius",
    "uniqueness_radius",
    "ball_radius",
    "seconds",
)
WORDS = ("kind", "argument", "teacher_digest", "every_higher_dimension", "versions")
OPTIONAL = ("witness", "witness_value_upper", "padding_min_eigenvalue_lower")
NAMES = {*ARRAYS, *NUMBERS, *WORDS}


class CertificateError(ValueError):
    """A file that holds no claim: unreadable, cut short, of another format, or malformed."""


def content(entries: Mapping[str, Any], statement: str) -> dict[str, Any]:
    """Return the JSON object of a certificate.

    **Raises:** `CertificateError` if an array is not of float64, or a bound not a `float`.
    """
    written = {name: _written(name, entry) for name, entry in entries.items()}
    head = {"format": FORMAT, "version": VERSION, "statement": statement, "index": 0}
    return head | written


def read_object(source: str) -> dict[str, Any]:
    """Return the JSON object of a claim of any kind.

    **Raises:** `CertificateError` if the text is not one JSON object with each key once.
    """
    try:
        found = json.loads(source, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CertificateError(f"not a certificate: {error}.") from None
    if not isinstance(found, dict):
        raise CertificateError("not a certificate: it is not a JSON object.")
    return found


def read_entries(found: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the fields and the sentence of a JSON object, after checking all of them.

    **Raises:** `CertificateError` if a field is missing, unknown, malformed, or of a shape that
    does not fit the others.
    """
    check_head(found, VERSION, {"format", "version", "statement", "index"} | NAMES)
    if type(found["index"]) is not int or found["index"] != 0:
        raise CertificateError("'index' must be 0, the certificate is of a minimum.")
    entries = {name: _entry(name, found[name]) for name in NAMES}
    _check_shapes(entries)
    return entries, found["statement"]


def check_head(found: Mapping[str, Any], version: int, known: set[str]) -> None:
    """Check the version of a file's JSON object, the names of its fields, and its sentence.

    **Raises:** `CertificateError` if one is not as it should be.
    """
    if type(found.get("version")) is not int or found["version"] != version:
        raise CertificateError(f"version {found.get('version')!r}, where {version} is read.")
    if missing := known - set(found):
        raise CertificateError(f"{min(missing)!r} is missing.")
    if unknown := set(found) - known:
        raise CertificateError(f"{min(unknown)!r} is not a field of a certificate.")
    if not isinstance(found["statement"], str):
        raise CertificateError("'statement' must be a sentence.")


def check_versions(raw: Any) -> None:
    """Check that versions are words by name.

    **Raises:** `CertificateError` if they are not.
    """
    if not isinstance(raw, dict) or not all(isinstance(entry, str) for entry in raw.values()):
        raise CertificateError("'versions' must hold names and versions.")


def _written(name: str, entry: Any) -> Any:
    """Return the JSON value of one field."""
    if name in OPTIONAL and entry is None:
        return None
    if name in ARRAYS:
        if type(entry) is not np.ndarray or entry.dtype != np.float64:
            raise CertificateError(f"'{name}' must be an array of float64.")
        return to_hex(entry.tolist())
    if name in NUMBERS and type(entry) is not float:
        raise CertificateError(f"'{name}' must be a float, not {type(entry).__name__}.")
    return entry


def _entry(name: str, raw: Any) -> Any:
    """Read one field."""
    if name in OPTIONAL and raw is None:
        return None
    if name in ARRAYS:
        return read_array(name, raw, ARRAYS[name])
    if name in NUMBERS:
        return read_number(name, raw)
    if name == "kind" and raw not in KINDS:
        raise CertificateError(f"'kind' must be one of {', '.join(KINDS)}.")
    if name == "argument" and raw not in ARGUMENTS:
        raise CertificateError(f"'argument' must be one of {', '.join(ARGUMENTS)}.")
    if name == "teacher_digest" and not isinstance(raw, str):
        raise CertificateError("'teacher_digest' must be hexadecimal digits.")
    if name == "every_higher_dimension" and not isinstance(raw, bool):
        raise CertificateError(f"'{name}' must be true or false.")
    if name == "versions":
        check_versions(raw)
    return raw


def read_number(name: str, raw: Any) -> float:
    """Read a finite number of JSON, rounded to float64."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise CertificateError(f"'{name}' must be a number.")
    try:
        number = float(raw)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CertificateError(f"'{name}' must be finite.")
    return number


def read_array(name: str, raw: Any, rank: int) -> Float[np.ndarray, "..."]:
    """Read an array of hexadecimal floats, each in the form that `float.hex` writes."""
    rows = raw if rank == 2 else [raw]
    if not isinstance(raw, list) or not all(isinstance(row, list) for row in rows):
        raise CertificateError(f"'{name}' must be an array with {rank} axes.")
    if len({len(row) for row in rows}) > 1:
        raise CertificateError(f"'{name}' has rows of different lengths.")
    width = len(rows[0]) if rows else 0
    flat = np.array([_from_hex(name, x) for row in rows for x in row], np.float64)
    return flat.reshape(len(rows), width) if rank == 2 else flat


def _from_hex(name: str, raw: Any) -> float:
    """Read one hexadecimal float."""
    try:
        number = float.fromhex(raw)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or number.hex() != raw:
        raise CertificateError(f"'{name}' must hold finite hexadecimal floats.")
    return number


def to_hex(entries: Any) -> Any:
    """Write nested lists of floats in hexadecimal."""
    return entries.hex() if isinstance(entries, float) else [to_hex(x) for x in entries]


def _check_shapes(entries: dict[str, Any]) -> None:
    """Check that all arrays belong to one problem."""
    n, d = entries["point"].shape
    k = len(entries["teacher_weights"])
    expected = {
        "given": (n, d),
        "teacher": (k, d),
        "student_weights": (n,),
        "units": (n,),
        "witness": (n, d),
    }
    if 0 in (n, d, k):
        raise CertificateError("'point' or 'teacher' is empty.")
    for name, shape in expected.items():
        array = entries[name]
        if array is not None and array.shape != shape:
            raise CertificateError(f"'{name}' has shape {array.shape}, where {shape} is needed.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a JSON object with a key twice, of which readers keep different values."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CertificateError("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    """Refuse NaN and the infinities."""
    raise CertificateError(f"{name} is not a number")
