"""Activations in ball arithmetic: derivatives against JAX's, growth against mpmath's."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from flint import arb, ctx

from landscape_jax.networks import activations
from landscape_jax.proofs import analytic

MPMATH = {
    "sigmoid": lambda t: 1 / (1 + mpmath.exp(-t)),
    "tanh": mpmath.tanh,
    "arctan": mpmath.atan,
    "softplus": lambda t: mpmath.log(1 + mpmath.exp(t)),
    "erf": mpmath.erf,
    "sine": mpmath.sin,
    "cosine": mpmath.cos,
}


@pytest.mark.parametrize("name", analytic.NAMES)
def test_derivatives_are_those_of_the_activation(name):
    known = activations.named(name)
    at = np.array([-2.5, -0.5, 0.25, 3.0])
    functions = known, known.derivative(1), known.derivative(2)
    look = jax.jit(lambda t: jnp.stack([f(t) for f in functions], axis=1))
    expected = np.asarray(look(jnp.asarray(at)))
    for t, row in zip(at, expected, strict=True):
        piece = analytic.piece(name, arb(t))
        assert piece is not None
        found = [float(x) for x in analytic.derivatives(piece, arb(t))]
        np.testing.assert_allclose(found, row, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", MPMATH)
@pytest.mark.parametrize("at", [-2.0, 0.3, 1.5])
def test_derivatives_grow_no_faster_than_the_bound(name, at):
    piece = analytic.piece(name, arb(at))
    assert piece is not None
    c = float(analytic.growth(piece, arb(at)).upper())
    with mpmath.workdps(60):
        series = mpmath.taylor(MPMATH[name], at, 20)
    assert all(abs(term) <= c**n for n, term in enumerate(series) if n)


def test_at_its_kink_an_activation_is_not_analytic():
    with ctx.workprec(64):
        assert analytic.piece("selu", arb(0)) is None
        assert analytic.piece("elu", arb(0, 1)) is None
        piece = analytic.piece("elu", arb(-1))
    assert piece is not None
    assert 0 < piece.reach <= 1


def test_powers_of_balls_around_zero_are_finite():
    around = arb(0, 0.5)
    for p in range(4):
        assert arb(analytic.power(p).function(around)).is_finite()
    assert [float(x) for x in analytic.derivatives(analytic.power(1), arb(2))] == [2, 1, 0]
    assert [float(x) for x in analytic.derivatives(analytic.power(0), arb(2))] == [1, 0, 0]
