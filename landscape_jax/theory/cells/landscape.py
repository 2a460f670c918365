"""The whole landscape of a ReLU network on a small data set, in one call."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.proofs.rationals import nearest, squares
from landscape_jax.theory.cells.arrangement import combination_count
from landscape_jax.theory.cells.fans import Problem, problem
from landscape_jax.theory.cells.genuine import GenuineMinimum, value_and_slope
from landscape_jax.theory.cells.kinks import KinkMinimum, kink_minimum
from landscape_jax.theory.cells.saddles import Saddle, all_saddles
from landscape_jax.theory.cells.stationary import FaceMinimum, face_minima, placed

_Listed = TypeVar("_Listed", GenuineMinimum, KinkMinimum, Saddle)


class Landscape(NamedTuple):
    """All kinds of critical points of a network on data, each list from the lowest loss upwards.

    - `cells`, `faces`: how many the samples cut the weights of one neuron into; `combinations`,
      `face_combinations`: how many there are of them for K neurons, up to their order.
    - `global_loss`: the least value of the loss.
    - `differentiable_minima`: one of each cell combination that has some.
    - `saddles`: the differentiable ones, see `saddles`.
    - `nondifferentiable_minima`: one of each face combination that has some.
    - `smooth_kinks`: of the minima on kinks where the loss is differentiable a lowest one, given
      only where it is lower than all that is listed: on special data, such as labels 0 on kinks.
    """

    cells: int
    combinations: int
    faces: int
    face_combinations: int
    global_loss: float
    differentiable_minima: tuple[GenuineMinimum, ...]
    saddles: tuple[Saddle, ...]
    nondifferentiable_minima: tuple[KinkMinimum, ...]
    smooth_kinks: tuple[KinkMinimum, ...]


def landscape(
    x: Any,
    y: Any,
    width: int,
    *,
    limit: int = 1_000_000,
    progress: Callable[[int, int], None] | None = None,
) -> Landscape:
    """List the whole landscape of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    Every point (z, w) has each w_j in exactly one face, and all local minima of a combination of
    faces have the same loss (`face_minima`): one of each is listed.  The global minimum is among
    them, so that the lowest listed loss is the global one: L is attained, as on each of finitely
    many closed combinations of cells, polyhedral cones in the R_j = z_j w_j, it is a convex
    quadratic function that is ≥ 0 (Frank and Wolfe 1956); a global minimum is a local one; and it
    is either inside cells, or on kinks without a gradient, or on kinks with one.  The last are too
    many to list, but those that would be lower than all others are looked for.  All that is listed
    is proven; that nothing is missed holds up to sets of minima thinner than rounding.

    **Arguments:** `x`, (N, d), a bias as a column of ones, and `y`, (N,), numbers as in
    `exact_samples`; `width`, the number K of neurons; `limit`, the largest number of face
    combinations that is taken on: `face_combinations` of samples in general position; `progress`,
    told how many combinations have been looked at, and how many there are to look at.

    **Returns:** a `Landscape`.

    **Raises:** `ValueError` with the number where there may be more combinations, where width < 1,
    and where float64 is off; `RuntimeError` where nothing is found; else like `exact_samples` and
    `faces`.

    Source: LIU, theorems 1 to 3; all faces at once are LIU.8.

    ```python
    >>> found = landscape([[1, 0], [0, 1]], [1, -1], 1)
    >>> found.cells, found.combinations, found.faces, found.global_loss
    (4, 4, 9, 0.5)
    >>> [minimum.loss for minimum in found.differentiable_minima], len(found.saddles)
    ([0.5, 0.5, 1.0], 1)
    >>> [(minimum.loss, minimum.kinks) for minimum in found.nondifferentiable_minima]
    [(0.5, ((0,),)), (0.5, ((1,),)), (1.0, ((0,),)), (1.0, ((1,),))]

    ```
    """
    given = problem(x, y, width, limit=limit)
    counts = [combination_count(n, width) for n in (given.cells, len(given.fans))]
    total, done = counts[0] + 2 * counts[1], 0

    def told(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done, total)

    inside = list(face_minima(given, range(given.cells), width, kinked=False, progress=told))
    every = range(len(given.fans))
    bent = list(face_minima(given, every, width, kinked=True, progress=told))
    least = min((squares(minimum.errors) for minimum in [*inside, *bent]), default=None)
    beneath = list(face_minima(given, every, width, kinked=False, below=least, progress=told))
    # Below 0 there was nothing to look at.
    told(total - done)
    lower = min(beneath, key=lambda minimum: squares(minimum.errors), default=None)
    if lower is not None:
        least = squares(lower.errors)
    if least is None:
        raise RuntimeError(
            "no minimum was found: those that there are lie within rounding of kinks"
        )
    return Landscape(
        cells=given.cells,
        combinations=counts[0],
        faces=len(given.fans),
        face_combinations=counts[1],
        global_loss=nearest(least / len(given.rows)),
        differentiable_minima=_lowest_first(_genuine(given, inside)),
        saddles=_lowest_first(all_saddles(given, width, kinks=False)),
        nondifferentiable_minima=_lowest_first(kink_minimum(given, m) for m in bent),
        smooth_kinks=() if lower is None else (kink_minimum(given, lower),),
    )


def _genuine(given: Problem, found: Iterable[FaceMinimum]) -> Iterator[GenuineMinimum]:
    risk = EmpiricalRisk(given.x, given.y)
    for minimum in found:
        fans = [given.fans[at] for at in minimum.chosen]
        rests = [fan.face.witness for fan in fans]
        network, radius, margin = placed(given, fans, minimum.signs, minimum.R, rests)
        yield GenuineMinimum(
            network=network,
            loss=nearest(squares(minimum.errors) / len(given.rows)),
            gradient_norm=value_and_slope(risk, network)[1],
            unique=minimum.unique,
            signs=minimum.signs,
            radius=radius,
            margin=margin,
        )


def _lowest_first(found: Iterable[_Listed]) -> tuple[_Listed, ...]:
    return tuple(sorted(found, key=lambda some: some.loss))
