"""SS16, theorem 2: singleton data and wide networks."""

import itertools
import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.theory.overspecification import (
    clopper_pearson,
    initial_weights,
    is_covering,
    singleton_basin_values,
    singleton_data,
    singleton_event_probability,
    singleton_optimum,
    theorem_2_bound,
    theorem_2_power_bound,
)


def exact_event(n, d):
    total = Fraction(0)
    for k in range(1, n):
        base = (1 - Fraction(2) ** (1 - k)) * (1 - Fraction(2) ** (1 - n + k))
        total += math.comb(n, k) * Fraction(1, 2**n) * base**d
    return total


def test_the_papers_sum_is_its_closed_form_and_the_bounds_hold():
    for n in range(1, 60):
        one = exact_event(n, 1)
        assert (
            one == 1 - 4 * Fraction(3, 4) ** n + 6 * Fraction(1, 2) ** n - 4 * Fraction(1, 4) ** n
        )
        for d in (1, 2, 3, 8):
            p = exact_event(n, d)
            assert float(p) == singleton_event_probability(n, d)
            # Jensen: coordinates share k, which can only help.
            assert p >= one**d
            assert p >= 1 - 4 * d * Fraction(3, 4) ** n
            if n >= 5:
                power = (1 - 4 * Fraction(3, 4) ** n) ** d
                assert p >= power >= 1 - 4 * d * Fraction(3, 4) ** n
    widths = np.arange(1, 60)
    assert np.all(theorem_2_power_bound(widths, 4) <= singleton_event_probability(widths, 4))
    assert np.all(theorem_2_bound(widths, 4) <= singleton_event_probability(widths, 4))


def test_event_counted_over_all_signs_is_the_exact_sum():
    n, d = 4, 2
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=n * (d + 1))))
    W, v = signs[:, : n * d].reshape(-1, n, d), signs[:, n * d :]
    assert int(is_covering(W, v).sum()) == exact_event(n, d) * len(signs)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "d"), [(6, 1), (12, 5)])
def test_event_of_random_starts_is_within_its_interval(n, d):
    W, v = initial_weights(jax.random.key(n), 20_000, n, d)
    hits = clopper_pearson(int(is_covering(W, v).sum()), 20_000, confidence=1 - 1e-4)
    assert hits.low <= singleton_event_probability(n, d) <= hits.high


def test_optimum_is_the_least_on_each_axis():
    x, y = singleton_data(jax.random.key(3), 4, 3)
    found = singleton_optimum(x, y)
    loss = lambda w: float(np.mean((np.maximum(np.asarray(x) @ w, 0) - np.asarray(y)) ** 2))
    assert loss(found.w) == pytest.approx(found.neuron, rel=1e-12)
    for j in range(4):

        def along(t, j=j):
            w = found.w.copy()
            w[j] = t
            return loss(w)

        least = min(along(t) for t in np.linspace(-9, 9, 1801))
        assert found.neuron <= least + 1e-12
    assert found.network <= found.neuron


def test_basin_values_under_the_event_are_the_networks_optimum():
    x, y = singleton_data(jax.random.key(5), 4, 3)
    rng = np.random.default_rng(6)
    W, v = rng.normal(size=(500, 8, 4)), rng.choice([-1.0, 1.0], (500, 8))
    found, best = singleton_basin_values(x, y, W, v), singleton_optimum(x, y)
    covering = is_covering(W, v)
    assert 0 < int(covering.sum()) < 500
    assert np.allclose(found[covering], best.network, rtol=1e-12)
    assert bool(jnp.all(found >= best.network * (1 - 1e-12)))


def test_basin_values_are_those_of_every_sign_by_least_squares():
    rng = np.random.default_rng(0)
    x, y = (np.asarray(a) for a in singleton_data(jax.random.key(7), 4, 3))
    for _ in range(40):
        W, v = rng.normal(size=(2, 4)), rng.choice([-1.0, 1.0], 2)
        left = 0.0
        for j, side in itertools.product(range(4), (1, -1)):
            rows = x[:, j] * side > 0
            size, label = np.abs(x[rows, j]), y[rows]
            free = [s for s, w in zip(v, W[:, j], strict=True) if w * side > 0]
            h = float(size @ label / (size @ size))
            if not (h > 0 and 1 in free) and not (h < 0 and -1 in free):
                h = 0.0
            left += float(np.sum((h * size - label) ** 2))
        assert float(singleton_basin_values(x, y, W, v)) == pytest.approx(left / len(y), rel=1e-12)


@pytest.mark.slow
def test_single_precision_stays_single():
    x, W = np.eye(2, dtype=np.float32), np.ones((3, 2, 2), np.float32)
    values = singleton_basin_values(x, x[0], W, np.ones((3, 2), np.float32))
    assert values.dtype == jnp.float32
    assert values.tolist() == [0] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: singleton_data(jax.random.key(0), 0, 1), "sizes of at least 1"),
        (lambda: singleton_data(jax.random.key(0), 1, 1, noise=-1.0), "noise of at least 0"),
        (lambda: singleton_optimum(np.eye(2), np.ones(3)), "shapes"),
        (lambda: singleton_optimum(np.zeros((0, 2)), np.ones(0)), "shapes"),
        (lambda: singleton_optimum(np.array([[np.nan, 0.0]]), np.ones(1)), "NaN"),
        (lambda: singleton_optimum(np.array([[1.0, 0], [0, 0]]), np.ones(2)), "row 1 of x has 0"),
        (lambda: singleton_optimum(np.ones((1, 2)), np.ones(1)), "row 0 of x has 2"),
        (lambda: singleton_event_probability(0, 1), "widths is 0"),
        (lambda: theorem_2_bound(3, 0), "dim is 0"),
        (lambda: theorem_2_power_bound(np.array([0]), 2), "widths is"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
