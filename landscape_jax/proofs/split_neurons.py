"""Prove critical points with split neurons, by the point with each ray's students merged."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq
from jaxtyping import Float

from landscape_jax.exact.rationals import rational
from landscape_jax.proofs.balls import frobenius, symmetric, total, upper
from landscape_jax.proofs.certificate import Certificate, NotProven
from landscape_jax.proofs.check_certificate import Space
from landscape_jax.proofs.made_with import versions
from landscape_jax.proofs.pairs import angles, own_block, padding
from landscape_jax.proofs.point_certificate import PointCertificate
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.split_certificate import SplitCertificate
from landscape_jax.proofs.symmetric_point import signs_of

# Students whose directions differ by less are on one ray, up to the rounding of a search.
NEAR = 1e-6


def merged_problem(
    problem: Problem, point: Float[np.ndarray, "n d"]
) -> tuple[Problem, Float[np.ndarray, "m d"], list[int]] | None:
    """Merge students of one ray and one second-layer weight.

    **Returns:** the problem, the point, and which merged neuron each student belongs to; `None` if
    no two students are on one ray, or one is zero.
    """
    lengths = np.linalg.norm(point, axis=1)
    if not np.all(lengths > 0):
        return None
    units, a = point / lengths[:, None], problem.student_weights
    heads: list[int] = []
    assignment: list[int] = []
    for i in range(len(point)):
        same = [j for j, h in enumerate(heads) if _one_ray(units, a, h, i)]
        assignment.append(same[0] if same else len(heads))
        if not same:
            heads.append(i)
    if len(heads) == len(point):
        return None
    rows = np.zeros((len(heads), point.shape[1]))
    np.add.at(rows, assignment, point)
    return replace(problem, student_weights=a[heads]), rows, assignment


def _one_ray(units: np.ndarray, a: np.ndarray, i: int, j: int) -> bool:
    return bool(a[i] == a[j] and np.linalg.norm(units[i] - units[j]) < NEAR)


def split_proof(
    problem: Problem,
    given: Float[np.ndarray, "n d"],
    assignment: list[int],
    merged: Certificate | PointCertificate,
) -> SplitCertificate | NotProven:
    """State what the certificate of the merged point says of the split one; see there."""
    lengths = np.linalg.norm(given, axis=1)
    whole = np.zeros(len(merged.point))
    np.add.at(whole, assignment, lengths)
    shares = [rational(float(x / whole[j])) for x, j in zip(lengths, assignment, strict=True)]
    for j in range(len(whole)):
        last = max((i for i, h in enumerate(assignment) if h == j), key=lambda i: shares[i])
        others = (s for i, s in enumerate(shares) if assignment[i] == j and i != last)
        shares[last] = 1 - sum(others, fmpq(0))
    index = merged.index
    for j in sorted({h for h in assignment if assignment.count(h) > 1}):
        found = signs_of(_bent(merged, j))
        if found is None:
            return NotProven(
                "the Hessian is not proven nondegenerate across a split neuron: it is singular "
                "there, or nearly.",
                value_lower=merged.value_lower, value_upper=merged.value_upper,
            )  # fmt: skip
        index += (assignment.count(j) - 1) * found[0]
    gaps = [
        arb(float(w)) - arb(s) * float(x)
        for row, s, j in zip(given, shares, assignment, strict=True)
        for w, x in zip(row, merged.point[j], strict=True)
    ]
    return SplitCertificate(
        kind="saddle" if index else "minimum",
        index=index,
        nullity=len(given) - len(merged.point),
        merged=merged,
        assignment=tuple(assignment),
        shares=tuple(shares),
        moved=upper(frobenius(arb_mat([gaps]))),
        versions=versions(),
    )


def _neurons(claim: Certificate | PointCertificate) -> tuple[list[list[arb]], list[arb]]:
    """The merged neurons in a box around the critical point, then the teachers, and all weights."""
    # Certificates of minima measure distances with neurons scaled by their units.
    units = getattr(claim, "units", np.ones(len(claim.point)))
    rows = [
        [arb(float(x)) + symmetric(arb(claim.radius) / float(unit)) for x in row]
        for row, unit in zip(claim.point, units, strict=True)
    ]
    rows += [[arb(float(x)) for x in row] for row in claim.teacher]
    weights = [arb(float(a)) for a in claim.student_weights]
    return rows, weights + [-arb(float(b)) for b in claim.teacher_weights]


def _lifted(matrix: arb_mat, row: list[arb]) -> arb_mat:
    """Add a positive multiple of the projection on x_j, along which Nⱼ is 0."""
    unit = arb_mat([row]) * (1 / total(x * x for x in row).sqrt())
    scale = frobenius(matrix.mid()).mid() + 1
    return matrix + unit.transpose() * unit * scale


def _bent(claim: Certificate | PointCertificate, j: int) -> arb_mat:
    """Enclose Nⱼ = ∂²G/∂x_j² − ½a²I with x_j's direction made positive, by our own formulas."""
    rows, weights = _neurons(claim)
    pairs = angles(arb_mat(rows), weights, len(claim.point))
    size = len(rows[j])
    straight = padding(pairs)[j, j] - weights[j] ** 2 / 2
    unit = arb_mat(size, size, [int(p == q) for p in range(size) for q in range(size)])
    return _lifted(own_block(pairs, j) + unit * straight, rows[j])


def split_objections(claim: SplitCertificate) -> Iterator[str]:
    """Object to shares that do not add up, and to another index, by the checker's formulas."""
    m = len(claim.merged.point)
    sums = [fmpq(0)] * m
    for j, share in zip(claim.assignment, claim.shares, strict=True):
        sums[j] += share
    if not (all(s > 0 for s in claim.shares) and all(s == 1 for s in sums)):
        yield "the shares of a merged neuron are not positive, or do not add up to 1."
    if claim.nullity != len(claim.assignment) - m or claim.nullity < 1:
        yield "its 'nullity' is not the number of students more than merged ones."
    index = claim.merged.index
    rows, weights = _neurons(claim.merged)
    for j in sorted({h for h in claim.assignment if claim.assignment.count(h) > 1}):
        found = signs_of(_lifted(_by_space(rows, weights, j), rows[j]))
        if found is None:
            yield "the Hessian is not proven nondegenerate across a split neuron."
            return
        index += (claim.assignment.count(j) - 1) * found[0]
    if index != claim.index:
        yield "the index is another one."


def _by_space(rows: list[list[arb]], weights: list[Any], j: int) -> arb_mat:
    """Enclose Nⱼ by the stand-alone checker's second derivatives, without the term of f(u, u)."""
    size = len(rows[j])
    space = Space(size)
    unit = [[arb(int(p == q)) for q in range(size)] for p in range(size)]
    for i, row in enumerate(rows):
        space.add(row, range(size), unit) if i == j else space.add(row)
    space.terms = [(weights[i] * weights[j], j, i) for i in range(len(rows)) if i != j]
    return space.derivatives()[1]
