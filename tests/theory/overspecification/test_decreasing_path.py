"""SS16, theorem 3 and corollaries 1, 2: strictly decreasing paths, and no high local minima."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.theory.overspecification import (
    DecreasingPath,
    Segment,
    check_path,
    decreasing_path,
    ray,
    scale_output,
)


def network(rng, sizes):
    """A random network of these sizes, all layers with biases."""
    pairs = list(itertools.pairwise(sizes))
    weights = [jnp.asarray(rng.normal(size=(b, a))) for a, b in pairs]
    return lj.Mlp(weights, [jnp.asarray(0.3 * rng.normal(size=b)) for _, b in pairs])


def problem(seed, sizes=(2, 5, 4, 1), samples=12):
    """Data that the end fits, and a start with a greater loss than the output 0."""
    rng = np.random.default_rng(seed)
    x = jnp.asarray(rng.normal(size=(samples, sizes[0])))
    start, end = network(rng, sizes), network(rng, sizes)
    y = end(x)[:, 0]
    found = ray(x, y, start)
    return x, y, start if found.value > found.ceiling else scale_output(start, -1.0), end


def closed_form(s, start, ceiling, end):
    """The loss of both pieces, (1 − t) start + t ceiling and then ‖(2 − u)N − y‖² with N = y."""
    t, u = np.minimum(2 * s, 1), np.maximum(2 * s - 1, 0)
    return np.where(s <= 0.5, (1 - t) * start + t * ceiling, (1 - u) ** 2 * ceiling + end)


def assert_decreasing(seed, sizes):
    x, y, start, end = problem(seed, sizes)
    path = decreasing_path(x, y, Segment(start, end))
    found = check_path(path)
    assert found.least_output > 0
    assert found.is_decreasing
    assert found.least_drop > 0
    expected = closed_form(np.asarray(found.s), *ray(x, y, start)[:2], 0.0)
    assert np.allclose(found.values, expected, rtol=1e-10, atol=1e-14 * expected[0])
    first, last = path(jnp.array(0.0)), path(jnp.array(1.0))
    for a, b in [(first, start), (last, end)]:
        for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
            assert np.allclose(p, q, rtol=1e-12)


@pytest.mark.slow
def test_loss_falls_from_a_bad_start_to_a_global_minimum():
    assert_decreasing(0, (2, 5, 4, 1))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(3, 6, 1), (2, 5, 4, 1), (2, 4, 4, 4, 1)])
def test_loss_falls_for_200_networks_of_depth_2_to_4(sizes):
    for seed in range(1, 68):
        assert_decreasing(seed, sizes)


@pytest.mark.slow
def test_ray_is_the_loss_of_the_scaled_network():
    x, y, start, _ = problem(3)
    found = ray(x, y, start)
    risk = lj.EmpiricalRisk(x, y)
    loss = lambda a: risk(scale_output(start, a))
    value, slope = jax.value_and_grad(loss)(1.0)
    assert float(value) == pytest.approx(float(found.value), rel=1e-14)
    assert float(slope) == pytest.approx(float(found.slope), rel=1e-12)
    assert float(loss(0.0)) == pytest.approx(float(found.ceiling), rel=1e-14)
    assert abs(float(jax.grad(loss)(found.best))) <= 1e-12 * float(found.slope)


@pytest.mark.slow
def test_no_network_above_the_ceiling_is_a_local_minimum():
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(9, 2))), jnp.asarray(rng.normal(size=9))
    above = 0
    for _ in range(50):
        net = network(rng, (2, 4, 1))
        found = ray(x, y, net)
        if found.value > found.ceiling:
            above += 1
            size = float(jnp.mean(net(x) ** 2))
            assert float(found.slope) > size > 0
            assert float(lj.EmpiricalRisk(x, y)(scale_output(net, 0.999))) < float(found.value)
    assert above > 10


@pytest.mark.slow
def test_first_layer_scales_the_outputs_of_a_two_layer_network():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(9, 2)))
    net = lj.TwoLayer(jnp.asarray([[1.0, 2.0], [-1.0, 0.5]]), jnp.ones((1, 2)))
    shrunk = eqx.tree_at(lambda n: n.W1, net, 0.9 * net.W1)
    assert np.allclose(shrunk(x), 0.9 * net(x), rtol=1e-12)


@pytest.mark.slow
def test_scaling_all_weights_is_no_scaling_of_deep_outputs_with_biases():
    x, _, net, _ = problem(4)
    assert np.allclose(scale_output(net, 2.0)(x), 2 * net(x), rtol=1e-14)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, net)(x)
    ratio = np.asarray(doubled / net(x)).ravel()
    assert ratio.max() - ratio.min() > 1


def test_end_need_not_be_a_global_minimum():
    x, y, start, _ = problem(5)
    rng = np.random.default_rng(50)
    better = network(rng, (2, 5, 4, 1))
    best = ray(x, y, better).best
    optimal = scale_output(better, best)
    assert float(ray(x, y, optimal).value) > 0
    assert check_path(decreasing_path(x, y, Segment(start, optimal))).is_decreasing
    # Beyond the best scale, up to twice of it, too; the first piece then ends at a₁ ≠ 2.
    beyond = decreasing_path(x, y, Segment(start, scale_output(better, 1.5 * best)))
    assert float(beyond.last_scale) == pytest.approx(4 / 3)
    assert check_path(beyond).is_decreasing


@pytest.mark.slow
def test_a_path_through_the_output_0_is_seen():
    x, y = jnp.ones((1, 1)), jnp.ones(1)
    start, end = (lj.Mlp([jnp.ones((1, 1)), jnp.full((1, 1), v)]) for v in (-1.0, 1.0))
    found = check_path(decreasing_path(x, y, Segment(start, end)), 401)
    assert found.least_output == 0
    assert not found.is_decreasing


@pytest.mark.slow
def test_path_is_single_precision_on_single_precision_data():
    x, y, start, end = jax.tree.map(lambda a: a.astype(jnp.float32), problem(0))
    path = decreasing_path(x, y, Segment(start, end))
    assert isinstance(path, DecreasingPath)
    assert check_path(path, 51).values.dtype == jnp.float32
    assert check_path(path, 51).is_decreasing


def test_nonsense_is_refused():
    x, y, start, end = problem(0)
    with pytest.raises(ValueError, match="start has loss"):
        decreasing_path(x, y, Segment(end, end))
    with pytest.raises(ValueError, match="the end has loss"):
        decreasing_path(x, y, Segment(start, scale_output(end, -1.0)))
    with pytest.raises(ValueError, match="the end has loss"):
        decreasing_path(x, 0 * y, Segment(start, end))
    with pytest.raises(ValueError, match="up to 2 times; end at scale_output"):
        decreasing_path(x, y, Segment(start, scale_output(end, 0.5)))
    with pytest.raises(ValueError, match="points is 1"):
        check_path(decreasing_path(x, y, Segment(start, end)), 1)
    with pytest.raises(ValueError, match="one output"):
        ray(x, y[:3], start)
    with pytest.raises(ValueError, match="one output"):
        ray(x, y, lj.Mlp([jnp.ones((2, 2))]))
