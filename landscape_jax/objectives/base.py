"""Objectives: functions from a parameter pytree to a scalar, and what is known about them."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree, Scalar

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
    """The units of values and parameters, to which every tolerance of the package is relative.

    Tolerances of F are multiples of `value`, of parameters (a step, a norm) of `length`, of ∇F of
    value/length and of ∇²F of value/length².  So statuses and kinds do not change where an
    objective and its parameters are scaled together.  The default of 1 and 1 assumes parameters and
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
    - `below_value`: the value below which `restart` stops a run; a convention, not evidence.
    - `symmetry`: the group modulo which critical points are counted.
    - `units`: what tolerances are relative to.

    `None`: not known.
    """

    infimum: float | None = None
    below_value: float | Scalar | None = None
    symmetry: Symmetry | HiddenNeurons | tuple[HiddenNeurons, ...] | None = None
    units: Units = Units()


class AbstractObjective(eqx.Module):
    """A function from a parameter pytree to a scalar.

    Data are array leaves, sizes and choices static fields, so an objective can be passed through
    `jit`, `vmap`, `grad` and `shard_map`.  To add an objective, subclass this, write `__call__`,
    and `known` where theory knows something.  What else one may know (points that attain the
    infimum, kinks, a monitor of runs that escape, faster code) are the protocols of
    `objectives.protocols`.

    ```python
    >>> import jax.numpy as jnp
    >>> class Quadratic(AbstractObjective):
    ...     def __call__(self, x):
    ...         return jnp.sum(x**2)
    >>> float(Quadratic()(jnp.ones(2)))
    2.0

    ```
    """

    @abc.abstractmethod
    def __call__(self, params: PyTree) -> Scalar:
        """Return the value at `params`."""

    def known(self, params: PyTree) -> Known:
        """Return what theory knows of this objective at parameters shaped like `params`."""
        del params
        return Known()


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
    """Return ∇F at `params`, a pytree of the same structure.

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
    """Return ∇²F at `params` over the raveled parameters (`jax.flatten_util.ravel_pytree`), dense.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> lj.hessian(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)).shape
    (4, 4)

    ```
    """
    flat, unravel = ravel_pytree(params)
    return jax.hessian(lambda x: objective(unravel(x)))(flat)
