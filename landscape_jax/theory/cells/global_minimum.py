"""The global minimum alone, proven, by branch and bound over the cells of each neuron."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Float

from landscape_jax.exact.rationals import matrix, nearest, rational, squares
from landscape_jax.exact.samples import exact_rows
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.precision import require_float64
from landscape_jax.progress import Progress
from landscape_jax.theory.cells.arrangement import about
from landscape_jax.theory.cells.branch_and_bound import BranchAndBound, Node, Region
from landscape_jax.theory.cells.ray_fit import ConeFit, fit_errors
from landscape_jax.theory.cells.rays import Rays, all_rays, ray_bound
from landscape_jax.theory.cells.relaxation import Relaxed, exact_residual

# As many neurons are taken on, whatever the number of samples.
_WIDEST = 100
# The most outputs on all rays: they take some hundred bytes each.
_MOST_OUTPUTS = 3_000_000


class SearchTree:
    """The regions that the search has bounded, with what bounds each."""

    def __init__(self, rays: Rays, roots: list[Node]) -> None:
        self.rays, self.roots = rays, roots

    def __repr__(self) -> str:
        return f"SearchTree({len(self.nodes())} nodes)"

    def nodes(self) -> list[Node]:
        """List all nodes in preorder."""
        found, waiting = [], list(reversed(self.roots))
        while waiting:
            node = waiting.pop()
            found.append(node)
            waiting += reversed(node.parts)
        return found

    def errors(self, proof: Relaxed | ConeFit | None) -> fmpq_mat:
        """Return the dual point that a proof rests on, a column: 0 for the bound 0."""
        if proof is None:
            return fmpq_mat(self.rays.labels.nrows(), 1)
        if isinstance(proof, ConeFit):
            return fit_errors(self.rays, proof.weights)
        errors = exact_residual(self.rays, proof)
        assert errors is not None, "only bounds that hold are proofs."
        return errors


class GlobalMinimum(NamedTuple):
    """A network of the least loss (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)², or the best one found.

    - `network`: w as W₁, (K, d), and z as W₂, (1, K), without biases: `R` rounded, with |z_j| about
      ‖w_j‖; a neuron that is not needed has z_j = 0 and w_j = 0.
    - `loss`: of R, rounded once; `exact_loss`: as a rational number; `rounded_loss`: of `network`,
      exactly, which is far from it if the outputs are small differences of large numbers.
    - `lower`: no network has a smaller loss; `proven`: whether none is below `exact_loss`.
    - `signs`: of the z_j; `kinks`: for each neuron with z_j ≠ 0 the samples on whose hyperplanes
      it lies.
    - `R`: the R_j = z_j w_j, (K, d), in rational numbers.
    - `regions`: how many parts of the cell combinations have been bounded.
    - `tree`: these parts, for `bound_claim`.
    """

    network: TwoLayer
    loss: float
    exact_loss: fmpq
    rounded_loss: float
    lower: float
    proven: bool
    signs: tuple[int, ...]
    kinks: tuple[tuple[int, ...], ...]
    R: fmpq_mat
    regions: int
    tree: SearchTree


@explained
def global_minimum(
    x: Any,
    y: Any,
    width: int,
    *,
    limit: int = 1_000_000,
    progress: Progress | None = None,
) -> GlobalMinimum:
    """Find a network of the least loss L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)², and prove it.

    The minimum is attained on some combination of closed cells (see `landscape`).  A region is a
    sign of each z_j and a convex cone of cells for each w_j, the whole space at first; neurons of
    one sign are interchangeable, so that only the number of positive ones matters.

    1. The least squares over the convex hull of a region's outputs is a bound for all its networks
       (see `relaxation`).  Regions whose bound is not below the best loss so far are pruned.
    2. Each point of the hull suggests weights; their activation patterns are refitted as long as
       the loss falls, and the best cell combination is solved in rational numbers (`cone_fit`).
    3. The region of the least bound is split, at the hyperplane of the sample at which the hull is
       farthest from the outputs of neurons with those weights.  Neurons that have the same sign and
       cells are split together: only how many of them are on each side matters.
    4. A region of one cell for each neuron is solved in rational numbers.  Bounds close to the best
       loss are compared in these too: what is proven holds exactly, without any tolerance.

    Nothing depends on the inputs' coordinates: only outputs along rays enter.

    **Arguments:** `x`, (N, d), a bias as a column of ones, and `y`, (N,), numbers as in
    `exact_samples`; `width`, the number K of neurons; `limit`, how many regions may be bounded
    before the best network is returned with the lower bound proven so far; `progress`, called with
    the numbers of bounded and of open regions.

    **Returns:** a `GlobalMinimum`.

    **Raises:** `ValueError` with the number if there may be too many rays (3,000,000 over the
    number of samples, see `ray_bound`), if width < 1 or limit < 1, if the width is more than 100
    and more than N, which no minimum needs, if weights or the loss are
    beyond float64, and if float64 is off; else like `exact_samples`.

    Source: Land & Doig 1960 (branch and bound); Pilanci & Ergen 2020, theorem 1 (convex hull);
    LIU, section 4 (the problem).

    ```python
    >>> found = global_minimum([[-1, 1], [0, 1], [1, 1]], [1, 0, 1], 1)
    >>> found.proven, found.exact_loss, found.R, found.kinks
    (True, 2/9, [0, 2/3], ((),))
    >>> global_minimum([[-1, 1], [0, 1], [1, 1]], [1, 0, 1], 2).exact_loss
    0

    ```
    """
    require_float64("the global minimum")
    if width < 1 or limit < 1:
        raise ValueError(f"width and limit are {width} and {limit}; both must be at least 1")
    rows, _ = exact_rows(x, y)
    # A sum of more vectors of N predictions, each of a neuron, is one of N of them, scaled.
    if width > max(_WIDEST, len(rows)):
        raise ValueError(
            f"width is {width}; {len(rows)} neurons, as many as samples, have the same minimum: "
            f"give at most {max(_WIDEST, len(rows))}"
        )
    bound = ray_bound(x)
    if bound * len(rows) > _MOST_OUTPUTS:
        raise ValueError(
            f"the samples may have {about(bound)} rays; {_MOST_OUTPUTS} outputs on rays are taken "
            f"on, {_MOST_OUTPUTS // len(rows)} rays of {len(rows)} samples: give fewer samples or "
            "inputs"
        )
    search = BranchAndBound(all_rays(x, y), width, limit, progress)
    search.run()
    return _result(rows, search)


def _result(rows: list[list[fmpq]], search: BranchAndBound) -> GlobalMinimum:
    best, rays, samples = search.best, search.rays, len(rows)
    R = [[fmpq(0)] * len(rows[0]) for _ in best.region.signs]
    for (sign, kind), weight in best.fit.weights.items():
        j, place = _user(rays, best.region, sign, kind)
        R[j] = [t + sign * weight * s for t, s in zip(R[j], rays.weights[place], strict=True)]
    signs = tuple(
        sign if any(t != 0 for t in row) else 0
        for sign, row in zip(best.region.signs, R, strict=True)
    )
    heights = (fmpq_mat(rows) * fmpq_mat(R).transpose()).transpose().tolist()
    there = [any(t != 0 for t in row) for row in rows]
    kinks = tuple(
        tuple(i for i, h in enumerate(own) if sign and there[i] and h == 0)
        for sign, own in zip(signs, heights, strict=True)
    )
    loss = best.fit.square / samples
    left = search.lower()
    lower = _float(loss)
    if left < math.inf:
        unit = fmpq(4) ** rays.exponent / samples
        lower = min(lower, math.nextafter(nearest(rational(left) * unit), 0))
    w, z = _rounded(R, signs)
    return GlobalMinimum(
        network=TwoLayer(jnp.asarray(w), jnp.asarray(z)),
        loss=_float(loss),
        exact_loss=loss,
        rounded_loss=_float(_loss(rows, rays.labels, matrix(w), matrix(z))),
        lower=lower,
        proven=left == math.inf,
        signs=signs,
        kinks=kinks,
        R=fmpq_mat(R),
        regions=search.regions,
        tree=SearchTree(rays, search.roots),
    )


def _user(rays: Rays, region: Region, sign: int, kind: int) -> tuple[int, int]:
    """Return the first neuron of a sign that has a ray of a kind, and the ray."""
    return next(
        (j, int(places[0]))
        for j, (own, cells) in enumerate(zip(region.signs, region.cells, strict=True))
        if own == sign and len(places := np.flatnonzero(cells & (rays.kind == kind)))
    )


def _rounded(
    R: list[list[fmpq]], signs: tuple[int, ...]
) -> tuple[Float[np.ndarray, "neurons inputs"], Float[np.ndarray, "1 neurons"]]:
    """Return w_j = ±R_j/s and z_j = ±s, s a power of two near √maxₖ|R_jk|."""
    w, z = [], []
    for row, sign in zip(R, signs, strict=True):
        top = max(abs(t) for t in row)
        half = (int(top.p).bit_length() - int(top.q).bit_length()) // 2
        scale = fmpq(2) ** half
        w.append([_float(sign * t / scale) for t in row])
        z.append(_float(sign * scale))
    return np.array(w), np.array([z])


def _loss(rows: list[list[fmpq]], labels: fmpq_mat, w: fmpq_mat, z: fmpq_mat) -> fmpq:
    """Compute the loss of a network, exactly."""
    heights = fmpq_mat(rows) * w.transpose()
    above = [[max(t, fmpq(0)) for t in row] for row in heights.tolist()]
    return squares(fmpq_mat(above) * z.transpose() - labels) / len(rows)


def _float(number: fmpq) -> float:
    """Round to float64.

    **Raises:** `ValueError` if that overflows or underflows.
    """
    size = abs(number)
    if size != 0 and not fmpq(2) ** -1022 <= size < fmpq(2) ** 1023:
        raise ValueError("the least loss or its weights are beyond float64; scale x or y")
    return nearest(number)
