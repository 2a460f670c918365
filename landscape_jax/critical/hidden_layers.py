"""The exact search for an element of the groups of several hidden layers at once.

Layer by layer, the neurons' incoming weights determine which of them can be matched: where a match
is unique, the order of the next layer's weights is known too, and so on.  What they leave open
(neurons of equal incoming weights) is decided by colour refinement with backtracking on a graph:
its vertices are the neurons (twice in a layer with flips, as they are and flipped), its edges the
weights between two hidden layers.
"""

import itertools
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from landscape_jax.critical.normal_form import NormalForm, along, axis_of
from landscape_jax.critical.refinement import Sides, clusters, scramble, search
from landscape_jax.critical.relabelling import Relabelling, relabelling

# The order and the signs of a layer's neurons, `None` where they are not known.
Element = tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"]] | None
# The colour of the edge between a neuron and itself flipped.
_ANTIPODES = np.uint64(0xD1B54A32D192ED03)


def match(form: NormalForm, head: int, end: int, tolerance: float) -> Relabelling | None:
    """Find an element that carries the point `end` to `head` up to a relative `tolerance`.

    The search is complete: if it returns `None`, there is no such element.
    """
    points = np.array([head, end])
    reach = tolerance * float(max(form.lengths[points]))
    colours = _colours(form, head, end, reach)
    if colours is None:
        return None
    return search(_edges(form, points, reach), colours, partial(_accept, form, points, reach))


def _signs(form: NormalForm, layer: int) -> tuple[int, ...]:
    return (1,) if form.layers[layer].flips is None else (1, -1)


def _directed(form: NormalForm, layer: int, values: np.ndarray, flip: int, axis: int) -> np.ndarray:
    """Append the flipped neurons of a layer, where there are flips, to `values` along an axis."""
    signs = _signs(form, layer)
    return np.concatenate([values if s > 0 else flip * values for s in signs], axis)


def _first(form: NormalForm) -> list[int]:
    """Return the number of the first vertex of each layer, then the number of all vertices."""
    counts = [len(_signs(form, k)) * scale.shape[1] for k, scale in enumerate(form.scales)]
    return [0, *np.cumsum(counts).tolist()]


def _colours(
    form: NormalForm, head: int, end: int, reach: float
) -> Int[np.ndarray, "2 vertices"] | None:
    """Colour the neurons of both points; `None` where they cannot be matched.

    Two that take each other's place in an element within reach have one colour.
    """
    from scipy.sparse.csgraph import connected_components

    elements: list[Element] = [None] * len(form.layers)
    colours, used = [], 0
    for layer in range(len(form.layers)):
        near = _near(form, layer, head, end, elements, reach)
        count = len(near)
        graph = np.zeros((2 * count, 2 * count), bool)
        graph[:count, count:] = near
        number, labels = connected_components(graph, directed=False)
        sides = labels.reshape(2, count)
        ours, theirs = (np.bincount(side, minlength=number) for side in sides)
        if not np.array_equal(ours, theirs):
            return None
        if number == count:
            elements[layer] = _element(form, layer, np.argmax(near, axis=1))
        colours.append(sides.astype(np.int64) + used)
        used += number
    return np.concatenate(colours, axis=1)


def _near(
    form: NormalForm, layer: int, head: int, end: int, elements: list[Element], reach: float
) -> Bool[np.ndarray, "vertices vertices"]:
    """Find which neurons of `end` are within reach of which of `head`, by the leaves known so far.

    These are the leaves that the layer shares only with layers whose elements are known.
    """
    from scipy.spatial.distance import cdist

    count = len(_signs(form, layer)) * form.scales[layer].shape[1]
    rows = [np.zeros((2, count, 1))]
    for leaf, places in zip(form.leaves, form.places, strict=True):
        axis, flip, _ = places[layer]
        others = [k for k, (a, *_) in enumerate(places) if a is not None and k != layer]
        if axis is not None and all(elements[k] is not None for k in others):
            pair = np.stack([leaf[head], carried(leaf[end], places, elements)])
            values = np.moveaxis(pair, axis_of(axis, leaf), 1)
            values = values.reshape(*values.shape[:2], -1)
            rows.append(_directed(form, layer, values, flip, 1))
    target, source = np.concatenate(rows, axis=2)
    near = cdist(target, source) <= reach
    for part, gap in zip(form.fixed[layer], form.gaps(layer), strict=True):
        (values,) = _directed(form, layer, part.values, part.flip, 1)
        near &= np.abs(values[:, None] - values).max(axis=2, initial=0) <= gap
    return near


def _element(form: NormalForm, layer: int, image: Int[np.ndarray, " vertices"]) -> Element:
    """Return the neurons' order and signs that the images of a layer's vertices imply."""
    count = form.scales[layer].shape[1]
    return image[:count] % count, np.where(image[:count] >= count, -1, 1)


def carried(
    leaf: Float[np.ndarray, "..."],
    places: list[tuple[int | None, int, int | float]],
    elements: list[Element],
) -> Float[np.ndarray, "..."]:
    """Move and flip the neurons of the layers whose elements are known, in a leaf of one point."""
    for (axis, flip, _), element in zip(places, elements, strict=True):
        if axis is not None and element is not None:
            order, signs = element
            factor = np.where(signs < 0, float(flip), 1.0)[None]
            leaf = np.take(leaf, order, axis) * along(factor, axis, leaf.ndim + 1)[0]
    return leaf


def _edges(
    form: NormalForm, points: Int[np.ndarray, "2"], reach: float
) -> UInt64[np.ndarray, "2 vertices vertices"]:
    """Colour the edges by the leaves that two layers share."""
    first = _first(form)
    edges = np.zeros((2, first[-1], first[-1]), np.uint64)
    for layer, (start, end) in enumerate(itertools.pairwise(first)):
        if len(_signs(form, layer)) > 1:
            half = (end - start) // 2
            plus, minus = np.arange(start, start + half), np.arange(start + half, end)
            edges[:, plus, minus] = edges[:, minus, plus] = _ANTIPODES
    for salt, (leaf, places) in enumerate(zip(form.leaves, form.places, strict=True)):
        axes = {k: axis_of(axis, leaf) for k, (axis, *_) in enumerate(places) if axis is not None}
        if len(axes) < 2:
            continue
        values = np.moveaxis(leaf[points], list(axes.values()), [1, 2])
        values = values.reshape(*values.shape[:3], -1)
        for k, axis in zip(axes, (1, 2), strict=True):
            values = _directed(form, k, values, places[k][1], axis)
        words = _words(values, reach, salt + 1)
        rows, columns = (slice(first[k], first[k + 1]) for k in axes)
        edges[:, rows, columns] += words
        edges[:, columns, rows] += words.swapaxes(1, 2)
    return edges


def _words(
    values: Float[np.ndarray, "*edges entries"], gap: float, salt: int
) -> UInt64[np.ndarray, "*edges"]:
    """Hash the clusters of all entries."""
    words = np.zeros(values.shape[:-1], np.uint64)
    for entry in range(values.shape[-1]):
        words += scramble(clusters(values[..., entry], gap), (salt << 16) + entry)
    return words


def _accept(
    form: NormalForm,
    points: Int[np.ndarray, "2"],
    reach: float,
    sides: Sides,
    colours: Int[np.ndarray, "2 vertices"],
) -> Relabelling | None:
    """Match vertices of one colour in their order; `None` if that gives no element within reach."""
    target, source = points[list(sides)].tolist()
    image = np.empty(colours.shape[1], np.int64)
    image[np.argsort(colours[0], kind="stable")] = np.argsort(colours[1], kind="stable")
    elements = [
        _element(form, layer, image[start:end] - start)
        for layer, (start, end) in enumerate(itertools.pairwise(_first(form)))
    ]
    orders, signs = zip(*filter(None, elements), strict=True)
    if any(len(np.unique(order)) < len(order) for order in orders):
        return None
    moved = [
        leaf[target] - carried(leaf[source], places, elements)
        for leaf, places in zip(form.leaves, form.places, strict=True)
    ]
    residual = float(np.sqrt(sum(np.sum(difference**2) for difference in moved)))
    if residual > reach:
        return None
    return relabelling(form, target, source, list(orders), list(signs), residual)
