"""The population risk on a fixed space in ball arithmetic: value, gradient and Hessian forms.

With A = |w|², B = |v|², P = w·v, Δ = AB − P² and t = atan2(√Δ, P) the angle,

    f = (√Δ + (π − t) P)/2π,
    2π f_P = π − t,  4π f_A = √Δ/A,  2π f_PP = 1/√Δ,  4π f_AP = −P/(A√Δ),
    8π f_AB = 1/√Δ,  8π f_AA = B/(A√Δ) − 2√Δ/A² = (P²/A − B)/(A√Δ) + … ,

so derivatives of F along directions of W follow from those of inner products, which are linear and
bilinear forms of the unknowns (`blocks`).  Where Δ may be 0 the derivatives are not finite balls.
"""

from collections.abc import Sequence
from functools import cached_property

from flint import arb, arb_mat

from landscape_jax.proofs.balls import Vector, total
from landscape_jax.proofs.blocks import AlikePairs, Blocks, Form, Sparse


class ReducedRisk:
    """F at the point of a fixed space with unknowns x, in balls of the working precision."""

    def __init__(self, blocks: Blocks, x: Vector):
        self.blocks, self.x = blocks, x
        self._lengths = [_diagonal(form, x) for form in blocks.lengths]

    @cached_property
    def _inner(self) -> list["_Kernel"]:
        """The derivatives of f at each pair."""
        return [self._kernel(pair) for pair in self.blocks.pairs]

    def _kernel(self, pair: AlikePairs) -> "_Kernel":
        one = self._lengths[pair.first]
        other = arb(1) if pair.second is None else self._lengths[pair.second]
        if isinstance(pair.inner, int):
            return _Kernel(one, other, self.x[pair.inner])
        return _Kernel(one, other, _diagonal(pair.inner, self.x))

    def value(self) -> arb:
        """Enclose F."""
        blocks = self.blocks
        own = [
            arb(a) * a * p * length / 4
            for a, p, length in zip(
                blocks.student_weights, blocks.students, self._lengths, strict=True
            )
        ]
        crossed = [
            arb(p.weight) * f.value() for p, f in zip(blocks.pairs, self._inner, strict=True)
        ]
        return total(own) + total(crossed) + teacher_constant(blocks)

    def gradient(self, directions: Sequence[Sparse]) -> Vector:
        """Enclose ∇F along directions."""
        blocks = self.blocks
        moves = [[2 * _bilinear(form, self.x, e) for e in directions] for form in blocks.lengths]
        slopes = [arb(0)] * len(directions)
        for i, (a, p) in enumerate(zip(blocks.student_weights, blocks.students, strict=True)):
            slopes = [s + arb(a) * a * p * m / 4 for s, m in zip(slopes, moves[i], strict=True)]
        for pair, f in zip(blocks.pairs, self._inner, strict=True):
            weight = arb(pair.weight)
            first, second, inner = weight * f.first, weight * f.second, weight * f.inner
            for d, e in enumerate(directions):
                slope = first * moves[pair.first][d] + inner * self._turn(pair, e)
                slopes[d] += (
                    slope if pair.second is None else slope + second * moves[pair.second][d]
                )
        return slopes

    def hessian(self, directions: Sequence[Sparse]) -> arb_mat:
        """Enclose the matrix of ∇²F[e, e′] over directions."""
        blocks, size = self.blocks, len(directions)
        moves = [[2 * _bilinear(form, self.x, e) for e in directions] for form in blocks.lengths]
        seconds = [_bends(form, directions) for form in blocks.lengths]
        table = [[arb(0)] * size for _ in range(size)]
        for i, (a, p) in enumerate(zip(blocks.student_weights, blocks.students, strict=True)):
            _add(table, arb(a) * a * p / 4, seconds[i])
        for pair, f in zip(blocks.pairs, self._inner, strict=True):
            weight = arb(pair.weight)
            turns = [self._turn(pair, e) for e in directions]
            one = moves[pair.first]
            other = None if pair.second is None else moves[pair.second]
            for d in range(size):
                # The gradient of (f_A, f_P, f_B) along direction d.
                by_first = f.first_first * one[d] + f.first_inner * turns[d]
                by_inner = f.first_inner * one[d] + f.inner_inner * turns[d]
                by_second = arb(0)
                if other is not None:
                    by_first += f.first_second * other[d]
                    by_inner += f.second_inner * other[d]
                    by_second = (
                        f.first_second * one[d]
                        + f.second_second * other[d]
                        + f.second_inner * turns[d]
                    )
                for e in range(d + 1):
                    term = by_first * one[e] + by_inner * turns[e]
                    table[d][e] += weight * (term if other is None else term + by_second * other[e])
            _add(table, weight * f.first, seconds[pair.first])
            if pair.second is not None:
                _add(table, weight * f.second, seconds[pair.second])
            if not isinstance(pair.inner, int):
                _add(table, weight * f.inner, _bends(pair.inner, directions))
        for d in range(size):
            for e in range(d):
                table[e][d] = table[d][e]
        return arb_mat(table)

    def _turn(self, pair: AlikePairs, direction: Sparse) -> arb:
        """The derivative of a pair's inner product along a direction."""
        if isinstance(pair.inner, int):
            return arb(direction.get(pair.inner, 0))
        return _bilinear(pair.inner, self.x, direction) + _bilinear(
            [(v, u, c) for u, v, c in pair.inner], self.x, direction
        )


class _Kernel:
    """f and its derivatives by A, B and P, at one pair."""

    def __init__(self, one: arb, other: arb, inner: arb):
        self._a, self._b, self._p = one, other, inner
        self._root = (one * other - inner * inner).sqrt()
        self._over = 1 / self._root
        self._pi = arb.pi()

    @cached_property
    def inner(self) -> arb:
        return (self._pi - arb.atan2(self._root, self._p)) / (2 * self._pi)

    def value(self) -> arb:
        """Enclose f, parallel pairs included."""
        root = (self._a * self._b - self._p * self._p).nonnegative_part().sqrt()
        angle = arb.atan2(root, self._p)
        return (root + (self._pi - angle) * self._p) / (2 * self._pi)

    @cached_property
    def first(self) -> arb:
        return self._root / (4 * self._pi * self._a)

    @cached_property
    def second(self) -> arb:
        return self._root / (4 * self._pi * self._b)

    @cached_property
    def inner_inner(self) -> arb:
        return self._over / (2 * self._pi)

    @cached_property
    def first_inner(self) -> arb:
        return -self._p * self._over / (4 * self._pi * self._a)

    @cached_property
    def second_inner(self) -> arb:
        return -self._p * self._over / (4 * self._pi * self._b)

    @cached_property
    def first_second(self) -> arb:
        return self._over / (8 * self._pi)

    @cached_property
    def first_first(self) -> arb:
        return _own_second(self._a, self._b, self._root, self._over) / (8 * self._pi)

    @cached_property
    def second_second(self) -> arb:
        return _own_second(self._b, self._a, self._root, self._over) / (8 * self._pi)


def _own_second(one: arb, other: arb, root: arb, over: arb) -> arb:
    """8π f_AA = B/(A√Δ) − 2√Δ/A²."""
    return other * over / one - 2 * root / (one * one)


def teacher_constant(blocks: Blocks) -> arb:
    """Enclose ½ E(Σⱼ bⱼ relu(vⱼ·x))² = ¼ Σ bⱼ² + ((Σ bⱼ)² − Σ bⱼ²)/4π, of orthonormal teachers."""
    pairs = list(zip(blocks.teacher_weights, blocks.teachers, strict=True))
    squares = total([arb(b) * b * q for b, q in pairs])
    whole = total([arb(b) * q for b, q in pairs])
    return squares / 4 + (whole * whole - squares) / (4 * arb.pi())


def _diagonal(form: Form, x: Vector) -> arb:
    return total([c * x[u] * x[v] for u, v, c in form])


def _bilinear(form: Form, x: Vector, direction: Sparse) -> arb:
    """The form with x on the left and a direction on the right."""
    return total([c * x[u] * direction[v] for u, v, c in form if v in direction])


def _bends(form: Form, directions: Sequence[Sparse]) -> dict[tuple[int, int], arb]:
    """Return form(e, e′) + form(e′, e), the second derivative, where it is not 0 by structure."""
    found: dict[tuple[int, int], arb] = {}
    for d, e in enumerate(directions):
        for f, other in enumerate(directions[: d + 1]):
            terms = [
                c * (e.get(u, 0) * other.get(v, 0) + other.get(u, 0) * e.get(v, 0))
                for u, v, c in form
                if (u in e and v in other) or (u in other and v in e)
            ]
            if terms:
                found[d, f] = total(terms)
    return found


def _add(table: list[Vector], factor: arb, bends: dict[tuple[int, int], arb]) -> None:
    for (d, e), bend in bends.items():
        table[d][e] += factor * bend
