"""The distinct critical points among many: families of points equal up to a symmetry."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PyTree

from landscape_jax.critical.classify import Kind, classify
from landscape_jax.critical.curvature import spectrum
from landscape_jax.critical.ends import Ends, read
from landscape_jax.critical.invariants import Invariants, distance_bounds, invariants, within
from landscape_jax.critical.symmetry import Alignment, Group, default_tolerance
from landscape_jax.objectives.base import AbstractObjective, Known, Symmetry

# How each member of a family is carried onto the representative; a bare residual where no
# symmetry is known.
Members = dict[int, Alignment | float]


@dataclass(frozen=True, eq=False)
class Family:
    """Points that the symmetry group carries onto each other.

    - `representative`: the member of smallest gradient norm (numpy, the params' structure);
    - `value`, `gradient_norm` (for runs, in the search's norm: the largest of a neuron; for points
      Euclidean), `spectrum`: at the representative; the spectrum is all NaN for the
      runs that stopped below the value threshold, which are no critical points;
    - `kind`: "global", "spurious", "minimum", "saddle" or "undecided", see `classify`;
    - `members`: positions among the given runs or points, the representative's first;
    - `restart_index`: the members' restart indices (for points: their positions);
    - `residuals`: how far each member is from the representative once it is carried onto it;
      NaN for the runs below the threshold, which are not one orbit;
    - `alignments`: for each member the element that carries it onto the representative,
      W ≈ P W' Qᵀ, W being the symmetry's `rows` where the params are a network; empty where no
      symmetry is known, and for the runs below the threshold;
    - `separation`: no element brings another family's representative closer than this.  A lower
      bound from invariants, infinite for an only family; it is 0 where the exact search alone
      tells two families apart.
    """

    representative: PyTree
    value: float
    gradient_norm: float
    spectrum: Float[np.ndarray, " parameters"]
    kind: Kind
    members: Int[np.ndarray, " members"]
    restart_index: Int[np.ndarray, " members"]
    residuals: Float[np.ndarray, " members"]
    alignments: tuple[Alignment, ...]
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

    def __repr__(self) -> str:
        return (
            f"Family(kind={self.kind!r}, count={self.count}, value={self.value:.6g}, "
            f"min_eigenvalue={self.min_eigenvalue:.6g}, separation={self.separation:.3g})"
        )


def families(
    objective: AbstractObjective,
    runs_or_points: PyTree,
    *,
    tolerance: float | None = None,
    eigenvalue_tolerance: float | None = None,
) -> tuple[Family, ...]:
    """Give the distinct points among `runs_or_points`, modulo the objective's symmetry group.

    A point W' belongs to the family of W when an exact search finds an element g of
    `objective.known(W).symmetry` with ‖W − gW'‖_F ≤ tolerance · max(‖W‖_F, ‖W'‖_F); where no
    symmetry is known, g is the identity and the norm that of the raveled params.  Runs that
    stopped below the value threshold are no critical points: they form one family, of kind
    "global".  Runs that are not finite belong to none.

    **Arguments:**

    - `objective`: what the points are critical points of.
    - `runs_or_points`: the `Runs` of a search, or params with a leading axis, e.g. (m, n, d).
    - `tolerance`: relative distance up to which points are the same; default eps^(3/8) of the
      params' dtype, 1.3e-6 in float64 and 2.5e-3 in float32.
    - `eigenvalue_tolerance`: the size up to which the smallest eigenvalue has no sign; default:
      from its rounding and the gradient norm, see `classify`.

    **Returns:** a tuple of `Family`, lowest value first.

    **Raises:** `ValueError` where there is no point, no leading axis, a point that is not finite
    or does not fit the objective, or a tolerance that is not positive.

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
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}; give a positive relative distance.")
    ends = read(objective, runs_or_points)
    if not len(ends.rows):
        return ()
    known = objective.known(jax.tree.map(jnp.asarray, ends.at(0)))
    relative = default_tolerance(ends.rows.dtype) if tolerance is None else tolerance
    if known.symmetry is None:
        # Without a symmetry the invariants are the points themselves, and decide.
        vectors: Invariants = (ends.rows,)
        carry = _distance(ends)
    else:
        group, points = Group.of(known.symmetry), _points(known.symmetry, ends)
        vectors, carry = invariants(group, points), _carry(group, points, relative)
    found = _partition(ends, vectors, relative, carry)
    heads = np.array(list(found))
    built = [
        _family(
            objective,
            known,
            ends,
            members,
            float(distance_bounds(vectors, head, heads[heads != head]).min(initial=np.inf)),
            eigenvalue_tolerance,
        )
        for head, members in found.items()
    ]
    return tuple(sorted(built, key=lambda family: family.value))


def _points(symmetry: Symmetry, ends: Ends) -> Float[np.ndarray, "ends neurons dim"]:
    """Give the ends as what the symmetry acts on."""
    shape = (len(symmetry.labels), len(symmetry.mean))
    points = ends.params if symmetry.rows is None else jax.vmap(symmetry.rows)(ends.params)
    if not isinstance(points, np.ndarray | jax.Array) or points.shape[1:] != shape:
        raise ValueError(
            "runs_or_points does not fit the objective's symmetry; give one array of shape "
            f"(points, {shape[0]}, {shape[1]})."
        )
    return np.asarray(points)


def _distance(ends: Ends) -> Callable[[int, int], float]:
    return lambda head, end: float(np.linalg.norm(ends.rows[head] - ends.rows[end]))


def _carry(
    group: Group, points: Float[np.ndarray, "ends neurons dim"], tolerance: float
) -> Callable[[int, int], Alignment | None]:
    """Give the exact test: how an end is carried onto a head, `None` where it is not."""
    return lambda head, end: (
        group.identity() if head == end else group.align(points[head], points[end], tolerance)
    )


def _partition(
    ends: Ends,
    vectors: Invariants,
    tolerance: float,
    carry: Callable[[int, int], Alignment | float | None],
) -> dict[int, Members]:
    """Part the ends into families {head: members}, each head the first of its members.

    Ends are taken by gradient norm, converged ones first, so the first of a family is its
    representative.  The exact test is left to the heads that the invariants do not exclude.
    """
    lengths = np.linalg.norm(ends.rows.astype(np.float64), axis=1)
    order = np.lexsort((ends.gradient_norm, ~ends.converged))
    found: dict[int, Members] = {}
    for end in order[~ends.below_value[order]].tolist():
        heads = np.array([*found, end])
        reach = tolerance * np.maximum(lengths[heads], lengths[end])
        for head in within(vectors, end, heads, reach).tolist():
            carried = carry(head, end)
            if carried is not None:
                found.setdefault(head, {})[end] = carried
                break
    below = order[ends.below_value[order]].tolist()
    if below:
        found[below[0]] = dict.fromkeys(below, np.nan)
    return found


def _family(
    objective: AbstractObjective,
    known: Known,
    ends: Ends,
    members: Members,
    separation: float,
    eigenvalue_tolerance: float | None,
) -> Family:
    """Describe one family; the first member is its representative."""
    places = np.array(list(members))
    head = int(places[0])
    value, gradient_norm = float(ends.value[head]), float(ends.gradient_norm[head])
    kind: Kind = "global"
    if ends.below_value[head]:
        eigenvalues = np.full(ends.rows.shape[1], np.nan, ends.rows.dtype)
    else:
        eigenvalues = spectrum(objective, ends.at(head))
        kind = classify(known, value, eigenvalues, gradient_norm, tolerance=eigenvalue_tolerance)
        if not ends.converged[head] and kind != "global":
            kind = "undecided"
    return Family(
        representative=ends.at(head),
        value=value,
        gradient_norm=gradient_norm,
        spectrum=eigenvalues,
        kind=kind,
        members=ends.position[places],
        restart_index=ends.restart_index[places],
        residuals=np.array(
            [x.residual if isinstance(x, Alignment) else x for x in members.values()]
        ),
        alignments=tuple(x for x in members.values() if isinstance(x, Alignment)),
        separation=separation,
    )
