"""Value, gradient and Hessian of the population risk in float64: guesses, never bounds.

All are accurate at every angle: near 0 and π angles come from the sum or the difference of unit
vectors, not from cosines.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.problem import Problem


class _Geometry(NamedTuple):
    """Neurons against all neurons of which they are the first: n rows, m columns.

    `weights` c, `norms` and `units` of all; `cos`, `sin` and `angle` of the pairs; `apart`, the
    difference ū_j − sū_i with s = ±1 the sign of the cosine; `sign` s.
    """

    weights: Float[np.ndarray, " m"]
    norms: Float[np.ndarray, " m"]
    units: Float[np.ndarray, "m d"]
    sin: Float[np.ndarray, "n m"]
    cos: Float[np.ndarray, "n m"]
    angle: Float[np.ndarray, "n m"]
    apart: Float[np.ndarray, "n m d"]
    sign: Float[np.ndarray, "n m"]


def lengths(rows: Float[np.ndarray, "m d"]) -> Float[np.ndarray, " m"]:
    """Return the Euclidean norm of each row, even if squares leave the range of float64."""
    largest = np.max(np.abs(rows), axis=1, initial=0)
    return largest * np.linalg.norm(rows / np.where(largest == 0, 1, largest)[:, None], axis=1)


def _geometry(
    neurons: Float[np.ndarray, "m d"], weights: Float[np.ndarray, " m"], first: int
) -> _Geometry:
    """Compute the geometry of the first neurons against all."""
    norms = lengths(neurons)
    units = neurons / np.where(norms == 0, 1, norms)[:, None]
    cos = units[:first] @ units.T
    sign = np.where(cos < 0, -1.0, 1.0)
    apart = units - sign[:, :, None] * units[:first, None]
    # Of the half angle to the nearer of ±ū: 2 sin and 2 cos.
    short = np.sqrt(np.einsum("ijp,ijp->ij", apart, apart))
    long = np.sqrt(np.maximum(4 - short**2, 0))
    near = 2 * np.arctan2(short, long)
    angle = np.where(cos < 0, np.pi - near, near)
    return _Geometry(weights, norms, units, short * long / 2, cos, angle, apart, sign)


def _student_geometry(problem: Problem, point: Float[np.ndarray, "n d"]) -> _Geometry:
    """Compute the geometry of the students against all neurons."""
    weights = np.concatenate([problem.student_weights, -problem.teacher_weights])
    return _geometry(np.concatenate([point, problem.teacher]), weights, len(point))


def float_value(problem: Problem, point: Float[np.ndarray, "n d"]) -> float:
    """Return F in float64; see `pairs.value`."""
    weights = np.concatenate([problem.student_weights, -problem.teacher_weights])
    geometry = _geometry(np.concatenate([point, problem.teacher]), weights, len(weights))
    sizes = weights * geometry.norms
    table = geometry.sin + (np.pi - geometry.angle) * geometry.cos
    return float(sizes @ table @ sizes) / (4 * np.pi)


def _coefficients(geometry: _Geometry) -> Float[np.ndarray, "n m"]:
    """Return K with ∇F = K U; see `pairs.coefficients`."""
    n = len(geometry.sin)
    a = geometry.weights[:n]
    table = a[:, None] * geometry.weights * (np.pi - geometry.angle) / (2 * np.pi)
    from_sines = geometry.sin @ (geometry.weights * geometry.norms)
    table[np.arange(n), np.arange(n)] += from_sines * a / (2 * np.pi * geometry.norms[:n])
    return table


def float_gradient(problem: Problem, point: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Return ∇F in float64."""
    neurons = np.concatenate([point, problem.teacher])
    return _coefficients(_student_geometry(problem, point)) @ neurons


def float_padding(problem: Problem, point: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """Return M in float64; see `pairs.padding`."""
    return _coefficients(_student_geometry(problem, point))[:, : len(point)]


def float_hessian(problem: Problem, point: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "p p"]:
    """Return ∇²F in float64; see `pairs.hessian`.

    With e = ū_j − sū_i and q = |e|²/2 the vector m is e + sqū_i, and R = s(q(w̄w̄ᵀ + v̄v̄ᵀ) − eeᵀ)/
    sin t, in which no large terms cancel.
    """
    geometry = _student_geometry(problem, point)
    n, dim = point.shape
    own, sin, apart = geometry.units[:n], geometry.sin, geometry.apart
    inverse = np.where(sin > 0, 1 / np.where(sin > 0, sin, 1), 0)
    q = geometry.sign * np.einsum("ijp,ijp->ij", apart, apart) / 2
    m = apart + q[:, :, None] * own[:, None]
    pair = geometry.weights[:n, None] * geometry.weights / (2 * np.pi)
    crossed = (pair * inverse)[:, :n]
    squares = own[:, :, None] * own[:, None, :]
    blocks = (crossed * q[:, :n])[:, :, None, None] * (squares[:, None] + squares)
    outer = (crossed * geometry.sign[:, :n])[:, :, None] * apart[:, :n]
    blocks -= outer[:, :, :, None] * apart[:, :n, None, :]
    scale = pair * geometry.norms / geometry.norms[:n, None]
    diagonal = np.einsum("ijp,ijq->ipq", (scale * inverse)[:, :, None] * m, m)
    diagonal -= np.sum(scale * sin, axis=1)[:, None, None] * squares
    blocks[np.arange(n), np.arange(n)] = diagonal
    blocks += _coefficients(geometry)[:, :n, None, None] * np.eye(dim)
    return blocks.transpose(0, 2, 1, 3).reshape(n * dim, n * dim)
