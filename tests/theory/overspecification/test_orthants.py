"""SS16, theorem 1 and section 8: the 2^d minima of one neuron, ReLU and sigmoid."""

import math
from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from mpmath import mpf
from scipy.special import expit
from scipy.stats import binom

import landscape_jax as lj
from landscape_jax.critical import lowest_nearby
from landscape_jax.theory.overspecification import (
    bad_start_probability,
    copies,
    initial_weights,
    mean_loss,
    neuron_loss,
    orthant_minima,
    relu_pair,
    sample_losses,
    share_of_minima,
    sigmoid_pair,
    surrogate_loss,
    theorem_1_bound,
    value_distribution,
)


def frozen_risk(pair, dim):
    """The loss of one neuron on the copies, over its weights alone."""
    net = lj.TwoLayer(jnp.zeros((1, dim)), jnp.ones((1, 1)), activation=pair.activation)
    first = eqx.tree_at(lambda n: n.W1, jax.tree.map(lambda _: False, net), True)
    return lj.freeze(lj.EmpiricalRisk(*copies(pair, dim)), net, trainable=first)


def at(risk, w):
    return eqx.tree_at(lambda n: n.W1, risk.trainable, w[None])


def exact_loss(epsilon, root, w):
    """8.1's loss in rational numbers, with 2ε = root²."""
    assert 2 * epsilon == root * root
    first, second = max(w / 2, Fraction(0)) - root, max(-w, Fraction(0)) - 1
    return (first * first + second * second) / 2


@pytest.mark.parametrize("root", [Fraction(1, 2), Fraction(1, 10), Fraction(3, 4)])
def test_relu_minima_and_values_are_exact(root):
    epsilon = root * root / 2
    good, bad = Fraction(-1), 2 * root
    assert exact_loss(epsilon, root, good) == epsilon
    assert exact_loss(epsilon, root, bad) == Fraction(1, 2)
    # Rises by c h²/2 exactly on either side, as far as the kink at 0.
    for point, curvature in [(good, 1), (bad, Fraction(1, 4))]:
        for part in (Fraction(1, 10**9), Fraction(1, 3), Fraction(1)):
            for h in (-part * abs(point), part * abs(point)):
                rise = exact_loss(epsilon, root, point + h) - exact_loss(epsilon, root, point)
                assert rise == curvature * h * h / 2
    pair = relu_pair(float(epsilon))
    assert (pair.good, pair.bad_value) == (-1, 0.5)
    assert (pair.good_curvature, pair.bad_curvature) == (1, 0.25)
    assert pair.bad_bounds[0] < bad < pair.bad_bounds[1]
    assert float(neuron_loss(pair, 0.0)) == pytest.approx(float(epsilon) + 0.5, rel=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("pair", [relu_pair(0.1), sigmoid_pair(0.1)])
def test_loss_of_the_copies_is_the_mean_over_coordinates(pair):
    W = jnp.asarray(np.random.default_rng(0).normal(size=(50, 3)))
    risk = frozen_risk(pair, 3)
    values = jax.vmap(lambda w: risk(at(risk, w)))(W)
    assert np.allclose(values, mean_loss(pair, W), rtol=1e-14, atol=1e-15)
    assert sample_losses(pair, W).shape == (2, 50, 3)


def plain_loss(pair, W):
    """The mean over coordinates of the two samples' loss, in NumPy."""
    phi = expit if pair.activation == "sigmoid" else lambda t: np.maximum(t, 0)
    both = [(phi(W * x) - y) ** 2 for x, y in zip(pair.x, pair.y, strict=True)]
    return np.mean(sum(both) / 2, axis=1)


@pytest.mark.parametrize(
    ("pair", "dims"),
    [
        (relu_pair(0.1), [4]),
        pytest.param(relu_pair(0.1), range(1, 13), marks=pytest.mark.slow),
        pytest.param(sigmoid_pair(0.1), range(1, 13), marks=pytest.mark.slow),
    ],
)
def test_all_minima_are_strict_and_their_values_binomial(pair, dims):
    rng = np.random.default_rng(0)
    for dim in dims:
        W = np.asarray(orthant_minima(pair, dim))
        assert len(np.unique(W, axis=0)) == 2**dim
        found = value_distribution(pair, dim)
        assert found.probabilities.sum() == pytest.approx(1, abs=1e-15)
        values = plain_loss(pair, W)
        bad = (pair.bad == W).sum(axis=1)
        assert np.bincount(bad).tolist() == list(found.counts)
        assert np.allclose(values, found.values[bad], rtol=1e-13)
        # 2000 perturbations within the basins: the rise is at least a part of Σ c h²/2d.
        chosen = W[rng.integers(len(W), size=2000)]
        h = rng.uniform(-0.02, 0.02, chosen.shape)
        rise = plain_loss(pair, chosen + h) - plain_loss(pair, chosen)
        curvatures = np.where(chosen == pair.bad, pair.bad_curvature, pair.good_curvature)
        assert np.all(rise >= 0.5 * np.mean(curvatures * h * h / 2, axis=1))


def test_minima_come_in_any_range_of_indices():
    pair = relu_pair(0.1)
    part = orthant_minima(pair, 31, np.array([0, 1, 2**31 - 1]))
    assert ((np.asarray(part) == pair.bad).sum(axis=1) == [0, 1, 31]).all()


@pytest.mark.slow
def test_descent_from_the_sphere_ends_at_the_minimum_of_its_orthant():
    pair, dim = relu_pair(0.1), 3
    risk = frozen_risk(pair, dim)
    W = initial_weights(jax.random.key(1), 64, 1, dim)[0]
    starts = jax.vmap(lambda w: at(risk, w[0]))(W)
    runs = lj.restart(risk, starts, 64, finish=False, gradient_tolerance=1e-9)
    expected = jnp.where(W < 0, pair.good, pair.bad)
    assert jnp.abs(runs.params.W1 - expected).max() <= 1e-7


@pytest.mark.slow
def test_no_lower_point_is_near_a_sigmoid_minimum():
    pair, dim = sigmoid_pair(0.05), 6
    risk = frozen_risk(pair, dim)
    for w in orthant_minima(pair, dim, np.array([0, 21, 63])):
        near = lowest_nearby(risk, at(risk, w), radius=0.1, key=jax.random.key(0))
        assert near.lowest > near.value - 1e-16


def test_distribution_of_basin_values_is_below_the_bound():
    dims = np.arange(1, 400)
    for epsilon in (1e-9, 0.01, 0.1, 0.2):
        share = share_of_minima(relu_pair(epsilon), 1 / 8, dims)
        assert np.all(share <= np.exp(-dims / 8))
        assert np.all(np.exp(-dims / 8) < theorem_1_bound(dims))
        most = dims * (0.125 - epsilon) / (0.5 - epsilon)
        # Floats do not decide the floor where a value is the level itself.
        clear = np.abs(most - np.round(most)) > 1e-9
        assert np.allclose(share[clear], binom.cdf(np.floor(most), dims, 0.5)[clear], rtol=1e-10)
    # Levels that are values themselves are reached: (good + bad)/2 with d = 2.
    assert share_of_minima(relu_pair(0.125), 0.3125, 2) == 0.75
    assert share_of_minima(relu_pair(0.125), 0.5, 3) == 1


def test_sigmoid_shares_keep_the_bound_at_the_printed_level():
    dims = np.arange(1, 200)
    for epsilon in (1e-6, 1e-3, 0.02, 0.1, 0.12):
        pair = sigmoid_pair(epsilon)
        assert pair.good_value >= (1 / 8 - pair.bad_value) / 3
        assert np.all(share_of_minima(pair, 1 / 32, dims) <= theorem_1_bound(dims))


def test_sigmoid_bad_minimum_is_below_an_eighth():
    pair = sigmoid_pair(0.1)
    assert [round(t, 4) for t in (pair.bad, pair.boundary, pair.good)] == [
        -0.9982,
        -0.3011,
        -0.0359,
    ]
    assert pair.bad_value_bounds[1] < 0.124997 < 1 / 8
    for epsilon in (0.001, 0.025, 0.05):
        assert sigmoid_pair(epsilon).bad_value_bounds[1] < 1 / 8


@pytest.mark.parametrize("epsilon", [1e-6, 0.025, 0.1, 0.12])
def test_sigmoid_minima_are_mpmaths(epsilon):
    pair = sigmoid_pair(epsilon)
    with mpmath.workdps(40):
        e = mpf(epsilon)
        s = mpmath.sqrt(2 * e)
        data = [
            (-4 * mpmath.log(2 / e), mpf(1) / 2),
            (mpmath.log((1 + 2 * s) / (1 - 2 * s)), mpf(1) / 2 - s),
        ]
        loss = lambda w: sum((1 / (1 + mpmath.exp(-w * x)) - y) ** 2 for x, y in data) / 2
        for point, bounds in [(pair.good, pair.good_bounds), (pair.bad, pair.bad_bounds)]:
            root = mpmath.findroot(lambda w: mpmath.diff(loss, w), mpf(point), tol=1e-30)
            assert bounds[0] < root < bounds[1]
            assert bounds[1] - bounds[0] <= 4e-16
        low, high = pair.good_value_bounds
        assert low < loss(mpmath.findroot(lambda w: mpmath.diff(loss, w), mpf(pair.good))) < high
        curvature = mpmath.diff(loss, mpf(pair.bad), 2)
        assert abs(curvature - pair.bad_curvature) <= 1e-12 * curvature
        # The barrier that the paper shows for the surrogate alone.
        assert loss(mpf(-0.5)) > mpf(1) / 8
    grid = np.linspace(-3, 3, 60_001)
    rising = np.diff(np.asarray(neuron_loss(pair, grid))) > 0
    if epsilon > 0.02:  # below, rounding decides near the flat minimum
        assert np.count_nonzero(rising[1:] != rising[:-1]) == 3


def test_surrogate_is_the_limit_and_larger():
    w = np.linspace(-0.99, 0, 100)
    for epsilon, near in [(0.05, 0.5), (0.001, 0.011)]:
        ratio = np.asarray(sample_losses(sigmoid_pair(epsilon), w)[1] / surrogate_loss(epsilon, w))
        assert np.all(ratio < 1 + 1e-9)
        assert np.all(ratio > 1 - near)


@pytest.mark.slow
def test_starts_on_the_sphere_leave_the_bad_sigmoid_basin():
    pair, dims = sigmoid_pair(0.1), np.array([1, 2, 3, 10])
    W = initial_weights(jax.random.key(0), 20_000, 1, 10)[0]
    hits = np.asarray(W[:, 0, 0] < pair.boundary).mean()
    found = bad_start_probability(pair, dims)
    assert abs(hits - found[3]) <= 4 * math.sqrt(found[3] / 20_000)
    angle = math.acos(-pair.boundary)
    assert np.allclose(found[:3], [0.5, angle / math.pi, (1 + pair.boundary) / 2], rtol=1e-14)
    assert bad_start_probability(pair, dims, radius=0.1).tolist() == [0] * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: relu_pair(0.5), "between 0 and 1/2"),
        (lambda: relu_pair(math.nan), "between 0 and 1/2"),
        (lambda: sigmoid_pair(0.125), "below 1/8"),
        (lambda: sigmoid_pair(0.0), "from 1e-6"),
        (lambda: sigmoid_pair(0.1245), "not two minima"),
        (lambda: copies(relu_pair(0.1), 0), "dim is 0"),
        (lambda: orthant_minima(relu_pair(0.1), 32), "from 1 to 31"),
        (lambda: orthant_minima(relu_pair(0.1), 2, np.array([4])), "indices range from 4 to 4"),
        (lambda: value_distribution(relu_pair(0.1), 0), "dim is 0"),
        (lambda: share_of_minima(relu_pair(0.1), math.inf, 3), "level is inf"),
        (lambda: share_of_minima(relu_pair(0.1), 0.1, np.array([2, 0])), "dims is"),
        (lambda: theorem_1_bound(np.array([1.5])), "whole numbers"),
        (lambda: bad_start_probability(relu_pair(0.1), 2, radius=0.0), "radius is"),
        (lambda: initial_weights(jax.random.key(0), 0, 1, 1), "starts, width, inputs"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
