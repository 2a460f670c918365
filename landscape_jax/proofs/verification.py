"""Check a certificate from its file alone, by another route than the one that made it."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from flint import arb, arb_mat

from landscape_jax.proofs import claims
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.proofs.certificate import Certificate, load, reread
from landscape_jax.proofs.certificate_file import CertificateError
from landscape_jax.proofs.claims import (
    LARGEST_HESSIAN,
    WHOLE_SPACE,
    level,
    live_teachers,
    used_columns,
)
from landscape_jax.proofs.one_thread import one_thread
from landscape_jax.proofs.plausible import implausible
from landscape_jax.proofs.problem import read_arrays
from landscape_jax.proofs.recheck import (
    Landscape,
    gram,
    norm,
    orthonormal,
    positive_definite,
    vectors,
)

PRECISION = 256


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
def verify(
    certificate: Certificate | str | os.PathLike[str], risk: Any | None = None
) -> Verification:
    """Check every claim of a certificate; believe none of its numbers.

    The point, the teacher, the second layers, the units, the witness and the given point are what
    the statement is about; every bound is a claim, and holds only where this check's own enclosure
    implies it.  With ε, L, R, ρ, σ the claimed gradient, Lipschitz constant, ball, radius and
    uniqueness radius, and λ = `min_eigenvalue_lower` + Lρ, it proves |∇F| ≤ ε, ∇²F ≥ λ at the point
    (hence ∇²F ≥ λ − Lρ on the ball of radius ρ), and the argument's inequalities at ρ and σ
    themselves, without solving for them; see `arguments`.

    A `Certificate` in memory is written and read as its file would be, so there is one reader.

    **Arguments:** `certificate`, a `Certificate` or the path of its file; `risk`, the population
    risk that it is to be about: teacher and both second layers are compared exactly.

    **Returns:** a `Verification`, truthy where the certificate holds.

    **Raises:** `CertificateError` where the file is no certificate; `OSError` where it cannot be
    opened; `TypeError` and `ValueError` where `risk` is none that `prove_minimum` takes.

    Source: SS18, lemmas 1–3.
    """
    start = time.perf_counter()
    bounds: dict[str, float] = {}
    try:
        claim, statement = _read(certificate)
    except CertificateError as error:
        if not isinstance(certificate, Certificate):
            raise
        return Verification(False, f"it is no certificate: {error}")
    arrays = {} if risk is None else read_arrays(risk, len(claim.point))
    with flint.ctx.workprec(PRECISION), np.errstate(all="ignore"):
        reason = next(_objections(claim, statement, arrays, bounds), None)
    seconds = time.perf_counter() - start
    return Verification(reason is None, reason, **bounds, seconds=seconds)


def _read(certificate: Certificate | str | os.PathLike[str]) -> tuple[Certificate, str]:
    """Return a certificate as its file holds it, and its sentence."""
    if isinstance(certificate, Certificate):
        claim = reread(certificate)
        return claim, claim.statement
    return load(certificate)


def _objections(
    claim: Certificate,
    statement: str,
    arrays: dict[str, np.ndarray],
    bounds: dict[str, float],
) -> Iterator[str]:
    """Yield what is wrong, cheapest checks first; `bounds` collects what is recomputed.

    `arrays` are those of the risk that it is to be about, by name.
    """
    yield from claims.well_posed(claim)
    yield from claims.scaling(claim)
    yield from claims.identity(claim, arrays)
    if statement != claim.statement:
        yield "its sentence is not what its numbers say."
    claim = claims.scaled(claim)
    yield from claims.inequalities(claim)
    yield from claims.moved(claim)
    yield from claims.global_value(claim)
    yield from claims.shared_rays(claim)
    here = _landscape(claim, claim.point)
    lipschitz = _lipschitz(here, arb(claim.ball_radius))
    bounds["lipschitz_upper"] = upper(lipschitz)
    if not lipschitz <= claim.lipschitz_upper:
        yield "the Hessian's Lipschitz constant is not proven as small as claimed."
    yield from implausible(claim)
    yield from _gram(claim)
    slope = here.gradient_norm()
    bounds["gradient_norm_upper"] = upper(slope)
    if not slope <= claim.gradient_norm_upper:
        yield "the gradient is not proven as small as claimed."
    yield from _values(claim, here, bounds)
    yield from _curvature(claim, here)


def _gram(claim: Certificate) -> Iterator[str]:
    """Object where the eigenvalues of V Vᵀ, none of them negative, leave the claimed interval."""
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


def _landscape(claim: Certificate, point: np.ndarray) -> Landscape:
    """Return the risk at a point of R^d."""
    a, b = ([arb(x) for x in w.tolist()] for w in (claim.student_weights, claim.teacher_weights))
    return Landscape(vectors(point), a, vectors(claim.teacher), b)


def _lipschitz(here: Landscape, ball: arb) -> arb:
    """Bound the Hessian's Lipschitz constant; the theorem is `lipschitz.hessian_lipschitz`'s."""
    outer, norms = [abs(c) for c in here.weights], here.norms
    total = sum((c * r for c, r in zip(outer, norms, strict=True)), arb(0))
    students = sum(outer[: here.count], arb(0))
    squares = sum((c * c for c in outer[: here.count]), arb(0))
    worst = arb(0)
    for c, r in zip(outer[: here.count], norms[: here.count], strict=True):
        least = r - ball
        if not least > 0:
            return arb.nan()
        reach = total - c * r + ball * (students - c)
        straight = 3 * arb(3).sqrt() / (4 * arb.pi()) * c * reach / least**2
        mixed = 3 * c / (arb.pi() * least) * (squares - c * c).nonnegative_part().sqrt()
        worst = max(worst, norm([straight, mixed]).upper())
    return worst


def _values(claim: Certificate, here: Landscape, bounds: dict[str, float]) -> Iterator[str]:
    """Object to the bounds of the minimum's value and to its kind.

    ∇²F ≥ 0 on the ball of the radius, so F(point) − ε·radius ≤ F(x*) ≤ F(point); and F ≥ 0.
    """
    risk = here.value()
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
    """Object to a witness that has not a lower value than the minimum."""
    if claim.witness is None or claim.witness_value_upper is None:
        return
    better = _landscape(claim, claim.witness).value()
    bounds["witness_value_upper"] = upper(better)
    if not better <= claim.witness_value_upper:
        yield "the witness' value is not proven as small as claimed."
    if not claim.witness_value_upper < claim.value_lower:
        yield "the witness' value is not below the minimum's."


def _curvature(claim: Certificate, here: Landscape) -> Iterator[str]:
    """Object where the Hessian at the point is not proven as large as claimed."""
    near = _reduced(claim, here)
    if near is None:
        yield "the Hessian is too large to be checked."
        return
    landscape, offset, complement = near
    if not offset < claim.ball_radius:
        yield "the point is too far from the teacher's span."
    needed = level(claim, offset, claim.min_eigenvalue_lower)
    if not positive_definite(landscape.hessian(), needed):
        yield "the Hessian's smallest eigenvalue is not proven as large as claimed."
    padding = claim.padding_min_eigenvalue_lower
    beyond = [needed] if complement else []
    beyond += [] if padding is None else [level(claim, offset, padding)]
    if beyond and not positive_definite(landscape.padding(), max(x.upper() for x in beyond)):
        yield "the Hessian in further dimensions is not proven as large as claimed."


def _reduced(claim: Certificate, here: Landscape) -> tuple[Landscape, arb, bool] | None:
    """Return a near point in a subspace that holds the teacher, where the Hessian is small.

    With Q an orthonormal basis of the teachers' span, the point P is replaced by P Qᵀ, in
    coordinates; F there depends on inner products alone (SS18, lemma 3, corollary 1).

    **Returns:** the risk there, the distance |P − P QᵀQ|, and whether directions are left out;
    `None` where the Hessian is too large.
    """
    n, d = claim.point.shape
    if n * d <= WHOLE_SPACE:
        return here, arb(0), False
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
            return Landscape(inside.tolist(), a, outer, b), norm(rest), True
    if n * width > LARGEST_HESSIAN:
        return None
    return Landscape(point, a, teacher, b), arb(0), width < d
