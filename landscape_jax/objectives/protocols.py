"""Optional knowledge of an objective beyond its values: protocols, and their defaults.

Each protocol is one or two methods that an `AbstractObjective` may define.  The function of the
same name calls the method where there is one, and returns the general answer elsewhere; the search
and the classification call these functions alone.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree, Scalar

from landscape_jax.objectives.base import AbstractObjective


class Attained(NamedTuple):
    """A point at which the infimum is attained, near some params x.

    - `point`: the point, of the params' structure.
    - `distance`: between x and `point`, in balanced coordinates (see `Balances`).
    - `reach`: the distance within which no other critical point is expected near `point`.
    - `detail`: the order of magnitude of the least value of a point that lacks a part of `point`.
    - `terms`: the sum of the absolute values of the terms of F(x); its rounding is eps times that.
    """

    point: PyTree
    distance: float
    reach: float
    detail: float
    terms: float


class Ground(NamedTuple):
    """The values that an objective F ≥ L, which adds a term to a risk L, has at a local minimum.

    - `value`: L, which F equals at every local minimum.
    - `least`: the infimum of L, which L has there; NaN where it is not known.
    - `place`: the parameters of L, raveled.
    - `attained`: whether `least` is attained at all; `None` where that is not known.
    """

    value: Scalar
    least: Scalar
    place: Float[Array, " parameters"]
    attained: bool | None


@runtime_checkable
class ExhibitsMinimizers(Protocol):
    """An objective whose infimum is attained at points in closed form."""

    def nearest_minimizer(self, params: PyTree) -> Attained | None:
        """Return a point near `params` at which the infimum is attained, as far as is known."""
        ...


@runtime_checkable
class Balances(Protocol):
    """An objective unchanged when sizes move between layers: (a, w) → (a/c, cw)."""

    def balanced(self, params: PyTree) -> tuple[AbstractObjective, PyTree]:
        """Return the same function and point in coordinates that do not depend on units."""
        ...


@runtime_checkable
class PartlySmooth(Protocol):
    """An objective that has no Hessian at some points."""

    def smooth_radius(self, params: PyTree) -> Array | np.ndarray | float:
        """Return a distance from `params` within which F has a Hessian; 0 where it has none."""
        ...


@runtime_checkable
class Escapes(Protocol):
    """An objective with a quantity that shows a descent diverging to infinity."""

    def escape(self, params: PyTree) -> Array | np.ndarray | float:
        """Return a quantity that diverges when descent runs off to infinity."""
        ...


@runtime_checkable
class Admits(Protocol):
    """An objective with critical points, or infima at infinity, that are no minima."""

    def is_admissible(self, params: PyTree) -> Array | bool:
        """Check whether a point where the gradient vanishes may be a local minimum."""
        ...


@runtime_checkable
class Monitored(Protocol):
    """An objective for which theory gives necessary conditions of a local minimum.

    `restart` follows its runs along the gradient flow to predict how they end (`search.flow`).
    """

    def ground(self, params: PyTree) -> Ground | None:
        """Return the values of F's parts at a local minimum; `None` where they are not known."""
        ...

    def is_confirmed(self, params: PyTree) -> Array | bool:
        """Check whether all conditions of a minimum hold beyond rounding."""
        ...


@runtime_checkable
class DescendsFast(Protocol):
    """An objective with faster code for gradient descent than a loop over `jax.grad`."""

    def descend(
        self, params: PyTree, rate: Scalar, steps: Int[Array, ""], *, most: int
    ) -> tuple[PyTree, Scalar, PyTree]:
        """Advance by steps of gradient descent; see the function `descend`."""
        ...


@runtime_checkable
class MultipliesFast(Protocol):
    """An objective with faster code for Hessian-vector products than `jax.linearize`."""

    def hessian_products(self, params: PyTree) -> tuple[Scalar, PyTree, Callable[[PyTree], PyTree]]:
        """Return F(x), ∇F(x), and the function v ↦ ∇²F(x) v."""
        ...


def nearest_minimizer(objective: AbstractObjective, params: PyTree) -> Attained | None:
    """Return a point near `params` at which the infimum is attained, as far as is known."""
    known = isinstance(objective, ExhibitsMinimizers)
    return objective.nearest_minimizer(params) if known else None


def balanced(objective: AbstractObjective, params: PyTree) -> tuple[AbstractObjective, PyTree]:
    """Return the same function and point in coordinates that do not depend on units.

    Kinds are decided there, so that they do not depend on how sizes are shared between layers, as
    in a relu(w·x) = (a/c) relu(cw·x).
    """
    return objective.balanced(params) if isinstance(objective, Balances) else (objective, params)


def smooth_radius(objective: AbstractObjective, params: PyTree) -> Array | np.ndarray | float:
    """Return a distance from `params` within which F has a Hessian; 0 where it has none."""
    return objective.smooth_radius(params) if isinstance(objective, PartlySmooth) else jnp.inf


def escape(objective: AbstractObjective, params: PyTree) -> Array | np.ndarray | float:
    """Return a quantity that diverges when descent runs off to infinity; 0 if it cannot."""
    return objective.escape(params) if isinstance(objective, Escapes) else 0.0


def is_admissible(objective: AbstractObjective, params: PyTree) -> Array | bool:
    """Check whether a point where the gradient vanishes may be a local minimum, as far as is known.

    Where it may not, a small gradient means that the infimum is at infinity.
    """
    return objective.is_admissible(params) if isinstance(objective, Admits) else True


def is_confirmed(objective: AbstractObjective, params: PyTree) -> Array | bool:
    """Check whether all conditions of a minimum hold beyond rounding, as far as is known."""
    return objective.is_confirmed(params) if isinstance(objective, Monitored) else True


def ground(objective: AbstractObjective, params: PyTree) -> Ground | None:
    """Return the values of F's parts at a local minimum; `None` where they are not known."""
    return objective.ground(params) if isinstance(objective, Monitored) else None


def descend(
    objective: AbstractObjective, params: PyTree, rate: Scalar, steps: Int[Array, ""], *, most: int
) -> tuple[PyTree, Scalar, PyTree]:
    """Advance by steps of gradient descent, x ← x − rate ∇F(x).

    **Arguments:** `steps`, how many, at most the static `most`.

    **Returns:** the end x, F(x) and ∇F(x).
    """
    if isinstance(objective, DescendsFast):
        return objective.descend(params, rate, steps, most=most)
    return descend_by_grad(objective, params, rate, steps, most=most)


def descend_by_grad(
    objective: AbstractObjective, params: PyTree, rate: Scalar, steps: Int[Array, ""], *, most: int
) -> tuple[PyTree, Scalar, PyTree]:
    """Advance by steps of gradient descent by `jax.grad`, for any objective."""

    def step(i: Array | int, x: PyTree) -> PyTree:
        gradient = jax.grad(objective)(x)
        # Each leaf keeps its dtype, also where they differ.
        move = lambda x, g: jnp.where(i < steps, x - rate.astype(x.dtype) * g, x)
        return jax.tree.map(move, x, gradient)

    end = jax.lax.fori_loop(0, most, step, params)
    return end, *jax.value_and_grad(objective)(end)


def hessian_products(
    objective: AbstractObjective, params: PyTree
) -> tuple[Scalar, PyTree, Callable[[PyTree], PyTree]]:
    """Return F(x), ∇F(x), and the function v ↦ ∇²F(x) v."""
    if isinstance(objective, MultipliesFast):
        return objective.hessian_products(params)
    return linearize_gradient(objective, params)


def linearize_gradient(
    objective: AbstractObjective, params: PyTree
) -> tuple[Scalar, PyTree, Callable[[PyTree], PyTree]]:
    """Return F(x), ∇F(x), and v ↦ ∇²F(x) v by `jax.linearize`, for any objective."""
    (value, gradient), product = jax.linearize(jax.value_and_grad(objective), params)
    return value, gradient, lambda direction: product(direction)[1]
