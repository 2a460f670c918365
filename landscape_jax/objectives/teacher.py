"""A teacher and its student's fixed second layer: checks, rays, and SS18's threshold."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.arrays import checked, floating, is_traced


def checked_weights(name: str, value, count: int, of: str) -> Float[Array, " neurons"]:
    """Return second-layer weights as a checked array with one entry a neuron."""
    weights = checked(name, value, 1, f"({of},)")
    if len(weights) != count:
        raise ValueError(
            f"{name} has {len(weights)} entries; there are {count} {of}, one weight each"
        )
    return weights


def checked_students(W: Any, dim: int, student_weights: Array | None) -> Array:
    """Return a student as an array that fits the teacher's dimension and the second layer."""
    W = floating("W", W)
    if W.ndim != 2 or W.shape[1] != dim or W.shape[0] == 0:
        raise ValueError(
            f"W has shape {W.shape}; it must be (neurons, {dim}), one neuron a row and at least one"
        )
    if student_weights is not None and len(student_weights) != W.shape[0]:
        raise ValueError(
            f"W has {W.shape[0]} neurons, but student_weights has {len(student_weights)} entries"
        )
    return W


def namespace(*arrays: Array | None) -> Any:
    """Return `jax.numpy` where an array is traced, else `numpy`, which compiles nothing."""
    return jnp if is_traced(arrays) else np


def plain(array: Array) -> np.ndarray:
    """Return known values as a NumPy array, of half precision in float32, which NumPy knows."""
    return np.asarray(array, np.float32 if array.dtype.itemsize < 4 else None)


def ray_masses(teacher: Any, teacher_weights: Any, degree: int, xp: Any) -> tuple[Any, Any]:
    """Add up the teacher's neurons on each ray: masses Σ bⱼ‖vⱼ‖ᵖ, at the ray's first neuron.

    For φ(ct) = cᵖφ(t) the teacher's function is Σ mⱼ φ(v̄ⱼ·x) with these masses mⱼ, so neurons that
    share a ray, or are zero, change nothing.  Two neurons are on one ray where their unit vectors
    agree to 8 units in the last place.

    **Arguments:** (k, d) and (k,), of the namespace `xp`; `degree`, p ≥ 1.

    **Returns:** masses, (k,), 0 at zero neurons and at all but the first of each ray; unit vectors.
    """
    norms = xp.linalg.norm(teacher, axis=1)
    units = teacher / xp.where(norms > 0, norms, 1)[:, None]
    near = xp.abs(units[:, None] - units[None]).max(axis=2) <= 8 * float(
        jnp.finfo(teacher.dtype).eps
    )
    same = near & (norms > 0)[:, None] & (norms > 0)[None]
    totals = xp.sum(xp.where(same, (teacher_weights * norms**degree)[None], 0), axis=1)
    first = xp.argmax(same, axis=1) == xp.arange(len(teacher))
    return xp.where(first & (norms > 0), totals, 0), units


def scales(
    teacher: Float[Array, "teachers dim"],
    teacher_weights: Float[Array, " teachers"],
    student_weights: Float[Array, " neurons"] | None,
    students: int,
    degree: int,
) -> tuple[Any, Any, Any]:
    """Return SS18's threshold of a global relu run, and the units of value and length.

    The threshold is 1e-3·s² for teachers of orthogonal rows of one length s with unit weights and
    at least as many students of weight 1; there no critical point but the global ones has so low a
    value, as far as anyone has seen (SS18, section 3, for k ≤ 20).  Elsewhere it is −∞.

    With s the largest mass |Σ b|‖v‖ᵖ of a ray and α the largest |a|, the units are s² and
    (s/α)^{1/p}: F(s^{1/p}W; s^{1/p}V) = s² F(W; V).  For `degree` 0, where φ is not homogeneous, s
    is the largest |b| and the unit of length is 1.  A scale that is 0 is replaced by 1.
    """
    xp = namespace(teacher, teacher_weights, student_weights)
    whole = jnp.asarray if xp is jnp else plain
    V, b = whole(teacher), whole(teacher_weights)
    ones = np.ones(students) if xp is np else jnp.ones(students, V.dtype)
    a = ones if student_weights is None else whole(student_weights)
    masses, units = ray_masses(V, b, degree or 1, xp)
    threshold = _threshold(masses, units, students, xp)
    threshold = xp.where(xp.all(a == 1), threshold, xp.asarray(-xp.inf, masses.dtype))
    scale = _or_one(xp.max(xp.abs(masses if degree else xp.where(V.any(axis=1), b, 0))), xp)
    largest = _or_one(xp.max(xp.abs(a)), xp)
    length = (scale / largest) ** (1 / degree) if degree else 1.0
    if xp is np:
        return float(threshold), float(scale) ** 2, float(length)
    return threshold, scale**2, length


def _threshold(masses: Any, units: Any, students: int, xp: Any) -> Any:
    """Return 1e-3·s² where the rays are orthogonal, of one mass s > 0, no more than students."""
    scale, rounding = xp.max(masses), 64 * float(jnp.finfo(masses.dtype).eps)
    live = xp.abs(masses) > rounding * scale
    both = live[:, None] & live[None] & ~xp.eye(len(masses), dtype=bool)
    cosines = xp.sum(units[:, None] * units[None], axis=2)
    orthogonal = xp.max(xp.abs(xp.where(both, cosines, 0))) <= rounding
    alike = xp.max(xp.where(live, xp.abs(masses - scale), 0)) <= rounding * scale
    applies = (scale > 0) & orthogonal & alike & (live.sum() <= students)
    return xp.where(applies, 1e-3 * scale**2, xp.asarray(-xp.inf, masses.dtype))


def _or_one(size: Any, xp: Any) -> Any:
    """Return a size, or 1 where it is 0 and sets no scale."""
    return xp.where(size > 0, size, 1)
