"""Lower bounds of the loss in an activation region by weak duality, in rational arithmetic."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from flint import fmpq, fmpq_mat, fmpz

from landscape_jax.mistakes import explained
from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.rational_claim import RationalClaim, checked, dot, shown, versions
from landscape_jax.proofs.rational_file import Shapes, check_shapes

# Bits of a square root that is rounded up.
_BITS = 64


@dataclass(frozen=True, eq=False, repr=False)
class RegionBound(RationalClaim):
    """A lower bound of the loss (1/m) Σ_t (Σᵢ vᵢ [wᵢ·x_t]₊ − y_t)² in a closed activation region.

    The region: wᵢ·x_t ≥ 0 where `pattern` is 1, ≤ 0 where it is 0.

    - `x`, (samples, inputs), a bias as a column of ones; `y`, (samples,); `pattern`, (samples,
      neurons); `signs`: v, (neurons,).
    - `errors`, r, (samples,), and `multipliers`, λ, (samples, neurons): the dual point.
    - `remainders`, s, (neurons, inputs): 0 where the dual constraint of a neuron holds exactly.
    - `reach`, (neurons,): the bound is for wᵢ with ‖X wᵢ‖ ≤ reachᵢ; `None`, for all wᵢ.
    - `lower`: the bound.
    """

    KIND: ClassVar[str] = "lower bound in an activation region"
    SHAPES: ClassVar[Shapes] = {
        "x": "samples inputs",
        "y": "samples",
        "pattern": "samples neurons",
        "signs": "neurons",
        "errors": "samples",
        "multipliers": "samples neurons",
        "remainders": "neurons inputs",
        "reach": "neurons?",
        "lower": "",
    }

    x: fmpq_mat
    y: tuple[fmpq, ...]
    pattern: fmpq_mat
    signs: tuple[fmpq, ...]
    errors: tuple[fmpq, ...]
    multipliers: fmpq_mat
    remainders: fmpq_mat
    reach: tuple[fmpq | None, ...]
    lower: fmpq
    versions: dict[str, str] = field(default_factory=versions)

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        (samples, inputs), neurons = (self.x.nrows(), self.x.ncols()), len(self.signs)
        near = [f"|X w_{i}| at most {shown(reach)}" for i, reach in enumerate(self.reach) if reach]
        limit = f" with {', '.join(near)}" if near else ""
        return (
            f"All weights{limit} in one closed activation region of {neurons} ReLU neurons with "
            f"fixed output weights and no biases have a loss 1/m sum (q(x_t) - y_t)^2 of at least "
            f"{shown(self.lower)} on m = {samples} samples x_t in R^{inputs}; SHA-256 of the "
            f"samples, the region and the dual point {self.digest}."
        )

    def objections(self) -> Iterator[str]:
        """Yield what is not proven.

        In the region q = Σᵢ aᵢ∘hᵢ with hᵢ = X wᵢ, a_ti = vᵢ where the pattern is 1, else 0, and
        b_ti h_ti ≥ 0, b = ±1.  For any r and λ ≥ 0, with cᵢ = aᵢ∘r − bᵢ∘λᵢ,

            ‖q − y‖² ≥ 2 r·(q − y) − ‖r‖² ≥ −2 r·y − ‖r‖² + 2 Σᵢ cᵢ·hᵢ,

        and Xᵀcᵢ = XᵀX sᵢ gives cᵢ·hᵢ = (X sᵢ)·hᵢ ≥ −‖X sᵢ‖‖hᵢ‖.
        """
        inputs, neurons = self.x.ncols(), len(self.signs)
        yield from self.too_large(self.x.nrows() * neurons * (inputs + 1) * 2)
        if any(t not in (0, 1) for t in self.pattern.entries()):
            yield "its pattern is not of 0 and 1."
        if any(t < 0 for t in self.multipliers.entries()):
            yield "a multiplier is negative."
        if any(reach is not None and reach <= 0 for reach in self.reach):
            yield "a reach is not positive."
        sides = _residuals(self.x, self.pattern, self.signs, self.errors, self.multipliers)
        lost = self.x * self.remainders.transpose()
        if self.x.transpose() * lost != sides:
            yield "the dual point does not satisfy the dual constraints."
        if any(s and reach is None for s, reach in zip(_squares(lost), self.reach, strict=True)):
            yield "a neuron without a reach does not satisfy its dual constraint exactly."
        if not self.lower <= _dual_value(self.y, self.errors, lost, self.reach):
            yield "the loss is not proven to be as large as claimed."


@explained
def prove_region_bound(
    x: fmpq_mat,
    y: tuple[fmpq, ...],
    pattern: fmpq_mat,
    signs: tuple[fmpq, ...],
    errors: tuple[fmpq, ...],
    multipliers: fmpq_mat,
    remainders: fmpq_mat,
    reach: tuple[fmpq | None, ...],
) -> RegionBound | NotProven:
    """Prove a lower bound of the loss in an activation region from a dual point.

    **Arguments:** as for `RegionBound`.

    **Returns:** a `RegionBound` with the largest `lower` that the dual point proves, or `NotProven`
    with the reason.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type or shape.

    Source: SS16, sections 2.2 and 4.2.

    ```python
    >>> x, y = fmpq_mat(2, 2, [1, 0, 0, 1]), (fmpq(1), fmpq(2))
    >>> pattern = fmpq_mat(2, 1, [1, 0])
    >>> prove_region_bound(x, y, pattern, (fmpq(1),), (fmpq(0), fmpq(-2)), fmpq_mat(2, 1),
    ...     fmpq_mat(1, 2), (None,)).lower
    2

    ```
    """
    given = {"x": x, "y": y, "pattern": pattern, "signs": signs, "errors": errors}
    given |= {"multipliers": multipliers, "remainders": remainders, "reach": reach}
    check_shapes(given, RegionBound.SHAPES)
    value = _dual_value(y, errors, x * remainders.transpose(), reach)
    return checked(RegionBound(x, y, pattern, signs, errors, multipliers, remainders, reach, value))


def _residuals(
    x: fmpq_mat,
    pattern: fmpq_mat,
    signs: Sequence[fmpq],
    errors: Sequence[fmpq],
    multipliers: fmpq_mat,
) -> fmpq_mat:
    """Return the Xᵀcᵢ, (inputs, neurons), cᵢ = aᵢ∘r − bᵢ∘λᵢ."""
    rows = zip(pattern.tolist(), errors, multipliers.tolist(), strict=True)
    c = [
        [v * r - m if on == 1 else m for on, v, m in zip(active, signs, own, strict=True)]
        for active, r, own in rows
    ]
    return x.transpose() * fmpq_mat(c)


def _squares(columns: fmpq_mat) -> list[fmpq]:
    """Return ‖X sᵢ‖² of each column."""
    return [dot(column, column) for column in columns.transpose().tolist()]


def _dual_value(
    y: Sequence[fmpq], errors: Sequence[fmpq], lost: fmpq_mat, reach: Sequence[fmpq | None]
) -> fmpq:
    """Return (−2 r·y − ‖r‖² − 2 Σᵢ ‖X sᵢ‖ reachᵢ)/m, the roots rounded up."""
    value = -2 * dot(errors, y) - dot(errors, errors)
    for square, most in zip(_squares(lost), reach, strict=True):
        value -= 2 * _root(square) * (fmpq(0) if most is None else most)
    return value / len(y)


def _root(number: fmpq) -> fmpq:
    """Return an upper bound of a square root, 0 for 0."""
    if number == 0:
        return fmpq(0)
    shift = fmpz(2) ** _BITS
    return fmpq((number.p * number.q * shift**2).isqrt() + 1, number.q * shift)
