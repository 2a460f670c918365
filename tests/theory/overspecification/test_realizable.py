"""SS16, theorems 5 and 6 and lemma 4: realizable data and caps of the sphere."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom

from landscape_jax.theory.overspecification import (
    band_probability,
    cap_probability,
    intrinsic_dimension,
    lemma_4_bound,
    match_probability,
    realizable_data,
    theorem_5_bound,
    theorem_5_union_bound,
    theorem_5_width,
)


def test_cap_probability_is_the_integral_of_the_sine():
    for d in (2, 3, 4, 7, 30):
        whole = quad(lambda t, d=d: math.sin(t) ** (d - 2), 0, math.pi)[0]
        for delta in (0.0, 0.1, 1.0, 1.5, 1.99, 2.0):
            part = quad(lambda t, d=d: math.sin(t) ** (d - 2), 0, 2 * math.asin(delta / 2))[0]
            assert float(cap_probability(delta, d)) == pytest.approx(part / whole, abs=1e-9)


def test_cap_probability_in_two_and_three_dimensions():
    delta = np.linspace(0, 2, 101)
    assert np.allclose(cap_probability(delta, 2), 2 * np.arcsin(delta / 2) / np.pi, atol=1e-7)
    # The paper's table has δ²/2.
    assert np.allclose(cap_probability(delta, 3), delta**2 / 4, atol=1e-12)


def test_lemma_4_holds_for_all_distances():
    delta = np.linspace(0, 2, 2001)
    for d in (*range(2, 30), 100, 1000):
        # Below 1e-300 powers underflow.
        bound = lemma_4_bound(delta, d) * (1 - 1e-12) - 1e-300
        assert np.all(cap_probability(delta, d) >= bound)


def test_band_is_what_two_caps_leave():
    s = np.linspace(0, 1, 51)
    for d in (2, 3, 10):
        # |a − b|² = 2 − 2 a·b.
        rest = 1 - 2 * cap_probability(np.sqrt(2 - 2 * s), d)
        assert np.allclose(band_probability(s, d), rest, atol=1e-12)


def test_statement_of_theorem_5_is_false_with_p_in_the_exponent():
    eta, epsilon, c = 0.2, 0.002, 10.0
    x = np.array([[-np.sin(eta), np.cos(eta)], [0, 1], [np.sin(eta), np.cos(eta)]])
    y = np.maximum(x @ [1.0, 0.0], 0)
    line = np.array([1, -2 * np.cos(eta), 1])
    assert np.allclose(line @ x, 0, atol=1e-15)
    # Outputs that are linear on the three have line·q = 0, so a loss of (line·y)²/(3‖line‖²).
    assert (line @ y) ** 2 / (3 * line @ line) > epsilon
    # A neuron bends between them where its line x⊥ is, on one of two arcs of 2η.
    angles = np.linspace(0, 2 * np.pi, 100_000, endpoint=False)
    signs = np.stack([np.cos(angles), np.sin(angles)], 1) @ x.T > 0
    bends = np.mean(signs.any(axis=1) & ~signs.all(axis=1))
    assert bends == pytest.approx(2 * eta / np.pi, abs=1e-4)
    p = float(match_probability(epsilon, 1, 1.0, 2))
    width = float(theorem_5_width(c, 1, np.array(p)))
    failing = width * math.log1p(-2 * eta / math.pi)
    assert width == 1551
    assert failing > -(c**2) / (4 * p * (1 + c)) + 100
    # The proof's own exponent is no contradiction.
    assert failing < -(c**2) / (4 * (1 + c))


def test_bounds_of_theorem_5_follow_from_the_union_bound():
    for n in (1, 2, 5, 20):
        for c in (0.01, 0.5, 1, 3, 30):
            for p in (0.5, 0.1, 1e-3):
                N = int(theorem_5_width(c, n, np.array(p)))
                union = theorem_5_union_bound(N, n, np.array(p))
                assert union >= theorem_5_bound(c, n) - 1e-15
                # What the proof counts: at least n of N coins.
                assert binom.sf(n - 1, N, p) >= theorem_5_bound(c, n) - 1e-12


@pytest.mark.slow
def test_matching_neurons_have_the_exact_probability_and_a_small_loss():
    data = realizable_data(jax.random.key(0), 40, 3, 2, bound=1.5)
    epsilon = 4.0
    rows = jax.random.normal(jax.random.key(1), (100_000, 3))
    rows /= jnp.linalg.norm(rows, axis=1, keepdims=True)
    near = jnp.linalg.norm(rows - data.W[0] / 1.5, axis=1) <= math.sqrt(epsilon) / (2 * 1.5)
    exact = 2 * float(match_probability(epsilon, 2, 1.5, 3, exact=True))
    assert abs(float(near.mean()) - exact) <= 4 * math.sqrt(exact / 100_000)
    chosen = 1.5 * rows[near][:50]
    for w in chosen:
        q = jax.nn.relu(data.x @ jnp.stack([w, data.W[1]]).T) @ data.v
        assert float(jnp.mean((q - data.y) ** 2)) <= epsilon / 4


def test_data_are_the_teachers_in_a_ball_of_the_given_rank():
    data = realizable_data(jax.random.key(3), 30, 5, 2, rank=2)
    assert intrinsic_dimension(data.x) == 2
    assert np.linalg.norm(data.x, axis=1).max() <= 1 + 1e-12
    assert np.allclose(np.linalg.norm(data.W, axis=1), 1)
    outputs = np.maximum(np.asarray(data.x) @ np.asarray(data.W).T, 0) @ np.asarray(data.v)
    assert np.allclose(outputs, data.y, atol=1e-14)
    assert intrinsic_dimension(np.zeros((3, 2))) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cap_probability(2.1, 3), "distance is 2.1"),
        (lambda: cap_probability(math.nan, 3), "distance is nan"),
        (lambda: lemma_4_bound(1.0, 1), "dims is 1"),
        (lambda: band_probability(1.1, 3), "height is 1.1"),
        (lambda: realizable_data(jax.random.key(0), 3, 2, 1, rank=3), "rank of at most inputs"),
        (lambda: intrinsic_dimension(np.zeros((0, 2))), "shape"),
        (lambda: intrinsic_dimension(np.full((2, 2), np.nan)), "finite"),
        (lambda: match_probability(0.0, 1, 1.0, 2), "above 0"),
        (lambda: match_probability(4.1, 1, 1.0, 2), "at most 4"),
        (lambda: match_probability(1.0, 1, 0.0, 2), "bound is"),
        (lambda: match_probability(1.0, 1, 1.0, 1), "dims is 1"),
        (lambda: theorem_5_width(0.0, 1, np.array(0.5)), "c > 0"),
        (lambda: theorem_5_width(1.0, 1, np.array(0.0)), "0 < p"),
        (lambda: theorem_5_bound(-1.0, 1), "c is -1"),
        (lambda: theorem_5_union_bound(5, 1, np.array(2.0)), "p is 2"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
