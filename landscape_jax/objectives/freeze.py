"""Objectives over some of the leaves of the parameters, the others fixed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, PyTree, Scalar

from landscape_jax.arrays import is_traced
from landscape_jax.mistakes import explained
from landscape_jax.objectives.augmented import NeuronAugmented
from landscape_jax.objectives.base import AbstractObjective, Known, as_parameters
from landscape_jax.objectives.hidden_neurons import HiddenNeurons
from landscape_jax.objectives.protocols import (
    Ground,
    escape,
    ground,
    is_admissible,
    is_confirmed,
    smooth_radius,
)
from landscape_jax.precision import precision


class Frozen(AbstractObjective):
    """An objective as a function of the trainable leaves alone; see `freeze`.

    Fixed arrays are data: they are converted to the precision of the trainable ones.
    """

    objective: AbstractObjective
    fixed: PyTree
    trainable: PyTree

    def __call__(self, params: PyTree) -> Scalar:
        """Return F of the trainable leaves `params` and the fixed ones."""
        return self.objective(self._at(params))

    def known(self, params: PyTree) -> Known:
        """Return the symmetry that survives freezing, see `HiddenNeurons.freeze`.

        An infimum that is attained over all leaves need not be attained here.  Isometries survive
        only where no leaf is fixed.
        """
        known = self.objective.known(self.whole(params))
        fixed = self._fixed_arrays
        if not fixed:
            return known
        if is_traced(fixed) or not isinstance(known.symmetry, HiddenNeurons | tuple):
            return replace(known, infimum=None, symmetry=None)
        layers = known.symmetry if isinstance(known.symmetry, tuple) else (known.symmetry,)
        frozen = (layer.freeze(self.trainable, self.fixed) for layer in layers)
        left = tuple(layer for layer in frozen if layer is not None)
        return replace(known, infimum=None, symmetry=left or None)

    def smooth_radius(self, params: PyTree) -> Array | np.ndarray | float:
        """Return the objective's `smooth_radius` at all leaves."""
        return smooth_radius(self.objective, self._at(params))

    def escape(self, params: PyTree) -> Array | np.ndarray | float:
        """Return the objective's `escape` at all leaves."""
        return escape(self.objective, self._at(params))

    def ground(self, params: PyTree) -> Ground | None:
        """Return the objective's `ground` at all leaves, if all added neurons are trained."""
        return ground(self.objective, self._at(params)) if self._is_monitored else None

    def is_admissible(self, params: PyTree) -> Bool[Array, ""] | bool:
        """Check whether all leaves are admissible; `True` unless all added neurons are trained."""
        return not self._is_monitored or is_admissible(self.objective, self._at(params))

    def is_confirmed(self, params: PyTree) -> Bool[Array, ""] | bool:
        """Check whether all leaves are confirmed; `True` unless all added neurons are trained."""
        if isinstance(self.objective, NeuronAugmented):
            fixed, whole = bool(self._fixed_arrays), self._at(params)
            return not self._is_monitored or self.objective.is_confirmed(whole, fixed=fixed)
        return is_confirmed(self.objective, self._at(params))

    @property
    def _is_monitored(self) -> bool:
        """Whether KK20's theorems on minima apply: they need all of (a, b, w) trained."""
        if not isinstance(self.objective, NeuronAugmented):
            return True
        fixed = (self.fixed.a, self.fixed.b, self.fixed.w)
        return not jax.tree.leaves(fixed)

    @property
    def _fixed_arrays(self) -> list[Array | np.ndarray]:
        """The fixed arrays; functions and other settings of a network are no parameters."""
        return [leaf for leaf in jax.tree.leaves(self.fixed) if eqx.is_array(leaf)]

    def _at(self, params: PyTree) -> PyTree:
        """Combine trainable leaves and the fixed ones in their precision."""
        dtype = precision(params, float)

        def cast(leaf: Any) -> Any:
            return leaf.astype(dtype) if eqx.is_inexact_array(leaf) else leaf

        return eqx.combine(params, jax.tree.map(cast, self.fixed))

    def whole(self, params: PyTree) -> PyTree:
        """Combine trainable and fixed leaves."""
        return eqx.combine(params, self.fixed)


@explained
def freeze(
    objective: AbstractObjective, network: PyTree, *, trainable: PyTree | Callable[..., bool]
) -> Frozen:
    """Return the objective over the trainable leaves of the network, the others fixed as they are.

    **Arguments:** `objective`, of networks like `network`; `trainable`, a pytree of True and False
    of the network's structure, or a prefix of it, or a function from a leaf to True or False.  What
    is no floating array is fixed in any case.

    **Returns:** a `Frozen`; call it with a pytree like its `trainable`, which holds the network's
    own trainable leaves, `None` where a leaf is fixed; `whole` returns the network.

    **Raises:** `ValueError` if no leaf is trained.

    ```python
    >>> import equinox as eqx, jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> net = lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2)))
    >>> first = eqx.tree_at(lambda n: n.W1, jax.tree.map(lambda _: False, net), True)
    >>> risk = lj.freeze(lj.EmpiricalRisk(jnp.eye(2), jnp.ones(2)), net, trainable=first)
    >>> jax.grad(risk)(risk.trainable).W2 is None
    True

    ```
    """
    params = as_parameters(network, "network")
    try:
        chosen, others = eqx.partition(params, trainable)
    except (TypeError, ValueError) as error:
        raise TypeError(
            "trainable does not fit the network; give a pytree like it, or its beginning, of True, "
            "False and functions of a leaf"
        ) from error
    moving, settings = eqx.partition(chosen, eqx.is_inexact_array)
    fixed = eqx.combine(others, settings)
    if not jax.tree.leaves(moving):
        raise ValueError("trainable chooses no leaf of the network; choose at least one")
    return Frozen(objective, fixed, moving)
