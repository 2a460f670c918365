"""Float bounds contain the exact numbers, and exclude no minimum, on ill-conditioned data too."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq_mat

from landscape_jax.exact.rationals import least_squares, matrix, nearest_matrix
from landscape_jax.theory.cells.candidates import Tables, candidates, fitted
from landscape_jax.theory.cells.fans import face_problem
from landscape_jax.theory.cells.stationary import minimum_of, stationary


def columns(rng, spread):
    """Columns of all sizes, some nearly dependent."""
    A = rng.normal(size=(8, 4))
    A[:, 2] = A[:, 0] + spread * A[:, 2]
    A[:, 3] *= rng.random(8) < 0.4
    return A * 10.0 ** rng.integers(-9, 10, 4)


def test_bounds_of_least_squares_hold_the_exact_solution():
    rng, proven = np.random.default_rng(0), 0
    for _ in range(200):
        A, y = columns(rng, 10.0 ** rng.uniform(-9, 0)), rng.normal(size=8)
        fit = fitted(A[None], y)
        kept = np.flatnonzero(fit.kept[0])
        if not np.isfinite(fit.off_t[0]):
            continue
        proven += 1
        table = matrix(A[:, kept])
        t = least_squares(table, matrix(y[:, None]))
        errors = table * t - matrix(y[:, None])
        sizes = fmpq_mat([[s] for s in matrix(fit.sizes[:, kept]).entries()])
        exact = [s * size for s, size in zip(t.entries(), sizes.entries(), strict=True)]
        off = nearest_matrix(fmpq_mat([exact]) - matrix(fit.t[:, kept]))
        assert np.linalg.norm(off) <= fit.off_t[0] < 1e-2
        off = nearest_matrix(errors.transpose() - matrix(fit.errors))
        assert np.linalg.norm(off) <= fit.off_errors[0] < 1e-6
    assert proven > 100


@pytest.mark.slow
@pytest.mark.parametrize(("n", "inputs", "width"), [(6, 2, 1), (5, 1, 2), (4, 2, 2)])
def test_combinations_that_floats_exclude_hold_no_minimum(n, inputs, width):
    rng, excluded = np.random.default_rng(0), 0
    for seed in range(4):
        # Nearly parallel and equal samples make tables of all condition numbers.
        x = rng.integers(-3, 4, (n, inputs)).tolist()
        x = [[t + Fraction(int(rng.integers(3)), 10 ** (3 * seed)) for t in row] for row in x]
        y = rng.integers(-2, 3, n).tolist()
        given = face_problem([[*row, 1] for row in x], y, width, limit=10**6)
        for block in candidates(Tables(given), range(len(given.fans)), width):
            left_out = np.flatnonzero(~block.possible)
            excluded += len(left_out)
            for chosen in map(tuple, block.chosen[left_out][::7].tolist()):
                found = stationary(given, chosen)
                assert found is None or minimum_of(given, chosen, found) is None
            for chosen in map(tuple, block.chosen[block.zero][:50].tolist()):
                found = stationary(given, chosen)
                assert found is not None
                assert all(e == 0 for e in found.errors.entries())
    assert excluded > 100
