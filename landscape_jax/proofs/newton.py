"""Newton's method on the population risk: from a candidate to a point of gradient about 1e-15.

Nothing here is trusted: the proof starts from the point that comes out.
"""

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.balls import midpoints
from landscape_jax.proofs.estimates import float_gradient, float_hessian
from landscape_jax.proofs.pairs import gradient
from landscape_jax.proofs.problem import Problem

STEPS = 30
REFINEMENTS = 3


def polish(
    problem: Problem, start: Float[np.ndarray, "n d"], reach: float
) -> Float[np.ndarray, "n d"]:
    """Move to a point of smaller gradient, at most `reach` away in Euclidean distance.

    Damped Newton steps in float64 while the gradient's norm falls, then steps with the last
    Hessian and the gradient in ball arithmetic.  If the teacher spans less than the space, the
    steps are taken in its span: a critical point with M positive definite lies there (M W = −T V,
    see `pairs.coefficients`), and the span's Hessian is small.
    """
    basis = _basis(problem, len(start))
    reduced = Problem(problem.teacher @ basis, problem.teacher_weights, problem.student_weights)
    inside = start @ basis
    limit = reach * reach - float(np.sum((start - inside @ basis.T) ** 2))
    if limit <= 0:
        return start
    origin = inside
    hessian = None
    for _ in range(STEPS):
        grad = float_gradient(reduced, inside)
        norm = float(np.linalg.norm(grad))
        hessian = float_hessian(reduced, inside)
        move = _newton(hessian, grad)
        better = _shorten(reduced, inside, move, norm, origin, limit)
        if better is None:
            break
        inside = better
    return start if hessian is None else _refine(problem, start, inside, basis, hessian, reach)


def _newton(
    hessian: Float[np.ndarray, "p p"], grad: Float[np.ndarray, "n r"]
) -> Float[np.ndarray, "n r"]:
    """Solve for the Newton step; 0 if the Hessian is singular in floats."""
    try:
        return np.linalg.solve(hessian, grad.ravel()).reshape(grad.shape)
    except np.linalg.LinAlgError:
        return np.zeros_like(grad)


def _basis(problem: Problem, neurons: int) -> Float[np.ndarray, "d r"]:
    """Return orthonormal columns: of the teacher's span in high dimension, else of all R^d."""
    dim = problem.teacher.shape[1]
    if neurons * dim <= 400 or not problem.teacher.any():
        return np.eye(dim)
    _, scale, right = np.linalg.svd(problem.teacher, full_matrices=False)
    rank = int(np.sum(scale > 1e-12 * scale[0]))
    return np.eye(dim) if rank == dim else np.ascontiguousarray(right[:rank].T)


def _shorten(
    problem: Problem,
    point: Float[np.ndarray, "n r"],
    move: Float[np.ndarray, "n r"],
    norm: float,
    origin: Float[np.ndarray, "n r"],
    limit: float,
) -> Float[np.ndarray, "n r"] | None:
    """Halve a step until the gradient's norm falls and the point stays within reach."""
    for halving in range(6):
        trial = point - move / 2**halving
        near = float(np.sum((trial - origin) ** 2)) <= limit and bool(np.all(np.any(trial, axis=1)))
        if near and float(np.linalg.norm(float_gradient(problem, trial))) < 0.9 * norm:
            return trial
    return None


def _refine(
    problem: Problem,
    start: Float[np.ndarray, "n d"],
    inside: Float[np.ndarray, "n r"],
    basis: Float[np.ndarray, "d r"],
    hessian: Float[np.ndarray, "p p"],
    reach: float,
) -> Float[np.ndarray, "n d"]:
    """Take Newton steps with the gradient from ball arithmetic while its norm falls."""
    best, best_norm = start, np.inf
    trial = inside @ basis.T
    for _ in range(REFINEMENTS):
        near = float(np.linalg.norm(trial - start)) < reach * (1 - 1e-9)
        if not (near and np.all(np.any(trial, axis=1))):
            break
        grad = midpoints(gradient(problem.pairs(trial)))
        norm = float(np.linalg.norm(grad))
        if not norm < best_norm:
            break
        best, best_norm = trial, norm
        trial = (best @ basis - _newton(hessian, grad @ basis)) @ basis.T
    return best
