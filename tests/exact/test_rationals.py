"""Rational arithmetic: nothing is rounded on the way in, once on the way out."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from landscape_jax.exact.rationals import (
    least_squares,
    matrix,
    nearest,
    nearest_matrix,
    rational,
    squares,
)


def test_numbers_enter_exactly_and_leave_as_the_nearest_float():
    assert rational(Fraction(2, 6)) == fmpq(1, 3)
    assert rational(Decimal("1e-3")) == fmpq(1, 1000)
    values = np.random.default_rng(0).normal(size=(5, 3)) * 1e-200
    assert (nearest_matrix(matrix(values)) == values).all()
    assert nearest(fmpq(1, 3)) == 1 / 3
    with pytest.raises(OverflowError):
        nearest(fmpq(10**400))


@pytest.mark.parametrize("rank", [1, 2, 4])
def test_least_squares_are_those_of_any_rank(rank):
    rng = np.random.default_rng(rank)
    A = rng.integers(-5, 6, size=(9, rank)) @ rng.integers(-5, 6, size=(rank, 4))
    Y = rng.integers(-9, 10, size=(9, 2))
    exact, labels = matrix(A.tolist()), matrix(Y.tolist())
    W = least_squares(exact, labels)
    errors = exact * W - labels
    assert squares(exact.transpose() * errors) == 0
    best = A @ np.linalg.lstsq(A.astype(float), Y, rcond=None)[0]
    np.testing.assert_allclose(float(squares(errors)), np.sum((best - Y) ** 2), rtol=1e-12)
    assert sum(any(x != 0 for x in row) for row in W.tolist()) <= rank
