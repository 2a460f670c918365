"""A teacher and its student's fixed second layer: checks, rays, and SS18's threshold."""

from functools import partial

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Scalar


def is_traced(array: Array | None) -> bool:
    """Return whether the array is traced, so that its numbers are not to be seen."""
    return isinstance(array, Tracer)


def checked(name: str, value, ndim: int, shape: str) -> Array:
    """Return `value` as a floating array of `ndim` axes, or raise an error that says what is wrong.

    **Raises:** `TypeError` where it is not floating, `ValueError` where its axes or entries are
    not those of a finite array of the given `shape`.
    """
    array = jnp.asarray(value)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise TypeError(f"{name} has dtype {array.dtype}; give a floating array, e.g. float64")
    if array.ndim != ndim or 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; it must be {shape}, none of them 0")
    if not is_traced(array) and not bool(jnp.isfinite(array).all()):
        raise ValueError(f"{name} has NaN or infinite entries; give finite numbers")
    return array


def checked_weights(name: str, value, count: int, of: str) -> Float[Array, " neurons"]:
    """Return second-layer weights as a checked array with one entry a neuron."""
    weights = checked(name, value, 1, f"({of},)")
    if len(weights) != count:
        raise ValueError(
            f"{name} has {len(weights)} entries; there are {count} {of}, one weight each"
        )
    return weights


def checked_students(W: Array, dim: int, student_weights: Array | None) -> None:
    """Refuse a student that does not fit the teacher's dimension or the second layer."""
    if not jnp.issubdtype(W.dtype, jnp.floating):
        raise TypeError(f"W has dtype {W.dtype}; give a floating array, e.g. float64")
    if W.ndim != 2 or W.shape[1] != dim or W.shape[0] == 0:
        raise ValueError(
            f"W has shape {W.shape}; it must be (neurons, {dim}), one neuron a row and at least one"
        )
    if student_weights is not None and len(student_weights) != W.shape[0]:
        raise ValueError(
            f"W has {W.shape[0]} neurons, but student_weights has {len(student_weights)} entries"
        )


def ray_masses(
    teacher: Float[Array, "teachers dim"], teacher_weights: Float[Array, " teachers"], degree: int
) -> tuple[Float[Array, " teachers"], Float[Array, "teachers dim"]]:
    """Add up the teacher's neurons on each ray: masses Σ bⱼ‖vⱼ‖ᵖ, at the ray's first neuron.

    For φ(ct) = cᵖφ(t) the teacher's function is Σ mⱼ φ(v̄ⱼ·x) with these masses mⱼ, so neurons that
    share a ray, or are zero, change nothing.  Two neurons are on one ray where their unit vectors
    agree to 8 units in the last place.  It may be traced.

    **Arguments:** `degree`, p ≥ 1.

    **Returns:** masses, 0 at zero neurons and at all but the first of each ray; unit vectors v̄ⱼ.
    """
    norms = jnp.linalg.norm(teacher, axis=1)
    units = teacher / jnp.where(norms > 0, norms, 1)[:, None]
    near = jnp.abs(units[:, None] - units).max(axis=2) <= 8 * jnp.finfo(teacher.dtype).eps
    same = near & (norms > 0)[:, None] & (norms > 0)
    totals = jnp.sum(jnp.where(same, teacher_weights * norms**degree, 0), axis=1)
    first = jnp.argmax(same, axis=1) == jnp.arange(len(teacher))
    return jnp.where(first & (norms > 0), totals, 0), units


@partial(jax.jit, static_argnames="degree")
def scales(
    teacher: Float[Array, "teachers dim"],
    teacher_weights: Float[Array, " teachers"],
    student_weights: Float[Array, " neurons"],
    degree: int,
) -> tuple[Scalar, Scalar, Scalar]:
    """Return SS18's threshold of a global relu run, and the units of value and length.

    The threshold is 1e-3·s² for teachers of orthogonal rows of one length s with unit weights and
    at least as many students of weight 1; there no critical point but the global ones has so low a
    value, as far as anyone has seen (SS18, section 3, for k ≤ 20).  Elsewhere it is −∞.

    With s the largest mass |Σ b|‖v‖ᵖ of a ray and α the largest |a|, the units are s² and
    (s/α)^{1/p}: F(s^{1/p}W; s^{1/p}V) = s² F(W; V).  For `degree` 0, where φ is not homogeneous, s
    is the largest |b| and the unit of length is 1.  A scale that is 0 is replaced by 1.
    """
    masses, units = ray_masses(teacher, teacher_weights, degree or 1)
    threshold = _threshold(masses, units, len(student_weights))
    threshold = jnp.where(jnp.all(student_weights == 1), threshold, -jnp.inf)
    alive = jnp.where(teacher.any(axis=1), jnp.abs(teacher_weights), 0)
    scale = _or_one(jnp.max(jnp.abs(masses) if degree else alive))
    largest = _or_one(jnp.max(jnp.abs(student_weights)))
    length = (scale / largest) ** (1 / degree) if degree else jnp.ones_like(scale)
    return threshold, scale**2, length


def _threshold(
    masses: Float[Array, " teachers"], units: Float[Array, "teachers dim"], students: int
) -> Scalar:
    """Return 1e-3·s² where the rays are orthogonal, of one mass s > 0, no more than students."""
    scale, rounding = jnp.max(masses), 64 * jnp.finfo(masses.dtype).eps
    live = jnp.abs(masses) > rounding * scale
    both = live[:, None] & live & ~jnp.eye(len(masses), dtype=bool)
    cosines = jnp.matmul(units, units.T, precision=jax.lax.Precision.HIGHEST)
    orthogonal = jnp.abs(jnp.where(both, cosines, 0)).max() <= rounding
    alike = jnp.where(live, jnp.abs(masses - scale), 0).max() <= rounding * scale
    applies = (scale > 0) & orthogonal & alike & (live.sum() <= students)
    return jnp.where(applies, 1e-3 * scale**2, -jnp.inf)


def _or_one(size: Scalar) -> Scalar:
    """Return a size, or 1 where it is 0: there is no scale then but that of the numbers."""
    return jnp.where(size > 0, size, 1)
