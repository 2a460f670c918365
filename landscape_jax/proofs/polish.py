"""Newton's method on the population risk: from a candidate to a point of gradient near 1e-15.

Nothing here is trusted: the proof starts from the point that comes out.
"""

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.balls import midpoints
from landscape_jax.proofs.pairs import gradient
from landscape_jax.proofs.problem import Problem

STEPS = 30
REFINEMENTS = 3


def polish(
    problem: Problem, start: Float[np.ndarray, "n d"], max_move: float
) -> Float[np.ndarray, "n d"]:
    """Move to a point of smaller gradient, at most `max_move` away in Euclidean distance.

    Damped Newton steps in float64 while the gradient's norm falls, then steps with the last
    Hessian and the gradient in ball arithmetic.  Where the teacher spans less than the space the
    steps are taken in its span: a critical point with M positive definite lies there (M W = −T V,
    see `pairs.coefficients`), and the span's Hessian is small.
    """
    basis = _basis(problem, len(start))
    flat = Problem(problem.teacher @ basis, problem.teacher_weights, problem.student_weights)
    inside = start @ basis
    limit = max_move * max_move - float(np.sum((start - inside @ basis.T) ** 2))
    if limit <= 0:
        return start
    origin = inside
    curve = None
    for _ in range(STEPS):
        slope = float_gradient(flat, inside)
        norm = float(np.linalg.norm(slope))
        curve = float_hessian(flat, inside)
        move = _newton(curve, slope)
        better = _shorten(flat, inside, move, norm, origin, limit)
        if better is None:
            break
        inside = better
    return start if curve is None else _refine(problem, start, inside, basis, curve, max_move)


def _newton(
    curve: Float[np.ndarray, "p p"], slope: Float[np.ndarray, "n r"]
) -> Float[np.ndarray, "n r"]:
    """Solve for Newton's step; none where the Hessian is singular in floats."""
    try:
        return np.linalg.solve(curve, slope.ravel()).reshape(slope.shape)
    except np.linalg.LinAlgError:
        return np.zeros_like(slope)


def _basis(problem: Problem, neurons: int) -> Float[np.ndarray, "d r"]:
    """Give orthonormal columns: of the teacher's span in high dimension, else of all R^d."""
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
    curve: Float[np.ndarray, "p p"],
    max_move: float,
) -> Float[np.ndarray, "n d"]:
    """Take Newton steps with the gradient from ball arithmetic while its norm falls."""
    best, best_norm = start, np.inf
    trial = inside @ basis.T
    for _ in range(REFINEMENTS):
        near = float(np.linalg.norm(trial - start)) < max_move * (1 - 1e-9)
        if not (near and np.all(np.any(trial, axis=1))):
            break
        slope = midpoints(gradient(problem.pairs(trial)))
        norm = float(np.linalg.norm(slope))
        if not norm < best_norm:
            break
        best, best_norm = trial, norm
        trial = (best @ basis - _newton(curve, slope @ basis)) @ basis.T
    return best


def _geometry(problem: Problem, point: Float[np.ndarray, "n d"]) -> tuple[np.ndarray, ...]:
    """Give weights, norms, unit vectors, cosines, sines and angles of students against all."""
    neurons = np.concatenate([point, problem.teacher])
    weights = np.concatenate([problem.student_weights, -problem.teacher_weights])
    norms = np.linalg.norm(neurons, axis=1)
    units = neurons / np.where(norms == 0, 1, norms)[:, None]
    cos = np.clip(units[: len(point)] @ units.T, -1, 1)
    np.fill_diagonal(cos, 1)
    sin = np.sqrt((1 - cos) * (1 + cos))
    return weights, norms, units, cos, sin, np.arctan2(sin, cos)


def _coefficients(problem: Problem, point: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n m"]:
    """Give K with ∇F = K U; see `pairs.coefficients`."""
    weights, norms, _, _, sin, angle = _geometry(problem, point)
    n = len(point)
    table = weights[:n, None] * weights * (np.pi - angle) / (2 * np.pi)
    pull = (sin @ (weights * norms)) * weights[:n] / (2 * np.pi * norms[:n])
    table[np.arange(n), np.arange(n)] += pull
    return table


def float_gradient(problem: Problem, point: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Give ∇F in float64."""
    return _coefficients(problem, point) @ np.concatenate([point, problem.teacher])


def float_hessian(problem: Problem, point: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "p p"]:
    """Give ∇²F in float64; see `pairs.hessian`."""
    weights, norms, units, cos, sin, _ = _geometry(problem, point)
    n, dim = point.shape
    own = units[:n]
    m = units - cos[:, :, None] * own[:, None, :]
    inverse = np.where(sin > 1e-12, 1 / np.where(sin > 1e-12, sin, 1), 0)
    pair = weights[:n, None] * weights / (2 * np.pi)
    crossed = (pair * inverse)[:, :n]
    blocks = crossed[:, :, None, None] * (
        m[:, :n, :, None] * own[:, None, None, :]
        + np.swapaxes(m[:, :n], 0, 1)[:, :, :, None] * own[None, :, None, :]
    )
    scale = pair * norms / norms[:n, None]
    diagonal = np.einsum("ij,ijp,ijq->ipq", scale * inverse, m, m)
    diagonal -= np.sum(scale * sin, axis=1)[:, None, None] * own[:, :, None] * own[:, None, :]
    blocks[np.arange(n), np.arange(n)] = diagonal
    blocks += _coefficients(problem, point)[:, :n, None, None] * np.eye(dim)
    return blocks.transpose(0, 2, 1, 3).reshape(n * dim, n * dim)
