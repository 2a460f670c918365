"""Numbers that a symmetry group leaves alone, and the distance between orbits they imply."""

import numpy as np
from jaxtyping import Float

from landscape_jax.critical.symmetry import Group

Invariants = tuple[Float[np.ndarray, "points _"], ...]


def invariants(group: Group, points: Float[np.ndarray, "points neurons dim"]) -> Invariants:
    """Give vectors that the group leaves unchanged and that move no faster than the point.

    They are the sorted norms of the neurons, and of their parts outside the lines' span, label by
    label; the singular values; and the sorted |wᵢ·eₗ|, over the frame's spectral norm.  Each map
    is 1-Lipschitz in the Frobenius norm (sorting is a projection onto a cone of orderings, and
    singular values by Mirsky's theorem), so
    |I(W) − I(W')| ≤ min over the group of ‖W − P W' Qᵀ‖_F.

    **Arguments:** `group`; `points`, (m, n, d).

    **Returns:** a tuple of arrays with m rows, cheapest to compare first.
    """
    W = points.astype(np.float64)
    projections = np.abs(W @ group.frame[:-1].T).reshape(len(W), -1)
    return (
        _sorted_by_label(group, np.linalg.norm(W, axis=2)),
        _sorted_by_label(group, np.linalg.norm(W @ group.complement.T, axis=2)),
        np.linalg.svd(W, compute_uv=False),
        np.sort(projections, axis=1) / max(1.0, float(np.linalg.norm(group.frame, 2))),
    )


def _sorted_by_label(group: Group, norms: np.ndarray) -> np.ndarray:
    labels = range(group.labels.max(initial=-1) + 1)
    return np.concatenate([np.sort(norms[:, group.labels == label], 1) for label in labels], 1)


def distance_bounds(
    vectors: Invariants, point: int, others: np.ndarray
) -> Float[np.ndarray, " others"]:
    """Bound from below the distances of one point to the orbits of others."""
    return np.max([np.linalg.norm(v[others] - v[point], axis=1) for v in vectors], axis=0)


def within(vectors: Invariants, point: int, others: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Give those of `others` whose bound does not exclude that they lie within their `reach`."""
    for v in vectors:
        near = np.linalg.norm(v[others] - v[point], axis=1) <= reach
        others, reach = others[near], reach[near]
    return others
