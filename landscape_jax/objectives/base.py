"""Objectives: functions from a parameter pytree to a scalar, and what is known about them."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree, Scalar

from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives.function_module import FunctionModule
from landscape_jax.objectives.hidden_neurons import HiddenNeurons
from landscape_jax.summary import Summarised, Summary, of_fields


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


class AbstractObjective(Summarised, FunctionModule):
    """A function from a parameter pytree to a scalar.

    Data are array leaves, sizes and choices static fields, so an objective can be passed through
    `jit`, `vmap`, `grad` and `shard_map`, and be made inside of them.  To add an objective,
    subclass this, write `__call__`, and `known` where theory knows something.  What else one may
    know (points that attain the infimum, kinks, a monitor of runs that escape, faster code) are
    the protocols of `objectives.protocols`.

    Precision follows the parameters: the value, and what it is computed of, has the dtype of the
    parameters' floating arrays, of several dtypes the one that JAX promotes them to.  Data are
    converted to it.

    Like a function, an objective has the hash of its identity and is equal to itself alone, so
    `jax.jit(risk)`, `jax.checkpoint(risk)` and `jax.export.export(jax.jit(risk))` work, and so do
    bound methods; `eqx.tree_equal` compares values.  `jax.jit(risk)` makes the data constants of
    the compiled program, which `eqx.filter_jit(risk)`, or a risk that is an argument of the jitted
    function, does not: that is compiled once for all data of one shape.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> class Quadratic(AbstractObjective):
    ...     def __call__(self, x):
    ...         return jnp.sum(x**2)
    >>> float(Quadratic()(jnp.ones(2))), float(jax.jit(Quadratic())(jnp.ones(2)))
    (2.0, 2.0)

    ```
    """

    @abc.abstractmethod
    def __call__(self, params: PyTree) -> Scalar:
        """Return the value at `params`."""

    def summarise(self) -> Summary:
        """Return the class and its fields in a line."""
        return of_fields(self)

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


@explained
def gradient(objective: Callable[[PyTree], Scalar], params: PyTree) -> PyTree:
    """Return ∇F at `params`, a pytree of the same structure.

    **Arguments:** `objective`, any function from parameters to a scalar; `params`, a pytree whose
    floating arrays are the parameters.  What is no array, such as the functions in an `eqx.nn.MLP`,
    is kept as it is, and `None` in the gradient.

    **Raises:** `TypeError` if the objective is not a function, or does not return a real scalar, or
    an array of `params` is not floating.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(2))
    >>> bool(jnp.abs(lj.gradient(risk, jnp.eye(2))).max() < 1e-6)
    True

    ```
    """
    return _gradient(_checked_function(objective), *_parameters(params))


@eqx.filter_jit
def _gradient(objective: Callable[[PyTree], Scalar], free: PyTree, fixed: PyTree) -> PyTree:
    return jax.grad(lambda p: _scalar(objective(eqx.combine(p, fixed))))(free)


@explained
def hessian(
    objective: Callable[[PyTree], Scalar], params: PyTree
) -> Float[Array, "parameters parameters"]:
    """Return ∇²F at `params` over the raveled parameters (`jax.flatten_util.ravel_pytree`), dense.

    **Arguments:** as of `gradient`.

    **Raises:** as `gradient`.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> lj.hessian(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)).shape
    (4, 4)

    ```
    """
    return _hessian(_checked_function(objective), *_parameters(params))


@eqx.filter_jit
def _hessian(objective: Callable[[PyTree], Scalar], free: PyTree, fixed: PyTree) -> Array:
    flat, unravel = ravel_pytree(free)
    return jax.hessian(lambda x: _scalar(objective(eqx.combine(unravel(x), fixed))))(flat)


def as_parameters(tree: PyTree, name: str = "params") -> PyTree:
    """Return a pytree whose numbers are arrays.

    Numbers in a Module, such as the rate of a dropout, are settings, as everywhere in Equinox.

    **Raises:** `TypeError`, which has the `name`, where JAX has no such array.

    ```python
    >>> as_parameters({"a": 2.0, "name": "net"})
    {'a': Array(2., ...), 'name': 'net'}

    ```
    """

    def convert(part: Any) -> Any:
        if isinstance(part, eqx.Module):
            return jax.tree.map(lambda x: jnp.asarray(x) if eqx.is_array(x) else x, part)
        try:
            return jnp.asarray(part) if eqx.is_array_like(part) else part
        except (OverflowError, TypeError, ValueError) as error:
            raise TypeError(f"{name} has {shown(part)}; give arrays of numbers") from error

    return jax.tree.map(convert, tree, is_leaf=lambda part: isinstance(part, eqx.Module))


def _parameters(params: PyTree) -> tuple[PyTree, PyTree]:
    """Return the arrays of a pytree, which must be floating, and the rest of it."""
    free, fixed = eqx.partition(as_parameters(params), eqx.is_array)
    leaves = jax.tree_util.tree_leaves_with_path(free)
    if not leaves:
        raise TypeError(f"params is {shown(params)}; give a pytree with floating arrays")
    for path, leaf in leaves:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):
            place = f"params{jax.tree_util.keystr(path)}"
            raise TypeError(f"{place} has dtype {leaf.dtype}; give a floating array, e.g. float64")
    return free, fixed


def _checked_function(objective: Any) -> Any:
    if not callable(objective) or isinstance(objective, type):
        raise TypeError(
            f"objective is {shown(objective)}; give an objective such as PopulationRisk(teacher), "
            "or a function from parameters to a scalar"
        )
    return objective


def _scalar(value: Any) -> Scalar:
    """Return the value of an objective, checked to be a real scalar."""
    shape, dtype = getattr(value, "shape", ()), getattr(value, "dtype", None)
    real = isinstance(value, float) if dtype is None else jnp.issubdtype(dtype, jnp.floating)
    if shape or not real:
        raise TypeError(f"objective returns {shown(value)}; it must return a real scalar")
    return value
