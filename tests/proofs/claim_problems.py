"""Claims in rational numbers that the tests of claims share."""

from collections.abc import Callable
from functools import cache
from itertools import product

import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat

from landscape_jax.proofs import (
    Layers,
    LossBound,
    MinimumOnData,
    NotProven,
    RegionBound,
    SaddleOnData,
    SpuriousOnData,
    prove_spurious_on_data,
)
from landscape_jax.proofs.rational_claim import RationalClaim
from landscape_jax.theory import spurious_minimum
from landscape_jax.theory.basins import basin_values, lower_bound_claim, region_patterns
from landscape_jax.theory.cells import (
    bound_claim,
    global_minimum,
    landscape,
    minimum_claim,
    saddle_claim,
)

SLOPES = [(1, 0), (1, 0.01), (0.5, 2)]
ONE, X, Y = fmpq(1), fmpq_mat(3, 1, [-1, 0, 1]), (fmpq(1), fmpq(0), fmpq(1))
RELU = (ONE, fmpq(0))
FLAT = Layers(fmpq_mat(1, 2, [0, 1]), (fmpq(2, 3), fmpq(0)))
BENT = Layers(fmpq_mat(1, 2, [1, 0]), (fmpq(1, 2), fmpq(1, 2)))


def proven(outcome):
    """Fail with the reason where nothing is proven."""
    assert not isinstance(outcome, NotProven), outcome.reason
    assert outcome.proven
    return outcome


def simple() -> SpuriousOnData:
    """Return the claim of a problem with one neuron."""
    return proven(prove_spurious_on_data(X, Y, RELU, FLAT, BENT))


def regression(seed):
    """Draw samples and labels of one decimal, some of them repeated."""
    rng = np.random.default_rng(seed)
    samples, inputs = int(rng.integers(4, 9)), int(rng.integers(1, 3))
    x, y = (rng.integers(-20, 20, size=shape) / 10 for shape in ((samples, inputs), samples))
    return x, y


@cache
def constructed(seed=0) -> SpuriousOnData:
    """Return the claim of theorem 1 for a small problem."""
    x, y = regression(seed)
    found = spurious_minimum(x, y, activation=SLOPES[seed % 3], width=2 + seed % 3)
    claim = proven(found.claim())
    assert claim.risk == found.least_squares_risk > claim.better_risk
    return claim


def small(seed):
    """Draw a problem whose whole landscape is listed in no time."""
    rng = np.random.default_rng(seed)
    samples = int(rng.integers(3, 6))
    first, y = (rng.integers(-16, 17, size=samples) / 8 for _ in range(2))
    return np.column_stack([first, np.ones(samples)]), y, 1 + seed % 2


@cache
def listed(seed) -> tuple[MinimumOnData, ...]:
    """Return the claims of all minima of a small problem."""
    x, y, width = small(seed)
    found = landscape(x, y, width)
    minima = [*found.differentiable_minima, *found.nondifferentiable_minima, *found.smooth_kinks]
    claims = tuple(proven(minimum_claim(x, y, minimum)) for minimum in minima)
    for claim, minimum in zip(claims, minima, strict=True):
        assert int(claim.loss.p) / int(claim.loss.q) == minimum.loss
    return claims


@cache
def saddle() -> SaddleOnData:
    """Return the claim of a saddle with a second neuron that stays."""
    x, y, width = small(1)
    found = [one for one in landscape(x, y, width).saddles if any(one.signs)]
    return proven(saddle_claim(x, y, found[0]))


@cache
def kinked() -> MinimumOnData:
    """Return a claim with neurons on kinks, none at rest, whose error is 0 nowhere."""
    claims = [c for seed in range(12) for c in listed(seed)]
    return next(c for c in claims if all(c.outputs) and sum(map(len, c.kinks)) == 2 and c.loss)


def basins(seed, samples=6, inputs=2, neurons=2):
    """Draw a problem and four regions, with their basin values."""
    rng = np.random.default_rng(seed)
    x, y = jnp.asarray(rng.normal(size=(samples, inputs))), jnp.asarray(rng.normal(size=samples))
    v = jnp.asarray(rng.choice([-1.0, 1.0], size=neurons))
    patterns = region_patterns(x, jnp.asarray(rng.normal(size=(4, neurons, inputs))))
    return x, y, patterns, v, basin_values(x, y, patterns, v)


@cache
def bounded(reached=False) -> RegionBound:
    """Return a claim of a lower bound, for all weights or for bounded ones."""
    for seed, index in product(range(20), range(4)):
        problem = basins(seed)
        claim = proven(lower_bound_claim(*problem, index))
        if any(r is not None for r in claim.reach) == reached and claim.lower > 0:
            return claim
    raise AssertionError


@cache
def least() -> LossBound:
    """Return the claim that no network has a lower loss than the global minimum of a problem."""
    x, y, width = small(5)
    found = global_minimum(x, y, width)
    claim = proven(bound_claim(x, y, found))
    assert claim.lower == found.exact_loss > 0
    return claim


# One claim of each kind, by the function that makes it.
EVERY: dict[str, Callable[[], RationalClaim]] = {
    "spurious": constructed,
    "minimum": kinked,
    "saddle": saddle,
    "bound": lambda: bounded(True),
    "least": least,
}
