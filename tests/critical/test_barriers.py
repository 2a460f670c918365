"""Barriers on straight lines between points, modulo the objective's symmetry."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical.nearest_image import nearest_image

RISK = lj.PopulationRisk(jnp.eye(8))
X = jnp.linspace(-1.0, 1.0, 12)[:, None]
DATA = lj.EmpiricalRisk(X, jnp.sin(3 * X[:, 0]))


@pytest.fixture(scope="module")
def ends():
    """A spurious minimum of (8, 8), made symmetric, and the global one."""
    values = np.array([[-0.64, 0.25, 0.0], [0.17, 1.0, -0.03]])
    family = lj.symmetric_family([1, 7], values)
    return jnp.asarray(family.point(8)), jnp.eye(8)


def test_the_barrier_of_the_spurious_minimum_is_small_once_the_flipped_neuron_changes_places(ends):
    spurious, exact = ends
    assert RISK(spurious) == pytest.approx(0.0215, abs=5e-5)
    by_hand = lj.barrier(RISK, spurious, exact, align=False)
    found = lj.barrier(RISK, spurious, exact)
    assert float(found.height) == pytest.approx(0.0205, abs=5e-5)
    # Neuron i to teacher i, the flipped one to its own teacher.
    assert float(by_hand.height) == pytest.approx(0.0681, abs=5e-5)
    assert float(found.value[-1]) == pytest.approx(0.0, abs=1e-12)
    assert float(found.value[0]) == float(RISK(spurious))
    shuffled = lj.barrier(RISK, spurious, exact[jnp.array([3, 0, 1, 2, 7, 6, 5, 4])])
    assert float(shuffled.height) == pytest.approx(float(found.height), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-30, 1e-9, 1.0, 1e9])
def test_directions_of_other_masses_are_not_exchanged_at_any_scale(scale):
    teacher = scale * jnp.diag(jnp.array([1.0, 2.0, 3.0]))
    risk = lj.PopulationRisk(teacher)
    one, other = scale * jax.random.normal(jax.random.key(0), (2, 3, 3))
    found = lj.barrier(risk, one, other, points=3)
    np.testing.assert_allclose(found.value[-1], risk(other), rtol=1e-9)


def test_images_of_one_point_have_no_barrier(ends):
    spurious, _ = ends
    order, lines = np.random.default_rng(0).permuted(np.tile(np.arange(8), (2, 1)), axis=1)
    image = spurious[order][:, lines]
    assert float(lj.barrier(RISK, spurious, image, align=False).height) > 0.1
    assert float(lj.barrier(RISK, spurious, image).height) < 1e-12


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus"])
def test_the_image_of_one_hidden_layer_is_the_nearest_of_all(activation):
    start = lj.starts.network(lj.TwoLayer, (1, 3, 1), activation=activation)
    one, other = start(jax.random.key(1)), start(jax.random.key(2))
    symmetry = DATA.known(one).symmetry
    assert isinstance(other, lj.TwoLayer)
    assert other.b1 is not None
    image = jax.tree.map(jnp.asarray, nearest_image(symmetry, one, other))
    np.testing.assert_allclose(DATA(image), DATA(other), rtol=1e-9)
    if activation == "relu":
        return  # Distances are those of the normal form.
    distance = lambda a, b: sum(
        float(jnp.sum((p - q) ** 2)) for p, q in zip(*map(jax.tree.leaves, (a, b)), strict=True)
    )
    signs = [(1, -1)] * 3 if activation == "tanh" else [(1,)] * 3
    everything = [
        distance(one, lj.TwoLayer(
            other.W1[jnp.array(order)] * jnp.array(s)[:, None],
            other.W2[:, jnp.array(order)] * jnp.array(s),
            other.b1[jnp.array(order)] * jnp.array(s), other.b2, activation=activation))
        for order in itertools.permutations(range(3)) for s in itertools.product(*signs)
    ]  # fmt: skip
    assert distance(one, image) == pytest.approx(min(everything), rel=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_several_hidden_layers_are_matched_to_an_image_that_is_no_farther(activation):
    start = lj.starts.network(lj.Mlp, (1, 4, 3, 1), activation=activation)
    one, other = start(jax.random.key(1)), start(jax.random.key(2))
    found = lj.barrier(DATA, one, other, points=3)
    np.testing.assert_allclose(found.value[-1], DATA(other), rtol=1e-9)
    gaps = [
        sum(float(jnp.sum((p - q) ** 2)) for p, q in zip(*map(jax.tree.leaves, ab), strict=True))
        for ab in ((one, found.image), (one, other))
    ]
    assert gaps[0] < gaps[1]


def test_both_layers_of_a_population_risk_are_matched():
    risk, start = lj.JointRisk(jnp.eye(3)), lj.starts.network(lj.TwoLayer, (3, 3, 1), bias=False)
    net = start(jax.random.key(0))
    assert isinstance(net, lj.TwoLayer)
    order, scale = jnp.array([2, 0, 1]), jnp.array([2.0, 0.5, 3.0])
    image = lj.TwoLayer(net.W1[order] * scale[:, None], net.W2[:, order] / scale)
    assert float(lj.barrier(risk, net, image).height) < 1e-12


def test_without_a_symmetry_the_line_is_the_given_one():
    class Quadratic(lj.AbstractObjective):
        def __call__(self, x):
            return jnp.sum((x**2 - 1) ** 2)

    one, other = -jnp.ones(2), jnp.ones(2)
    found = lj.barrier(Quadratic(), one, other, points=5)
    assert float(found.height) == 2.0
    assert found.to_xarray().dims == ("t",)
    assert repr(found) == "Barrier(height=2, from 0 to 0)"
    height = jax.jit(lambda x: lj.barrier(Quadratic(), x, other, align=False, points=5).height)
    assert float(height(one)) == 2.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lj.barrier(RISK, jnp.eye(8), jnp.eye(7)), "other must have the structure"),
        (lambda: lj.barrier(RISK, jnp.eye(8), jnp.eye(8), points=1), "points is 1"),
        (lambda: lj.barrier(RISK, jnp.eye(8), jnp.nan * jnp.eye(8)), "other has entries that are"),
        (lambda: jax.jit(lambda x: lj.barrier(RISK, x, x).height)(jnp.eye(8)),
         "one and other are traced; give align=False, or call outside jit"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_random_directions_have_the_lengths_of_the_neurons():
    net = lj.starts.network(lj.TwoLayer, (2, 3, 1))(jax.random.key(0))
    one, other = lj.slices.random_directions(net, key=jax.random.key(1))
    assert isinstance(net, lj.TwoLayer)
    np.testing.assert_allclose(jnp.linalg.norm(one.W1, axis=1), jnp.linalg.norm(net.W1, axis=1))
    assert not jnp.allclose(one.W1, other.W1)
    (whole,) = lj.slices.random_directions(net, 1, key=jax.random.key(1), normalised=False)
    assert sum(float(jnp.sum(x**2)) for x in jax.tree.leaves(whole)) == pytest.approx(1.0)
    cut = lj.slices.along(lj.EmpiricalRisk(jnp.eye(2), jnp.ones(2)), net, one, other, points=3)
    assert cut.to_xarray().dims == ("s", "t")
    with pytest.raises(TypeError, match="params has no arrays"):
        lj.slices.random_directions((), key=jax.random.key(1))


class _Fit(lj.AbstractObjective):
    """The risk on data of an `eqx.nn.MLP` with one hidden layer of tanh."""

    def __call__(self, network):
        return DATA(network)

    def known(self, params):
        nowhere = jax.tree.map(lambda _: None, params)
        parts = lambda net: (net.layers[0].weight, net.layers[0].bias, net.layers[1].weight)
        axes = eqx.tree_at(parts, nowhere, (0, 0, 1), is_leaf=lambda leaf: leaf is None)
        return lj.Known(symmetry=lj.HiddenNeurons(axes=axes, flips=-1))


def test_a_network_that_holds_functions_is_matched_too():
    make = lambda seed: eqx.nn.MLP(1, "scalar", 3, 1, activation=jnp.tanh, key=jax.random.key(seed))
    one, order = make(0), jnp.array([2, 0, 1])
    where = lambda net: (net.layers[0].weight, net.layers[0].bias, net.layers[1].weight)
    w, b, v = where(one)
    image = eqx.tree_at(where, one, (-w[order], -b[order], -v[:, order]))
    assert float(jnp.ptp(lj.barrier(_Fit(), one, image, align=False).value)) > 1e-3
    found = lj.barrier(_Fit(), one, image)
    assert float(jnp.ptp(found.value)) < 1e-12
    np.testing.assert_allclose(DATA(found.image), DATA(image), rtol=1e-9)
    other = lj.barrier(_Fit(), one, make(1))
    np.testing.assert_allclose(DATA(other.image), DATA(make(1)), rtol=1e-9)
