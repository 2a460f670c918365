"""Local minima and saddles of a ReLU network on data, kinks included, in exact arithmetic (LIU)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from flint import fmpq, fmpq_mat

from landscape_jax.mistakes import explained
from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.one_sided_slopes import (
    MOST_RAYS,
    OneSided,
    errors_of,
    one_sided,
    pre_activations,
)
from landscape_jax.proofs.rational_claim import RationalClaim, checked, dot, shown, versions
from landscape_jax.proofs.rational_file import Shapes, check_shapes

_POINT: Shapes = {
    "x": "samples inputs",
    "y": "samples",
    "weights": "neurons inputs",
    "outputs": "neurons",
    "loss": "",
}


@dataclass(frozen=True, eq=False, repr=False)
class _PointOnData(RationalClaim):
    """A point (z, w) of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    With e = q − y and small changes v_j of |z_j| w_j, N ΔL = 2 Σᵢ eᵢ δqᵢ + ‖δq‖², where

        Σᵢ eᵢ δqᵢ = Σ_{z_j ≠ 0} sign(z_j) h_j(v_j) + Σ_{z_j = 0} δz_j h_j(w_j + δw_j),
        h_j(v) = Σ_{w_j·xᵢ > 0} eᵢ xᵢ·v + Σ_{w_j·xᵢ = 0} eᵢ [xᵢ·v]₊.
    """

    x: fmpq_mat
    y: tuple[fmpq, ...]
    weights: fmpq_mat
    outputs: tuple[fmpq, ...]
    loss: fmpq

    @property
    def kinks(self) -> tuple[tuple[int, ...], ...]:
        """Return for each neuron the samples xᵢ ≠ 0 with w_j·xᵢ = 0."""
        there = [any(t != 0 for t in row) for row in self.x.tolist()]
        heights = pre_activations(self.x, self.weights)
        return tuple(
            tuple(i for i, (h, on) in enumerate(zip(own, there, strict=True)) if on and h == 0)
            for own in zip(*heights, strict=True)
        )

    def _sentence(self, kind: str, more: str = "") -> str:
        """Return the statement that there is a point of some kind."""
        samples, inputs = self.x.nrows(), self.x.ncols()
        on = sum(map(bool, self.kinks))
        where = f", with {on} of the neurons on kinks" if on else ""
        return (
            f"The loss 1/N sum (q(x_i) - y_i)^2 of {self.weights.nrows()} ReLU neurons without "
            f"biases on N = {samples} samples x_i in R^{inputs} has a {kind} of loss "
            f"{shown(self.loss)}{where}{more}; SHA-256 of the samples and the network "
            f"{self.digest}."
        )

    def _objections(self, around: list[OneSided]) -> Iterator[str]:
        """Yield what is wrong with the loss or too large to be checked; append the h_j."""
        neurons, inputs = self.weights.nrows(), self.x.ncols()
        yield from self.too_large(self.x.nrows() * neurons * (inputs + 1))
        heights = pre_activations(self.x, self.weights)
        errors = errors_of(heights, self.outputs, self.y)
        if dot(errors, errors) / len(errors) != self.loss:
            yield "the loss of the network is not the claimed one."
        neurons_heights = list(zip(*heights, strict=True))
        yield from self.too_large(sum(own.count(0) ** 2 * inputs for own in neurons_heights))
        around += [one_sided(self.x, own, errors) for own in neurons_heights]
        if sum(h.rays() for h in around) > MOST_RAYS:
            yield "the kinks have too many rays around them to be checked."
        yield from self.too_large(sum(h.rays() * h.rank() * len(h.lines) for h in around))


@dataclass(frozen=True, eq=False, repr=False)
class MinimumOnData(_PointOnData):
    """A local minimum (z, w) of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    So are all points with the same signs and R_j = z_j w_j: c > 0 in (z_j/c, c w_j) changes
    nothing.

    - `x`, (samples, inputs), a bias as a column of ones; `y`, (samples,).
    - `weights`: w, (neurons, inputs); `outputs`: z, (neurons,), where 0 is a resting neuron.
    - `loss`: that of the point.
    """

    KIND: ClassVar[str] = "local minimum on data"
    SHAPES: ClassVar[Shapes] = _POINT

    versions: dict[str, str] = field(default_factory=versions)

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        least = "; it is global, as no loss is negative" if self.loss == 0 else ""
        return self._sentence("local minimum", least)

    def objections(self) -> Iterator[str]:
        """Yield what is not proven.

        sign(z_j) h_j ≥ 0 where z_j ≠ 0 and h_j = 0 where z_j = 0 prove a local minimum.
        """
        around: list[OneSided] = []
        yield from self._objections(around)
        for j, (z, h) in enumerate(zip(self.outputs, around, strict=True)):
            if not ((z < 0 or h.rises(1)) and (z > 0 or h.rises(-1))):
                yield f"the loss is not proven to stay or rise in all directions of neuron {j}."


@dataclass(frozen=True, eq=False, repr=False)
class SaddleOnData(_PointOnData):
    """A saddle (z, w) of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)²: no descent to first order.

    Arbitrarily near it are points of lower loss and points of higher loss.

    - `x`, `y`, `weights`, `outputs`, `loss`: see `MinimumOnData`.
    - `directions`, (neurons, inputs): of one or more neurons j with z_j = 0 a v_j along which the
      loss can fall and rise, of the others 0.
    """

    KIND: ClassVar[str] = "saddle on data"
    SHAPES: ClassVar[Shapes] = {**_POINT, "directions": "neurons inputs"}

    directions: fmpq_mat
    versions: dict[str, str] = field(default_factory=versions)

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        return self._sentence(
            "saddle (no descent to first order, lower and higher points arbitrarily near)"
        )

    def objections(self) -> Iterator[str]:
        """Yield what is not proven.

        sign(z_j) h_j ≥ 0 where z_j ≠ 0 and h_j(w_j) = 0 where z_j = 0 leave no descent to first
        order.  Where z_j = 0, δz_j = ±st and δw_j = tv change N L by ±2st² h_j(v) + O(s²t²), which
        has both signs for small s if h_j(v) ≠ 0.
        """
        around: list[OneSided] = []
        yield from self._objections(around)
        rows = zip(self.weights.tolist(), self.directions.tolist(), strict=True)
        moving = 0
        for j, (z, h, (w, v)) in enumerate(zip(self.outputs, around, rows, strict=True)):
            if (z == 0 and h.at(w) != 0) or (z != 0 and not h.rises(1 if z > 0 else -1)):
                yield f"the loss is not proven to have no descent to first order in neuron {j}."
            if any(v):
                moving += 1
                if z != 0 or h.at(v) == 0:
                    yield f"the loss is not proven to fall and rise along the direction {j}."
        if not moving:
            yield "no direction is given in which the loss falls and rises."


@explained
def prove_minimum_on_data(
    x: fmpq_mat, y: tuple[fmpq, ...], weights: fmpq_mat, outputs: tuple[fmpq, ...]
) -> MinimumOnData | NotProven:
    """Prove that (z, w) is a local minimum of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    **Arguments:** `x`, (samples, inputs), a bias as a column of ones; `y`, (samples,); `weights`,
    w, (neurons, inputs); `outputs`, z, (neurons,).

    **Returns:** a `MinimumOnData`, or `NotProven` with the reason.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type or shape.

    Source: LIU, theorems 1 to 3.

    ```python
    >>> x, y = fmpq_mat(2, 2, [1, 0, 0, 1]), (fmpq(1), fmpq(-1))
    >>> proof = prove_minimum_on_data(x, y, fmpq_mat(1, 2, [1, 0]), (fmpq(1),))
    >>> proof.proven, proof.loss, proof.kinks
    (True, 1/2, ((1,),))
    >>> prove_minimum_on_data(x, y, fmpq_mat(1, 2, [1, 1]), (fmpq(1),)).reason
    'the loss is not proven to stay or rise in all directions of neuron 0.'

    ```
    """
    check_shapes({"x": x, "y": y, "weights": weights, "outputs": outputs}, _POINT)
    errors = errors_of(pre_activations(x, weights), outputs, y)
    return checked(MinimumOnData(x, y, weights, outputs, dot(errors, errors) / len(errors)))


@explained
def prove_saddle_on_data(
    x: fmpq_mat,
    y: tuple[fmpq, ...],
    weights: fmpq_mat,
    outputs: tuple[fmpq, ...],
    directions: fmpq_mat,
) -> SaddleOnData | NotProven:
    """Prove that (z, w) is a saddle of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    **Arguments:** `x`, `y`, `weights`, `outputs`, as of `prove_minimum_on_data`; `directions`,
    (neurons, inputs), as of `SaddleOnData`.

    **Returns:** a `SaddleOnData`, or `NotProven` with the reason.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type or shape.

    Source: LIU, theorem 2, appendix C.

    ```python
    >>> x, y = fmpq_mat(2, 2, [1, 0, 0, 1]), (fmpq(1), fmpq(-1))
    >>> w, v = fmpq_mat(1, 2, [1, 1]), fmpq_mat(1, 2, [1, -1])
    >>> prove_saddle_on_data(x, y, w, (fmpq(0),), v).loss
    1
    >>> prove_saddle_on_data(x, y, w, (fmpq(0),), w).reason
    'the loss is not proven to fall and rise along the direction 0.'

    ```
    """
    given = {"x": x, "y": y, "weights": weights, "outputs": outputs, "directions": directions}
    check_shapes(given, SaddleOnData.SHAPES)
    errors = errors_of(pre_activations(x, weights), outputs, y)
    return checked(
        SaddleOnData(x, y, weights, outputs, dot(errors, errors) / len(errors), directions)
    )
