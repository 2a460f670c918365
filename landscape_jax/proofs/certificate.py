"""What was proven, or why not, and the file it is kept in."""

import json
import math
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.arguments import ARGUMENTS, Argument
from landscape_jax.storage import write_json

Kind = Literal["minimum", "spurious", "global"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FORMAT = "landscape_jax certificate"
VERSION = 1
LARGEST_FILE = 64 * 2**20


class CertificateError(ValueError):
    """A file that is no certificate: unreadable, cut short, of another format, or malformed."""


@dataclass(frozen=True, eq=False)
class NotProven:
    """No proof was found, and why; nothing is said of whether there is a minimum.

    Falsy.  `reason` is one sentence; the other fields are `None` where they are not known.
    `point` is where the proof was tried, `moved` away from the given point.
    """

    reason: str
    kind: None = None
    point: Float[np.ndarray, "neurons dim"] | None = None
    moved: float | None = None
    gradient_norm_upper: float | None = None
    min_eigenvalue_lower: float | None = None
    value_lower: float | None = None
    value_upper: float | None = None
    radius: float | None = None
    seconds: float = 0.0

    @property
    def proven(self) -> Literal[False]:
        """Say that nothing is proven."""
        return False

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proven strict local minimum x* of the population risk F.  Truthy.

    The statement, with B(r) the closed ball of radius r around `point` in R^(n×d):

    * F has a strict local minimum x* in B(`radius`) and no other critical point in
      B(`uniqueness_radius`); `ball_radius` ≥ `uniqueness_radius`;
    * `value_lower` ≤ F(x*) ≤ `value_upper`;
    * ∇²F ≥ `min_eigenvalue_lower` > 0 throughout B(`radius`), so also at x*; |∇F(point)| ≤
      `gradient_norm_upper`; ∇²F has Lipschitz constant `lipschitz_upper` on B(`ball_radius`);
    * `point` is at most `moved` from `given`, the point that the user asked about;
    * `kind` "spurious": F(`witness`) ≤ `witness_value_upper` < `value_lower`; "global": F(x*) = 0;
      "minimum": neither is known;
    * `every_higher_dimension`: all of this holds in R^D for every D ≥ d too, all vectors padded
      with zeros, where the Hessian has the further eigenvalues of M(x) (SS18, lemma 3), all at
      least `padding_min_eigenvalue_lower` > 0 in B(`radius`).  None of them lies below all others,
      so `min_eigenvalue_lower` holds there too: pᵀMp is the mean of ∇²F[p ⊗ e, p ⊗ e] over the
      unit vectors e of R^d, since the blocks of ∇²F − M ⊗ I have trace 0 (`pairs.hessian`).
    """

    kind: Kind
    argument: Argument
    point: Float[np.ndarray, "neurons dim"]
    given: Float[np.ndarray, "neurons dim"]
    teacher: Float[np.ndarray, "teachers dim"]
    teacher_weights: Float[np.ndarray, " teachers"]
    student_weights: Float[np.ndarray, " neurons"]
    witness: Float[np.ndarray, "neurons dim"] | None
    moved: float
    value_lower: float
    value_upper: float
    witness_value_upper: float | None
    gradient_norm_upper: float
    min_eigenvalue_lower: float
    padding_min_eigenvalue_lower: float | None
    lipschitz_upper: float
    radius: float
    uniqueness_radius: float
    ball_radius: float
    every_higher_dimension: bool
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def proven(self) -> Literal[True]:
        """Say that the statement is proven."""
        return True

    @property
    def reason(self) -> None:
        """Give no reason: there is nothing to excuse."""
        return None

    def __bool__(self) -> bool:
        return True

    @property
    def statement(self) -> str:
        """Give what is proven in one sentence."""
        n, d = self.point.shape
        where = f"R^({n}x{d})"
        if self.every_higher_dimension:
            where += f", and padded with zeros in R^({n}xD) for every D >= {d},"
        better = {
            "minimum": "whether a lower value exists is not said",
            "spurious": f"it is not global, the witness has value at most "
            f"{self.witness_value_upper!r}",
            "global": "it is global",
        }[self.kind]
        return (
            f"The population risk of {n} ReLU students and {len(self.teacher)} teachers in {where} "
            f"has a strict local minimum within {self.radius!r} of the point, of value in "
            f"[{self.value_lower!r}, {self.value_upper!r}], with Hessian eigenvalues of at least "
            f"{self.min_eigenvalue_lower!r}, and no other critical point within "
            f"{self.uniqueness_radius!r}; {better}."
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the certificate as JSON, whole or not at all.

        Arrays are hexadecimal floats, exact; the bounds are decimal and read back exactly.

        **Returns:** the path.
        """
        target = Path(path)
        content = {"format": FORMAT, "version": VERSION, "statement": self.statement}
        for name in (f.name for f in fields(self)):
            entry = getattr(self, name)
            content[name] = _to_hex(entry) if isinstance(entry, np.ndarray) else entry
        write_json(target, content)
        return target

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Certificate":
        """Read a certificate; that its statement is true is for `verify` to say.

        **Raises:** `CertificateError` where the file is not a certificate; `OSError` where it
        cannot be opened.
        """
        return load(path)[0]


def load(path: str | os.PathLike[str]) -> tuple[Certificate, str]:
    """Read a certificate and the sentence that stands in its file."""
    if os.path.getsize(path) > LARGEST_FILE:
        raise CertificateError(f"{path}: larger than any certificate ({LARGEST_FILE} bytes).")
    try:
        text = Path(path).read_text(encoding="utf-8")
        content = json.loads(text, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CertificateError(f"{path}: not a certificate: {error}.") from None
    try:
        return _parse(content)
    except CertificateError as error:
        raise CertificateError(f"{path}: {error}") from None


def _parse(content: Any) -> tuple[Certificate, str]:
    """Check the shape and type of everything in a certificate's JSON."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CertificateError(f"not a certificate: its format is not '{FORMAT}'.")
    if type(content.get("version")) is not int or content["version"] != VERSION:
        raise CertificateError(f"version {content.get('version')!r}, where {VERSION} is read.")
    names = {f.name for f in fields(Certificate)}
    known = {"format", "version", "statement"} | names
    if missing := known - set(content):
        raise CertificateError(f"{min(missing)!r} is missing.")
    if unknown := set(content) - known:
        raise CertificateError(f"{min(unknown)!r} is not a field of a certificate.")
    if not isinstance(content["statement"], str):
        raise CertificateError("'statement' must be a sentence.")
    entries = {name: _entry(name, content[name]) for name in names}
    _check_shapes(entries)
    return Certificate(**entries), content["statement"]


def _entry(name: str, raw: Any) -> Any:
    """Read one field."""
    if name in ("point", "given", "teacher"):
        return _array(name, raw, 2)
    if name in ("teacher_weights", "student_weights"):
        return _array(name, raw, 1)
    if name == "witness":
        return None if raw is None else _array(name, raw, 2)
    if name == "kind" and raw not in KINDS:
        raise CertificateError(f"'kind' must be one of {', '.join(KINDS)}.")
    if name == "argument" and raw not in ARGUMENTS:
        raise CertificateError(f"'argument' must be one of {', '.join(ARGUMENTS)}.")
    if name == "every_higher_dimension" and not isinstance(raw, bool):
        raise CertificateError(f"'{name}' must be true or false.")
    if name == "versions" and not (
        isinstance(raw, dict) and all(isinstance(entry, str) for entry in raw.values())
    ):
        raise CertificateError("'versions' must hold names and versions.")
    if name in ("kind", "argument", "every_higher_dimension", "versions"):
        return raw
    optional = name in ("witness_value_upper", "padding_min_eigenvalue_lower")
    return None if optional and raw is None else _number(name, raw)


def _number(name: str, raw: Any) -> float:
    """Read a finite double, as every JSON reader does."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise CertificateError(f"'{name}' must be a number.")
    try:
        number = float(raw)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise CertificateError(f"'{name}' must be finite.")
    return number


def _array(name: str, raw: Any, rank: int) -> Float[np.ndarray, "..."]:
    """Read hexadecimal floats, each in the form that `float.hex` writes."""
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


def _to_hex(array: Float[np.ndarray, "..."]) -> Any:
    """Write an array as nested lists of hexadecimal floats."""
    return float(array).hex() if array.ndim == 0 else [_to_hex(np.asarray(row)) for row in array]


def _check_shapes(entries: dict[str, Any]) -> None:
    """Check that all arrays belong to one problem."""
    n, d = entries["point"].shape
    k = len(entries["teacher_weights"])
    expected = {
        "given": (n, d),
        "teacher": (k, d),
        "student_weights": (n,),
        "witness": (n, d),
    }
    if 0 in (n, d, k):
        raise CertificateError("'point' or 'teacher' is empty.")
    for name, shape in expected.items():
        array = entries[name]
        if array is not None and array.shape != shape:
            raise CertificateError(f"'{name}' has shape {array.shape}, where {shape} is needed.")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a JSON object that names a key twice: readers disagree on what it says."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise CertificateError("a key stands twice")
    return found


def _no_constant(name: str) -> Any:
    """Refuse NaN and the infinities."""
    raise CertificateError(f"{name} is not a number")
