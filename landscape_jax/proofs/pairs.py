"""The population risk in ball arithmetic: value, gradient and Hessian at a point.

Students wᵢ and teachers vⱼ are treated alike: neurons uᵢ with second-layer weights cᵢ, students
first with cᵢ = aᵢ, then teachers with c = −b.  With t the angle between w and v and
f(w, v) = E[relu(w·x) relu(v·x)] = |w||v|(sin t + (π − t) cos t)/2π over x ~ N(0, I),

    F = ½ Σᵢⱼ cᵢ cⱼ f(uᵢ, uⱼ)   and   ∂F/∂wᵢ = cᵢ Σⱼ cⱼ g(uᵢ, uⱼ),
    g(w, v) = (|v| sin t w̄ + (π − t) v)/2π,   w̄ = w/|w|.

Source: SS18, eq. 6–10; second-layer weights multiply each pair term.
"""

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat
from jaxtyping import Float

from landscape_jax.proofs.balls import Vector, exact, symmetric, total

# A sine known to fewer bits than this counts as unresolved: its pair is treated as parallel.
RESOLVED_BITS = 24


@dataclass(frozen=True)
class Pairs:
    """Neurons and the angles between them.

    `neurons` (n + k, d), students first; `weights` the cᵢ; `students` n; `norms` |uᵢ|; `units`
    uᵢ/|uᵢ|; `cos`, `sin`, `angle` the tables of cos t, sin t and t, symmetric, diagonal unused.
    """

    neurons: arb_mat
    weights: Vector
    students: int
    norms: Vector
    units: list[Vector]
    cos: list[Vector]
    sin: list[Vector]
    angle: list[Vector]

    def others(self, i: int) -> list[int]:
        """List the indices of all neurons but the i-th."""
        return [j for j in range(len(self.weights)) if j != i]


def float_neurons(
    students: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    teacher: Float[np.ndarray, "k d"],
    teacher_weights: Float[np.ndarray, " k"],
) -> tuple[Float[np.ndarray, "neurons d"], Float[np.ndarray, " neurons"], int]:
    """Stack students and teachers with weights a and −b; neurons of weight or norm 0 are left out.

    **Returns:** the neurons, their weights c, and the number of students among them.
    """
    student_alive = (weights != 0) & np.any(students != 0, axis=1)
    teacher_alive = (teacher_weights != 0) & np.any(teacher != 0, axis=1)
    neurons = np.concatenate([students[student_alive], teacher[teacher_alive]])
    stacked = np.concatenate([weights[student_alive], -teacher_weights[teacher_alive]])
    return neurons, stacked, int(student_alive.sum())


def angles(neurons: arb_mat, weights: Vector, students: int) -> Pairs:
    """Enclose all angles, from the Gram matrix of the neurons.

    Of the half angle, sin(t/2) = √((1 − cos t)/2) and cos(t/2) = √((1 + cos t)/2) are never both
    near 0, so t = 2 atan2(sin(t/2), cos(t/2)) is well enclosed at every angle, parallel pairs
    included (there to half the working precision).
    """
    count, dim = neurons.nrows(), neurons.ncols()
    gram = (neurons * neurons.transpose()).tolist()
    norms = [gram[i][i].sqrt() for i in range(count)]
    rows = neurons.tolist() if dim else [[] for _ in range(count)]
    units = [[x / r for x in row] for row, r in zip(rows, norms, strict=True)]
    cos, sin, angle = ([[arb(0)] * count for _ in range(count)] for _ in range(3))
    for i in range(count):
        for j in range(i):
            c = gram[i][j] / (norms[i] * norms[j])
            s_half, c_half = (1 - c).nonnegative_part().sqrt(), (1 + c).nonnegative_part().sqrt()
            cos[i][j] = cos[j][i] = c
            sin[i][j] = sin[j][i] = s_half * c_half
            angle[i][j] = angle[j][i] = 2 * arb.atan2(s_half, c_half)
    return Pairs(neurons, weights, students, norms, units, cos, sin, angle)


def float_pairs(
    students: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    teacher: Float[np.ndarray, "k d"],
    teacher_weights: Float[np.ndarray, " k"],
) -> Pairs:
    """Enclose all angles at a point of floats; see `float_neurons` and `angles`."""
    neurons, stacked, count = float_neurons(students, weights, teacher, teacher_weights)
    return angles(exact(neurons), [arb(float(c)) for c in stacked], count)


def value(pairs: Pairs) -> arb:
    """Enclose F = ½ Σᵢⱼ cᵢ cⱼ f(uᵢ, uⱼ), where f(u, u) = ½|u|² (SS18, eq. 6, 7).

    ```python
    >>> orthogonal = float_pairs(np.eye(2)[:1], np.ones(1), np.eye(2)[1:], np.ones(1))
    >>> abs(float(value(orthogonal)) - (0.5 - 0.5 / np.pi)) < 1e-15
    True

    ```
    """
    pi, c, r = arb.pi(), pairs.weights, pairs.norms
    diagonal = [(c[i] * r[i]) ** 2 / 4 for i in range(len(c))]
    crossed = [
        c[i] * c[j] * r[i] * r[j]
        * (pairs.sin[i][j] + (pi - pairs.angle[i][j]) * pairs.cos[i][j])
        for i in range(len(c))
        for j in range(i)
    ]  # fmt: skip
    return total(diagonal) + total(crossed) / (2 * pi)


def coefficients(pairs: Pairs) -> arb_mat:
    """Enclose K, (n, n + k), with ∇F = K U for the matrix U of all neurons, one a row.

    Kᵢⱼ = cᵢcⱼ(π − tᵢⱼ)/2π for j ≠ i, and Kᵢᵢ = ½cᵢ² + (cᵢ/2π|uᵢ|) Σⱼ cⱼ|uⱼ| sin tᵢⱼ: collect the
    multiples of each neuron in ∂F/∂wᵢ = cᵢ Σⱼ cⱼ g(uᵢ, uⱼ), where g(u, u) = ½u.
    The first n columns are the matrix M of SS18, lemma 3; see `padding`.
    """
    pi, c, r = arb.pi(), pairs.weights, pairs.norms
    entries: Vector = []
    for i in range(pairs.students):
        others = pairs.others(i)
        from_sines = total([c[j] * r[j] * pairs.sin[i][j] for j in others])
        row = [c[i] * c[j] * (pi - pairs.angle[i][j]) / (2 * pi) for j in range(len(c))]
        row[i] = c[i] ** 2 / 2 + c[i] * from_sines / (2 * pi * r[i])
        entries += row
    return arb_mat(pairs.students, len(c), entries)


def gradient(pairs: Pairs) -> arb_mat:
    """Enclose ∇F, (n, d) (SS18, eq. 8)."""
    return coefficients(pairs) * pairs.neurons


def padding(pairs: Pairs) -> arb_mat:
    """Enclose M, (n, n): the Hessian in each direction orthogonal to all neurons.

    The gradient is K U with K a function of inner products alone.  Moving wᵢ by εpᵢe, with e a
    unit vector orthogonal to every neuron, changes inner products in second order only, so ∇F
    changes by εMp e: the Hessian of F in R^(d+m) at a point padded with m zero coordinates is
    ∇²F ⊕ M ⊕ … ⊕ M (SS18, lemma 3).
    """
    n = pairs.students
    table = coefficients(pairs).tolist()
    return arb_mat(n, n, [x for row in table for x in row[:n]])


def hessian(pairs: Pairs) -> arb_mat:
    """Enclose ∇²F, (n d, n d), the neurons' blocks in order (SS18, eq. 9, 10).

    With m = v̄ − cos t w̄ (so |m| = sin t) the second derivatives of f are

        ∂²f/∂w²  = |v|/(2π|w|) (sin t (I − w̄w̄ᵀ) + mmᵀ/sin t),      of norm |v| sin t/(π|w|),
        ∂²f/∂w∂v = ((π − t) I + R)/2π,
        R = (w̄v̄ᵀ + v̄w̄ᵀ − cos t (w̄w̄ᵀ + v̄v̄ᵀ))/sin t,               of norm sin t,

    R being sin t times a reflection of the plane of w and v.  The multiples of I make M ⊗ I, so
    ∇²F = M ⊗ I + D with D the rest.  As sin t → 0 the other terms tend to 0: F is twice
    continuously differentiable wherever no neuron of non-zero weight is 0, parallel neurons
    included (f − w·v/2 = O(t³) there), though not three times.  If sin t is not resolved, the
    norms above enclose the terms entry by entry.
    """
    n, dim = pairs.students, pairs.neurons.ncols()
    m = padding(pairs).tolist()
    blocks: list[list[Vector]] = [[[] for _ in range(n)] for _ in range(n)]
    for i in range(n):
        blocks[i][i] = own_block(pairs, i).entries()
        for j in range(i):
            blocks[i][j] = _crossed_block(pairs, i, j).entries()
    for i in range(n):
        for j in range(i + 1):
            block = blocks[i][j]
            for p in range(0, dim * dim, dim + 1):
                block[p] += m[i][j]
            # D's off-diagonal blocks are symmetric matrices, so the mirrored block is the same.
            blocks[j][i] = block
    rows = [
        x for i in range(n) for p in range(dim) for j in range(n)
        for x in blocks[i][j][p * dim : (p + 1) * dim]
    ]  # fmt: skip
    return arb_mat(n * dim, n * dim, rows)


def resolved(s: arb) -> bool:
    """Check whether a sine is known to be positive, to some relative accuracy."""
    return bool(s > 0) and s.rel_accuracy_bits() >= RESOLVED_BITS


def _crossed_block(pairs: Pairs, i: int, j: int) -> arb_mat:
    """Enclose cᵢcⱼ R/2π of two students, (d, d)."""
    dim, s, c = pairs.neurons.ncols(), pairs.sin[i][j], pairs.cos[i][j]
    scale = pairs.weights[i] * pairs.weights[j] / (2 * arb.pi())
    if not resolved(s):
        return arb_mat(dim, dim, [symmetric(scale * s)] * (dim * dim))
    plane = arb_mat(2, dim, pairs.units[i] + pairs.units[j])
    core = arb_mat(2, 2, [-c, arb(1), arb(1), -c]) * (scale / s)
    return plane.transpose() * core * plane


def own_block(pairs: Pairs, i: int) -> arb_mat:
    """Enclose D's block of student i: Σⱼ cᵢcⱼ|uⱼ|/(2π|wᵢ|) (mⱼmⱼᵀ/sin t − sin t w̄w̄ᵀ), (d, d)."""
    dim, unit = pairs.neurons.ncols(), pairs.units[i]
    left, right = [], []
    unresolved, along = arb(0), arb(0)
    for j in pairs.others(i):
        s, c = pairs.sin[i][j], pairs.cos[i][j]
        scale = (
            pairs.weights[i] * pairs.weights[j] * pairs.norms[j] / (2 * arb.pi() * pairs.norms[i])
        )
        if resolved(s):
            m = [v - c * w for v, w in zip(pairs.units[j], unit, strict=True)]
            left += m
            right += [x * (scale / s) for x in m]
        else:
            unresolved += symmetric(scale * s)
        along += scale * s
    left += unit
    right += [-along * x for x in unit]
    count = len(left) // dim
    block = arb_mat(count, dim, left).transpose() * arb_mat(count, dim, right)
    return block + arb_mat(dim, dim, [unresolved] * (dim * dim))
