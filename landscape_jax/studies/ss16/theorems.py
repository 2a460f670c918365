"""Monte Carlo estimates of F_n(ε) beside the bounds of theorems 2 and 5 to 8."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from landscape_jax.mistakes import explained
from landscape_jax.precision import require_float64
from landscape_jax.studies.ss16.shares import share_at_most
from landscape_jax.studies.ss16.start_basins import Basins, basins_of_starts, value_at_zero
from landscape_jax.theory import overspecification as theory

if TYPE_CHECKING:
    import xarray as xr

# Values up to this, relative to the value at W = 0, cannot be distinguished from 0 at gaps of 1e-8.
_ZERO = 2e-8


@explained
def theorem_2(
    dim: int,
    widths: Sequence[int],
    starts: int = 1000,
    *,
    seed: int = 0,
    per_side: int = 2,
    noise: float = 0.5,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Estimate F_n(α) on singleton data, α the least loss of one ReLU neuron, beside lower bounds.

    **Arguments:** `dim`, d, `per_side`, `noise`: of the data, see `singleton_data`; `widths`, n;
    `starts`, the number of initializations of each width; `seed`, of data and initializations;
    `confidence`, of the intervals.

    **Returns:** a dataset over `width`: `share`, `share_low`, `share_high`, `undecided`, F_n(α),
    see `distribution`; `event`, `event_low`, `event_high`, the share of initializations with the
    event of the proof, and `exact`, its probability; `bound`, 1 − 4d(¾)^n; `power_bound`.

    **Raises:** `ValueError` if a size is out of range, or float64 is off.

    Source: SS16, theorem 2 and its proof.
    """
    require_float64("the study of theorem 2")
    x, y = theory.singleton_data(_data_key(seed), dim, per_side, noise=noise)
    level = theory.singleton_optimum(x, y).neuron
    shares = _Shares(confidence)
    for width in widths:
        found = basins_of_starts(x, y, width, starts, seed=seed)
        shares.add("share", found, level)
        shares.count("event", theory.is_covering(found.W, found.v))
    sizes = np.asarray(widths)
    bounds = {
        "exact": theory.singleton_event_probability(sizes, dim),
        "bound": theory.theorem_2_bound(sizes, dim),
        "power_bound": theory.theorem_2_power_bound(sizes, dim),
    }
    attrs = {"theorem": 2, "dim": dim, "per_side": per_side, "level": level}
    return shares.labelled(sizes, bounds, attrs | {"starts": starts, "seed": seed})


@explained
def figure_f(starts: int = 1000, *, seed: int = 0) -> "tuple[xr.Dataset, xr.Dataset]":
    """Compute `theorem_2` for d = 4 and `theorem_7` for m = 8, d = 10, with n = 4, 6, …, 16.

    **Arguments:** `starts` and `seed`, as of `theorem_2`.

    Source: SS16, theorems 2 and 7.
    """
    widths = range(4, 17, 2)
    return (
        theorem_2(4, widths, starts, seed=seed, per_side=1),
        theorem_7(8, 10, widths, starts, seed=seed),
    )


@explained
def theorem_5(
    inputs: int,
    teacher_width: int,
    students: Sequence[int],
    level: float,
    starts: int = 1000,
    *,
    seed: int = 0,
    samples: int = 20,
    rank: int | None = None,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Estimate F_N(ε) on data of a small teacher, beside lower bounds of theorems 5 and 6.

    **Arguments:** `inputs`, d, `teacher_width`, n, `samples`, and `rank`, of the data, see
    `realizable_data` (B = 1); `students`, N; `level`, ε; the others as of `theorem_2`.

    **Returns:** a dataset over `width`: `share` and so on, F_N(ε); `bound`, of the theorem's proof
    if N = N_c for some c > 0, otherwise NaN; `union_bound`, of the corrected proof, and
    `exact_union_bound`, the same with the exact probability of a match instead of lemma 4's bound.

    **Raises:** `ValueError` if a size is out of range, or float64 is off.

    Source: SS16, theorems 5 and 6.
    """
    require_float64("the study of theorem 5")
    data = theory.realizable_data(_data_key(seed), samples, inputs, teacher_width, rank=rank)
    k = theory.intrinsic_dimension(data.x)
    p = float(theory.match_probability(level, teacher_width, 1.0, k))
    exact = float(theory.match_probability(level, teacher_width, 1.0, k, exact=True))
    shares = _Shares(confidence)
    for width in students:
        shares.add("share", basins_of_starts(data.x, data.y, width, starts, seed=seed), level)
    sizes = np.asarray(students)
    c = sizes / np.ceil(teacher_width / p) - 1
    proven = np.full(len(sizes), np.nan)
    proven[c > 0] = theory.theorem_5_bound(c[c > 0], teacher_width)
    bounds = {
        "bound": proven,
        "union_bound": theory.theorem_5_union_bound(sizes, teacher_width, p),
        "exact_union_bound": theory.theorem_5_union_bound(sizes, teacher_width, exact),
    }
    attrs = {"theorem": 5, "dim": k, "teacher_width": teacher_width, "samples": samples}
    attrs |= {"level": float(level), "match_probability": p, "starts": starts, "seed": seed}
    return shares.labelled(sizes, bounds, attrs)


@explained
def theorem_7(
    samples: int,
    inputs: int,
    widths: Sequence[int],
    starts: int = 1000,
    *,
    seed: int = 0,
    orthogonal: bool = True,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Estimate F_n(0) on independent samples, beside its lower bound.

    As floats cannot distinguish small values from 0, values up to 2e-8 (1/m) Σ y² are counted, an
    upper bound on F_n(0).  A lower bound is the probability of the `event` that the initialization
    has the neurons from which theorem 7's proof constructs weights of error 0.

    **Arguments:** `samples`, m, and `inputs`, d ≥ m; `orthogonal`, whether samples are orthonormal,
    for which the probability of the event is known, or Gaussian; labels are N(0, 1); the others as
    of `theorem_2`.

    **Returns:** a dataset over `width`: `share` and so on; `event` and its interval; `exact`, its
    probability, NaN if unknown; `bound`, 1 − m(¾)^n.

    **Raises:** `ValueError` if a size is out of range, or float64 is off.

    Source: SS16, theorem 7.
    """
    require_float64("the study of theorem 7")
    if not 1 <= samples <= inputs:
        raise ValueError(
            f"samples and inputs are {samples} and {inputs}; give 1 ≤ samples ≤ inputs"
        )
    first, second = jax.random.split(_data_key(seed))
    x = jax.random.normal(first, (samples, inputs))
    if orthogonal:
        x = jnp.linalg.qr(x.T)[0].T
    y = jax.random.normal(second, (samples,))
    shares = _Shares(confidence)
    for width in widths:
        found = basins_of_starts(x, y, width, starts, seed=seed)
        shares.add("share", found, _ZERO * value_at_zero(y))
        shares.count("event", theory.zero_error_weights(x, y, found.W, found.v).covered)
    sizes, positive = np.asarray(widths), int((y > 0).sum())
    exact = theory.orthogonal_event_probability(sizes, positive, samples - positive)
    bounds = {
        "exact": exact if orthogonal else np.full(len(sizes), np.nan),
        "bound": theory.theorem_7_bound(sizes, samples),
    }
    attrs = {"theorem": 7, "samples": samples, "dim": inputs, "orthogonal": int(orthogonal)}
    return shares.labelled(sizes, bounds, attrs | {"starts": starts, "seed": seed})


@explained
def theorem_8(
    clusters: int,
    inputs: int,
    widths: Sequence[int],
    starts: int = 1000,
    *,
    seed: int = 0,
    per_cluster: int = 4,
    ratio: float | None = None,
    confidence: float = 0.95,
) -> "xr.Dataset":
    """Estimate F_n(ε_n) on clustered data, ε_n the error bound of theorem 8, beside lower bounds.

    ε_n is the corrected bound, `theorem_8_level`, which is smaller than the printed one.

    **Arguments:** `clusters`, k, `inputs`, d, `per_cluster` and `ratio`, of the data, see
    `clustered_data`; the others as of `theorem_2`.

    **Returns:** a dataset over `width`: `level`, ε_n, and `printed_level`; `share` and so on;
    `event` and its interval, the share of initializations with the construction of the proof;
    `bound`, 1 − d(⅞)^n, and `event_bound`, of the corrected proof.

    **Raises:** `ValueError` if a size is out of range, clusters are too wide, or float64 is off.

    Source: SS16, theorem 8.
    """
    require_float64("the study of theorem 8")
    data = theory.clustered_data(_data_key(seed), clusters, inputs, per_cluster, ratio=ratio)
    sizes = np.asarray(widths)
    levels = theory.theorem_8_level(data, sizes)
    shares = _Shares(confidence)
    for width, level in zip(sizes.tolist(), levels.tolist(), strict=True):
        found = basins_of_starts(data.x, data.y, width, starts, seed=seed)
        shares.add("share", found, level)
        shares.count("event", theory.clustered_weights(data, found.W, found.v).covered)
    ratios = float(data.radius) / np.linalg.norm(np.asarray(data.centres), axis=1)
    bounds = {
        "level": levels,
        "printed_level": theory.theorem_8_level(data, sizes, printed=True),
        "bound": theory.theorem_8_bound(sizes, inputs),
        "event_bound": theory.theorem_8_event_bound(sizes, inputs, ratios),
    }
    attrs = {"theorem": 8, "clusters": clusters, "dim": inputs, "per_cluster": per_cluster}
    return shares.labelled(sizes, bounds, attrs | {"starts": starts, "seed": seed})


def _data_key(seed: int) -> Array:
    """Return a key that differs from those of all widths."""
    return jax.random.fold_in(jax.random.key(seed), 0)


class _Shares:
    """Columns of shares with intervals, one row a width."""

    def __init__(self, confidence: float):
        self.confidence = confidence
        self.columns: dict[str, list[float]] = {}

    def add(self, name: str, found: Basins, level: float) -> None:
        """Add the share of basins of value at most a level, and the number of undecided ones."""
        decided = share_at_most(found.value, found.gap, level, confidence=self.confidence)
        self._append(name, decided.share)
        self.columns.setdefault("undecided", []).append(decided.undecided)

    def count(self, name: str, happened: Array) -> None:
        """Add the share of initializations with an event."""
        rows = np.asarray(happened)
        self._append(
            name, theory.clopper_pearson(int(rows.sum()), len(rows), confidence=self.confidence)
        )

    def labelled(
        self,
        widths: np.ndarray,
        bounds: dict[str, Float[np.ndarray, " widths"]],
        attrs: dict[str, Any],
    ) -> "xr.Dataset":
        """Return all columns and bounds as a dataset."""
        import xarray as xr

        columns = {name: np.array(column) for name, column in self.columns.items()} | bounds
        return xr.Dataset(
            {name: ("width", column) for name, column in columns.items()},
            coords={"width": widths},
            attrs=attrs | {"confidence": self.confidence},
        )

    def _append(self, name: str, share: theory.Share) -> None:
        for end, value in zip(("", "_low", "_high"), share, strict=True):
            self.columns.setdefault(name + end, []).append(float(value))
