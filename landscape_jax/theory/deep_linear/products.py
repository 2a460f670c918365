"""The products of neighbouring layers of a deep linear network, and their ranks."""

from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, PyTree

from landscape_jax.networks import DeepLinear

Matrix = Float[np.ndarray, "_ _"]


class Chain(NamedTuple):
    """The weights W₁, …, W_L of a deep linear network in float64, and W_{i:j} = Wᵢ ⋯ Wⱼ.

    As in YSJ19, W_{j−1:j} is the identity.
    """

    weights: tuple[Matrix, ...]

    @property
    def depth(self) -> int:
        """L, the number of weight matrices."""
        return len(self.weights)

    @property
    def outputs(self) -> int:
        """The outputs d_y."""
        return len(self.weights[-1])

    @property
    def inputs(self) -> int:
        """The inputs d_x."""
        return self.weights[0].shape[1]

    @property
    def mirrored(self) -> "Chain":
        """The chain of the transposed product: Wⱼᵀ is its layer L + 1 − j."""
        return Chain(tuple(weight.T for weight in reversed(self.weights)))

    def product(self, i: int, j: int) -> Matrix:
        """Compute W_{i:j}."""
        if i < j:
            return np.eye(self.weights[j - 1].shape[1] if j <= self.depth else self.outputs)
        return reduce(np.matmul, reversed(self.weights[j - 1 : i]))

    def norm(self, i: int, j: int) -> float:
        """Compute ‖Wᵢ‖ ⋯ ‖Wⱼ‖ in spectral norms, an upper bound on ‖W_{i:j}‖."""
        return float(np.prod([np.linalg.norm(weight, 2) for weight in self.weights[j - 1 : i]]))

    def rank(self, i: int, j: int, tolerance: float) -> int:
        """Count the singular values of W_{i:j} above the tolerance times ‖Wᵢ‖ ⋯ ‖Wⱼ‖.

        As σ(AB) ≤ ‖A‖ σ(B), this numerical rank never increases with more factors.
        """
        found = self.product(i, j)
        if i < j:
            return len(found)
        sizes = np.linalg.svd(found, compute_uv=False)
        return int((sizes > tolerance * self.norm(i, j)).sum())

    def gradients(self, slope: Matrix) -> tuple[Matrix, ...]:
        """Compute ∂ℓ/∂Wⱼ = W_{L:j+1}ᵀ G W_{j−1:1}ᵀ for each layer, with G = ∇ℓ₀(W_{L:1})."""
        layers = range(1, self.depth + 1)
        return tuple(
            self.product(self.depth, j + 1).T @ slope @ self.product(j - 1, 1).T for j in layers
        )


def read_chain(network: PyTree) -> Chain:
    """Return the weights of a deep linear network wide enough for theorem 4 of YSJ19.

    **Raises:** `TypeError` if `network` is not a `DeepLinear`; `ValueError` if a hidden layer is
    narrower than both the inputs and the outputs, or a weight is not finite.
    """
    if not isinstance(network, DeepLinear):
        raise TypeError(f"network is a {type(network).__name__}; give a DeepLinear")
    chain = Chain(tuple(np.asarray(weight, np.float64) for weight in network.weights))
    if not all(np.isfinite(weight).all() for weight in chain.weights):
        raise ValueError("network has weights that are not finite")
    least = min(chain.inputs, chain.outputs)
    for j, (weight, _) in enumerate(pairwise(chain.weights), start=1):
        if len(weight) < least:
            raise ValueError(
                f"hidden layer {j} has width {len(weight)}; the theorem requires at least "
                f"min(inputs, outputs) = {least}"
            )
    return chain
