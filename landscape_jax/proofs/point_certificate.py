"""Certificates of saddles, and of exhibited global minima, of any population risk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from flint import fmpq
from jaxtyping import Float

from landscape_jax.proofs.certificate_file import (
    CertificateError,
    check_head,
    check_versions,
    read_array,
    read_number,
    to_hex,
)
from landscape_jax.proofs.claim import Claim

FORMAT = "landscape_jax point certificate"
VERSION = 1
ARRAYS = {
    "point": 2, "given": 2, "witness": 2, "teacher": 2, "teacher_weights": 1, "student_weights": 1,
}  # fmt: skip
NUMBERS = ("value_lower", "value_upper", "min_eigenvalue_lower", "radius", "moved", "seconds")
OTHERS = ("kind", "index", "assignment", "shares", "versions")
# A share is written as a fraction; of doubles it has some hundred digits at most.
LONGEST_SHARE = 2000
# A saddle of more numbers takes minutes to check.
LARGEST_SADDLE = 625


@dataclass(frozen=True, eq=False, repr=False)
class PointCertificate(Claim):
    """A proven saddle, or a point at which the population risk is 0.  Truthy.

    F(W) = ½ E(Σᵢ aᵢ relu(wᵢ·x) − Σⱼ bⱼ relu(vⱼ·x))² over x ~ N(0, I), as in `Certificate`.

    "saddle": within `radius` of `point` (Euclidean) F has a critical point x*, `value_lower` ≤
    F(x*) ≤ `value_upper`; ∇²F(x*) is nondegenerate with `index` ≥ 1 negative eigenvalues, none
    below `min_eigenvalue_lower`; F(`witness`) < `value_lower`.

    "global": at the point W with wᵢ = `shares[i]` · v_j, j = `assignment[i]`, or wᵢ = 0 where j is
    −1, F = 0: `shares` are fractions, not negative, and Σ aᵢ shares[i] = bⱼ over the students of
    each teacher of non-zero weight and length, exactly, since c·relu(v·x) = relu(cv·x) for c ≥ 0.
    `point` is this W in float64, and of the rounded W nothing is claimed; W is at most `moved` from
    `given`; the Hessian, where it exists (no wᵢ is 0), has no eigenvalue below 0; `radius` is 0.
    """

    kind: Literal["saddle", "global"]
    index: int
    point: Float[np.ndarray, "n d"]
    given: Float[np.ndarray, "n d"]
    teacher: Float[np.ndarray, "k d"]
    teacher_weights: Float[np.ndarray, " k"]
    student_weights: Float[np.ndarray, " n"]
    value_lower: float
    value_upper: float
    min_eigenvalue_lower: float
    radius: float
    moved: float
    witness: Float[np.ndarray, "n d"] | None = None
    assignment: tuple[int, ...] | None = None
    shares: tuple[fmpq, ...] | None = None
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        (n, d), k = self.point.shape, len(self.teacher)
        words = f"The population risk of {n} ReLU students and {k} teachers in R^({n}x{d})"
        if self.kind == "global":
            return f"{words} is 0 at a point within {self.moved!r} of the given one."
        return (
            f"{words} has a nondegenerate saddle of index {self.index} within {self.radius!r} of "
            f"the point, of value in [{self.value_lower!r}, {self.value_upper!r}], with Hessian "
            f"eigenvalues of at least {self.min_eigenvalue_lower!r}; its witness has a lower value."
        )

    def written(self, statement: str) -> dict[str, Any]:
        """Return the JSON object of the certificate's file, with a given sentence.

        **Raises:** `CertificateError` if a field has a type that the file cannot hold.
        """
        found: dict[str, Any] = {"format": FORMAT, "version": VERSION, "statement": statement}
        for name in ARRAYS:
            array = getattr(self, name)
            if array is not None and (type(array) is not np.ndarray or array.dtype != np.float64):
                raise CertificateError(f"'{name}' must be an array of float64.")
            found[name] = None if array is None else to_hex(array.tolist())
        for name in NUMBERS:
            if type(getattr(self, name)) is not float:
                raise CertificateError(f"'{name}' must be a float.")
            found[name] = getattr(self, name)
        shares = None if self.shares is None else [f"{s.p}/{s.q}" for s in self.shares]
        assignment = None if self.assignment is None else list(self.assignment)
        return found | {
            "kind": self.kind,
            "index": self.index,
            "assignment": assignment,
            "shares": shares,
            "versions": self.versions,
        }


def exhibited_point(
    teacher: Float[np.ndarray, "k d"], assignment: Sequence[int], shares: Sequence[fmpq]
) -> Float[np.ndarray, "n d"]:
    """Return students of given shares of their teachers, in float64."""
    rows = [
        float(s.p) / float(s.q) * teacher[j] if j >= 0 else np.zeros(teacher.shape[1])
        for s, j in zip(shares, assignment, strict=True)
    ]
    return np.array(rows)


def read_entries(found: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the fields and the sentence of a JSON object, after checking all of them.

    **Raises:** `CertificateError` if a field is missing, unknown, malformed, or does not fit.
    """
    known = {"format", "version", "statement", *ARRAYS, *NUMBERS, *OTHERS}
    check_head(found, VERSION, known)
    kind, versions = found["kind"], found["versions"]
    if kind not in ("saddle", "global"):
        raise CertificateError("'kind' must be one of saddle, global.")
    check_versions(versions)
    if type(found["index"]) is not int or (found["index"] > 0) != (kind == "saddle"):
        raise CertificateError("'index' must be a count, 0 of a global minimum only.")
    if (found["witness"] is not None) != (kind == "saddle"):
        raise CertificateError("a saddle, and only a saddle, has a witness.")
    entries: dict[str, Any] = {name: read_number(name, found[name]) for name in NUMBERS}
    for name, rank in ARRAYS.items():
        raw = found[name]
        entries[name] = None if raw is None else read_array(name, raw, rank)
    entries |= {"kind": kind, "index": found["index"], "versions": versions}
    _check_shapes(entries)
    return entries | _shares(found, kind, entries), found["statement"]


def _check_shapes(entries: Mapping[str, Any]) -> None:
    """Check that all arrays belong to one problem."""
    if any(entries[name] is None for name in ARRAYS if name != "witness"):
        raise CertificateError("the point, the teacher or a second layer is missing.")
    n, d = entries["point"].shape
    k = len(entries["teacher_weights"])
    shapes = {
        "given": (n, d), "witness": (n, d), "teacher": (k, d), "student_weights": (n,),
    }  # fmt: skip
    if 0 in (n, d, k):
        raise CertificateError("'point' or 'teacher' is empty.")
    for name, shape in shapes.items():
        if entries[name] is not None and entries[name].shape != shape:
            raise CertificateError(f"'{name}' must have shape {shape}.")


def _shares(found: Mapping[str, Any], kind: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """Read which teacher each student is along, and by how much."""
    raw, places = found["shares"], found["assignment"]
    if kind == "saddle":
        if raw is not None or places is not None:
            raise CertificateError("only a global minimum has shares.")
        return {"shares": None, "assignment": None}
    n, k = len(entries["point"]), len(entries["teacher"])
    if not isinstance(places, list) or len(places) != n:
        raise CertificateError("'assignment' must have a teacher's number for each student.")
    if not all(type(j) is int and -1 <= j < k for j in places):
        raise CertificateError("'assignment' must hold numbers of teachers, or -1.")
    if not isinstance(raw, list) or len(raw) != n:
        raise CertificateError("'shares' must have a fraction for each student.")
    return {"shares": tuple(map(read_fraction, raw)), "assignment": tuple(places)}


def read_fraction(raw: Any) -> fmpq:
    """Read p/q."""
    if not isinstance(raw, str) or len(raw) > LONGEST_SHARE:
        raise CertificateError("'shares' must hold fractions.")
    top, _, bottom = raw.partition("/")
    try:
        share = fmpq(int(top), int(bottom))
    except (ValueError, ZeroDivisionError):
        raise CertificateError("'shares' must hold fractions.") from None
    if f"{share.p}/{share.q}" != raw:
        raise CertificateError("'shares' must hold fractions in lowest terms.")
    return share
