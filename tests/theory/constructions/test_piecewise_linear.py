"""Exact risks and cells of piecewise linear networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import fmpq, fmpq_mat

import landscape_jax as lj
from landscape_jax.exact import exact_samples
from landscape_jax.theory import RationalNetwork, check_cell, exact_risk

X = np.random.default_rng(0).normal(size=(9, 3))
Y = np.random.default_rng(1).normal(size=(9, 2))


def network(seed, activation="relu"):
    rng = np.random.default_rng(seed)
    shapes = (4, 3), (2, 4), 4, 2
    return lj.TwoLayer(*(rng.normal(size=shape) for shape in shapes), activation=activation)


@pytest.mark.parametrize("activation", ["relu", "leaky", "abs", "linear"])
def test_the_exact_risk_is_the_float_risk_up_to_rounding(activation):
    net = network(2, activation=activation)
    exact = exact_risk(net, X, Y)
    value = float(lj.EmpiricalRisk(X, Y)(net)) * len(X) / 2
    np.testing.assert_allclose(float(exact), value, rtol=1e-13)
    assert RationalNetwork.of(net).nearest().W1.tolist() == net.W1.tolist()


def test_a_network_without_biases_has_zeros():
    net = lj.TwoLayer(jnp.eye(3), jnp.ones((2, 3)))
    zeros = lj.TwoLayer(jnp.eye(3), jnp.ones((2, 3)), jnp.zeros(3), jnp.zeros(2))
    assert exact_risk(net, X, Y) == exact_risk(zeros, X, Y)


@pytest.mark.parametrize("activation", ["relu", "leaky"])
@pytest.mark.parametrize("seed", range(5))
def test_no_network_of_the_cell_is_below_its_bound(activation, seed):
    net = network(seed, activation=activation)
    cell = check_cell(net, X, Y)
    assert cell.interior
    assert cell.gap > 0
    assert not cell.proven
    # Second layers alone reach the whole convex problem where no two neurons share their signs.
    rng = np.random.default_rng(seed)
    leaves, tree = jax.tree.flatten(net)
    for _ in range(20):
        moves = [rng.normal(size=leaf.shape) for leaf in leaves]
        size = np.sqrt(sum(np.sum(move**2) for move in moves)) / cell.radius
        other = jax.tree.unflatten(
            tree, [leaf + move / size for leaf, move in zip(leaves, moves, strict=True)]
        )
        near = check_cell(other, X, Y)
        assert near.interior
        assert near.least == cell.least
        assert near.risk >= cell.least


def test_a_mixed_cell_has_the_minimum_of_its_own_least_squares():
    # |x| − 1 on −2, −1, 1, 3: each side is fitted by its own line, v and −v′ times the slopes.
    x, y = [[-2], [-1], [1], [3]], [1, 0, 0, 3]
    net = RationalNetwork(
        fmpq_mat([[1, 0], [-1, 0]]), fmpq_mat([[1, 1, -1]]), lj.activations.leaky(1, 0)
    )
    cell = check_cell(net, x, y)
    assert cell.patterns == 2
    assert cell.interior
    # Two lines through two points each: nothing is left, so a risk above 0 proves nothing here.
    assert cell.least == 0
    assert net.risk(exact_samples(x, y)) == fmpq(1, 2)
    assert not cell.proven


def test_on_the_border_of_a_cell_nothing_is_proven():
    # The least squares of these is 0 everywhere, and the neuron is 0 at x = 0.
    x, y = [[-1], [0], [1]], [1, -2, 1]
    still = RationalNetwork(fmpq_mat([[1, 0]]), fmpq_mat([[0, 0]]), lj.activations.leaky(1, 0.5))
    cell = check_cell(still, x, y)
    assert not cell.interior
    assert cell.radius == 0
    assert not cell.proven


def test_data_and_networks_that_do_not_fit_are_refused():
    net = network(0)
    with pytest.raises(ValueError, match="x has 2 inputs; the network has 3"):
        exact_risk(net, X[:, :2], Y)
    with pytest.raises(ValueError, match="y has 1 outputs; the network gives 2"):
        exact_risk(net, X, Y[:, 0])
    with pytest.raises(ValueError, match="activation of network is tanh; it must be"):
        exact_risk(network(0, activation="tanh"), X, Y)
