"""What the tests of a landscape's points share: data, and points that must survive or be left."""

import jax
import numpy as np

import landscape_jax as lj
from landscape_jax.theory import lowest_nearby

SHAPES = [(7, 3, 1), (7, 2, 2), (6, 2, 3), (4, 2, 3), (5, 3, 2)]
# Data on which samples are dependent, or nothing.
DEGENERATE = {
    "duplicates": ([[1, 2], [1, 2], [0, 1]], [1, 2, 3]),
    "opposite": ([[1, 2], [-1, -2], [0, 1]], [1, 2, -1]),
    "zero rows": ([[0, 0], [1, 0], [1, 1]], [3, 1, -1]),
    "only zero rows": ([[0, 0], [0, 0]], [1, 2]),
    "collinear": ([[1, 1], [2, 2], [-1, -1]], [1, 2, 3]),
    "one input": ([[1], [-1], [2]], [1, -1, 1]),
    "labels 0": ([[1, 0], [0, 1]], [0, 0]),
    "a line with a bias": ([[0, 1], [1, 1], [2, 1], [3, 1]], [0, 1, 0, 1]),
    "dependent in space": ([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1]], [1, -1, 1, 2]),
}


def draw(seed, n, d):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=n)


def parts(network):
    return np.asarray(network.W1), np.asarray(network.W2)[0]


def rounding(x, network):
    """How much a value may be off: predictions are sums of z_j w_j·x that may cancel."""
    w, z = parts(network)
    terms = np.sum(np.abs(z) * np.linalg.norm(w, axis=1)) * np.linalg.norm(x, axis=1).max()
    return 8 * np.finfo(float).eps * max(1, terms)


def survives(x, y, minimum, count=10_000):
    """No perturbation within the radius is lower than the minimum but for rounding."""
    reach = minimum.radius if np.isfinite(minimum.radius) else 1.0
    near = lowest_nearby(
        lj.EmpiricalRisk(x, y),
        minimum.network,
        radius=reach * (1 - 1e-9),
        count=count,
        key=jax.random.key(1),
    )
    off = rounding(x, minimum.network)
    off = off * (2 * near.value**0.5 + off)
    assert abs(near.value - minimum.loss) <= off
    assert near.lowest >= near.value - off
