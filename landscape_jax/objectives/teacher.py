"""A ReLU teacher and its student's fixed second layer: checks, symmetry, and what can reach 0."""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from landscape_jax.objectives.base import Symmetry


def is_traced(array: Array) -> bool:
    """Say whether the array is traced, so that its numbers are not to be seen."""
    return isinstance(array, Tracer)


def checked(name: str, value, ndim: int, shape: str) -> Array:
    """Give `value` as a floating array of `ndim` axes, or say what is wrong with it.

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
    """Give second-layer weights as a checked array with one entry a neuron."""
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


def teacher_symmetry(
    teacher: Float[np.ndarray, "teachers dim"],
    teacher_weights: Float[np.ndarray, " teachers"],
    student_weights: Float[np.ndarray, " neurons"],
) -> Symmetry:
    """Give the symmetry group of the population risk of this teacher.

    The teacher's function is ½(Σ bⱼvⱼ)·x + ½Σ bⱼ|vⱼ·x|.  Its odd part is fixed by Σ bⱼvⱼ, its even
    part by the even measure Σ bⱼ‖vⱼ‖ δ_{±v̄ⱼ}, in which parallel and antiparallel teachers add up
    and may cancel.

    Source: SS18, section 3, footnote 2, there for orthonormal teachers.
    """
    tolerance = 8 * np.finfo(teacher.dtype).eps
    directions: list[np.ndarray] = []
    masses: list[float] = []
    for v, b in zip(teacher, teacher_weights, strict=True):
        norm = np.linalg.norm(v)
        if norm == 0:
            continue
        unit, mass = v / norm, float(b * norm)
        for line, other in enumerate(directions):
            if min(np.max(np.abs(unit - other)), np.max(np.abs(unit + other))) <= tolerance:
                masses[line] += mass
                break
        else:
            directions.append(unit)
            masses.append(mass)
    scale = float(np.sum(np.abs(teacher_weights) * np.linalg.norm(teacher, axis=1)))
    kept = [line for line, mass in enumerate(masses) if abs(mass) > tolerance * scale]
    empty = np.zeros((0, teacher.shape[1]), teacher.dtype)
    return Symmetry(
        labels=student_weights,
        directions=np.stack([directions[line] for line in kept]) if kept else empty,
        masses=np.array([masses[line] for line in kept], teacher.dtype),
        mean=teacher_weights @ teacher,
    )
