"""Critical points of deep linear networks with prescribed ranks, exact in float64."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import landscape_jax as lj

# Widths of input, hidden layers and output, of each side and depth; as wide as the theorem needs
# and wider.
SHAPES = {
    ("d_x > d_y", 2): [(3, 2, 2), (3, 3, 2)],
    ("d_x > d_y", 3): [(3, 2, 2, 2), (3, 4, 3, 2)],
    ("d_x > d_y", 4): [(3, 2, 2, 2, 2), (3, 2, 4, 3, 2)],
    ("d_x > d_y", 5): [(3, 2, 2, 2, 2, 2), (3, 2, 3, 3, 2, 2)],
    ("d_x = d_y", 2): [(2, 2, 2)],
    ("d_x = d_y", 3): [(2, 3, 2, 2)],
    ("d_x = d_y", 4): [(2, 2, 3, 2, 2)],
    ("d_x = d_y", 5): [(2, 2, 3, 2, 2, 2)],
    ("d_x < d_y", 2): [(2, 2, 3), (2, 3, 3)],
    ("d_x < d_y", 3): [(2, 2, 2, 3), (2, 3, 4, 3)],
    ("d_x < d_y", 4): [(2, 2, 2, 2, 3), (2, 3, 4, 2, 3)],
    ("d_x < d_y", 5): [(2, 2, 2, 2, 2, 3), (2, 3, 2, 2, 3, 3)],
}
# A power of two: the mean over the samples is exact.
SAMPLES = 8


class Critical(NamedTuple):
    """Weights, the slope G of ℓ₀ at their product, and that product."""

    weights: list[np.ndarray]
    slope: np.ndarray

    @property
    def network(self) -> lj.DeepLinear:
        return lj.DeepLinear([jnp.asarray(weight) for weight in self.weights])

    @property
    def product(self) -> np.ndarray:
        found = self.weights[0]
        for weight in self.weights[1:]:
            found = weight @ found
        return found

    def squared(self) -> lj.EmpiricalRisk:
        """The squared loss with this slope: of samples eᵢ, and y = (M − N/2 G)ᵀ for them."""
        inputs, outputs = len(self.weights[0].T), len(self.weights[-1])
        x, y = np.zeros((SAMPLES, inputs)), np.zeros((SAMPLES, outputs))
        x[:inputs] = np.eye(inputs)
        y[:inputs] = (self.product - SAMPLES / 2 * self.slope).T
        return lj.EmpiricalRisk(jnp.asarray(x), jnp.asarray(y))

    def log_cosh(self) -> Callable:
        """Σ log cosh(R − Y) with this slope, of entries below 1."""
        target = jnp.asarray(self.product - np.arctanh(self.slope))
        return lambda R: jnp.sum(jnp.logaddexp(R - target, target - R))


def draw(shape: tuple[int, ...], seed: int, *, steep: bool = True, basis="integer") -> Critical:
    """Draw layers that are diagonal in some bases, with random zeros, and a slope G that fits.

    G has entries (p, q) only where for every layer j the p-th row of W_{L:j+1} or the q-th column
    of W_{j−1:1} vanishes, so that all W_{L:j+1}ᵀ G W_{j−1:1}ᵀ do; without `steep` it is zero.
    `basis`: of integers with integer inverses, so that all is exact, or orthogonal.
    """
    rng = np.random.default_rng([seed, *shape])
    depth = len(shape) - 1
    alive = np.zeros((depth, max(shape)), bool)
    weights = []
    for j, (rows, columns) in enumerate(zip(shape[1:], shape[:-1], strict=True)):
        size = min(rows, columns)
        alive[j, :size] = rng.random(size) < rng.choice([0.4, 0.8])
        weight = np.zeros((rows, columns))
        weight[:size, :size] = np.diag(alive[j, :size] * rng.choice([-1.0, 1.0, 2.0], size))
        weights.append(weight)
    slope = np.zeros((shape[-1], shape[0]))
    for p in range(shape[-1]):
        for q in range(shape[0]):
            layers = range(depth)
            open_above = [alive[j + 1 :, p].all() for j in layers]
            open_below = [alive[:j, q].all() for j in layers]
            if steep and not any(a and b for a, b in zip(open_above, open_below, strict=True)):
                slope[p, q] = rng.choice([-0.5, -0.25, 0.25, 0.5])
    bases = [(_integer if basis == "integer" else _orthogonal)(size, rng) for size in shape]
    inverses = [np.round(np.linalg.inv(T)) if basis == "integer" else T.T for T in bases]
    pairs = zip(weights, bases[1:], inverses[:-1], strict=True)
    return Critical([T @ W @ S for W, T, S in pairs], inverses[-1].T @ slope @ bases[0].T)


def _integer(size: int, rng: np.random.Generator) -> np.ndarray:
    """A product of two elementary matrices, ± permuted."""
    T = np.eye(size)[rng.permutation(size)]
    for _ in range(min(size, 2) if size > 1 else 0):
        i, j = rng.choice(size, 2, replace=False)
        T[i] += rng.choice([-1.0, 1.0]) * T[j]
    return T


def _orthogonal(size: int, rng: np.random.Generator) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((size, size)))[0]
