"""Each activation is what its name says, and what theory is told of it is true."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from landscape_jax.networks import activations
from landscape_jax.networks.activations import Activation, leaky, monomial, named

FORMULAS = {
    "relu": lambda t: max(t, mp.mpf(0)),
    "leaky": lambda t: t if t > 0 else t / 100,
    "abs": abs,
    "linear": lambda t: t,
    "quadratic": lambda t: t**2,
    "erf": mp.erf,
    "sigmoid": lambda t: 1 / (1 + mp.exp(-t)),
    "tanh": mp.tanh,
    "arctan": mp.atan,
    "elu": lambda t: t if t > 0 else mp.expm1(t),
    "selu": lambda t: (
        mp.mpf("1.0507009873554804934193349852946")
        * (t if t > 0 else mp.mpf("1.6732632423543772848170429916717") * mp.expm1(t))
    ),
    "softplus": lambda t: mp.log1p(mp.exp(t)),
    "sine": mp.sin,
    "cosine": mp.cos,
    "step": lambda t: mp.mpf(t > 0),
}
POINTS = [-2.5, -0.7, 0.3, 1.9]


def test_every_name_has_its_formula_here():
    assert set(FORMULAS) == set(activations.NAMES)


@pytest.mark.parametrize("name", activations.NAMES)
def test_values_and_two_derivatives_are_those_of_the_formula(name):
    activation = named(name)
    for t in POINTS:
        exact = [mp.diff(FORMULAS[name], mp.mpf(t), order) for order in range(3)]
        x = jnp.array(t)
        ours = [activation(x), activation.derivative(1)(x), activation.derivative(2)(x)]
        np.testing.assert_allclose(np.array(ours), np.array(exact, float), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", activations.NAMES)
def test_an_activation_is_homogeneous_where_it_has_a_degree_and_only_there(name):
    activation, t, c = named(name), jnp.array(POINTS), 1.7
    if activation.degree is not None:
        np.testing.assert_allclose(activation(c * t), c**activation.degree * activation(t))
        return
    for degree in range(4):
        assert not np.allclose(activation(c * t), c**degree * activation(t))


@pytest.mark.parametrize("activation", [*map(named, activations.NAMES), *map(monomial, range(5))])
def test_an_activation_is_odd_or_even_where_it_says_so_and_only_there(activation):
    t = jnp.array(POINTS)
    odd, even = (np.allclose(activation(-t), sign * activation(t)) for sign in (-1, 1))
    assert activation.parity == ("odd" if odd else "even" if even else None)


@pytest.mark.parametrize(("minus", "parity"), [(2.0, "odd"), (-2.0, "even"), (1.0, None)])
def test_a_piecewise_linear_activation_is_odd_or_even_by_its_slopes(minus, parity):
    assert leaky(2.0, minus).parity == parity


@pytest.mark.parametrize("name", activations.NAMES)
def test_slopes_and_kinks_are_the_one_sided_ones(name):
    activation, step = named(name), 1e-7
    right = float(activation(jnp.array(step)) - activation(jnp.array(0.0))) / step
    left = float(activation(jnp.array(0.0)) - activation(jnp.array(-step))) / step
    if activation.slopes is not None:
        np.testing.assert_allclose([right, left], activation.slopes, atol=1e-9)
    assert (abs(right - left) > 1e-3) == (activation.kinks == (0.0,))


def test_equal_activations_compile_once():
    assert leaky(1, 0.5) == leaky(1.0, 0.5)
    assert hash(leaky(1, 0.5)) == hash(leaky(1.0, 0.5))
    assert monomial(3) == monomial(3)
    assert named("relu") is named("relu")


def test_jaxs_functions_are_known_by_their_own_names():
    assert named(jax.nn.relu) is named("relu")
    assert named(jnp.abs) is named("abs")
    assert named(jnp.tanh) is named("tanh")


def test_a_users_function_is_an_activation():
    def cube(t):
        return t**3

    activation = named(cube)
    assert activation == Activation("cube", cube)
    assert float(activation.derivative()(jnp.array(2.0))) == 12


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: named("swish"), ValueError, "activation is 'swish'; it must be a function or one"),
        (lambda: monomial(-1), ValueError, "power is -1; it must be at least 0"),
    ],
)
def test_what_is_no_activation_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
