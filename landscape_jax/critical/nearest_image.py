"""The image of a point under the objective's symmetry that is nearest to another point, by search.

Unlike `Orbits`, which decides whether two points are equal up to the symmetry, this one compares
points that are not: the distance is made small, and what is found is an image in any case.
"""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float, Int, PyTree

from landscape_jax.critical.hidden_layers import carried
from landscape_jax.critical.normal_form import NormalForm, axis_of
from landscape_jax.critical.orbits import orbits
from landscape_jax.critical.relabelling import Relabelling, relabelling
from landscape_jax.critical.symmetry import Alignment, default_tolerance
from landscape_jax.objectives.base import Symmetry
from landscape_jax.objectives.hidden_neurons import HiddenNeurons, network_symmetry

# Each sweep lowers the distance, and there are finitely many orders: it ends long before.
_SWEEPS = 100


def nearest_image(
    symmetry: Symmetry | HiddenNeurons | tuple[HiddenNeurons, ...] | None,
    one: PyTree,
    other: PyTree,
) -> PyTree:
    """Return the image of `other` that a search finds nearest to `one`.

    Where `other` is itself an image of `one`, the exact search finds that.  Else neurons are
    matched by linear assignment: exactly, where the group is that of one hidden layer.  Several
    layers, or isometries of the inputs that permute orthonormal directions, are matched in turns
    until the distance no longer falls, which may end before it is the smallest.

    **Arguments:** `symmetry`, as `known(…)` has it; `one` and `other`, params of one structure.
    """
    if isinstance(symmetry, Symmetry) and symmetry.rows is not None:
        symmetry = network_symmetry(one)
    if symmetry is None:
        return other
    pair = jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), one, other)
    dtype = np.result_type(*jax.tree.leaves(pair))
    same = orbits(symmetry, pair, default_tolerance(dtype)).carry(0, 1)
    if not isinstance(same, Alignment | Relabelling):
        if isinstance(symmetry, Symmetry):
            same = _rows(symmetry, *pair)
        else:
            same = _layers(symmetry if isinstance(symmetry, tuple) else (symmetry,), pair)
    moved = same(jax.tree.map(np.asarray, other))
    return jax.tree.map(lambda new, old: np.asarray(new, np.asarray(old).dtype), moved, other)


def _rows(
    symmetry: Symmetry,
    W: Float[np.ndarray, "neurons dim"],
    W_: Float[np.ndarray, "neurons dim"],
) -> Alignment:
    """Match neurons, and in turns with them the directions that the group may permute."""
    W, W_ = W.astype(np.float64), W_.astype(np.float64)
    lines = symmetry.directions.astype(np.float64)
    eps = 64 * float(np.finfo(symmetry.directions.dtype).eps)
    classes, alike = None, np.equal.outer(symmetry.labels, symmetry.labels)
    if len(lines) and np.abs(lines @ lines.T - np.eye(len(lines))).max() <= eps:
        traits = np.stack([symmetry.masses, lines @ symmetry.mean], axis=1)
        gaps = np.abs(traits[:, None] - traits).max(axis=2)
        classes = np.asarray(gaps <= eps * float(np.abs(traits).max()))

    def neurons(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the order and signs of the image's neurons that bring it closest to W."""
        costs = np.stack([_squares(W, image), _squares(W, -image)])
        costs = costs if symmetry.flips else costs[:1]
        order = _assigned(np.where(alike, costs.min(axis=0), np.inf))
        chosen = costs[:, np.arange(len(order)), order]
        return order, np.where(np.argmin(chosen, axis=0) > 0, -1, 1)

    def isometry(image: np.ndarray) -> np.ndarray:
        """Return the permutation of directions that brings an image closest to W."""
        if classes is None:
            return np.eye(W.shape[1])
        costs = _squares((W @ lines.T).T, (image @ lines.T).T)
        order = _assigned(np.where(classes, costs, np.inf))
        return np.eye(W.shape[1]) + lines.T @ (lines[order] - lines)

    first = _first_isometries(W, W_, lines, classes)
    found = [_alternated(W, W_, neurons, isometry, Q) for Q in first]
    return min(found, key=lambda each: each.residual)


def _first_isometries(
    W: np.ndarray, W_: np.ndarray, lines: np.ndarray, classes: np.ndarray | None
) -> list[Float[np.ndarray, "dim dim"]]:
    """Return where the search begins: the identity, and directions matched by sorted weights.

    The sorted weights along a direction do not depend on the order of the neurons.
    """
    identity = np.eye(W.shape[1])
    if classes is None:
        return [identity]
    ours, theirs = (np.sort(point @ lines.T, axis=0).T for point in (W, W_))
    costs = np.where(classes, _squares(ours, theirs), np.inf)
    order = _assigned(costs)
    return [identity, identity + lines.T @ (lines[order] - lines)]


def _alternated(
    W: np.ndarray,
    W_: np.ndarray,
    neurons: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    isometry: Callable[[np.ndarray], np.ndarray],
    Q: np.ndarray,
) -> Alignment:
    """Match neurons and directions in turns while the distance falls."""
    best: Alignment | None = None
    for _ in range(_SWEEPS):
        order, signs = neurons(W_ @ Q.T)
        image = signs[:, None] * W_[order] @ Q.T
        found = Alignment(order, Q, signs, float(np.linalg.norm(W - image)))
        if best is not None and found.residual >= best.residual:
            break
        best, Q = found, isometry(signs[:, None] * W_[order])
    assert best is not None
    return best


def _layers(layers: tuple[HiddenNeurons, ...], pair: PyTree) -> Relabelling:
    """Match the neurons of one hidden layer after another, in normal form."""
    form = NormalForm.of(layers, pair)
    counts = [scale.shape[1] for scale in form.scales]
    elements = [(np.arange(count), np.ones(count, np.int64)) for count in counts]
    for _ in range(_SWEEPS):
        before = [(order.copy(), signs.copy()) for order, signs in elements]
        for layer in range(len(layers)):
            elements[layer] = _matched(form, layer, elements)
        if all(
            np.array_equal(a, b)
            for old, new in zip(before, elements, strict=True)
            for a, b in zip(old, new, strict=True)
        ):
            break
    gaps = [
        leaf[0] - carried(leaf[1], places, list(elements))
        for leaf, places in zip(form.leaves, form.places, strict=True)
    ]
    residual = float(np.sqrt(sum(np.sum(gap**2) for gap in gaps)))
    orders, signs = ([element[i] for element in elements] for i in (0, 1))
    return relabelling(form, 0, 1, orders, signs, residual)


def _matched(
    form: NormalForm,
    layer: int,
    elements: list[tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]],
) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]]:
    """Match the neurons of one layer, those of the others being matched as they are."""
    others = [None if k == layer else element for k, element in enumerate(elements)]
    alike = form.alike(layer)
    costs = np.zeros(alike.shape)
    for leaf, places in zip(form.leaves, form.places, strict=True):
        axis, flip, _ = places[layer]
        if axis is None:
            continue
        both = np.stack([leaf[0], carried(leaf[1], places, list(others))])
        rows = np.moveaxis(both, axis_of(axis, both), 1).reshape(2, alike.shape[1], -1)
        for cost, factor in zip(costs, (1, flip), strict=False):
            cost += _squares(rows[0], factor * rows[1])
    costs = np.where(alike, costs, np.inf)
    order = _assigned(costs.min(axis=0))
    chosen = costs[:, np.arange(len(order)), order]
    return order, np.where(np.argmin(chosen, axis=0) > 0, -1, 1)


def _assigned(costs: Float[np.ndarray, "rows columns"]) -> Int[np.ndarray, " rows"]:
    """Return for each row its column in the assignment of least cost."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(costs)[1]


def _squares(
    one: Float[np.ndarray, "rows entries"], other: Float[np.ndarray, "columns entries"]
) -> Float[np.ndarray, "rows columns"]:
    """Return the squared distances between rows."""
    from scipy.spatial.distance import cdist

    return cdist(one, other, "sqeuclidean")
