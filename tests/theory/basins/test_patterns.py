"""Regions: signs of heights."""

import numpy as np
import pytest

from landscape_jax.theory.basins import region_patterns


def test_patterns_are_the_signs_of_heights_and_cones():
    random = np.random.default_rng(0)
    x, W = random.standard_normal((6, 3)), random.standard_normal((2, 4, 5, 3))
    patterns = region_patterns(x, W)
    assert patterns.shape == (2, 4, 6, 5)
    np.testing.assert_array_equal(patterns, np.einsum("td,...nd->...tn", x, W) > 0)
    np.testing.assert_array_equal(patterns, region_patterns(x, 7 * W))


def test_a_weight_on_a_boundary_counts_as_inactive():
    assert not np.any(region_patterns(np.eye(2), np.zeros((3, 2))))


def test_other_inputs_are_refused():
    with pytest.raises(ValueError, match="W has neurons of 3 inputs; x has 2"):
        region_patterns(np.eye(2), np.ones((1, 3)))
