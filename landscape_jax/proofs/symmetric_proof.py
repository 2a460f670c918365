"""Prove a critical point of any index that a product of symmetric groups fixes, at any width."""

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from flint import arb, fmpq
from jaxtyping import Float

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.proofs.balls import Vector, lower, total, upper
from landscape_jax.proofs.blocks import Blocks
from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.fixed_space import symmetric_form
from landscape_jax.proofs.isotypic import orbits_alone
from landscape_jax.proofs.made_with import versions
from landscape_jax.proofs.one_thread import one_thread
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.symmetric_certificate import (
    MOST_UNKNOWNS,
    SymmetricCertificate,
    exact_blocks,
    to_unknowns,
    to_values,
)
from landscape_jax.proofs.symmetric_point import (
    SLACK,
    Enclosed,
    Signs,
    enclose,
    lowered,
    polished,
    signs,
)

DEGENERATE = (
    "several students are equal: how they share their weight leaves the risk as it is, so the "
    "Hessian is singular"
)


def prove_by_symmetry(
    problem: Problem, given: Float[np.ndarray, "n d"], max_move: float, precision: int
) -> SymmetricCertificate | NotProven | None:
    """Prove a point in its fixed space; `None` if that does not apply."""
    with working_precision(precision):
        form = symmetric_form(problem, given)
    if form is None:
        return None
    blocks, values, moved = form
    shortest = float(np.min(np.linalg.norm(given, axis=1)))
    if not (shortest > 0 and moved <= max_move * shortest):
        return None
    proof = prove_symmetric(
        blocks.students,
        blocks.teachers,
        values,
        [float(a) for a in blocks.student_weights],
        [float(b) for b in blocks.teacher_weights],
        max_move=max_move - moved / shortest,
        precision=precision,
    )
    if proof and proof.index and problem.teacher.shape[1] > len(problem.teacher):
        return None  # Further dimensions may add negative eigenvalues, which are not counted.
    return replace(proof, moved=proof.moved + moved) if proof else proof


@one_thread
def prove_symmetric(
    blocks: Sequence[int],
    teacher_blocks: Sequence[int],
    values: Float[np.ndarray, "M columns"],
    student_weights: Sequence[float] | None = None,
    teacher_weights: Sequence[float] | None = None,
    *,
    max_move: float | int = 1e-3,
    precision: int = 128,
) -> SymmetricCertificate | NotProven:
    """Prove that a critical point lies near a point of a fixed space, and its index.

    The values are polished by Newton's method in the fixed space; then existence is proven there by
    Krawczyk's test, and the signs of the Hessian by isotypic components (`symmetric_point`).

    **Arguments:** `blocks`, `teacher_blocks`, `values` as in `SymmetricCertificate`; the second
    layers, one weight a block, by default 1; `max_move`, how far the point may be moved, relative
    to the length of its shortest neuron; `precision` in bits.

    **Returns:** a `SymmetricCertificate`, or `NotProven` with the reason.
    """
    start = time.perf_counter()
    if not (len(blocks) and len(teacher_blocks)) or not 0 <= max_move < np.inf:
        raise ValueError("give at least one block each, and a max_move that is not negative.")
    if len(blocks) * len(teacher_blocks) > MOST_UNKNOWNS:
        return NotProven(f"its blocks leave more than {MOST_UNKNOWNS} unknowns.")
    a = np.ones(len(blocks)) if student_weights is None else np.array(student_weights, np.float64)
    b = (
        np.ones(len(teacher_blocks))
        if teacher_weights is None
        else np.array(teacher_weights, np.float64)
    )
    with working_precision(precision), np.errstate(all="ignore"):
        group = exact_blocks(blocks, teacher_blocks, a.tolist(), b.tolist())
        outcome = _prove(group, np.asarray(values, np.float64), a, b, float(max_move))
    return replace(outcome, seconds=time.perf_counter() - start)


def _prove(
    group: Blocks,
    values: Float[np.ndarray, "M columns"],
    a: Float[np.ndarray, " m"],
    b: Float[np.ndarray, " M"],
    max_move: float,
) -> SymmetricCertificate | NotProven:
    """Prove the point, or say why not."""
    given = to_unknowns(group, values)
    if not (np.isfinite(given).all() and np.isfinite(a).all() and np.isfinite(b).all()):
        return NotProven("the point or a second-layer weight is not finite.")
    if has_teacher_function(group, given):
        return _certificate(group, values, a, b, kind="global")
    if orbits_alone(group):
        return NotProven(f"{DEGENERATE}.")
    shortest = _shortest(group, given)
    if not np.all(a != 0) or not shortest > 0:
        return NotProven("a student neuron is zero, or has second-layer weight 0.")
    # With max_move 0 the critical point may still lie within `radius` of the given point.
    reach = max_move * shortest if max_move > 0 else shortest / 4
    limit = polished(group, given, reach)
    if limit is None:
        return NotProven(
            f"Newton's method in the fixed space finds no critical point within {reach:.3g}."
        )
    x = [float(p) for p in limit] if max_move > 0 else given
    at = enclose(group, limit, [arb(p) for p in x])
    if at is None:
        return NotProven(
            "no critical point is proven near: the reduced Hessian is singular, or nearly."
        )
    found: list[Signs] = []
    for sign in signs(group, at.box):
        if isinstance(sign, str):
            return NotProven(f"{sign}.", value_lower=lower(at.value), value_upper=upper(at.value))
        found.append(sign)
    counted = sum(s.size * s.component.dimension for s in found)
    assert counted == sum(group.students) * sum(group.teachers), "the components are not all."
    return _stated(group, x, at, found, a, b, _distance(group, given, x))


def _stated(
    group: Blocks,
    x: list[float],
    at: Enclosed,
    found: list[Signs],
    a: Float[np.ndarray, " m"],
    b: Float[np.ndarray, " M"],
    moved: float,
) -> SymmetricCertificate | NotProven:
    """State what is proven of an enclosed point."""
    index = sum(s.negative * s.component.dimension for s in found)
    least = min(s.least for s in found)
    common = {
        "index": index,
        "value_lower": max(0.0, lower(at.value)),
        "value_upper": upper(at.value),
        "min_eigenvalue_lower": least - SLACK * abs(least),
        "radius": upper(at.radius * (1 + arb(SLACK))),
        "moved": moved,
    }
    values = to_values(group, x)
    if index == 0:
        kind = "spurious" if attained(group) and common["value_lower"] > 0 else "minimum"
        return _certificate(group, values, a, b, kind=kind, **common)
    lowest = min(found, key=lambda s: s.least)
    witness = lowered(at, lowest)
    if witness is None:
        return NotProven("a negative eigenvalue is proven, but no point of lower value was found.")
    return _certificate(
        group, values, a, b,
        kind="saddle",
        witness_cuts={j: tuple(parts) for j, parts in lowest.component.cut.parts.items()},
        witness=np.array(witness),
        **common,
    )  # fmt: skip


def _certificate(group: Blocks, values, a, b, **entries) -> SymmetricCertificate:
    """Fill in what every certificate holds."""
    nothing = {
        "index": 0, "value_lower": 0.0, "value_upper": 0.0, "min_eigenvalue_lower": 0.0,
        "radius": 0.0,
    }  # fmt: skip
    return SymmetricCertificate(
        n=sum(group.students),
        k=sum(group.teachers),
        blocks=group.students,
        teacher_blocks=group.teachers,
        values=values,
        student_weights=a,
        teacher_weights=b,
        versions=versions(),
        **(nothing | entries),
    )


def has_teacher_function(group: Blocks, x: Sequence[float]) -> bool:
    """Check exactly whether each student is b/a > 0 times its own teacher.

    relu(cw·x) = c relu(w·x) for c ≥ 0, so the student's function is then Σⱼ bⱼ relu(vⱼ·x).
    """
    return group.students == group.teachers and all(
        value > 0
        and _rational(group.student_weights[i]) * _rational(value)
        == _rational(group.teacher_weights[i])
        if i == j
        else value == 0
        for (i, j), value in zip(group.unknowns, x, strict=True)
    )


def _rational(x: float | arb) -> fmpq:
    return fmpq(*float(x).as_integer_ratio())


def attained(group: Blocks) -> bool:
    """Check whether the risk 0 is attained: one student for each teacher, of its weight's sign.

    Then wᵢ = (bⱼ/aᵢ) vⱼ, and zero for the students left over, have the teacher's function.
    """
    for way in (1, -1):
        students = sum(
            p for a, p in _weighted(group.student_weights, group.students) if way * a > 0
        )
        teachers = sum(
            q for b, q in _weighted(group.teacher_weights, group.teachers) if way * b > 0
        )
        if students < teachers:
            return False
    return True


def _weighted(weights: Sequence[arb], sizes: Sequence[int]) -> list[tuple[float, int]]:
    return [(float(w), size) for w, size in zip(weights, sizes, strict=True)]


def _shortest(group: Blocks, x: Sequence[float]) -> float:
    """Return the length of the shortest student, about."""
    lengths = [sum(c * x[u] * x[v] for u, v, c in form) for form in group.lengths]
    return float(min(lengths)) ** 0.5


def _distance(group: Blocks, one: Sequence[float], other: Sequence[float]) -> float:
    """Bound the Euclidean distance of two points of a fixed space."""
    gaps: Vector = [arb(p) - arb(q) for p, q in zip(one, other, strict=True)]
    return upper(total(c * g * g for c, g in zip(group.entries, gaps, strict=True)).sqrt())
