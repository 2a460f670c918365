"""All combinations of faces that hold a local minimum, found in floats and proven in rationals."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Bool

from landscape_jax.exact.coordinates import root, scaled
from landscape_jax.exact.rationals import least_squares, null_space, squares
from landscape_jax.networks import TwoLayer
from landscape_jax.theory.cells.candidates import Candidates, Tables, candidates
from landscape_jax.theory.cells.cones import positive_point
from landscape_jax.theory.cells.fans import Fan, Problem, Stays, stays

Signs = tuple[int, ...]


class FaceMinimum(NamedTuple):
    """A local minimum inside its faces, exactly.

    - `chosen`: the neurons' faces, by their place; `signs`: of z.
    - `R`: the R_j = z_j w_j, (K, d); `errors`: output − y, (N, 1).
    - `unique`: whether R is the only one of these faces.
    - `kinked`: whether the loss has no gradient there.
    """

    chosen: tuple[int, ...]
    signs: Signs
    R: fmpq_mat
    errors: fmpq_mat
    unique: bool
    kinked: bool


class Stationary(NamedTuple):
    """What is exactly true of the least squares on the spans of some faces.

    - `t`, `V`: R_j = B_j t_j for all of t + Vc; `errors`: output − y; `may`: whether h_j is ≥ 0 or
      ≤ 0 on each face.
    """

    t: fmpq_mat
    V: fmpq_mat
    errors: fmpq_mat
    may: list[Stays]

    @property
    def kinked(self) -> bool:
        """Whether some h_j is not 0: the loss has no gradient there."""
        return not all(m.above and m.below for m in self.may)


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

    1. All least squares and the signs of h_j on the rays of `Fan` and of R_j on the samples, in
       floats, thousands at once, each with a proven bound of its rounding: what is left out holds
       no minimum (see `candidates`).
    2. Of what is left all of these are computed in rational numbers; where R is not unique,
       `positive_point` finds a c with all R_j on their faces, or proves that there is none.

    So everything that is given is a local minimum, and no combination that holds one is missed.

    **Arguments:** `given`, from `problem`; `places`, the faces that are taken; `width`, the number
    K of neurons, which may be 0; `kinked`, whether to give just those where L has no gradient;
    `progress`, told of how many more combinations have been looked at.

    **Returns:** an iterator, in the order of `itertools.combinations_with_replacement`; each with
    z_j ≠ 0 for as many neurons as can be.

    Source: LIU, lemma 1, theorems 1 and 3, which take cells and one kink.
    """
    if not width:
        nothing = fmpq_mat(0, given.given.ncols())
        yield FaceMinimum((), (), nothing, -given.labels, True, False)
        return
    tables = Tables(given)
    for block in candidates(tables, places, width):
        # Errors of 0 hold no neuron at a kink.
        wanted = block.possible & ~(kinked & block.zero)
        for chosen in counted(block, wanted, progress):
            found = stationary(given, chosen)
            if found is not None and (found.kinked or not kinked):
                minimum = minimum_of(given, chosen, found)
                if minimum is not None:
                    yield minimum


def counted(
    block: Candidates,
    wanted: Bool[np.ndarray, " block"],
    progress: Callable[[int], None] | None,
) -> Iterator[tuple[int, ...]]:
    """Return the wanted combinations of a block, and tell how many have been passed."""
    seen = 0
    for at in [*np.flatnonzero(wanted).tolist(), len(wanted)]:
        if progress is not None:
            progress(at - seen)
        seen = at
        if at < len(wanted):
            yield tuple(block.chosen[at].tolist())


def stationary(given: Problem, chosen: Sequence[int]) -> Stationary | None:
    """Return the least squares on the spans of faces; None where some h_j forbids a minimum."""
    fans = [given.fans[at] for at in chosen]
    fit = _fit(fans, given.labels)
    may = [stays(fan, fit.errors) for fan in fans]
    return Stationary(*fit, may) if all(m.above or m.below for m in may) else None


def minimum_of(given: Problem, chosen: tuple[int, ...], found: Stationary) -> FaceMinimum | None:
    """Return a minimum inside the faces of a stationary combination; None where there is none."""
    fans = [given.fans[at] for at in chosen]
    unique = found.V.ncols() == 0
    signs, t = _unique_signs(fans, found.may, found.t), found.t
    if not unique:
        signs, t = _inside(given, fans, found)
    if signs is None:
        return None
    R = _weights(fans, t) * given.lift.transpose()
    # Weights off the samples' row space are free.
    unique = unique and given.lift.nrows() == given.lift.ncols()
    return FaceMinimum(chosen, signs, R, found.errors, unique, found.kinked)


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
    given: Problem, fans: Sequence[Fan], found: Stationary
) -> tuple[Signs | None, fmpq_mat]:
    """Choose an R among many, with as few neurons at rest as can be."""
    whole = _Fit(found.t, found.V, found.errors)
    # Of the size of the labels.
    unit = fmpq(2) ** scaled(given.labels.entries())[1]
    blocks = _heights(fans, whole, unit)
    ways = []
    for j, m in enumerate(found.may):
        # What no R_j alone can do is not tried with the others.
        signs = [
            sign
            for sign, may in ((1, m.above), (-1, m.below))
            if may and _point([blocks[j]], [sign]) is not None
        ]
        if m.above and m.below and _without(given, fans, [j], found.errors) is not None:
            signs.append(0)
        if not signs:
            return None, found.t
        ways.append(signs)
    for signs in sorted(itertools.product(*ways), key=lambda signs: signs.count(0)):
        resting = [j for j, sign in enumerate(signs) if not sign]
        part = whole if not resting else _without(given, fans, resting, found.errors)
        if part is None:
            continue
        some = [fan for fan, sign in zip(fans, signs, strict=True) if sign]
        point = _point(_heights(some, part, unit) if resting else blocks, [s for s in signs if s])
        if point is not None:
            c = [unit * s / point[0, 0] for s in point.entries()[1:]]
            t = part.t + part.V * fmpq_mat(len(c), 1, c)
            parts = iter(_parts(some, t))
            every = [
                s
                for fan, sign in zip(fans, signs, strict=True)
                for s in (next(parts).entries() if sign else [fmpq(0)] * fan.basis.ncols())
            ]
            return signs, fmpq_mat(len(every), 1, every)
    return None, found.t


def _without(
    given: Problem, fans: Sequence[Fan], resting: Sequence[int], errors: fmpq_mat
) -> _Fit | None:
    """Return the least squares of the other neurons, where it is one of all: of the same errors."""
    fit = _fit([fan for j, fan in enumerate(fans) if j not in resting], given.labels)
    return fit if fit.errors == errors else None


def _heights(fans: Sequence[Fan], fit: _Fit, unit: fmpq) -> list[fmpq_mat]:
    """Return for each neuron the rows (G t / unit, G V) of its heights over the samples."""
    found = []
    for fan, t, V in zip(fans, _parts(fans, fit.t), _parts(fans, fit.V), strict=True):
        rows = zip((fan.sides * t / unit).entries(), (fan.sides * V).tolist(), strict=True)
        entries = [s for h, slope in rows for s in (h, *slope)]
        found.append(fmpq_mat(fan.sides.nrows(), V.ncols() + 1, entries))
    return found


def _point(blocks: Sequence[fmpq_mat], signs: Sequence[int]) -> fmpq_mat | None:
    """Return a (τ, c), τ > 0, with τ G t / unit + G V c of some signs for each neuron, or None.

    They are an open cone.
    """
    rows = [
        row for block, sign in zip(blocks, signs, strict=True) for row in (sign * block).tolist()
    ]
    columns = blocks[0].ncols() if blocks else 1
    return positive_point(fmpq_mat([[fmpq(1)] + [fmpq(0)] * (columns - 1), *rows]))


def witness(given: Problem, place: int) -> fmpq_mat:
    """Return a weight on a face, (d, 1), as deep as is found."""
    fan = given.fans[place]
    t = positive_point(fan.sides)
    if t is None:
        raise AssertionError("a face has a point")
    return given.lift * fan.basis * t


def placed(
    given: Problem, chosen: Sequence[int], signs: Signs, R: fmpq_mat, rests: dict[int, fmpq_mat]
) -> tuple[TwoLayer, float, float]:
    """Give the network of R, with as large a second layer as first, its radius and its margin.

    **Arguments:** `chosen`, the faces; `rests`, for some neurons with R_j = 0 the w_j, up to scale;
    others get a `witness` of their face.

    **Returns:** the network; min |w_j·xᵢ|/‖xᵢ‖ over the samples whose hyperplanes do not hold the
    face, and |z_j| of the neurons with z_j ≠ 0 on kinks; the least |w_j·xᵢ|/(‖w_j‖‖xᵢ‖), at most 1:
    both of the exact weights, rounded.
    """
    lengths = [root(squares(fmpq_mat([row]))) for row in given.given.tolist()]
    radius, margin, w, z = np.inf, 1.0, [], []
    for j, (place, sign) in enumerate(zip(chosen, signs, strict=True)):
        row = [R[j, k] for k in range(R.ncols())]
        moves = any(t != 0 for t in row)
        weights = fmpq_mat(len(row), 1, row) if moves else rests.get(j, witness(given, place))
        values, exponent = scaled(weights.entries())
        norm = max(float(np.linalg.norm(values)), np.finfo(float).tiny)
        kinks = given.fans[place].zero
        angles = _angles((given.given * weights).entries(), norm, exponent, lengths, kinks)
        # Where R_j = 0 any w_j of the face does, and any z_j of the sign: of the data's size.
        highest = max((t * length for t, length in angles), default=1.0)
        root_norm = float(np.sqrt(norm)) * 2.0 ** (exponent / 2) if moves else given.size / highest
        w.append((sign if moves else 1) * root_norm * (values / norm))
        z.append(sign * (root_norm if moves else given.size))
        radius = min([radius, *(root_norm * t for t, _ in angles)])
        margin = min([margin, *(t for t, _ in angles)])
        if sign and kinks.any():
            radius = min(radius, abs(z[-1]))
    network = TwoLayer(jnp.asarray(np.array(w)), jnp.asarray(np.array(z)[None]))
    return network, radius, margin


def _angles(
    heights: Sequence[fmpq],
    norm: float,
    exponent: int,
    lengths: Sequence[float],
    kinks: Bool[np.ndarray, " samples"],
) -> list[tuple[float, float]]:
    """Return |w·xᵢ|/(‖w‖‖xᵢ‖) and ‖xᵢ‖ of the xᵢ ≠ 0 beside kinks, for ‖w‖ = norm·2^exponent."""
    values, shift = scaled(heights)
    found = []
    for h, length, kink in zip(np.abs(values).tolist(), lengths, kinks.tolist(), strict=True):
        if length > 0 and not kink:
            mantissa, power = math.frexp(length)
            found.append((math.ldexp(h / norm / mantissa, shift - exponent - power), length))
    return found
