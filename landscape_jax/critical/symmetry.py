"""Exact search for an element of a symmetry group that carries one point onto another."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Int, UInt64

from landscape_jax.arrays import real
from landscape_jax.critical.refinement import Sides, clusters, scramble, search
from landscape_jax.mistakes import explained
from landscape_jax.objectives.base import Symmetry

# Numbers that define a group (masses, angles, the mean) are equal when they agree to so many eps.
UNITS_IN_THE_LAST_PLACE = 64
# The colour of the edge between a neuron and itself flipped.
_ANTIPODES = np.uint64(0xD1B54A32D192ED03)


@dataclass(frozen=True, eq=False)
class Alignment:
    """A group element that carries a member onto its representative: W ≈ S P W' Qᵀ.

    `permutation`: row i of the representative is row permutation[i] of the member; `isometry`: Q;
    `signs`: the diagonal of S, all 1 unless the symmetry has flips; `residual`: ‖W − S P W' Qᵀ‖_F.
    """

    permutation: Int[np.ndarray, " neurons"]
    isometry: Float[np.ndarray, "dim dim"]
    signs: Int[np.ndarray, " neurons"]
    residual: float

    def __call__(self, W: Float[np.ndarray, "neurons dim"]) -> Float[np.ndarray, "neurons dim"]:
        """Return S P W Qᵀ."""
        return self.signs[:, None] * W[self.permutation] @ self.isometry.T


def default_tolerance(dtype: np.dtype) -> float:
    """Return the relative distance up to which points are the same: eps^(3/8).

    That is 1.3e-6 in float64 and 2.5e-3 in float32: above the error ‖∇F‖/λ_min of a converged
    point at the smallest eigenvalues met (4e-5), far below the distance between critical points.
    """
    return float(np.finfo(dtype).eps ** 0.375)


@dataclass(frozen=True, eq=False)
class Group:
    """A `Symmetry` with everything that its alignments share, computed once; make it with `of`.

    `labels`: classes of neurons; `flips`: whether each neuron may change its sign; `frame`: the
    lines' unit vectors, then the unit vector of the mean (0 where it vanishes); `span`: an
    orthonormal basis of the frame's span, longest axes first; `inverse`: the matrix from the frame
    to `span`; `complement`: an orthonormal basis of the rest; `line_colours`, `line_edges`: the
    graph of the directed lines +e₁, …, +e_L, −e₁, …, −e_L, which Q permutes.
    """

    labels: Int[np.ndarray, " neurons"]
    flips: bool
    frame: Float[np.ndarray, "vectors dim"]
    span: Float[np.ndarray, "rank dim"]
    inverse: Float[np.ndarray, "rank vectors"]
    complement: Float[np.ndarray, "rest dim"]
    line_colours: Int[np.ndarray, " directed"]
    line_edges: UInt64[np.ndarray, "directed directed"]

    @classmethod
    def of(cls, symmetry: Symmetry) -> "Group":
        """Prepare `symmetry`; masses and means that are only rounding errors count as zero."""
        rounding = UNITS_IN_THE_LAST_PLACE * float(np.finfo(symmetry.directions.dtype).eps)
        mean = symmetry.mean.astype(np.float64)
        masses = symmetry.masses.astype(np.float64)
        length = float(np.linalg.norm(mean))
        scale = max(length, float(np.abs(masses).max(initial=0)))
        real = np.abs(masses) > rounding * scale
        lines, masses = symmetry.directions[real].astype(np.float64), masses[real]
        unit_mean = mean / length if length > rounding * scale else np.zeros_like(mean)
        frame = np.vstack([lines, unit_mean])
        left, sizes, basis = np.linalg.svd(frame)
        rank = int(np.sum(sizes > rounding * sizes.max(initial=0)))
        colours, edges = _line_graph(lines, masses / (scale or 1), unit_mean, rounding)
        return cls(
            labels=np.unique(symmetry.labels, return_inverse=True)[1],
            flips=symmetry.flips,
            frame=frame,
            span=basis[:rank],
            inverse=left.T[:rank] / sizes[:rank, None],
            complement=basis[rank:],
            line_colours=colours,
            line_edges=edges,
        )

    def align(
        self,
        W: Float[np.ndarray, "neurons dim"],
        W_: Float[np.ndarray, "neurons dim"],
        tolerance: float,
    ) -> Alignment | None:
        """Find the element that carries `W_` onto `W` up to `tolerance`; see `align`."""
        points = np.stack([W, W_]).astype(np.float64)
        reach = tolerance * float(np.max(np.linalg.norm(points, axis=(1, 2))))
        colours, edges = self._graphs(points, reach)
        return search(edges, colours, partial(self._fit, points, reach))

    def identity(self) -> Alignment:
        """Return the group's identity."""
        count, dim = len(self.labels), self.frame.shape[1]
        return Alignment(np.arange(count), np.eye(dim), np.ones(count, np.int64), 0.0)

    def _graphs(
        self, points: Float[np.ndarray, "2 neurons dim"], reach: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Colour both points' graphs: vertices are the neurons and the directed lines.

        Where neurons have flips, each is a vertex twice, as it is and flipped.
        Where a group element brings the points within `reach` of each other, the numbers of
        corresponding vertices and edges differ by at most the gaps used here, so their colours
        agree.
        """
        labels = self.labels
        if self.flips:
            points, labels = np.concatenate([points, -points], axis=1), np.tile(labels, 2)
        products = points @ self.frame.T
        on_lines, on_mean = products[..., :-1], products[..., -1]
        gram = points @ points.swapaxes(1, 2)
        longest = np.sqrt(gram.max(initial=0))
        among = scramble(clusters(gram, 2 * reach * longest), 1)
        if self.flips:
            itself = np.arange(len(labels))
            among[:, itself, np.roll(itself, len(self.labels))] = _ANTIPODES
        across = scramble(clusters(np.concatenate([on_lines, -on_lines], 2), reach), 2)
        lines = np.broadcast_to(self.line_edges, (2, *self.line_edges.shape))
        edges = np.block([[among, across], [across.swapaxes(1, 2), lines]])
        neurons = clusters(on_mean, reach) * (labels.max(initial=0) + 1) + labels
        line_colours = np.broadcast_to(self.line_colours, (2, *self.line_colours.shape))
        return np.concatenate([neurons, line_colours + neurons.max(initial=0) + 1], 1), edges

    def _fit(
        self, points: np.ndarray, reach: float, sides: Sides, colours: np.ndarray
    ) -> Alignment | None:
        """Build an element that preserves the colours; `None` if its residual is too large.

        Lines of one colour are matched in their order, which determines Q on the frame's span: it
        maps `span` to `inverse` F_matched, made orthonormal row by row (QR), so that the short
        axes, which nearly parallel lines leave uncertain, follow the long ones.  Neurons of
        one colour are matched where that brings them closest (linear assignment); on the complement
        Q is the best isometry (Procrustes).
        """
        from scipy.linalg import orthogonal_procrustes
        from scipy.optimize import linear_sum_assignment

        target, source = points[sides[0]], points[sides[1]]
        neurons, lines = np.split(colours, [colours.shape[1] - len(self.line_colours)], axis=1)
        match = np.empty(lines.shape[1], np.int64)
        match[np.argsort(lines[0], kind="stable")] = np.argsort(lines[1], kind="stable")
        # Equal colours alone do not preserve angles between lines; the caller then refines further.
        if not np.array_equal(self.line_edges[np.ix_(match, match)], self.line_edges):
            return None
        directed = np.vstack([self.frame[:-1], -self.frame[:-1]])
        matched = np.vstack([directed[match[: len(match) // 2]], self.frame[-1]])
        axes, lengths = np.linalg.qr((self.inverse @ matched).T)
        # QR leaves the signs of its columns open: those that keep the axes' directions are chosen.
        isometry = self.span.T @ (axes * np.where(np.diag(lengths) < 0, -1, 1)).T
        gain = target @ isometry @ source.T
        # ‖W − S P W' Qᵀ‖² falls as the summed gain grows, so the best match is an assignment.
        signs, allowed = _signs(neurons, gain)
        forbidden = 1 + 2 * len(gain) * np.abs(gain).max(initial=0)
        rows, permutation = linear_sum_assignment(
            signs * gain - forbidden * ~allowed, maximize=True
        )
        signs = signs[rows, permutation]
        source = signs[:, None] * source[permutation]
        if len(self.complement):
            outside = self.complement.T
            turn, _ = orthogonal_procrustes(source @ outside, target @ outside)
            isometry = isometry + outside @ turn.T @ outside.T
        residual = float(np.linalg.norm(target - source @ isometry.T))
        return Alignment(permutation, isometry, signs, residual) if residual <= reach else None


def _signs(
    colours: Int[np.ndarray, "2 vertices"], gain: Float[np.ndarray, "neurons neurons"]
) -> tuple[Int[np.ndarray, "neurons neurons"], Bool[np.ndarray, "neurons neurons"]]:
    """Return the better sign with which each neuron replaces each other, and whether it may.

    `colours`: of the neurons and, after them, of the flipped ones where there are flips.
    """
    count = len(gain)
    as_it_is = colours[0, :count, None] == colours[1, :count]
    if colours.shape[1] == count:
        return np.ones(gain.shape, np.int64), as_it_is
    flipped = colours[0, :count, None] == colours[1, count:]
    return np.where(flipped & ~(as_it_is & (gain >= 0)), -1, 1), as_it_is | flipped


def _line_graph(
    lines: np.ndarray, masses: np.ndarray, mean: np.ndarray, rounding: float
) -> tuple[np.ndarray, np.ndarray]:
    """Colour the directed lines by mass and distance to the mean, their pairs by their distance.

    Distances of unit vectors, not cosines, which do not resolve small angles.  That of a line and
    itself is set to −1, of antipodes to 3, so that no pair of nearly equal lines has their colour.
    """
    from scipy.spatial.distance import cdist

    directed = np.concatenate([lines, -lines])
    distances = cdist(directed, directed)
    itself = np.arange(len(directed))
    distances[itself, itself] = -1
    distances[itself, np.roll(itself, len(lines))] = 3
    edges = scramble(clusters(distances, rounding), 3)
    heights = clusters(cdist(directed, mean[None])[:, 0], rounding)
    weights = clusters(np.concatenate([masses, masses]), rounding)
    return heights * (weights.max(initial=0) + 1) + weights, edges


@explained
def align(
    symmetry: Symmetry,
    representative: Float[np.ndarray, "..."],
    member: Float[np.ndarray, "..."],
    *,
    tolerance: float | int | None = None,
) -> Alignment | None:
    """Find a group element that carries `member` onto `representative`: W ≈ P W' Qᵀ.

    The search is exact: P and Q's action on the lines range over all that the points' inner
    products allow (colour refinement with backtracking, not the n! permutations), and an element
    counts only if ‖W − P W' Qᵀ‖_F ≤ tolerance · max(‖W‖_F, ‖W'‖_F).

    **Arguments:** `symmetry`, the group (`objective.known(W).symmetry`); two points, (n, d);
    `tolerance`, relative; default: eps^(3/8) of the points' dtype (1.3e-6 in float64).

    **Returns:** an `Alignment`, or `None` if the points are not in one orbit.

    **Raises:** `TypeError` if the symmetry is none, or a point not floating; `ValueError` if a
    point is not finite or not of the symmetry's shape, or the tolerance not positive.

    Source: SS18, section 3, footnote 2 (there for orthonormal teachers).

    ```python
    >>> import numpy as np
    >>> from landscape_jax.objectives.base import Symmetry
    >>> group = Symmetry(np.ones(2), np.eye(2), np.ones(2), np.ones(2))
    >>> W = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> align(group, W, W[::-1, ::-1]).permutation
    array([1, 0])
    >>> align(group, W, W.T) is None
    True

    ```
    """
    shape = (len(symmetry.labels), len(symmetry.mean))
    points = []
    for name, given in (("representative", representative), ("member", member)):
        point = np.asarray(given)
        if point.dtype.kind != "f":
            raise TypeError(f"{name} has dtype {point.dtype}; give a floating array, e.g. float64")
        if point.shape != shape:
            raise ValueError(
                f"{name} has shape {point.shape}, but the symmetry acts on points of shape {shape}."
            )
        if not np.isfinite(point).all():
            raise ValueError(f"{name} has entries that are not finite; give finite weights.")
        points.append(point)
    if tolerance is None:
        tolerance = default_tolerance(np.result_type(*points))
    elif not real("tolerance", tolerance) > 0:
        raise ValueError(f"tolerance is {tolerance}; give a positive relative distance.")
    return Group.of(symmetry).align(points[0], points[1], tolerance)
