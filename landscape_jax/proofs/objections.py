"""Objections to a certificate that need no ball arithmetic over pairs of neurons."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from flint import arb

from landscape_jax.proofs.certificate import Certificate
from landscape_jax.proofs.recheck import Vector, norm, rays
from landscape_jax.proofs.teacher_rays import digest

# The Hessian is checked in the whole space up to this size, above in the teacher's span.
WHOLE_SPACE = 400
LARGEST_HESSIAN = 2500
# A pair of neurons takes the time of its d coordinates and of so many more.
PAIR_WORK = 32
LARGEST_WORK = 2e7


def well_posed(claim: Certificate) -> Iterator[str]:
    """Object to problems that are too large and to fields that contradict each other."""
    n, d = claim.point.shape
    k = len(claim.teacher)
    if (n + k) ** 2 * (d + PAIR_WORK) > LARGEST_WORK:
        yield "the problem is too large to be checked."
    live = claim.teacher[live_teachers(claim)]
    width = int(np.sum(used_columns(claim)))
    if n * width > LARGEST_HESSIAN and not 0 < len(live) < width:
        yield "the Hessian is too large to be checked."
    if np.any(claim.student_weights == 0) or not np.all(np.any(claim.point != 0, axis=1)):
        yield "a student neuron is zero, or has second-layer weight 0."
    if not 0 < claim.radius < claim.uniqueness_radius <= claim.ball_radius:
        yield "its radii are not in order."
    if not (claim.min_eigenvalue_lower > 0 and claim.gradient_norm_upper > 0):
        yield "its Hessian bound and its gradient bound are not positive."
    padding = claim.padding_min_eigenvalue_lower
    if claim.every_higher_dimension != (padding is not None):
        yield "the bound for further dimensions stands exactly where they are claimed."
    if padding is not None and not padding > 0:
        yield "the bound for further dimensions is not positive."
    witness = (claim.witness, claim.witness_value_upper)
    if claim.kind == "spurious" and any(part is None for part in witness):
        yield "a spurious minimum needs a witness and its value."
    if claim.kind != "spurious" and any(part is not None for part in witness):
        yield "only a spurious minimum has a witness."


def live_teachers(claim: Certificate) -> np.ndarray:
    """Mask the teachers that are not zero and not of weight 0."""
    return (claim.teacher_weights != 0) & claim.teacher.any(axis=1)


def used_columns(claim: Certificate) -> np.ndarray:
    """Mask the coordinates in which the point or a live teacher is not zero."""
    live = claim.teacher[live_teachers(claim)]
    return np.any(claim.point != 0, axis=0) | np.any(live != 0, axis=0)


def scaling(claim: Certificate) -> Iterator[str]:
    """Object to units that are no powers of two, or that do not scale exactly."""
    units = claim.units
    if not np.all((units > 0) & (np.frexp(units)[0] == 0.5)):
        yield "its units are not positive powers of two."
    rows = [claim.point, claim.given, *([] if claim.witness is None else [claim.witness])]
    products = [(x, x * units[:, None], units[:, None]) for x in rows]
    products.append((claim.student_weights, claim.student_weights / units, 1 / units))
    if not all(
        np.isfinite(scaled).all() and np.array_equal(scaled / unit, old)
        for old, scaled, unit in products
    ):
        yield "scaling its neurons by its units is not exact in float64."


def scaled(claim: Certificate) -> Certificate:
    """Return a certificate in the coordinates unitᵢ·wᵢ, where its bounds are claimed."""
    units = claim.units[:, None]
    return replace(
        claim,
        point=claim.point * units,
        given=claim.given * units,
        witness=None if claim.witness is None else claim.witness * units,
        student_weights=claim.student_weights / claim.units,
    )


def identity(claim: Certificate, arrays: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Object if the certificate is not about given arrays, or has another problem's digest."""
    for name, array in arrays.items():
        if not np.array_equal(getattr(claim, name), array):
            yield f"its '{name}' is not that of the given risk."
    if claim.teacher_digest != digest(claim.teacher, claim.teacher_weights, claim.student_weights):
        yield "its 'teacher_digest' is not that of its teacher and second layers."


def inequalities(claim: Certificate) -> Iterator[str]:
    """Object if the argument's inequalities fail at the claimed radii."""
    eps, lip = arb(claim.gradient_norm_upper), arb(claim.lipschitz_upper)
    least = claim.min_eigenvalue_lower
    if claim.padding_min_eigenvalue_lower is not None:
        least = min(least, claim.padding_min_eigenvalue_lower)
    lam = level(claim, arb(0), least)
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


def level(claim: Certificate, offset: arb, eigenvalue: float) -> arb:
    """Return the Hessian bound needed `offset` away for `eigenvalue` on the radius' ball."""
    return arb(eigenvalue) + arb(claim.lipschitz_upper) * (arb(claim.radius) + offset)


def moved(claim: Certificate) -> Iterator[str]:
    """Object if the point lies further from the given one than claimed."""
    entries = zip(claim.point.ravel().tolist(), claim.given.ravel().tolist(), strict=True)
    if not norm([arb(p) - arb(q) for p, q in entries]) <= claim.moved:
        yield "the point was moved further than claimed."


def global_value(claim: Certificate) -> Iterator[str]:
    """Object to a global minimum that is not exhibited, or not of value 0."""
    if claim.kind != "global":
        return
    if claim.value_lower > 0 or claim.value_upper < 0:
        yield "a minimum with the teacher's function has value 0."
    if not teacher_within(claim):
        yield "no point with the teacher's function lies within the uniqueness radius."


def shared_rays(claim: Certificate) -> Iterator[str]:
    """Object to two students on one ray: moving weight from one to the other leaves F as it is."""
    if len(rays(claim.point, np.ones(len(claim.point)))) < len(claim.point):
        yield "two students share a ray, where the risk is flat in how they share it."


def teacher_within(claim: Certificate) -> bool:
    """Check whether a point with exactly the teacher's function lies within the uniqueness radius.

    Each student is matched to the nearest ray of its sign, u/a for the sum u of the ray's neurons;
    every ray must be matched once.
    """
    found = rays(claim.teacher, claim.teacher_weights)
    targets = np.array([[float(arb(x)) for x in u] for _, u in found])
    signs = np.array([sign for sign, _ in found])
    matched: set[int] = set()
    gaps: Vector = []
    for a, w in zip(claim.student_weights.tolist(), claim.point, strict=True):
        allowed = np.flatnonzero(signs == np.sign(a))
        if not len(allowed):
            return False
        j = int(allowed[np.argmin(np.linalg.norm(w - targets[allowed] / a, axis=1))])
        matched.add(j)
        gaps += [arb(x) - arb(y) / arb(a) for x, y in zip(w.tolist(), found[j][1], strict=True)]
    return len(matched) == len(found) == len(claim.point) and bool(
        norm(gaps) < claim.uniqueness_radius
    )
