"""Data of figures 4 and A4: the probability of local minima at moved parallel weights."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.arrays import count
from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.plots.paper_figure import MOST_POINTS
from landscape_jax.theory.parallel_weights import Mixture, Trapping, parallel_network, trapping

if TYPE_CHECKING:
    import xarray as xr

_Reach = tuple[float, float]
# Normals of figure 3, right: w₁ is active on its right, w₂ on its left.
_TWO = (1, -1)
# Positions of the four weights of figure A4.
_FOUR = (0.1, 0.05, 0.0, -0.05)
# Until the minimum of the expected loss is known to the last digits; each round halves the error.
_ROUNDS = 60


@explained
def figure_4a(
    *,
    mixture: Mixture | None = None,
    samples: int = 100,
    seed: int = 0,
    points: int = 601,
    reach: _Reach = (0.0, 6.0),
) -> "xr.Dataset":
    """Compute the empirical loss (1/N) Σ (q(xᵢ) − yᵢ)² of two weights, w₂ = 0, as a function of w₁.

    **Arguments:** `mixture`, the distribution of the samples, by default the paper's; `samples`, N,
    and their `seed`; `points`, of w₁; `reach`, the first and the last of them.

    **Returns:** `loss` (w_1), and `optimum` (w_1), the h₁* of the mixture: the expected loss is
    stationary where h₁* = h₁.

    **Raises:** `ValueError` if there are no samples, the seed is negative, there are fewer than 3
    points, or the range is not increasing.

    Source: LIU, section 7.3 and figure 4(a).

    ```python
    >>> found = figure_4a(points=9)
    >>> float(found.w_1[found.loss.argmin("w_1")])
    0.75

    ```
    """
    _check(samples, seed)
    axis = _axis("reach", reach, points)
    needed = 8.0 * samples * (8 + len(axis))
    require_memory(needed, f"the losses of {samples} samples", "give fewer")
    known = mixture or Mixture()
    rng = np.random.default_rng(seed)
    positive = rng.random(samples) < known.prior
    x = rng.normal(np.where(positive, *known.means), np.sqrt(np.where(positive, *known.variances)))
    y = np.where(positive, 1.0, -1.0)
    risk = EmpiricalRisk(jnp.asarray(x[:, None]), jnp.asarray(y[:, None]))
    positions = jnp.stack([axis, jnp.zeros_like(axis)], axis=1)
    best = _trapping(positions, _TWO, known, samples, None).optimum
    return _labelled(
        {"loss": (("w_1",), _losses(risk, positions)), "optimum": (("w_1",), best[:, 0])},
        {"w_1": axis},
        {"samples": samples, "seed": seed, **_mixture_attrs(known)},
    )


@explained
def figure_4b(
    *,
    mixture: Mixture | None = None,
    samples: int = 100,
    points: int = 2401,
    reach: _Reach = (0.0, 6.0),
) -> "xr.Dataset":
    """Compute P_t of two weights, w₂ = 0, as a function of w₁.

    The paper's curve, which rises to 1, must be that of the gap of w₁ alone: at w₂ = 0 the gap of
    w₂ has probability 0.12, so that P_t of both gaps, (26), is at most 4e-6.

    **Arguments:** as of `figure_4a`.

    **Returns:** `probability` (w_1), of the gap of w₁ alone; `of_both` (w_1), of both gaps, (26);
    `optimum` (w_1), h₁*.

    **Raises:** `ValueError` as `figure_4a`.

    Source: LIU, section 7.3 and figure 4(b).

    ```python
    >>> found = figure_4b(points=9)
    >>> [f"{p:.3f}" for p in found.probability.values[::2].tolist()]
    ['0.000', '0.001', '0.043', '0.872', '0.999']

    ```
    """
    _check(samples, 0)
    axis = _axis("reach", reach, points)
    known = mixture or Mixture()
    positions = jnp.stack([axis, jnp.zeros_like(axis)], axis=1)
    one = _trapping(positions, _TWO, known, samples, (0,))
    both = _trapping(positions, _TWO, known, samples, None)
    return _labelled(
        {
            "probability": (("w_1",), one.probability),
            "of_both": (("w_1",), both.probability),
            "optimum": (("w_1",), one.optimum[:, 0]),
        },
        {"w_1": axis},
        {"samples": samples, **_mixture_attrs(known)},
    )


@explained
def figure_4c(
    *,
    mixture: Mixture | None = None,
    samples: int = 100,
    points: int = 241,
    reach_1: _Reach = (0.0, 6.0),
    reach_2: _Reach = (-6.0, 0.0),
) -> "xr.Dataset":
    """Compute P_t of two weights, by both gaps, as a function of both.

    The paper calls it the product of the probabilities for one weight each.  This is not exact:
    with disjoint gaps 1 − P_g is 1 − p₁ − p₂, not (1 − p₁)(1 − p₂), and P_t is lower by up to
    0.14/N; and it fails where w₁ is left of w₂, where both weights are active between them.
    P_t has a cusp at the minimum of the expected loss, where it is 1: between grid points it would
    be missed, so its coordinates are added to the axes.

    **Arguments:** as of `figure_4a`, with a range for each weight.

    **Returns:** `probability` (w_1, w_2), and `distance` (w_1, w_2), ‖h* − h‖, which is 0 at the
    minimum of the expected loss.

    **Raises:** `ValueError` as `figure_4a`.

    Source: LIU, section 7.3 and figure 4(c).

    ```python
    >>> found = figure_4c(points=3)
    >>> [f"{p:.3f}" for p in found.probability.sel(w_2=-6).values.tolist()]
    ['0.000', '0.999', '0.043', '0.999']
    >>> f"{float(found.probability.max()):.3f}"
    '1.000'

    ```
    """
    _check(samples, 0)
    first, second = _axis("reach_1", reach_1, points), _axis("reach_2", reach_2, points)
    known = mixture or Mixture()
    lowest = _lowest(jnp.stack([first.mean(), second.mean()]), known, samples)
    first, second = (_with(at, axis) for at, axis in zip(lowest, (first, second), strict=True))
    positions = jnp.stack(jnp.meshgrid(first, second, indexing="ij"), axis=-1).reshape(-1, 2)
    found = _trapping(positions, _TWO, known, samples, None)
    distance = jnp.linalg.norm(found.optimum - positions, axis=1)
    tables = {"probability": found.probability, "distance": distance}
    return _labelled(
        {name: (("w_1", "w_2"), t.reshape(len(first), len(second))) for name, t in tables.items()},
        {"w_1": first, "w_2": second},
        {"samples": samples, **_mixture_attrs(known)},
    )


@explained
def figure_a4a(
    *,
    normals: Sequence[int] = (1, 1, 1, 1),
    mixture: Mixture | None = None,
    samples: int = 100,
    points: int = 601,
    reach: _Reach = (0.0, 6.0),
) -> "xr.Dataset":
    """Compute P_t of four weights as a function of a shift of the uppermost, at 0.1.

    **Arguments:** `normals`, 1 for i or −1 for −i; `mixture`, `samples`, `points` and `reach`, of
    the shift, as of `figure_4a`.  The paper states neither the normals nor the range; by default
    all normals are i, and the range is that of figure 4(b).  By all four gaps, P_t is below 1e-20
    here for all normals; by the gap of the shifted weight it rises to 1 if its normal is i.

    **Returns:** `log_probability` (shift), log P_t by all four gaps, (26); `largest` (shift), by
    the largest gap, (E.8); `moved` (shift), by the gaps of the weights that are shifted.

    **Raises:** `ValueError` as `figure_4a`, and if the normals are not four signs.

    Source: LIU, appendix E.3 and figure A4(a).

    ```python
    >>> found = figure_a4a(points=7)
    >>> f"{float(found.log_probability.max()):.0f} {float(found.moved.max()):.1f}"
    '-67 -0.0'

    ```
    """
    return _shifted((0,), normals, mixture or Mixture(), samples, _axis("reach", reach, points))


@explained
def figure_a4b(
    *,
    normals: Sequence[int] = (1, 1, 1, 1),
    mixture: Mixture | None = None,
    samples: int = 100,
    points: int = 601,
    reach: _Reach = (0.0, 6.0),
) -> "xr.Dataset":
    """Compute P_t of four weights, at 0.1, 0.05, 0, −0.05, as a function of a common shift.

    If any normal is −i, P_t is below 1e-23 in the default range.

    **Arguments, Returns, Raises:** as of `figure_a4a`.

    Source: LIU, appendix E.3 and figure A4(b).

    ```python
    >>> found = figure_a4b(points=7)
    >>> f"{float(found.log_probability[-1]):.4f}"
    '-0.0018'

    ```
    """
    return _shifted(
        (0, 1, 2, 3), normals, mixture or Mixture(), samples, _axis("reach", reach, points)
    )


def _shifted(
    moved: tuple[int, ...],
    normals: Sequence[int],
    known: Mixture,
    samples: int,
    shift: Float[Array, " points"],
) -> "xr.Dataset":
    _check(samples, 0)
    start = jnp.asarray(_FOUR, shift.dtype)
    positions = start + shift[:, None] * jnp.zeros(4, shift.dtype).at[jnp.asarray(moved)].set(1)
    all_gaps = _trapping(positions, normals, known, samples, None)
    moved_gaps = _trapping(positions, normals, known, samples, moved)
    logs = {
        "log_probability": all_gaps.log_probability,
        "largest": all_gaps.log_largest,
        "moved": moved_gaps.log_probability,
    }
    attrs = {"samples": samples, "normals": list(normals), "moved": list(moved)}
    tables = {name: (("shift",), values) for name, values in logs.items()}
    return _labelled(tables, {"shift": shift}, attrs | _mixture_attrs(known))


def _lowest(start: Float[Array, "2"], mixture: Mixture, samples: int) -> Float[Array, "2"]:
    """Return the minimum of the expected loss: each round moves both weights to their optima."""

    def moved(_: Array, h: Float[Array, "2"]) -> Float[Array, "2"]:
        return trapping(h, _TWO, mixture, samples=samples).optimum

    return jax.lax.fori_loop(0, _ROUNDS, moved, start)


def _with(value: Float[Array, ""], axis: Float[Array, " points"]) -> Float[Array, " more"]:
    """Add a coordinate to an axis, unless it is outside or there already."""
    inside = (axis[0] < value) & (value < axis[-1]) & ~(axis == value).any()
    return jnp.sort(jnp.append(axis, value)) if bool(inside) else axis


def _trapping(
    positions: Float[Array, "points weights"],
    normals: Sequence[int],
    mixture: Mixture,
    samples: int,
    gaps_of: tuple[int, ...] | None,
) -> Trapping:
    def of(h: Float[Array, " weights"]) -> Trapping:
        return trapping(h, normals, mixture, samples=samples, gaps_of=gaps_of)

    return jax.vmap(of)(positions)


@eqx.filter_jit
def _losses(risk: EmpiricalRisk, positions: Float[Array, "points 2"]) -> Float[Array, " points"]:
    return jax.vmap(lambda h: risk(parallel_network(h, _TWO)))(positions)


def _check(samples: int, seed: int) -> None:
    if samples < 1 or seed < 0:
        raise ValueError(f"samples is {samples} and seed is {seed}; give at least 1 and 0")


def _axis(name: str, reach: _Reach, points: int) -> Float[Array, " points"]:
    count("points", points, 3, MOST_POINTS)
    if not -np.inf < reach[0] < reach[1] < np.inf:
        raise ValueError(f"{name} is {shown(reach)}; give a first and a larger last number")
    return jnp.linspace(float(reach[0]), float(reach[1]), points)


def _mixture_attrs(mixture: Mixture) -> dict[str, Any]:
    """Return the attributes that describe the data, for captions."""
    listed = {"means": list(mixture.means), "variances": list(mixture.variances)}
    return listed | {"prior": mixture.prior}


def _labelled(
    data: dict[str, Any], axes: dict[str, Float[Array, " points"]], attrs: dict[str, Any]
) -> "xr.Dataset":
    import xarray as xr

    return xr.Dataset(
        {name: (dims, np.asarray(values)) for name, (dims, values) in data.items()},
        coords={name: np.asarray(axis) for name, axis in axes.items()},
        attrs=attrs,
    )
