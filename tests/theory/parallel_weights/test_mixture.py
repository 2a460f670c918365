"""F h = f of two Gaussian classes, against high precision and the paper's formulas."""

import itertools

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import integrate, stats

from landscape_jax.theory.parallel_weights import (
    Mixture,
    mixture_minimum,
    mixture_system,
    parallel_network,
)

DIGITS = 1300  # P(z > 41) is about 1e-367, and rows of F differ by less
FOUR = [0.1, 0.05, 0.0, -0.05]
FAR = [
    ([40.0], (1,)),
    ([40.0, -40.0], (-1, 1)),
    ([40.0, 39.0, 38.5], (1, 1, 1)),
    ([40.0, 0.0, -40.0], (1, -1, 1)),
    ([40.0, -40.0, -39.0], (-1, 1, 1)),
    ([-30.0, 30.0, 31.0, 5.0], (1, -1, 1, -1)),
]
NEAR = [(FOUR, n) for n in [(1, 1, -1, -1), (1, 1, 1, 1), (1, -1, 1, -1)]]


def exact_system(h, n):
    """(E.4) and (E.5) of the paper's mixture, with mpmath."""
    width, h = len(h), [mp.mpf(v) for v in h]
    F, f = mp.zeros(width), mp.zeros(width, 1)
    for low, high in itertools.pairwise([-mp.inf, *sorted(h), mp.inf]):
        on = [(v <= low) if sign > 0 else (v >= high) for v, sign in zip(h, n, strict=True)]
        P = [between(low - m, high - m) for m in (1, -1)]
        first = sum(
            m * p + mp.npdf(low - m) - mp.npdf(high - m) for m, p in zip((1, -1), P, strict=True)
        )
        for l, k in itertools.product(range(width), repeat=2):  # noqa: E741
            F[l, k] += on[l] * on[k] * sum(P)
            f[l] += on[l] * on[k] * first - (on[l] * (P[0] - P[1]) if l == k else 0)
    return F, f


def between(low, high):
    """Φ(high) − Φ(low), from the side where both are small."""
    if low > 0:
        return between(-high, -low)
    return (mp.erfc(-high / mp.sqrt(2)) - mp.erfc(-low / mp.sqrt(2))) / 2


def exact_minimum(h, n):
    with mp.workdps(DIGITS):
        return np.array([float(v) for v in mp.lu_solve(*exact_system(h, n))])


@pytest.mark.slow
@pytest.mark.parametrize(("h", "n"), FAR + NEAR)
def test_minima_are_those_of_high_precision_near_and_far_in_both_precisions(h, n):
    expected = exact_minimum(h, n)
    for dtype in (jnp.float64, jnp.float32):
        found = mixture_minimum(jnp.array(h, dtype), n)
        assert found.dtype == dtype
        # A position is a sum of up to K + 1 means, each rounded on the scale of the farthest; a
        # region of width 0.05 next to the mean 1 is off by 20 eps.
        error = 100 * float(jnp.finfo(dtype).eps) * max(1.0, *map(abs, h))
        np.testing.assert_allclose(found, expected, atol=error)


@pytest.mark.slow
def test_the_system_is_that_of_the_paper_halved():
    F, f = mixture_system(jnp.array(FOUR), (1, -1, 1, -1))
    exact = [np.array(a.tolist(), float) for a in exact_system(FOUR, (1, -1, 1, -1))]
    np.testing.assert_allclose(2 * F, exact[0], atol=1e-15)
    np.testing.assert_allclose(2 * f, exact[1].ravel(), atol=1e-15)


@pytest.mark.parametrize(
    "width", [2, *(pytest.param(w, marks=pytest.mark.slow) for w in (1, 3, 4))]
)
def test_the_closed_form_solves_the_system_for_any_mixture(width):
    rng = np.random.default_rng(width)
    for _ in range(4):
        means, variances = (
            tuple(rng.normal(size=2).tolist()),
            tuple(rng.uniform(0.2, 3, 2).tolist()),
        )
        mixture = Mixture(means, variances, float(rng.uniform(0.1, 0.9)))
        h, n = jnp.asarray(rng.uniform(-2, 2, width)), rng.choice([-1, 1], width)
        F, f = mixture_system(h, n, mixture)
        best = mixture_minimum(h, n, mixture)
        # The equation's residual, relative to its terms.
        np.testing.assert_allclose(F @ best, f, atol=1e-14 * (1 + float(jnp.abs(best).sum())))


@pytest.mark.slow
def test_the_system_is_the_gradient_of_the_expected_loss():
    mixture, n = Mixture((0.7, -1.5), (0.5, 2.0), 0.3), (1, -1, 1)
    h = jnp.array([0.4, 0.9, -0.6])
    x = np.linspace(-12, 12, 4001)
    dense = np.array(parallel_network(h, n)(jnp.asarray(x)[:, None]))[:, 0]
    mass = [
        p * stats.norm.pdf(x, m, v**0.5)
        for m, v, p in zip(mixture.means, mixture.variances, (0.3, 0.7), strict=True)
    ]
    signed = mass[0] * (dense - 1) + mass[1] * (dense + 1)
    expected = [
        -2 * float(integrate.simpson(signed * (sign * (x - v) > 0), x=x))
        for v, sign in zip(h.tolist(), n, strict=True)
    ]
    F, f = mixture_system(h, n, mixture)
    # The jump at a position is between two nodes, 0.006 apart.
    np.testing.assert_allclose(2 * (F @ h - f), expected, atol=0.01)


def printed(h):
    """Equation 24, with (E.9) and (E.10)."""
    found = []
    for position, side in zip(h, (1, -1), strict=True):
        P = [stats.norm.sf(side * (position - m)) for m in (1, -1)]
        total = sum(
            m * p + side * stats.norm.pdf(position - m) for m, p in zip((1, -1), P, strict=True)
        )
        found.append((total - P[0] + P[1]) / sum(P))
    return found


def test_equation_24_holds_for_two_weights_that_are_not_active_together():
    for h in ([2.0, 0.0], [0.7, -0.7], [-0.5, -1.5], [0.3, 0.3]):
        np.testing.assert_allclose(mixture_minimum(jnp.array(h), (1, -1)), printed(h), atol=1e-13)


def test_equation_24_fails_for_two_weights_that_overlap():
    h = [-0.5, 0.5]
    assert np.abs(np.asarray(mixture_minimum(jnp.array(h), (1, -1))) - printed(h)).min() > 0.1


@pytest.mark.slow
def test_derivatives_are_those_of_differences_near_and_far():
    for h, n in [*NEAR, ([12.0, -0.3, 11.0, 0.0], (1, -1, 1, 1))]:
        start = jnp.array(h)
        slope = jax.jacobian(lambda h, n=n: mixture_minimum(h, n))(start)
        step = 1e-5
        for k in range(len(h)):
            there, back = (mixture_minimum(start.at[k].add(s), n) for s in (step, -step))
            # Rounding is 1e-14/step, the third derivative's share step² times at most 0.05⁻².
            np.testing.assert_allclose(slope[:, k], (there - back) / (2 * step), atol=1e-6)


@pytest.mark.slow
def test_derivatives_are_finite_far_out_and_where_positions_meet():
    meeting = [([0.3, 0.3, -1.0], (1, 1, -1)), ([1.0, 1.0, 1.0], (1, -1, 1))]
    for h, n in [case for case in FAR if len(case[0]) == 3] + meeting:
        slope = jax.jacobian(lambda h, n=n: mixture_minimum(h, n))(jnp.array(h))
        assert jnp.isfinite(slope).all()


@pytest.mark.slow
def test_where_positions_meet_the_minimum_is_the_limit():
    for n in itertools.product([1, -1], repeat=3):
        meeting = mixture_minimum(jnp.array([0.3, 0.3, 0.3]), n)
        apart = mixture_minimum(jnp.array([0.3, 0.3 + 1e-6, 0.3 + 2e-6]), n)
        np.testing.assert_allclose(meeting, apart, atol=2e-5)


@pytest.mark.slow
def test_many_positions_at_once_give_the_same():
    h = jnp.asarray(np.random.default_rng(0).uniform(-5, 5, (30, 3)))
    n = np.array([1, -1, 1])
    together = jax.vmap(lambda one: mixture_minimum(one, n))(h)
    alone = jnp.stack([mixture_minimum(one, n) for one in h])
    np.testing.assert_allclose(together, alone, atol=1e-13)


def test_bad_mixtures_and_normals_are_refused():
    with pytest.raises(ValueError, match=r"means is \(nan, 1.0\); give two finite numbers"):
        Mixture(means=(float("nan"), 1.0))
    for variances in [(0.0, 1.0), (1.0, -1.0), (1.0, float("inf")), (float("nan"), 1.0)]:
        with pytest.raises(ValueError, match=r"variances is .*; give two positive numbers"):
            Mixture(variances=variances)
    for prior in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match=f"prior is {prior}; give a number between 0 and 1"):
            Mixture(prior=prior)
    for solve in (mixture_minimum, mixture_system):
        with pytest.raises(ValueError, match=r"normals is \(1, 2\) for 2 positions"):
            solve(jnp.zeros(2), (1, 2))


def test_a_position_that_is_nan_gives_nan():
    assert jnp.isnan(mixture_minimum(jnp.array([jnp.nan, 0.0]), (1, -1))).any()
