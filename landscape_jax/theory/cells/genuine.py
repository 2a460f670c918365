"""Genuine differentiable local minima: those of a cell combination that lie inside its cells."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from flint import fmpq_mat
from jaxtyping import Array, Float, PyTree
from scipy.optimize import linprog

from landscape_jax.exact.ranks import rank_tolerance
from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.theory.cells.arrangement import Cell, cell_combinations, cells

# Relative to the data's scale: heights above it are inside, gradients below it are 0.  Rounding is
# about 1e-14 of that scale, the linear programs' own tolerance 1e-10 (the least that HiGHS takes).
_INSIDE = 1e-9
_OPTIONS = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


class GenuineMinimum(NamedTuple):
    """A local minimum (z, w) strictly inside its cells.

    - `network`: w as W₁, (K, d), and z as W₂, (1, K), without biases; |z_j| = ‖w_j‖ where z_j ≠ 0.
    - `loss`: (1/N) Σ (q(xᵢ) − yᵢ)², and `gradient_norm` of it, both by the objective itself.
    - `unique`: whether R* is; else the minima of these cells form a continuum.
    - `signs`: of the z_j.
    - `radius`: minᵢⱼ |w_j·xᵢ| / ‖xᵢ‖ > 0, how far each w_j may move inside its cell.
    - `margin`: minᵢⱼ |w_j·xᵢ| / (‖w_j‖‖xᵢ‖).
    - `R`: the R_j = z_j w_j, (K, d), in rational numbers, for which all is proven, where
      `landscape` lists it; None where it was found in floats.
    """

    network: TwoLayer
    loss: float
    gradient_norm: float
    unique: bool
    signs: tuple[int, ...]
    radius: float
    margin: float
    R: fmpq_mat | None = None


class NotGenuine(NamedTuple):
    """No minimum of the least squares is inside these cells.

    - `loss`: the one that it would have; `unique`: whether R* is.
    - `reason`: why there is none.
    """

    loss: float
    unique: bool
    reason: str


class _Fit(NamedTuple):
    """The least squares of some neurons: R* + V c, and its errors."""

    R: Float[np.ndarray, "neurons inputs"]
    V: Float[np.ndarray, "neurons inputs free"]
    errors: Float[np.ndarray, " samples"]


def genuine_minimum(
    x: Float[np.ndarray, "samples inputs"],
    y: Float[np.ndarray, " labels"],
    combination: Sequence[Cell],
) -> GenuineMinimum | NotGenuine:
    """Find a local minimum strictly inside the cells of K neurons, or say why there is none.

    Inside its cells the loss of a network Σ z_j [w_j·x]₊ is a convex function of R_j = z_j w_j.  A
    point (z, w) there is a local minimum if and only if R minimises it: R = A⁺y + (I − A⁺A)c.  So
    some such R must have each R_j in the cell of neuron j (then z_j > 0), in its mirror image
    (z_j < 0), or R_j = 0 (z_j = 0, and w_j anywhere in the cell).  Where R is unique this is a
    matter of signs; else a linear program over c for each choice of the signs asks for the R
    with the largest least height t ≤ sᵢⱼ R_j·xᵢ/‖xᵢ‖, t at most the data's scale.

    What the paper says and does not hold: its criteria (11)–(13) leave out z_j = 0, with which
    minima are missed (on data of one neuron a second one rests), and allow w_j·xᵢ = 0 where
    Iᵢⱼ = 0, which lets in points that are no minima: x₁ = (1, 0), x₂ = (0, 1), y = (1, 1), z = 1
    and w = (1, 0) pass (11), and w = (1, δ) is lower.  Here all sets of resting neurons are
    tried, the empty one first, each where the least squares of the others has gradient 0 also in
    the R_j at rest (else the point is a saddle or none, theorem 2), and all inequalities are
    strict.

    Heights of at most 1e-9 of the scale ‖y‖/‖x‖ (of ‖R‖ where it is larger) count as not inside,
    so "none" means: none that deep.  It costs at most 3^K small linear programs.

    **Arguments:** `x`, (N, d), one sample a row, a bias as a column of ones; `y`, (N,);
    `combination`, the K neurons' cells, from `cells(x)`.

    **Returns:** a `GenuineMinimum`, with z_j ≠ 0 for as many neurons as can be, or a `NotGenuine`.

    **Raises:** `ValueError` where shapes do not fit or entries are not finite; `RuntimeError` where
    the solver fails.

    Source: LIU, lemma 1, theorem 1, eqs. 10–13.

    ```python
    >>> import numpy as np
    >>> four = list(cells(np.eye(2)))
    >>> [genuine_minimum(np.eye(2), np.array([1.0, 1.0]), [cell]).loss for cell in four]
    [0.0, 1.0, 0.5, 0.5]
    >>> print(genuine_minimum(np.eye(2), np.array([1.0, -1.0]), four[:1]).reason)
    the unique R* is not inside the cells: R_1 is on the wrong side of a sample for either sign of z

    ```
    """
    if y.shape != x.shape[:1] or not combination:
        raise ValueError(
            f"x and y have shapes {x.shape} and {y.shape}, for {len(combination)} cells; give "
            "(samples, inputs), (samples,) and at least one cell"
        )
    if any(cell.pattern.shape != y.shape for cell in combination):
        raise ValueError(f"a cell is not one of these {len(x)} samples; give those of cells(x)")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x or y has NaN or infinite entries; give finite numbers")
    width = len(combination)
    sides = _sides(x, combination)
    size, height = float(np.linalg.norm(x)), float(np.linalg.norm(y))
    scale = height / size if size > 0 and height > 0 else 1.0
    whole = _fit(x, y, combination)
    unique, reason = whole.V.shape[2] == 0, ""
    for resting in range(width + 1):
        for active in itertools.combinations(range(width), width - resting):
            chosen = list(active)
            fit = _fit(x, y, [combination[j] for j in chosen]) if resting else whole
            if resting and not _rests(x, fit.errors, combination, chosen, size * height):
                continue
            R = _inside(fit, sides[chosen], scale)
            if isinstance(R, str):
                reason = reason or R
                continue
            full = np.zeros((width, x.shape[1]))
            full[chosen] = R
            return _minimum(x, y, combination, sides, full, scale, unique)
    return NotGenuine(float(np.mean(whole.errors**2)), unique, reason)


def genuine_minima(
    x: Float[np.ndarray, "samples inputs"],
    y: Float[np.ndarray, " labels"],
    width: int,
    *,
    limit: int = 1_000_000,
) -> Iterator[GenuineMinimum]:
    """Give one genuine differentiable local minimum of each cell combination that has some.

    **Arguments:** `x`, (N, d), a bias as a column of ones; `y`, (N,); `width`, the number K of
    neurons; `limit`, the largest number of cell combinations that is taken on.

    **Returns:** an iterator, in the order of `cell_combinations`.

    **Raises:** `ValueError` like `genuine_minimum`, `cells` and `cell_combinations`.

    Source: LIU, section 4.3; all cells at once are LIU.8.

    ```python
    >>> import numpy as np
    >>> [m.loss for m in genuine_minima(np.eye(2), np.array([1.0, -1.0]), 1)]
    [1.0, 0.5, 0.5]

    ```
    """
    combinations = cell_combinations(list(cells(x)), width, limit=limit)
    found = (genuine_minimum(x, y, combination) for combination in combinations)
    return (minimum for minimum in found if isinstance(minimum, GenuineMinimum))


def _sides(
    x: Float[np.ndarray, "samples inputs"], combination: Sequence[Cell]
) -> Float[np.ndarray, "neurons rows inputs"]:
    """Give sᵢⱼ xᵢ/‖xᵢ‖ for xᵢ ≠ 0, so that w_j is in its cell where all products are positive."""
    sizes = np.linalg.norm(x, axis=1)
    units = x[sizes > 0] / sizes[sizes > 0, None]
    patterns = np.array([cell.pattern[sizes > 0] for cell in combination])
    return np.where(patterns, 1.0, -1.0)[:, :, None] * units


def _fit(
    x: Float[np.ndarray, "samples inputs"],
    y: Float[np.ndarray, " samples"],
    combination: Sequence[Cell],
) -> _Fit:
    samples, inputs = x.shape
    width = len(combination)
    if not width:
        return _Fit(np.zeros((0, inputs)), np.zeros((0, inputs, 0)), -y)
    patterns = np.stack([cell.pattern for cell in combination], axis=1)
    A = (patterns[:, :, None] * x[:, None, :]).reshape(samples, -1)
    U, s, Vt = np.linalg.svd(A)
    epsilon = float(np.finfo(np.float64).eps)
    rank = int(np.sum(s > rank_tolerance(*A.shape, epsilon) * s[0]))
    along = U[:, :rank].T @ y
    R = Vt[:rank].T @ (along / s[:rank])
    return _Fit(
        R.reshape(width, inputs), Vt[rank:].T.reshape(width, inputs, -1), U[:, :rank] @ along - y
    )


def _rests(
    x: Float[np.ndarray, "samples inputs"],
    errors: Float[np.ndarray, " samples"],
    combination: Sequence[Cell],
    active: list[int],
    scale: float,
) -> bool:
    """Say whether the gradient Σᵢ eᵢ Iᵢⱼ xᵢ is 0 for all neurons that are not active."""
    patterns = [cell.pattern for j, cell in enumerate(combination) if j not in active]
    return all(np.linalg.norm((errors * p) @ x) <= _INSIDE * scale for p in patterns)


def _inside(
    fit: _Fit, sides: Float[np.ndarray, "neurons rows inputs"], scale: float
) -> Float[np.ndarray, "neurons inputs"] | str:
    """Find an R with each R_j in the cell or its mirror image, or the reason why there is none."""
    width, free = len(fit.R), fit.V.shape[2]
    # Heights of R* and of each direction, over each sample's hyperplane.
    base = np.einsum("jnd,jd->jn", sides, fit.R)
    slopes = np.einsum("jnd,jdf->jnf", sides, fit.V)
    if not free:
        least = _INSIDE * max(scale, float(np.linalg.norm(fit.R)))
        within = np.all(base > least, axis=1) | np.all(base < -least, axis=1)
        if np.all(within):
            return fit.R
        return (
            f"the unique R* is not inside the cells: R_{np.argmin(within) + 1} is on the wrong "
            "side of a sample for either sign of z"
        )
    best, best_signs = -np.inf, ()
    for signs in itertools.product([1, -1], repeat=width):
        turn = np.array(signs, float)
        c = _deepest(turn[:, None] * base, turn[:, None, None] * slopes, scale)
        R = fit.R + fit.V @ c
        height = float(np.min(turn[:, None] * (base + slopes @ c), initial=np.inf))
        if height > _INSIDE * max(scale, float(np.linalg.norm(R))):
            return R
        if height > best:
            best, best_signs = height, signs
    return (
        f"no point of the {free}-dimensional set of R* is inside the cells: its least height over "
        f"a sample's hyperplane is at most {best / scale:.3g} of the scale, for z of the signs "
        f"{best_signs}"
    )


def _deepest(
    base: Float[np.ndarray, "neurons rows"],
    slopes: Float[np.ndarray, "neurons rows free"],
    scale: float,
) -> Float[np.ndarray, " free"]:
    """Give the c with the largest least height base + slopes·c, as far as the scale."""
    free = slopes.shape[2]
    heights = base.ravel() / scale
    table = np.column_stack([-slopes.reshape(-1, free), np.ones(len(heights))])
    bounds = [*[(None, None)] * free, (None, 1)]
    aim = np.append(np.zeros(free), -1.0)
    # HiGHS presolves the empty program of samples that are all 0 into a failure.
    if not len(heights):
        return np.zeros(free)
    best = linprog(aim, table, heights, bounds=bounds, options=_OPTIONS)
    if best.x is None:
        raise RuntimeError(f"the linear program of the cells failed: {best.message}")
    return scale * best.x[:-1]


def _minimum(
    x: Float[np.ndarray, "samples inputs"],
    y: Float[np.ndarray, " samples"],
    combination: Sequence[Cell],
    sides: Float[np.ndarray, "neurons rows inputs"],
    R: Float[np.ndarray, "neurons inputs"],
    scale: float,
    unique: bool,
) -> GenuineMinimum:
    """Give the network of R, with as large a second layer as first, looked at by the objective."""
    sizes = np.sqrt(np.linalg.norm(R, axis=1))
    # The sign for which R_j = z_j w_j has w_j in the cell; all of its heights agree.
    z = np.where(np.einsum("jnd,jd->j", sides, R) < 0, -1.0, 1.0) * sizes
    witnesses = np.array([cell.witness for cell in combination])
    w = np.where(z[:, None] != 0, R / np.where(z == 0, 1, z)[:, None], np.sqrt(scale) * witnesses)
    heights = np.min(np.einsum("jnd,jd->jn", sides, w), axis=1, initial=np.inf)
    network = TwoLayer(jnp.asarray(w), jnp.asarray(z[None]))
    loss, slope = value_and_slope(EmpiricalRisk(x, y), network)
    margin = np.min(heights / np.linalg.norm(w, axis=1))
    return GenuineMinimum(
        network=network,
        loss=loss,
        gradient_norm=slope,
        unique=unique,
        signs=tuple(int(s) for s in np.sign(z)),
        radius=float(np.min(heights)),
        margin=float(min(margin, 1.0)),
    )


def value_and_slope(risk: EmpiricalRisk, network: TwoLayer) -> tuple[float, float]:
    """Give the objective and the norm of its gradient."""
    loss, gradient = _look(risk, network)
    # Its squares need not be float64.
    return float(loss), math.hypot(*gradient.W1.ravel().tolist(), *gradient.W2.ravel().tolist())


@eqx.filter_jit
def _look(risk: EmpiricalRisk, network: TwoLayer) -> tuple[Array, PyTree]:
    return eqx.filter_value_and_grad(risk)(network)
