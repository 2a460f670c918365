"""Non-differentiable local minima: those at which a neuron lies on the hyperplanes of samples."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq_mat

from landscape_jax.exact.directions import dot
from landscape_jax.exact.rationals import nearest, squares
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.theory.cells.fans import FaceProblem, Fan, face_problem, stays
from landscape_jax.theory.cells.stationary import FaceMinimum, face_minima, placed

_Multipliers = dict[int, float]


class KinkMinimum(NamedTuple):
    """A local minimum (z, w) on kinks, strictly inside its faces.

    - `network`: w as W₁, (K, d), and z as W₂, (1, K), without biases: `R` rounded, with |z_j| =
      ‖w_j‖ where w_j ≠ 0, so w_j·xᵢ at a kink is off 0 by rounding.
    - `loss`: (1/N) Σ (q(xᵢ) − yᵢ)² of R, rounded once.
    - `unique`: whether R is the only one of these faces; else the minima form a continuum.
    - `differentiable`: whether the loss is nevertheless differentiable there.
    - `signs`: of the z_j.
    - `kinks`: for each neuron the samples on whose hyperplanes it lies.
    - `multipliers`: for each neuron on kinks, where z_j ≠ 0, its λᵢ ∈ [0, 1] of these samples with
      Σ_{w_j·xₙ > 0} eₙxₙ + Σᵢ λᵢ eᵢxᵢ = 0 and z_j eᵢ ≥ 0, 0 where eᵢ = 0; empty where these samples
      are dependent: then the slopes on all rays around prove it (see `Fan`).
    - `sharp`: whether the loss rises to first order in all directions out of the kinks, as theorem
      3 has it: 0 < λᵢ < 1.  Else the minimum may be at the end of a continuum of others, as at the
      edge of a set where a neuron is dead.
    - `radius`: no network with each w_j and each z_j moved by less has a lower loss.
    - `margin`: minᵢⱼ |w_j·xᵢ| / (‖w_j‖‖xᵢ‖) over the other samples.
    - `R`: the R_j = z_j w_j, (K, d), in rational numbers, for which all is proven.
    """

    network: TwoLayer
    loss: float
    unique: bool
    differentiable: bool
    signs: tuple[int, ...]
    kinks: tuple[tuple[int, ...], ...]
    multipliers: tuple[_Multipliers, ...]
    sharp: bool
    radius: float
    margin: float
    R: fmpq_mat


@explained
def nondifferentiable_minima(
    x: Any, y: Any, width: int, *, limit: int = 1_000_000
) -> Iterator[KinkMinimum]:
    """List one non-differentiable local minimum of each face combination that has some.

    A neuron on kinks has no descent if the one-sided slopes around it are ≥ 0, which `face_minima`
    proves.  With one neuron m on the hyperplane of one sample xₙ, and all others in
    cells, it is theorem 3: g = Σ_{w_m·xᵢ > 0} eᵢxᵢ is −λ eₙxₙ with 0 < λ < 1 and z_m eₙ > 0.
    Here any neurons lie on any kinks, also with w_j = 0, and λ may be 0 or 1.

    Corrections to the paper:

    - Theorem 3 asks for a solution "for any m": one m that lies on a sample is meant.
    - Its (19) has the sum Σ_k (I_{nk} R_k·xₙ − yₙ), with yₙ K times; (D.5) has it right.
    - Its strict (18) and (19), and the directions of lemma 2, leave out minima where the gradient
      on one side is 0: x = 1, y = −1, z = 1, w = 0 has L = (1 + [w]₊)², which is flat for w < 0.
    - Lemma 2 considers w_m alone.  Other weights may have a descent, and on several kinks gradients
      are not along one xₙ.
    - z_m = 0 on a kink is no non-differentiable point: L is differentiable there, as
      δz [(w + δw)·xₙ]₊ is of second order.  If it is a minimum, so are points beside the kink.

    Kink points where the residual eᵢ vanishes are differentiable and are not listed: many solutions
    of loss 0, for example, are on kinks.  `landscape` lists one of each loss.

    **Arguments:** `x`, (N, d), a bias as a column of ones, and `y`, (N,), numbers as in
    `exact_samples`; `width`, the number K of neurons; `limit`, the largest number of face
    combinations that is accepted.

    **Returns:** an iterator of `KinkMinimum`, in the order of the faces.

    **Raises:** `ValueError` with the number if there may be more combinations; else like
    `landscape`.

    Source: LIU, lemma 2, theorem 3, appendix D.

    ```python
    >>> x, y = [[1, 0], [0, 1], [1, 1]], [-1, 0, 1]
    >>> [(m.kinks, m.multipliers, m.sharp) for m in nondifferentiable_minima(x, y, 1)]
    [(((0,),), ({0: 0.5},), True), (((0,),), ({0: 0.0},), False), (((2,),), ({2: 0.0},), False)]

    ```
    """
    given = face_problem(x, y, width, limit=limit)
    found = face_minima(given, range(len(given.fans)), width, kinked=True)
    return (kink_minimum(given, minimum) for minimum in found)


def kink_minimum(given: FaceProblem, found: FaceMinimum) -> KinkMinimum:
    """Return the network of a minimum on kinks, with the multipliers that prove it."""
    fans = [given.fans[at] for at in found.chosen]
    network, radius, margin = placed(given, found.chosen, found.signs, found.R, {})
    kinks = tuple(tuple(np.flatnonzero(fan.zero).tolist()) for fan in fans)
    may = [stays(fan, found.errors) for fan in fans]
    return KinkMinimum(
        network=network,
        loss=nearest(squares(found.errors) / len(given.rows)),
        unique=found.unique,
        differentiable=not found.kinked,
        signs=found.signs,
        kinks=kinks,
        multipliers=tuple(_multipliers(given, fan, found.errors) for fan in fans),
        sharp=all(m.sharp for m in may),
        radius=radius,
        margin=margin,
        R=found.R,
    )


def _multipliers(given: FaceProblem, fan: Fan, errors: fmpq_mat) -> _Multipliers:
    """Return λᵢ = h(−r)/(h(r) + h(−r)) for the ray r dual to xᵢ, if the kinks are independent."""
    at = np.flatnonzero(fan.zero).tolist()
    if len(fan.rays) != 2 * len(at) or len(at) != len(given.rows[0]) - fan.basis.ncols():
        return {}
    heights = (fan.slopes * errors).entries() if at else []
    found = {}
    for r, ray in enumerate(fan.rays):
        products = [dot(given.rows[i], ray) for i in at]
        i = next((i for i, t in zip(at, products, strict=True) if t > 0), None)
        if i is not None:
            total = heights[r] + heights[r ^ 1]
            found[i] = nearest(heights[r ^ 1] / total) if total != 0 else 0.0
    return dict(sorted(found.items()))
