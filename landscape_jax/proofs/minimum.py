"""Prove that a population risk has a strict local minimum near a point."""

import time
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import flint
import numpy as np
from flint import arb
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from landscape_jax.proofs import arguments
from landscape_jax.proofs.arguments import ARGUMENTS, Argument, Radii
from landscape_jax.proofs.balls import exact, frobenius, lower, upper
from landscape_jax.proofs.certificate import Certificate, Kind, NotProven
from landscape_jax.proofs.curvature import Curvature, curvature
from landscape_jax.proofs.lipschitz import Sizes, hessian_lipschitz, hessian_norm
from landscape_jax.proofs.one_thread import one_thread
from landscape_jax.proofs.pairs import gradient, value
from landscape_jax.proofs.polish import polish
from landscape_jax.proofs.problem import Problem, float64, read_problem, sizes

# `verify` works with 256 bits: a bound that it is to confirm must not be finer than that.
PRECISIONS = range(64, 193)


class _RefusalError(Exception):
    """Carries a `NotProven` out of the steps of a proof."""

    def __init__(self, reason: str, **known: Any):
        super().__init__(reason)
        self.outcome = NotProven(reason, **known)


@one_thread
def prove_minimum(
    risk: Any,
    W: Any,
    *,
    max_move: float = 1e-3,
    witness: Any = None,
    argument: Argument = "newton-kantorovich",
    precision: int = 128,
) -> Certificate | NotProven:
    """Prove that the risk has a strict local minimum near W, or say why that was not done.

    The point is polished by at most `max_move`, and a strict minimum is proven within the
    certificate's `radius` of the polished point, in ball arithmetic: |∇F| ≤ ε and ∇²F ≥ λ at the
    point, the Hessian's Lipschitz constant L around it, and L ε/λ² < ½ (or SS18, lemma 1).
    Nothing that the search or the polish says is trusted.

    **Arguments:** `risk`, a `PopulationRisk` with activation "relu"; `W`, (n, d), one neuron a row;
    `max_move`, the Euclidean length of the way that the point may be moved; `witness`, (n, d), a
    point of lower value that makes the minimum spurious, by default the teacher itself where the
    student can realise it; `argument`, "newton-kantorovich" or "safran-shamir"; `precision`, the
    working precision in bits, 64 to 192.

    **Returns:** a `Certificate`, or `NotProven` with the reason.

    **Raises:** `TypeError` for another risk or an array that is not real; `ValueError` for shapes
    that do not fit and options out of range.

    Source: SS18, theorem 1, lemmas 1–3.

    ```python
    >>> from types import SimpleNamespace
    >>> risk = SimpleNamespace(teacher=np.eye(2), teacher_weights=np.ones(2), student_weights=None,
    ...                        activation="relu")
    >>> proof = prove_minimum(risk, [[1.0, 1e-5], [0.0, 1.0]])
    >>> proof.proven, proof.kind, proof.moved < 2e-5
    (True, 'global', True)
    >>> prove_minimum(risk, [[1.0, 0.5], [0.0, 1.0]]).reason
    'no critical point lies within 0.001 of the given point: the gradient there is too large.'

    ```
    """
    start = time.perf_counter()
    given = float64(W, 2, "W")
    problem = read_problem(risk, given)
    better = None if witness is None else float64(witness, 2, "witness")
    _check_options(given, max_move, better, argument, precision)
    try:
        with flint.ctx.workprec(precision), np.errstate(all="ignore"):
            _check_point(problem, given, max_move)
            point = polish(problem, given, max_move)
            _check_polished(given, point, max_move)
            outcome = _prove(problem, given, point, better, argument)
    except _RefusalError as refused:
        outcome = refused.outcome
    return replace(outcome, seconds=time.perf_counter() - start)


def prove_minima(risk: Any, points: Iterable[Any], **options: Any) -> list[Certificate | NotProven]:
    """Prove each of several points, in order; options as for `prove_minimum`."""
    return [prove_minimum(risk, point, **options) for point in points]


def _check_options(
    given: Float[np.ndarray, "n d"],
    max_move: float,
    witness: Float[np.ndarray, "m e"] | None,
    argument: str,
    precision: int,
) -> None:
    """Raise `ValueError` where the call makes no sense."""
    if witness is not None and (witness.shape != given.shape or not np.isfinite(witness).all()):
        raise ValueError(f"the witness must be a finite array of W's shape {given.shape}.")
    if not 0 <= max_move < np.inf:
        raise ValueError(f"max_move must be finite and not negative, not {max_move}.")
    if argument not in ARGUMENTS:
        raise ValueError(f"argument must be one of {', '.join(ARGUMENTS)}, not {argument!r}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be an integer from 64 to 192, not {precision!r}.")


def _check_point(problem: Problem, given: Float[np.ndarray, "n d"], max_move: float) -> None:
    """Refuse what can be refused cheaply.

    By the mean value theorem |∇F| ≥ |∇F(W)| − Λρ within ρ of W, with Λ ≥ |∇²F| there: where that is
    positive for ρ = `max_move` there is no critical point to be found.
    """
    if not np.isfinite(given).all():
        raise _RefusalError("the point is not finite.")
    parts = (problem.teacher, problem.teacher_weights, problem.student_weights)
    if not all(np.isfinite(part).all() for part in parts):
        raise _RefusalError("the teacher or a second-layer weight is not finite.")
    for i in range(len(given)):
        if problem.student_weights[i] == 0:
            raise _RefusalError(f"neuron {i} has second-layer weight 0: the risk is flat in it.")
        if not given[i].any():
            raise _RefusalError(f"neuron {i} is zero, where the risk is not differentiable twice.")
    pairs = problem.pairs(given)
    slope, reach = frobenius(gradient(pairs)), arb(max_move)
    if slope > hessian_norm(sizes(pairs), reach) * reach:
        raise _RefusalError(
            f"no critical point lies within {max_move} of the given point: "
            "the gradient there is too large.",
            gradient_norm_upper=upper(slope),
            value_lower=max(0.0, lower(value(pairs))),
            value_upper=upper(value(pairs)),
        )


def _check_polished(
    given: Float[np.ndarray, "n d"], point: Float[np.ndarray, "n d"], max_move: float
) -> None:
    """Refuse a polished point that lies too far away, or has a neuron that is zero."""
    if not frobenius(exact(point) - exact(given)) <= max_move:
        raise _RefusalError("the polish moved the point further than max_move.")
    if not np.all(np.any(point != 0, axis=1)):
        raise _RefusalError("the polish ends where a neuron is zero.")


def _prove(
    problem: Problem,
    given: Float[np.ndarray, "n d"],
    point: Float[np.ndarray, "n d"],
    witness: Float[np.ndarray, "n d"] | None,
    argument: Argument,
) -> Certificate:
    """Prove a strict minimum near `point`, or raise `_RefusalError`."""
    pairs = problem.pairs(point)
    size, risk = sizes(pairs), value(pairs)
    # A gradient below 2⁻¹⁰⁰ is stated as 2⁻¹⁰⁰, so that every radius is positive.
    slope = max(upper(frobenius(gradient(pairs)) * (1 + arb(2) ** -40)), 2.0**-100)
    known = {
        "point": point,
        "moved": upper(frobenius(exact(point) - exact(given))),
        "gradient_norm_upper": slope,
        "value_lower": max(0.0, lower(risk)),
        "value_upper": upper(risk),
    }
    if not all(np.isfinite(bound).all() for bound in known.values()):
        raise _RefusalError("the risk or its gradient is too large for float64 there.")
    bend = curvature(problem, point)
    if isinstance(bend, str):
        raise _RefusalError(f"{bend}.", **known)
    found = _radii(argument, slope, bend, size) or _refuse(slope, bend, known)
    radii, ball, lipschitz, everywhere = found
    loss = arb(lipschitz) * (arb(radii.radius) + bend.offset)
    drop = arguments.value_drop(
        argument, radii.radius, slope, hessian_norm(size, arb(radii.radius))
    )
    least = max(0.0, lower(risk - drop))
    kind, witness, witness_value = _kind(problem, point, witness, least, radii.uniqueness)
    return Certificate(
        kind=kind,
        argument=argument,
        point=point,
        given=given,
        teacher=problem.teacher,
        teacher_weights=problem.teacher_weights,
        student_weights=problem.student_weights,
        witness=witness,
        moved=known["moved"],
        value_lower=0.0 if kind == "global" else least,
        value_upper=0.0 if kind == "global" else known["value_upper"],
        witness_value_upper=witness_value,
        gradient_norm_upper=slope,
        min_eigenvalue_lower=lower(arb(bend.inside) - loss),
        padding_min_eigenvalue_lower=lower(arb(bend.padding) - loss) if everywhere else None,
        lipschitz_upper=lipschitz,
        radius=radii.radius,
        uniqueness_radius=radii.uniqueness,
        ball_radius=ball,
        every_higher_dimension=everywhere,
        versions={name: version(name) for name in ("python-flint", "numpy", "scipy")},
    )


def _radii(
    argument: Argument, slope: float, bend: Curvature, size: Sizes
) -> tuple[Radii, float, float, bool] | None:
    """Find a ball on which the argument holds, in every dimension ≥ d if that can be, else in R^d.

    The Hessian at the point is at least that at the near point of `Curvature` minus L times the
    offset.  L falls with the ball, and beyond 2λ/L a larger ball is of no use.

    **Returns:** the radii, the ball's radius, L, and whether every higher dimension is covered.
    """
    find = {
        "newton-kantorovich": arguments.newton_kantorovich,
        "safran-shamir": arguments.safran_shamir,
    }[argument]
    for everywhere in (True, False):
        least = min(bend.inside, bend.padding) if everywhere else bend.inside
        if not least > 0:
            continue
        ball = lower(size.least_norm()) / 4
        widest = upper(hessian_lipschitz(size, arb(ball)))
        ball = min(ball, 2 * least / widest) if widest > 0 else ball
        lipschitz = upper(hessian_lipschitz(size, arb(ball)))
        here = lower(arb(least) - arb(lipschitz) * bend.offset)
        radii = find(slope, here, lipschitz, ball)
        if radii is not None and bend.offset < ball:
            return radii, ball, lipschitz, everywhere
    return None


def _refuse(slope: float, bend: Curvature, known: dict[str, Any]) -> Any:
    """Say why no argument applies."""
    if bend.descent is not None and bend.descent < 0:
        reason = (
            "the Hessian has an eigenvalue of at most "
            f"{bend.descent:.3g} there: the point is no minimum's."
        )
    elif not bend.inside > 0:
        reason = "the Hessian is not proven positive definite: it is singular, or nearly."
    else:
        reason = (
            f"the gradient's norm, at most {slope:.3g}, is too large for the Hessian's smallest "
            f"eigenvalue, at least {bend.inside:.3g}: none is proven within max_move."
        )
    eigenvalue = bend.inside if np.isfinite(bend.inside) else None
    raise _RefusalError(reason, min_eigenvalue_lower=eigenvalue, **known)


def _kind(
    problem: Problem,
    point: Float[np.ndarray, "n d"],
    witness: Float[np.ndarray, "n d"] | None,
    least: float,
    uniqueness: float,
) -> tuple[Kind, Float[np.ndarray, "n d"] | None, float | None]:
    """Say whether the minimum is global or spurious, and give the witness and its value."""
    if is_teacher(problem, point, uniqueness):
        return "global", None, None
    better = problem.witness() if witness is None else witness
    if better is not None:
        bound = upper(value(problem.pairs(better)))
        if bound < least:
            return "spurious", better, bound
    return "minimum", None, None


def is_teacher(problem: Problem, point: Float[np.ndarray, "n d"], uniqueness: float) -> bool:
    """Say whether a W with the teacher's function lies within `uniqueness` of the point.

    a relu(w·x) = b relu(v·x) where w = (b/a)v and b/a > 0, by homogeneity; neurons are matched by
    an assignment.  At such a W, F = 0 and so ∇F = 0: it is the only critical point there, x* = W.
    Sufficient, not necessary: a teacher with several neurons on one ray is not recognised.
    """
    alive = (problem.teacher_weights != 0) & problem.teacher.any(axis=1)
    outer, teacher = problem.teacher_weights[alive], problem.teacher[alive]
    inner = problem.student_weights
    if len(outer) != len(inner):
        return False
    scale = outer / inner[:, None]
    distance = np.sum((point[:, None] - scale[..., None] * teacher) ** 2, axis=2)
    allowed = (scale > 0) & np.isfinite(distance)
    rows, columns = linear_sum_assignment(np.where(allowed, distance, 1e300))
    if not np.all(allowed[rows, columns]):
        return False
    matched = [
        arb(v) * arb(float(outer[j])) / arb(float(inner[i]))
        for i, j in zip(rows, columns, strict=True)
        for v in teacher[j].tolist()
    ]
    gaps = exact(point) - flint.arb_mat(point.shape[0], point.shape[1], matched)
    return bool(frobenius(gaps) < uniqueness)
