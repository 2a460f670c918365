"""SS16, theorem 8: clustered data."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.theory.overspecification import (
    band_probability,
    centre_labels,
    clustered_data,
    clustered_weights,
    largest_ratio,
    theorem_8_bound,
    theorem_8_event_bound,
    theorem_8_level,
)


def starts(rng, count, width, inputs):
    W = rng.normal(size=(count, width, inputs))
    return W / np.linalg.norm(W, axis=2, keepdims=True), rng.choice([-1.0, 1.0], (count, width))


def covered_by_hand(data, W, v):
    """The event, written out neuron by neuron."""
    C, y = np.asarray(data.centres), np.asarray(centre_labels(data))
    products = np.einsum("snd,kd->snk", W, C)
    clean = (np.abs(products) > float(data.radius)).all(axis=2, keepdims=True)
    able = clean & (products > 0) & (v[:, :, None] * y > 0)
    return able.any(axis=1).all(axis=1)


def assert_promise(data, width, count=200):
    rng = np.random.default_rng(0)
    W, v = starts(rng, count, width, data.x.shape[1])
    found = clustered_weights(data, W, v)
    covered = covered_by_hand(data, W, v)
    assert np.array_equal(found.covered, covered)
    assert covered.any()
    assert float(found.loss[covered].max()) <= theorem_8_level(data, width)
    # In the closed regions of the data, of all starts.
    assert float(found.depth.min()) >= -1e-13
    return found, covered


def test_covered_starts_keep_the_mended_promise_in_their_regions():
    data = clustered_data(jax.random.key(1), 3, 5, 20)
    found, covered = assert_promise(data, 12)
    assert not covered.all()
    assert np.isfinite(found.loss).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("k", "d", "n"), [(2, 2, 12), (4, 6, 20)])
def test_promise_on_other_data(seed, k, d, n):
    data = clustered_data(jax.random.key(seed), k, d, 10, ratio=1e-3, lipschitz=3.0)
    assert_promise(data, n)
    assert theorem_8_level(data, n) <= theorem_8_level(data, n, printed=True)


def test_data_are_in_their_balls_and_lipschitz():
    data = clustered_data(jax.random.key(1), 3, 5, 20)
    x, y, C = (np.asarray(a) for a in (data.x, data.y, data.centres))
    j = np.asarray(data.cluster)
    assert np.linalg.norm(x - C[j], axis=1).max() <= float(data.radius) * (1 + 1e-12)
    assert float(data.radius) == largest_ratio(5)
    for a in range(3):
        gaps = np.abs(y[j == a][:, None] - y[j == a])
        away = np.linalg.norm(x[j == a][:, None] - x[j == a], axis=2)
        assert np.all(gaps <= away + 1e-12)
        middle = float(centre_labels(data)[a])
        assert np.abs(y[j == a] - middle).max() <= float(data.radius)


def test_a_start_is_noisy_in_at_most_the_stated_share():
    for printed in (False, True):
        for d in (*range(2, 60), 1000, 100_000):
            assert band_probability(largest_ratio(d, printed=printed), d) <= 1 / (4 * d)


def test_lemma_6_is_false():
    # c = (1, 0), δ = 0.8: 40° is inside the lemma's cap of 90° − 2 arcsin 0.4, and not clean.
    w = np.array([math.cos(math.radians(40)), math.sin(math.radians(40))])
    assert math.radians(40) < math.pi / 2 - 2 * math.asin(0.4)
    nearest = np.array([1.0, 0.0]) - w[0] * w
    assert abs(nearest @ w) < 1e-15
    assert np.linalg.norm(nearest - [1.0, 0.0]) <= 0.8


def test_printed_centre_labels_are_wrong_for_negative_labels():
    data = clustered_data(jax.random.key(1), 3, 5, 20)
    negative = data._replace(y=data.y - 10)
    y, j = np.asarray(negative.y), np.asarray(negative.cluster)
    middle = np.asarray(centre_labels(negative))
    assert np.abs(y - middle[j]).max() <= float(data.radius)
    assert np.all(middle < 0)


def test_bounds_are_in_order():
    n = np.arange(1, 100)
    for k, d in [(1, 2), (4, 4), (3, 9)]:
        sharp = theorem_8_event_bound(n, d, clusters=k)
        assert np.all(sharp >= theorem_8_bound(n, d))
        ratios = np.full(k, largest_ratio(d))
        assert np.all(theorem_8_event_bound(n, d, ratios) >= sharp)
    assert theorem_8_event_bound(5, 3, np.ones(2)) == -1


@pytest.mark.slow
def test_event_is_as_likely_as_its_bound_says():
    data = clustered_data(jax.random.key(2), 3, 4, 5)
    W, v = starts(np.random.default_rng(1), 20_000, 10, 4)
    hits = float(clustered_weights(data, W, v).covered.mean())
    ratios = np.full(3, largest_ratio(4))
    assert hits >= theorem_8_event_bound(10, 4, ratios) - 4 * 0.5 / math.sqrt(20_000)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: largest_ratio(1), "dim is 1"),
        (lambda: clustered_data(jax.random.key(0), 3, 2, 1), "as many inputs as clusters"),
        (lambda: clustered_data(jax.random.key(0), 1, 1, 1), "and two"),
        (lambda: theorem_8_bound(3, 1), "dim is 1"),
        (lambda: theorem_8_event_bound(0, 3), "widths is 0"),
        (lambda: theorem_8_event_bound(1, 3, np.array([1.5])), "height is"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_clusters_that_are_too_wide_are_refused():
    data = clustered_data(jax.random.key(1), 3, 5, 20)
    with pytest.raises(ValueError, match="too wide"):
        theorem_8_level(data._replace(radius=jnp.asarray(1.0)), 3)
