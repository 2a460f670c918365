"""Prove that a population risk has a critical point near a point, of any kind and index."""

import time
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
from flint import arb, arb_mat, fmpq
from jaxtyping import Float

from landscape_jax.exact.rationals import rational
from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained
from landscape_jax.proofs.balls import exact, frobenius, lower, midpoints, symmetric, upper
from landscape_jax.proofs.certificate import Certificate, NotProven
from landscape_jax.proofs.definite import smallest_eigenvalue
from landscape_jax.proofs.made_with import versions
from landscape_jax.proofs.minimum import PRECISIONS, prove_minimum
from landscape_jax.proofs.newton import polish
from landscape_jax.proofs.one_thread import one_thread
from landscape_jax.proofs.pairs import angles, gradient, hessian, value
from landscape_jax.proofs.point_certificate import LARGEST_SADDLE, PointCertificate, exhibited_point
from landscape_jax.proofs.problem import Problem, float64, read_problem
from landscape_jax.proofs.split_certificate import SplitCertificate
from landscape_jax.proofs.split_neurons import merged_problem, split_proof
from landscape_jax.proofs.symmetric_certificate import SymmetricCertificate
from landscape_jax.proofs.symmetric_point import SLACK, signs_of
from landscape_jax.proofs.symmetric_proof import prove_by_symmetry

# Up to so many numbers a global minimum is proven to be a strict one too, where it is.
SMALL = 400
Proof = Certificate | SymmetricCertificate | PointCertificate | SplitCertificate


@explained
@one_thread
def prove_critical_point(
    risk: Any,
    W: Any,
    *,
    max_move: float | int = 1e-3,
    witness: Any = None,
    precision: int = 128,
) -> Proof | NotProven:
    """Prove that the risk has a critical point near W, with its kind and index, or why not.

    In this order: an exhibited point with the teacher's function near W is a global minimum; a
    point with several students on one ray is a split one, proven by that in which they are merged;
    a point that permutations of students and orthonormal teachers fix is proven in its fixed space,
    by isotypic components, in time that does not grow with k; a strict minimum is proven by
    `prove_minimum`; a saddle by Krawczyk's test in R^(n×d), with the inertia of its Hessian.

    *Both layers*, a `JointRisk` of relu and a network (w, a) without biases: with uᵢ = |aᵢ|wᵢ,
    aᵢ relu(wᵢ·x) = sign(aᵢ) relu(uᵢ·x), so where all aᵢ and wᵢ are not 0 the risk is G(u), G the
    risk with second layer sign(aᵢ).  The map to u is a submersion there, whose fibres are the
    rescalings (a, w) → (a/c, cw).  Hence (w, a) is critical if and only if u is, and the Hessian is
    that of G, by a congruence, and 0 along the n rescalings: the certificate is of u and G, and
    says of (w, a) the same modulo rescaling.  Neurons with aᵢ = 0 or wᵢ = 0 are refused.

    **Arguments:** as in `prove_minimum`; with a `witness`, a strict minimum is tried first.

    **Returns:** a `SymmetricCertificate`, `Certificate`, `PointCertificate` or `SplitCertificate`,
    each with `.kind` ("global", "spurious", "minimum", "saddle"), `.index` and bounds of value and
    eigenvalues; or `NotProven` with the reason.

    **Raises:** `TypeError` or `ValueError` for what does not fit, or is out of range, by its name.

    ```python
    >>> from types import SimpleNamespace
    >>> risk = SimpleNamespace(teacher=np.eye(2), teacher_weights=np.ones(2), student_weights=None,
    ...                        activation="relu")
    >>> proof = prove_critical_point(risk, [[1.0, 0.0], [0.0, 1.0]])
    >>> proof.kind, proof.index, proof.value_upper
    ('global', 0, 0.0)

    ```
    """
    start = time.perf_counter()
    if not hasattr(risk, "teacher") and hasattr(risk, "balanced"):
        risk, W = risk.balanced(W)
    given = float64(W, 2, "W")
    problem = read_problem(risk, given)
    if not 0 <= max_move < np.inf:
        raise ValueError(f"max_move must be finite and not negative, not {max_move}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be an integer from 64 to 192, not {precision!r}.")
    if not np.isfinite(given).all():
        return NotProven("the point is not finite.")
    options = {"max_move": float(max_move), "precision": precision}
    outcome = None
    if witness is not None:
        outcome = prove_minimum(risk, given, witness=witness, **options)
    if not outcome:
        with np.errstate(all="ignore"):
            outcome = _prove(risk, problem, given, float(max_move), precision)
    return replace(outcome, seconds=time.perf_counter() - start)


def _prove(
    risk: Any, problem: Problem, given: Float[np.ndarray, "n d"], max_move: float, precision: int
) -> Proof | NotProven:
    """Try the arguments in turn."""
    found = _exhibited(problem, given, max_move)
    if found is not None and len(given) == len(problem.teacher) and given.size <= SMALL:
        strict = prove_minimum(risk, given, max_move=max_move, precision=precision)
        return strict if strict and strict.kind == "global" else found
    if found is not None:
        return found
    merged = merged_problem(problem, given)
    if merged is not None:
        return _split(merged, problem, given, max_move, precision)
    by_symmetry = prove_by_symmetry(problem, given, max_move, precision)
    if by_symmetry:
        return by_symmetry
    dense = _dense(risk, problem, given, max_move, precision)
    return by_symmetry if by_symmetry is not None and not dense else dense


def _split(
    merged: tuple[Problem, Float[np.ndarray, "m d"], list[int]],
    problem: Problem,
    given: Float[np.ndarray, "n d"],
    max_move: float,
    precision: int,
) -> Proof | NotProven:
    """Prove a point with several students on a ray by the point in which they are merged."""
    inner, rows, assignment = merged
    risk = SimpleNamespace(**asdict(inner), activation="relu")
    proof = _dense(risk, inner, rows, max_move, precision)
    if isinstance(proof, Certificate | PointCertificate):
        with working_precision(precision), np.errstate(all="ignore"):
            return split_proof(problem, given, assignment, proof)
    return proof if not proof else NotProven("split neurons are proven up to 900 numbers.")


def _dense(
    risk: Any,
    problem: Problem,
    given: Float[np.ndarray, "n d"],
    max_move: float,
    precision: int,
) -> Proof | NotProven:
    """Prove a strict minimum, or a saddle, by the whole Hessian."""
    minimum = prove_minimum(risk, given, max_move=max_move, precision=precision)
    if minimum or minimum.min_eigenvalue_upper is None or minimum.point is None:
        return minimum
    if given.size > LARGEST_SADDLE:
        return minimum
    with working_precision(precision), np.errstate(all="ignore"):
        saddle = _saddle(problem, given, minimum, max_move)
    return minimum if saddle is None else saddle


def _exhibited(
    problem: Problem, given: Float[np.ndarray, "n d"], max_move: float
) -> PointCertificate | None:
    """Exhibit a point near W at which students along teachers add up to these, exactly."""
    live = (problem.teacher_weights != 0) & problem.teacher.any(axis=1)
    lengths = np.linalg.norm(given, axis=1)
    alive = lengths > max_move * float(np.median(lengths))
    if not live.all() or not alive.any():
        return None
    norms = np.linalg.norm(problem.teacher, axis=1)
    cosines = (given @ problem.teacher.T) / (np.where(alive, lengths, 1)[:, None] * norms)
    nearest = np.argmax(cosines, axis=1)
    if not np.all(alive <= (np.max(cosines, axis=1) > 1 - max_move**2)):
        return None
    assignment = [int(j) if near else -1 for j, near in zip(nearest, alive, strict=True)]
    shares = _exact_shares(problem, given, assignment)
    if shares is None:
        return None
    point = exhibited_point(problem.teacher, assignment, shares)
    moved = _distance(problem.teacher, given, assignment, shares)
    if not moved <= max_move * float(np.min(lengths[alive])) or np.any(
        problem.student_weights[alive] == 0
    ):
        return None
    return PointCertificate(
        kind="global", index=0, point=point, given=given,
        teacher=problem.teacher, teacher_weights=problem.teacher_weights,
        student_weights=problem.student_weights,
        value_lower=0.0, value_upper=0.0, min_eigenvalue_lower=0.0, radius=0.0, moved=moved,
        assignment=tuple(assignment), shares=tuple(shares), versions=versions(),
    )  # fmt: skip


def _exact_shares(
    problem: Problem, given: Float[np.ndarray, "n d"], assignment: list[int]
) -> list[fmpq] | None:
    """Return the students' lengths along their teachers, the last of each chosen to fit exactly."""
    squares = np.sum(problem.teacher**2, axis=1)
    shares = [
        rational(float(w @ problem.teacher[j] / squares[j])) if j >= 0 else fmpq(0)
        for w, j in zip(given, assignment, strict=True)
    ]
    for j in range(len(problem.teacher)):
        students = [i for i, h in enumerate(assignment) if h == j]
        if not students or any(problem.student_weights[i] == 0 for i in students):
            return None
        last = max(students, key=lambda i: abs(shares[i] * rational(problem.student_weights[i])))
        rest = rational(float(problem.teacher_weights[j])) - sum(
            (
                shares[i] * rational(float(problem.student_weights[i]))
                for i in students
                if i != last
            ),
            fmpq(0),
        )
        shares[last] = rest / rational(float(problem.student_weights[last]))
    return shares if all(s >= 0 for s in shares) else None


def _distance(
    teacher: Float[np.ndarray, "k d"],
    given: Float[np.ndarray, "n d"],
    assignment: list[int] | tuple[int, ...],
    shares: list[fmpq] | tuple[fmpq, ...],
) -> float:
    """Bound the distance of a point from students along teachers."""
    gaps = []
    for w, j, s in zip(given.tolist(), assignment, shares, strict=True):
        along = teacher[j].tolist() if j >= 0 else [0.0] * len(w)
        gaps += [arb(x) - arb(s) * v for x, v in zip(w, along, strict=True)]
    return upper(frobenius(arb_mat(1, len(gaps), gaps)))


def _saddle(
    problem: Problem, given: Float[np.ndarray, "n d"], known: NotProven, max_move: float
) -> PointCertificate | None:
    """Prove a nondegenerate saddle near the point by Krawczyk's test; `None` if that fails."""
    assert known.point is not None
    shortest = float(np.min(np.linalg.norm(given, axis=1)))
    point = polish(problem, known.point, max_move * shortest) if max_move > 0 else known.point
    size = point.size
    moved = upper(frobenius(exact(point) - exact(given)))
    if not moved <= max_move * shortest:
        return None
    center = problem.pairs(point)
    slope = arb_mat(size, 1, gradient(center).entries())
    guess = midpoints(hessian(center))
    try:
        inverse = exact(np.linalg.inv(guess))
    except np.linalg.LinAlgError:
        return None
    step = inverse * slope
    width = 2 * max(abs(s).upper() for s in step.entries())
    box = [arb(p) + symmetric(width) for p in point.ravel().tolist()]
    over = arb_mat(len(point), point.shape[1], box).tolist() + exact(problem.teacher).tolist()
    weights = [arb(float(a)) for a in problem.student_weights]
    weights += [-arb(float(b)) for b in problem.teacher_weights]
    pairs = angles(arb_mat(over), weights, len(point))
    matrix = hessian(pairs)
    unit = arb_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])
    image = (unit - inverse * matrix) * arb_mat(size, 1, [symmetric(width)] * size) - step
    if not all(abs(s) < width for s in image.entries()):
        return None
    found = signs_of(matrix)
    if found is None or found[0] == 0:
        return None
    radius = frobenius(image)
    risk = value(center) + symmetric(frobenius(gradient(pairs)) * radius)
    witness = _lower(problem, point, found[1][:, 0], lower(risk))
    if witness is None:
        return None
    least = smallest_eigenvalue(matrix)
    return PointCertificate(
        kind="saddle", index=found[0], point=point, given=given,
        teacher=problem.teacher, teacher_weights=problem.teacher_weights,
        student_weights=problem.student_weights,
        value_lower=max(0.0, lower(risk)), value_upper=upper(risk),
        min_eigenvalue_lower=least - SLACK * abs(least), radius=upper(radius * (1 + arb(1e-6))),
        moved=moved, witness=witness, versions=versions(),
    )  # fmt: skip


def _lower(
    problem: Problem, point: Float[np.ndarray, "n d"], move: Float[np.ndarray, " p"], least: float
) -> Float[np.ndarray, "n d"] | None:
    """Return a point along a direction of descent whose value is proven to be below a bound."""
    for power in range(2, 40):
        for way in (1.0, -1.0):
            trial = point + way * 2.0**-power * move.reshape(point.shape)
            if upper(value(problem.pairs(trial))) < least:
                return trial
    return None
