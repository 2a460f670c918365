"""Prove that a population risk has a strict local minimum near a point."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb
from jaxtyping import Float

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained
from landscape_jax.proofs import arguments
from landscape_jax.proofs.arguments import ARGUMENTS, Argument
from landscape_jax.proofs.balls import exact, frobenius, lower, upper
from landscape_jax.proofs.certificate import Certificate, NotProven
from landscape_jax.proofs.eigenvalue_bound import HessianBounds, bound_hessian
from landscape_jax.proofs.kinds import kind_of
from landscape_jax.proofs.lipschitz import Sizes, hessian_lipschitz, hessian_norm
from landscape_jax.proofs.made_with import versions
from landscape_jax.proofs.newton import polish
from landscape_jax.proofs.one_thread import one_thread
from landscape_jax.proofs.pairs import Pairs, gradient, value
from landscape_jax.proofs.problem import Problem, balancing_units, float64, read_problem, sizes
from landscape_jax.proofs.radii import Ball, find_ball
from landscape_jax.proofs.symmetric_certificate import SymmetricCertificate
from landscape_jax.proofs.symmetric_proof import prove_by_symmetry
from landscape_jax.proofs.teacher_rays import digest, gram_bounds

# `verify` works with 256 bits: a bound that it is to confirm must not be finer than that.
PRECISIONS = range(64, 193)
# Points of more numbers are proven by their symmetry if they have one: the matrix takes seconds.
LARGE = 900
Proof = Certificate | SymmetricCertificate


class _RefusalError(Exception):
    """Carries a `NotProven` out of the steps of a proof."""

    def __init__(self, reason: str, **known: Any):
        super().__init__(reason)
        self.outcome = NotProven(reason, **known)


@dataclass(frozen=True)
class _Evaluated:
    """A point in balanced coordinates, its angles, and |∇F|."""

    point: Float[np.ndarray, "n d"]
    pairs: Pairs
    gradient_norm: arb

    @cached_property
    def risk(self) -> arb:
        """Enclose F."""
        return value(self.pairs)


@dataclass(frozen=True)
class _Setting:
    """What is asked: the risk, the point, the witness, and the options of `prove_minimum`.

    `units`, the powers of two that balance the second layer; `balanced`, the balanced problem.
    """

    problem: Problem
    given: Float[np.ndarray, "n d"]
    witness: Float[np.ndarray, "n d"] | None
    max_move: float
    argument: Argument
    units: Float[np.ndarray, " n"]
    balanced: Problem


@explained
@one_thread
def prove_minimum(
    risk: Any,
    W: Any,
    *,
    max_move: float | int = 1e-3,
    witness: Any = None,
    argument: Argument = "newton-kantorovich",
    precision: int = 128,
) -> Proof | NotProven:
    """Prove that the risk has a strict local minimum near W, or return the reason why not.

    The point is polished, and a strict minimum is proven within the certificate's `radius` of the
    polished point, in ball arithmetic: |∇F| ≤ ε and ∇²F ≥ λ at the point, the Hessian's Lipschitz
    constant L around it, and L ε/λ² < ½ (or SS18, lemma 1).  Nothing else is trusted; if the polish
    does not lower the gradient, the given point is used.

    (a, w) → (a/c, cw) does not change the function.  So the proof, with its distances and norms, is
    in the balanced coordinates unitᵢ·wᵢ, with powers of two unitᵢ that make all |aᵢ/unitᵢ| similar.

    **Arguments:** `risk`, a `PopulationRisk` with activation "relu"; `W`, (n, d), one neuron a row;
    `max_move`, how far the point may be moved, relative to the length of its shortest neuron; with
    0 it stays where it is, and the minimum lies within `radius` of it; `witness`, (n, d), a point
    of lower value that makes the minimum spurious, by default the teacher itself where the student
    can realise it; `argument`, "newton-kantorovich" or "safran-shamir"; `precision`, the working
    precision in bits, 64 to 192.

    **Returns:** a `Certificate`; of more than 900 numbers that permutations fix, a
    `SymmetricCertificate`; or `NotProven` with the reason.

    **Raises:** `TypeError` or `ValueError` for what does not fit, or is out of range, by its name.

    Source: SS18, theorem 1, lemmas 1–3.

    ```python
    >>> from types import SimpleNamespace
    >>> risk = SimpleNamespace(teacher=np.eye(2), teacher_weights=np.ones(2), student_weights=None,
    ...                        activation="relu")
    >>> proof = prove_minimum(risk, [[1.0, 1e-5], [0.0, 1.0]])
    >>> proof.proven, proof.kind, proof.moved < 2e-5
    (True, 'global', True)
    >>> prove_minimum(risk, [[1.0, 0.5], [0.0, 1.0]]).reason
    'no critical point lies within 0.00101 of the given point: the gradient there is too large.'
    >>> proof = prove_minimum(risk, [[1.0, 1e-5], [0.0, 1.0]], max_move=0)
    >>> proof.moved, proof.radius < 1e-3
    (0.0, True)

    ```
    """
    start = time.perf_counter()
    given = float64(W, 2, "W")
    problem = read_problem(risk, given)
    better = None if witness is None else float64(witness, 2, "witness")
    _check_options(given, max_move, better, argument, precision)
    if given.size > LARGE and better is None and np.isfinite(given).all():
        found = prove_by_symmetry(problem, given, float(max_move), precision)
        if found and found.index == 0:
            return replace(found, seconds=time.perf_counter() - start)
    try:
        with working_precision(precision), np.errstate(all="ignore"):
            _check_finite(problem, given)
            units = balancing_units(problem.student_weights)
            balanced = problem.balanced(units)
            outcome = _prove(
                _Setting(problem, given, better, float(max_move), argument, units, balanced)
            )
    except _RefusalError as refused:
        outcome = refused.outcome
    return replace(outcome, seconds=time.perf_counter() - start)


@explained
def prove_minima(risk: Any, points: Iterable[Any], **options: Any) -> list[Proof | NotProven]:
    """Prove each of several points, in order: a list with a `Certificate` or `NotProven` for each.

    **Arguments:** `risk`; `points`, each a W, as an array (m, n, d); `options` of `prove_minimum`.

    **Raises:** as `prove_minimum`, before any proof if one of the points does not fit.
    """
    arrays = [float64(point, 2, f"points[{i}]") for i, point in enumerate(points)]
    for i, array in enumerate(arrays):
        read_problem(risk, array, f"points[{i}]")
    return [prove_minimum(risk, array, **options) for array in arrays]


def _check_options(
    given: Float[np.ndarray, "n d"],
    max_move: float | int,
    witness: Float[np.ndarray, "m e"] | None,
    argument: str,
    precision: int,
) -> None:
    """Raise `ValueError` if an option is out of range."""
    if witness is not None and (witness.shape != given.shape or not np.isfinite(witness).all()):
        raise ValueError(f"the witness must be a finite array of W's shape {given.shape}.")
    if not 0 <= max_move < np.inf:
        raise ValueError(f"max_move must be finite and not negative, not {max_move}.")
    if argument not in ARGUMENTS:
        raise ValueError(f"argument must be one of {', '.join(ARGUMENTS)}, not {argument!r}.")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be an integer from 64 to 192, not {precision!r}.")


def _check_finite(problem: Problem, given: Float[np.ndarray, "n d"]) -> None:
    """Refuse numbers that are not finite, and students that are zero."""
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


def _prove(setting: _Setting) -> Certificate:
    """Prove a strict minimum near the given point, or raise `_RefusalError`."""
    balanced = setting.balanced
    start = _evaluate(balanced, _scaled(setting.given, setting.units))
    _scaled(setting.problem.student_weights[:, None], 1 / setting.units)
    shortest = lower(sizes(start.pairs).least_norm())
    reach = setting.max_move * shortest
    _check_reach(setting, start, reach + (shortest + reach) / 4)
    end = _polished(setting, start, reach)
    known = _known(setting, end, start)
    bounds = bound_hessian(balanced, end.point)
    if isinstance(bounds, str):
        raise _RefusalError(f"{bounds}.", **known)
    size, gradient_norm = sizes(end.pairs), known["gradient_norm_upper"]
    ball = find_ball(setting.argument, gradient_norm, bounds, size)
    if ball is None:
        raise _refusal(setting, start, reach, bounds, size, known)
    return _certificate(setting, end, bounds, known, ball)


def _evaluate(problem: Problem, point: Float[np.ndarray, "n d"]) -> _Evaluated:
    """Enclose the angles and the gradient's norm at a point."""
    pairs = problem.pairs(point)
    return _Evaluated(point, pairs, frobenius(gradient(pairs)))


def _scaled(
    rows: Float[np.ndarray, "n columns"], units: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n columns"]:
    """Multiply rows by powers of two, or refuse if that is not exact in float64."""
    scaled = rows * units[:, None]
    if not (np.isfinite(scaled).all() and np.array_equal(scaled / units[:, None], rows)):
        raise _RefusalError("balancing the second layer by powers of two leaves float64's range.")
    return scaled


def _excluded(at: _Evaluated, radius: float) -> bool:
    """Check that no critical point lies within `radius` of a point.

    By the mean value theorem |∇F| ≥ |∇F(W)| − Λρ within ρ of W, with Λ ≥ |∇²F| there.
    """
    reach = arb(radius)
    return bool(at.gradient_norm > hessian_norm(sizes(at.pairs), reach) * reach)


def _rounded(length: float) -> float:
    """Round a length up to three digits, for a sentence that is to be true of what it prints."""
    return float(f"{1.01 * length:.3g}")


def _check_reach(setting: _Setting, start: _Evaluated, furthest: float) -> None:
    """Refuse what can be refused cheaply: no certificate's minimum lies further than `furthest`.

    Its radius is less than a quarter of the polished point's shortest neuron.
    """
    furthest = _rounded(furthest)
    if _excluded(start, furthest):
        raise _RefusalError(
            _nothing_within(setting, furthest),
            gradient_norm_upper=upper(start.gradient_norm),
            value_lower=max(0.0, lower(start.risk)),
            value_upper=upper(start.risk),
        )


def _nothing_within(setting: _Setting, length: float) -> str:
    """Return the reason for what `_excluded` has shown."""
    where = "" if np.all(setting.units == 1) else " in balanced coordinates"
    return (
        f"no critical point lies within {length} of the given point{where}: "
        "the gradient there is too large."
    )


def _polished(setting: _Setting, start: _Evaluated, reach: float) -> _Evaluated:
    """Polish the point, or keep the given one if the polish does not lower the gradient."""
    if not reach > 0:
        return start
    # What the certificate holds is the point in the user's coordinates.
    units = setting.units[:, None]
    point = polish(setting.balanced, start.point, reach) / units * units
    alive = np.isfinite(point).all() and np.all(np.any(point != 0, axis=1))
    if not (alive and frobenius(exact(point) - exact(start.point)) <= reach):
        return start
    end = _evaluate(setting.balanced, point)
    return end if end.gradient_norm < start.gradient_norm else start


def _known(setting: _Setting, end: _Evaluated, start: _Evaluated) -> dict[str, Any]:
    """Return what is known of the point, proven or not."""
    known = {
        "point": end.point / setting.units[:, None],
        "moved": upper(frobenius(exact(end.point) - exact(start.point))),
        "gradient_norm_upper": max(
            upper(end.gradient_norm * (1 + arb(2) ** -40)), _least_gradient(end.pairs)
        ),
        "value_lower": max(0.0, lower(end.risk)),
        "value_upper": upper(end.risk),
    }
    if not all(np.isfinite(bound).all() for bound in known.values()):
        raise _RefusalError("the risk or its gradient is too large for float64 there.")
    return known


def _least_gradient(pairs: Pairs) -> float:
    """Return the least gradient norm that is stated, so that every radius is positive.

    2⁻¹⁰⁰ times a power of two near maxᵢ |aᵢ| · maxⱼ |cⱼ||uⱼ|, to which ∇F is proportional.
    """
    outer = [abs(c) for c in pairs.weights]
    largest = max((c * r).upper() for c, r in zip(outer, pairs.norms, strict=True))
    scale = float(max(c.upper() for c in outer[: pairs.students]) * largest)
    return float(np.ldexp(1.0, int(np.frexp(scale)[1]) - 100))


def _refusal(
    setting: _Setting,
    start: _Evaluated,
    reach: float,
    bounds: HessianBounds,
    size: Sizes,
    known: dict[str, Any],
) -> _RefusalError:
    """Return why no argument applies."""
    descent = _descent(bounds, size)
    gradient_norm = known["gradient_norm_upper"]
    if reach > 0 and _excluded(start, _rounded(reach)):
        reason = _nothing_within(setting, _rounded(reach))
    elif descent is not None:
        reason = (
            f"the Hessian has an eigenvalue of at most {descent:.3g} there: "
            "the point is no minimum's."
        )
    elif not bounds.inside > 0:
        reason = "the Hessian is not proven positive definite: it is singular, or nearly."
    else:
        reason = (
            f"the gradient's norm, at most {gradient_norm:.3g}, is too large for the Hessian's "
            f"smallest eigenvalue, at least {bounds.inside:.3g}: no minimum is proven near."
        )
    eigenvalue = bounds.inside if np.isfinite(bounds.inside) else None
    return _RefusalError(
        reason, min_eigenvalue_lower=eigenvalue, min_eigenvalue_upper=descent, **known
    )


def _descent(bounds: HessianBounds, size: Sizes) -> float | None:
    """Bound the Hessian's smallest eigenvalue at the point from above; `None` if not negative."""
    if bounds.descent is None:
        return None
    rate = hessian_lipschitz(size, arb(bounds.offset)) if bounds.offset > 0 else arb(0)
    bound = upper(arb(bounds.descent) + rate * bounds.offset)
    return bound if bound < 0 else None


def _certificate(
    setting: _Setting,
    end: _Evaluated,
    bounds: HessianBounds,
    known: dict[str, Any],
    ball: Ball,
) -> Certificate:
    """State what is proven."""
    radii, lipschitz, everywhere = ball.radii, ball.lipschitz, ball.everywhere
    problem, gradient_norm = setting.problem, known["gradient_norm_upper"]
    loss = arb(lipschitz) * (arb(radii.radius) + bounds.offset)
    drop = arguments.value_drop(
        setting.argument,
        radii.radius,
        gradient_norm,
        hessian_norm(sizes(end.pairs), arb(radii.radius)),
    )
    least = max(0.0, lower(end.risk - drop))
    witness = problem.witness() if setting.witness is None else setting.witness
    scaled_witness = None if witness is None else _scaled(witness, setting.units)
    kind, bound = kind_of(setting.balanced, end.point, scaled_witness, least, radii.uniqueness)
    gram = gram_bounds(problem.teacher)
    if not np.isfinite(gram).all():
        raise _RefusalError("the teacher's Gram matrix is beyond the range of float64.", **known)
    return Certificate(
        kind=kind,
        argument=setting.argument,
        point=known["point"],
        given=setting.given,
        teacher=problem.teacher,
        teacher_weights=problem.teacher_weights,
        student_weights=problem.student_weights,
        units=setting.units,
        witness=witness if kind == "spurious" else None,
        teacher_digest=digest(problem.teacher, problem.teacher_weights, problem.student_weights),
        teacher_gram_lower=gram[0],
        teacher_gram_upper=gram[1],
        moved=known["moved"],
        value_lower=0.0 if kind == "global" else least,
        value_upper=0.0 if kind == "global" else known["value_upper"],
        witness_value_upper=bound,
        gradient_norm_upper=gradient_norm,
        min_eigenvalue_lower=lower(arb(bounds.inside) - loss),
        padding_min_eigenvalue_lower=lower(arb(bounds.padding) - loss) if everywhere else None,
        lipschitz_upper=lipschitz,
        radius=radii.radius,
        uniqueness_radius=radii.uniqueness,
        ball_radius=ball.radius,
        every_higher_dimension=everywhere,
        versions=versions(),
    )
