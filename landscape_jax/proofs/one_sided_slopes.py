"""How the loss of a ReLU network on data changes to first order in one neuron, exactly (LIU)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

from flint import fmpq, fmpq_mat

from landscape_jax.proofs.rational_claim import dot, times

# Rays around all neurons on kinks, each of which is a null space.
MOST_RAYS = 5_000

Row = Sequence[fmpq]


@dataclass(frozen=True)
class OneSided:
    """The function h(v) = g·v + Σ_k c_k [l_k·v]₊ of a neuron, with no two l_k on one line.

    - `gradient`: g; `lines`: the l_k; `bends`: the c_k, none of them 0.
    """

    gradient: tuple[fmpq, ...]
    lines: tuple[tuple[fmpq, ...], ...]
    bends: tuple[fmpq, ...]

    def at(self, v: Row) -> fmpq:
        """Return h(v)."""
        return dot(self.gradient, v) + dot(
            self.bends, [max(t, fmpq(0)) for t in times(self.lines, v)]
        )

    def rank(self) -> int:
        """Return the dimension of the span of the l_k."""
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


def one_sided(x: fmpq_mat, heights: Row, errors: Row) -> OneSided:
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
    return OneSided(tuple(gradient), tuple(kept), tuple(kept.values()))


def pre_activations(x: fmpq_mat, weights: fmpq_mat) -> list[list[fmpq]]:
    """Return the w_j·xᵢ, (samples, neurons)."""
    return (x * weights.transpose()).tolist()


def errors_of(heights: Sequence[Row], outputs: tuple[fmpq, ...], y: tuple[fmpq, ...]) -> list[fmpq]:
    """Return the q(xᵢ) − yᵢ."""
    above = [[max(h, fmpq(0)) for h in row] for row in heights]
    return [q - label for q, label in zip(times(above, outputs), y, strict=True)]
