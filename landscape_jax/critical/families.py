"""The distinct critical points among many: families of points equal up to a symmetry."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PyTree, Scalar

from landscape_jax.arrays import is_traced, real
from landscape_jax.critical.checks import entry_shapes, fitting, magnitude
from landscape_jax.critical.classify import Kind
from landscape_jax.critical.ends import RunEnds, read
from landscape_jax.critical.invariants import distance_bounds, within
from landscape_jax.critical.judgement import Judgement, falls_to_global, judge
from landscape_jax.critical.orbits import Orbits, orbits
from landscape_jax.critical.relabelling import Relabelling
from landscape_jax.critical.symmetry import Alignment, default_tolerance
from landscape_jax.mistakes import explained
from landscape_jax.objectives.base import AbstractObjective
from landscape_jax.objectives.protocols import nearest_minimizer
from landscape_jax.search.runs import Runs
from landscape_jax.summary import Summarised, Summary

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

# How each member of a family is carried onto the representative; a bare residual where no
# symmetry is known.
Element = Alignment | Relabelling
Members = dict[int, Element | float]


@dataclass(frozen=True, eq=False, repr=False)
class Family(Summarised):
    """Points that the symmetry group carries onto each other.

    - `representative`: the member of smallest gradient norm (numpy, the params' structure);
    - `value`, `gradient_norm` (the largest of a neuron), `spectrum`: at the representative; the
      spectrum is all NaN where F has no Hessian (a zero relu neuron), and for ends below the value
      threshold, which need not be critical points;
    - `kind`: "global", "spurious", "minimum", "saddle" or "undecided", see `classify`;
    - `members`: positions among the given runs or points, the representative's first;
    - `restart_index`: the members' restart indices (for points: their positions);
    - `residuals`: each member's distance to the representative after it is carried onto it; NaN
      for the ends below the threshold, which are not one orbit;
    - `alignments`: for each member the element that carries it onto the representative, an
      `Alignment`, or a `Relabelling` of hidden layers; empty where no symmetry is known, and for
      the ends below the threshold;
    - `separation`: a lower bound, from invariants, of the distance to other families'
      representatives modulo the group; infinite for a single family, 0 where only the exact search
      separates two families.
    """

    representative: PyTree
    value: float
    gradient_norm: float
    spectrum: Float[np.ndarray, " parameters"]
    kind: Kind
    members: Int[np.ndarray, " members"]
    restart_index: Int[np.ndarray, " members"]
    residuals: Float[np.ndarray, " members"]
    alignments: tuple[Element, ...]
    separation: float

    @property
    def count(self) -> int:
        """The number of members."""
        return len(self.members)

    @property
    def min_eigenvalue(self) -> float:
        """The smallest eigenvalue of the Hessian at the representative."""
        return float(self.spectrum[0])

    @property
    def max_residual(self) -> float:
        """The largest of `residuals`."""
        return float(self.residuals.max())

    def summarise(self) -> Summary:
        """Return kind, count, value, least eigenvalue and separation in a line."""
        return Summary(
            f"Family(kind={self.kind!r}, count={self.count}, value={self.value:.6g}, "
            f"min_eigenvalue={self.min_eigenvalue:.6g}, separation={self.separation:.3g})"
        )


class Families(Summarised, tuple[Family, ...]):
    """The families among runs or points, a tuple, lowest value first.

    `unconverged`: the runs in no family, which neither converged nor fell below the value threshold
    (they ran out of steps, diverged, escaped, or are not finite); empty for points.
    """

    unconverged: Runs

    def __new__(cls, found: list[Family], unconverged: Runs) -> "Families":
        """Sort the families by value."""
        self = super().__new__(cls, sorted(found, key=lambda family: family.value))
        self.unconverged = unconverged
        return self

    def summarise(self) -> Summary:
        """Return a row for each family: kind, members and their share, value, least eigenvalue."""
        left = len(self.unconverged)
        total = sum(family.count for family in self) + left
        rows = [
            (
                family.kind,
                str(family.count),
                f"{family.count / total:.1%}",
                f"{family.value:.6g}",
                f"{family.min_eigenvalue:.6g}",
            )
            for family in self
        ]
        points = f"{total} points" if total != 1 else "1 point"
        parts = f"{len(self)} famil{'y' if len(self) == 1 else 'ies'} of {points}"
        parts += f", {left} unconverged" if left else ""
        if left == total:
            go_on = "critical_points(objective, runs.params, len(runs), seek=0)"
            parts += f": raise max_steps, or go on by {go_on}"
        heads = ("kind", "count", "share", "value", "min eigenvalue")
        return Summary(f"Families({parts})", heads, rows)

    def to_dataframe(self) -> "pd.DataFrame":
        """Return a pandas table, a row a family."""
        import pandas as pd

        names = ("kind", "count", "value", "min_eigenvalue", "gradient_norm", "separation")
        rows = [{name: getattr(family, name) for name in names} for family in self]
        return pd.DataFrame(rows, columns=list(names)).rename_axis("family")

    def to_xarray(self) -> "xr.Dataset":
        """Return `to_dataframe` as labelled arrays, with the spectra (family, eigenvalue)."""
        labelled = self.to_dataframe().to_xarray()
        spectra = np.stack([family.spectrum for family in self]) if self else np.zeros((0, 0))
        return labelled.assign(spectrum=(("family", "eigenvalue"), spectra))


@explained
@jax.transfer_guard("allow")  # Points are compared on the host.
def families(
    objective: AbstractObjective,
    runs_or_points: Runs | PyTree,
    *,
    below_value: float | int | Scalar | None = None,
    tolerance: float | int | Scalar | None = None,
    eigenvalue_tolerance: float | int | Scalar | None = None,
) -> Families:
    """List the distinct points among `runs_or_points`, modulo the objective's symmetry group.

    A point W' belongs to the family of W when an exact search finds an element g of
    `objective.known(W).symmetry` with ‖W − gW'‖_F ≤ tolerance · max(‖W‖_F, ‖W'‖_F); where no
    symmetry is known, g is the identity and the norm that of the raveled params.  Networks whose
    hidden neurons can be rescaled are compared in a normal form (see `NormalForm`); distances and
    norms are those there.

    Each family gets a kind, numerically and without proof, see `classify`.  Runs that stopped below
    the value threshold are no critical points, and a threshold is no evidence: those from which F
    never rises on the straight line to a known global minimizer are one family, "global"; the
    others are one family, "undecided". Runs that neither converged nor fell below the value are in
    no family, but in `unconverged`.  Points given as arrays are all listed, as "undecided" where
    nothing shows that they are critical.

    **Arguments:**

    - `objective`: what the points are critical points of.
    - `runs_or_points`: the `Runs` of a search, or params with a leading axis, e.g. (m, n, d).
    - `below_value`: a value threshold; ends of lower value are treated as stopped by it.
    - `tolerance`: relative distance up to which points are the same; default eps^(3/8) of the
      params' dtype, 1.3e-6 in float64 and 2.5e-3 in float32.
    - `eigenvalue_tolerance`: the magnitude below which the sign of the smallest eigenvalue is not
      significant; default: from its rounding and the gradient norm, see `classify`.

    **Returns:** `Families`, a tuple of `Family`, lowest value first.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range, as if
    there is no point or no leading axis, a point is not finite or does not fit the objective, or a
    tolerance is not positive; the message names it.

    Source: SS18, section 3, footnote 2 (there for orthonormal teachers).

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> teacher = jnp.eye(3)
    >>> found = lj.families(lj.PopulationRisk(teacher), jnp.stack([teacher, teacher[::-1]]))
    >>> [(f.kind, f.count) for f in found]
    [('global', 2)]

    ```
    """
    if tolerance is not None and not real("tolerance", tolerance) > 0:
        raise ValueError(f"tolerance is {tolerance}; give a positive relative distance.")
    zero = magnitude("eigenvalue_tolerance", eigenvalue_tolerance)
    least = None if below_value is None else float(real("below_value", below_value))
    if is_traced(objective, runs_or_points):
        raise TypeError(
            "objective or runs_or_points is traced, but points are compared by their values: call "
            "families outside of jit and vmap"
        )
    ends = read(objective, runs_or_points, least)
    if not len(ends):
        return Families([], ends.unconverged)
    with fitting(ends.objective, entry_shapes(ends.params), "runs_or_points"):
        built = _built(ends, None if tolerance is None else float(tolerance), zero)
    return Families(built, ends.unconverged)


def _built(
    ends: RunEnds, tolerance: float | None, eigenvalue_tolerance: float | None
) -> list[Family]:
    """Partition the ends into families, and judge each."""
    dtype = jnp.result_type(*jax.tree.leaves(ends.params))
    relative = default_tolerance(dtype) if tolerance is None else tolerance
    symmetry = ends.objective.known(ends.at(0)).symmetry
    group = orbits(symmetry, ends.params, relative)
    found = [
        (
            members,
            judge(ends.objective, ends.at(head), float(ends.value[head]), eigenvalue_tolerance),
        )
        for head, members in _partition(ends, group, relative).items()
    ]
    found += _below(ends.objective, ends)
    heads = np.array([next(iter(members)) for members, _ in found])
    built = []
    for head, (members, judgement) in zip(heads.tolist(), found, strict=True):
        gaps = distance_bounds(group.vectors, head, heads[heads != head])
        built.append(_family(ends, members, judgement, float(gaps.min(initial=np.inf))))
    return built


def _partition(ends: RunEnds, group: Orbits, tolerance: float) -> dict[int, Members]:
    """Partition the critical ends into families {head: members}, the head being the first member.

    Ends are processed in the order of their gradient norms, so the first of a family is its
    representative.  Only heads that the invariants do not exclude take the exact test.
    """
    order = np.argsort(ends.gradient_norm, kind="stable")
    found: dict[int, Members] = {}
    for end in order[~ends.below[order]].tolist():
        heads = np.array([*found, end])
        reach = tolerance * np.maximum(group.lengths[heads], group.lengths[end])
        for head in within(group.vectors, end, heads, reach).tolist():
            carried = group.carry(head, end)
            if carried is not None:
                found.setdefault(head, {})[end] = carried
                break
    return found


def _below(objective: AbstractObjective, ends: RunEnds) -> list[tuple[Members, Judgement]]:
    """Split the ends below the threshold by whether F falls to its infimum on a straight line."""
    places = np.flatnonzero(ends.below)
    places = places[np.argsort(ends.gradient_norm[places], kind="stable")]
    if not len(places):
        return []
    params = jax.tree.map(lambda leaf: leaf[places], ends.params)
    near = [nearest_minimizer(objective, ends.at(place)) for place in places.tolist()]
    falls = falls_to_global(objective, params, near)
    none = np.full(sum(leaf[0].size for leaf in jax.tree.leaves(params)), np.nan)
    parts: list[tuple[np.ndarray, Kind]] = [
        (places[falls], "global"),
        (places[~falls], "undecided"),
    ]
    return [
        (dict.fromkeys(part.tolist(), np.nan), Judgement(kind, none))
        for part, kind in parts
        if len(part)
    ]


def _family(ends: RunEnds, members: Members, judgement: Judgement, separation: float) -> Family:
    """Describe one family; the first member is its representative."""
    places = np.array(list(members))
    head = int(places[0])
    return Family(
        representative=ends.given(head),
        value=float(ends.value[head]),
        gradient_norm=float(ends.gradient_norm[head]),
        spectrum=judgement.spectrum,
        kind=judgement.kind,
        members=ends.position[places],
        restart_index=ends.restart_index[places],
        residuals=np.array(
            [x.residual if isinstance(x, Element) else x for x in members.values()], np.float64
        ),
        alignments=tuple(x for x in members.values() if isinstance(x, Element)),
        separation=separation,
    )
