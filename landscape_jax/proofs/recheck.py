"""The population risk in ball arithmetic once more, by other formulas than `pairs`.

`verify` uses this module alone, so that an error in `pairs` or `eigenvalue_bound` cannot confirm
itself: angles come from differences of unit vectors (Kahan) and not from cosines, derivatives from
the printed equations pair by pair (SS18, eq. 7–10) and not from inner products, a teacher's span
from Gram–Schmidt and not from a Cholesky factor, and definiteness from eigenvectors and not from a
Cholesky factor.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from operator import mul

import numpy as np
from flint import arb, arb_mat, fmpq
from jaxtyping import Float

Vector = list[arb]
Rationals = list[fmpq]
RESOLVED_BITS = 24


def dot(x: Sequence[arb], y: Sequence[arb]) -> arb:
    """Enclose x·y."""
    return sum(map(mul, x, y), arb(0))


def norm(x: Sequence[arb]) -> arb:
    """Enclose |x|."""
    return dot(x, x).nonnegative_part().sqrt()


def vectors(array: Float[np.ndarray, "rows dim"]) -> list[Vector]:
    """Return the rows of a matrix of floats as balls of radius 0."""
    return [[arb(x) for x in row] for row in array.tolist()]


class TeacherRay:
    """A non-zero vector, its length and its direction."""

    def __init__(self, vector: Vector):
        self.norm = norm(vector)
        self.unit = [x / self.norm for x in vector]


class Pair:
    """Two non-zero vectors w and v and the angle t between them.

    t = 2 atan2(|w̄ − v̄|, |w̄ + v̄|) and sin t = ½|w̄ − v̄||w̄ + v̄|, accurate at every angle.
    """

    def __init__(self, w: TeacherRay, v: TeacherRay):
        self.w_norm, self.v_norm = w.norm, v.norm
        self.w_unit, self.v_unit = w.unit, v.unit
        gap = norm([p - q for p, q in zip(w.unit, v.unit, strict=True)])
        span = norm([p + q for p, q in zip(w.unit, v.unit, strict=True)])
        self.sin, self.angle = gap * span / 2, 2 * arb.atan2(gap, span)
        self.opening = arb.pi() - self.angle

    def value(self) -> arb:
        """Enclose f(w, v) (SS18, eq. 7)."""
        bracket = self.sin + self.opening * self.angle.cos()
        return self.w_norm * self.v_norm * bracket / (2 * arb.pi())

    def gradients(self) -> tuple[Vector, Vector]:
        """Enclose ∂f/∂w = g(w, v) and ∂f/∂v = g(v, w) (SS18, eq. 8)."""
        both = list(zip(self.w_unit, self.v_unit, strict=True))
        half = 1 / (2 * arb.pi())
        first, second = self.v_norm * half, self.w_norm * half
        return (
            [first * (self.sin * p + self.opening * q) for p, q in both],
            [second * (self.sin * q + self.opening * p) for p, q in both],
        )

    def normals(self) -> tuple[Vector, Vector] | None:
        """Enclose n̄_{v,w} and n̄_{w,v} (SS18, eq. 9), or `None` for an unresolved angle."""
        if not (self.sin > 0 and self.sin.rel_accuracy_bits() >= RESOLVED_BITS):
            return None
        cos = dot(self.w_unit, self.v_unit)
        both = list(zip(self.w_unit, self.v_unit, strict=True))
        first, second = [q - cos * p for p, q in both], [p - cos * q for p, q in both]
        lengths = norm(first), norm(second)
        return [x / lengths[0] for x in first], [x / lengths[1] for x in second]


class RiskAtPoint:
    """A point of the risk: live neurons, their weights (a, then −b), and every pair's angle.

    Students that are zero or of weight 0 are left out: they add nothing to the value.
    """

    def __init__(self, students: list[Vector], a: Vector, teachers: list[Vector], b: Vector):
        own = [(c, w) for c, w in zip(a, students, strict=True) if not _null(c, w)]
        given = [(-c, v) for c, v in zip(b, teachers, strict=True) if not _null(c, v)]
        self.count = len(own)
        self.weights = [c for c, _ in own + given]
        self.neurons = [u for _, u in own + given]
        self.rays = [TeacherRay(u) for u in self.neurons]
        self.norms = [ray.norm for ray in self.rays]

    @cached_property
    def pairs(self) -> dict[tuple[int, int], Pair]:
        """Return all pairs i < j."""
        size = range(len(self.neurons))
        return {(i, j): Pair(self.rays[i], self.rays[j]) for j in size for i in range(j)}

    def _pair(self, i: int, j: int) -> Pair:
        """Return the pair {i, j}, whose order does not matter to the caller."""
        return self.pairs[min(i, j), max(i, j)]

    def _partners(self, i: int) -> list[int]:
        """List all other neurons."""
        return [j for j in range(len(self.neurons)) if j != i]

    def value(self) -> arb:
        """Enclose F (SS18, eq. 6)."""
        result = arb(0)
        for c, r in zip(self.weights, self.norms, strict=True):
            result += (c * r) ** 2 / 4
        for (i, j), pair in self.pairs.items():
            result += self.weights[i] * self.weights[j] * pair.value()
        return result

    def gradient_norm(self) -> arb:
        """Enclose |∇F|."""
        c = self.weights
        rows = [[c[i] / 2 * x for x in self.neurons[i]] for i in range(self.count)]
        for (i, j), pair in self.pairs.items():
            first, second = pair.gradients()
            if i < self.count:
                rows[i] = [x + c[j] * y for x, y in zip(rows[i], first, strict=True)]
            if j < self.count:
                rows[j] = [x + c[i] * y for x, y in zip(rows[j], second, strict=True)]
        return norm([c[i] * x for i, row in enumerate(rows) for x in row])

    def padding(self) -> arb_mat:
        """Enclose M as printed in SS18, lemma 3, with second-layer weights."""
        pi, c, r = arb.pi(), self.weights, self.norms
        rows: list[Vector] = []
        for i in range(self.count):
            row = [arb(0)] * self.count
            for j in range(self.count):
                if i != j:
                    row[j] = c[i] * c[j] * (pi - self._pair(i, j).angle) / (2 * pi)
            row[i] = c[i] ** 2 / 2
            for j in self._partners(i):
                row[i] += c[i] * c[j] * self._pair(i, j).sin * r[j] / (2 * pi * r[i])
            rows.append(row)
        return arb_mat(rows)

    def hessian(self) -> arb_mat:
        """Enclose ∇²F block by block (SS18, eq. 10)."""
        dim = len(self.neurons[0])
        rows = [[arb(0)] * (self.count * dim) for _ in range(self.count * dim)]
        for i in range(self.count):
            _write_block(rows, self._own(i), i, i)
            for j in range(i):
                block = self._mixed(j, i)
                _write_block(rows, block, j, i)
                _write_block(rows, block.transpose(), i, j)
        return arb_mat(rows)

    def _own(self, i: int) -> arb_mat:
        """Enclose ½cᵢ²I + Σⱼ cᵢcⱼ h₁(uᵢ, uⱼ), h₁ = sin t|v|/(2π|w|)(I − w̄w̄ᵀ + n̄n̄ᵀ)."""
        dim = len(self.neurons[i])
        diagonal, unresolved = self.weights[i] ** 2 / 2, arb(0)
        unit = self.rays[i].unit
        weighted, normals = [], []
        along = arb(0)
        for j in self._partners(i):
            pair = self._pair(i, j)
            scale = self.weights[i] * self.weights[j] * pair.sin * self.norms[j]
            scale /= 2 * arb.pi() * self.norms[i]
            known = pair.normals()
            if known is None:
                unresolved += 2 * abs(scale)  # |h₁| = sin t|v|/(π|w|), entry by entry
                continue
            normal = known[0] if i < j else known[1]
            diagonal += scale
            along += scale
            normals += normal
            weighted += [scale * x for x in normal]
        normals += unit
        weighted += [-along * x for x in unit]
        count = len(normals) // dim
        block = arb_mat(count, dim, normals).transpose() * arb_mat(count, dim, weighted)
        for p in range(dim):
            block[p, p] += diagonal
        return block + arb_mat(dim, dim, [_centred(unresolved)] * (dim * dim))

    def _mixed(self, i: int, j: int) -> arb_mat:
        """Enclose cᵢcⱼ h₂(uᵢ, uⱼ), h₂ = ((π − t)I + n̄_{w,v}v̄ᵀ + n̄_{v,w}w̄ᵀ)/2π."""
        dim, pair = len(self.neurons[i]), self.pairs[i, j]
        scale = self.weights[i] * self.weights[j] / (2 * arb.pi())
        known = pair.normals()
        if known is None:  # the last two terms are sin t times a reflection
            block = arb_mat(dim, dim, [_centred(scale * pair.sin)] * (dim * dim))
        else:
            left = arb_mat(2, dim, known[1] + known[0]).transpose()
            block = left * arb_mat(2, dim, pair.v_unit + pair.w_unit) * scale
        for p in range(dim):
            block[p, p] += scale * pair.opening
        return block


def positive_definite(matrix: arb_mat, level: arb) -> bool:
    """Check whether every symmetric matrix A in the enclosure exceeds `level` times the identity.

    Only the triangle up to the diagonal is read.

    BBᵀ is positive semidefinite for any matrix B, so A ≥ μ − |A − μI − BBᵀ|_F for any number μ, and
    this is to exceed the level.  μ is taken between the level and the smallest eigenvalue of the
    midpoint QΛQᵀ, and B = Q(Λ − μ)^½, in floats; nothing depends on how accurate they are.
    """
    size = matrix.nrows()
    guess = np.zeros((size, size))
    guess[np.tril_indices(size)] = [float(x) for row in _triangle(matrix) for x in row]
    if not np.isfinite(guess).all():
        return False
    try:
        spectrum, eigenvectors = np.linalg.eigh(guess)
    except np.linalg.LinAlgError:
        return False
    between = (float(level) + float(spectrum[0])) / 2
    if not (np.isfinite(between) and between < spectrum[0]):
        return False
    factor = arb_mat(
        size, size, _on_grid(eigenvectors * np.sqrt(spectrum - between)).ravel().tolist()
    )
    rest = matrix - factor * factor.transpose()
    for p in range(size):
        rest[p, p] -= between
    diagonal = [rest[p, p] for p in range(size)]
    beside = norm([x for row in _triangle(rest) for x in row[:-1]])
    return bool(between - norm([*diagonal, beside, beside]) > level)


def _triangle(matrix: arb_mat) -> Iterator[Vector]:
    """Return the rows up to the diagonal."""
    entries, size = matrix.entries(), matrix.ncols()
    return (entries[p * size : p * size + p + 1] for p in range(matrix.nrows()))


def _on_grid(matrix: Float[np.ndarray, "size size"]) -> Float[np.ndarray, "size size"]:
    """Round to multiples of 2⁻⁵⁴ of the largest entry: exact products of those are faster."""
    unit = 2.0 ** (int(np.frexp(np.max(np.abs(matrix)))[1]) - 54)
    return np.round(matrix / unit) * unit


def gram(rows: list[Vector]) -> arb_mat:
    """Enclose the inner products of rows."""
    table = arb_mat(rows)
    return table * table.transpose()


def rays(
    teacher: Float[np.ndarray, "k d"], weights: Float[np.ndarray, " k"]
) -> list[tuple[int, Rationals]]:
    """Merge the teacher's neurons on one ray, exactly: those of equal v / max |v| in rationals.

    **Returns:** for each ray that does not cancel, the sign of Σ bⱼ|vⱼ| and the vector Σ bⱼvⱼ.
    """
    alive = np.flatnonzero((weights != 0) & teacher.any(axis=1)).tolist()
    norms = np.linalg.norm(teacher, axis=1)
    # Float inner products are off by less; NaN, beyond the range of floats, merges nothing.
    near = teacher @ teacher.T > (1 - 1e-6) * norms[:, None] * norms
    found: dict[int | tuple[fmpq, ...], tuple[Rationals, Rationals]] = {}
    for j in alive:
        row = [fmpq(*x.as_integer_ratio()) for x in teacher[j].tolist()]
        mass = fmpq(*float(weights[j]).as_integer_ratio())
        length = max(abs(x) for x in row)
        ray = j if near[j].sum() < 2 else tuple(x / length for x in row)
        first, old = found.get(ray, (row, [fmpq(0)] * len(row)))
        found[ray] = first, [x + mass * y for x, y in zip(old, row, strict=True)]
    signed = [(sum(map(mul, first, u), fmpq(0)), u) for first, u in found.values()]
    return [(1 if along > 0 else -1, u) for along, u in signed if along != 0]


def orthonormal(teachers: list[Vector]) -> list[Vector] | None:
    """Return Gram–Schmidt's basis of the teachers' span, or `None` if they look dependent."""
    basis: list[Vector] = []
    for v in teachers:
        rest = v
        for q in basis:
            part = dot(v, q)
            rest = [x - part * y for x, y in zip(rest, q, strict=True)]
        length = norm(rest)
        if not (length > 0 and length.rel_accuracy_bits() >= RESOLVED_BITS):
            return None
        basis.append([x / length for x in rest])
    return basis


def _null(weight: arb, vector: Vector) -> bool:
    """Check whether a neuron contributes nothing."""
    return weight.is_zero() or all(x.is_zero() for x in vector)


def _centred(bound: arb) -> arb:
    """Return a ball around 0 that contains all numbers of absolute value up to `bound`."""
    return (-bound.abs_upper()).union(bound.abs_upper())


def _write_block(rows: list[Vector], block: arb_mat, i: int, j: int) -> None:
    """Write a block into a matrix of blocks."""
    dim = block.nrows()
    for p, row in enumerate(block.tolist()):
        rows[i * dim + p][j * dim : (j + 1) * dim] = row
