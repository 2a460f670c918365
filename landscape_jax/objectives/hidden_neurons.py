"""Declare which axes of the parameters count hidden neurons, and what leaves a neuron unchanged."""

from dataclasses import replace
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float, PyTree

from landscape_jax.mistakes import require, shown
from landscape_jax.networks.activations import Activation
from landscape_jax.networks.models import Mlp, TwoLayer


class FixedPart(eqx.Module):
    """Numbers of the hidden neurons that are not among the params, and permute with the neurons.

    **Arguments:** `values`, one neuron a row; `flip` and `power`, as in `HiddenNeurons`.
    """

    values: Float[np.ndarray, "neurons entries"]
    flip: int = 1
    power: int | float = 0


class HiddenNeurons(eqx.Module):
    """The symmetry group of one hidden layer: permutations, sign changes and rescalings of neurons.

    Its elements permute the neurons, multiply the parts of single neurons by their `flips`, and,
    for any c > 0, by c to the power of their `powers`.  The objective must be unchanged by each of
    them: `families` counts critical points modulo the group.  `EmpiricalRisk` declares it for
    `TwoLayer` and `Mlp`; declare it in `known` for an objective of your own.

    **Arguments:**

    - `axes`: a pytree of the params' structure, or a prefix of it: for each leaf the axis that
      counts hidden neurons, `None` where it has none (an output's bias).
    - `flips`: likewise ±1, the factor of a neuron's part of the leaf under a change of sign.  For
      an odd φ, −1 everywhere, φ(−w·x) = −φ(w·x); for an even φ, −1 on incoming weights and biases,
      +1 on outgoing weights.  `None`: no flips.
    - `powers`: likewise exponents.  For φ(ct) = c^p φ(t), 1 on incoming, −p on outgoing weights.
      All positive powers are equal, and all negative ones.  `None`: no rescaling.
    - `fixed`: further parts of the neurons, which are not among the params; see `freeze`.

    For several hidden layers, give a tuple with one of these for each, the first layer first.

    **Raises:** `TypeError` if an axis is not an integer, `ValueError` if a flip is not ±1 or powers
    of one sign differ.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x = jnp.linspace(-2.0, 2.0, 20)
    >>> class Fit(lj.AbstractObjective):
    ...     def __call__(self, params):
    ...         q = jnp.tanh(jnp.outer(x, params["w"])) @ params["v"]
    ...         return jnp.mean((q - jnp.tanh(x) + jnp.tanh(3 * x)) ** 2)
    ...     def known(self, params):
    ...         return lj.Known(symmetry=lj.HiddenNeurons(axes={"w": 0, "v": 0}, flips=-1))
    >>> w, v = jnp.array([[1.0, 3.0], [3.0, -1.0]]), jnp.array([[1.0, -1.0], [-1.0, -1.0]])
    >>> [(f.kind, f.count) for f in lj.families(Fit(), {"w": w, "v": v})]
    [('minimum', 2)]

    ```
    """

    axes: PyTree
    flips: PyTree = None
    powers: PyTree = None
    fixed: tuple[FixedPart, ...] = ()

    def __check_init__(self) -> None:
        for axis in jax.tree.leaves(self.axes):
            if not isinstance(axis, int) or isinstance(axis, bool):
                raise TypeError(
                    f"axes has the leaf {shown(axis)}; give an integer, or None for no axis"
                )
        for flip in jax.tree.leaves(self.flips):
            if not (isinstance(flip, int) and flip in (-1, 1)):
                raise ValueError(f"flips has the leaf {shown(flip)}; give -1 or 1")
        for power in jax.tree.leaves(self.powers):
            require("powers", power, float | int)
        for sign in (1, -1):
            powers = {p for p in jax.tree.leaves(self.powers) if sign * p > 0}
            if len(powers) > 1:
                raise ValueError(
                    f"powers has the leaves {sorted(powers)}; give equal ones of each sign"
                )

    def parts(self, params: PyTree) -> list[tuple[int | None, int, int | float]]:
        """Return axis, flip and power of each leaf of `params`, `None` counted as a leaf.

        **Raises:** `ValueError` if `params` does not have the structure of `axes`.
        """
        trees = {"axes": self.axes, "flips": self.flips, "powers": self.powers}
        parts = zip(*(_spread(name, prefix, params) for name, prefix in trees.items()), strict=True)
        return [(axis, flip or 1, power or 0) for axis, flip, power in parts]

    def freeze(self, trained: PyTree, fixed: PyTree) -> "HiddenNeurons | None":
        """Return the symmetries that survive when some leaves of the params are not trained.

        Neurons may be permuted where their fixed parts are equal, up to flips and rescaling.
        Rescaling survives where no fixed leaf and trained leaf have powers of one sign.

        **Arguments:** `trained` and `fixed`, of the params' structure, `None` in place of the
        leaves of the other.

        **Returns:** the group on `trained`; `None` where it has no leaf with neurons.
        """
        of_trained = _present(self, trained)
        if not of_trained:
            return None
        parts = list(self.fixed)
        for leaf, axis, flip, power in _present(self, fixed):
            values = np.moveaxis(np.asarray(leaf), axis, 0)
            parts.append(FixedPart(values.reshape(len(values), -1), flip, power))
        held = {np.sign(part.power) for part in parts}
        moved = {np.sign(power) for *_, power in of_trained}
        if held & moved & {1, -1}:
            parts = [FixedPart(part.values, part.flip) for part in parts]
            return replace(self, powers=None, fixed=tuple(parts))
        return replace(self, fixed=tuple(parts))


def network_symmetry(network: PyTree) -> HiddenNeurons | tuple[HiddenNeurons, ...] | None:
    """Declare the hidden neurons of a `TwoLayer` or an `Mlp`, layer by layer.

    In each layer the neurons may be permuted; for an odd or even activation each may change its
    sign; for a homogeneous one, φ(ct) = c^p φ(t) with p ≥ 0, a neuron's incoming weights may be
    multiplied by any c > 0 and its outgoing ones by c^−p.

    **Returns:** `None` for any other network, or one without hidden layers.
    """
    if isinstance(network, TwoLayer):
        return _layer(network, network.activation, _two_layer)
    if not isinstance(network, Mlp):
        return None
    layers = tuple(
        _layer(network, network.activation, partial(_mlp, layer=layer))
        for layer in range(len(network.weights) - 1)
    )
    return layers or None


def _two_layer(network: TwoLayer) -> tuple[Any, Any, Any]:
    return network.W1, network.b1, network.W2


def _mlp(network: Mlp, *, layer: int) -> tuple[Any, Any, Any]:
    return network.weights[layer], network.biases[layer], network.weights[layer + 1]


def _layer(network: PyTree, activation: Activation, leaves: Any) -> HiddenNeurons:
    """Declare one hidden layer; `leaves` returns its incoming weights, biases, outgoing weights."""
    blank = jax.tree.map(lambda _: None, network)

    def tree(into: int, out: int) -> PyTree:
        bias = None if leaves(network)[1] is None else into
        return eqx.tree_at(leaves, blank, (into, bias, out), is_leaf=_is_none)

    odd, degree = activation.parity == "odd", activation.degree
    return HiddenNeurons(
        axes=tree(0, 1),
        flips=None if activation.parity is None else tree(-1, -1 if odd else 1),
        powers=None if degree is None or degree < 0 else tree(1, -degree),
    )


def _present(neurons: HiddenNeurons, params: PyTree) -> list[tuple[Any, int, int, int | float]]:
    """List the leaves other than `None` that have neurons, with their axes, flips and powers."""
    leaves = zip(jax.tree.leaves(params, is_leaf=_is_none), neurons.parts(params), strict=True)
    return [
        (leaf, axis, flip, power)
        for leaf, (axis, flip, power) in leaves
        if leaf is not None and axis is not None
    ]


def _spread(name: str, prefix: PyTree, tree: PyTree) -> list[Any]:
    """Return the leaves of a prefix of `tree`, each as often as `tree` has leaves below it."""
    structure = jax.tree.structure(prefix, is_leaf=_is_none)
    try:
        parts = structure.flatten_up_to(tree)
    except ValueError as error:
        raise ValueError(f"{name} is not of the params' structure: {error}") from error
    below = [len(jax.tree.leaves(part, is_leaf=_is_none)) for part in parts]
    leaves = jax.tree.leaves(prefix, is_leaf=_is_none)
    return [leaf for leaf, count in zip(leaves, below, strict=True) for _ in range(count)]


def _is_none(leaf: Any) -> bool:
    return leaf is None
