"""Minima and saddles of a ReLU network on data as claims, which can be saved and verified."""

from collections.abc import Sequence
from typing import Any

from flint import fmpq, fmpq_mat

from landscape_jax.exact.rationals import least_squares, rational
from landscape_jax.exact.samples import exact_rows
from landscape_jax.mistakes import explained
from landscape_jax.proofs import (
    LossBound,
    MinimumOnData,
    NotProven,
    SaddleOnData,
    prove_loss_bound,
    prove_minimum_on_data,
    prove_saddle_on_data,
)
from landscape_jax.proofs.rational_file import MOST_NUMBERS
from landscape_jax.theory.cells.genuine import GenuineMinimum
from landscape_jax.theory.cells.global_minimum import GlobalMinimum
from landscape_jax.theory.cells.kinks import KinkMinimum
from landscape_jax.theory.cells.saddles import Saddle


@explained
def minimum_claim(
    x: Any, y: Any, minimum: GenuineMinimum | KinkMinimum | GlobalMinimum
) -> MinimumOnData | NotProven:
    """Prove that a listed minimum is a local one, from the definition, for a file.

    The claim is about the rational weights w_j = sign(z_j) R_j with z_j = ±1, and so about all with
    these R_j = z_j w_j and signs.  Of a resting neuron, z_j = 0, the weights of `network` are
    taken, moved exactly onto its kinks; a `GlobalMinimum` has none for it, any do.

    **Arguments:** `x`, `y`, the data that the minimum was found for; `minimum`, of `landscape`,
    `genuine_minima`, `nondifferentiable_minima` or `global_minimum`.

    **Returns:** a `MinimumOnData`, or `NotProven` with the reason.

    **Raises:** like `landscape`.

    ```python
    >>> from landscape_jax.theory.cells import landscape
    >>> x, y = [[1, 0], [0, 1]], [1, -1]
    >>> found = landscape(x, y, 1)
    >>> [minimum_claim(x, y, one).loss for one in found.differentiable_minima]
    [1/2, 1/2, 1]
    >>> [minimum_claim(x, y, one).kinks for one in found.nondifferentiable_minima]
    [((0,),), ((1,),), ((0,),), ((1,),)]

    ```
    """
    return prove_minimum_on_data(*_point(x, y, minimum, {}))


@explained
def saddle_claim(x: Any, y: Any, saddle: Saddle) -> SaddleOnData | NotProven:
    """Prove that a listed saddle is one, from the definition, for a file.

    **Arguments:** `x`, `y`, the data that the saddle was found for; `saddle`, of `landscape` or
    `saddles`.

    **Returns:** a `SaddleOnData` about the rational weights, as of `minimum_claim`, with the
    direction of `saddle.descent`, or `NotProven` with the reason.

    **Raises:** like `landscape`.

    ```python
    >>> from landscape_jax.theory.cells import landscape
    >>> x, y = [[1, 0], [0, 1]], [1, -1]
    >>> [saddle_claim(x, y, one).loss for one in landscape(x, y, 1).saddles]
    [1]

    ```
    """
    rests = dict(zip(saddle.moving, saddle.rests.tolist(), strict=True))
    along = [[rational(t) for t in row] for row in saddle.descent.direction.W1.tolist()]
    return prove_saddle_on_data(*_point(x, y, saddle, rests), fmpq_mat(along))


@explained
def bound_claim(x: Any, y: Any, found: GlobalMinimum) -> LossBound | NotProven:
    """Prove the lower bound of a global minimum's search, for a file.

    **Arguments:** `x`, `y`, the data that the minimum was found for; `found`, of `global_minimum`.

    **Returns:** a `LossBound`, of the loss itself where `found.proven`, or `NotProven` with the
    reason, as where a file would hold too many regions.

    **Raises:** like `global_minimum`.

    ```python
    >>> from landscape_jax.theory.cells import global_minimum
    >>> x, y = [[-1, 1], [0, 1], [1, 1]], [1, 0, 1]
    >>> bound_claim(x, y, global_minimum(x, y, 1)).lower
    2/9

    ```
    """
    rows, labels = exact_rows(x, y)
    nodes = found.tree.nodes()
    numbers = {id(node.proof): node.proof for node in nodes if node.cut is None}
    if max(2 * len(nodes), len(numbers) * len(rows)) > MOST_NUMBERS:
        return NotProven(f"a file does not hold the {len(nodes)} regions of the search.")
    places = {key: place for place, key in enumerate(numbers)}
    tree = [node.cut or (-1, places[id(node.proof)]) for node in nodes]
    errors = [found.tree.errors(proof).entries() for proof in numbers.values()]
    return prove_loss_bound(
        fmpq_mat(rows), tuple(labels.entries()), len(found.signs), fmpq_mat(tree), fmpq_mat(errors)
    )


def _point(
    x: Any,
    y: Any,
    point: GenuineMinimum | KinkMinimum | GlobalMinimum | Saddle,
    rests: dict[int, list[fmpq]],
) -> tuple[fmpq_mat, tuple[fmpq, ...], fmpq_mat, tuple[fmpq, ...]]:
    """Return x, y, w and z of a point, with given weights of some resting neurons."""
    rows, labels = exact_rows(x, y)
    R = point.R.tolist()
    kinks = getattr(point, "kinks", [()] * len(point.signs))
    weights = []
    for j, (sign, on) in enumerate(zip(point.signs, kinks, strict=True)):
        if sign:
            weights.append([sign * t for t in R[j]])
        elif isinstance(point, GlobalMinimum):
            weights.append(_off_all(rows))
        elif j in rests:
            weights.append(rests[j])
        else:
            floats = point.network.W1[j].tolist()
            weights.append(_on([rows[i] for i in on], [rational(t) for t in floats]))
    outputs = tuple(fmpq(sign) for sign in point.signs)
    return fmpq_mat(rows), tuple(labels.entries()), fmpq_mat(weights), outputs


def _on(kinks: Sequence[Sequence[fmpq]], weights: list[fmpq]) -> list[fmpq]:
    """Return the nearest weights w with w·xᵢ = 0 at all of some samples."""
    if not kinks:
        return weights
    table = fmpq_mat([list(row) for row in kinks]).transpose()
    target = fmpq_mat(len(weights), 1, weights)
    return (target - table * least_squares(table, target)).entries()


def _off_all(rows: Sequence[Sequence[fmpq]]) -> list[fmpq]:
    """Return weights w with w·xᵢ ≠ 0 at all samples but 0.

    On the curve (1, t, t², ...) each sample is 0 at fewer t than it has inputs.
    """
    inputs = len(rows[0])
    for t in range(1, len(rows) * inputs + 2):
        weights = [fmpq(t) ** k for k in range(inputs)]
        heights = (fmpq_mat(rows) * fmpq_mat(inputs, 1, weights)).entries()
        if all(h != 0 or not any(row) for h, row in zip(heights, rows, strict=True)):
            return weights
    raise AssertionError("a polynomial has no more roots than its degree")
