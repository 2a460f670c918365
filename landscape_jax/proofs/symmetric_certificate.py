"""Certificates of critical points that a product of symmetric groups fixes, at any width."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from flint import arb
from jaxtyping import Float

from landscape_jax.proofs.blocks import Blocks, dense, matched
from landscape_jax.proofs.certificate_file import (
    CertificateError,
    check_head,
    check_versions,
    read_array,
    read_number,
    to_hex,
)
from landscape_jax.proofs.claim import Claim

PointKind = Literal["global", "spurious", "minimum", "saddle"]
POINT_KINDS: tuple[PointKind, ...] = get_args(PointKind)
FORMAT = "landscape_jax symmetric certificate"
VERSION = 1
BOUNDS = ("value_lower", "value_upper", "min_eigenvalue_lower", "radius", "seconds")
SIZES = ("blocks", "teacher_blocks")
MOST_BLOCKS = 12
# A fixed space of more unknowns is no smaller problem, and takes long to check.
MOST_UNKNOWNS = 60


@dataclass(frozen=True, eq=False, repr=False)
class SymmetricCertificate(Claim):
    """A critical point x* of the population risk of orthonormal teachers, by symmetry.  Truthy.

    F(W) = ½ E(Σᵢ aᵢ relu(wᵢ·x) − Σⱼ bⱼ relu(vⱼ·x))² over x ~ N(0, I) with orthonormal vⱼ, W in
    coordinates along them.  Students come in blocks of sizes `blocks`, teachers in
    `teacher_blocks`; student block i is matched to teacher block i where both have one size.  A
    point of the fixed space is given by `values`, (M, m + 1): `values[j, i]` is coordinate j of a
    student of block i (along its own teacher, if i = j are matched), `values[i, m]` its coordinate
    along the other teachers of a matched block of at least 2; all else is 0.  `point` is that W.

    The statement: within `radius` of the point (Euclidean) F has a critical point x*, fixed by the
    group; `value_lower` ≤ F(x*) ≤ `value_upper`; its Hessian is nondegenerate, with `index`
    negative eigenvalues and none below `min_eigenvalue_lower`, so x* is isolated.  In R^d with
    d > k the same holds of minima, all neurons padded with zeros (SS18, lemma 3).

    `kind`: "saddle" if `index` > 0, with a point of lower value: `witness` are the unknowns (see
    `blocks`) where teacher block j, and what is matched to it, is cut into the parts
    `witness_cuts[j]`; "spurious" if F(x*) > 0 and the value 0 is attained, since there are as many
    students of each sign of second-layer weight as teachers; "minimum" if that is not so;
    "global": `values` themselves have the teacher's function, exactly, each student along its own
    teacher; then `radius` is 0, and nothing is said of isolation.
    """

    kind: PointKind
    index: int
    n: int
    k: int
    blocks: tuple[int, ...]
    teacher_blocks: tuple[int, ...]
    values: Float[np.ndarray, "M columns"]
    student_weights: Float[np.ndarray, " m"]
    teacher_weights: Float[np.ndarray, " M"]
    value_lower: float
    value_upper: float
    min_eigenvalue_lower: float
    radius: float
    witness_cuts: dict[int, tuple[int, ...]] | None = None
    witness: Float[np.ndarray, " unknowns"] | None = None
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    # How far the given point was moved.  Not in the file: the point is given up to the order of
    # neurons and teachers, and nothing that grows with k is kept.
    moved: float = 0.0

    @property
    def group(self) -> Blocks:
        """Return the blocks with exact second-layer weights."""
        a, b = self.student_weights.tolist(), self.teacher_weights.tolist()
        return exact_blocks(self.blocks, self.teacher_blocks, a, b)

    @property
    def point(self) -> Float[np.ndarray, "n k"]:
        """Return W, (n, k), students and teachers in the order of their blocks."""
        return dense(self.group, to_unknowns(self.group, self.values))

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        sizes = f"blocks {list(self.blocks)} by {list(self.teacher_blocks)}"
        words = f"The population risk of {self.n} ReLU students and {self.k} orthonormal teachers"
        words += f" in R^({self.n}x{self.k}){self._weights()}"
        if self.kind == "global":
            return f"{words} is 0 at the point with {sizes}, its global minimum."
        what = {
            "spurious": "strict local minimum that is not global",
            "minimum": "strict local minimum",
            "saddle": f"nondegenerate saddle of index {self.index}",
        }[self.kind]  # type: ignore[index]
        return (
            f"{words} has a {what}, fixed by the symmetry of {sizes}, within {self.radius!r} of "
            f"the point, of value in [{self.value_lower!r}, {self.value_upper!r}], with Hessian "
            f"eigenvalues of at least {self.min_eigenvalue_lower!r}."
        )

    def _weights(self) -> str:
        """Name second layers other than ones."""
        if np.all(self.student_weights == 1) and np.all(self.teacher_weights == 1):
            return " (all second-layer weights 1)"
        a, b = self.student_weights.tolist(), self.teacher_weights.tolist()
        return f" (second-layer weights by blocks {a} and {b})"

    def written(self, statement: str) -> dict[str, Any]:
        """Return the JSON object of the certificate's file, with a given sentence.

        **Raises:** `CertificateError` if a field has a type that the file cannot hold.
        """
        found: dict[str, Any] = {"format": FORMAT, "version": VERSION, "statement": statement}
        for name in ("kind", "index", "n", "k", *SIZES, *BOUNDS, "versions"):
            entry = getattr(self, name)
            if name in BOUNDS and type(entry) is not float:
                raise CertificateError(f"'{name}' must be a float, not {type(entry).__name__}.")
            found[name] = list(entry) if isinstance(entry, tuple) else entry
        cuts = self.witness_cuts
        found["witness_cuts"] = None if cuts is None else {str(j): list(p) for j, p in cuts.items()}
        for name in ("values", "student_weights", "teacher_weights", "witness"):
            entry = getattr(self, name)
            if name == "witness" and entry is None:
                found[name] = None
                continue
            if type(entry) is not np.ndarray or entry.dtype != np.float64:
                raise CertificateError(f"'{name}' must be an array of float64.")
            found[name] = to_hex(entry.tolist())
        return found


def exact_blocks(
    students: Sequence[int],
    teachers: Sequence[int],
    student_weights: Sequence[float],
    teacher_weights: Sequence[float],
) -> Blocks:
    """Return blocks matched by their sizes, with second-layer weights as balls of radius 0."""
    return Blocks(
        tuple(students),
        tuple(teachers),
        matched(students, teachers),
        tuple(arb(float(a)) for a in student_weights),
        tuple(arb(float(b)) for b in teacher_weights),
    )


def to_unknowns(blocks: Blocks, values: Float[np.ndarray, "M columns"]) -> list[float]:
    """Return the unknowns of a fixed space from the table of values."""
    last = len(blocks.students)
    return [
        float(values[blocks.match[i], last] if j is None else values[j, i])
        for i, j in blocks.unknowns
    ]


def to_values(blocks: Blocks, x: Sequence[float]) -> Float[np.ndarray, "M columns"]:
    """Return the table of values from the unknowns, 0 where there is none."""
    last = len(blocks.students)
    values = np.zeros((len(blocks.teachers), last + 1))
    for u, (i, j) in enumerate(blocks.unknowns):
        values[(blocks.match[i], last) if j is None else (j, i)] = x[u]
    return values


def read_entries(found: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the fields and the sentence of a JSON object, after checking all of them.

    **Raises:** `CertificateError` if a field is missing, unknown, malformed, or does not fit.
    """
    arrays = {"values": 2, "student_weights": 1, "teacher_weights": 1, "witness": 1}
    names = {"kind", "index", "n", "k", *SIZES, *BOUNDS, *arrays, "witness_cuts", "versions"}
    known = {"format", "version", "statement"} | names
    check_head(found, VERSION, known)
    if found["kind"] not in POINT_KINDS:
        raise CertificateError(f"'kind' must be one of {', '.join(POINT_KINDS)}.")
    versions = found["versions"]
    check_versions(versions)
    entries: dict[str, Any] = {"kind": found["kind"], "versions": versions}
    for name in ("index", "n", "k"):
        if type(found[name]) is not int or found[name] < 0:
            raise CertificateError(f"'{name}' must be a count.")
        entries[name] = found[name]
    saddle = found["kind"] == "saddle"
    if any((found[name] is not None) != saddle for name in ("witness", "witness_cuts")):
        raise CertificateError("a saddle, and only a saddle, has a witness and how blocks are cut.")
    entries |= {name: _sizes(name, found[name]) for name in SIZES}
    cuts = found["witness_cuts"]
    if cuts is not None and not isinstance(cuts, dict):
        raise CertificateError("'witness_cuts' must hold the parts of teacher blocks by number.")
    entries["witness_cuts"] = None if cuts is None else {
        _block(j, entries["teacher_blocks"]): _sizes("witness_cuts", p) for j, p in cuts.items()
    }  # fmt: skip
    entries |= {name: read_number(name, found[name]) for name in BOUNDS}
    for name, rank in arrays.items():
        entries[name] = None if found[name] is None else read_array(name, found[name], rank)
    _check_fit(entries)
    return entries, found["statement"]


def _sizes(name: str, raw: Any) -> tuple[int, ...]:
    """Read sizes of blocks."""
    if not isinstance(raw, list) or not 0 < len(raw) <= MOST_BLOCKS:
        raise CertificateError(f"'{name}' must list from 1 to {MOST_BLOCKS} blocks.")
    if not all(type(size) is int and 0 < size <= 2**31 for size in raw):
        raise CertificateError(f"'{name}' must hold sizes of blocks, at least 1.")
    return tuple(raw)


def _block(raw: str, sizes: tuple[int, ...]) -> int:
    """Read the number of a block."""
    if raw not in [str(j) for j in range(len(sizes))]:
        raise CertificateError(f"'witness_cuts' names the teacher block {raw!r}.")
    return int(raw)


def _check_fit(entries: Mapping[str, Any]) -> None:
    """Check that sizes and arrays belong to one problem, and that what has no meaning is 0."""
    m, teachers = len(entries["blocks"]), len(entries["teacher_blocks"])
    for name, sizes in (("n", "blocks"), ("k", "teacher_blocks")):
        if entries[name] != sum(entries[sizes]):
            raise CertificateError(f"'{name}' is not the sum of '{sizes}'.")
    shapes = {"student_weights": (m,), "teacher_weights": (teachers,), "values": (teachers, m + 1)}
    if m * teachers > MOST_UNKNOWNS:
        raise CertificateError(f"its blocks leave more than {MOST_UNKNOWNS} unknowns.")
    ones = [1.0] * MOST_BLOCKS
    group = exact_blocks(entries["blocks"], entries["teacher_blocks"], ones[:m], ones[:teachers])
    if (cuts := entries["witness_cuts"]) is not None:
        if any(sum(parts) != entries["teacher_blocks"][j] for j, parts in cuts.items()):
            raise CertificateError("'witness_cuts' has parts that are not the whole of a block.")
        shapes["witness"] = (len(group.cut(cuts).fine.unknowns),)
    for name, shape in shapes.items():
        array = entries[name]
        if array is None or array.shape != shape:
            raise CertificateError(f"'{name}' must have shape {shape}.")
    array = entries["values"]
    if not np.array_equal(to_values(group, to_unknowns(group, array)), array):
        raise CertificateError("'values' has entries that belong to no unknown.")
