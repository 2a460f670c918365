"""Genuine differentiable local minima: those of a cell combination that lie inside its cells."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from flint import fmpq_mat

from landscape_jax.exact.rationals import nearest, squares
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk, gradient
from landscape_jax.theory.cells.arrangement import Cell, cell_bound
from landscape_jax.theory.cells.cones import positive_point
from landscape_jax.theory.cells.fans import FaceProblem, cell_problem, check_count
from landscape_jax.theory.cells.stationary import (
    FaceMinimum,
    Stationary,
    face_minima,
    minimum_of,
    placed,
    stationary,
    unique_signs,
)

# Beyond so many neurons a combination is a system of equations of thousands of unknowns.
_WIDEST = 200


class GenuineMinimum(NamedTuple):
    """A local minimum (z, w) strictly inside its cells.

    - `network`: w as W₁, (K, d), and z as W₂, (1, K), without biases: `R` rounded, with |z_j| =
      ‖w_j‖ where z_j ≠ 0.
    - `loss`: (1/N) Σ (q(xᵢ) − yᵢ)² of R, rounded once.
    - `gradient_norm`: of the objective at `network`, see `landscape_jax.objectives.gradient_norm`.
    - `unique`: whether R is the only one of these cells; else the minima form a continuum.
    - `signs`: of the z_j.
    - `radius`: minᵢⱼ |w_j·xᵢ| / ‖xᵢ‖ > 0, how far each w_j may move inside its cell.
    - `margin`: minᵢⱼ |w_j·xᵢ| / (‖w_j‖‖xᵢ‖).
    - `R`: the R_j = z_j w_j, (K, d), in rational numbers, for which all is proven.
    """

    network: TwoLayer
    loss: float
    gradient_norm: float
    unique: bool
    signs: tuple[int, ...]
    radius: float
    margin: float
    R: fmpq_mat


class NotGenuine(NamedTuple):
    """No minimum of the least squares is inside these cells.

    - `loss`: the least squares loss, which a minimum would have; `unique`: whether R* is unique.
    - `reason`: why there is none.
    """

    loss: float
    unique: bool
    reason: str


@explained
def genuine_minimum(x: Any, y: Any, combination: Sequence[Cell]) -> GenuineMinimum | NotGenuine:
    """Find a local minimum strictly inside the cells of K neurons, or prove that there is none.

    Inside its cells the loss of a network Σ z_j [w_j·x]₊ is a convex function of R_j = z_j w_j.  A
    point (z, w) there is a local minimum if and only if R minimises it: R = A⁺y + (I − A⁺A)c.  So
    some such R must have each R_j in the cell of neuron j (then z_j > 0), in its mirror image
    (z_j < 0), or R_j = 0 (z_j = 0, and w_j anywhere in the cell).  Where R is unique this is a
    matter of signs; else `positive_point` finds a c for some choice of the signs, or proves that
    there is none for any.

    Corrections to the paper: its criteria (11)–(13) leave out z_j = 0, with which
    minima are missed (on data of one neuron a second one has z_j = 0), and allow w_j·xᵢ = 0 where
    Iᵢⱼ = 0, which lets in points that are no minima: x₁ = (1, 0), x₂ = (0, 1), y = (1, 1), z = 1
    and w = (1, 0) pass (11), and w = (1, δ) is lower.  Here all sets of neurons with z_j = 0 are
    tried, the empty one first, each where the least squares of the others has gradient 0 also in
    their R_j (else the point is a saddle or none, theorem 2), and all inequalities are strict.

    All is decided in rational numbers, without a tolerance: labels that are the outputs of a
    network only to within rounding have no minimum with loss 0, or z_j = 0; give exact numbers for
    those.  Only the given cells are used, so the samples may have too many to list.

    **Arguments:** `x`, (N, d), one sample a row, a bias as a column of ones, and `y`, (N,), numbers
    as in `exact_samples`; `combination`, the K neurons' cells, from `cells(x)` or `sampled_cells`.

    **Returns:** a `GenuineMinimum`, with z_j ≠ 0 for as many neurons as can be, or a `NotGenuine`.

    **Raises:** `ValueError` if `combination` is empty or holds a cell of other samples, if float64
    is off, and if an entry or the square of the labels is beyond float64; else like
    `exact_samples`.

    Source: LIU, lemma 1, theorem 1, eqs. 10–13.

    ```python
    >>> import numpy as np
    >>> from landscape_jax.theory.cells import cells
    >>> four = list(cells(np.eye(2)))
    >>> [genuine_minimum(np.eye(2), np.array([1.0, 1.0]), [cell]).loss for cell in four]
    [0.0, 1.0, 0.5, 0.5]
    >>> print(genuine_minimum(np.eye(2), np.array([1.0, -1.0]), four[:1]).reason)
    the unique R* is not inside the cells: neither R_1 nor -R_1 is in the cell of neuron 1

    ```
    """
    given = cell_problem(x, y, combination)
    for j in range(len(combination)):
        if positive_point(given.fans[j].sides) is None:
            raise ValueError(
                f"combination[{j}] is no cell of x: no weight has its activation pattern; give "
                "cells of cells(x) or sampled_cells(x, ...)"
            )
    chosen = tuple(range(len(combination)))
    found = stationary(given, chosen)
    assert found is not None, "only kinks can exclude a combination by first-order conditions"
    minimum = minimum_of(given, chosen, found)
    if minimum is None:
        loss = nearest(squares(found.errors) / len(given.rows))
        return NotGenuine(loss, found.unique(given), _reason(given, found))
    return next(as_genuine(given, [minimum]))


@explained
def genuine_minima(
    x: Any, y: Any, width: int, *, limit: int = 1_000_000
) -> Iterator[GenuineMinimum]:
    """List one genuine differentiable local minimum of each cell combination that has some.

    **Arguments:** `x`, (N, d), a bias as a column of ones, and `y`, (N,), numbers as in
    `exact_samples`; `width`, the number K of neurons; `limit`, the largest number of cell
    combinations that is accepted.

    **Returns:** an iterator, in the order of `cell_combinations`.

    **Raises:** `ValueError` with the number if there may be more combinations, and if width < 1 or
    above 200; else like `genuine_minimum`.

    Source: LIU, section 4.3.

    ```python
    >>> import numpy as np
    >>> [m.loss for m in genuine_minima(np.eye(2), np.array([1.0, -1.0]), 1)]
    [1.0, 0.5, 0.5]

    ```
    """
    if width > _WIDEST:
        raise ValueError(f"width is {width}; minima are listed for at most {_WIDEST}")
    check_count("cells", cell_bound(x), width, limit)
    given = cell_problem(x, y)
    return as_genuine(given, face_minima(given, range(given.cells), width, kinked=False))


def as_genuine(given: FaceProblem, found: Iterable[FaceMinimum]) -> Iterator[GenuineMinimum]:
    """Return the networks of minima in cells, with the gradient of the objective there."""
    risk = EmpiricalRisk(given.x, given.y)
    for minimum in found:
        network, radius, margin = placed(given, minimum.chosen, minimum.signs, minimum.R, {})
        yield GenuineMinimum(
            network=network,
            loss=nearest(squares(minimum.errors) / len(given.rows)),
            gradient_norm=_gradient_norm(risk, network),
            unique=minimum.unique,
            signs=minimum.signs,
            radius=radius,
            margin=margin,
            R=minimum.R,
        )


def _reason(given: FaceProblem, found: Stationary) -> str:
    """Explain why a combination of all cells of a problem holds no minimum."""
    if found.V.ncols():
        free = found.V.ncols() + given.cells * (given.lift.nrows() - given.lift.ncols())
        return (
            f"no point of the {free}-dimensional set of R* is inside the cells, for any signs of z"
        )
    fans = [given.fans[at] for at in range(given.cells)]
    j = unique_signs(fans, found).index(None) + 1
    none = "the unique R* is not" if found.unique(given) else "no R* is"
    return f"{none} inside the cells: neither R_{j} nor -R_{j} is in the cell of neuron {j}"


def _gradient_norm(risk: EmpiricalRisk, network: TwoLayer) -> float:
    """Return the package's gradient norm, also where squares of its entries are beyond float64."""
    found = gradient(risk, network)
    return max(math.hypot(*row) for W in (found.W1, found.W2) for row in W.tolist())
