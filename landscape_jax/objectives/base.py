"""What an objective is: a function from a parameter pytree to a scalar, and what is known of it."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar

from landscape_jax.objectives.hidden_neurons import HiddenNeurons


class Symmetry(eqx.Module):
    """The symmetry group of an objective on an (n, d) weight array, one neuron a row.

    `rows` writes the params as such an array, where they are another pytree, or weights that are
    to be compared on another scale.

    Its elements are W ↦ S P W Qᵀ: P permutes neurons of equal `labels`; S is a diagonal of any
    signs where there are `flips` (φ is even), else the identity; Q is an isometry of R^d that
    preserves `mean` and the even measure Σ mₗ δ_{±eₗ} of the unit vectors `directions` with the
    `masses` mₗ.  On the orthogonal complement of `directions` and `mean` Q is any isometry.

    For the population risk of a ReLU teacher, whose function is
    Σ bⱼ relu(vⱼ·x) = ½(Σ bⱼvⱼ)·x + ½Σ bⱼ|vⱼ·x|, these are exactly the isometries that preserve
    the teacher's function (SS18, section 3, footnote 2, there for orthonormal teachers).
    """

    labels: Float[np.ndarray, " neurons"]
    directions: Float[np.ndarray, "lines dim"]
    masses: Float[np.ndarray, " lines"]
    mean: Float[np.ndarray, " dim"]
    rows: Callable[[PyTree], Float[Array, "neurons dim"]] | None = eqx.field(
        static=True, default=None
    )
    flips: bool = eqx.field(static=True, default=False)


class Units(eqx.Module):
    """The units of values and of parameters: every tolerance of the package is relative to them.

    Tolerances of F are multiples of `value`, of parameters (a step, a norm) of `length`, of ∇F of
    value/length and of ∇²F of value/length².  So statuses and kinds do not change where an
    objective and its parameters are scaled together.  1 and 1 mean what they say: parameters and
    values of order one.
    """

    value: float | Scalar = 1.0
    length: float | Scalar = 1.0

    @property
    def gradient(self) -> float | Scalar:
        """The unit of ∇F."""
        return self.value / self.length

    @property
    def time(self) -> float | Scalar:
        """The unit of the time of the flow x' = −∇F(x)."""
        return self.length / self.gradient


class Known(eqx.Module):
    """What theory knows of an objective at parameters of a given shape.

    - `infimum`: the least value, where it is known and attained.
    - `below_value`: the value below which `restart` stops a run, a convention and no evidence.
    - `symmetry`: the group modulo which critical points are counted.
    - `units`: what tolerances are relative to.

    `None`: not known.
    """

    infimum: float | None = None
    below_value: float | Scalar | None = None
    symmetry: Symmetry | HiddenNeurons | tuple[HiddenNeurons, ...] | None = None
    units: Units = Units()


class Attained(NamedTuple):
    """A point at which the infimum is attained, exhibited near some params x.

    - `point`: it, of the params' structure.
    - `distance`: between x and `point`, in balanced coordinates (see `balanced`).
    - `reach`: up to such a distance no other critical point is to be expected near `point`.
    - `detail`: the least value, in order of magnitude, of a point that lacks a part of `point`.
    - `terms`: the sum of the absolute values of the terms of F(x); its rounding is eps times that.
    """

    point: PyTree
    distance: float
    reach: float
    detail: float
    terms: float


class Ground(NamedTuple):
    """What an objective F that adds something to a risk L must come down to at a local minimum.

    - `value`: L, which F equals at every local minimum.
    - `least`: the infimum of L, which L has there; NaN where it is not known.
    - `place`: the parameters of L, raveled.
    - `attained`: whether `least` is attained at all; `None` where that is not known.
    """

    value: Scalar
    least: Scalar
    place: Float[Array, " parameters"]
    attained: bool | None


class AbstractObjective(eqx.Module):
    """A function from a parameter pytree to a scalar.

    Data are array leaves, sizes and choices static fields, so an objective can be passed through
    `jit`, `vmap`, `grad` and `shard_map`.  To add an objective, subclass this, write `__call__`,
    and, where theory knows something, `known`, `nearest_minimizer`, `balanced`, `smooth_radius`,
    `escape`, `is_admissible`, `is_confirmed` and `ground`.  `descend` and `curvature` follow from
    `__call__`; override them where there is faster code for the same numbers.
    """

    @abc.abstractmethod
    def __call__(self, params: PyTree) -> Scalar:
        """Give the value at `params`."""

    def known(self, params: PyTree) -> Known:
        """Say what theory knows of this objective at parameters shaped like `params`."""
        del params
        return Known()

    def nearest_minimizer(self, params: PyTree) -> Attained | None:
        """Return a point near `params` at which the infimum is attained, as far as is known."""
        del params
        return None

    def balanced(self, params: PyTree) -> tuple["AbstractObjective", PyTree]:
        """Return the same function and point in coordinates that do not depend on units.

        Kinds are decided there, so that they do not depend on how sizes are shared between layers,
        as in a relu(w·x) = (a/c) relu(cw·x).
        """
        return self, params

    def smooth_radius(self, params: PyTree) -> Scalar | float:
        """Return a distance from `params` within which F has a Hessian; 0 where it has none."""
        del params
        return jnp.inf

    def escape(self, params: PyTree) -> Scalar | float:
        """Give what grows without bound where a descent has no minimum to go to; 0: nothing."""
        del params
        return 0.0

    def is_admissible(self, params: PyTree) -> Bool[Array, ""] | bool:
        """Check whether a point where the gradient is 0 may be a local minimum, as far as is known.

        Where it may not, a small gradient means that the infimum is at infinity.
        """
        del params
        return True

    def is_confirmed(self, params: PyTree) -> Bool[Array, ""] | bool:
        """Check whether nothing that theory asks of a minimum is left open by the precision."""
        del params
        return True

    def ground(self, params: PyTree) -> Ground | None:
        """Return what F comes down to at a local minimum; `None` where theory says nothing.

        With it `restart` follows runs along the flow, to tell how they would end (`search.flow`).
        """
        del params
        return None

    def descend(
        self, params: PyTree, rate: Scalar, steps: Int[Array, ""], *, most: int
    ) -> tuple[PyTree, Scalar, PyTree]:
        """Go some steps of gradient descent, x ← x − rate ∇F(x), and look at where they end.

        **Arguments:** `steps`, how many, at most the static `most`.

        **Returns:** the end x, F(x) and ∇F(x).
        """

        def step(i: Array, x: PyTree) -> PyTree:
            slope = jax.grad(self)(x)
            return jax.tree.map(lambda x, g: jnp.where(i < steps, x - rate * g, x), x, slope)

        end = jax.lax.fori_loop(0, most, step, params)
        return end, *jax.value_and_grad(self)(end)

    def curvature(self, params: PyTree) -> tuple[Scalar, PyTree, Callable[[PyTree], PyTree]]:
        """Give F(x), ∇F(x), and the function v ↦ ∇²F(x) v."""
        (value, slope), image = jax.linearize(jax.value_and_grad(self), params)
        return value, slope, lambda direction: image(direction)[1]


def gradient_norm(gradient: PyTree) -> Float[Array, ""]:
    """Return the largest Euclidean norm along the last axis of any leaf: of a neuron's gradient.

    A leaf without axes counts by its absolute value.  It is *the* gradient norm of the package:
    `restart`, `critical_points` and `families` compare this one with their tolerances.

    Source: SS18, section 3 ("the gradient norm w.r.t. any wᵢ").

    ```python
    >>> import jax.numpy as jnp
    >>> float(gradient_norm({"W": jnp.array([[3.0, 4.0], [1.0, 0.0]]), "b": jnp.array(-2.0)}))
    5.0

    ```
    """
    rows = [
        jnp.sqrt(jnp.max(jnp.sum(jnp.atleast_1d(leaf) ** 2, axis=-1)))
        for leaf in jax.tree.leaves(gradient)
    ]
    return jnp.max(jnp.stack(rows))


@eqx.filter_jit
def gradient(objective: AbstractObjective, params: PyTree) -> PyTree:
    """Give ∇F at `params`, a pytree of the same structure.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(2))
    >>> bool(jnp.abs(lj.gradient(risk, jnp.eye(2))).max() < 1e-6)
    True

    ```
    """
    return jax.grad(lambda p: objective(p))(params)


@eqx.filter_jit
def hessian(objective: AbstractObjective, params: PyTree) -> Float[Array, "parameters parameters"]:
    """Give ∇²F at `params` over the raveled parameters (`jax.flatten_util.ravel_pytree`), dense.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> lj.hessian(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)).shape
    (4, 4)

    ```
    """
    flat, unravel = ravel_pytree(params)
    return jax.hessian(lambda x: objective(unravel(x)))(flat)
