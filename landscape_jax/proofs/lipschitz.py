"""Bounds of the norm and the Lipschitz constant of the population risk's Hessian on a ball."""

from dataclasses import dataclass

from flint import arb

from landscape_jax.proofs.balls import Vector, largest, smallest, total


@dataclass(frozen=True)
class Sizes:
    """Weights and norms of the neurons, on which alone the bounds of this module depend.

    `students` |aᵢ| and `student_norms` |wᵢ|; `teachers` Σⱼ |bⱼ||vⱼ|.
    """

    students: Vector
    student_norms: Vector
    teachers: arb

    def least_norm(self) -> arb:
        """Bound the smallest student's norm from below: the ball's radius must stay below that."""
        return smallest(self.student_norms)

    def reach(self, i: int, radius: arb) -> arb:
        """Bound Σ_{l≠i} |aₗ||wₗ| + Σⱼ |bⱼ||vⱼ| on the ball."""
        others = [
            a * (norm + radius)
            for j, (a, norm) in enumerate(zip(self.students, self.student_norms, strict=True))
            if j != i
        ]
        return total(others) + self.teachers


def hessian_norm(sizes: Sizes, radius: arb) -> arb:
    """Bound the spectral norm of ∇²F on the ball of the given radius.

    |∂²f/∂w²| = |v| sin t/(π|w|) ≤ |v|/(π|w|), and |∂²f/∂w∂v| ≤ (π − t + sin t)/2π ≤ ½, while
    f(w, w) = ½|w|².  The blocks ½aᵢ² and aᵢaₗ∂²f/∂w∂v have norms at most ½|aᵢaₗ|, so together at
    most that of the matrix ½|a||a|ᵀ, which is ½Σaᵢ²; the other diagonal terms are block diagonal:

        Λ = ½ Σ aᵢ² + maxᵢ |aᵢ| (Σ_{l≠i} |aₗ||wₗ| + Σⱼ |bⱼ||vⱼ|) / (π|wᵢ|).

    SS18, lemma 2, adds the norms of all blocks instead.  NaN if a neuron may be 0 in the ball.
    """
    own = [
        a * sizes.reach(i, radius) / (arb.pi() * shrunk)
        for i, (a, shrunk) in enumerate(_shrunk(sizes, radius))
    ]
    return total([a * a for a in sizes.students]) / 2 + largest(own)


def hessian_lipschitz(sizes: Sizes, radius: arb) -> arb:
    """Bound the Lipschitz constant L of ∇²F, in spectral norm, on the ball of the given radius.

    Write the directions p of w as p = αw̄ + βn̄ + γ, n̄ the unit vector of v − (v·w̄)w̄, γ orthogonal
    to both.  Away from parallel pairs, differentiating SS18's eq. 9, 10 once more,

        D³f[p, p, p] = −|v|/(2π|w|²) (3α sin t (2β² + |γ|²) + β cos t (2β² + 3|γ|²)).

    By Cauchy–Schwarz in (sin t, cos t), and with x, y, z = α², β², |γ|² on x + y + z = 1, the
    square of the bracket is at most 9x(2y + z)² + y(2y + 3z)², which grows with y at fixed y + z
    and is 36y² − 32y³ at z = 0, at most 27/4 (y = ¾).  So |D³f[p, p, p]| ≤ κ |v||p|³/|w|² with
    κ = 3√3/4π.  For the mixed derivative, ∂²f/∂w²[p, p] = (|m||p'|² + (m·p)²/|m|)/(2π|w|), with
    m = v − (v·w̄)w̄ and p' = p − αw̄, changes with v by at most
    |p|²|q|/(π|w|): its derivative along q = xn̄ + … is x(2β² + |γ|²) + 2βγ·q over 2π|w|, and
    (2β² + |γ|²)² + 4β²|γ|² ≤ 4(β² + |γ|²)².  Summed over the pairs, with |pᵢ| the length of the
    i-th neuron's part of a unit vector p,

        |D³F[p, p, p]| ≤ Σᵢ |pᵢ|² (Aᵢ|pᵢ| + Bᵢ Σ_{l≠i} |aₗ||pₗ|) ≤ L,
        L = maxᵢ √(Aᵢ² + Bᵢ² Σ_{l≠i} aₗ²),
        Aᵢ = κ|aᵢ| (Σ_{l≠i} |aₗ||wₗ| + Σⱼ |bⱼ||vⱼ|)/|wᵢ|²,   Bᵢ = 3|aᵢ|/(π|wᵢ|),

    by Cauchy–Schwarz in (|pᵢ|, (|pₗ|)_{l≠i}).  A symmetric trilinear form is largest where its
    arguments agree (Banach), so L bounds the rate of ∇²F along every segment that meets only
    finitely many parallel configurations; those are almost all segments (the condition
    |w|²|v|² = (w·v)² is algebraic; for d = 1, where it always holds, F is piecewise quadratic),
    and ∇²F is continuous (see `pairs.hessian`), so L holds for all.  Only zero neurons
    must be excluded from the ball.

    SS18's program uses n(√2(n − 1)(w_max + w_min) + k v_max)/(π w_min²), derived in an appendix.
    NaN if a neuron may be 0 in the ball.
    """
    kappa = 3 * arb(3).sqrt() / (4 * arb.pi())
    squares = total([a * a for a in sizes.students])
    bounds = []
    for i, (a, shrunk) in enumerate(_shrunk(sizes, radius)):
        straight = kappa * a * sizes.reach(i, radius) / shrunk**2
        mixed = 3 * a / (arb.pi() * shrunk)
        others = (squares - a * a).nonnegative_part()
        bounds.append((straight**2 + mixed**2 * others).sqrt())
    return largest(bounds)


def _shrunk(sizes: Sizes, radius: arb) -> list[tuple[arb, arb]]:
    """Pair |aᵢ| with the least norm of neuron i on the ball; NaN if that is not positive."""
    least = [norm - radius for norm in sizes.student_norms]
    return [(a, x if x > 0 else arb.nan()) for a, x in zip(sizes.students, least, strict=True)]
