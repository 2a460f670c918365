"""Points near a given one at which a student computes exactly the teacher's function."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from landscape_jax.arrays import concretely
from landscape_jax.networks.activations import Activation
from landscape_jax.networks.merged_rays import merged_rays
from landscape_jax.objectives.protocols import Attained

# A student is taken for a copy of a ray within this share of its length, and within this share of
# the distance to the next ray, so that it is clear of which.
_COPY, _APART = 1e-3, 0.25
# A student with a larger cosine to a ray is taken to lie on it, whatever the sign of its weight.
_ALIGNED = 0.99


def can_match(activation: Activation, teacher: np.ndarray, b: np.ndarray, a: np.ndarray) -> bool:
    """Check whether a student can copy the teacher's neurons, and switch its others off.

    A neuron of weight b is copied by one of weight a = b; if φ(ct) = c^p φ(t) with p > 0, by any of
    the same sign.  The others are off at w = 0 if φ(0) = 0 or their weights add up to 0.
    Sufficient, not necessary.
    """
    silent = is_silent(activation)
    sort = np.sign if (activation.degree or 0) > 0 else np.asarray
    free = list(sort(a))
    for v, weight in zip(teacher, sort(b), strict=True):
        if weight == 0 or (silent and not v.any()):
            continue
        if weight not in free:
            return False
        free.remove(weight)
    return silent or float(sum(free)) == 0


def is_silent(activation: Activation) -> bool:
    """Check whether φ(0) = 0, so that a neuron with w = 0 adds nothing."""
    with concretely():
        return float(activation(jnp.zeros(1))[0]) == 0


class Student(NamedTuple):
    """A network Σ aᵢ φ(wᵢ·x) in balanced coordinates, Σ sᵢ φ(rᵢ·x).

    For φ(ct) = cᵖφ(t) with p > 0: r = |a|^{1/p} w and s the sign of a, else r = w, s = a.  For an
    odd φ, sᵢ ≥ 0 by (s, r) ~ (−s, −r).
    """

    rows: Float[np.ndarray, "neurons dim"]
    signs: Float[np.ndarray, " neurons"]
    scale: Float[np.ndarray, " neurons"]

    @classmethod
    def of(
        cls,
        activation: Activation,
        rows: Float[np.ndarray, "neurons dim"],
        weights: Float[np.ndarray, " neurons"],
    ) -> "Student":
        """Balance a network; `scale` holds the factors of its neurons."""
        weights = np.asarray(weights, np.float64)
        scale, signs = np.ones(len(weights)), weights
        if activation.degree:
            scale, signs = np.abs(weights) ** (1 / activation.degree), np.sign(weights)
        if activation.parity == "odd":
            scale, signs = np.where(signs < 0, -scale, scale), np.abs(signs)
        return cls(scale[:, None] * np.asarray(rows, np.float64), signs, scale)


def nearest_match(
    activation: Activation,
    teacher: Float[np.ndarray, "teachers dim"],
    teacher_weights: Float[np.ndarray, " teachers"],
    student_weights: Float[np.ndarray, " neurons"],
    W: Float[np.ndarray, "neurons dim"],
) -> Attained | None:
    """Find a point near W at which the student's function is the teacher's, so that F = 0.

    For a homogeneous φ of degree p > 0 each student is a share of one of the teacher's rays, the
    shares of a ray adding up to its mass, or 0: each ray is taken by one student so that the sum of
    squared distances is least (an assignment), the others join the ray that they are nearest to
    (those of the other sign only where they lie on it; they take away from its mass), and the
    shares are scaled to their sum.  For another φ each teacher is copied by one student,
    and the others are 0.  Sufficient, not necessary: identities such as relu(t) − relu(−t) = t are
    not used, and the point is near, not always the nearest.

    **Arguments:** the activation φ; the teacher, its second layer b; the student's second layer a;
    W, the point.

    **Returns:** an `Attained`, or `None` where such points are not known, as for signs of the
    second layers that do not fit.

    ```python
    >>> import numpy as np
    >>> from landscape_jax.networks import activations
    >>> W = np.array([[0.8, 0.0], [0.0, 1.1], [0.1, 0.0]])
    >>> relu = activations.named("relu")
    >>> nearest_match(relu, np.eye(2), np.ones(2), np.ones(3), W).point.round(3).tolist()
    [[0.889, 0.0], [0.0, 1.0], [0.111, 0.0]]

    ```
    """
    student = Student.of(activation, W, student_weights)
    target = Student.of(activation, teacher, teacher_weights)
    even = activation.parity == "even"
    if activation.degree:
        target = _rays(target, even, activation.degree)
        matched = _share(student, target, even, activation.degree)
    elif activation.degree is None:
        alive = (target.signs != 0) & target.rows.any(axis=1)
        silent = is_silent(activation)
        if not silent and not alive.all():
            return None
        target = Student(*(part[alive] for part in target))
        matched = _copy(student, target, even, silent)
    else:
        return None
    if matched is None:
        return None
    free = student.scale == 0
    scale = np.where(free, 1, student.scale)[:, None]
    point = np.where(free[:, None], W, matched / scale)
    lengths = np.linalg.norm(target.rows, axis=1)
    degree = activation.degree or 1
    masses = lengths**degree if activation.degree else np.minimum(lengths, 1)
    apart, crossed = _gaps(target.rows, even, relative=activation.degree is not None)
    nets = (student, target)
    sizes = [np.abs(x.signs) @ np.linalg.norm(x.rows, axis=1) ** degree for x in nets]
    return Attained(
        point=point.astype(W.dtype),
        distance=float(np.linalg.norm(matched - student.rows)),
        reach=float(np.min(lengths * np.minimum(_COPY, _APART * apart), initial=np.inf)),
        detail=_detail(np.abs(target.signs) * masses, crossed),
        terms=float(sum(sizes)) ** 2,
    )


def _rays(target: Student, even: bool, degree: int) -> Student:
    """Add up the neurons that share a ray (for an even φ: a line); leave out what vanishes.

    The rows have the lengths |m|^{1/p} of the masses m, the signs are those of m.
    """
    norms = np.linalg.norm(target.rows, axis=1)
    kept = (norms > 0) & (target.signs != 0)
    masses = target.signs[kept] * norms[kept] ** degree
    units, totals = merged_rays(target.rows[kept], masses, "even" if even else None)
    scale = np.abs(totals) ** (1 / degree)
    return Student(scale[:, None] * units, np.sign(totals), scale)


def _share(
    student: Student, rays: Student, even: bool, degree: int
) -> Float[np.ndarray, "neurons dim"] | None:
    """Place each student on a ray, or at 0, so that the shares of each ray add up to its mass."""
    if not len(rays.rows):
        return np.zeros_like(student.rows)
    units = rays.rows / rays.scale[:, None]
    along = student.rows @ units.T
    side = np.where(even & (along < 0), -1.0, 1.0)
    along = np.maximum(side * along, 0)
    allowed = student.signs[:, None] == rays.signs
    # A student of the other sign that lies on the ray subtracts its share.
    aligned = along > _ALIGNED * np.linalg.norm(student.rows, axis=1)[:, None]
    free = np.where(allowed | aligned, along, 0)
    # The squared distance to a copy of the whole ray, minus that to the student's nearest place.
    cost = rays.scale**2 - 2 * rays.scale * along + free.max(axis=1, keepdims=True) ** 2
    place = _assign(cost.T, allowed.T)
    if place is None:
        return None
    neurons, ray = np.arange(len(along)), np.argmax(free, axis=1)
    ray[place] = np.arange(len(place))
    same = allowed[neurons, ray]
    shares = np.where(same | aligned[neurons, ray], along[neurons, ray] ** degree, 0)
    shares[student.signs == 0] = 0
    totals, taken = (np.bincount(ray, np.where(x, shares, 0), len(units)) for x in (same, ~same))
    shares[place[totals == 0]] = 1
    totals[totals == 0] = 1
    parts = np.where(same, (rays.scale**degree + taken)[ray] * shares / totals[ray], shares)
    sizes = parts ** (1 / degree)
    return (side[neurons, ray] * sizes)[:, None] * units[ray]


def _copy(
    student: Student, target: Student, even: bool, silent: bool
) -> Float[np.ndarray, "neurons dim"] | None:
    """Copy each teacher in a student of the same weight; the others are 0."""
    matched = np.zeros_like(student.rows)
    along = student.rows @ target.rows.T
    side = np.where(even & (along < 0), -1.0, 1.0)
    cost = np.sum(target.rows**2, axis=1) - 2 * side * along
    place = _assign(cost.T, (student.signs[:, None] == target.signs).T)
    if place is None:
        return None
    rest = np.delete(student.signs, place)
    if not silent and rest.sum() != 0:
        return None
    columns = np.arange(len(place))
    matched[place] = side[place, columns][:, None] * target.rows
    return matched


def _assign(
    cost: Float[np.ndarray, "rows columns"], allowed: Bool[np.ndarray, "rows columns"]
) -> np.ndarray | None:
    """Assign to each row a column of its own at the least cost; `None` where none is allowed."""
    from scipy.optimize import linear_sum_assignment

    if cost.shape[0] > cost.shape[1]:
        return None
    wide = 1 + 2 * cost.size * np.abs(cost).max(initial=0)
    rows, columns = linear_sum_assignment(np.where(allowed, cost, wide))
    return columns if allowed[rows, columns].all() else None


def _gaps(
    rows: Float[np.ndarray, "neurons dim"], even: bool, *, relative: bool
) -> tuple[Float[np.ndarray, " neurons"], Float[np.ndarray, "neurons neurons"]]:
    """Return each neuron's distance to the next, in units of its length, and all pairs' distances.

    `relative`: between unit vectors.  The second table identifies antipodes, and is 1 where they
    coincide and on the diagonal.
    """
    from scipy.spatial.distance import cdist

    lengths = np.linalg.norm(rows, axis=1)
    at = rows / lengths[:, None] if relative else rows
    beside, across = cdist(at, at), cdist(at, -at)
    np.fill_diagonal(beside, np.inf)
    both = np.minimum(beside, np.where(across > 1e-12, across, np.inf))
    apart = (both if even else beside).min(axis=1, initial=np.inf)
    return apart if relative else apart / lengths, np.where(np.isfinite(both), both, 1)


def _detail(masses: Float[np.ndarray, " neurons"], gaps: np.ndarray) -> float:
    """Estimate the least value of a point that lacks a part of the teacher.

    A neuron that is left out costs about m²; two at the distance ε that are merged into one cost
    about m²ε³ for relu and no less than m²ε⁴ for a smooth φ, m the lesser mass.
    """
    lesser = np.minimum(masses[:, None], masses)
    return float(np.min(lesser**2 * np.minimum(gaps, 1) ** 4, initial=np.inf))
