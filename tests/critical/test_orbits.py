"""Orbits of networks: elements of their groups, drawn by hand, are found, and nothing else is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical.invariants import distance_bounds
from landscape_jax.critical.orbits import orbits
from landscape_jax.critical.relabelling import Relabelling
from landscape_jax.critical.symmetry import Alignment, default_tolerance
from landscape_jax.networks import random_network
from landscape_jax.objectives.base import Symmetry
from landscape_jax.objectives.hidden_neurons import HiddenNeurons
from tests.critical.networks import (
    FIXED,
    LAYERED,
    POPULATION,
    TURNED,
    Case,
    changed,
    data,
    mlp,
    stack,
)

CASES = (
    LAYERED
    | FIXED
    | {f"population, {name}": case for name, case in POPULATION.items()}
    | {f"isometries, {name}": case for name, case in TURNED.items()}
)
ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys(), indirect=True)
SCALE = 1e-6


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    return request.param()


def known(case: Case):
    return case.objective.known(jax.tree.map(jnp.asarray, case.point)).symmetry


@ALL
def test_each_drawn_element_keeps_the_value_and_is_found(case: Case):
    points = case.orbit(200, np.random.default_rng(0))
    values = np.asarray(jax.jit(jax.vmap(case.objective))(jax.tree.map(jnp.asarray, points)))
    np.testing.assert_allclose(values, values[0], rtol=1e-9, atol=1e-12)
    symmetry = known(case)
    found = orbits(symmetry, points, SCALE)
    for end in range(1, 201):
        element = found.carry(0, end)
        assert isinstance(element, Alignment | Relabelling)
        assert element.residual < 1e-9 * found.lengths[0]
        member = jax.tree.map(lambda x, end=end: x[end], points)
        back, head = map(jax.tree.leaves, carried(symmetry, element, member, case.point))
        for moved, leaf in zip(back, head, strict=True):
            np.testing.assert_allclose(moved, leaf, atol=1e-9 * float(np.linalg.norm(leaf)))


def carried(symmetry, element, member, point):
    """Carry `member` onto `point`; return both as what the element acts on."""
    if isinstance(element, Alignment):
        rows = symmetry.rows or (lambda W: W)
        return element(np.asarray(rows(jnp.asarray(member)))), np.asarray(rows(jnp.asarray(point)))
    return element(member), point


def around(case: Case, size: float, rng: np.random.Generator):
    """Stack the point and 50 elements' images of it, changed by the relative norm `size`."""
    others = [case.element(rng, changed(rng, case.point, size)) for _ in range(50)]
    return stack([case.point, *others])


@ALL
def test_points_off_the_orbit_are_never_merged(case: Case):
    found = orbits(known(case), around(case, 1e-4, np.random.default_rng(1)), SCALE)
    assert all(found.carry(0, end) is None for end in range(1, 51))


@ALL
def test_bounds_from_invariants_are_below_the_distance_that_is_found(case: Case):
    found = orbits(known(case), around(case, 1e-5, np.random.default_rng(2)), 1e-3)
    bounds = distance_bounds(found.vectors, 0, np.arange(1, 51))
    elements: list[Any] = [found.carry(0, end) for end in range(1, 51)]
    residuals = np.array([element.residual for element in elements])
    assert np.all(bounds <= residuals + 1e-12)
    assert np.median(bounds) > 0.01 * np.median(residuals)


def relu(rows: list[list[float]]) -> dict[str, np.ndarray]:
    """Return points with one row (w₁, w₂, v₁, v₂) a neuron."""
    table = np.array(rows)
    return {"w": table[:, :2], "v": table[:, 2:]}


RELU = HiddenNeurons(axes=0, powers={"w": 1, "v": -1})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        # What goes in is 0: what goes out counts by its direction.
        ([0, 0, 1, 2], [0, 0, 2, 4], True),
        ([0, 0, 1, 2], [0, 0, 2, 1], False),
        ([0, 0, 1, 2], [0, 0, 0, 0], False),
        # What goes out is 0, or almost.
        ([1, 2, 0, 0], [2, 4, 0, 0], True),
        ([1, 2, 0, 0], [2, 1, 0, 0], False),
        ([1, 2, 0, 0], [0, 0, 0, 0], False),
        ([1, 2, 0, 0], [1, 2, 1e-13, 0], True),
        ([1, 2, 0, 1e-13], [2, 1, 0, 1e-13], False),
        ([0, 0, 0, 0], [0, 0, 0, 0], True),
        # The scale of a neuron is free, that of its function is not.
        ([1e9, 2e9, 1e-9, 0], [1e-9, 2e-9, 1e9, 0], True),
        ([1, 2, 1, 0], [-1, -2, -1, 0], False),
        ([1, 2, 1, 0], [1, 2, 1.001, 0], False),
    ],
)
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_relu_neurons_are_the_same_on_one_ray_alone(one, other, same, unit):
    def scaled(neurons):
        params = relu(neurons)
        return {"w": params["w"], "v": unit * params["v"]}

    points = stack([scaled([one, [1, -1, 2, 1]]), scaled([[3, -3, 2 / 3, 1 / 3], other])])
    assert (orbits(RELU, points, SCALE).carry(0, 1) is not None) == same


def deep(seed: int, dtype: type = np.float64) -> Any:
    net: Any = random_network(lj.Mlp, (3, 12, 12, 2), key=jax.random.key(seed), activation="tanh")
    return jax.tree.map(lambda x: np.array(x, dtype), net)


def test_neurons_of_equal_incoming_weights_are_told_apart_by_what_follows():
    net, rng = deep(0), np.random.default_rng(0)
    net.weights[0][:6] = net.weights[0][0]
    net.weights[0][6:8] = 0
    net.biases[0][:] = 0
    other = jax.tree.map(np.copy, net)
    other.weights[1][0, :2] = other.weights[1][0, 1::-1]
    symmetry = data(2).known(net).symmetry
    points = stack(
        [net, *(mlp(rng, net) for _ in range(20)), *(mlp(rng, other) for _ in range(20))]
    )
    found = orbits(symmetry, points, SCALE)
    assert all(found.carry(0, end) is not None for end in range(1, 21))
    assert all(found.carry(0, end) is None for end in range(21, 41))


def test_a_deep_network_in_single_precision_is_recognised():
    net, rng = deep(1, np.float32), np.random.default_rng(0)
    points = jax.tree.map(np.float32, stack([net, mlp(rng, net), deep(2, np.float32)]))
    found = orbits(data(2).known(net).symmetry, points, default_tolerance(np.dtype(np.float32)))
    assert found.carry(0, 1) is not None
    assert found.carry(0, 2) is None


def test_zero_networks_are_one_point():
    net = jax.tree.map(np.zeros_like, deep(0))
    assert orbits(data(2).known(net).symmetry, stack([net, net]), SCALE).carry(0, 1) is not None


@pytest.mark.parametrize(
    ("symmetry", "message"),
    [
        (HiddenNeurons(axes=2), r"axes has 2 for a leaf of shape \(3, 2\)"),
        (HiddenNeurons(axes={"w": 0, "v": 1}), r"hidden layer 1 have lengths \[2, 3\]"),
        (HiddenNeurons(axes={"u": 0, "v": 0}), "axes is not of the params' structure"),
        (HiddenNeurons(axes=0, flips=[1, 1]), "flips is not of the params' structure"),
        ((HiddenNeurons(axes=0),) * 3, "axes of more than two hidden layers"),
        (Symmetry(np.ones(2), np.eye(2), np.ones(2), np.ones(2)), "give one array of shape"),
    ],
)
def test_points_that_do_not_fit_a_symmetry_are_refused_in_words(symmetry, message):
    points = {"w": np.ones((4, 3, 2)), "v": np.ones((4, 3, 2))}
    with pytest.raises(ValueError, match=message):
        orbits(symmetry, points, SCALE)


def test_without_a_symmetry_points_are_compared_as_they_are():
    found = orbits(None, {"w": np.array([[3.0, 4.0], [3.0, 3.0]])}, SCALE)
    assert found.lengths.tolist() == pytest.approx([5, 18**0.5])
    assert found.carry(0, 1) == 1
