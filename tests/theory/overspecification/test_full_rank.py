"""SS16, theorem 7: weights of error 0 in the basins of starts on independent samples."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from landscape_jax.theory.overspecification import (
    orthogonal_event_probability,
    theorem_7_bound,
    zero_error_weights,
)


def starts(rng, count, width, inputs):
    return rng.normal(size=(count, width, inputs)), rng.choice([-1.0, 1.0], (count, width))


def test_covered_starts_have_error_zero_in_their_closed_regions():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 7)), rng.normal(size=5)
    y[2] = 0
    W, v = starts(rng, 400, 8, 7)
    found = zero_error_weights(x, y, W, v)
    # By hand: each label ≠ 0 has an active neuron of its sign.
    able = (np.einsum("snd,td->snt", W, x) > 0) & (v[:, :, None] * y > 0)
    covered = (able.any(axis=1) | (y == 0)).all(axis=1)
    assert np.array_equal(found.covered, covered)
    assert 50 < covered.sum() < 350
    scale = np.linalg.cond(x) * 1e-15
    assert float(found.loss[covered].max()) <= (10 * scale * np.abs(y).max()) ** 2
    assert float(found.loss[~covered].min()) > 1e-6
    assert float(found.violation.max()) <= 10 * scale
    assert np.all((np.asarray(found.heights) > 0).sum(axis=1) <= 1)


def test_weights_are_exact_and_in_the_closed_region_in_rationals():
    x = [[1, 2, 0], [0, 1, -1]]
    y = [3, -2]
    W = [[2, 1, 3], [1, -3, -5], [4, 4, 1]]
    for v in itertools.product([-1, 1], repeat=3):
        X = fmpq_mat(x)
        found = zero_error_weights(*(np.array(a, float) for a in (x, y, W, v)))
        heights = [[fmpq(int(h)) for h in row] for row in np.asarray(found.heights)]
        outputs = [fmpq(0)] * 2
        for i, row in enumerate(heights):
            gram = X * X.transpose()
            w = X.transpose() * gram.solve(fmpq_mat(2, 1, row))
            assert np.allclose([float(t.p) / float(t.q) for t in w.entries()], found.W[i])
            for t in range(2):
                before = sum(a * b for a, b in zip(W[i], x[t], strict=True))
                after = (X * w)[t, 0]
                assert before * after >= 0
                outputs[t] += v[i] * max(after, fmpq(0))
        assert (outputs == y) == bool(found.covered)


def test_printed_condition_loses_a_sample():
    x, y = np.ones((1, 1)), np.ones(1)
    W, v = np.array([[-1.0], [1.0]]), np.ones(2)

    def printed(i):
        earlier = all(W[j, 0] <= 0 and v[j] * y[0] < 0 for j in range(i))
        return W[i, 0] > 0 and v[i] * y[0] >= 0 and earlier

    assert not any(printed(i) for i in range(2))
    found = zero_error_weights(x, y, W, v)
    assert float(found.loss) == 0
    assert found.heights.tolist() == [[0], [1]]


def test_event_of_orthogonal_samples_counted_over_all_signs():
    n, y = 3, np.array([1.0, 1.0, -1.0])
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=4 * n)))
    W, v = signs[:, : 3 * n].reshape(-1, n, 3), signs[:, 3 * n :]
    hits = int(zero_error_weights(np.eye(3), y, W, v).covered.sum())
    assert hits / len(signs) == pytest.approx(orthogonal_event_probability(n, 2, 1), rel=1e-13)


def test_exact_event_is_above_the_bound():
    n = np.arange(1, 80)
    for positive, negative in [(1, 0), (3, 3), (10, 0), (40, 60)]:
        exact = orthogonal_event_probability(n, positive, negative)
        assert np.all(exact >= theorem_7_bound(n, positive + negative) - 1e-12)
    assert np.allclose(orthogonal_event_probability(n, 1, 0), 1 - 0.75**n, rtol=1e-12)


@pytest.mark.slow
def test_single_precision_and_one_start():
    x, y = np.eye(2, 3, dtype=np.float32), np.ones(2, np.float32)
    found = zero_error_weights(x, y, np.ones((1, 3), np.float32), np.ones(1, np.float32))
    assert found.W.dtype == jnp.float32
    assert found.W.tolist() == [[1, 1, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: zero_error_weights(np.ones((3, 2)), np.ones(3), np.ones((1, 2)), np.ones(1)),
            "at",
        ),
        (lambda: zero_error_weights(np.eye(2), np.ones(3), np.ones((1, 2)), np.ones(1)), "shapes"),
        (lambda: theorem_7_bound(3, 0), "samples is 0"),
        (lambda: orthogonal_event_probability(0, 1, 1), "widths is 0"),
        (lambda: orthogonal_event_probability(1, -1, 1), "positive is -1"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
