"""Estimates in float64 that refuse a grossly false certificate at once, and never confirm one.

What exceeds its claim by more than float64 rounding can explain is false.  The margins are far
above that rounding, so that no true claim is refused; smaller errors are left to ball arithmetic.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from landscape_jax.proofs.certificate import Certificate
from landscape_jax.proofs.estimates import (
    float_gradient,
    float_hessian,
    float_padding,
    float_value,
    lengths,
)
from landscape_jax.proofs.objections import LARGEST_HESSIAN, WHOLE_SPACE
from landscape_jax.proofs.problem import Problem

# Relative to the sum of the terms' sizes; float64 is off by some 1e-15 of it.
MARGIN = 1e-11
# Below this, underflow may have left less.
TINY = 1e-290


def implausible(claim: Certificate) -> Iterator[str]:
    """Object to claims that float64 refutes beyond any rounding; `claim` in scaled coordinates."""
    claim = _of_order_one(claim)
    problem = Problem(claim.teacher, claim.teacher_weights, claim.student_weights)
    a = np.abs(claim.student_weights)
    terms = a * lengths(claim.point)
    size = float(np.sum(terms) + np.abs(claim.teacher_weights) @ lengths(claim.teacher))
    gradient_norm = np.linalg.norm(float_gradient(problem, claim.point))
    if gradient_norm > claim.gradient_norm_upper + MARGIN * np.linalg.norm(a) * size + TINY:
        yield "the gradient is not proven as small as claimed."
    if claim.kind != "global":
        yield from _values(claim, problem, size)
    yield from _spectra(claim, problem, terms, size)
    gram = np.linalg.eigvalsh(claim.teacher @ claim.teacher.T)
    slack = MARGIN * float(np.sum(claim.teacher**2)) + TINY
    if gram[0] < claim.teacher_gram_lower - slack or gram[-1] > claim.teacher_gram_upper + slack:
        yield "the teacher's Gram matrix is not proven to have the claimed eigenvalues."


def _of_order_one(claim: Certificate) -> Certificate:
    """Return the same claim with lengths and weights of at most 1, by powers of two 2ᵉ and 2ᶠ.

    F(sW; sV) = s²F(W; V), and with all weights multiplied by t it is t²F.
    """
    arrays = [claim.point, claim.teacher, *([] if claim.witness is None else [claim.witness])]
    e = int(np.frexp(max(np.max(np.abs(x)) for x in arrays))[1])
    outer = (claim.student_weights, claim.teacher_weights)
    f = int(np.frexp(max(np.max(np.abs(x)) for x in outer))[1])
    powers = {
        "point": -e, "teacher": -e, "witness": -e, "student_weights": -f, "teacher_weights": -f,
        "value_lower": -2 * (e + f), "value_upper": -2 * (e + f),
        "witness_value_upper": -2 * (e + f), "gradient_norm_upper": -e - 2 * f,
        "min_eigenvalue_lower": -2 * f, "padding_min_eigenvalue_lower": -2 * f,
        "lipschitz_upper": e - 2 * f, "radius": -e, "ball_radius": -e,
        "teacher_gram_lower": -2 * e, "teacher_gram_upper": -2 * e,
    }  # fmt: skip
    entries = {name: getattr(claim, name) for name in powers}
    known = {name: entry for name, entry in entries.items() if entry is not None}
    return replace(claim, **{name: np.ldexp(x, powers[name])[()] for name, x in known.items()})


def _values(claim: Certificate, problem: Problem, size: float) -> Iterator[str]:
    """Object to the values of the minimum and of the witness."""
    risk, slack = float_value(problem, claim.point), MARGIN * size**2 + TINY
    if risk > claim.value_upper + slack:
        yield "the minimum's value is not proven as small as claimed."
    if claim.value_lower > risk + slack:
        yield "the minimum's value is not proven as large as claimed."
    if claim.witness is not None and claim.witness_value_upper is not None:
        length = np.abs(claim.student_weights) @ lengths(claim.witness)
        better = float_value(problem, claim.witness)
        if better > claim.witness_value_upper + MARGIN * (size + length) ** 2 + TINY:
            yield "the witness' value is not proven as small as claimed."


def _spectra(
    claim: Certificate, problem: Problem, terms: Float[np.ndarray, " n"], size: float
) -> Iterator[str]:
    """Object to the bounds of the Hessian's eigenvalues.

    They imply ∇²F ≥ λ + Lρ at the point, so ∇²F ≥ λ + L(ρ − offset) at the point's projection.
    """
    a = np.abs(claim.student_weights)
    norm = np.sum(a**2) + np.max(a**2 * size / terms)  # see `lipschitz.hessian_norm`
    rise = claim.lipschitz_upper * claim.radius - MARGIN * float(norm) - TINY
    near, point, offset = _in_span(problem, claim.point)
    if not offset < claim.ball_radius:
        near, point, offset = problem, claim.point, 0.0
    needed = claim.min_eigenvalue_lower + rise - claim.lipschitz_upper * offset
    if point.size <= LARGEST_HESSIAN and _below(float_hessian(near, point), needed):
        yield "the Hessian's smallest eigenvalue is not proven as large as claimed."
    padding = claim.padding_min_eigenvalue_lower
    if padding is not None and _below(float_padding(problem, claim.point), padding + rise):
        yield "the Hessian in further dimensions is not proven as large as claimed."


def _in_span(
    problem: Problem, point: Float[np.ndarray, "n d"]
) -> tuple[Problem, Float[np.ndarray, "n r"], float]:
    """Project a point on the teacher's span if the Hessian is much smaller there.

    **Returns:** the problem and the point in coordinates, and how far the point was moved.
    """
    live = problem.teacher[problem.teacher_weights != 0]
    if point.size <= WHOLE_SPACE or not 0 < len(live) < point.shape[1]:
        return problem, point, 0.0
    basis = np.linalg.qr(live.T)[0]
    inside = point @ basis
    projected = Problem(problem.teacher @ basis, problem.teacher_weights, problem.student_weights)
    return projected, inside, float(np.linalg.norm(point - inside @ basis.T))


def _below(matrix: Float[np.ndarray, "size size"], bound: float) -> bool:
    """Check by Cholesky whether a symmetric matrix has an eigenvalue below a bound, in floats."""
    shifted = matrix - bound * np.eye(len(matrix))
    if not np.isfinite(shifted).all():
        return False
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return True
    return False
