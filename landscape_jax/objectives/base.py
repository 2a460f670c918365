"""What an objective is: a function from a parameter pytree to a scalar, and what is known of it."""

import abc
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int, PyTree, Scalar


class Symmetry(eqx.Module):
    """The symmetry group of an objective on an (n, d) weight array, one neuron a row.

    Where the params are another pytree, `rows` writes one as such an array, its norm unchanged.

    Its elements are W ↦ P W Qᵀ: P permutes neurons of equal `labels`; Q is an isometry of R^d that
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


class Known(eqx.Module):
    """What theory knows of an objective at parameters of a given shape.

    `infimum`: the least value, where it is known and attained; `below_value`: the value under
    which a descent is counted as global (a stopping convention, see `restart`); `symmetry`: the
    group modulo which critical points are counted.  `None`: not known.
    """

    infimum: float | None = None
    below_value: float | Scalar | None = None
    symmetry: Symmetry | None = None


class AbstractObjective(eqx.Module):
    """A function from a parameter pytree to a scalar.

    Data are array leaves, sizes and choices static fields, so an objective can be passed through
    `jit`, `vmap`, `grad` and `shard_map`.  To add an objective, subclass this, write `__call__`,
    and, where theory knows something, `known`, `escape` and `is_admissible`.  `descend` and
    `curvature` follow from `__call__`; override them where there is faster code for the same
    numbers.
    """

    @abc.abstractmethod
    def __call__(self, params: PyTree) -> Scalar:
        """Give the value at `params`."""

    def known(self, params: PyTree) -> Known:
        """Say what theory knows of this objective at parameters shaped like `params`."""
        del params
        return Known()

    def escape(self, params: PyTree) -> Scalar | float:
        """Give what grows without bound where a descent has no minimum to go to; 0: nothing."""
        del params
        return 0.0

    def is_admissible(self, params: PyTree) -> Bool[Array, ""] | bool:
        """Say whether a point where the gradient is 0 may be a local minimum, as far as is known.

        Where it says no, a small gradient means that the infimum is at infinity.
        """
        del params
        return True

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
