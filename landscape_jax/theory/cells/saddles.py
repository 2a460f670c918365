"""Saddle points: stationary except that a neuron with z_j = 0 can lower or raise the loss."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat
from jaxtyping import Bool, Float, Int

from landscape_jax.exact.coordinates import root, scaled
from landscape_jax.exact.directions import direction
from landscape_jax.exact.rationals import least_squares, nearest, null_space, squares
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.theory.cells.cones import positive_point
from landscape_jax.theory.cells.fans import FaceProblem, Fan, face_problem
from landscape_jax.theory.cells.stationary import FaceMinimum, face_minima, placed, witness
from landscape_jax.theory.cells.ways import Way, saddle_ways

# Faces that are compared with all rays at a time.
_FACES = 1024


class Saddle(NamedTuple):
    """A point without descent to first order, with lower and higher points arbitrarily near.

    - `network`: w as W₁, (K, d), and z as W₂, (1, K), without biases.
    - `loss`: (1/N) Σ (q(xᵢ) − yᵢ)², exact, rounded once.
    - `unique`: whether the R_j = z_j w_j of the other neurons are; the w_j of `moving` never are.
    - `signs`: of the z_j; `kinks`: for each neuron the samples on whose hyperplanes it lies.
    - `moving`: the neurons with z_j = 0 that can lower and raise the loss.
    - `descent`, `ascent`: of one of them.
    - `radius`, `margin`: min |w_j·xᵢ|/‖xᵢ‖ and |w_j·xᵢ|/(‖w_j‖‖xᵢ‖) over the other samples.
    - `R`: the R_j = z_j w_j, (K, d), and `rests`: for each of `moving` its w_j, up to scale, both
      in rational numbers, for which all is proven.
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
    R: fmpq_mat
    rests: fmpq_mat


class _Rest(NamedTuple):
    """A weight w of a face with h(w) = 0 and h ≠ 0, where z = 0 is a saddle, and a v of large |h|.

    - `w`, `v`: (d, 1), exactly, of a norm next to 1; `slope`: h(v)/‖v‖.
    - `steepness`: |h(v)|/‖v‖, with the length in the coordinates of `FaceProblem.rows`.
    """

    place: int
    w: fmpq_mat
    v: fmpq_mat
    slope: float
    steepness: float


@explained
def saddles(
    x: Any, y: Any, width: int, *, kinks: bool = False, limit: int = 1_000_000
) -> Iterator[Saddle]:
    """List the saddles of all cell combinations: one for each choice of the neurons that can move.

    Some neurons, `moving`, have z_j = 0, and the others are a local minimum without them, with
    errors e.  With h(v) = Σ_{w_j·xᵢ > 0} eᵢ xᵢ·v as in `face_minima`, which in a cell is the
    gradient in R_j, tiny changes δz_j = ta and δw_j = tbv with a² + b² = 1 and ‖v‖ = 1 give

        N ΔL = 2ta h(w_j) + t² (a² Σ_{w_j·xᵢ > 0} (w_j·xᵢ)² + 2ab h(v)) + O(t³).

    So ∂L/∂z_j = 0 asks for h(w_j) = 0: w_j lies in its cell and perpendicular to the gradient.
    Where h ≠ 0 the quadratic form in (a, b) has eigenvalues of both signs, for any v with h(v) ≠ 0:
    its eigenvectors are the descent and the ascent.  The v is one of large |h(v)|/‖v‖, with the
    length in the coordinates of `well_conditioned`.

    Correction to the paper: theorem 2 promises a saddle for all choices of neurons,
    which holds only where appendix C.2 finds them inside their cells.  Neurons with z_j = 0 and
    h = 0, about which it is silent, may be among the others.

    **Arguments:** `x`, (N, d), and `y`, (N,), numbers as in `exact_samples`; `width`, the number K
    of neurons; `kinks`, whether to list instead those with some neuron on kinks: one with z_j ≠ 0
    has σ_j h_j ≥ 0 there; a moving one, z_j = 0, has h(w_j) = 0 with Σ_{w_j·xᵢ = 0} eᵢ [xᵢ·v]₊
    added to h, and L is differentiable in it; `limit`, the largest number of combinations of cells
    (of faces, with kinks) that is accepted.

    **Returns:** an iterator of `Saddle`.  Each is proven in rational numbers before it is rounded,
    and the objective is evaluated along `descent` and `ascent`.

    **Raises:** `ValueError` with the number if there may be more combinations; else like
    `landscape`.

    Source: LIU, theorem 2, appendix C.

    ```python
    >>> saddle = next(saddles([[1, 0], [0, 1]], [1, -1], 1))
    >>> saddle.loss, saddle.network.W1.round(3).tolist(), saddle.network.W2.tolist()
    (1.0, [[1.0, 1.0]], [[0.0]])
    >>> saddle.descent.value < 1 < saddle.ascent.value
    True

    ```
    """
    return all_saddles(face_problem(x, y, width, kinks=kinks, limit=limit), width, kinks)


def all_saddles(given: FaceProblem, width: int, kinks: bool) -> Iterator[Saddle]:
    """List the saddles of data that have been read, see `saddles`."""
    risk = EmpiricalRisk(given.x, given.y)
    places = range(len(given.fans) if kinks else given.cells)
    for moving in range(1, width + 1):
        for others in face_minima(given, places, width - moving, kinked=False):
            rests = _rests(given, len(places), others.errors)
            for chosen in itertools.combinations_with_replacement(rests, moving):
                on = [*others.chosen, *(rest.place for rest in chosen)]
                if not kinks or any(at >= given.cells for at in on):
                    yield _saddle(given, risk, others, chosen)


def _rests(given: FaceProblem, count: int, errors: fmpq_mat) -> list[_Rest]:
    """Find the saddle weights, h(w) = 0 and h ≠ 0, on the first `count` faces.

    On a face h(w) = Σ eᵢ [w·xᵢ]₊ is linear, and a face is the open cone of the rays in its closure:
    h has a zero on it if and only if it has both signs, or is 0, on these.  On the rays it is
    computed exactly, once for all faces.
    """
    lines = np.flatnonzero([len(given.flats[at].basis) == 1 for at in given.flat.tolist()])
    outputs = [
        [abs(h[0]) if on else 0 for h, on in zip(given.flats[flat].heights, pattern, strict=True)]
        for flat, pattern in zip(
            given.flat[lines].tolist(), given.patterns[lines].tolist(), strict=True
        )
    ]
    values = (fmpq_mat(fmpz_mat(outputs)) * errors).entries() if outputs else []
    signs = np.array([(t > 0) - (t < 0) for t in values], int)
    zeros = np.array([flat.zero for flat in given.flats])
    nothing = np.array([not any(row) for row in given.rows])
    on, off = _sides(given, zeros, nothing, lines)
    rays = np.concatenate([off, on, on + off], axis=1)
    found = []
    for first in range(0, count, _FACES):
        some = np.arange(first, min(first + _FACES, count))
        above, below = _sides(given, zeros, nothing, some)
        kinks = zeros[given.flat[some]].astype(np.float32)
        # 0 where no sample has w·xᵢ of opposite signs on face and ray, or ≠ 0 on the ray of a kink.
        closed = np.concatenate([above, below, kinks], axis=1) @ rays.T == 0
        up, down = (np.any(closed[:, signs == sign], axis=1) for sign in (1, -1))
        for place in some[up == down].tolist():
            rest = _rest(given, place, errors)
            if rest is not None:
                found.append(rest)
    return found


def _sides(
    given: FaceProblem,
    zeros: Bool[np.ndarray, "flats samples"],
    nothing: Bool[np.ndarray, " samples"],
    places: Int[np.ndarray, " some"],
) -> tuple[Float[np.ndarray, "some samples"], Float[np.ndarray, "some samples"]]:
    """Return 1 where w·xᵢ > 0 on some faces, and where w·xᵢ < 0."""
    on = given.patterns[places]
    off = ~(on | zeros[given.flat[places]] | nothing)
    return on.astype(np.float32), off.astype(np.float32)


def _rest(given: FaceProblem, place: int, errors: fmpq_mat) -> _Rest | None:
    """Find a saddle weight, h(w) = 0 and h ≠ 0, on a face; None if there is none."""
    fan = given.fans[place]
    along = fan.table.transpose() * errors
    around = (fan.slopes * errors).entries() if fan.rays else []
    flat = all(s == 0 for s in along.entries())
    if flat and all(s == 0 for s in around):
        return None
    w = witness(given, place) if flat else _perpendicular(given, fan, along)
    if w is None:
        return None
    # h on the rays, and on its gradient within the face's span.
    directions = [fmpq_mat(len(ray), 1, list(ray)) for ray in fan.rays]
    if not flat:
        directions.append(_gradient(given, fan, errors))
        around = [*around, squares(directions[-1])]
    steep = [root(s * s / squares(v)) for s, v in zip(around, directions, strict=True)]
    best = int(np.argmax(steep))
    v = given.lift * directions[best]
    size = root(around[best] ** 2 / squares(v))
    slope = size if around[best] > 0 else -size
    return _Rest(place, _near_1(w), _near_1(v), slope, steep[best])


def _near_1(v: fmpq_mat) -> fmpq_mat:
    """Divide by a power of two next to the norm."""
    return v * fmpq(2) ** -scaled(v.entries())[1]


def _gradient(given: FaceProblem, fan: Fan, errors: fmpq_mat) -> fmpq_mat:
    """Return the gradient of h within the face's span, in the coordinates of `FaceProblem.rows`."""
    on = [e if active else fmpq(0) for e, active in zip(errors.entries(), fan.pattern, strict=True)]
    rows = fmpq_mat(fmpz_mat([list(row) for row in given.rows]))
    whole = rows.transpose() * fmpq_mat(len(on), 1, on)
    return fan.basis * least_squares(fan.basis, whole)


def _perpendicular(given: FaceProblem, fan: Fan, along: fmpq_mat) -> fmpq_mat | None:
    """Find a w of the face with h(w) = 0, far from its boundary; None if there is none."""
    C = null_space(along.transpose())
    inside = positive_point(fan.sides * C) if C.ncols() else None
    return None if inside is None else given.lift * fan.basis * C * inside


def _saddle(
    given: FaceProblem, risk: EmpiricalRisk, others: FaceMinimum, chosen: tuple[_Rest, ...]
) -> Saddle:
    inputs, first = given.given.ncols(), len(others.chosen)
    places = (*others.chosen, *(rest.place for rest in chosen))
    signs = (*others.signs, *[0] * len(chosen))
    R = fmpq_mat(len(places), inputs, others.R.entries() + [fmpq(0)] * (len(chosen) * inputs))
    rests = {first + k: rest.w for k, rest in enumerate(chosen)}
    network, radius, margin = placed(given, places, signs, R, rests)
    steepest = max(range(len(chosen)), key=lambda k: chosen[k].steepness)
    rest, neuron = chosen[steepest], first + steepest
    # At w_j = 0 the length does not matter.
    lengths = root(squares(rest.w)) or 1.0, root(squares(rest.v))
    w, v = (
        np.array([nearest(t) for t in (given.given * some).entries()]) / length
        for some, length in zip((rest.w, rest.v), lengths, strict=True)
    )
    norm = float(np.linalg.norm(np.asarray(network.W1)[neuron]))
    w *= norm
    # To where a sign changes, but not by more than the parameters are.
    beside = ~given.fans[rest.place].zero & (v != 0)
    edge = float(np.min(np.abs(w[beside] / v[beside]), initial=np.inf))
    reach = min(edge, max(given.size, norm))
    unit, heights = direction(rest.v), np.maximum(w, 0)
    down, up = saddle_ways(risk, network, neuron, unit, rest.slope, heights, reach)
    return Saddle(
        network=network,
        loss=nearest(squares(others.errors) / len(given.rows)),
        unique=others.unique,
        signs=signs,
        kinks=tuple(tuple(np.flatnonzero(given.fans[at].zero).tolist()) for at in places),
        moving=tuple(range(first, len(places))),
        descent=down,
        ascent=up,
        radius=radius,
        margin=margin,
        R=R,
        rests=fmpq_mat([rest.w.entries() for rest in chosen]),
    )
