"""The two arguments by which a small gradient and a positive definite Hessian prove a minimum.

Both see F along rays from a point x₀, from four numbers: ε ≥ |∇F(x₀)|, λ ≤ λ_min(∇²F(x₀)), L a
Lipschitz constant of ∇²F on the ball of radius R around x₀, Λ a bound of |∇²F| there.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from flint import arb

Argument = Literal["newton-kantorovich", "safran-shamir"]
ARGUMENTS: tuple[Argument, ...] = get_args(Argument)

# Radii are guessed in floats and widened by this, then proven in balls.
SLACK = 1e-6


@dataclass(frozen=True)
class Radii:
    """A strict minimum lies within `radius`; no second critical point within `uniqueness`."""

    radius: float
    uniqueness: float


def newton_kantorovich(
    gradient: float, eigenvalue: float, lipschitz: float, ball: float
) -> Radii | None:
    """Find radii by L ε/λ² < ½.

    For a unit vector e, d/dt ∇F(x₀ + te)·e = ∇²F[e, e] ≥ λ − Lt, so

        ∇F(x₀ + ρe)·e ≥ q(ρ) = −ε + λρ − Lρ²/2.

    Where q(ρ) > 0 and ρ ≤ R, F over the closed ball of radius ρ is not least on its surface, so
    there is a critical point inside; as ∇²F ≥ λ − Lρ > 0 up to there, F is strictly convex and the
    point is the only one, a strict minimum.  The concave q is positive between two radii where it
    is, so no other critical point lies within a larger radius σ ≤ R with q(σ) > 0.  The roots of q
    are (λ ± √(λ² − 2Lε))/L, real and apart where Lε/λ² < ½; the smaller is 2ε/(λ + √(λ² − 2Lε)).
    By convexity, F ≥ F(x₀) − ερ at the minimum.

    **Arguments:** ε, λ, L and R as above.

    **Returns:** the radii, or `None` if the argument does not apply.

    ```python
    >>> radii = newton_kantorovich(1e-9, 0.1, 10.0, 1.0)
    >>> 1e-8 < radii.radius < 1.00001e-8
    True
    >>> newton_kantorovich(1e-2, 0.1, 10.0, 1.0) is None
    True

    ```
    """
    root = math.sqrt(max(eigenvalue * eigenvalue - 2 * lipschitz * gradient, 0.0))
    radius = 2 * gradient / (eigenvalue + root) * (1 + SLACK) if eigenvalue > 0 else math.inf
    widest = (eigenvalue + root) / lipschitz * (1 - SLACK) if lipschitz > 0 else ball
    radii = Radii(radius, min(ball, widest))
    return radii if holds("newton-kantorovich", radii, gradient, eigenvalue, lipschitz) else None


def safran_shamir(
    gradient: float, eigenvalue: float, lipschitz: float, ball: float
) -> Radii | None:
    """Find radii by SS18's lemma 1: 9λ² − 25Lε ≥ 0.

    By Taylor, F(x₀ + te) − F(x₀) ≥ t(λt/2 − Lt²/6 − ε) with L in the place of SS18's bound B of the
    remainder (L bounds |D³F[e, e, e]|, see `lipschitz.hessian_lipschitz`).  The bracket is positive
    on [r, r'] with r = (3λ − √(9λ² − 25Lε))/2L = 25ε/(6λ + 2√(9λ² − 25Lε)), so F is greater on the
    sphere of radius r than at x₀, and its least value over the ball is taken inside.  Strictness
    and uniqueness are not in the lemma: ∇²F ≥ λ − Lρ > 0 within ρ < λ/L, so F is strictly convex
    there.

    **Arguments:** ε, λ, L and R as above.

    **Returns:** the radii, or `None` if the argument does not apply.

    ```python
    >>> radii = safran_shamir(1e-9, 0.1, 10.0, 1.0)
    >>> 25 / 12 * 1e-8 < radii.radius < 25.001 / 12 * 1e-8
    True

    ```
    """
    root = math.sqrt(max(9 * eigenvalue * eigenvalue - 25 * lipschitz * gradient, 0.0))
    radius = math.inf
    if eigenvalue > 0:
        radius = 25 * gradient / (6 * eigenvalue + 2 * root) * (1 + SLACK)
    widest = eigenvalue / lipschitz * (1 - SLACK) if lipschitz > 0 else ball
    radii = Radii(radius, min(ball, widest))
    return radii if holds("safran-shamir", radii, gradient, eigenvalue, lipschitz) else None


def holds(
    argument: Argument, radii: Radii, gradient: float, eigenvalue: float, lipschitz: float
) -> bool:
    """Check in balls that an argument's inequalities hold at given radii, the only trusted step."""
    eps, lam, lip = arb(gradient), arb(eigenvalue), arb(lipschitz)
    near, far = arb(radii.radius), arb(radii.uniqueness)
    if not (near > 0 and near < far and lam - lip * near > 0):
        return False
    if argument == "newton-kantorovich":
        return all(bool(-eps + lam * t - lip * t * t / 2 > 0) for t in (near, far))
    return bool(lam * near / 2 - lip * near * near / 6 - eps > 0) and bool(lam - lip * far > 0)


def value_drop(argument: Argument, radius: float, gradient: float, hessian_norm: arb) -> arb:
    """Bound F(x₀) − F(x*) at the minimum x* within `radius` of x₀.

    Newton–Kantorovich: ερ, as F is convex there.  SS18's lemma 2: by Taylor, εr + Λr²/2.  The print
    has Λ = ½ + (n² − n)((w_max + r)/2π(w_min − r) + ½) + nk v_max/2π(w_min − r) in the place of
    ½Λ, a sum of the blocks' norms, and rε inside the bracket that r² multiplies, where its
    dimension does not fit; here it stands outside, and Λ is `lipschitz.hessian_norm`.
    """
    if argument == "newton-kantorovich":
        return arb(gradient) * radius
    return arb(gradient) * radius + hessian_norm * arb(radius) ** 2 / 2
