"""Face combinations that hold a local minimum: found in floats, proven in rational numbers."""

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
from landscape_jax.theory.cells.fans import FaceProblem, Fan, Stays, stays

Signs = tuple[int, ...]


class FaceMinimum(NamedTuple):
    """A local minimum inside its faces, exactly.

    - `chosen`: the neurons' faces, by their index; `signs`: of z.
    - `R`: the R_j = z_j w_j, (K, d); `errors`: output − y, (N, 1).
    - `unique`: whether R is the only one of these faces.
    - `kinked`: whether the loss is not differentiable there.
    """

    chosen: tuple[int, ...]
    signs: Signs
    R: fmpq_mat
    errors: fmpq_mat
    unique: bool
    kinked: bool


class Stationary(NamedTuple):
    """The exact least squares on the spans of some faces.

    - `t`, `V`: R_j = B_j t_j for all of t + Vc; `errors`: output − y; `may`: the signs of h_j
      around each face.
    """

    t: fmpq_mat
    V: fmpq_mat
    errors: fmpq_mat
    may: list[Stays]

    @property
    def kinked(self) -> bool:
        """Whether some h_j is not 0: the loss is not differentiable there."""
        return not all(m.above and m.below for m in self.may)

    def unique(self, given: FaceProblem) -> bool:
        """Check whether R is unique; weights off the samples' row space are free."""
        return not self.V.ncols() and given.lift.nrows() == given.lift.ncols()


class _SpanFit(NamedTuple):
    """The least squares R_j = B_j t_j of some neurons: t + Vc, and its errors."""

    t: fmpq_mat
    V: fmpq_mat
    errors: fmpq_mat


def face_minima(
    given: FaceProblem,
    places: Sequence[int],
    width: int,
    *,
    kinked: bool,
    progress: Callable[[int], None] | None = None,
) -> Iterator[FaceMinimum]:
    """List one local minimum of each face combination that has some.

    Let e = output − y, u_j = |z_j| w_j, σ_j = sign z_j, and h_j as in `Fan`.  For a small change v
    of u the output changes by a linear q(tv) = t q(v), 0 ≤ t ≤ 1, as long as no w_j·xᵢ ≠ 0 and no
    z_j changes sign.  So, with neurons with z_j = 0, which add δz_j [(w_j + δw_j)·xᵢ]₊,

        N ΔL = 2 Σ_{z_j ≠ 0} σ_j h_j(v_j) + 2 Σ_{z_j = 0} δz_j h_j(w_j + δw_j) + ‖change of q‖².

    Hence it is a local minimum if σ_j h_j ≥ 0 for each neuron with z_j ≠ 0 and h_j = 0 for each
    with z_j = 0, and only then: a v_j with σ_j h_j(v_j) < 0 is a direction of descent to first
    order; where h_j ≠ 0 for one with z_j = 0, tiny δz_j of either sign with a δw_j lower and raise
    the loss (theorem 2).
    As h_j = 0 on the span of its face, R is a least squares solution on the spans of the faces,
    R = R* + Vc, and e is the same for all minima of a combination.

    1. All least squares, the signs of h_j on the rays of `Fan` and the signs of R_j·xᵢ are computed
       in floats, thousands at once, each with a proven bound of its rounding: combinations excluded
       by these hold no minimum (see `candidates`).
    2. For the others all of these are computed in rational numbers; where R is not unique,
       `positive_point` finds a c with all R_j on their faces, or proves that there is none.

    So every listed point is a local minimum, and no combination that holds one is missed.

    **Arguments:** `given`, from `face_problem` or `cell_problem`; `places`, the indices of the
    faces that are combined; `width`, the number K of neurons, which may be 0; `kinked`, whether to
    list only those where L is not differentiable; `progress`, called with the number of further
    combinations that are done.

    **Returns:** an iterator, in the order of `itertools.combinations_with_replacement`; each with
    z_j ≠ 0 for as many neurons as possible.

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
    """Yield the wanted combinations of a block, and report how many have been passed."""
    seen = 0
    for at in [*np.flatnonzero(wanted).tolist(), len(wanted)]:
        if progress is not None:
            progress(at - seen)
        seen = at
        if at < len(wanted):
            yield tuple(block.chosen[at].tolist())


def stationary(given: FaceProblem, chosen: Sequence[int]) -> Stationary | None:
    """Solve the least squares on the spans of faces; None if some h_j excludes a minimum."""
    fans = [given.fans[at] for at in chosen]
    fit = _span_fit(fans, given.labels)
    may = [stays(fan, fit.errors) for fan in fans]
    return Stationary(*fit, may) if all(m.above or m.below for m in may) else None


def minimum_of(
    given: FaceProblem, chosen: tuple[int, ...], found: Stationary
) -> FaceMinimum | None:
    """Find a minimum inside the faces of a stationary combination; None if there is none."""
    fans = [given.fans[at] for at in chosen]
    if found.V.ncols():
        point = _inside(given, fans, found)
        if point is None:
            return None
        signs, t = point
    else:
        some, t = unique_signs(fans, found), found.t
        signs = tuple(sign for sign in some if sign is not None)
        if len(signs) < len(some):
            return None
    R = _weights(fans, t) * given.lift.transpose()
    return FaceMinimum(chosen, signs, R, found.errors, found.unique(given), found.kinked)


def _span_fit(fans: Sequence[Fan], labels: fmpq_mat) -> _SpanFit:
    columns = [column for fan in fans for column in fan.table.transpose().tolist()]
    if not columns:
        return _SpanFit(fmpq_mat(0, 1), fmpq_mat(0, 0), -labels)
    A = fmpq_mat(columns).transpose()
    t = least_squares(A, labels)
    return _SpanFit(t, null_space(A), A * t - labels)


def _parts(fans: Sequence[Fan], t: fmpq_mat) -> list[fmpq_mat]:
    """Split the rows of t, or of V, by neuron."""
    rows, parts, at = t.tolist(), [], 0
    for fan in fans:
        m = fan.basis.ncols()
        parts.append(fmpq_mat(m, t.ncols(), [s for row in rows[at : at + m] for s in row]))
        at += m
    return parts


def _weights(fans: Sequence[Fan], t: fmpq_mat) -> fmpq_mat:
    """Return the R_j = B_j t_j, one a row."""
    rows = [(fan.basis * part).entries() for fan, part in zip(fans, _parts(fans, t), strict=True)]
    return fmpq_mat(rows)


def unique_signs(fans: Sequence[Fan], found: Stationary) -> list[int | None]:
    """Return the sign of each z_j where t is unique: whether R_j is on its face, opposite, or 0.

    None where it is neither, or where h_j excludes that sign.
    """
    signs: list[int | None] = []
    for fan, m, part in zip(fans, found.may, _parts(fans, found.t), strict=True):
        heights = (fan.sides * part).entries()
        if m.above and all(h > 0 for h in heights):
            signs.append(1)
        elif m.below and all(h < 0 for h in heights):
            signs.append(-1)
        elif m.above and m.below and all(s == 0 for s in part.entries()):
            signs.append(0)
        else:
            signs.append(None)
    return signs


def _inside(
    given: FaceProblem, fans: Sequence[Fan], found: Stationary
) -> tuple[Signs, fmpq_mat] | None:
    """Find a t + Vc with all R_j on their faces, with as few z_j = 0 as possible, and its signs."""
    whole = _SpanFit(found.t, found.V, found.errors)
    # Of the size of the labels.
    unit = fmpq(2) ** scaled(given.labels.entries())[1]
    blocks = _heights(fans, whole, unit)
    choices = []
    for j, m in enumerate(found.may):
        # A sign that R_j cannot have by itself is not tried together with the others.
        signs = [
            sign
            for sign, may in ((1, m.above), (-1, m.below))
            if may and _point([blocks[j]], [sign]) is not None
        ]
        if m.above and m.below and _without(given, fans, [j], found.errors) is not None:
            signs.append(0)
        if not signs:
            return None
        choices.append(signs)
    for signs in sorted(itertools.product(*choices), key=lambda signs: signs.count(0)):
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
    return None


def _without(
    given: FaceProblem, fans: Sequence[Fan], resting: Sequence[int], errors: fmpq_mat
) -> _SpanFit | None:
    """Solve the least squares of the other neurons; None unless it has the same errors."""
    fit = _span_fit([fan for j, fan in enumerate(fans) if j not in resting], given.labels)
    return fit if fit.errors == errors else None


def _heights(fans: Sequence[Fan], fit: _SpanFit, unit: fmpq) -> list[fmpq_mat]:
    """Return for each neuron the rows (G t / unit, G V) of its products with the samples."""
    found = []
    for fan, t, V in zip(fans, _parts(fans, fit.t), _parts(fans, fit.V), strict=True):
        rows = zip((fan.sides * t / unit).entries(), (fan.sides * V).tolist(), strict=True)
        entries = [s for h, slope in rows for s in (h, *slope)]
        found.append(fmpq_mat(fan.sides.nrows(), V.ncols() + 1, entries))
    return found


def _point(blocks: Sequence[fmpq_mat], signs: Sequence[int]) -> fmpq_mat | None:
    """Find a (τ, c), τ > 0, with τ G t / unit + G V c of the given sign for each neuron, or None.

    These form an open cone.
    """
    rows = [
        row for block, sign in zip(blocks, signs, strict=True) for row in (sign * block).tolist()
    ]
    columns = blocks[0].ncols() if blocks else 1
    return positive_point(fmpq_mat([[fmpq(1)] + [fmpq(0)] * (columns - 1), *rows]))


def witness(given: FaceProblem, place: int) -> fmpq_mat:
    """Find a weight on a face, (d, 1), far from its boundary."""
    fan = given.fans[place]
    t = positive_point(fan.sides)
    if t is None:
        raise AssertionError("a face has a point")
    return given.lift * fan.basis * t


# Squares of larger weights are beyond float64.
_LARGEST = 2.0**511


def placed(
    given: FaceProblem, chosen: Sequence[int], signs: Signs, R: fmpq_mat, rests: dict[int, fmpq_mat]
) -> tuple[TwoLayer, float, float]:
    """Return the network of R with |z_j| = ‖w_j‖, its radius and its margin.

    **Arguments:** `chosen`, the faces; `rests`, for some neurons with R_j = 0 the w_j, up to scale;
    the others get a `witness` of their face.

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
        # Where R_j = 0 any w_j of the face and any z_j of the sign will do: of the data's size.
        highest = max((t * length for t, length in angles), default=1.0)
        power = 2.0 ** (min(exponent, 2000) / 2)
        root_norm = float(np.sqrt(norm)) * power if moves else given.size / highest
        if root_norm > _LARGEST:
            raise ValueError("the weights of a network are beyond float64; scale x or y")
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
