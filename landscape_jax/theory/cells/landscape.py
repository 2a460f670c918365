"""The whole landscape of a ReLU network on a small data set, in one call."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from flint import fmpq

from landscape_jax.exact.rationals import nearest, squares
from landscape_jax.mistakes import explained
from landscape_jax.progress import Progress
from landscape_jax.theory.cells.arrangement import combination_count
from landscape_jax.theory.cells.candidates import Tables, candidates
from landscape_jax.theory.cells.faces import face_bound
from landscape_jax.theory.cells.fans import FaceProblem, face_problem
from landscape_jax.theory.cells.genuine import GenuineMinimum, as_genuine
from landscape_jax.theory.cells.kinks import KinkMinimum, kink_minimum
from landscape_jax.theory.cells.saddles import Saddle, all_saddles
from landscape_jax.theory.cells.stationary import (
    FaceMinimum,
    counted,
    minimum_of,
    stationary,
)

_Listed = TypeVar("_Listed", GenuineMinimum, KinkMinimum, Saddle)


class Landscape(NamedTuple):
    """All kinds of critical points of a network on data, each list sorted by the loss.

    - `cells`, `faces`: numbers of cells and faces of the weights of one neuron; `combinations`,
      `face_combinations`: numbers of combinations of K of them, up to their order.
    - `global_loss`: the least value of the loss.
    - `differentiable_minima`: one of each cell combination that has some.
    - `saddles`: the differentiable ones, see `saddles`.
    - `nondifferentiable_minima`: one of each face combination that has some.
    - `smooth_kinks`: minima on kinks where the loss is differentiable, as on special data such as
      labels 0: one for each value of the loss that no minimum of the other two lists has.
    - `decided_exactly`: how many combinations were decided in rational numbers.
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
    decided_exactly: int

    def __repr__(self) -> str:
        """Return the global loss, and how many points of each kind there are."""
        kinds = ("differentiable_minima", "nondifferentiable_minima", "smooth_kinks", "saddles")
        counts = (f"{len(getattr(self, kind))} {kind}" for kind in kinds)
        return f"Landscape(global_loss={self.global_loss:.6g}: {', '.join(counts)})"


class _Minima(NamedTuple):
    """The minima of all combinations, and how many combinations were decided exactly.

    `inside` cells; `kinked`: on kinks where the loss is not differentiable; `smooth`: on other
    kinks, one for each value of the loss.
    """

    inside: list[FaceMinimum]
    kinked: list[FaceMinimum]
    smooth: list[FaceMinimum]
    decided: int


@explained
def landscape(
    x: Any,
    y: Any,
    width: int,
    *,
    limit: int = 1_000_000,
    progress: Progress | None = None,
) -> Landscape:
    """List the whole landscape of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    Every point (z, w) has each w_j in exactly one face, and all local minima of a face combination
    have the same loss (`face_minima`).  Listed is one of each cell combination, one of each
    combination with kinks where the loss is not differentiable, and, of the minima on kinks where
    it is, which may be too many to list, one for each loss that none of the others has.  So every
    local minimum has a listed loss, and the lowest of these is the global one: the infimum of L is
    attained, as on each of finitely many closed cell combinations, polyhedral cones in the
    R_j = z_j w_j, L is a convex quadratic function that is ≥ 0 (Frank and Wolfe 1956), and a global
    minimum is a local one.  All of this is proven: every combination of cells, and of faces where
    the loss is not differentiable, that holds a local minimum is listed, and each of the others was
    excluded in floating-point numbers with a proven bound of their rounding (see `candidates`) or
    else in rational numbers.

    The list does not depend on the inputs' coordinates: offsets (with a bias) and scales of the
    columns do not matter, as an exact map leads to coordinates in which the samples are well
    conditioned, and back (see `well_conditioned`).

    **Arguments:** `x`, (N, d), a bias as a column of ones, and `y`, (N,), numbers as in
    `exact_samples`; `width`, the number K of neurons; `limit`, the largest number of face
    combinations that is accepted: `face_combinations` of samples in general position; `progress`,
    called with the number of faces found and combinations decided so far, and with their total, an
    upper bound until all faces are known.

    **Returns:** a `Landscape`.

    **Raises:** `ValueError` with the number if there may be more combinations, or if they may need
    more memory than the machine has; if width < 1, if float64 is off, and if an entry or the square
    of the labels is beyond float64; else like `exact_samples`.

    Source: LIU, theorems 1 to 3.

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
    bound = face_bound(x)
    total, done = bound + combination_count(bound, width), 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done, total)

    given = face_problem(x, y, width, limit=limit, progress=advance)
    counts = [combination_count(n, width) for n in (given.cells, len(given.fans))]
    total = len(given.fans) + counts[1]
    found = _minima(given, width, advance)
    every = [*found.inside, *found.kinked, *found.smooth]
    return Landscape(
        cells=given.cells,
        combinations=counts[0],
        faces=len(given.fans),
        face_combinations=counts[1],
        global_loss=nearest(min(squares(m.errors) for m in every) / len(given.rows)),
        differentiable_minima=_lowest_first(as_genuine(given, found.inside)),
        saddles=_lowest_first(all_saddles(given, width, kinks=False)),
        nondifferentiable_minima=_lowest_first(kink_minimum(given, m) for m in found.kinked),
        smooth_kinks=_lowest_first(kink_minimum(given, m) for m in found.smooth),
        decided_exactly=found.decided,
    )


def _minima(given: FaceProblem, width: int, advance: Callable[[int], None]) -> _Minima:
    """Find the minima of all face combinations, in one pass."""
    inside, kinked, decided = [], [], 0
    smooth: list[tuple[fmpq, tuple[int, ...]]] = []
    # If errors are 0, the minima of a combination with kinks, if any, have loss 0: one is enough.
    exact: list[tuple[int, ...]] = []
    for block in candidates(Tables(given), range(len(given.fans)), width):
        inner = np.all(block.chosen < given.cells, axis=1)
        solved = block.possible & block.zero & ~inner
        exact += map(tuple, block.chosen[solved].tolist())
        for chosen in counted(block, block.possible & ~solved, advance):
            decided += 1
            found = stationary(given, chosen)
            if found is None:
                continue
            if all(at < given.cells for at in chosen) or found.kinked:
                minimum = minimum_of(given, chosen, found)
                if minimum is not None:
                    (kinked if found.kinked else inside).append(minimum)
            else:
                smooth.append((squares(found.errors), chosen))
    smooth += [(fmpq(0), chosen) for chosen in exact]
    others, more = _unlisted(given, smooth, {squares(m.errors) for m in [*inside, *kinked]})
    return _Minima(inside, kinked, others, decided + more)


def _unlisted(
    given: FaceProblem, smooth: Sequence[tuple[fmpq, tuple[int, ...]]], listed: set[fmpq]
) -> tuple[list[FaceMinimum], int]:
    """Find one minimum on smooth kinks of each unlisted value; also return how many were tried.

    **Arguments:** `smooth`, the combinations that may hold some, each with its ‖e‖².
    """
    found, tried = [], 0
    for value, chosen in smooth:
        if value in listed:
            continue
        tried += 1
        fit = stationary(given, chosen)
        minimum = None if fit is None else minimum_of(given, chosen, fit)
        if minimum is not None:
            found.append(minimum)
            listed.add(value)
    return found, tried


def _lowest_first(found: Iterable[_Listed]) -> tuple[_Listed, ...]:
    return tuple(sorted(found, key=lambda some: some.loss))
