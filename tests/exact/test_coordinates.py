"""An exact map leads to coordinates in which samples are well conditioned."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from landscape_jax.exact.coordinates import root, scaled, well_conditioned
from landscape_jax.exact.rationals import matrix, nearest_matrix


def test_a_map_leaves_samples_well_conditioned_and_exact():
    rng = np.random.default_rng(0)
    for seed in range(200):
        d = 1 + seed % 4
        x = [[*map(Fraction, row)] for row in rng.integers(-20, 21, (6, d)).tolist()]
        for k in range(d):
            offset, power = int(rng.integers(0, 10**9)), int(rng.integers(-9, 10))
            for row in x:
                row[k] = (row[k] + offset) * Fraction(10) ** power
        rows = matrix(x)
        found = well_conditioned(rows)
        assert fmpq_mat(found.whole) / found.denominator == rows * found.map
        assert found.map.ncols() == found.map.rank() == rows.rank()
        s = np.linalg.svd(nearest_matrix(rows * found.map), compute_uv=False)
        assert 0.3 < s[-1] <= s[0] < 3


def test_columns_that_depend_on_others_are_left_out():
    found = well_conditioned(matrix([[7, 1, 2015, 1], [7, 3, 2016, 1], [7, 2, 2017, 1]]))
    assert (found.map.nrows(), found.map.ncols()) == (4, 3)
    assert well_conditioned(fmpq_mat(2, 3)).map.ncols() == 1


def test_roots_and_scaled_numbers_go_beyond_float64():
    for t in (fmpq(2), fmpq(10) ** 600, fmpq(1, 3) * fmpq(10) ** -500):
        values, exponent = scaled([t, -t / 3])
        assert 0.25 < values[0] <= 2
        assert values[1] == pytest.approx(-values[0] / 3, rel=1e-15)
        assert abs(fmpq(*values[0].as_integer_ratio()) * fmpq(2) ** exponent / t - 1) < fmpq(
            1, 10**15
        )
        square = fmpq(*root(t).as_integer_ratio()) ** 2
        assert abs(square / t - 1) < fmpq(1, 10**15)
    assert root(fmpq(0)) == 0
    assert root(fmpq(4) ** 1022) == 2.0**1022
    with pytest.raises(ValueError, match="beyond float64; scale x or y"):
        root(fmpq(4) ** 1024)
