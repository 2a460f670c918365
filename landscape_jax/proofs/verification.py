"""Check a claim from its file alone, by another route than the one that made it."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained, shown
from landscape_jax.proofs import objections
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.proofs.certificate import Certificate
from landscape_jax.proofs.certificate_file import CertificateError
from landscape_jax.proofs.check_certificate import Refused, check
from landscape_jax.proofs.claim import Claim
from landscape_jax.proofs.claim_file import read, reread
from landscape_jax.proofs.objections import (
    LARGEST_HESSIAN,
    WHOLE_SPACE,
    level,
    live_teachers,
    used_columns,
)
from landscape_jax.proofs.one_thread import one_thread
from landscape_jax.proofs.plausible import implausible
from landscape_jax.proofs.point_certificate import (
    LARGEST_SADDLE,
    PointCertificate,
    exhibited_point,
)
from landscape_jax.proofs.problem import read_arrays
from landscape_jax.proofs.rational_claim import RationalClaim
from landscape_jax.proofs.recheck import (
    RiskAtPoint,
    gram,
    norm,
    orthonormal,
    positive_definite,
    vectors,
)
from landscape_jax.proofs.split_certificate import SplitCertificate
from landscape_jax.proofs.split_neurons import split_objections
from landscape_jax.proofs.symmetric_certificate import SymmetricCertificate
from landscape_jax.proofs.teacher_rays import orthonormal_rows

PRECISION = 256


@dataclass(frozen=True)
class Verification:
    """Whether a claim's statement is proven true by this check, and if not, why.  Truthy if so.

    `reason` is `None` if it holds, else one sentence.  The bounds are this check's own, of a
    `Certificate`, at its point (`None` if they were not computed): |∇F|, F, F at the witness, and
    the Hessian's Lipschitz constant on the certificate's ball.
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


@explained
@one_thread
def verify(claim: Claim | str | os.PathLike[str], risk: Any | None = None) -> Verification:
    """Check every statement of a claim; believe none of its numbers.

    *A claim in rational numbers* is checked exactly, from its definition; see its `objections`.

    *A certificate of a symmetric point, a saddle or an exhibited global minimum* is checked by the
    stand-alone program `proofs/check_certificate.py`, see there.

    *A certificate of split neurons*: that of the merged point as above, then the index across the
    split neurons by the checker's formulas.

    *A certificate of a strict minimum.*  The point, the teacher, the second layers, the units, the
    witness and the given point are what the statement is about; every bound is a claim, and holds
    only where this check's own enclosure implies it.  With ε, L, R, ρ, σ the claimed gradient,
    Lipschitz constant, ball, radius and uniqueness radius, and λ = `min_eigenvalue_lower` + Lρ, it
    proves |∇F| ≤ ε, ∇²F ≥ λ at the point (hence ∇²F ≥ λ − Lρ on the ball of radius ρ), and the
    argument's inequalities at ρ and σ themselves, without solving for them; see `arguments`.

    A claim in memory is serialised and read back like a file.

    **Arguments:** `claim`, a `Claim` or the path of its file; `risk`, the population risk that a
    certificate is to be about: teacher and both second layers are compared exactly.

    **Returns:** a `Verification`, truthy if the claim holds.

    **Raises:** `CertificateError` if the file holds no claim; `OSError` if it cannot be opened;
    `TypeError` if `claim` is neither; `TypeError` and `ValueError` if `risk` is one that
    `prove_minimum` refuses.

    Source: SS18, lemmas 1–3; YSJ19, theorem 1; LIU, theorems 1–3; SS16, section 4.2.
    """
    if not isinstance(claim, Claim | str | os.PathLike):
        raise TypeError(f"claim is {shown(claim)}; give a Claim, or the path of its file")
    start = time.perf_counter()
    bounds: dict[str, float] = {}
    try:
        found, statement = (reread(claim), None) if isinstance(claim, Claim) else read(claim)
    except CertificateError as error:
        if not isinstance(claim, Claim):
            raise
        return Verification(False, f"it is no certificate: {error}")
    if isinstance(found, RationalClaim):
        reason = next(_rational_objections(found, statement, risk), None)
    elif isinstance(found, SplitCertificate):
        reason = next(_split_objections(found, statement, risk), None)
    elif isinstance(found, SymmetricCertificate | PointCertificate):
        reason = next(_point_objections(found, statement, risk), None)
    else:
        assert isinstance(found, Certificate)
        arrays = {} if risk is None else read_arrays(risk, len(found.point))
        with working_precision(PRECISION), np.errstate(all="ignore"):
            reason = next(_objections(found, statement, arrays, bounds), None)
    seconds = time.perf_counter() - start
    return Verification(reason is None, reason, **bounds, seconds=seconds)


def _point_objections(
    claim: SymmetricCertificate | PointCertificate, statement: str | None, risk: Any | None
) -> Iterator[str]:
    """Yield what is wrong with a certificate of any index: the stand-alone checker decides."""
    if risk is not None:
        yield from _about(claim, risk)
    if statement not in (None, claim.statement):
        yield "its sentence is not what its numbers say."
    if isinstance(claim, PointCertificate):
        yield from _point(claim)
    try:
        with working_precision(PRECISION), np.errstate(all="ignore"):
            check(claim.written(claim.statement))
    except Refused as refused:
        yield str(refused)


def _split_objections(
    claim: SplitCertificate, statement: str | None, risk: Any | None
) -> Iterator[str]:
    """Yield what is wrong with a certificate of split neurons; the merged one is checked first."""
    arrays = {} if risk is None else read_arrays(risk, len(claim.assignment))
    merged = claim.merged
    own = {"teacher": merged.teacher, "teacher_weights": merged.teacher_weights}
    own |= {"student_weights": merged.student_weights[list(claim.assignment)]}
    for name, array in arrays.items():
        if not np.array_equal(own[name], array):
            yield f"its '{name}' is not that of the given risk."
    if statement not in (None, claim.statement):
        yield "its sentence is not what its numbers say."
    check = verify(merged)
    if not check:
        yield f"the merged point: {check.reason}"
    with working_precision(PRECISION), np.errstate(all="ignore"):
        yield from split_objections(claim)


def _point(claim: PointCertificate) -> Iterator[str]:
    """Object to what is too large to be checked, and to a point that is not that of its shares."""
    neurons = len(claim.point) + len(claim.teacher)
    if claim.kind == "saddle" and (claim.point.size > LARGEST_SADDLE or neurons > LARGEST_SADDLE):
        yield "the problem is too large to be checked."
    if claim.shares is not None and claim.assignment is not None:
        goal = exhibited_point(claim.teacher, claim.assignment, claim.shares)
        if not np.array_equal(goal, claim.point):
            yield "its 'point' is not that of its shares."


def _about(claim: SymmetricCertificate | PointCertificate, risk: Any) -> Iterator[str]:
    """Object if a certificate is not about a given risk; a symmetric one up to order."""
    if isinstance(claim, PointCertificate):
        arrays = read_arrays(risk, len(claim.point))
        yield from (
            f"its '{name}' is not that of the given risk."
            for name, array in arrays.items()
            if not np.array_equal(getattr(claim, name), array)
        )
        return
    arrays = read_arrays(risk, claim.n)
    if not orthonormal_rows(arrays["teacher"]):
        yield "the given risk's teachers are not orthonormal."
    if claim.kind == "saddle" and arrays["teacher"].shape[1] != claim.k:
        yield "a saddle's index is that in R^(n x k), and the given risk has more dimensions."
    for name, sizes in (
        ("student_weights", claim.blocks),
        ("teacher_weights", claim.teacher_blocks),
    ):
        if not np.array_equal(
            np.sort(arrays[name]), np.sort(np.repeat(getattr(claim, name), sizes))
        ):
            yield f"its '{name}' are not those of the given risk, in any order."


def _rational_objections(
    claim: RationalClaim, statement: str | None, risk: Any | None
) -> Iterator[str]:
    """Yield what is wrong with a claim in rational numbers; a claim in memory has no sentence."""
    if risk is not None:
        yield "it is about samples, not about a population risk."
    yield from claim.objections()
    if statement not in (None, claim.statement):
        yield "its sentence is not what its numbers say."


def _objections(
    claim: Certificate,
    statement: str | None,
    arrays: dict[str, np.ndarray],
    bounds: dict[str, float],
) -> Iterator[str]:
    """Yield what is wrong, cheapest checks first; `bounds` collects what is recomputed.

    `arrays` are those of the risk that it is to be about, by name; a certificate in memory has no
    sentence.
    """
    yield from objections.well_posed(claim)
    yield from objections.scaling(claim)
    yield from objections.identity(claim, arrays)
    if statement not in (None, claim.statement):
        yield "its sentence is not what its numbers say."
    claim = objections.scaled(claim)
    yield from objections.inequalities(claim)
    yield from objections.moved(claim)
    yield from objections.global_value(claim)
    yield from objections.shared_rays(claim)
    at_point = _at(claim, claim.point)
    lipschitz = _lipschitz(at_point, arb(claim.ball_radius))
    bounds["lipschitz_upper"] = upper(lipschitz)
    if not lipschitz <= claim.lipschitz_upper:
        yield "the Hessian's Lipschitz constant is not proven as small as claimed."
    yield from implausible(claim)
    yield from _gram(claim)
    gradient_norm = at_point.gradient_norm()
    bounds["gradient_norm_upper"] = upper(gradient_norm)
    if not gradient_norm <= claim.gradient_norm_upper:
        yield "the gradient is not proven as small as claimed."
    yield from _values(claim, at_point, bounds)
    yield from _hessian(claim, at_point)


def _gram(claim: Certificate) -> Iterator[str]:
    """Object if an eigenvalue of V Vᵀ (none is negative) may be outside the claimed interval."""
    least, most = claim.teacher_gram_lower, claim.teacher_gram_upper
    if not claim.teacher.any():
        confirmed = least <= 0 <= most
    else:
        table = gram(vectors(claim.teacher))
        confirmed = (least <= 0 or positive_definite(table, arb(least))) and positive_definite(
            -table, -arb(most)
        )
    if not confirmed:
        yield "the teacher's Gram matrix is not proven to have the claimed eigenvalues."


def _at(claim: Certificate, point: np.ndarray) -> RiskAtPoint:
    """Return the risk at a point of R^d."""
    a, b = ([arb(x) for x in w.tolist()] for w in (claim.student_weights, claim.teacher_weights))
    return RiskAtPoint(vectors(point), a, vectors(claim.teacher), b)


def _lipschitz(at_point: RiskAtPoint, ball: arb) -> arb:
    """Bound the Hessian's Lipschitz constant; the theorem is `lipschitz.hessian_lipschitz`'s."""
    outer, norms = [abs(c) for c in at_point.weights], at_point.norms
    total = sum((c * r for c, r in zip(outer, norms, strict=True)), arb(0))
    students = sum(outer[: at_point.count], arb(0))
    squares = sum((c * c for c in outer[: at_point.count]), arb(0))
    worst = arb(0)
    for c, r in zip(outer[: at_point.count], norms[: at_point.count], strict=True):
        least = r - ball
        if not least > 0:
            return arb.nan()
        reach = total - c * r + ball * (students - c)
        straight = 3 * arb(3).sqrt() / (4 * arb.pi()) * c * reach / least**2
        mixed = 3 * c / (arb.pi() * least) * (squares - c * c).nonnegative_part().sqrt()
        worst = max(worst, norm([straight, mixed]).upper())
    return worst


def _values(claim: Certificate, at_point: RiskAtPoint, bounds: dict[str, float]) -> Iterator[str]:
    """Object to the bounds of the minimum's value and to its kind.

    ∇²F ≥ 0 on the ball of the radius, so F(point) − ε·radius ≤ F(x*) ≤ F(point); and F ≥ 0.
    """
    risk = at_point.value()
    bounds["value_lower"], bounds["value_upper"] = lower(risk), upper(risk)
    if claim.kind == "global":
        return
    if not risk <= claim.value_upper:
        yield "the minimum's value is not proven as small as claimed."
    drop = arb(claim.gradient_norm_upper) * claim.radius
    if claim.value_lower > 0 and not risk - drop >= claim.value_lower:
        yield "the minimum's value is not proven as large as claimed."
    if claim.kind == "spurious":
        yield from _witness(claim, bounds)


def _witness(claim: Certificate, bounds: dict[str, float]) -> Iterator[str]:
    """Object to a witness whose value is not below the minimum's."""
    if claim.witness is None or claim.witness_value_upper is None:
        return
    better = _at(claim, claim.witness).value()
    bounds["witness_value_upper"] = upper(better)
    if not better <= claim.witness_value_upper:
        yield "the witness' value is not proven as small as claimed."
    if not claim.witness_value_upper < claim.value_lower:
        yield "the witness' value is not below the minimum's."


def _hessian(claim: Certificate, at_point: RiskAtPoint) -> Iterator[str]:
    """Object if the Hessian at the point is not proven as large as claimed."""
    reduced = _reduced(claim, at_point)
    if reduced is None:
        yield "the Hessian is too large to be checked."
        return
    projected, offset, complement = reduced
    if not offset < claim.ball_radius:
        yield "the point is too far from the teacher's span."
    needed = level(claim, offset, claim.min_eigenvalue_lower)
    if not positive_definite(projected.hessian(), needed):
        yield "the Hessian's smallest eigenvalue is not proven as large as claimed."
    padding = claim.padding_min_eigenvalue_lower
    beyond = [needed] if complement else []
    beyond += [] if padding is None else [level(claim, offset, padding)]
    if beyond and not positive_definite(projected.padding(), max(x.upper() for x in beyond)):
        yield "the Hessian in further dimensions is not proven as large as claimed."


def _reduced(claim: Certificate, at_point: RiskAtPoint) -> tuple[RiskAtPoint, arb, bool] | None:
    """Return the point's projection on a subspace that contains the teacher; its Hessian is small.

    With Q an orthonormal basis of the teachers' span, the point P is replaced by P Qᵀ, in
    coordinates; F there depends on inner products alone (SS18, lemma 3, corollary 1).

    **Returns:** the risk there, the distance |P − P QᵀQ|, and whether directions are left out;
    `None` if the Hessian is too large.
    """
    n, d = claim.point.shape
    if n * d <= WHOLE_SPACE:
        return at_point, arb(0), False
    a, b = ([arb(x) for x in w.tolist()] for w in (claim.student_weights, claim.teacher_weights))
    live, columns = claim.teacher[live_teachers(claim)], used_columns(claim)
    point, teacher = vectors(claim.point[:, columns]), vectors(claim.teacher[:, columns])
    width = int(columns.sum())
    if n * width > WHOLE_SPACE and 0 < len(live) < width:
        basis = orthonormal(vectors(live[:, columns]))
        if basis is not None:
            table = arb_mat(basis)
            inside = arb_mat(point) * table.transpose()
            rest = (arb_mat(point) - inside * table).entries()
            outer = (arb_mat(teacher) * table.transpose()).tolist()
            return RiskAtPoint(inside.tolist(), a, outer, b), norm(rest), True
    if n * width > LARGEST_HESSIAN:
        return None
    return RiskAtPoint(point, a, teacher, b), arb(0), width < d
