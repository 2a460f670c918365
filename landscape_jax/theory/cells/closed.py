"""Least squares over closed cells: each neuron's weights in the closure of its cell."""

import itertools
import math

import numpy as np
from jaxtyping import Float
from scipy.optimize import nnls

# Relative to unit rows and vectors: below it they are orthogonal.  Rounding is about 1e-15.
_ZERO = 1e-12
# The weight of the distance from the start, relative to the samples, and the most rounds.
_NEAR = 1e-3
_MOST_ROUNDS = 100
_MOST_RAYS = 200_000


class ClosedCells:
    """The closed cells {u: sᵢ u·xᵢ ≥ 0 for all i} of some samples, by their rays.

    In the samples' row space, of dimension r, every closed cell and every face of it is the cone of
    its rays, and each ray is orthogonal to r − 1 independent samples: all C(N, r − 1) sets are
    tried once.

    **Arguments:** `x`, (N, d).

    **Raises:** `ValueError` if there are more than 200,000 sets.

    ```python
    >>> cells = ClosedCells(np.eye(2))
    >>> cells.rays(np.array([1.0, -1.0])).tolist()
    [[0.0, -1.0], [1.0, 0.0]]

    ```
    """

    def __init__(self, x: Float[np.ndarray, "samples inputs"]) -> None:
        self.x = x
        sizes = np.linalg.norm(x, axis=1)
        units = x[sizes > 0] / sizes[sizes > 0, None]
        _, s, Vt = np.linalg.svd(units)
        self.rank = int(np.sum(s > _ZERO * s[0])) if len(s) else 0
        self.basis = Vt[: self.rank]
        self._candidates = _orthogonal(units @ self.basis.T) @ self.basis
        products = self._candidates @ units.T
        self._signs = np.zeros((len(self._candidates), len(x)))
        self._signs[:, sizes > 0] = np.where(np.abs(products) > _ZERO, np.sign(products), 0)
        self._rays: dict[bytes, np.ndarray] = {}

    def rays(self, sides: Float[np.ndarray, " samples"]) -> Float[np.ndarray, "rays inputs"]:
        """Return the unit rays of {u: sᵢ u·xᵢ ≥ 0} in the row space; `sides` are the sᵢ = ±1."""
        key = sides.tobytes()
        if key not in self._rays:
            self._rays[key] = self._candidates[np.all(self._signs * sides >= 0, axis=1)]
        return self._rays[key]

    def table(
        self, signs: Float[np.ndarray, " neurons"], sides: Float[np.ndarray, "neurons samples"]
    ) -> Float[np.ndarray, "samples columns"]:
        """Return the matrix A with Au = Σ_j σ_j [u_j·xᵢ]₊ for u_j in the closed cells."""
        on = signs[:, None] * (sides > 0)
        return (on.T[:, :, None] * self.x[:, None, :]).reshape(len(self.x), -1)

    def unique(
        self, signs: Float[np.ndarray, " neurons"], sides: Float[np.ndarray, "neurons samples"]
    ) -> bool:
        """Check whether A determines u on the row space."""
        blocks = len(self.x), len(signs), self.x.shape[1]
        table = self.table(signs, sides).reshape(blocks) @ self.basis.T
        s = np.linalg.svd(table.reshape(len(self.x), -1), compute_uv=False)
        return len(s) == len(signs) * self.rank and bool(np.all(s > _ZERO * s[:1]))

    def nearest_minimum(
        self,
        y: Float[np.ndarray, " samples"],
        signs: Float[np.ndarray, " neurons"],
        sides: Float[np.ndarray, "neurons samples"],
        u: Float[np.ndarray, "neurons inputs"],
    ) -> Float[np.ndarray, "neurons inputs"] | None:
        """Minimise ‖Au − y‖² over the closed cells, near a point of them.

        Over u = Σ cₖ rₖ, c ≥ 0, with the cells' rays rₖ, by non-negative least squares of
        ‖Au − y‖² + ε²‖u − u₀‖², beginning at u₀; then the plain least squares of the rays in use,
        which removes ε.  It is a minimum if c ≥ 0 and the loss falls along no ray:
        (Ar)·(Au − y) ≥ 0; else the next round begins there.

        **Arguments:** `y`; the neurons' `signs` ±1; `sides` ±1 of each sample; `u`, the point.

        **Returns:** u, exact to rounding; None if 100 rounds do not find it.
        """
        neurons, inputs = u.shape
        cones = [self.rays(row) for row in sides]
        B = np.zeros((neurons * inputs, sum(len(cone) for cone in cones)))
        at = 0
        for j, cone in enumerate(cones):
            B[j * inputs : (j + 1) * inputs, at : at + len(cone)] = cone.T
            at += len(cone)
        if not B.size:
            return u
        A = self.table(signs, sides)
        outputs = A @ B
        size = float(np.linalg.norm(A)) or 1.0
        level = _ZERO * size * float(np.linalg.norm(y) + size * np.linalg.norm(u))
        inside = u @ self.basis.T @ self.basis
        here = inside.ravel()
        for _ in range(_MOST_ROUNDS):
            stacked = np.vstack([outputs, _NEAR * size * B])
            c = nnls(stacked, np.concatenate([y, _NEAR * size * here]))[0]
            used = c > 0
            exact = c.copy()
            exact[used] += np.linalg.lstsq(outputs[:, used], y - outputs @ c)[0]
            if np.all(exact >= 0) and np.all(outputs.T @ (outputs @ exact - y) >= -level):
                return u - inside + (B @ exact).reshape(u.shape)
            here = B @ c
        return None


def _orthogonal(units: Float[np.ndarray, "rows rank"]) -> Float[np.ndarray, "rays rank"]:
    """Return all distinct unit vectors that are orthogonal to rank − 1 independent rows."""
    count, rank = units.shape
    if rank == 0:
        return np.zeros((0, 0))
    if rank == 1:
        return np.array([[1.0], [-1.0]])
    if math.comb(count, rank - 1) > _MOST_RAYS:
        raise ValueError(
            f"x has {math.comb(count, rank - 1)} sets of {rank - 1} samples, more than "
            f"{_MOST_RAYS}: too many rays; give fewer samples"
        )
    chosen = np.array(list(itertools.combinations(range(count), rank - 1)))
    _, s, Vt = np.linalg.svd(units[chosen])
    found = Vt[s[:, -1] > _ZERO, -1]
    rounded = np.round(found * np.sign(found[np.arange(len(found)), _leading(found)])[:, None], 9)
    found = found[np.unique(rounded + 0.0, axis=0, return_index=True)[1]]
    return np.concatenate([found, -found])


def _leading(vectors: Float[np.ndarray, "rays rank"]) -> np.ndarray:
    """Return the index of each vector's first entry that is not 0."""
    return np.argmax(np.abs(vectors) > 1e-9, axis=1)
