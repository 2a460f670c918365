"""A rigorous lower bound of the smallest eigenvalue of ∇²F at a point, in any dimension."""

from dataclasses import dataclass

import numpy as np
from flint import arb, arb_mat
from jaxtyping import Float

from landscape_jax.proofs.balls import exact, frobenius, upper
from landscape_jax.proofs.definite import eigenvalue_upper_bound, smallest_eigenvalue
from landscape_jax.proofs.pairs import Pairs, angles, float_neurons, hessian, padding
from landscape_jax.proofs.problem import Problem

# Up to this size the Hessian of the whole space is used; above, that of the teacher's span.
WHOLE_SPACE = 400
LARGEST = 2500


@dataclass(frozen=True)
class HessianBounds:
    """Lower bounds of the Hessian's smallest eigenvalue near a point.

    `inside`: of ∇²F in R^d; `padding`: of M, what each further dimension adds; both at a point
    within `offset` of the point in question.  `descent`: an upper bound of the smallest eigenvalue
    if `inside` is not positive, else `None`.
    """

    inside: float
    padding: float
    offset: float
    descent: float | None = None


def bound_hessian(problem: Problem, point: Float[np.ndarray, "n d"]) -> HessianBounds | str:
    """Bound the Hessian's smallest eigenvalue from below.

    In high dimension F depends on inner products only, so with E a subspace that contains the
    teacher and x₀ the point's projection on E, ∇²F(x₀) = ∇²F|_E(x₀) ⊕ M ⊕ … ⊕ M; see `padding`
    (SS18, lemma 3 and corollary 1).  The distance of x₀ is returned as `offset`.

    **Returns:** the bounds, or the reason why the matrix is too large.
    """
    neurons, weights, students = float_neurons(
        point, problem.student_weights, problem.teacher, problem.teacher_weights
    )
    stacked = [arb(float(c)) for c in weights]
    if students * neurons.shape[1] > WHOLE_SPACE:
        neurons = neurons[:, np.any(neurons != 0, axis=0)]
    reduced = neurons.shape[1] < point.shape[1]
    whole = angles(exact(neurons), stacked, students)
    teachers = len(neurons) - students
    if students * neurons.shape[1] > WHOLE_SPACE and 0 < teachers < neurons.shape[1]:
        span = _in_span(exact(neurons), students)
        if span is not None:
            return _bounds(angles(span[0], stacked, students), True, span[1])
    if students * neurons.shape[1] > LARGEST:
        return f"the Hessian has more than {LARGEST} rows"
    return _bounds(whole, reduced, 0.0)


def _bounds(pairs: Pairs, reduced: bool, offset: float) -> HessianBounds:
    """Bound the Hessian and M; a reduced space's complement adds M's spectrum to the Hessian's."""
    matrix = hessian(pairs)
    own, extra = smallest_eigenvalue(matrix), smallest_eigenvalue(padding(pairs))
    inside = min(own, extra) if reduced else own
    if inside > 0:
        return HessianBounds(inside, extra, offset)
    lowest = eigenvalue_upper_bound(padding(pairs) if own > 0 else matrix)
    return HessianBounds(inside, extra, offset, lowest)


def _in_span(neurons: arb_mat, students: int) -> tuple[arb_mat, float] | None:
    """Project all neurons on the span of the teachers, in orthonormal coordinates.

    With V Vᵀ = C Cᵀ, C lower triangular, the rows of C are the teachers in the orthonormal basis
    Q = C⁻¹V of their span, and the students' coordinates are S = W Qᵀ = W VᵀC⁻ᵀ.

    **Returns:** the coordinates, (n + k, k), and an upper bound of |W − S Q|, the square root of
    |W|² − |S|²; `None` if the teachers are not proven independent.
    """
    total_count, dim = neurons.nrows(), neurons.ncols()
    entries = neurons.entries()
    w = arb_mat(students, dim, entries[: students * dim])
    v = arb_mat(total_count - students, dim, entries[students * dim :])
    factor = _cholesky(v * v.transpose())
    if factor is None:
        return None
    try:
        coordinates = factor.solve(v * w.transpose()).transpose()
    except ZeroDivisionError:
        return None
    rest = frobenius(w) ** 2 - frobenius(coordinates) ** 2
    offset = upper(rest.nonnegative_part().sqrt())
    stacked = coordinates.entries() + factor.entries()
    return arb_mat(total_count, v.nrows(), stacked), offset


def _cholesky(gram: arb_mat) -> arb_mat | None:
    """Return the lower Cholesky factor of a matrix of balls, or `None` if a pivot may be 0."""
    size = gram.nrows()
    factor = [[arb(0)] * size for _ in range(size)]
    for i in range(size):
        for j in range(i + 1):
            rest = gram[i, j] - sum((factor[i][p] * factor[j][p] for p in range(j)), arb(0))
            if i > j:
                factor[i][j] = rest / factor[j][j]
            elif rest > 0:
                factor[i][i] = rest.sqrt()
            else:
                return None
    return arb_mat(factor)
