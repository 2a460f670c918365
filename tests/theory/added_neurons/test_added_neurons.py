"""KK20, examples 1 to 7: points and paths, against closed forms."""

from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, fminbound

import landscape_jax as lj
from landscape_jax.theory import AtNetwork, added_neurons, check_augmented, least_value

PATHS = {
    "3": added_neurons.example_3,
    "4": added_neurons.example_4,
    "6": added_neurons.example_6,
    "7": added_neurons.example_7,
}


@pytest.mark.parametrize("example", PATHS)
@pytest.mark.parametrize("penalty", [1.0, 0.3])
def test_along_the_path_the_value_falls_to_its_limit_at_no_point(example, penalty):
    path = PATHS[example](penalty)
    epsilons = [2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.02]
    values = [float(path.objective(path.at(e))) for e in epsilons]
    # g(x) is of order 1, with an exponent of at most 50, so of relative error 50 · 2⁻⁵³.
    np.testing.assert_allclose(values, [path.value(e) for e in epsilons], rtol=0, atol=1e-12)
    assert all(before > after for before, after in pairwise(values[:4]))
    assert values[3] > path.limit
    np.testing.assert_allclose(values[-1], path.limit, rtol=0, atol=1e-12)
    assert path.limit < float(path.objective.risk(path.network))


@pytest.mark.parametrize("example", PATHS)
def test_with_a_zero_a_small_a_lowers_the_value(example):
    path = PATHS[example]()
    at = AtNetwork(path.objective, path.network)
    rng = np.random.default_rng(0)
    for _ in range(20):
        b, w = jnp.asarray(rng.normal(size=1)), jnp.asarray(rng.normal(size=(1, 1)))
        assert abs(float(lj.gradient(at, lj.Augmented(None, jnp.zeros(1), b, w)).a[0])) > 1e-4


def test_example_4_needs_a_positive_a_and_w_towards_the_first_input():
    path = added_neurons.example_4()
    end = path.at(0.05)
    assert float(end.a[0]) > 0
    flipped = lj.Augmented(end.network, -end.a, end.b, end.w)
    assert float(path.objective(flipped)) > 2


def test_example_5_is_a_minimum_for_all_b_and_w():
    objective, network = added_neurons.example_5(0.5)
    assert least_value(objective.risk) == 1.0
    rng = np.random.default_rng(1)
    for _ in range(50):
        b, w = jnp.asarray(rng.normal(size=1)), jnp.asarray(rng.normal(size=(1, 1)))
        here = lj.Augmented(network, jnp.zeros(1), b, w)
        assert check_augmented(objective, here).theorem_1
        moves = 1e-2 * rng.normal(size=4)
        theta = lj.DeepLinear([network.weights[0] + moves[0]])
        near = lj.Augmented(theta, jnp.full(1, moves[1]), b + moves[2], w + moves[3])
        assert float(objective(near)) >= 1.0
        added = float(near.network(objective.risk.x)[0, 0] + near.added(objective.risk.x)[0, 0])
        np.testing.assert_allclose(
            float(objective(near)), 1 + added**2 + 0.5 * moves[1] ** 2, rtol=0, atol=1e-12
        )


def test_example_2_the_added_neuron_moves_a_network_that_the_risk_leaves():
    objective, bad, good = added_neurons.example_2()
    assert float(objective.risk(bad)) == 2.0
    assert float(objective.risk(good)) == 0.5
    still, moved = added_neurons.slopes_in_theta(
        objective, lj.Augmented(bad, jnp.full(1, 0.1), jnp.zeros(1), jnp.zeros((1, 1)))
    )
    assert float(still.W1[0, 0]) == 0.0
    # A r[f + g] = g(x₁) = 0.1.
    np.testing.assert_allclose(float(moved.W1[0, 0]), 0.1, rtol=1e-14)
    for step in (-1e-3, 1e-3):
        assert float(objective.risk(lj.TwoLayer(bad.W1 + step, bad.W2))) > 2.0


def test_example_1_has_a_network_that_no_added_neuron_moves():
    objective = added_neurons.example_1()

    def output(theta):
        return added_neurons.Bumps(jnp.asarray(theta))(jnp.zeros((1, 1)))[0, 0]

    slope = jax.jit(jax.grad(output))
    theta = brentq(lambda t: float(slope(t)), 0.15, 0.25, xtol=1e-15)
    assert objective.risk(added_neurons.Bumps(jnp.asarray(theta))) > 7.9
    assert least_value(objective.risk) == 0
    rng = np.random.default_rng(2)
    for a, b, w in rng.normal(size=(20, 3)):
        here = lj.Augmented(
            added_neurons.Bumps(jnp.asarray(theta)),
            jnp.full(1, a), jnp.full(1, b), jnp.full((1, 1), w),
        )  # fmt: skip
        moved = added_neurons.slopes_in_theta(objective, here)[1].theta
        # ∂f/∂θ is 0 up to a rounding of θ, 1e-16, times f″ = 50, times ∂ℓ/∂q, at most 1e3.
        assert abs(float(moved)) < 1e-11


@eqx.filter_jit
def _value(objective, params):
    return objective(params)


@pytest.mark.parametrize("penalty", [1.0, 0.2])
@pytest.mark.parametrize("theta", [0.0, 0.2, 0.5, 0.75, 0.8, 1.0])
@pytest.mark.parametrize("b", [-2.0, 0.0, 3.0])
def test_the_least_value_over_a_is_the_closed_form(theta, b, penalty):
    objective = added_neurons.example_1(penalty)
    network = added_neurons.Bumps(jnp.asarray(theta))

    def value(a):
        here = lj.Augmented(network, jnp.full(1, a), jnp.full(1, b), jnp.zeros((1, 1)))
        return float(_value(objective, here))

    found = fminbound(value, -30, 1, xtol=1e-12)
    best = added_neurons.best_in_example_1(jnp.asarray(theta), jnp.asarray(b), penalty)
    # The search knows a to 1e-8 at best, so the value to 1e-9 at a curvature of about e^{2b}.
    np.testing.assert_allclose(float(best), value(found), rtol=1e-8, atol=1e-9)
