"""Invariants of a symmetry group, and the bounds of distances between orbits that they imply."""

import numpy as np
from jaxtyping import Float

from landscape_jax.critical.normal_form import NormalForm
from landscape_jax.critical.symmetry import Group

Invariants = tuple[Float[np.ndarray, "points _"], ...]


def invariants(group: Group, points: Float[np.ndarray, "points neurons dim"]) -> Invariants:
    """Compute vectors that the group leaves unchanged, 1-Lipschitz functions of the point.

    They are the sorted norms of the neurons, and of their parts outside the lines' span, label by
    label; the singular values; and the sorted |wᵢ·eₗ|, over the frame's spectral norm.  Each map
    is 1-Lipschitz in the Frobenius norm (sorting is a projection onto a cone of orderings, and
    singular values by Mirsky's theorem), so
    |I(W) − I(W')| ≤ min over the group of ‖W − S P W' Qᵀ‖_F.

    **Arguments:** `group`; `points`, (m, n, d).

    **Returns:** a tuple of arrays with m rows, cheapest to compare first.
    """
    W = points.astype(np.float64)
    projections = np.abs(W @ group.frame[:-1].T).reshape(len(W), -1)
    return (
        _sorted_by_label(group.labels, np.linalg.norm(W, axis=2)),
        _sorted_by_label(group.labels, np.linalg.norm(W @ group.complement.T, axis=2)),
        np.linalg.svd(W, compute_uv=False),
        np.sort(projections, axis=1) / max(1.0, float(np.linalg.norm(group.frame, 2))),
    )


def network_invariants(form: NormalForm) -> Invariants:
    """Compute vectors that the groups of hidden layers leave unchanged, each 1-Lipschitz.

    They are, layer by layer, the neurons' norms, sorted among those that may be permuted; the
    leaves' entries, sorted column by column (those that two layers share altogether), by absolute
    value where there are flips; and the leaves' singular values.  Parameters that belong to no
    neuron are appended to each of them.

    **Returns:** a tuple of arrays with one row a point, cheapest to compare first.
    """
    norms, entries, values = [], [np.sort(np.abs(x), axis=1) for x in form.shared()], []
    for layer, group in enumerate(form.layers):
        parts = form.parts(layer)
        labels = np.unique(form.alike(layer).any(axis=0).argmax(axis=1), return_inverse=True)[1]
        rows = np.concatenate([part.values for part in parts], axis=2)
        norms.append(_sorted_by_label(labels, np.linalg.norm(rows, axis=2)))
        for part in parts:
            if not part.shared:
                signed = group.flips is None or part.flip > 0
                columns = _sorted_by_label(labels, part.values if signed else np.abs(part.values))
                entries.append(columns.reshape(len(columns), -1))
                values.append(np.linalg.svd(part.values, compute_uv=False))
    rest = form.rest()
    joined = [*norms, np.concatenate([np.zeros((len(rest), 0)), *entries], axis=1)]
    if values:
        joined.append(np.concatenate(values, axis=1))
    return tuple(np.concatenate([vector, rest], axis=1) for vector in joined)


def _sorted_by_label(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sort along axis 1 among equal labels, for each index of the further axes separately."""
    classes = [values[:, labels == label] for label in range(labels.max(initial=-1) + 1)]
    return np.concatenate([np.sort(part, axis=1) for part in classes], axis=1)


def distance_bounds(
    vectors: Invariants, point: int, others: np.ndarray
) -> Float[np.ndarray, " others"]:
    """Compute lower bounds of the distances from one point to the orbits of others."""
    return np.max([np.linalg.norm(v[others] - v[point], axis=1) for v in vectors], axis=0)


def within(vectors: Invariants, point: int, others: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Select those of `others` whose distance bound does not exceed their `reach`."""
    for v in vectors:
        near = np.linalg.norm(v[others] - v[point], axis=1) <= reach
        others, reach = others[near], reach[near]
    return others
