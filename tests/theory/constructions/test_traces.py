"""A user's activation in ball arithmetic and as a form, against JAX's own derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb, ctx, fmpq

from landscape_jax.exact.rationals import nearest
from landscape_jax.networks import activations
from landscape_jax.theory.constructions.forms import form
from landscape_jax.theory.constructions.traces import (
    BALLS,
    jet_in_balls,
    supports,
    trace,
    value_in_balls,
)

FUNCTIONS = {
    "gelu": jax.nn.gelu,
    "exact gelu": lambda t: jax.nn.gelu(t, approximate=False),
    "silu": jax.nn.silu,
    "mish": jax.nn.mish,
    "elu": jax.nn.elu,
    "celu": jax.nn.celu,
    "selu": jax.nn.selu,
    "softplus": jax.nn.softplus,
    "log_sigmoid": jax.nn.log_sigmoid,
    "squareplus": jax.nn.squareplus,
    "hard_swish": jax.nn.hard_swish,
    "softsign": lambda t: t / (1 + jnp.abs(t)),
    "sinc": jnp.sinc,
    "power": lambda t: jnp.abs(t) ** 1.5,
    "inverse": lambda t: (2 + t**2) ** -2,
    "exponential of two": lambda t: jnp.exp2(t) + 2.0**t,
    "hyperbolic": lambda t: jnp.sinh(t) * jnp.cosh(t) - jnp.arcsinh(t),
    "trigonometric": lambda t: jnp.sin(t) + jnp.cos(t) * jnp.tan(t / 9) + jnp.arctan(t),
    "roots": lambda t: jnp.sqrt(1 + t**2) + jax.lax.rsqrt(2 + t**2) + jnp.log1p(t**2),
    "error functions": lambda t: jax.lax.erf(t) - jax.lax.erfc(t / 2),
    "truths": lambda t: jnp.where((t > 1) & ~(t >= 3) | (t < -2), t**3, jnp.expm1(t)),
    "sign": lambda t: jnp.sign(t) * t**2,
    "clamp": lambda t: jax.lax.clamp(-1.0, t, 2.0) * t,
    "product": lambda t: t * (t > 0),
    "checkpoint": jax.checkpoint(lambda t: jnp.log(1 + jnp.exp(t))),
}


SOME_SLOW = [
    name if i < 3 else pytest.param(name, marks=pytest.mark.slow)
    for i, name in enumerate(FUNCTIONS)
]


@pytest.mark.parametrize("name", SOME_SLOW)
def test_the_jet_in_balls_has_the_derivatives_of_jax(name):
    h = activations.named(FUNCTIONS[name])
    program = trace(h)
    assert supports(BALLS, program)
    rng = np.random.default_rng(0)
    with ctx.workprec(128):
        points = rng.uniform(-5, 5, size=10)
        parts = [np.asarray(f(jnp.asarray(points))) for f in (h, h.derivative(1), h.derivative(2))]
        for k, t in enumerate(points):
            jet = jet_in_balls(program, arb(float(t)))
            assert jet is not None
            for ball, part in zip(jet, parts, strict=True):
                np.testing.assert_allclose(float(ball), part[k], rtol=1e-9, atol=1e-11)
            value = value_in_balls(program, arb(float(t)))
            assert value is not None
            assert value.overlaps(jet[0])
            # A ball around the point encloses the values on it.
            wide = value_in_balls(program, arb(float(t) - 0.01).union(arb(float(t) + 0.01)))
            assert wide is None or not wide.is_finite() or wide.contains(value)


@pytest.mark.parametrize(
    ("function", "kink"),
    [
        (jax.nn.relu6, 6.0),
        (jax.nn.elu, 0.0),
        (lambda t: jnp.heaviside(t, 0.5), 0.0),
        (jnp.sign, 0.0),
        (lambda t: jnp.where(t >= 1, t, t**2), 1.0),
        (lambda t: t * (t > 2), 2.0),
        (lambda t: jax.lax.clamp(-1.0, t, 1.0), -1.0),
    ],
)
def test_at_a_kink_there_is_no_jet(function, kink):
    program = trace(activations.named(function))
    assert jet_in_balls(program, arb(kink)) is None
    assert jet_in_balls(program, arb(kink).union(arb(kink + 1))) is None
    assert jet_in_balls(program, arb(kink + 0.5)) is not None


def test_a_program_with_other_operations_or_in_single_precision_is_not_known():
    looped = lambda t: jax.lax.fori_loop(0, 2, lambda i, s: jnp.tanh(s), t)
    single = lambda t: jnp.tanh(t.astype(jnp.float32)).astype(jnp.float64)
    table = lambda t: jnp.interp(t, jnp.array([0.0, 1.0]), jnp.array([0.0, 2.0]))
    for function in (looped, single, table, lambda t: jax.jit(looped)(t)):
        assert not supports(BALLS, trace(activations.named(function)))


FORMS = {
    "relu6": (jax.nn.relu6, (0, 6)),
    "hard_sigmoid": (jax.nn.hard_sigmoid, (-3, 3)),
    "hard_swish": (jax.nn.hard_swish, (-3, 3)),
    "hard_tanh": (jax.nn.hard_tanh, (-1, 1)),
    "clip": (lambda t: jnp.clip(t, -2, 0.5), (-2, fmpq(1, 2))),
    "clamp": (lambda t: jax.lax.clamp(-2.0, t, 0.5), (-2, fmpq(1, 2))),
    "leaky": (lambda t: jax.nn.leaky_relu(t, 0.25), (0,)),
    "minus abs": (lambda t: -jnp.abs(1 - 2 * t), (fmpq(1, 2),)),
    "relu squared": (lambda t: jnp.square(jnp.maximum(t, 0)), (0,)),
    "sign": (lambda t: jnp.sign(t - 1), (1,)),
    "heaviside": (lambda t: jnp.heaviside(t, 0.5), (0,)),
    "mask": (lambda t: t * ((t > 0) & (t <= 1) | ~(t < 4)), (0, 1, 4)),
    "no kink": (lambda t: jnp.maximum(t, 0) - jnp.maximum(-t, 0), ()),
    "exponential": (lambda t: 2 * jnp.exp(-3 * t) / jnp.exp(t) + t**2.0, ()),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_has_the_values_and_the_kinks_of_its_function(name):
    function, ends = FORMS[name]
    found = form(trace(activations.named(function)))
    assert found is not None
    assert found.ends == ends
    for t in np.random.default_rng(0).uniform(-7, 7, size=20):
        terms = found.pieces[sum(nearest(end) < t for end in found.ends)]
        value = sum(nearest(c) * t**p * np.exp(nearest(k) * t) for (p, k), c in terms.items())
        np.testing.assert_allclose(value, float(function(jnp.asarray(t))), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "function",
    [
        jnp.tanh,
        lambda t: jnp.exp(t + 1),
        lambda t: jnp.exp(t**2),
        lambda t: 1 / t,
        lambda t: t**0.5,
        lambda t: jnp.maximum(t**2, 1),
        lambda t: jnp.where(jnp.exp(t) > 1, t, 0),
        lambda t: t * jnp.inf,
        lambda t: jax.lax.fori_loop(0, 2, lambda i, s: s + 1, t),
    ],
)
def test_what_is_no_form_is_not_taken_for_one(function):
    assert form(trace(activations.named(function))) is None


@pytest.mark.parametrize("count", [20, pytest.param(200, marks=pytest.mark.slow)])
def test_random_piecewise_linear_functions_are_recognised(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        count = [1, 2, 5][seed % 3]
        a, b = rng.integers(-3, 4, size=(2, count)).astype(float)
        kinks = rng.integers(-4, 5, size=count).astype(float)

        def function(t, a=a, b=b, kinks=kinks):
            total = 0 * t
            for p, q, k in zip(a, b, kinks, strict=True):
                total = total + p * jnp.maximum(t, k) + q * jnp.minimum(t - k, 1)
            return total

        found = form(trace(activations.named(function)))
        assert found is not None
        assert found.is_piecewise_linear
        # Whole kinks and slopes: differences of values at quarters are exact.
        at = np.arange(-8, 8, 0.25)
        slopes = np.diff(np.asarray(function(jnp.asarray(at)))) / 0.25
        changes = at[1:-1][np.diff(slopes) != 0]
        assert [nearest(end) for end in found.ends] == list(changes)
        for end in found.ends:
            place = int(np.flatnonzero(at == nearest(end))[0])
            both = found.slopes_at(end)
            assert both is not None
            assert tuple(map(nearest, both)) == (slopes[place], slopes[place - 1])
