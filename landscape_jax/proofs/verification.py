"""Check a certificate from its file alone, by another route than the one that made it."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields

import flint
import numpy as np
from flint import arb, arb_mat

from landscape_jax.proofs.arguments import ARGUMENTS
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.proofs.certificate import KINDS, Certificate, load
from landscape_jax.proofs.one_thread import one_thread
from landscape_jax.proofs.recheck import (
    Landscape,
    Vector,
    norm,
    orthonormal,
    positive_definite,
    vectors,
)

PRECISION = 256
# The Hessian is checked in the whole space up to this size, above in the teacher's span.
WHOLE_SPACE = 400
LARGEST_HESSIAN = 2500
# A pair of neurons takes the time of its d coordinates and of so many more.
PAIR_WORK = 32
LARGEST_WORK = 2e7


@dataclass(frozen=True)
class Verification:
    """Whether a certificate's statement is true as far as this check can prove, and if not, why.

    `reason` is `None` where it holds, else one sentence.  The bounds are this check's own, at the
    certificate's point (`None` where it did not come to them): |∇F|, F, F at the witness, and the
    Hessian's Lipschitz constant on the certificate's ball.
    """

    holds: bool
    reason: str | None = None
    gradient_norm_upper: float | None = None
    value_lower: float | None = None
    value_upper: float | None = None
    witness_value_upper: float | None = None
    lipschitz_upper: float | None = None
    seconds: float = 0.0

    def __bool__(self) -> bool:
        return self.holds


@one_thread
def verify(certificate: Certificate | str | os.PathLike[str]) -> Verification:
    """Check every claim of a certificate; believe none of its numbers.

    The point, the teacher, the second layers, the witness and the given point are what the
    statement is about; every bound is a claim, and holds only where this check's own enclosure
    implies it.  With ε, L, R, ρ, σ the claimed gradient, Lipschitz constant, ball, radius and
    uniqueness radius, and λ = `min_eigenvalue_lower` + Lρ, it proves |∇F| ≤ ε, ∇²F ≥ λ at the point
    (hence ∇²F ≥ λ − Lρ on the ball of radius ρ), and the argument's inequalities at ρ and σ
    themselves, without solving for them; see `arguments`.

    **Arguments:** a `Certificate` or the path of its file.

    **Returns:** a `Verification`, truthy where the certificate holds.

    **Raises:** `CertificateError` where the file is no certificate; `OSError` where it cannot be
    opened.

    Source: SS18, lemmas 1–3.
    """
    start = time.perf_counter()
    if isinstance(certificate, Certificate):
        claim, statement = certificate, None
    else:
        claim, statement = load(certificate)
    bounds: dict[str, float] = {}
    with flint.ctx.workprec(PRECISION), np.errstate(all="ignore"):
        reason = next(_objections(claim, statement, bounds), None)
    seconds = time.perf_counter() - start
    return Verification(reason is None, reason, **bounds, seconds=seconds)


def _objections(
    claim: Certificate, statement: str | None, bounds: dict[str, float]
) -> Iterator[str]:
    """Yield what is wrong, cheapest checks first; `bounds` collects what is recomputed."""
    yield from _well_formed(claim)
    yield from _well_posed(claim)
    if statement is not None and statement != claim.statement:
        yield "its sentence is not what its numbers say."
    here = _landscape(claim, claim.point)
    if not norm(_flat(claim.point, claim.given)) <= claim.moved:
        yield "the point was moved further than claimed."
    slope = here.gradient_norm()
    bounds["gradient_norm_upper"] = upper(slope)
    if not slope <= claim.gradient_norm_upper:
        yield "the gradient is not proven as small as claimed."
    lipschitz = _lipschitz(here, arb(claim.ball_radius))
    bounds["lipschitz_upper"] = upper(lipschitz)
    if not lipschitz <= claim.lipschitz_upper:
        yield "the Hessian's Lipschitz constant is not proven as small as claimed."
    yield from _inequalities(claim)
    yield from _values(claim, here, bounds)
    yield from _curvature(claim, here)


def _well_formed(claim: Certificate) -> Iterator[str]:
    """Object to what a file cannot hold, in a certificate that comes from none."""
    arrays = (claim.point, claim.given, claim.teacher, claim.teacher_weights, claim.student_weights)
    arrays += () if claim.witness is None else (claim.witness,)
    if not all(x.dtype == np.float64 and x.size and np.isfinite(x).all() for x in arrays):
        yield "its arrays are not of finite floats."
    if claim.kind not in KINDS or claim.argument not in ARGUMENTS:
        yield "its kind or its argument is not known."
    bounds = (getattr(claim, f.name) for f in fields(claim))
    if not all(np.isfinite(x) for x in bounds if isinstance(x, float)):
        yield "its bounds are not finite."


def _well_posed(claim: Certificate) -> Iterator[str]:
    """Object to what no statement can be about."""
    if claim.point.ndim != 2:
        yield "its point is no matrix."
    n, d = claim.point.shape
    k = len(claim.teacher)
    if (n + k) ** 2 * (d + PAIR_WORK) > LARGEST_WORK:
        yield "the problem is too large to be checked."
    arrays = (claim.point, claim.given, claim.teacher, claim.teacher_weights, claim.student_weights)
    shapes = [(n, d), (n, d), (k, d), (k,), (n,)]
    if [x.shape for x in arrays] != shapes:
        yield "its arrays do not fit together."
    if np.any(claim.student_weights == 0) or not np.all(np.any(claim.point != 0, axis=1)):
        yield "a student neuron is zero, or has second-layer weight 0."
    if not 0 < claim.radius < claim.uniqueness_radius <= claim.ball_radius < np.inf:
        yield "its radii are not in order."
    if not (claim.min_eigenvalue_lower > 0 and claim.gradient_norm_upper > 0):
        yield "its Hessian bound and its gradient bound are not positive."
    padding = claim.padding_min_eigenvalue_lower
    if claim.every_higher_dimension != (padding is not None):
        yield "the bound for further dimensions stands exactly where they are claimed."
    if padding is not None and not padding > 0:
        yield "the bound for further dimensions is not positive."
    witness = (claim.witness, claim.witness_value_upper)
    if claim.kind != "spurious" and any(part is not None for part in witness):
        yield "only a spurious minimum has a witness."


def _landscape(claim: Certificate, point: np.ndarray) -> Landscape:
    """Give the risk at a point of R^d."""
    a, b = ([arb(x) for x in w.tolist()] for w in (claim.student_weights, claim.teacher_weights))
    return Landscape(vectors(point), a, vectors(claim.teacher), b)


def _flat(x: np.ndarray, y: np.ndarray) -> Vector:
    """Give all entries of x − y."""
    return [arb(p) - arb(q) for p, q in zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)]


def _lipschitz(here: Landscape, ball: arb) -> arb:
    """Bound the Hessian's Lipschitz constant; the theorem is `lipschitz.hessian_lipschitz`'s."""
    sizes = [abs(c) * r for c, r in zip(here.weights, here.norms, strict=True)]
    outer = [abs(c) for c in here.weights[: here.count]]
    worst = arb(0)
    for i in range(here.count):
        least = here.norms[i] - ball
        if not least > 0:
            return arb.nan()
        rest = [j for j in range(here.count) if j != i]
        reach = sum((sizes[j] for j in range(len(sizes)) if j != i), arb(0))
        reach += ball * sum((outer[j] for j in rest), arb(0))
        straight = 3 * arb(3).sqrt() / (4 * arb.pi()) * outer[i] * reach / least**2
        mixed = 3 * outer[i] / (arb.pi() * least) * norm([outer[j] for j in rest])
        worst = max(worst, norm([straight, mixed]).upper())
    return worst


def _level(claim: Certificate, offset: arb, eigenvalue: float) -> arb:
    """Give the Hessian bound that is needed `offset` away for `eigenvalue` on the radius' ball."""
    return arb(eigenvalue) + arb(claim.lipschitz_upper) * (arb(claim.radius) + offset)


def _inequalities(claim: Certificate) -> Iterator[str]:
    """Object where the argument's inequalities fail at the claimed radii."""
    eps, lip = arb(claim.gradient_norm_upper), arb(claim.lipschitz_upper)
    least = claim.min_eigenvalue_lower
    if claim.padding_min_eigenvalue_lower is not None:
        least = min(least, claim.padding_min_eigenvalue_lower)
    lam = _level(claim, arb(0), least)
    near, far = arb(claim.radius), arb(claim.uniqueness_radius)
    if claim.argument == "newton-kantorovich":
        if not (lam - lip * near / 2) * near > eps:
            yield "the gradient does not point outward on the sphere of the claimed radius."
        if not (lam - lip * far / 2) * far > eps:
            yield "the minimum is not proven to be alone within the claimed uniqueness radius."
    else:
        if not (lam / 2 - lip * near / 6) * near > eps:
            yield "the risk is not proven larger on the sphere of the claimed radius."
        if not lam > lip * far:
            yield "the risk is not proven convex within the claimed uniqueness radius."


def _values(claim: Certificate, here: Landscape, bounds: dict[str, float]) -> Iterator[str]:
    """Object to the bounds of the minimum's value and to its kind.

    ∇²F ≥ 0 on the ball of the radius, so F(point) − ε·radius ≤ F(x*) ≤ F(point); and F ≥ 0.
    """
    risk = here.value()
    bounds["value_lower"], bounds["value_upper"] = lower(risk), upper(risk)
    if claim.kind == "global":
        if not _teacher_within(claim):
            yield "no point with the teacher's function lies within the uniqueness radius."
        if claim.value_lower > 0 or claim.value_upper < 0:
            yield "a minimum with the teacher's function has value 0."
        return
    if not risk <= claim.value_upper:
        yield "the minimum's value is not proven as small as claimed."
    drop = arb(claim.gradient_norm_upper) * claim.radius
    if claim.value_lower > 0 and not risk - drop >= claim.value_lower:
        yield "the minimum's value is not proven as large as claimed."
    if claim.kind == "spurious":
        yield from _witness(claim, bounds)


def _witness(claim: Certificate, bounds: dict[str, float]) -> Iterator[str]:
    """Object to a witness that has not a lower value than the minimum."""
    if claim.witness is None or claim.witness_value_upper is None:
        yield "a spurious minimum needs a witness and its value."
        return
    if claim.witness.shape != claim.point.shape:
        yield "the witness is not of the point's shape."
    better = _landscape(claim, claim.witness).value()
    bounds["witness_value_upper"] = upper(better)
    if not better <= claim.witness_value_upper:
        yield "the witness' value is not proven as small as claimed."
    if not claim.witness_value_upper < claim.value_lower:
        yield "the witness' value is not below the minimum's."


def _teacher_within(claim: Certificate) -> bool:
    """Say whether a point with exactly the teacher's function lies within the uniqueness radius.

    Each student takes the nearest teacher of its sign, scaled by b/a; each is to be taken once.
    """
    live = [
        (b, v)
        for b, v in zip(claim.teacher_weights, claim.teacher, strict=True)
        if b != 0 and v.any()
    ]
    taken: set[int] = set()
    gaps: Vector = []
    for a, w in zip(claim.student_weights, claim.point, strict=True):
        far = [float(np.linalg.norm(w - b / a * v)) if a * b > 0 else np.inf for b, v in live]
        j = int(np.argmin(far)) if far else -1
        if not far or far[j] == np.inf:
            return False
        taken.add(j)
        b, v = live[j]
        gaps += [
            arb(x) - arb(y) * arb(float(b)) / arb(float(a))
            for x, y in zip(w.tolist(), v.tolist(), strict=True)
        ]
    return len(taken) == len(live) == len(claim.point) and bool(
        norm(gaps) < claim.uniqueness_radius
    )


def _curvature(claim: Certificate, here: Landscape) -> Iterator[str]:
    """Object where the Hessian at the point is not proven as large as claimed."""
    near = _reduced(claim, here)
    if near is None:
        yield "the Hessian is too large to be checked."
        return
    landscape, offset, complement = near
    if not offset < claim.ball_radius:
        yield "the point is too far from the teacher's span."
    level = _level(claim, offset, claim.min_eigenvalue_lower)
    if not positive_definite(landscape.hessian(), level):
        yield "the Hessian's smallest eigenvalue is not proven as large as claimed."
    padding = claim.padding_min_eigenvalue_lower
    needed = [level] if complement else []
    needed += [] if padding is None else [_level(claim, offset, padding)]
    if needed and not positive_definite(landscape.padding(), max(x.upper() for x in needed)):
        yield "the Hessian in further dimensions is not proven as large as claimed."


def _reduced(claim: Certificate, here: Landscape) -> tuple[Landscape, arb, bool] | None:
    """Give a near point in a subspace that holds the teacher, where the Hessian is small.

    With Q an orthonormal basis of the teachers' span, the point P is replaced by P Qᵀ, in
    coordinates; F there depends on inner products alone (SS18, lemma 3, corollary 1).

    **Returns:** the risk there, the distance |P − P QᵀQ|, and whether directions are left out;
    `None` where the Hessian is too large.
    """
    n, d = claim.point.shape
    if n * d <= WHOLE_SPACE:
        return here, arb(0), False
    a, b = ([arb(x) for x in w.tolist()] for w in (claim.student_weights, claim.teacher_weights))
    live = claim.teacher[(claim.teacher_weights != 0) & claim.teacher.any(axis=1)]
    columns = np.any(claim.point != 0, axis=0) | np.any(live != 0, axis=0)
    point, teacher = vectors(claim.point[:, columns]), vectors(claim.teacher[:, columns])
    width = int(columns.sum())
    if n * width > WHOLE_SPACE and 0 < len(live) < width:
        basis = orthonormal(vectors(live[:, columns]))
        if basis is not None:
            table = arb_mat(basis)
            inside = arb_mat(point) * table.transpose()
            rest = (arb_mat(point) - inside * table).entries()
            outer = (arb_mat(teacher) * table.transpose()).tolist()
            return Landscape(inside.tolist(), a, outer, b), norm(rest), True
    if n * width > LARGEST_HESSIAN:
        return None
    return Landscape(point, a, teacher, b), arb(0), width < d
