"""The least squares of cell combinations agree with numpy's and with exact ones."""

from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.exact.rationals import nearest, nearest_matrix
from landscape_jax.theory.cells import cell_solutions, exact_cell_solution


def problem(seed, shape, count=60, whole=False):
    rng = np.random.default_rng(seed)
    n, d, width = shape
    x = rng.integers(-3, 4, (n, d)).astype(float) if whole else rng.normal(size=(n, d))
    y = rng.integers(-3, 4, n).astype(float) if whole else rng.normal(size=n)
    patterns = rng.random((count, n, width)) < rng.random((count, 1, width))
    return x, y, patterns


def table(x, pattern):
    """The matrix A of equation 6."""
    return (pattern[:, :, None] * x[:, None, :]).reshape(len(x), -1)


@pytest.mark.parametrize("shape", [(9, 2, 3), (4, 3, 3)])
def test_solutions_are_those_of_numpy(shape):
    x, y, patterns = problem(0, shape)
    found = cell_solutions(x, y, patterns)
    for i, pattern in enumerate(patterns):
        A = table(x, pattern)
        R, _, rank, s = np.linalg.lstsq(A, y, rcond=max(A.shape) * np.finfo(float).eps)
        np.testing.assert_allclose(found.R[i].ravel(), R, atol=1e-10 * max(1, np.abs(R).max()))
        np.testing.assert_allclose(found.loss[i], np.mean((A @ R - y) ** 2), atol=1e-14)
        assert found.rank[i] == rank
        assert found.unique[i] == (rank == A.shape[1])
        expected = s[rank - 1] / s[0] if rank else 0
        np.testing.assert_allclose(found.smallest[i], expected, atol=1e-14)
    assert int(found.unique.sum()) > 0 or shape == (4, 3, 3)
    assert int(found.unique.sum()) < len(patterns)


@pytest.mark.parametrize("shape", [(7, 2, 2), (4, 2, 3)])
def test_solutions_and_ranks_are_the_exact_ones(shape):
    x, y, patterns = problem(1, shape, count=25, whole=True)
    found = cell_solutions(x, y, patterns)
    for i, pattern in enumerate(patterns):
        exact = exact_cell_solution(x, y, pattern)
        assert (int(found.rank[i]), bool(found.unique[i])) == (exact.rank, exact.unique)
        np.testing.assert_allclose(found.R[i], nearest_matrix(exact.R), atol=1e-12)
        np.testing.assert_allclose(found.loss[i], nearest(exact.loss), atol=1e-13)


def test_the_free_part_changes_no_loss_and_reaches_the_whole_null_space():
    x, y, patterns = problem(2, (5, 2, 3), count=20)
    c = np.random.default_rng(3).normal(size=(len(patterns), 3, 2))
    plain, moved = cell_solutions(x, y, patterns), cell_solutions(x, y, patterns, c)
    for i, pattern in enumerate(patterns):
        A = table(x, pattern)
        expected = (np.eye(6) - np.linalg.pinv(A) @ A) @ c[i].ravel()
        np.testing.assert_allclose((moved.R[i] - plain.R[i]).ravel(), expected, atol=1e-10)
        np.testing.assert_allclose(A @ moved.R[i].ravel(), A @ plain.R[i].ravel(), atol=1e-10)
    np.testing.assert_array_equal(plain.loss, moved.loss)


def test_a_rank_that_floats_cannot_decide_is_decided_in_rational_numbers():
    tiny = Fraction(1, 2**80)
    x = np.array([[Fraction(1), Fraction(1)], [Fraction(1), 1 + tiny]], dtype=object)
    pattern = np.ones((2, 1), bool)
    exact = exact_cell_solution(x, [1, 2], pattern)
    assert exact.unique
    assert exact.loss == 0
    found = cell_solutions(x.astype(float), np.array([1.0, 2.0]), pattern[None])
    assert found.rank.tolist() == [1]
    np.testing.assert_allclose(found.loss, 0.25, rtol=1e-12)


def test_a_neuron_that_is_never_active_has_any_weights():
    x, y = np.eye(2), np.array([1.0, 1.0])
    c = jnp.array([[[3.0, -2.0]]])
    found = cell_solutions(x, y, np.zeros((1, 2, 1), bool), c)
    assert found.R.tolist() == c.tolist()
    assert (found.loss.tolist(), found.rank.tolist(), found.smallest.tolist()) == ([1], [0], [0])


@pytest.mark.slow
def test_thousands_of_patterns_take_one_call_in_single_precision_too():
    x, y, patterns = problem(4, (12, 2, 2), count=2048)
    found = cell_solutions(x.astype(np.float32), y.astype(np.float32), patterns)
    assert found.R.dtype == jnp.float32
    tables = [table(x, pattern) for pattern in patterns]
    losses = [np.mean((A @ np.linalg.lstsq(A, y)[0] - y) ** 2) for A in tables]
    np.testing.assert_allclose(found.loss, losses, atol=1e-4)


@pytest.mark.parametrize("count", [3, 600])
def test_whole_numbers_are_solved_as_floats(count):
    x, y = np.array([[1, 0], [1, 1], [0, 2]]), np.array([1, 2, 0])
    patterns = np.ones((count, 3, 1), bool)
    whole = cell_solutions(x, y, patterns)
    for one, two in zip(whole, cell_solutions(x * 1.0, y * 1.0, patterns), strict=True):
        np.testing.assert_array_equal(one, two)


def test_shapes_that_do_not_fit_are_refused():
    x, y, patterns = problem(0, (5, 2, 1), count=3)
    with pytest.raises(ValueError, match=r"x, y and patterns have shapes \(5, 2\), \(5,\)"):
        cell_solutions(x, y, patterns[:, :4])
    for none in ((5, 0, 1), (0, 2, 1), (5, 2, 0)):
        samples, inputs, neurons = none
        with pytest.raises(ValueError, match="with samples, inputs and neurons"):
            cell_solutions(
                np.ones((samples, inputs)), np.ones(samples), np.ones((3, samples, neurons), bool)
            )
    with pytest.raises(ValueError, match="free has shape"):
        cell_solutions(x, y, patterns, np.zeros((2, 1, 2)))
    with pytest.raises(ValueError, match="pattern has shape"):
        exact_cell_solution(x, y, patterns[0, :4])
    with pytest.raises(ValueError, match="y has 2 columns"):
        exact_cell_solution(x, np.zeros((5, 2)), patterns[0])
