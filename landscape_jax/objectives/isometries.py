"""The symmetry groups of a student with a fixed second layer under a teacher of its activation."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.networks.activations import Activation
from landscape_jax.networks.merged_rays import merged_rays
from landscape_jax.objectives.base import Symmetry
from landscape_jax.objectives.hidden_neurons import FixedPart, HiddenNeurons

Vectors = Float[np.ndarray, "_ dim"]
Numbers = Float[np.ndarray, " _"]
# Directions and numbers of teachers are equal when they agree to so many eps.
_UNITS_IN_THE_LAST_PLACE = 8


def student_neurons(
    activation: Activation, student_weights: Float[np.ndarray, " neurons"]
) -> HiddenNeurons:
    """Return the group that leaves Σ aᵢ φ(wᵢ·x) unchanged at every x, for fixed weights a.

    Students of equal aᵢ may be permuted; for an odd φ, (aᵢ, wᵢ) ~ (−aᵢ, −wᵢ); for an even φ,
    wᵢ ~ −wᵢ; for φ(ct) = c^p φ(t), p ≥ 0, (aᵢ, wᵢ) ~ (c^−p aᵢ, c wᵢ).
    """
    odd = activation.parity == "odd"
    degree = -1 if activation.degree is None else activation.degree
    weights = FixedPart(student_weights[:, None], -1 if odd else 1, -max(degree, 0))
    return HiddenNeurons(
        axes=0,
        flips=None if activation.parity is None else -1,
        powers=1 if degree >= 0 else None,
        fixed=(weights,),
    )


def population_symmetry(
    activation: Activation,
    teacher: Float[np.ndarray, "teachers dim"],
    teacher_weights: Float[np.ndarray, " teachers"],
    student_weights: Float[np.ndarray, " neurons"],
) -> Symmetry | HiddenNeurons:
    """Return the symmetry group of the population risk: `student_neurons` and isometries of R^d.

    x ~ N(0, I) has the same law after any isometry, so those that leave the teacher's function
    unchanged, see `teacher_isometries`, act on the students.  For a homogeneous φ the student is
    compared by |aᵢ|^{1/p} wᵢ, on which its function depends; for an odd φ by sign(aᵢ) wᵢ.
    """
    preserved = teacher_isometries(activation, teacher, teacher_weights)
    if preserved is None:
        return student_neurons(activation, student_weights)
    labels, rows = _rows(activation, student_weights)
    return Symmetry(labels, *preserved, rows=rows, flips=activation.parity == "even")


def _rows(
    activation: Activation, a: Float[np.ndarray, " neurons"]
) -> tuple[Float[np.ndarray, " neurons"], Callable[[Array], Array] | None]:
    """Return the classes of students, and the map from W to the rows that are compared."""
    degree, labels, scale = activation.degree, a, np.ones_like(a)
    if degree is not None and degree > 0:
        labels, scale = np.sign(a), np.where(a == 0, 1, np.abs(a) ** (1 / degree)).astype(a.dtype)
    if activation.parity == "odd":
        labels, scale = np.abs(labels), np.where(a < 0, -scale, scale)
    if degree == 0:
        return labels, _unit_rows
    return labels, None if np.all(scale == 1) else partial(_times, scale)


def _times(scale: Float[np.ndarray, " neurons"], W: Float[Array, "neurons dim"]) -> Array:
    return jnp.asarray(scale)[:, None] * W


def _unit_rows(W: Float[Array, "neurons dim"]) -> Array:
    norms = jnp.linalg.norm(W, axis=1, keepdims=True)
    return W / jnp.where(norms > 0, norms, 1)


def teacher_isometries(
    activation: Activation,
    teacher: Float[np.ndarray, "teachers dim"],
    teacher_weights: Float[np.ndarray, " teachers"],
) -> tuple[Vectors, Numbers, Float[np.ndarray, " dim"]] | None:
    """Return the data that isometries leaving Σ bⱼ φ(vⱼ·x) unchanged preserve, as in `Symmetry`.

    - φ piecewise linear with slopes s₊, s₋: the function is ½(s₊ + s₋)(Σ bⱼvⱼ)·x +
      ½(s₊ − s₋) Σ bⱼ|vⱼ·x|.  Its odd part is fixed by Σ bⱼvⱼ, its even part by the even measure
      Σ bⱼ‖vⱼ‖ δ_{±v̄ⱼ}, in which parallel and antiparallel teachers add up and may cancel; a part
      with the factor 0 is left out.
    - φ even: the function is unchanged where the lines ±v̄ⱼ of equal teachers are permuted.  For
      φ(ct) = c^p φ(t) that is Σ bⱼ‖vⱼ‖^p δ_{±v̄ⱼ}, else there are classes of equal (‖v‖, b).
    - Any other φ: equal teachers may be permuted.  With the classes numbered m = 1, 2, … and
      linearly independent v̄ⱼ, those isometries preserve Σ mⱼ δ_{±v̄ⱼ} and Σ mⱼ v̄ⱼ: the first lets
      v̄ⱼ go to ±v̄ₗ with mₗ = mⱼ, the second has unique coefficients and forbids the minus.  For an
      odd φ teachers (b, v) with b < 0 are read as (−b, −v).

    There may be more: for φ(t) = t² the function is a quadratic form.

    **Returns:** unit vectors, their masses, the mean; `None` where the isometries are not known,
    for dependent teachers.

    Source: SS18, section 3, footnote 2, there for ReLU and orthonormal teachers.
    """
    norms = np.linalg.norm(teacher, axis=1)
    kept = (norms > 0) & (teacher_weights != 0)
    norms, b = norms[kept], teacher_weights[kept]
    units, degree, parity = teacher[kept] / norms[:, None], activation.degree, activation.parity
    nothing = np.zeros(teacher.shape[1], teacher.dtype)
    if activation.slopes is not None:
        plus, minus = activation.slopes
        directions, masses = merged_rays(units, b * norms, "even")
        if plus == minus:
            directions, masses = directions[:0], masses[:0]
        return directions, masses, nothing if plus == -minus else teacher_weights @ teacher
    if degree:
        units, b = merged_rays(units, b * norms**degree, parity)
        norms = np.ones_like(b)
        if parity == "even":
            return units, b, nothing
    if parity == "odd":
        units, b = np.sign(b)[:, None] * units, np.abs(b)
    masses = _classes(np.stack([norms, b], axis=1)).astype(teacher.dtype)
    if parity == "even":
        apart = len(merged_rays(units, masses, "even")[1]) == len(units)
        return (units, masses, nothing) if apart else None
    if len(units) and np.linalg.matrix_rank(units) < len(units):
        return None
    return units, masses, masses @ units


def _classes(pairs: Float[np.ndarray, "vectors numbers"]) -> Numbers:
    """Number equal rows alike: by one more than the place of the first such row."""
    rounding = _UNITS_IN_THE_LAST_PLACE * np.finfo(pairs.dtype).eps
    like = np.all(np.abs(pairs[:, None] - pairs) <= rounding * np.abs(pairs), axis=2)
    return 1.0 + np.argmax(like, axis=1) if len(pairs) else np.zeros(0)
