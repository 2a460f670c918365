"""P_t is the probability that samples leave the gaps empty."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from landscape_jax.theory.parallel_weights import (
    Mixture,
    mixture_minimum,
    sample_minimum,
    trapping,
)

NORMALS = {2: (1, -1), 3: (1, -1, 1), 4: (1, 1, -1, -1)}


def draws(seed, trials, samples):
    rng = np.random.default_rng(seed)
    y = rng.choice([-1.0, 1.0], (trials, samples))
    return rng.normal(size=(trials, samples)) + y, y


def some_positions(width, count):
    return jnp.asarray(np.random.default_rng(width).uniform(-3.5, 3.5, (count, width)))


@pytest.mark.parametrize("width", [2, *(pytest.param(w, marks=pytest.mark.slow) for w in (3, 4))])
def test_the_share_of_draws_that_leave_all_gaps_empty_is_the_probability(width):
    trials, samples, count = 4000, 10, 50
    x, _ = draws(width, trials, samples)
    positions = some_positions(width, count)
    each = [trapping(h, NORMALS[width], samples=samples) for h in positions]
    found = jax.tree.map(lambda *values: np.stack(values), *each)
    low = np.minimum(positions, found.optimum)
    high = np.maximum(positions, found.optimum)
    inside = np.zeros((count, trials, samples), bool)
    for k in range(width):
        inside |= (low[:, k, None, None] < x) & (x < high[:, k, None, None])
    empty = (~inside.any(axis=2)).sum(axis=1)
    # Four standard errors of a normal deviate, on each side; exact for rare ones.
    distribution = stats.binom(trials, np.asarray(found.probability))
    assert (distribution.cdf(empty) > stats.norm.sf(4)).all()
    assert (distribution.sf(empty - 1) > stats.norm.sf(4)).all()
    assert (np.asarray(found.probability) > 0.01).sum() > 5
    assert (np.asarray(found.largest_probability) > 2 * np.asarray(found.probability)).any()


@pytest.mark.slow
def test_the_union_is_what_a_fine_grid_covers_and_the_largest_gap_is_below():
    mixture = Mixture((2.0, -0.5), (0.5, 4.0), 0.2)
    edges = np.linspace(-30, 30, 300_001)
    mass = 0.2 * np.diff(stats.norm.cdf(edges, 2, 0.5**0.5))
    mass += 0.8 * np.diff(stats.norm.cdf(edges, -0.5, 2))
    middle = (edges[1:] + edges[:-1]) / 2
    for h in some_positions(4, 8):
        found = trapping(h, (1, -1, 1, -1), mixture)
        ends = np.sort(np.stack([h, found.optimum]), axis=0)
        inside = (ends[0, :, None] < middle) & (middle < ends[1, :, None])
        # Each of 8 ends cuts one cell, of mass at most 1.2e-4·0.6.
        np.testing.assert_allclose(found.gap, mass[inside.any(axis=0)].sum(), atol=6e-4)
        np.testing.assert_allclose(found.largest_gap, (mass * inside).sum(1).max(), atol=2e-4)


@pytest.mark.slow
def test_only_the_gaps_of_chosen_weights_count():
    h = jnp.array([2.0, 0.0])
    one, other = (trapping(h, (1, -1), gaps_of=[k]) for k in (0, 1))
    both = trapping(h, (1, -1))
    np.testing.assert_allclose(one.gap + other.gap, both.gap, rtol=1e-13)
    np.testing.assert_allclose(one.gap, one.largest_gap, rtol=1e-13)


@pytest.mark.slow
def test_the_probability_keeps_its_digits_where_it_is_nearly_one_and_nearly_zero():
    far = trapping(jnp.array([20.0]), (1,))
    # x > 20 is of the class of mean 1 except for a share e⁻⁴⁰, and x > 19 except for e⁻³⁸.
    best = np.exp(stats.norm.logpdf(19) - stats.norm.logsf(19))
    gap = (stats.norm.sf(best - 1) - stats.norm.sf(19)) / 2
    np.testing.assert_allclose(-jnp.expm1(far.log_probability), 100 * gap, rtol=1e-11)
    assert far.probability == 1
    wide = trapping(jnp.array([-9.0, 9.0]), (1, -1), samples=10**6)
    assert wide.probability == 0
    assert -jnp.inf < wide.log_probability < -1e5


@pytest.mark.slow
def test_the_probability_is_one_at_the_optimum_and_has_derivatives_everywhere():
    def log_probability(h):
        return trapping(jnp.stack([h, -h]), (1, -1)).log_probability

    h = jnp.asarray(0.7)
    for _ in range(45):  # a contraction by 0.4
        h = mixture_minimum(jnp.stack([h, -h]), (1, -1))[0]
    np.testing.assert_allclose(log_probability(h), 0, atol=1e-11)
    for start in map(jnp.asarray, (0.4, -6.0, 40.0)):
        slope = jax.grad(log_probability)(start)
        there, back = log_probability(start + 1e-5), log_probability(start - 1e-5)
        np.testing.assert_allclose(slope, (there - back) / 2e-5, rtol=1e-6, atol=1e-8)


@pytest.mark.slow
def test_single_precision_gives_the_same_probabilities():
    h = some_positions(3, 40)

    def log_probability(h):
        return jax.vmap(lambda one: trapping(one, (1, -1, 1)).log_probability)(h)

    single = log_probability(h.astype(jnp.float32))
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, log_probability(h), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_a_sample_has_a_genuine_minimum_less_often_at_the_peak_and_more_often_far_out():
    x, y = map(jnp.asarray, draws(7, 2000, 100))

    def share(h):
        found = jax.vmap(lambda x, y: sample_minimum(x, y, jnp.array(h), (1, -1)))(x, y)
        return float(found.genuine.mean())

    peak, out = [0.733, -0.733], [4.0, -4.0]
    assert trapping(jnp.array(peak), (1, -1)).probability > 0.98
    np.testing.assert_allclose(share(peak), 0.055, atol=4 * (0.055 / 2000) ** 0.5)
    assert trapping(jnp.array(out), (1, -1)).probability < 0.38
    np.testing.assert_allclose(share(out), 0.943, atol=4 * (0.057 / 2000) ** 0.5)


def test_bad_arguments_are_refused():
    h = jnp.zeros(2)
    with pytest.raises(ValueError, match="samples is 0; give at least 1"):
        trapping(h, (1, -1), samples=0)
    for chosen in ([], [2], [-1]):
        with pytest.raises(ValueError, match="give some of the weights 0 to 1"):
            trapping(h, (1, -1), gaps_of=chosen)
    with pytest.raises(ValueError, match="give 1 or -1"):
        trapping(h, (1, -1, 1))
