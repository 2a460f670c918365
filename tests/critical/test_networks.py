"""Families of networks: points with one function up to order, sign and scale of neurons are one."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.networks import random_network


@pytest.fixture(scope="module")
def data():
    x = jax.random.normal(jax.random.key(0), (12, 3))
    return lj.EmpiricalRisk(x, jnp.sin(x.sum(axis=1)))


def _network(kind, key=1) -> Any:
    return random_network(kind, (3, 4, 1), key=jax.random.key(key), activation="tanh")


def _permuted(network, order):
    def leaf(x):
        if x.ndim == 1:
            return x[order] if len(x) == len(order) else x
        return x[order] if len(x) == len(order) else x[:, order]

    return jax.tree.map(leaf, network)


def _stack(*networks):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *networks)


@pytest.mark.parametrize("kind", [lj.TwoLayer, lj.Mlp])
def test_networks_with_neurons_in_another_order_are_one_family(data, kind):
    one, other = _network(kind), _network(kind, key=2)
    order = np.array([2, 0, 3, 1])
    points = _stack(one, other, _permuted(one, order), _permuted(other, order[::-1]))
    found = lj.families(data, points)
    assert sorted(sorted(f.members.tolist()) for f in found) == [[0, 2], [1, 3]]
    assert all(f.max_residual < 1e-12 for f in found)
    assert all(f.separation > 0.1 for f in found)
    for f in found:
        carry, member = f.alignments[1], jax.tree.map(lambda leaf, f=f: leaf[f.members[1]], points)
        for ours, theirs in zip(
            *map(jax.tree.leaves, (carry(member), f.representative)), strict=True
        ):
            np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_the_output_bias_is_no_neuron(data):
    one = _network(lj.TwoLayer)
    higher = eqx.tree_at(lambda n: n.b2, one, one.b2 + 1.0)
    assert len(lj.families(data, _stack(one, higher))) == 2


def test_a_tanh_neuron_with_all_signs_changed_is_the_same(data):
    one = _network(lj.TwoLayer)
    flipped = eqx.tree_at(
        lambda n: (n.W1, n.b1, n.W2),
        one,
        (one.W1.at[0].multiply(-1), one.b1.at[0].multiply(-1), one.W2.at[:, 0].multiply(-1)),
    )
    (family,) = lj.families(data, _stack(one, flipped))
    carried: Any = family.alignments
    assert [carry.signs[0].tolist() for carry in carried] == [[1] * 4, [-1, 1, 1, 1]]


@pytest.mark.slow
def test_the_one_minimum_of_a_tanh_network_is_one_family():
    # The runs reach it in several arrangements of signs and order; it was counted four times.
    x = jax.random.normal(jax.random.key(5), (200, 3))
    start = lj.starts.network(lj.TwoLayer, (3, 2, 1), activation="tanh")
    truth = start(jax.random.key(11))
    risk = lj.EmpiricalRisk(x, truth(x))
    (family,) = lj.families(risk, lj.restart(risk, start, 8, key=jax.random.key(0)))
    assert family.count == 8
    assert family.min_eigenvalue == pytest.approx(0.0014554579536)
    carried: Any = family.alignments
    assert len({tuple(carry.signs[0]) for carry in carried}) > 1


@pytest.mark.parametrize("scale", [1e-6, 0.3, 1e6])
def test_the_points_of_a_relu_neurons_ray_are_one(data, scale):
    one: Any = random_network(lj.TwoLayer, (3, 4, 1), key=jax.random.key(1), activation="relu")
    other = eqx.tree_at(
        lambda n: (n.W1, n.b1, n.W2),
        one,
        (one.W1.at[0].multiply(scale), one.b1.at[0].multiply(scale), one.W2.at[:, 0].divide(scale)),
    )
    (family,) = lj.families(data, _stack(one, other))
    carry: Any = family.alignments[1]
    expected = scale if family.members[1] == 0 else 1 / scale
    assert carry.scales[0].tolist() == pytest.approx([expected, 1, 1, 1])


def test_only_neurons_that_are_fixed_alike_change_places(data):
    one = _network(lj.TwoLayer)
    one = eqx.tree_at(lambda n: n.W2, one, jnp.array([[1.0, 1.0, -1.0, 2.0]]))
    first = eqx.tree_at(lambda n: n.W1, jax.tree.map(lambda _: False, one), True)
    risk = lj.freeze(data, one, trainable=first)
    moving = eqx.filter(one, first)
    swapped = [moving, *(_swapped(moving, pair) for pair in ((0, 1), (0, 2), (2, 3)))]
    found = lj.families(risk, _stack(*swapped))
    assert sorted(sorted(f.members.tolist()) for f in found) == [[0, 1], [2], [3]]


def _swapped(moving, pair):
    order = np.arange(4)
    order[list(pair)] = order[list(pair)[::-1]]
    return jax.tree.map(lambda W: W[order], moving)


def test_a_frozen_risk_knows_its_symmetry_under_jit(data):
    one = _network(lj.TwoLayer)
    first = eqx.tree_at(lambda n: n.W1, jax.tree.map(lambda _: False, one), True)
    risk = lj.freeze(data, one, trainable=first)
    search = jax.jit(lambda starts: lj.restart(risk, starts, 2, max_steps=64, finish=False).value)
    assert jnp.isfinite(search(_stack(risk.trainable, risk.trainable))).all()
