"""The least loss on closed cells, in rational numbers: non-negative least squares over rays."""

from collections.abc import Sequence
from typing import NamedTuple

from flint import fmpq, fmpq_mat

from landscape_jax.exact.rationals import least_squares, squares
from landscape_jax.theory.cells.rays import Rays

# A column, by the sign of z and the kind of its ray.
_Column = tuple[int, int]


class ConeFit(NamedTuple):
    """The nearest point of a cone to the labels: Σ λ_k a_k, λ > 0.

    - `weights`: λ of each column in use, by its sign and kind; `square`: ‖Σ λ_k a_k − y‖².
    """

    weights: dict[_Column, fmpq]
    square: fmpq


def cone_fit(rays: Rays, columns: Sequence[_Column], start: Sequence[_Column]) -> ConeFit:
    """Minimise ‖Σ λ_k a_k − y‖² over λ ≥ 0, exactly.

    An active set method (Lawson and Hanson 1974, chapter 23): each set of columns in use has a
    smaller sum of squares than the one before, so that it terminates; in rational numbers it ends
    at the minimum, where a_k·(y − Σ λ a) ≤ 0 for all k.

    **Arguments:** `columns`, by sign and kind; `start`, an initial guess of those in use.
    """
    weights = _all_positive(rays, start)
    while True:
        errors = fit_errors(rays, weights)
        others = [key for key in columns if key not in weights]
        slopes = rays.slopes([kind for _, kind in others], errors) if others else []
        gains = [sign * t for (sign, _), t in zip(others, slopes, strict=True)]
        if not gains or max(gains) <= 0:
            return ConeFit(weights, squares(errors))
        weights = _moved(rays, weights, others[gains.index(max(gains))])


def _all_positive(rays: Rays, start: Sequence[_Column]) -> dict[_Column, fmpq]:
    """Solve the least squares of a guess; no column is in use if a weight is negative."""
    inside = _least(rays, list(dict.fromkeys(start)))
    if any(t < 0 for t in inside.values()):
        return {}
    return {key: t for key, t in inside.items() if t > 0}


def _moved(rays: Rays, weights: dict[_Column, fmpq], new: _Column) -> dict[_Column, fmpq]:
    """Add a column, and remove those whose weights fall to 0 on the line to the new solution."""
    weights = weights | {new: fmpq(0)}
    while True:
        inside = _least(rays, list(weights))
        falling = [key for key, t in inside.items() if t <= 0]
        if not falling:
            return inside
        share = min(weights[key] / (weights[key] - inside[key]) for key in falling)
        moved = {key: t + share * (inside[key] - t) for key, t in weights.items()}
        weights = {key: t for key, t in moved.items() if t > 0}


def _least(rays: Rays, keys: list[_Column]) -> dict[_Column, fmpq]:
    if not keys:
        return {}
    return dict(zip(keys, least_squares(_table(rays, keys), rays.labels).entries(), strict=True))


def _table(rays: Rays, keys: Sequence[_Column]) -> fmpq_mat:
    return fmpq_mat([[sign * t for t in rays.columns[kind]] for sign, kind in keys]).transpose()


def fit_errors(rays: Rays, weights: dict[_Column, fmpq]) -> fmpq_mat:
    """Return y − Σ λ_k a_k for the weights λ of a fit."""
    if not weights:
        return rays.labels
    t = fmpq_mat(len(weights), 1, list(weights.values()))
    return rays.labels - _table(rays, list(weights)) * t
