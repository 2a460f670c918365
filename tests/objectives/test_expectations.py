"""Each closed pair expectation is E[φ(u·x) φ(v·x)], checked by quadrature in 45 digits."""

from functools import cache
from itertools import combinations_with_replacement, pairwise

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from landscape_jax.networks import activations
from landscape_jax.objectives.expectations import is_closed, pair_expectation

mp.mp.dps = 45

# Homogeneous activations with their degree, and analytic ones, written down once more.
HOMOGENEOUS = {
    "relu": (1, lambda t: max(t, 0)),
    "leaky": (1, lambda t: t if t > 0 else mp.mpf(0.01) * t),
    "abs": (1, abs),
    "linear": (1, lambda t: t),
    "quadratic": (2, lambda t: t**2),
    "step": (0, lambda t: mp.mpf(t > 0)),
    activations.leaky(0.5, -2.0): (1, lambda t: t / 2 if t > 0 else -2 * t),
    activations.monomial(0): (0, lambda t: mp.mpf(1)),
    activations.monomial(3): (3, lambda t: t**3),
    activations.monomial(6): (6, lambda t: t**6),
}
# With E φ(m + σ y) over y ~ N(0, 1).
ANALYTIC = {
    "erf": (mp.erf, lambda m, sigma: mp.erf(m / mp.sqrt(1 + 2 * sigma**2))),
    "sine": (mp.sin, lambda m, sigma: mp.sin(m) * mp.exp(-(sigma**2) / 2)),
    "cosine": (mp.cos, lambda m, sigma: mp.cos(m) * mp.exp(-(sigma**2) / 2)),
}
CLOSED = [*HOMOGENEOUS, *ANALYTIC]
# Far from zero rows these are C², those with a kink too.
SMOOTH = [a for a in CLOSED if a != "step"]


def _dot(x, y):
    return mp.fsum(a * b for a, b in zip(x, y, strict=True))


@cache
def _rule(count=40):
    """Gauss–Legendre nodes and weights on [−1, 1] in full precision, by Newton's method."""
    rule = []
    for x in map(mp.mpf, np.polynomial.legendre.leggauss(count)[0].tolist()):
        slope = mp.mpf(0)
        for _ in range(4):
            below, here = mp.mpf(1), x
            for k in range(1, count):
                below, here = here, ((2 * k + 1) * x * here - k * below) / (k + 1)
            slope = count * (below - x * here) / (1 - x * x)
            x -= here / slope
        rule.append((x, 2 / ((1 - x * x) * slope**2)))
    return rule


def _integral(f, edges):
    return mp.fsum(
        (b - a) / 2 * w * f((a + b) / 2 + (b - a) / 2 * x)
        for a, b in pairwise(edges)
        for x, w in _rule()
    )


def _quadrature(activation, u, v):
    """E[φ(u·x) φ(v·x)] by quadrature in the plane of u and v, to 40 digits."""
    r, s = mp.sqrt(_dot(u, u)), mp.sqrt(_dot(v, v))
    apart = mp.sqrt(mp.fsum((a / r - b / s) ** 2 for a, b in zip(u, v, strict=True)))
    along = mp.sqrt(mp.fsum((a / r + b / s) ** 2 for a, b in zip(u, v, strict=True)))
    angle = 2 * mp.atan2(apart, along)
    if activation in ANALYTIC:
        phi, across = ANALYTIC[activation]
        # Along u by quadrature, of the even product; across it E φ(m + σ y), y ~ N(0, 1), is known.
        cosine, sine = s * mp.cos(angle), s * mp.sin(angle)
        return mp.sqrt(2 / mp.pi) * _integral(
            lambda z: phi(r * z) * across(cosine * z, sine) * mp.exp(-z * z / 2),
            [mp.mpf(edge) for edge in range(0, 15, 2)],
        )
    degree, phi = HOMOGENEOUS[activation]
    # Polar coordinates: the radius gives ∫ ρ^{2m+1} e^{−ρ²/2} dρ = 2^m m!.
    kinks = {mp.mpf(0), mp.pi, 2 * mp.pi}
    for edge in (mp.pi / 2, 3 * mp.pi / 2, angle + mp.pi / 2, angle + 3 * mp.pi / 2):
        kinks.add(edge % (2 * mp.pi))
    around = _integral(lambda t: phi(mp.cos(t)) * phi(mp.cos(t - angle)), sorted(kinks))
    return (r * s) ** degree * 2**degree * mp.factorial(degree) * around / (2 * mp.pi)


def _along(activation, x, direction, step="1e-12"):
    """Value and first and second derivative of the pair (u, v) = x along a direction."""
    h = mp.mpf(step)
    x, d = [mp.mpf(a) for a in x.tolist()], [mp.mpf(a) for a in direction.tolist()]
    here, ahead, behind = (
        _quadrature(activation, y[: len(y) // 2], y[len(y) // 2 :])
        for y in ([a + k * h * b for a, b in zip(x, d, strict=True)] for k in (0, 1, -1))
    )
    return here, (ahead - behind) / (2 * h), (ahead - 2 * here + behind) / h**2


@cache
def _all_three(activation):
    """The pair of both halves of a vector, its gradient and Hessian, compiled."""

    def pair(x):
        return pair_expectation(activation)(x[None, : len(x) // 2], x[None, len(x) // 2 :])[0, 0]

    return jax.jit(lambda x: (pair(x), jax.grad(pair)(x), jax.hessian(pair)(x)))


def _ours(activation, x, direction):
    value, slope, curvature = _all_three(activation)(jnp.asarray(x))
    return value, slope @ direction, direction @ curvature @ direction


def _name(activation):
    return activations.named(activation).name


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("activation", CLOSED, ids=_name)
def test_closed_forms_and_both_derivatives_agree_with_quadrature_on_random_vectors(
    activation, seed
):
    assert is_closed(activation)
    rng = np.random.default_rng(seed)
    x, direction = rng.normal(size=(2, 6))
    for ours, theirs in zip(
        _ours(activation, x, direction), _along(activation, x, direction), strict=True
    ):
        # Values and derivatives are of the order of 1 or more; the forms lose no digits.
        assert abs(float(ours) - theirs) <= 1e-13 * max(1, abs(theirs))


@pytest.mark.parametrize("ratio", [1.0, -2.0], ids=["equal", "opposite"])
@pytest.mark.parametrize("activation", SMOOTH, ids=_name)
def test_derivatives_are_exact_at_equal_and_at_opposite_rows(activation, ratio):
    rng = np.random.default_rng(3)
    u = 0.7 * rng.normal(size=3)
    x, direction = np.concatenate([u, ratio * u]), rng.normal(size=6)
    # Third derivatives of the kinked ones jump here: differences are off by the step, 1e-12.
    for ours, theirs in zip(
        _ours(activation, x, direction), _along(activation, x, direction), strict=True
    ):
        assert abs(float(ours) - theirs) <= 1e-10 * max(1, abs(theirs))


@pytest.mark.parametrize("dtype", [pytest.param(np.float32, marks=pytest.mark.slow), np.float64])
@pytest.mark.parametrize("activation", CLOSED, ids=_name)
def test_values_and_derivatives_are_finite_at_special_rows_and_keep_the_precision(
    activation, dtype
):
    rows = [[0.0, 0, 0], [1.0, 2, 0], [-2.0, -4, 0], [1e-30, 0, 0], [40.0, 0, 0]]
    for u, v in combinations_with_replacement(rows, 2):
        for result in _all_three(activation)(jnp.asarray(u + v, dtype)):
            assert result.dtype == dtype
            assert bool(jnp.isfinite(result).all())


def test_the_expectation_of_step_vanishes_at_a_zero_row_as_step_does():
    pairs = pair_expectation("step")(jnp.zeros((1, 2)), jnp.eye(2))
    np.testing.assert_array_equal(pairs, np.zeros((1, 2)))


@pytest.mark.parametrize("activation", ["erf", "sine", "cosine"])
def test_large_norms_give_the_limit_and_no_overflow(activation):
    # erf tends to the sign, E = 1 − 2θ/π; waves average out, but for a row with itself: ½.
    U = jnp.asarray([[1e9, 0.0], [0.0, 1e9]])
    np.testing.assert_allclose(
        pair_expectation(activation)(U, U),
        np.eye(2) * (1 if activation == "erf" else 0.5),
        atol=1e-8,
    )


def test_vmap_equals_the_loop():
    U, V = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 3, 4)))
    for activation in ("leaky", "erf"):
        pairs = jax.jit(pair_expectation(activation))
        together = jax.jit(jax.vmap(pairs))(U, V)
        for i in range(5):
            np.testing.assert_allclose(together[i], pairs(U[i], V[i]), rtol=1e-13, atol=1e-14)


def test_a_users_function_does_not_get_a_closed_form_by_its_name():
    def sine(t):
        return jnp.sin(2 * t)

    assert not is_closed(sine)
    U = jnp.eye(2)
    np.testing.assert_allclose(
        pair_expectation(sine)(U, U), pair_expectation("sine")(2 * U, 2 * U), atol=1e-14
    )
