"""Local minima of a ReLU network on data, at kinks too, in rational arithmetic (LIU)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import ClassVar

from flint import fmpq, fmpq_mat

from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.rational_claim import (
    RationalClaim,
    checked,
    dot,
    shown,
    times,
    versions,
)
from landscape_jax.proofs.rational_file import Shapes

# Rays around all neurons on kinks, each of which is a null space.
MOST_RAYS = 5_000

Row = Sequence[fmpq]


@dataclass(frozen=True, eq=False)
class MinimumOnData(RationalClaim):
    """A local minimum (z, w) of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    So are all points with the same signs and R_j = z_j w_j: c > 0 in (z_j/c, c w_j) changes
    nothing.

    - `x`, (samples, inputs), a bias as a column of ones; `y`, (samples,).
    - `weights`: w, (neurons, inputs); `outputs`: z, (neurons,), where 0 is a resting neuron.
    - `loss`: that of the point.
    """

    KIND: ClassVar[str] = "local minimum on data"
    SHAPES: ClassVar[Shapes] = {
        "x": "samples inputs",
        "y": "samples",
        "weights": "neurons inputs",
        "outputs": "neurons",
        "loss": "",
    }

    x: fmpq_mat
    y: tuple[fmpq, ...]
    weights: fmpq_mat
    outputs: tuple[fmpq, ...]
    loss: fmpq
    versions: dict[str, str] = field(default_factory=versions)

    @property
    def kinks(self) -> tuple[tuple[int, ...], ...]:
        """Return for each neuron the samples xᵢ ≠ 0 with w_j·xᵢ = 0."""
        there = [any(t != 0 for t in row) for row in self.x.tolist()]
        heights = _heights(self.x, self.weights)
        return tuple(
            tuple(i for i, (h, on) in enumerate(zip(own, there, strict=True)) if on and h == 0)
            for own in zip(*heights, strict=True)
        )

    @property
    def statement(self) -> str:
        """Return what is proven in one sentence."""
        samples, inputs = self.x.nrows(), self.x.ncols()
        on = sum(map(bool, self.kinks))
        where = f", with {on} of the neurons on kinks" if on else ""
        least = "; it is global, as no loss is negative" if self.loss == 0 else ""
        return (
            f"The loss 1/N sum (q(x_i) - y_i)^2 of {self.weights.nrows()} ReLU neurons without "
            f"biases on N = {samples} samples x_i in R^{inputs} has a local minimum of loss "
            f"{shown(self.loss)}{where}{least}; SHA-256 of the samples and the network "
            f"{self.digest}."
        )

    def objections(self) -> Iterator[str]:
        """Yield what is not proven.

        With e = q − y and small changes v_j of |z_j| w_j, N ΔL = 2 Σᵢ eᵢ δqᵢ + ‖δq‖², where

            Σᵢ eᵢ δqᵢ = Σ_{z_j ≠ 0} sign(z_j) h_j(v_j) + Σ_{z_j = 0} δz_j h_j(w_j + δw_j),
            h_j(v) = Σ_{w_j·xᵢ > 0} eᵢ xᵢ·v + Σ_{w_j·xᵢ = 0} eᵢ [xᵢ·v]₊.

        So sign(z_j) h_j ≥ 0 where z_j ≠ 0 and h_j = 0 where z_j = 0 prove a local minimum.
        """
        neurons, inputs = self.weights.nrows(), self.x.ncols()
        yield from self.too_large(self.x.nrows() * neurons * (inputs + 1))
        heights = _heights(self.x, self.weights)
        errors = _errors(heights, self.outputs, self.y)
        if dot(errors, errors) / len(errors) != self.loss:
            yield "the loss of the network is not the claimed one."
        neurons_heights = list(zip(*heights, strict=True))
        yield from self.too_large(sum(own.count(0) ** 2 * inputs for own in neurons_heights))
        around = [_one_sided(self.x, own, errors) for own in neurons_heights]
        if sum(h.rays() for h in around) > MOST_RAYS:
            yield "the kinks have too many rays around them to be checked."
        yield from self.too_large(sum(h.rays() * h.rank() * len(h.lines) for h in around))
        for j, (z, h) in enumerate(zip(self.outputs, around, strict=True)):
            if not ((z < 0 or h.rises(1)) and (z > 0 or h.rises(-1))):
                yield f"the loss is not proven to stay or rise in all directions of neuron {j}."


def prove_minimum_on_data(
    x: fmpq_mat, y: tuple[fmpq, ...], weights: fmpq_mat, outputs: tuple[fmpq, ...]
) -> MinimumOnData | NotProven:
    """Prove that (z, w) is a local minimum of L(z, w) = (1/N) Σᵢ (Σ_j z_j [w_j·xᵢ]₊ − yᵢ)².

    **Arguments:** `x`, (samples, inputs), a bias as a column of ones; `y`, (samples,); `weights`,
    w, (neurons, inputs); `outputs`, z, (neurons,).

    **Returns:** a `MinimumOnData`, or `NotProven` with the reason.

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
    errors = _errors(_heights(x, weights), outputs, y)
    return checked(MinimumOnData(x, y, weights, outputs, dot(errors, errors) / len(errors)))


@dataclass(frozen=True)
class _OneSided:
    """The function h(v) = g·v + Σ_k c_k [l_k·v]₊ of a neuron, with no two l_k on one line.

    - `gradient`: g; `lines`: the l_k; `bends`: the c_k, none of them 0.
    """

    gradient: tuple[fmpq, ...]
    lines: tuple[tuple[fmpq, ...], ...]
    bends: tuple[fmpq, ...]

    def rank(self) -> int:
        return fmpq_mat([list(line) for line in self.lines]).rank() if self.lines else 0

    def rays(self) -> int:
        """Return how many null spaces `rises` computes."""
        return comb(len(self.lines), self.rank() - 1) if self.lines else 0

    def rises(self, sign: int) -> bool:
        """Check whether sign · h ≥ 0 everywhere.

        Each l_k and g are combinations of rows E that span the l_k, so h depends on u = Ev alone;
        g has to be one, since h is linear where all l_k·v are 0.  The hyperplanes l_k·v = 0 cut
        the space of u into pointed cones, on each of which h is linear.  So h has its sign on
        their extreme rays, where rank − 1 independent ones of the hyperplanes meet.
        """
        if not self.lines:
            return not any(self.gradient)
        rows, pivots = _echelon(self.lines)
        g, *lines = ([vector[k] for k in pivots] for vector in (self.gradient, *self.lines))
        if times(list(zip(*rows, strict=True)), g) != list(self.gradient):
            return False
        table = fmpq_mat(lines)
        # [−t]₊ = [t]₊ − t, so h(−u) = Σ_k c_k [l_k·u]₊ − opposite·u.
        total = times(table.transpose().tolist(), self.bends)
        opposite = [s + t for s, t in zip(g, total, strict=True)]
        for chosen in combinations(lines, len(rows) - 1):
            u = _orthogonal(chosen, len(rows))
            if u is None:
                continue
            heights = (table * fmpq_mat(len(u), 1, u)).entries()
            bent = dot(self.bends, [max(t, fmpq(0)) for t in heights])
            if sign * (dot(g, u) + bent) < 0 or sign * (bent - dot(opposite, u)) < 0:
                return False
        return True


def _echelon(rows: Sequence[Row]) -> tuple[list[list[fmpq]], list[int]]:
    """Return a basis of the span of some rows, the identity at the pivots, which come second."""
    echelon, rank = fmpq_mat([list(row) for row in rows]).rref()
    basis = echelon.tolist()[:rank]
    return basis, [next(k for k, t in enumerate(row) if t != 0) for row in basis]


def _orthogonal(lines: Sequence[Row], rank: int) -> list[fmpq] | None:
    """Return the vector, up to its scale, that is orthogonal to rank − 1 independent lines."""
    basis, pivots = _echelon(lines) if lines else ([], [])
    if len(basis) < rank - 1:
        return None
    free = next(k for k in range(rank) if k not in pivots)
    u = [fmpq(k == free) for k in range(rank)]
    for pivot, row in zip(pivots, basis, strict=True):
        u[pivot] = -row[free]
    return u


def _one_sided(x: fmpq_mat, heights: Row, errors: Row) -> _OneSided:
    """Return the function h of a neuron with these w·xᵢ.

    Samples c l and −c l, c > 0, on one line have [cl·v]₊ = c[l·v]₊ and [−cl·v]₊ = c[l·v]₊ − cl·v.
    """
    active = [e if h > 0 else fmpq(0) for h, e in zip(heights, errors, strict=True)]
    bends: dict[tuple[fmpq, ...], fmpq] = {}
    for i, row in enumerate(x.tolist()):
        first = next((t for t in row if t != 0), fmpq(0))
        if heights[i] != 0 or first == 0:
            continue
        line = tuple(t / first for t in row)
        bends[line] = bends.get(line, fmpq(0)) + errors[i] * abs(first)
        if first < 0:
            active[i] = errors[i]
    gradient = times(x.transpose().tolist(), active)
    kept = {line: bend for line, bend in bends.items() if bend != 0}
    return _OneSided(tuple(gradient), tuple(kept), tuple(kept.values()))


def _heights(x: fmpq_mat, weights: fmpq_mat) -> list[list[fmpq]]:
    """Return the w_j·xᵢ, (samples, neurons)."""
    return (x * weights.transpose()).tolist()


def _errors(heights: Sequence[Row], outputs: tuple[fmpq, ...], y: tuple[fmpq, ...]) -> list[fmpq]:
    """Return the q(xᵢ) − yᵢ."""
    above = [[max(h, fmpq(0)) for h in row] for row in heights]
    return [q - label for q, label in zip(times(above, outputs), y, strict=True)]
