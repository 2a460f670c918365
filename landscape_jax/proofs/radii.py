"""The ball around a point on which an argument for a strict minimum holds."""

from dataclasses import dataclass

from flint import arb

from landscape_jax.proofs import arguments
from landscape_jax.proofs.arguments import Argument, Radii
from landscape_jax.proofs.balls import lower, upper
from landscape_jax.proofs.eigenvalue_bound import HessianBounds
from landscape_jax.proofs.lipschitz import Sizes, hessian_lipschitz


@dataclass(frozen=True)
class Ball:
    """A ball on which an argument holds.

    `radii`; `radius` of the ball; `lipschitz`, the constant of ∇²F on it; `everywhere`, whether
    every higher dimension is covered.
    """

    radii: Radii
    radius: float
    lipschitz: float
    everywhere: bool


def find_ball(
    argument: Argument, gradient_norm: float, bounds: HessianBounds, size: Sizes
) -> Ball | None:
    """Find a ball on which the argument holds, in every dimension ≥ d if that can be, else in R^d.

    The Hessian at the point is at least that at the near point of `HessianBounds` minus L times the
    offset.  L falls with the ball, and beyond 2λ/L a larger ball is of no use.
    """
    find = {
        "newton-kantorovich": arguments.newton_kantorovich,
        "safran-shamir": arguments.safran_shamir,
    }[argument]
    for everywhere in (True, False):
        least = min(bounds.inside, bounds.padding) if everywhere else bounds.inside
        if not least > 0:
            continue
        ball = lower(size.least_norm()) / 4
        widest = upper(hessian_lipschitz(size, arb(ball)))
        ball = min(ball, 2 * least / widest) if widest > 0 else ball
        lipschitz = upper(hessian_lipschitz(size, arb(ball)))
        eigenvalue = lower(arb(least) - arb(lipschitz) * bounds.offset)
        radii = find(gradient_norm, eigenvalue, lipschitz, ball)
        if radii is not None and bounds.offset < ball:
            return Ball(radii, ball, lipschitz, everywhere)
    return None
