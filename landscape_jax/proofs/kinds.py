"""Decide whether a proven minimum is global, spurious, or neither is known."""

import numpy as np
from flint import arb, arb_mat
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from landscape_jax.proofs.balls import exact, frobenius, midpoints, upper
from landscape_jax.proofs.certificate_file import Kind
from landscape_jax.proofs.pairs import value
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.teacher_rays import rays


def kind_of(
    problem: Problem,
    point: Float[np.ndarray, "n d"],
    witness: Float[np.ndarray, "n d"] | None,
    least: float,
    uniqueness: float,
) -> tuple[Kind, float | None]:
    """Decide whether a minimum of value at least `least` is global or spurious.

    **Returns:** the kind, and an upper bound of the witness' value if that makes it spurious.
    """
    if is_teacher(problem, point, uniqueness):
        return "global", None
    if witness is not None:
        bound = upper(value(problem.pairs(witness)))
        if bound < least:
            return "spurious", bound
    return "minimum", None


def is_teacher(problem: Problem, point: Float[np.ndarray, "n d"], uniqueness: float) -> bool:
    """Check whether a W with the teacher's function lies within `uniqueness` of the point.

    With one neuron u of sign σ for each of the teacher's rays (see `teacher.rays`), the student
    aᵢ relu(wᵢ·x) is σ relu(σu·x) where wᵢ = u/aᵢ and aᵢ has the sign σ; students are matched to
    rays by an assignment.  At such a W, F = 0 and so ∇F = 0: it is the only critical point there,
    x* = W.  Sufficient, not necessary: relu(t) − relu(−t) = t is not used.
    """
    found = rays(problem.teacher, problem.teacher_weights)
    inner = problem.student_weights
    if len(found) != len(inner):
        return False
    merged = arb_mat([[arb(x) for x in u] for _, u in found])
    target = midpoints(merged) / inner[:, None, None]
    distance = np.sum((point[:, None] - target) ** 2, axis=2)
    same = np.sign(inner)[:, None] == [sign for sign, _ in found]
    allowed = same & np.isfinite(distance)
    rows, columns = linear_sum_assignment(np.where(allowed, distance, 1e300))
    if not np.all(allowed[rows, columns]):
        return False
    table = merged.tolist()
    matched = [
        x / arb(float(inner[i])) for i, j in zip(rows, columns, strict=True) for x in table[j]
    ]
    gaps = exact(point) - arb_mat(point.shape[0], point.shape[1], matched)
    return bool(frobenius(gaps) < uniqueness)
