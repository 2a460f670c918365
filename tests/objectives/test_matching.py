"""The points that `nearest_match` exhibits have the teacher's function, and are near."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.networks.activations import named
from landscape_jax.objectives.matching import nearest_match

SHAPES = [(2, 3, 2), (3, 4, 3), (3, 5, 6)]


@pytest.mark.parametrize(
    "activation", ["relu", "leaky", "abs", "linear", "quadratic", "erf", "cosine"]
)
@pytest.mark.parametrize(("k", "n", "d"), SHAPES)
def test_the_risk_vanishes_at_the_point_that_is_exhibited(activation, k, n, d):
    value = jax.jit(lambda V, b, a, W: lj.PopulationRisk(
        V, teacher_weights=b, student_weights=a, activation=activation
    )(W))  # fmt: skip
    for seed in range(30):
        rng = np.random.default_rng(seed)
        V, W = rng.normal(size=(k, d)), rng.normal(size=(n, d))
        if seed % 3 == 1:
            V[1] = rng.choice([1.0, -1.0]) * 2 * V[0]
        b = rng.choice([1.0, -1.0, 2.0], k)
        rest = rng.choice([1.0, -1.0, 0.5], n - k)
        if activation == "cosine":
            rest = np.zeros(n - k)
        a = rng.permutation(np.concatenate([b, rest]))
        found = nearest_match(named(activation), V, b, a, W)
        assert found is not None
        assert value(*map(jnp.array, (V, b, a, found.point))) <= 1e-13 * found.terms
        again = nearest_match(named(activation), V, b, a, found.point)
        assert again is not None
        assert again.distance <= 1e-12


@pytest.mark.parametrize("activation", ["relu", "tanh", "quadratic"])
def test_a_disturbed_global_minimum_is_matched_at_the_distance_of_the_disturbance(activation):
    rng = np.random.default_rng(0)
    for _ in range(100):
        V = np.linalg.qr(rng.normal(size=(4, 4)))[0] * rng.uniform(0.5, 2, (4, 1))
        order, noise = rng.permutation(4), rng.normal(size=(4, 4))
        noise *= 1e-3 / np.linalg.norm(noise)
        ones = np.ones(4)
        found = nearest_match(named(activation), V, ones, ones, V[order] + noise)
        assert found is not None
        assert found.distance <= 1.001e-3


def test_shares_of_a_ray_stay_as_they_are_where_they_add_up():
    relu = named("relu")
    W = np.array([[0.3, 0.0], [0.0, 2.0], [0.7, 0.0], [0.0, 0.0]])
    found = nearest_match(relu, np.diag([1.0, 2.0]), np.ones(2), np.ones(4), W)
    assert found is not None
    assert found.distance <= 1e-15
    # A neuron of the other sign takes its share away.
    W = np.array([[1.4, 0.0], [0.0, 2.0], [0.4, 0.0]])
    weights = np.array([1.0, 1.0, -1.0])
    found = nearest_match(relu, np.diag([1.0, 2.0]), np.ones(2), weights, W)
    assert found is not None
    assert found.distance <= 1e-15


def test_distance_and_reach_are_those_of_the_balanced_network():
    relu, V, a = named("relu"), np.diag([1.0, 3.0]), np.array([1e3, 1e-3])
    W = np.array([[1.01e-3, 0.0], [0.0, 3e3]])
    found = nearest_match(relu, V, np.ones(2), a, W)
    assert found is not None
    assert found.distance == pytest.approx(0.01)
    assert found.reach == pytest.approx(1e-3)
    even = nearest_match(relu, V, np.ones(2), np.ones(2), a[:, None] * W)
    assert even is not None
    assert even.distance == pytest.approx(found.distance)


def test_duplicates_and_zeros_of_the_teacher_change_nothing():
    relu = named("relu")
    W = np.random.default_rng(0).normal(size=(3, 2))
    V, ones = np.array([[2.0, 0.0], [0.0, 1.0]]), np.ones
    plain = nearest_match(relu, V, ones(2), ones(3), W)
    split = np.array([[0.5, 0.0], [0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    again = nearest_match(relu, split, np.array([1.0, 1, 1, 0.5, 1.0]), ones(3), W)
    assert plain is not None
    assert again is not None
    np.testing.assert_allclose(again.point, plain.point, atol=1e-15)
    assert again[1:4] == pytest.approx(plain[1:4])


def test_small_angles_between_rays_shrink_the_reach_and_the_detail():
    relu, ones = named("relu"), np.ones(2)
    W = np.eye(2)
    for angle in (1e-2, 1e-4):
        V = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
        found = nearest_match(relu, V, ones, ones, W)
        assert found is not None
        assert found.reach == pytest.approx(min(1e-3, angle / 4), rel=1e-4)
        assert found.detail == pytest.approx(angle**4, rel=1e-3)


@pytest.mark.parametrize(
    ("activation", "b", "a"),
    [
        ("relu", [1.0, -1.0], [1.0, 1.0, 1.0]),
        ("relu", [1.0, 1.0], [1.0]),
        ("tanh", [1.0, 2.0], [1.0, 1.0]),
        ("cosine", [1.0, 1.0], [1.0, 1.0, 1.0]),
        ("step", [1.0, 1.0], [1.0, 1.0]),
    ],
)
def test_what_cannot_be_matched_neuron_by_neuron_is_not(activation, b, a):
    W = np.ones((len(a), 2))
    assert nearest_match(named(activation), np.eye(2), np.array(b), np.array(a), W) is None
