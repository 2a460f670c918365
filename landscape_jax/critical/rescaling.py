"""Coordinates in which a network's layers are of balanced size, and the flat directions there."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float, PyTree

from landscape_jax.objectives.hidden_neurons import HiddenNeurons

# Balancing one layer unbalances the next; so many sweeps over all of them.
_SWEEPS = 30


class Balance(NamedTuple):
    """Balanced coordinates u = D x of raveled params x, and the flat directions of rescaling there.

    - `scale`: the diagonal of D.
    - `flat`: a column for each neuron that can be rescaled, the tangent of its rescaling at u.
    """

    scale: Float[np.ndarray, " parameters"]
    flat: Float[np.ndarray, "parameters neurons"]

    def hessian(
        self, H: Float[np.ndarray, "parameters parameters"]
    ) -> Float[np.ndarray, "rest rest"]:
        """Return D⁻¹HD⁻¹ on the complement of the flat directions.

        F is constant along them, so a minimum on the complement is one (though not a strict one).
        """
        inner = H / self.scale / self.scale[:, None]
        if not self.flat.shape[1]:
            return inner
        basis = np.linalg.svd(self.flat)[0][:, self.flat.shape[1] :]
        return basis.T @ inner @ basis


def balance(layers: tuple[HiddenNeurons, ...], params: PyTree) -> Balance:
    """Compute the rescaling of hidden neurons that minimises the sum of squares of the parameters.

    For each neuron that (cᵖ in, c^−q out) leaves unchanged this is p‖in‖² = q‖out‖².  Where one of
    both is fixed, the other is measured in units of it.  Neurons with a part of length 0 are not
    rescaled.

    **Arguments:** `layers`, the hidden layers; `params`, one point.
    """
    everything = jax.tree.leaves(params, is_leaf=lambda leaf: leaf is None)
    present = [i for i, leaf in enumerate(everything) if leaf is not None]
    leaves = [np.array(everything[i], np.float64) for i in present]
    scales = [np.ones_like(leaf) for leaf in leaves]
    places = [[layer.parts(params)[i] for i in present] for layer in layers]
    for _ in range(_SWEEPS if len(layers) > 1 else 1):
        for layer, place in zip(layers, places, strict=True):
            factor = _factor(layer, leaves, place)
            for i, (axis, _, power) in enumerate(place):
                if axis is not None and power:
                    by = _along(factor**power, axis, leaves[i].ndim)
                    leaves[i], scales[i] = leaves[i] * by, scales[i] * by
    columns = [
        column
        for layer, place in zip(layers, places, strict=True)
        if not any(part.power for part in layer.fixed)
        for column in _directions(leaves, place)
    ]
    size = sum(leaf.size for leaf in leaves)
    scale = np.concatenate([scale.ravel() for scale in scales])
    return Balance(scale, np.stack(columns, axis=1) if columns else np.zeros((size, 0)))


Place = list[tuple[int | None, int, int | float]]


def _factor(layer: HiddenNeurons, leaves: list[np.ndarray], place: Place) -> np.ndarray:
    """Compute the factor c of each neuron of a layer."""
    held = [(np.sum(part.values**2, axis=1), part.power) for part in layer.fixed if part.power]
    moving = [
        (_squares(leaf, axis), power)
        for leaf, (axis, _, power) in zip(leaves, place, strict=True)
        if axis is not None and power
    ]
    parts = held or moving
    if not parts:
        return np.ones(1)
    count = len(parts[0][0])
    into, out = (sum((s for s, p in parts if sign * p > 0), np.zeros(count)) for sign in (1, -1))
    up, down = (max((sign * p for _, p in parts), default=0) for sign in (1, -1))
    if held:
        size, power = (into, up) if up > 0 else (out, -down)
        return np.where(size > 0, size, 1) ** (-1 / (2 * power))
    live = (into > 0) & (out > 0) & (up > 0) & (down > 0)
    ratio = np.where(live, down * out, 1) / np.where(live, up * into, 1)
    return ratio ** (1 / (2 * max(up + down, 1)))


def _directions(leaves: list[np.ndarray], place: Place) -> list[np.ndarray]:
    """Compute d/dc at c = 1 of the rescaling of each neuron with incoming and outgoing weights."""
    columns = []
    counts = [
        leaf.shape[axis]
        for leaf, (axis, _, power) in zip(leaves, place, strict=True)
        if axis is not None and power
    ]
    for j in range(counts[0] if counts else 0):
        parts, signs = [], set()
        for leaf, (axis, _, power) in zip(leaves, place, strict=True):
            part = np.zeros_like(leaf)
            if axis is not None and power:
                at = (slice(None),) * (axis % leaf.ndim) + (j,)
                part[at] = power * leaf[at]
                signs |= {np.sign(power)} if part.any() else set()
            parts.append(part.ravel())
        if len(signs) == 2:
            columns.append(np.concatenate(parts))
    return columns


def _squares(leaf: np.ndarray, axis: int) -> np.ndarray:
    return np.sum(np.moveaxis(leaf, axis, 0).reshape(leaf.shape[axis], -1) ** 2, axis=1)


def _along(values: np.ndarray, axis: int, ndim: int) -> np.ndarray:
    shape = [1] * ndim
    shape[axis] = -1
    return values.reshape(shape)
