"""Kinds of networks on data, whatever the units of the labels and the sizes of the layers."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical.rescaling import balance
from landscape_jax.networks import random_network
from landscape_jax.objectives.hidden_neurons import HiddenNeurons


def data(scale=1.0, activation="relu") -> tuple[lj.EmpiricalRisk, Any]:
    """Return samples of a random network, and the network."""
    x = jax.random.normal(jax.random.key(5), (60, 3))
    net = random_network(lj.TwoLayer, (3, 2, 1), key=jax.random.key(3), activation=activation)
    assert isinstance(net, lj.TwoLayer)
    net = eqx.tree_at(lambda n: (n.b1, n.W2), net, (jnp.array([0.1, -0.2]), scale * net.W2))
    return lj.EmpiricalRisk(x, net(x)), net


def kind(risk, net) -> str:
    (family,) = lj.families(risk, jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], net))
    return family.kind


def rescaled(net, c) -> Any:
    return eqx.tree_at(
        lambda n: (n.W1, n.b1, n.W2), net, (c[:, None] * net.W1, c * net.b1, net.W2 / c)
    )


def test_a_relu_minimum_is_one_modulo_the_rescaling_of_its_neurons():
    rng = np.random.default_rng(0)
    risk, net = data()
    assert kind(risk, net) == "minimum"
    other = random_network(lj.TwoLayer, (3, 2, 1), key=jax.random.key(9))
    assert kind(risk, other) == "undecided"
    for _ in range(20):
        c = jnp.array(10 ** rng.uniform(-3, 3, 2))
        assert kind(risk, rescaled(net, c)) == "minimum"
        assert kind(risk, rescaled(other, c)) == "undecided"


def test_two_halves_of_one_neuron_are_a_saddle_where_parting_fits_better():
    """One neuron does not fit the data: its halves can part."""
    x = jnp.array([[1.0, 0.3], [0.2, 1.0], [1.0, 1.0], [0.5, 0.1]])
    risk = lj.EmpiricalRisk(x, jnp.array([1.0, 1.0, -1.0, 2.0]), criterion="squared")
    one = lj.TwoLayer(jnp.array([[1.0, 1.0]]), jnp.ones((1, 1)), activation="softplus")
    runs = lj.restart(risk, jax.tree.map(lambda leaf: leaf[None], one), 1)
    assert runs.summary() == {"converged": 1}
    best = runs[0].params
    halves = lj.TwoLayer(
        jnp.concatenate([best.W1, best.W1]),
        jnp.hstack([0.5 * best.W2, 0.5 * best.W2]),
        activation="softplus",
    )
    assert kind(risk, halves) == "saddle"


def test_balanced_parts_have_equal_norms_and_the_flat_directions_are_flat():
    risk, net = data()
    far = rescaled(net, jnp.array([1e3, 1e-2]))
    layers = risk.known(net).symmetry
    assert isinstance(layers, HiddenNeurons)
    even = balance((layers,), far)
    into = np.concatenate([np.asarray(far.W1), np.asarray(far.b1)[:, None]], axis=1)
    scale = jax.tree.unflatten(
        jax.tree.structure(far),
        np.split(even.scale, np.cumsum([leaf.size for leaf in jax.tree.leaves(far)])[:-1]),
    )
    grown = into * np.c_[scale.W1.reshape(2, 3), scale.b1]
    np.testing.assert_allclose(
        np.linalg.norm(grown, axis=1), np.abs(np.asarray(far.W2) * scale.W2)[0], rtol=1e-12
    )
    assert even.flat.shape == (11, 2)
    H = np.asarray(lj.hessian(risk, far)) / even.scale / even.scale[:, None]
    assert np.abs(H @ even.flat).max() < 1e-10 * np.abs(H).max()


def test_labels_in_small_units_are_not_converged_where_they_start():
    risk, net = data(1e-6, "tanh")
    one, _ = data(1.0, "tanh")
    value = float(risk.known(net).units.value)
    assert value == pytest.approx(1e-12 * float(one.known(net).units.value))
    start = lj.starts.network(lj.TwoLayer, (3, 2, 1), activation="tanh")
    runs = lj.restart(risk, start, 3, key=jax.random.key(0), max_steps=640)
    assert runs.summary() == {"max_steps": 3}


@pytest.mark.parametrize("label", [0.0, 0.1, 1e6])
def test_labels_that_are_all_equal_have_the_unit_of_their_square(label):
    _, net = data()
    units = lj.EmpiricalRisk(jnp.ones((7, 3)), jnp.full(7, label)).known(net).units
    assert float(units.value) == pytest.approx(label**2 or 1.0)


def test_samples_of_uneven_teachers_call_no_small_spurious_minimum_global():
    """Its value is below what F rounds by; the exhibited minimum is far."""
    risk = lj.MonteCarloRisk(jnp.diag(jnp.array([1e3, 1e-3])), samples=64, key=jax.random.key(0))
    W = jnp.array([[1e3, 0.0], [0.0, 1.5e-3]])
    (family,) = lj.families(risk, W[None])
    assert family.kind != "global"
    (family,) = lj.families(risk, risk.exact.teacher[None])
    assert family.kind == "global"
    zero = jnp.array([[1e3, 0.0], [0.0, 0.0]])
    assert np.isnan(lj.spectrum(risk, zero)).all()


def test_a_zero_relu_neuron_on_data_has_no_hessian():
    risk, net = data()
    flat = eqx.tree_at(lambda n: (n.W1, n.b1), net, (net.W1.at[0].set(0), net.b1.at[0].set(0)))
    assert np.isnan(lj.spectrum(risk, flat)).all()
    assert kind(risk, flat) == "undecided"
    assert np.isfinite(lj.spectrum(risk, net)).all()
    silent = eqx.tree_at(lambda n: n.W2, flat, flat.W2.at[0, 0].set(0.0))
    assert np.isfinite(lj.spectrum(risk, silent)).all()
