"""Normal form of networks, which fixes the rescaling of hidden neurons."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Float, PyTree

from landscape_jax.objectives.hidden_neurons import HiddenNeurons

# Fixed parts of neurons are equal when they agree to so many eps.
UNITS_IN_THE_LAST_PLACE = 8

Leaf = Float[np.ndarray, "points ..."]
Scale = Float[np.ndarray, "_ _"]


class Part(NamedTuple):
    """A leaf's entries that belong to a layer's neurons, with its flip and power.

    `shared`: whether the leaf holds neurons of another layer too.
    """

    values: Float[np.ndarray, "_ neurons entries"]
    flip: int
    power: int | float
    shared: bool = False


@dataclass(frozen=True, eq=False)
class NormalForm:
    """Points as float64 leaves with a leading axis, rescaled layer by layer; make it with `of`.

    Incoming weights and bias (w, b) are brought to length 1 by (w, b, v) → (cw, cb, c^−p v).  Where
    they are 0, outgoing weights are brought to the mean length of the other neurons'.  Where one of
    both is fixed (see `HiddenNeurons.freeze`), that one is brought to length 1.  Trained leaves of
    length 1 are then multiplied by one number for each point, so that their norm is that of the
    other leaves and distances do not depend on units.

    - `leaves`; `places`: for each leaf, for each layer, its axis of neurons or `None`, its flip
      and power.
    - `fixed`: for each layer the fixed parts of its neurons, rescaled likewise.
    - `scales`: for each layer the factors c, one row for all points where a fixed part sets them.
    """

    layers: tuple[HiddenNeurons, ...]
    leaves: list[Leaf]
    places: list[list[tuple[int | None, int, int | float]]]
    fixed: list[list[Part]]
    scales: list[Scale]

    @classmethod
    def of(cls, layers: tuple[HiddenNeurons, ...], params: PyTree) -> "NormalForm":
        """Rescale points, given as params with a leading axis.

        **Raises:** `ValueError` if the params do not fit the axes of `layers`.
        """
        leaves, places = _read(layers, params)
        form = cls(layers, leaves, places, [], [])
        unit = np.zeros(len(leaves), bool)
        for layer, group in enumerate(layers):
            fixed = [
                Part(np.asarray(part.values, np.float64)[None], part.flip, part.power)
                for part in group.fixed
            ]
            moving = form.parts(layer)
            _check_count(layer, [part.values.shape[1] for part in moving + fixed])
            scale, sign = _scale(moving, fixed)
            form.scales.append(scale)
            form.fixed.append([_rescaled(part, scale) for part in fixed])
            for i, (axis, _, power) in enumerate(of_leaf[layer] for of_leaf in places):
                if axis is not None:
                    leaves[i] = leaves[i] * along(scale**power, axis, leaves[i].ndim)
                unit[i] |= power * sign > 0
        _balance(leaves, unit)
        return form

    @cached_property
    def lengths(self) -> Float[np.ndarray, " points"]:
        """The points' Euclidean norms."""
        return np.sqrt(sum(np.sum(_flat(leaf) ** 2, axis=1) for leaf in self.leaves))

    def parts(self, layer: int) -> list[Part]:
        """List a layer's parts of the leaves."""
        return [
            Part(_rows(leaf, axis), flip, power, sum(a is not None for a, *_ in of_leaf) > 1)
            for leaf, of_leaf in zip(self.leaves, self.places, strict=True)
            for axis, flip, power in of_leaf[layer : layer + 1]
            if axis is not None
        ]

    def rest(self) -> Float[np.ndarray, "points entries"]:
        """Return the leaves without neurons, raveled."""
        alone = [
            _flat(leaf)
            for leaf, of_leaf in zip(self.leaves, self.places, strict=True)
            if all(axis is None for axis, *_ in of_leaf)
        ]
        return np.concatenate([np.zeros((len(self.leaves[0]), 0)), *alone], axis=1)

    def shared(self) -> list[Float[np.ndarray, "points entries"]]:
        """List the leaves with neurons of two layers, raveled."""
        return [
            _flat(leaf)
            for leaf, of_leaf in zip(self.leaves, self.places, strict=True)
            if sum(axis is not None for axis, *_ in of_leaf) > 1
        ]

    def alike(self, layer: int) -> Bool[np.ndarray, "signs neurons neurons"]:
        """Find which neurons may replace which, as they are and, if there are flips, flipped.

        They may where their fixed parts are equal up to rounding.
        """
        signs = (1,) if self.layers[layer].flips is None else (1, -1)
        count = self.scales[layer].shape[1]
        alike = np.ones((len(signs), count, count), bool)
        for part, gap in zip(self.fixed[layer], self.gaps(layer), strict=True):
            (values,) = part.values
            for allowed, sign in zip(alike, signs, strict=True):
                moved = values * (part.flip if sign < 0 else 1)
                allowed &= np.abs(values[:, None] - moved).max(axis=2, initial=0) <= gap
        return alike

    def gaps(self, layer: int) -> list[float]:
        """Return, for each fixed part of a layer, the difference up to which numbers are equal."""
        eps = [float(np.finfo(part.values.dtype).eps) for part in self.layers[layer].fixed]
        largest = [float(np.abs(part.values).max(initial=0)) for part in self.fixed[layer]]
        return [UNITS_IN_THE_LAST_PLACE * e * x for e, x in zip(eps, largest, strict=True)]


def axis_of(axis: int, leaf: Leaf) -> int:
    """Return the index of a leaf's axis, counting the leading axis of points."""
    return axis % (leaf.ndim - 1) + 1


def along(values: Float[np.ndarray, "_ neurons"], axis: int, ndim: int) -> Leaf:
    """Shape numbers of points and neurons to multiply a leaf whose neurons are on `axis`."""
    shape = [1] * ndim
    shape[0] = values.shape[0]
    shape[axis % (ndim - 1) + 1] = values.shape[1]
    return values.reshape(shape)


def _read(
    layers: tuple[HiddenNeurons, ...], params: PyTree
) -> tuple[list[Leaf], list[list[tuple[int | None, int, int | float]]]]:
    """List the leaves other than `None`, and their places in each layer."""
    everything = jax.tree.leaves(params, is_leaf=lambda leaf: leaf is None)
    by_layer = [layer.parts(params) for layer in layers]
    present = [i for i, leaf in enumerate(everything) if leaf is not None]
    leaves = [np.asarray(everything[i], np.float64) for i in present]
    for i, leaf in zip(present, leaves, strict=True):
        for parts in by_layer:
            axis = parts[i][0]
            if axis is not None and not -leaf.ndim < axis + (axis >= 0) < leaf.ndim:
                raise ValueError(
                    f"axes has {axis} for a leaf of shape {leaf.shape[1:]}; give one of its axes"
                )
    for i in present:
        if sum(parts[i][0] is not None for parts in by_layer) > 2:
            raise ValueError(
                "axes of more than two hidden layers are in one leaf; give at most two"
            )
    return leaves, [[parts[i] for parts in by_layer] for i in present]


def _check_count(layer: int, counts: list[int]) -> None:
    if len(set(counts)) != 1:
        raise ValueError(
            f"axes of hidden layer {layer + 1} have lengths {counts}; give axes that count the "
            "same neurons"
        )


def _rows(leaf: Leaf, axis: int) -> Float[np.ndarray, "points neurons entries"]:
    rows = np.moveaxis(leaf, axis_of(axis, leaf), 1)
    return rows.reshape(*rows.shape[:2], -1)


def _flat(leaf: Leaf) -> Float[np.ndarray, "points entries"]:
    return leaf.reshape(len(leaf), -1)


def _scale(moving: list[Part], fixed: list[Part]) -> tuple[Scale, int]:
    """Return the factors c of one layer, and the sign of the powers of its leaves of length 1.

    The sign is 0 where no trained leaf is brought to length 1.
    """
    held = [part for part in fixed if part.power]
    parts = held or [part for part in moving if part.power]
    sign = 1 if any(part.power > 0 for part in parts) else -1
    unit, other = ([p for p in parts if p.power * s > 0] for s in (sign, -sign))
    if not unit:
        return np.ones(moving[0].values.shape[:2]), 0
    length = _norms(unit)
    scale = np.where(length > 0, length, 1) ** (-1 / unit[0].power)
    if held:
        return scale, 0
    # Neurons of length 0 cannot be normalized by it: their outgoing weights get a typical length.
    if other:
        out = _norms(other)
        live = length > 0
        sizes = np.where(live, out * scale ** other[0].power, 0)
        mean = sizes.sum(axis=1) / np.maximum(live.sum(axis=1), 1)
        target = np.where(mean > 0, mean, 1)[:, None]
        ratio = target / np.where(out > 0, out, target)
        scale = np.where(live, scale, ratio ** (1 / other[0].power))
    return scale, sign


def _rescaled(part: Part, scale: Scale) -> Part:
    if not part.power:
        return part
    return Part(part.values * scale[..., None] ** part.power, part.flip, part.power)


def _norms(parts: list[Part]) -> Float[np.ndarray, "_ neurons"]:
    return np.sqrt(sum(np.sum(part.values**2, axis=2) for part in parts))


def _balance(leaves: list[Leaf], unit: Bool[np.ndarray, " leaves"]) -> None:
    """Bring the norm of the leaves of length 1 to that of the others, where none is 0."""
    squares = np.stack([np.sum(_flat(leaf) ** 2, axis=1) for leaf in leaves])
    ones, others = squares[unit].sum(axis=0), squares[~unit].sum(axis=0)
    both = (ones > 0) & (others > 0)
    factor = np.where(both, np.sqrt(others / np.where(both, ones, 1)), 1)
    for i in np.flatnonzero(unit):
        leaves[i] = leaves[i] * factor.reshape(-1, *[1] * (leaves[i].ndim - 1))
