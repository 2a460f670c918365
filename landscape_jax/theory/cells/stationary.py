"""All combinations of faces that hold a local minimum, found in floats and proven in rationals."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Bool, Float, Int

from landscape_jax.networks import TwoLayer
from landscape_jax.proofs.rationals import (
    least_squares,
    nearest,
    nearest_matrix,
    null_space,
    rational,
    squares,
)
from landscape_jax.theory.cells.arrangement import centre
from landscape_jax.theory.cells.fans import Fan, Problem, Stays, Tables, stays, tables
from landscape_jax.theory.cells.solutions import rank_tolerance

_BLOCK = 4096
# Combinations whose table has a larger condition number are not filtered in floats.
_CONDITION = 1e5
# Rounding of errors (times the condition) and of solutions (times its square), with room.
_ROUNDING = 1e-13
Signs = tuple[int, ...]


class FaceMinimum(NamedTuple):
    """A local minimum inside its faces, exactly.

    - `chosen`: the neurons' faces, by their place; `signs`: of z.
    - `R`: the R_j = z_j w_j, (K, d); `errors`: output − y, (N, 1).
    - `unique`: whether R is the only one of these faces.
    """

    chosen: tuple[int, ...]
    signs: Signs
    R: fmpq_mat
    errors: fmpq_mat
    unique: bool


class _Fit(NamedTuple):
    """The least squares R_j = B_j t_j of some neurons: t + Vc, and its errors."""

    t: fmpq_mat
    V: fmpq_mat
    errors: fmpq_mat


def face_minima(
    given: Problem,
    places: Sequence[int],
    width: int,
    *,
    kinked: bool,
    below: fmpq | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[FaceMinimum]:
    """Give one local minimum of each combination of faces that holds some.

    Let e = output − y, u_j = |z_j| w_j, σ_j = sign z_j, and h_j as in `Fan`.  For a small change v
    of u the output changes by a linear q(tv) = t q(v), 0 ≤ t ≤ 1, as long as no w_j·xᵢ ≠ 0 and no
    z_j changes sign.  So, with resting neurons (z_j = 0), where δz_j [(w_j + δw_j)·xᵢ]₊ is added,

        N ΔL = 2 Σ_{z_j ≠ 0} σ_j h_j(v_j) + 2 Σ_{z_j = 0} δz_j h_j(w_j + δw_j) + ‖change of q‖².

    Hence it is a local minimum if σ_j h_j ≥ 0 for each neuron with z_j ≠ 0 and h_j = 0 for each
    with z_j = 0, and only then: a v_j with σ_j h_j(v_j) < 0 goes down by the first order; where
    h_j ≠ 0 for a resting neuron, tiny δz_j of either sign with a δw_j go down and up (theorem 2).
    As h_j = 0 on the span of its face, R is a least squares solution on the spans of the faces,
    R = R* + Vc, and e is the same for all minima of a combination.

    1. All least squares, by singular values, and the signs of h_j on the rays of `Fan`, in floats,
       thousands at once.  What fails by more than rounding, 1e-13 of the data's scale times the
       condition number (its square for R), is left out; combinations of a condition number above
       1e5 are all kept.
    2. Of what is left the least squares, the signs of h_j and of R_j on each sample are computed in
       rational numbers: everything that is given is proven.  Where R is not unique a least distance
       problem gives the c; sets of R thinner than its rounding, about 1e-8, may be missed.

    **Arguments:** `given`, from `problem`; `places`, the faces that are taken; `width`, the number
    K of neurons, which may be 0; `kinked`, whether to give just those where L has no gradient;
    `below`, just those with a smaller ‖e‖²; `progress`, told of how many more combinations have
    been looked at.

    **Returns:** an iterator, in the order of `itertools.combinations_with_replacement`; each with
    z_j ≠ 0 for as many neurons as can be.

    Source: LIU, lemma 1, theorems 1 and 3, which take cells and one kink.
    """
    # No square is below 0.
    if below == 0:
        return
    if not width:
        yield FaceMinimum((), (), fmpq_mat(0, given.x.shape[1]), -given.labels, True)
        return
    fans = [given.fans[at] for at in places]
    known = tables(given, fans)
    every = itertools.combinations_with_replacement(range(len(fans)), width)
    while block := list(itertools.islice(every, _BLOCK)):
        combinations = np.array(block)
        possible = _possible(given, known, combinations, kinked, below)
        seen = 0
        for at in [*np.flatnonzero(possible).tolist(), len(block)]:
            if progress is not None:
                progress(at - seen)
            seen = at
            if at < len(block):
                found = _proven(given, [fans[j] for j in block[at]], kinked, below)
                if found is not None:
                    yield found._replace(chosen=tuple(places[j] for j in block[at]))


def _possible(
    given: Problem,
    known: Tables,
    combinations: Int[np.ndarray, "block neurons"],
    kinked: bool,
    below: fmpq | None,
) -> Bool[np.ndarray, " block"]:
    """Say which combinations may hold a minimum, as far as rounding tells."""
    count, width = combinations.shape
    samples, inputs = given.x.shape
    A = known.outputs[combinations].transpose(0, 2, 1, 3).reshape(count, samples, -1)
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    kept = s > rank_tolerance(samples, width * inputs, float(np.finfo(float).eps)) * s[:, :1]
    along = np.where(kept, np.einsum("cnr,n->cr", U, given.y), 0)
    errors = np.einsum("cnr,cr->cn", U, along) - given.y
    t = np.einsum("crk,cr->ck", Vt, along / np.where(kept, s, 1)).reshape(count, width, inputs)
    R = np.einsum("cjdk,cjk->cjd", known.Q[combinations], t)
    smallest = np.min(np.where(kept, s, s[:, :1]), axis=1)
    condition = s[:, 0] / np.where(smallest > 0, smallest, 1)
    size = np.linalg.norm(given.x) * np.linalg.norm(given.y)
    slack = (_ROUNDING * np.maximum(condition, 1) * size)[:, None]

    slopes = np.einsum("cjrn,cn->cjr", known.slopes[combinations], errors)
    above = np.min(slopes, axis=2, initial=0) >= -slack
    under = np.max(slopes, axis=2, initial=0) <= slack
    bends = np.abs(np.einsum("cjrn,cn->cjr", known.kinks[combinations], errors))
    wanted = np.max(bends, axis=(1, 2), initial=0) > slack[:, 0] if kinked else np.full(count, True)
    if below is not None:
        wanted &= np.linalg.norm(errors, axis=1) <= float(np.sqrt(nearest(below))) + slack[:, 0]

    unique = np.sum(kept, axis=1) == np.sum(known.dimension[combinations], axis=1)
    reach = np.linalg.norm(R, axis=(1, 2)) + np.linalg.norm(given.y) / np.where(
        smallest > 0, smallest, 1
    )
    room = (_ROUNDING * np.maximum(condition, 1) ** 2 * reach)[:, None]
    heights = np.einsum("cjnd,cjd->cjn", known.sides[combinations], R)
    beside = known.beside[combinations]
    positive = np.min(np.where(beside, heights, np.inf), axis=2) > -room
    negative = np.max(np.where(beside, heights, -np.inf), axis=2) < room
    rests = np.linalg.norm(R, axis=2) <= room
    free = ~unique[:, None]
    states = (above & (positive | free)) | (under & (negative | free)) | (above & under & rests)
    return (np.all(states, axis=1) & wanted) | (condition > _CONDITION)


def _proven(
    given: Problem, fans: list[Fan], kinked: bool, below: fmpq | None
) -> FaceMinimum | None:
    """Find a minimum inside some faces and prove it, in rational numbers."""
    fit = _fit(fans, given.labels)
    if below is not None and squares(fit.errors) >= below:
        return None
    may = [stays(fan, fit.errors) for fan in fans]
    if not all(m.above or m.below for m in may) or (
        kinked and all(m.above and m.below for m in may)
    ):
        return None
    unique = fit.V.ncols() == 0
    signs, t = _unique_signs(fans, may, fit.t), fit.t
    if not unique:
        signs, t = _inside(given, fans, may, fit)
    if signs is None:
        return None
    return FaceMinimum((), signs, _weights(fans, t), fit.errors, unique)


def _fit(fans: Sequence[Fan], labels: fmpq_mat) -> _Fit:
    columns = [column for fan in fans for column in fan.table.transpose().tolist()]
    if not columns:
        return _Fit(fmpq_mat(0, 1), fmpq_mat(0, 0), -labels)
    A = fmpq_mat(columns).transpose()
    t = least_squares(A, labels)
    return _Fit(t, null_space(A), A * t - labels)


def _parts(fans: Sequence[Fan], t: fmpq_mat) -> list[fmpq_mat]:
    """Cut t, or columns of such, into those of the neurons."""
    rows, parts, at = t.tolist(), [], 0
    for fan in fans:
        m = fan.basis.ncols()
        parts.append(fmpq_mat(m, t.ncols(), [s for row in rows[at : at + m] for s in row]))
        at += m
    return parts


def _weights(fans: Sequence[Fan], t: fmpq_mat) -> fmpq_mat:
    """Give the R_j = B_j t_j."""
    rows = [(fan.basis * part).entries() for fan, part in zip(fans, _parts(fans, t), strict=True)]
    return fmpq_mat(rows)


def _unique_signs(fans: Sequence[Fan], may: Sequence[Stays], t: fmpq_mat) -> Signs | None:
    """Say of which signs the z_j are; None where an R_j is neither in its face nor its mirror."""
    signs = []
    for fan, m, part in zip(fans, may, _parts(fans, t), strict=True):
        heights = (fan.sides * part).entries()
        if m.above and all(h > 0 for h in heights):
            signs.append(1)
        elif m.below and all(h < 0 for h in heights):
            signs.append(-1)
        elif m.above and m.below and all(s == 0 for s in part.entries()):
            signs.append(0)
        else:
            return None
    return tuple(signs)


def _inside(
    given: Problem, fans: Sequence[Fan], may: Sequence[Stays], fit: _Fit
) -> tuple[Signs | None, fmpq_mat]:
    """Choose an R among many, with as few neurons at rest as can be."""
    ways = [[1] * m.above + [-1] * m.below + [0] * (m.above and m.below) for m in may]
    for signs in sorted(itertools.product(*ways), key=lambda signs: signs.count(0)):
        active = [j for j, sign in enumerate(signs) if sign]
        some = [fans[j] for j in active]
        part = fit if len(active) == len(fans) else _fit(some, given.labels)
        # The least squares of the others is one of all where it has the same errors.
        if part.errors != fit.errors:
            continue
        t = _deepest(some, [signs[j] for j in active], part, given.scale)
        if t is not None:
            parts = iter(_parts(some, t))
            whole = [
                s
                for fan, sign in zip(fans, signs, strict=True)
                for s in (next(parts).entries() if sign else [fmpq(0)] * fan.basis.ncols())
            ]
            return signs, fmpq_mat(len(whole), 1, whole)
    return None, fit.t


def _deepest(fans: Sequence[Fan], signs: Sequence[int], fit: _Fit, scale: float) -> fmpq_mat | None:
    """Give a t + Vc with all of its heights positive, proven; None where none is found.

    {(τ, c): τ > 0, τ G t + G V c > 0} is a cone, whose deepest unit vector is that of a cell.
    """
    parts = zip(fans, signs, _parts(fans, fit.t), _parts(fans, fit.V), strict=True)
    heights = [(sign * (fan.sides * t), sign * (fan.sides * V)) for fan, sign, t, V in parts]
    base = [h for t, _ in heights for h in t.entries()]
    slopes = [row for _, V in heights for row in V.tolist()]
    free = fit.V.ncols()
    if free and base:
        lengths = np.linalg.norm(nearest_matrix(fit.V), axis=0)
        moves = nearest_matrix(fmpq_mat(slopes)) / lengths
        table = np.column_stack([nearest_matrix(fmpq_mat([base]))[0] / scale, moves])
        table = np.vstack([table, np.eye(1, free + 1)])
        sizes = np.linalg.norm(table, axis=1)
        if not np.all(sizes > 0):
            return None
        found = centre(table / sizes[:, None], np.ones(len(table), bool))
        if not found[0] > 0:
            return None
        c = [rational(s) for s in (scale * found[1:] / found[0] / lengths).tolist()]
    else:
        c = [fmpq(0)] * free
    t = fit.t + fit.V * fmpq_mat(free, 1, c) if free else fit.t
    for fan, sign, part in zip(fans, signs, _parts(fans, t), strict=True):
        if any(sign * h <= 0 for h in (fan.sides * part).entries()):
            return None
    return t


def placed(
    given: Problem,
    fans: Sequence[Fan],
    signs: Signs,
    R: fmpq_mat,
    rests: Sequence[Float[np.ndarray, " inputs"]],
) -> tuple[TwoLayer, float, float]:
    """Give the network of R, with as large a second layer as first, its radius and its margin.

    **Arguments:** `rests`, for each neuron the unit vector w_j that it has where R_j = 0.

    **Returns:** the network; min |w_j·xᵢ|/‖xᵢ‖ over the samples whose hyperplanes do not hold the
    face, and |z_j| of the neurons with z_j ≠ 0 on kinks; the least |w_j·xᵢ|/(‖w_j‖‖xᵢ‖), at most 1.
    """
    weights = nearest_matrix(R).reshape(len(fans), given.x.shape[1])
    lengths = np.linalg.norm(given.x, axis=1)
    root = np.sqrt(given.scale)
    radius, margin, w, z = np.inf, 1.0, [], []
    for fan, sign, row, rest in zip(fans, signs, weights, rests, strict=True):
        size = float(np.sqrt(np.linalg.norm(row)))
        # Where R_j = 0 any w_j of the face does, and any z_j of the sign: of the data's size.
        w.append(sign * row / size if size > 0 else root * rest)
        z.append(sign * (size if size > 0 else root))
        beside = (lengths > 0) & ~fan.face.zero
        heights = np.abs(given.x[beside] @ w[-1]) / lengths[beside]
        radius = min(radius, float(np.min(heights, initial=np.inf)))
        if sign and fan.face.zero.any():
            radius = min(radius, abs(z[-1]))
        if beside.any():
            margin = min(margin, float(np.min(heights) / np.linalg.norm(w[-1])))
    network = TwoLayer(jnp.asarray(np.array(w)), jnp.asarray(np.array(z)[None]))
    return network, radius, margin
