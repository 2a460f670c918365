"""Enclose a critical point in a fixed space, and the signs of its Hessian, by isotypic components.

A critical point of F restricted to the points that a group fixes is one of F (principle of
symmetric criticality: ∇F is fixed too, so it is 0 if its projection is).  Existence is Krawczyk's
test on a box of the fixed space; the Hessian's components are enclosed over the same box, so their
signs hold at the critical point itself, and no Lipschitz constant is needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from landscape_jax.proofs.balls import (
    Vector,
    exact,
    frobenius,
    lower,
    midpoints,
    symmetric,
    total,
    upper,
)
from landscape_jax.proofs.blocks import Blocks, Cut
from landscape_jax.proofs.definite import smallest_eigenvalue
from landscape_jax.proofs.isotypic import Component, components, trivial
from landscape_jax.proofs.reduced_risk import ReducedRisk

# A box is at first so many times the Newton step, then twice as wide, and so on.
WIDER, ATTEMPTS = 2, 8
# Bounds are stated so much looser than found, relative, for a second program finds its own.
SLACK = 1e-12


@dataclass(frozen=True)
class Enclosed:
    """A box of unknowns that holds one critical point.

    `x`, the box's center; `box`, its unknowns as balls; `radius` bounds the distance of the
    critical point from a given one, in the Euclidean norm of W; `value` encloses F at the critical
    point.
    """

    x: Vector
    box: Vector
    radius: arb
    value: arb


@dataclass(frozen=True)
class Signs:
    """The signs of one component's matrix: `negative` of `size` eigenvalues are below 0, none is 0.

    `least`, a lower bound of the eigenvalues; `downward`, in coordinates of the component's
    directions, an eigenvector of the least one.
    """

    component: Component
    negative: int
    size: int
    least: float
    downward: np.ndarray


def polished(blocks: Blocks, x: Sequence[Any], reach: float, steps: int = 30) -> Vector | None:
    """Return Newton's limit in the fixed space, to the working precision.

    `None` if a step leads further than `reach` (Euclidean, of W) from x, or there is no limit.
    """
    start = [arb(value) for value in x]
    point, directions, last = start, trivial(blocks), None
    for _ in range(steps):
        at = ReducedRisk(blocks, point)
        step = _solved(at.hessian(directions), at.gradient(directions))
        if step is None:
            return None
        length = frobenius(step)
        scaled = zip(point, step.entries(), blocks.entries, strict=True)
        point = [(p - s / arb(c).sqrt()).mid() for p, s, c in scaled]
        gaps = zip(point, start, blocks.entries, strict=True)
        if not total(c * (p - q) ** 2 for p, q, c in gaps).sqrt() <= reach:
            return None
        size = float(length.mid())
        if size <= 2.0 ** (8 - ctx.prec // 2) or (
            last is not None and size >= last and size < 1e-12
        ):
            return point
        last = size
    return None


def _solved(matrix: arb_mat, right: Vector) -> arb_mat | None:
    """Solve approximately: midpoints of a matrix and of a right-hand side."""
    try:
        return matrix.mid().solve(arb_mat(len(right), 1, [x.mid() for x in right]))
    except ZeroDivisionError:
        return None


def enclose(blocks: Blocks, x: Vector, near: Vector) -> Enclosed | None:
    """Prove by Krawczyk's test that one critical point lies in a box of the fixed space around x.

    `near` is the point to which `radius` is the distance: x in float64.

    With y the unknowns in orthonormal coordinates, G = ∇F(x), Y an approximate inverse of the
    Hessian there, and Z the box |yᵤ| ≤ ε: if K = −Y G + (I − Y ∇²F(x + Z)) Z lies inside Z, then
    x + Z holds exactly one critical point, and it lies in x + K.

    **Returns:** the box, or `None` if the test fails.
    """
    directions, size = trivial(blocks), len(x)
    at = ReducedRisk(blocks, x)
    gradient = arb_mat(size, 1, at.gradient(directions))
    center = midpoints(at.hessian(directions))
    if not np.isfinite(center).all():
        return None
    try:
        inverse = exact(np.linalg.inv(center))
    except np.linalg.LinAlgError:
        return None
    step = inverse * gradient
    width = WIDER * max((abs(s).upper() for s in step.entries()), default=arb(0))
    width = max(width, arb(2) ** (16 - ctx.prec))
    unit = arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    for _ in range(ATTEMPTS):
        box = box_around(blocks, x, width)
        over = ReducedRisk(blocks, box)
        side = arb_mat(size, 1, [symmetric(width)] * size)
        image = (unit - inverse * over.hessian(directions)) * side - step
        if all(abs(s) < width for s in image.entries()):
            slope = frobenius(arb_mat(size, 1, over.gradient(directions)))
            gaps = zip(box, near, blocks.entries, strict=True)
            radius = total(c * (p - q) ** 2 for p, q, c in gaps).nonnegative_part().sqrt()
            return Enclosed(x, box, radius, at.value() + symmetric(slope * frobenius(image)))
        width = 2 * width
    return None


def box_around(blocks: Blocks, x: Vector, width: arb) -> Vector:
    """Return x ± width in orthonormal coordinates of the fixed space, as unknowns."""
    return [p + symmetric(width / arb(c).sqrt()) for p, c in zip(x, blocks.entries, strict=True)]


def signs(blocks: Blocks, box: Vector) -> Iterator[Signs | str]:
    """Enclose the Hessian's signs by components; a sentence for one that is not decided."""
    at: dict[int, tuple[Cut, ReducedRisk]] = {}
    for component in components(blocks):
        cut = component.cut
        if id(cut) not in at:
            at[id(cut)] = cut, ReducedRisk(cut.fine, cut.lift(box))
        matrix = at[id(cut)][1].hessian(component.directions)
        found = signs_of(matrix)
        if found is None:
            yield f"the Hessian's {component.name} component is singular, or nearly"
            return
        negative, vectors = found
        yield Signs(component, negative, matrix.nrows(), smallest_eigenvalue(matrix), vectors[:, 0])


def signs_of(matrix: arb_mat) -> tuple[int, np.ndarray] | None:
    """Count the negative eigenvalues of a symmetric matrix; `None` if one may be 0.

    QᵀMQ with Q the eigenvectors of the midpoint in float64 has the signs of M (Sylvester), if Q is
    not singular; by Gershgorin it has as many negative eigenvalues as negative discs, if no disc
    holds 0, and then Q cannot be singular.
    """
    guess = midpoints(matrix)
    if not np.isfinite(guess).all():
        return None
    vectors = np.linalg.eigh(guess)[1]
    q = exact(vectors)
    turned = (q.transpose() * matrix * q).tolist()
    negative = 0
    for i, row in enumerate(turned):
        rest = total(abs(x) for j, x in enumerate(row) if j != i)
        if row[i] < -rest:
            negative += 1
        elif not row[i] > rest:
            return None
    return negative, vectors


def lowered(at: Enclosed, sign: Signs) -> list[float] | None:
    """Return the unknowns, in the component's cut, of a point of lower value.

    It lies along an eigenvector of the least eigenvalue; `None` if no step of those tried has a
    value that is proven lower.
    """
    cut = sign.component.cut
    center = [float(u) for u in cut.lift(at.x)]
    move = np.zeros(len(center))
    for weight, direction in zip(sign.downward, sign.component.directions, strict=True):
        for u, entry in direction.items():
            move[u] += weight * float(entry)
    length = float(np.sqrt(sum(c * v * v for c, v in zip(cut.fine.entries, move, strict=True))))
    for power in range(2, 40):
        for way in (1.0, -1.0):
            step = way * 2.0**-power / length * move
            point = [c + s for c, s in zip(center, step.tolist(), strict=True)]
            bound = upper(ReducedRisk(cut.fine, [arb(p) for p in point]).value())
            if bound < lower(at.value):
                return point
    return None
