"""The population risk of both layers: derivatives, symmetry, and kinds of points."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj

RNG = np.random.default_rng(0)
V = RNG.normal(size=(4, 3))


def _net(n, *, activation="relu", a=None):
    a = RNG.normal(size=n) if a is None else a
    return lj.TwoLayer(RNG.normal(size=(n, 3)), np.asarray(a, float)[None], activation=activation)


def _of_both(activation):
    return lambda W, a: lj.PopulationRisk(V, student_weights=a, activation=activation)(W)


@pytest.mark.parametrize("activation", ["relu", "erf", "leaky"])
def test_value_and_gradient_are_those_of_the_risk_with_these_weights(activation):
    risk, net = lj.JointRisk(V, activation=activation), _net(5, activation=activation)
    value, gradient = jax.value_and_grad(risk)(net)
    inner = _of_both(activation)
    np.testing.assert_allclose(value, inner(net.W1, net.W2[0]), rtol=1e-14)
    step = 1e-6
    for i in range(5):
        move = step * np.eye(5)[i]
        slope = (inner(net.W1, net.W2[0] + move) - inner(net.W1, net.W2[0] - move)) / (2 * step)
        np.testing.assert_allclose(gradient.W2[0, i], slope, atol=1e-8)
    inside = jax.grad(inner)(net.W1, net.W2[0])
    np.testing.assert_allclose(gradient.W1, inside, atol=1e-13)


@pytest.mark.parametrize("a", [[1.0, -0.5, 2.0], [1.0, 0.0, 2.0], [1e-300, 1.0, 1.0]])
def test_derivatives_hold_where_an_output_weight_is_zero_too(a):
    net, inner = _net(3, a=a), _of_both("relu")
    W, a = net.W1, net.W2[0]
    gradient = jax.grad(inner, argnums=1)
    matrix, step = jax.hessian(inner, argnums=1)(W, a), 1e-6
    for i in range(3):
        move = step * np.eye(3)[i]
        column = (gradient(W, a + move) - gradient(W, a - move)) / (2 * step)
        np.testing.assert_allclose(matrix[i], column, atol=1e-8)


def test_families_count_points_modulo_rescaling_permutations_and_isometries():
    risk = lj.JointRisk(np.eye(3))
    W = np.eye(3) + 0.1 * RNG.normal(size=(3, 3))
    turned = 4.0 * W[[2, 0, 1]][:, [1, 2, 0]]
    one, a = lj.TwoLayer(W, np.ones((1, 3))), np.full((1, 3), 0.25)
    flipped = lj.TwoLayer(W, np.array([[1.0, 1.0, -1.0]]))
    both = jax.tree.map(lambda *leaves: np.stack(leaves), one, lj.TwoLayer(turned, a), flipped)
    assert sorted(family.count for family in lj.families(risk, both)) == [1, 2]


@pytest.mark.slow
def test_a_small_erf_student_ends_in_the_one_known_minimum():
    # 0.031865 at (k, n) = (3, 2), of 60 runs of 60: Simsek et al. 2023.
    risk = lj.JointRisk(np.eye(3), activation="erf")
    start = lj.starts.network(lj.TwoLayer, (3, 2, 1), bias=False, activation="erf")
    runs = lj.restart(risk, start, 20, key=jax.random.key(0))
    (family,) = lj.families(risk, runs)
    assert family.count == 20
    assert family.kind == "minimum"
    np.testing.assert_allclose(family.value, 0.031865, atol=5e-7)


def test_a_network_with_the_teachers_neurons_is_global_and_others_are_not_claimed():
    risk = lj.JointRisk(np.eye(2))
    exact = lj.TwoLayer(3.0 * np.eye(2), np.full((1, 2), 1 / 3))
    (family,) = lj.families(risk, jax.tree.map(lambda leaf: leaf[None], exact))
    assert family.kind == "global"
    assert risk.known(exact).infimum == 0
    assert risk.known(lj.TwoLayer(np.ones((1, 2)), np.ones((1, 1)))).infimum is None


def test_kinds_and_units_do_not_depend_on_scale():
    for s in (1e-6, 1.0, 1e6):
        net = lj.TwoLayer(np.zeros((2, 2)), np.zeros((1, 2)))
        units = lj.JointRisk(s * np.eye(2)).known(net).units
        assert np.isclose(units.value, s**2, atol=0)
        assert np.isclose(units.length, s**0.5, atol=0)
        smooth = lj.JointRisk(s * np.eye(2), activation="tanh").known(net).units
        assert (smooth.value, smooth.length) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lj.TwoLayer(np.eye(2), np.ones((1, 2)), np.zeros(2)), "params has biases"),
        (lj.TwoLayer(np.eye(2), np.eye(2)), "params has 2 outputs"),
        (lj.TwoLayer(np.eye(2), np.ones((1, 2)), activation="tanh"), "activation tanh; the risk"),
    ],
)
def test_another_network_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        lj.JointRisk(np.eye(2))(network)
    with pytest.raises(TypeError, match="TwoLayer"):
        lj.JointRisk(np.eye(2))(jnp.eye(2))  # pyright: ignore[reportArgumentType]


def test_a_teacher_neuron_of_length_zero_counts_where_it_is_felt():
    net = lj.TwoLayer(np.ones((1, 2)), np.ones((1, 1)), activation="cosine")
    felt = lj.JointRisk([[0.0, 0.0], [1.0, 0.0]], activation="cosine")
    assert felt.known(net).infimum is None
    relu = lj.JointRisk([[0.0, 0.0], [1.0, 0.0]])
    assert relu.known(lj.TwoLayer(np.ones((1, 2)), np.ones((1, 1)))).infimum == 0
