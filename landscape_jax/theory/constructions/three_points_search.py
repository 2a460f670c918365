"""Candidates v, u for the conditions of YSJ19's theorem 2, from grids of all scales.

h(t) satisfies the conditions at v, u if and only if c·h(κt) does at v/κ, u/c.  So the grids are of
v/κ for powers κ of 4, and of the shares sⱼ = 3uⱼh(vⱼ), s₁ + s₂ = 1 by (C2.3), and scores have no
unit.
"""

import math
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from landscape_jax.networks.activations import Activation
from landscape_jax.theory.constructions.conditions import ConditionError, curvatures
from landscape_jax.theory.constructions.traces import BALLS, supports, trace

Four = tuple[float, float, float, float]

# 2e-10 to 4e9, those of order one first.
_SCALES = 4.0 ** np.array(sorted(range(-16, 17), key=abs))
# The values of v/κ; not 0, where many activations have a kink.
_GRID = np.arange(-23, 24, 2) / 8
_COARSE = np.arange(-5, 6, 2) / 2
_FINE = np.linspace(-4, 4, 257)
# The points ±¼, ±¾, … of the fine grid, which suffice where h is 0 on an interval.
_SOME = np.arange(len(_FINE)) % 16 == 8
# s₁ ≥ ½, as (v₁, v₂) and (v₂, v₁) are both tried.
_SHARES = np.array([0.5, 0.6, 0.75, 0.9, 1.1, 1.5, 2.0, 3.0, 4.5, 8.0])
# The scale nearest to 1 is chosen among those whose best score is at least this share of the best.
_GOOD = 0.1
# A change of sign of (C2.1) must exceed this at one end, relative to a product.
_CLEAR = 1e-4
# Differences below this, relative to their terms, count as 0.
_NEGLIGIBLE = 1e-12
# Largest number of candidates.
_CHECKED = 64
_BISECTIONS = 60
_SEARCHED = f"v from {_SCALES.min() / 8:.0e} to {_SCALES.max() * 4:.0e} of both signs was searched"


def minimum_candidates(h: Activation) -> Iterator[tuple[tuple[float, float], float]]:
    """Yield (v₁, v₂) and u₁, those first with the largest least eigenvalue across the flat set.

    The eigenvalue of the Hessian is made free of units by the factor ℓ²/(1 + H²(u₁² + u₂²)), where
    H is the largest |h| on the grid and ℓ the minimum of κ and H / max |h′|.

    **Raises:** `ConditionError` if there are none.
    """
    at = _SCALES[:, None] * _GRID
    functions = h.function, h.derivative(1), h.derivative(2)
    value, first_derivative, second_derivative = (_vectorized(h, f)(at) for f in functions)
    with np.errstate(all="ignore"):
        height, steepness = (_largest(f) for f in (value, first_derivative))
        length = np.minimum(_SCALES, height / np.maximum(steepness, height / _SCALES))[:, None]
        # uh′/s and uh″/s with u = s/(3h), without the unit of t.
        rates = (
            length * first_derivative / (3 * value),
            length**2 * second_derivative / (3 * value),
        )
        usable = np.isfinite(rates[0]) & np.isfinite(rates[1]) & (value != 0) & _off_kinks(h, at)
        first, second = ([rate[:, :, None, None], rate[:, None, :, None]] for rate in rates)
        shares = _SHARES, 1 - _SHARES
        found = curvatures(tuple(first), tuple(second), shares, 1 / 3)
        swapped = curvatures(tuple(first[::-1]), tuple(second[::-1]), shares[::-1], 1 / 3).first
        mixed = shares[0] * first[0] * shares[1] * first[1]
        largest = (found.first + swapped) / 2 + np.hypot((found.first - swapped) / 2, mixed)
        weight = (height[:, None] / (3 * value)) ** 2
        weights = (
            weight[:, :, None, None] * shares[0] ** 2 + weight[:, None, :, None] * shares[1] ** 2
        )
        score = found.definite / largest / (1 + weights)
        pairs = usable[:, :, None, None] & usable[:, None, :, None]
        curved = pairs & (found.first > _NEGLIGIBLE * found.first_size)
        definite = curved & (swapped > 0) & (found.definite > _NEGLIGIBLE * found.definite_size)
    for name, seen in (("C2.3", value != 0), ("C2.6", curved), ("C2.7", definite)):
        if not seen.any():
            raise nothing_found(name, h)
    score = np.where(definite & np.isfinite(score), score, -np.inf)
    # The best v₂ and share for each v₁.
    flat = score.reshape(*at.shape, -1)
    best, choice = flat.max(axis=-1), flat.argmax(axis=-1)
    places = np.indices(at.shape).reshape(2, -1)
    # For t + εt² the best v are of order 1/ε, but there entries of the Hessian differ by 1/ε².
    chosen = np.argmax(_best(best.ravel(), places[0]) * np.minimum(_SCALES, 1 / _SCALES) ** 2)
    for scale, i in places[:, _in_order(best.ravel(), places[0], chosen)].T:
        j, share = np.unravel_index(choice[scale, i], score.shape[2:])
        v = float(at[scale, i]), float(at[scale, j])
        yield v, float(_SHARES[share] / (3 * value[scale, i]))


def fit_candidates(h: Activation) -> Iterator[Four]:
    """Yield (v₁, v₂, v₃, v₄) of (C2.1), in increasing order of the size of the second layer.

    **Raises:** `ConditionError` if none of them clearly satisfies (C2.2).
    """
    evaluate = _vectorized(h, h.function)
    fine, coarse = (evaluate(_SCALES[:, None] * t) for t in (_FINE, _COARSE))
    with np.errstate(all="ignore"):
        scale, v, exact = _solutions(evaluate, fine, coarse)
        h1, h3, one, two = (evaluate(t) for t in (v[0], v[2], (v[0] + v[1]) / 2, (v[2] + v[3]) / 2))
        terms = np.abs(h3 * one), np.abs(h1 * two)
        difference = np.abs(h3 * one - h1 * two)
        score = difference / np.maximum(np.abs(h1), np.abs(h3))
        score /= np.maximum(_largest(coarse), _largest(fine))[scale]
    # Solutions with h = 0 on both sides are used only if there are no others.
    keep = np.isfinite(score) & (difference > _NEGLIGIBLE * (terms[0] + terms[1]))
    keep &= ~exact | ~(keep & ~exact).any()
    if not keep.any():
        raise nothing_found("C2.2", h)
    score = np.where(keep, score, -np.inf)
    best = _best(score, scale)
    for place in _in_order(score, scale, np.argmax(best >= _GOOD * best.max())):
        v1, v2, v3, v4 = v[:, place].tolist()
        yield v1, v2, v3, v4


def nothing_found(condition: str, h: Activation) -> ConditionError:
    """Return the error for a search without a result, which proves nothing of the activation."""
    return ConditionError(
        condition,
        f"{_SEARCHED}, and whether other v satisfy it for {h.name} is not known; check numbers of "
        "your own with check_fit and check_minimum, and give a leaky ReLU as activations.leaky",
        "is undecided, nothing found",
    )


def _largest(table: np.ndarray) -> Float[np.ndarray, " scales"]:
    """Return the largest finite absolute value of each row."""
    return np.where(np.isfinite(table), np.abs(table), 0).max(axis=1)


def _vectorized(h: Activation, function: Callable) -> Callable[[np.ndarray], np.ndarray]:
    """Return h or a derivative as a function of NumPy arrays, padded to few sizes.

    Supported operations are compiled one by one, once for all functions; others as a whole.
    """
    compiled = function if supports(BALLS, trace(h)) else jax.jit(function)

    def evaluate(t: np.ndarray) -> np.ndarray:
        size = 4 ** math.ceil(math.log(max(t.size, 1), 4))
        found = np.asarray(compiled(jnp.asarray(np.resize(t, size))), np.float64)
        return found[: t.size].reshape(t.shape)

    return evaluate


def _off_kinks(h: Activation, at: np.ndarray) -> Bool[np.ndarray, "scales points"]:
    """Return which points of the grids are away from known kinks."""
    kinks = np.array([*h.kinks, np.inf])
    return np.abs(at[:, :, None] - kinks).min(axis=2) > 0.1 * _SCALES[:, None]


def _best(score: np.ndarray, scale: np.ndarray) -> Float[np.ndarray, " scales"]:
    """Return the best score of each scale."""
    best = np.full(len(_SCALES), -np.inf)
    np.maximum.at(best, scale, score)
    return best


def _in_order(score: np.ndarray, scale: np.ndarray, chosen: np.integer) -> Int[np.ndarray, " best"]:
    """Return the indices of the best scores, those of the chosen scale first."""
    order = np.argsort(-score, kind="stable")
    order = order[np.isfinite(score[order])]
    here = scale[order] == chosen
    return np.concatenate([order[here][: _CHECKED // 2], order[~here][: _CHECKED // 2]])


def _solutions(
    evaluate: Callable[[np.ndarray], np.ndarray], fine: np.ndarray, coarse: np.ndarray
) -> tuple[np.ndarray, Float[np.ndarray, "4 found"], Bool[np.ndarray, " found"]]:
    """Solve (C2.1) for v₄ at all scales; return scale indices, v, and whether both sides are 0."""
    s, i, j, k = np.ix_(range(len(_SCALES)), *[range(len(_COARSE))] * 3)
    outer = coarse[s, i]
    found, wanted = np.broadcast_arrays(
        outer[..., None] * fine[:, None, None, None, :], (coarse[s, j] * coarse[s, k])[..., None]
    )
    off = found - wanted
    # A change of sign between two grid points, or around one that is a solution itself.
    between = _where((off[..., :-1] * off[..., 1:]) < 0)
    around = _where((off[..., 1:-1] == 0) & (off[..., :-2] * off[..., 2:] < 0))
    flat = _where((found == 0) & (wanted == 0) & (outer[..., None] != 0) & _SOME)
    step = np.repeat((1, 2, 0), [case.shape[1] for case in (between, around, flat)])
    places = np.concatenate([between, around, flat], axis=1)
    # The difference must be clearly nonzero at one end.
    ends = places, places + np.outer(np.arange(5) == 4, step)
    clear = [np.abs(off[tuple(end)]) > _CLEAR * np.abs(wanted[tuple(end)]) for end in ends]
    kept = (step == 0) | clear[0] | clear[1]
    (scale, *coarsely, cell), step = places[:, kept], step[kept]
    v = np.stack([_SCALES[scale] * _COARSE[place] for place in coarsely])
    low, high = (_SCALES[scale] * _FINE[place] for place in (cell, cell + step))
    first, second, third = (coarse[scale, place] for place in coarsely)
    product = second * third
    end = np.sign(first * evaluate(high) - product)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        beyond = (first * evaluate(middle) - product) * end > 0
        low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
    return scale, np.concatenate([v, high[None]]), step == 0


def _where(mask: np.ndarray) -> Int[np.ndarray, "axes found"]:
    """Return the indices where a mask holds, one a column."""
    return np.stack(np.nonzero(mask))
