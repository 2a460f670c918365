"""What is declared of hidden neurons, and what is left of it where leaves are fixed."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.objectives.base import Symmetry
from landscape_jax.objectives.hidden_neurons import HiddenNeurons, network_symmetry

RELU = HiddenNeurons(axes={"w": 0, "b": 0, "v": 1}, powers={"w": 1, "b": 1, "v": -1})
PARAMS = {"w": np.ones((4, 2)), "b": np.ones(4), "v": np.ones((1, 4))}


def frozen(*names: str) -> Any:
    trained = {name: None if name in names else leaf for name, leaf in PARAMS.items()}
    fixed = {name: leaf if name in names else None for name, leaf in PARAMS.items()}
    return RELU.freeze(trained, fixed)


@pytest.mark.parametrize(
    ("names", "rescaled"),
    [(("v",), True), (("w", "b"), True), (("w",), False), (("w", "v"), False)],
)
def test_rescaling_is_left_where_what_it_changes_one_way_is_fixed_or_trained_as_one(
    names, rescaled
):
    group = frozen(*names)
    assert (group.powers is not None) == rescaled
    assert [part.values.shape[0] for part in group.fixed] == [4] * len(names)
    assert all((part.power != 0) == rescaled for part in group.fixed)


def test_nothing_is_left_where_no_neuron_is_trained():
    assert frozen("w", "b", "v") is None


def test_a_network_declares_what_its_activation_allows():
    nets = [
        lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2)), activation=name)
        for name in ("sigmoid", "tanh", "cosine", "relu", "quadratic")
    ]
    declared: list[Any] = [network_symmetry(net) for net in nets]
    assert [group.parts(net)[2][1:] for group, net in zip(declared, nets, strict=True)] == [
        (1, 0),
        (-1, 0),
        (1, 0),
        (1, -1),
        (1, -2),
    ]
    assert network_symmetry(lj.DeepLinear([jnp.eye(2)])) is None
    assert network_symmetry(lj.Mlp([jnp.eye(2)])) is None


def test_traced_fixed_leaves_leave_no_symmetry():
    net = lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2)))
    first = eqx.tree_at(lambda n: n.W1, jax.tree.map(lambda _: False, net), True)
    data = lj.EmpiricalRisk(jnp.eye(2), jnp.ones(2))

    def known(network):
        risk = lj.freeze(data, network, trainable=first)
        return jnp.array(risk.known(risk.trainable).symmetry is None)

    assert jax.jit(known)(net)
    assert not known(net)


def test_what_is_frozen_whole_keeps_its_symmetry():
    risk = lj.PopulationRisk(jnp.eye(2))
    same = lj.freeze(risk, jnp.eye(2), trainable=True)
    known = same.known(jnp.eye(2))
    assert isinstance(known.symmetry, Symmetry)
    assert known.infimum == 0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"axes": 0.0}, TypeError, "axes has the leaf 0.0; give an integer"),
        ({"axes": 0, "flips": 2}, ValueError, "flips has the leaf 2; give -1 or 1"),
        ({"axes": 0, "powers": [1, 2, -1]}, ValueError, r"powers has the leaves \[1, 2\]"),
    ],
)
def test_declarations_that_are_none_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        HiddenNeurons(**options)
