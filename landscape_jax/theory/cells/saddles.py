"""Saddles: points where all stays but for resting neurons, which can go down and up."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Float

from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.proofs.rationals import (
    nearest,
    nearest_matrix,
    null_space,
    rational,
    squares,
)
from landscape_jax.theory.cells.arrangement import centre, unit
from landscape_jax.theory.cells.fans import Fan, Problem, problem
from landscape_jax.theory.cells.stationary import FaceMinimum, face_minima, placed
from landscape_jax.theory.cells.ways import Way, saddle_ways


class Saddle(NamedTuple):
    """A point with no first-order change down, and others both lower and higher near it.

    - `network`: w as W₁, (K, d), and z as W₂, (1, K), without biases.
    - `loss`: (1/N) Σ (q(xᵢ) − yᵢ)², exact but for rounding once.
    - `unique`: whether the R_j = z_j w_j of the others are; the w_j of `moving` never are.
    - `signs`: of the z_j; `kinks`: for each neuron the samples on whose hyperplanes it lies.
    - `moving`: the neurons with z_j = 0 that can go down and up.
    - `descent`, `ascent`: of one of them.
    - `radius`, `margin`: min |w_j·xᵢ|/‖xᵢ‖ and |w_j·xᵢ|/(‖w_j‖‖xᵢ‖) over the other samples.
    """

    network: TwoLayer
    loss: float
    unique: bool
    signs: tuple[int, ...]
    kinks: tuple[tuple[int, ...], ...]
    moving: tuple[int, ...]
    descent: Way
    ascent: Way
    radius: float
    margin: float


class _Rest(NamedTuple):
    """A face where a neuron may rest with h(w) = 0 and h ≠ 0: the unit w, and the v of largest |h|.

    - `slope`: h(v).
    """

    place: int
    w: Float[np.ndarray, " inputs"]
    v: Float[np.ndarray, " inputs"]
    slope: float


def saddles(
    x: Any, y: Any, width: int, *, kinks: bool = False, limit: int = 1_000_000
) -> Iterator[Saddle]:
    """Give the saddles of all cell combinations: one for each choice of the neurons that can move.

    Some neurons, `moving`, have z_j = 0, and the others are a local minimum without them, with
    errors e.  With h(v) = Σ_{w_j·xᵢ > 0} eᵢ xᵢ·v as in `face_minima`, which in a cell is the
    gradient in R_j, tiny changes δz_j = ta and δw_j = tbv with a² + b² = 1 and ‖v‖ = 1 give

        N ΔL = 2ta h(w_j) + t² (a² Σ_{w_j·xᵢ > 0} (w_j·xᵢ)² + 2ab h(v)) + O(t³).

    So ∂L/∂z_j = 0 asks for h(w_j) = 0: w_j lies in its cell and perpendicular to the gradient.
    Where h ≠ 0 the quadratic form in (a, b) has eigenvalues of both signs, for the v of the largest
    |h|: its eigenvectors are the descent and the ascent.

    What the paper says and does not hold: theorem 2 promises a saddle for all choices of neurons,
    which holds only where appendix C.2 finds them inside their cells.  Neurons with z_j = 0 and
    h = 0, about which it is silent, may be among the others.

    **Arguments:** `x`, (N, d), and `y`, (N,), numbers as in `exact_samples`; `width`, the number K
    of neurons; `kinks`, whether to give instead those with some neuron on kinks: one with z_j ≠ 0
    has σ_j h_j ≥ 0 there; a moving one, z_j = 0, has h(w_j) = 0 with Σ_{w_j·xᵢ = 0} eᵢ [xᵢ·v]₊
    added to h, and L is differentiable in it; `limit`, the largest number of combinations of cells
    (of faces, with kinks) that is taken on.

    **Returns:** an iterator of `Saddle`.  That each is one is proven in rational numbers before it
    is rounded, and `descent` and `ascent` are looked at by the objective.

    **Raises:** `ValueError` with the number where there are more combinations, where width < 1,
    and where float64 is off; else like `exact_samples` and `faces`.

    Source: LIU, theorem 2, appendix C; all cells at once are LIU.8.

    ```python
    >>> saddle = next(saddles([[1, 0], [0, 1]], [1, -1], 1))
    >>> saddle.loss, saddle.network.W1.round(3).tolist(), saddle.network.W2.tolist()
    (1.0, [[0.707, 0.707]], [[0.0]])
    >>> saddle.descent.value < 1 < saddle.ascent.value
    True

    ```
    """
    return all_saddles(problem(x, y, width, kinks=kinks, limit=limit), width, kinks)


def all_saddles(given: Problem, width: int, kinks: bool) -> Iterator[Saddle]:
    """Give the saddles of `saddles`."""
    risk = EmpiricalRisk(given.x, given.y)
    places = range(len(given.fans) if kinks else given.cells)
    for moving in range(1, width + 1):
        for others in face_minima(given, places, width - moving, kinked=False):
            rests = [r for at in places if (r := _rest(given, at, others.errors)) is not None]
            for chosen in itertools.combinations_with_replacement(rests, moving):
                on = [*others.chosen, *(rest.place for rest in chosen)]
                if not kinks or any(at >= given.cells for at in on):
                    yield _saddle(given, risk, others, chosen)


def _rest(given: Problem, place: int, errors: fmpq_mat) -> _Rest | None:
    """Find where on a face a neuron may rest as one that can move; None where it cannot."""
    fan = given.fans[place]
    along = fan.table.transpose() * errors
    around = fan.slopes * errors if fan.rays else fmpq_mat(0, 1)
    flat = all(s == 0 for s in along.entries())
    if flat and all(s == 0 for s in around.entries()):
        return None
    w = fan.face.witness if flat else _perpendicular(fan, along)
    if w is None:
        return None
    # h on the unit rays, and on the gradient within the face's span.
    e = nearest_matrix(errors)[:, 0]
    ways = [unit(ray) for ray in fan.rays]
    slopes = [nearest(s) / _length(ray) for s, ray in zip(around.entries(), fan.rays, strict=True)]
    if not flat:
        Q = np.linalg.qr(np.array([unit(b) for b in fan.face.basis]).T)[0]
        gradient = Q @ (Q.T @ (given.x.T @ (e * fan.face.pattern)))
        slopes.append(float(np.linalg.norm(gradient)))
        ways.append(gradient / slopes[-1])
    best = int(np.argmax(np.abs(slopes)))
    return _Rest(place, w, ways[best], slopes[best])


def _length(ray: tuple[int, ...]) -> float:
    largest = max(abs(t) for t in ray)
    return largest * float(np.linalg.norm([t / largest for t in ray]))


def _perpendicular(fan: Fan, along: fmpq_mat) -> Float[np.ndarray, " inputs"] | None:
    """Give a unit w of the face with h(w) = 0, as deep as is found and proven; None without any."""
    C = null_space(along.transpose())
    if not C.ncols():
        return None
    sides = fan.sides * C
    t = [1.0] + [0.0] * (C.ncols() - 1)
    if sides.nrows():
        table = nearest_matrix(sides)
        sizes = np.linalg.norm(table, axis=1)
        if not np.all(sizes > 0):
            return None
        t = centre(table / sizes[:, None], np.ones(len(table), bool)).tolist()
    inside = fmpq_mat(C.ncols(), 1, [rational(s) for s in t])
    if any(h <= 0 for h in (sides * inside).entries()):
        return None
    w = nearest_matrix(fan.basis * C * inside)[:, 0]
    return w / np.linalg.norm(w)


def _saddle(
    given: Problem, risk: EmpiricalRisk, others: FaceMinimum, chosen: tuple[_Rest, ...]
) -> Saddle:
    inputs = given.x.shape[1]
    fans = [given.fans[at] for at in (*others.chosen, *(rest.place for rest in chosen))]
    signs = (*others.signs, *[0] * len(chosen))
    R = fmpq_mat(len(fans), inputs, others.R.entries() + [fmpq(0)] * (len(chosen) * inputs))
    rests = [fan.face.witness for fan in fans[: len(others.chosen)]] + [r.w for r in chosen]
    network, radius, margin = placed(given, fans, signs, R, rests)
    first = len(others.chosen)
    steepest = max(range(len(chosen)), key=lambda k: abs(chosen[k].slope))
    neuron, rest = first + steepest, chosen[steepest]
    heights = np.maximum(given.x @ np.asarray(network.W1)[neuron], 0)
    heights[fans[neuron].face.zero] = 0
    reach = min(radius, float(np.sqrt(given.scale)))
    down, up = saddle_ways(risk, network, neuron, rest.v, rest.slope, heights, reach)
    return Saddle(
        network=network,
        loss=nearest(squares(others.errors) / len(given.rows)),
        unique=others.unique,
        signs=signs,
        kinks=tuple(tuple(np.flatnonzero(fan.face.zero).tolist()) for fan in fans),
        moving=tuple(range(first, len(fans))),
        descent=down,
        ascent=up,
        radius=radius,
        margin=margin,
    )
