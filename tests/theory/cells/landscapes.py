"""Data and checks shared by the tests of the landscape."""

import jax
import numpy as np

import landscape_jax as lj
from landscape_jax.critical import lowest_nearby

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


def listing(found):
    """The entries of a landscape that do not depend on the coordinates of the inputs."""
    kinds = found.differentiable_minima, found.saddles
    on_kinks = *found.nondifferentiable_minima, *found.smooth_kinks
    return (
        (found.cells, found.faces, found.global_loss),
        [[(p.loss, p.signs, p.unique) for p in points] for points in kinds],
        [s.moving for s in found.saddles],
        [(p.loss, p.signs, p.unique, p.kinks, p.multipliers, p.sharp) for p in on_kinks],
    )


def parts(network):
    return np.asarray(network.W1), np.asarray(network.W2)[0]


def rounding(x, network):
    """A bound of the rounding of a value: outputs are sums of z_j w_j·x that may cancel."""
    w, z = parts(network)
    terms = np.sum(np.abs(z) * np.linalg.norm(w, axis=1)) * np.linalg.norm(x, axis=1).max()
    return float(8 * np.finfo(float).eps * max(1, terms))


def survives(x, y, minimum):
    """None of 10,000 perturbations within the radius has a lower loss, in one jitted call."""
    reach = minimum.radius if np.isfinite(minimum.radius) else 1.0
    near = lowest_nearby(
        lj.EmpiricalRisk(x, y), minimum.network, radius=reach * (1 - 1e-9), key=jax.random.key(1)
    )
    assert near.tried == 10_000
    off = rounding(x, minimum.network)
    off *= 2 * near.value**0.5 + off
    assert abs(near.value - minimum.loss) <= off
    assert near.lowest >= near.value - off


def all_survive(x, y, minima, count=2_000):
    """No perturbation has a lower loss: random ones, half of them followed by a gradient step."""
    rng = np.random.default_rng(1)
    for minimum in minima:
        w, z = parts(minimum.network)
        flat = np.concatenate([w.ravel(), z])
        reach = minimum.radius if np.isfinite(minimum.radius) else 1.0
        steps = rng.normal(size=(count, len(flat)))
        lengths = reach * 10 ** rng.uniform(-3, 0, size=(count, 1))
        steps *= lengths / np.linalg.norm(steps, axis=1, keepdims=True)
        gradients = _values_and_gradients(x, y, z.size, flat + steps / 2)[1]
        sizes = np.linalg.norm(gradients, axis=1, keepdims=True)
        downhill = steps / 2 - 0.5 * lengths * gradients / np.where(sizes > 0, sizes, 1)
        steps[::2] = downhill[::2]
        value = _values_and_gradients(x, y, z.size, flat[None])[0][0]
        lowest = np.min(_values_and_gradients(x, y, z.size, flat + steps * (1 - 1e-9))[0])
        off = rounding(x, minimum.network)
        off *= 2 * value**0.5 + off
        assert abs(value - minimum.loss) <= off
        assert lowest >= value - off


def _values_and_gradients(x, y, width, flat):
    """The values and gradients of many networks, from their formulas."""
    z = flat[:, -width:]
    w = flat[:, :-width].reshape(len(flat), width, -1)
    heights = np.maximum(w @ x.T, 0)
    e = np.einsum("pk,pkn->pn", z, heights) - y
    dw = np.einsum("pn,pkn,pk,nd->pkd", e, heights > 0, z, x, optimize=True)
    dz = np.einsum("pn,pkn->pk", e, heights)
    return np.mean(e**2, axis=1), np.concatenate([dw.reshape(len(flat), -1), dz], axis=1)
