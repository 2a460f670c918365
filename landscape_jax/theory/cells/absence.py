"""A proof, in rational numbers, that a cell combination holds no genuine differentiable minimum."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat
from jaxtyping import Bool, Float
from scipy.optimize import linprog

from landscape_jax.exact.rationals import least_squares, nearest_matrix, null_space
from landscape_jax.exact.samples import exact_rows
from landscape_jax.mistakes import explained
from landscape_jax.theory.cells.arrangement import Cell, stacked_patterns
from landscape_jax.theory.cells.solutions import exact_table

# Multipliers of the linear program up to it count as 0; the exact check does not depend on it.
_ZERO = 1e-9
_Pattern = Bool[np.ndarray, "samples neurons"]
_Signs = tuple[int, ...]
# λ_{ji} > 0 by neuron and sample.
_Multipliers = dict[tuple[int, int], fmpq]


class NoMinimum(NamedTuple):
    """What is proven of a cell combination, for each choice of the signs of z.

    - `proven`: all cases are refuted, so it holds no differentiable local minimum.
    - `refuted`: for each refuted choice of signs its multipliers (see `prove_none`), empty where
      the gradient in an R_j with z_j = 0 is not 0.
    - `unproven`: the other choices of signs.
    """

    proven: bool
    refuted: dict[_Signs, _Multipliers]
    unproven: tuple[_Signs, ...]


class _Case(NamedTuple):
    """The neurons with z_j ≠ 0 in a case, and their R* and V, exactly, stacked by neuron."""

    active: list[int]
    R: fmpq_mat
    V: fmpq_mat


@explained
def prove_none(x: Any, y: Any, combination: Sequence[Cell]) -> NoMinimum:
    """Prove that no differentiable local minimum is inside the cells of K neurons.

    One with z_j of signs σ_j is an R = R* + Vc of the least squares of the neurons with σ_j ≠ 0,
    with a gradient 0 in the other R_j, and with σ_j sᵢⱼ xᵢ·R_j > 0 for all active j and xᵢ ≠ 0.
    By Farkas' lemma there is none if (and only if) some λ ≥ 0, not all 0, has

        Σ λ_{ji} σ_j sᵢⱼ xᵢ·(Vc)_j = 0 for all c,  and  Σ λ_{ji} σ_j sᵢⱼ xᵢ·R*_j ≤ 0,

    as the sum of positive numbers is positive.  A linear program finds which λ_{ji} are not 0; they
    are then solved for and checked in rational arithmetic, in each of 3^K cases.  `genuine_minimum`
    decides the same; here the multipliers are a proof that can be checked on its own.

    **Arguments:** `x`, (N, d), and `y`, (N,), see `exact_samples`: floats are read exactly;
    `combination`, the K neurons' cells, from `cells(x)`.

    **Returns:** a `NoMinimum`; if it is not proven there may be a minimum or not.

    **Raises:** `ValueError` if the cells are of other samples; else like `exact_samples`.

    Source: LIU, eqs. 10–13, with strict inequalities and with z_j = 0 (see `genuine_minimum`).

    ```python
    >>> from landscape_jax.theory.cells import cells
    >>> both = next(cells([[1, 0], [0, 1]]))
    >>> prove_none([[1, 0], [0, 1]], [1, -1], [both])
    NoMinimum(proven=True, refuted={(1,): {(0, 1): 1}, (-1,): {(0, 0): 1}, (0,): {}}, unproven=())
    >>> prove_none([[1, 0], [0, 1]], [1, 1], [both]).unproven
    ((1,),)

    ```
    """
    rows, labels = exact_rows(x, y)
    patterns = stacked_patterns(combination, len(rows)).T
    refuted: dict[_Signs, _Multipliers] = {}
    unproven: list[_Signs] = []
    for moving in itertools.product([True, False], repeat=len(combination)):
        case = _case(rows, labels, patterns, np.array(moving))
        for signs in itertools.product(*[[1, -1] if m else [0] for m in moving]):
            multipliers = {} if case is None else _refute(rows, patterns, case, signs)
            if multipliers is None:
                unproven.append(signs)
            else:
                refuted[signs] = multipliers
    return NoMinimum(not unproven, refuted, tuple(unproven))


def _case(
    rows: list[list[fmpq]],
    labels: fmpq_mat,
    patterns: _Pattern,
    moving: Bool[np.ndarray, " neurons"],
) -> _Case | None:
    """Solve the least squares of the moving neurons; None if the others have a gradient ≠ 0."""
    active = np.flatnonzero(moving).tolist()
    if active:
        A = exact_table(rows, patterns[:, active])
        R = least_squares(A, labels)
        errors, V = A * R - labels, null_space(A)
    else:
        R, errors, V = fmpq_mat(0, 1), -labels, fmpq_mat(0, 0)
    others = exact_table(rows, patterns[:, ~moving]) if not moving.all() else None
    if others is not None and any(t != 0 for t in (others.transpose() * errors).entries()):
        return None
    return _Case(active, R, V)


def _refute(
    rows: list[list[fmpq]], patterns: _Pattern, case: _Case, signs: _Signs
) -> _Multipliers | None:
    """Find and check the multipliers of one choice of signs; None if none are found."""
    inputs, free = len(rows[0]), case.V.ncols()
    bounds = [(j, i) for j in case.active for i, row in enumerate(rows) if any(t != 0 for t in row)]
    if not bounds:
        return None
    # The rows σ sᵢⱼ (0, …, xᵢ, …, 0).
    G = fmpq_mat(len(bounds), case.R.nrows())
    for at, (j, i) in enumerate(bounds):
        side = signs[j] if patterns[i, j] else -signs[j]
        for k, t in enumerate(rows[i]):
            G[at, case.active.index(j) * inputs + k] = side * t
    heights, slopes = (G * case.R).entries(), G * case.V
    support = _support(nearest_matrix(G), case)
    # The equations of λ on the support; at a vertex they leave one direction.
    equations = fmpq_mat(max(free, 1), len(support))
    for (f, at), s in zip(np.ndindex(free, len(support)), support * free, strict=True):
        equations[f, at] = slopes[s, f]
    solutions = null_space(equations)
    weights = solutions.entries()
    total = sum(weights, fmpq(0))
    if solutions.ncols() != 1 or total == 0:
        return None
    weights = [t / total for t in weights]
    height = sum((t * heights[s] for t, s in zip(weights, support, strict=True)), fmpq(0))
    if height > 0 or any(t < 0 for t in weights):
        return None
    return {bounds[s]: t for s, t in zip(support, weights, strict=True) if t != 0}


def _support(G: Float[np.ndarray, "rows entries"], case: _Case) -> list[int]:
    """Find which multipliers are not 0 at the least λ·G R* over {λ ≥ 0, λᵀGV = 0, Σλ = 1}."""
    units = G / np.linalg.norm(G, axis=1, keepdims=True)
    R, V = nearest_matrix(case.R)[:, 0], nearest_matrix(case.V).reshape(G.shape[1], -1)
    slopes = units @ (V / np.linalg.norm(V, axis=0))
    equations = np.vstack([slopes.T, np.ones((1, len(G)))])
    target = np.append(np.zeros(slopes.shape[1]), 1.0)
    scale = max(float(np.linalg.norm(R)), np.finfo(float).tiny)
    best = linprog(units @ R / scale, A_eq=equations, b_eq=target)
    return [] if best.x is None else np.flatnonzero(best.x > _ZERO).tolist()
