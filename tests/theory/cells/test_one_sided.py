"""The steepest slope at a kink is attained, none is steeper, and multipliers prove that it is 0."""

import numpy as np
import pytest

from landscape_jax.theory.cells.one_sided import least_slope


def value(v, g, rows, weights):
    return v @ g + np.maximum(v @ rows.T, 0) @ weights


def kinks(seed, d, count, whole):
    """Random g, rows and weights; for even seeds g is inside of what the kinks can balance."""
    rng = np.random.default_rng(seed)
    if whole:
        rows = rng.integers(-2, 3, (count, d)).astype(float)
        weights = rng.integers(-2, 4, count) / 4
    else:
        rows, weights = rng.normal(size=(count, d)), rng.normal(size=count)
    weights = np.abs(weights) if seed % 3 else weights
    g = -(rng.random(count) * weights) @ rows if seed % 2 == 0 else rng.normal(size=d)
    return g, rows, weights


def least_in_the_plane(g, rows, weights):
    """The least of f, linear between normals: at one of them, or where f falls most."""
    ends = [t for r in rows if r.any() for t in np.arctan2([r[0], -r[0]], [-r[1], r[1]])]
    ends = np.sort(np.array(ends or [0.0]))
    middles = (ends + np.append(ends[1:], ends[0] + 2 * np.pi)) / 2
    inside = np.stack([np.cos(middles), np.sin(middles)], axis=1)
    slopes = g + ((inside @ rows.T > 0) * weights) @ rows
    tried = np.concatenate([np.stack([np.cos(ends), np.sin(ends)], axis=1), -slopes])
    tried = tried / np.maximum(np.linalg.norm(tried, axis=1, keepdims=True), 1e-30)
    return min(0.0, float(np.min(value(tried, g, rows, weights))))


@pytest.mark.parametrize("whole", [True, False])
def test_the_slope_in_the_plane_is_that_of_all_arcs(whole):
    for seed in range(60):
        g, rows, weights = kinks(seed, 2, seed % 7, whole)
        expected = least_in_the_plane(g, rows, weights)
        found = least_slope(g, rows, weights)
        np.testing.assert_allclose(found.slope, expected, atol=1e-12)
        assert found.nonnegative == (expected >= -1e-9)


def test_the_slope_is_attained_and_none_is_steeper():
    known = {True: 0, False: 0}
    for seed in range(60):
        g, rows, weights = kinks(seed, 1 + seed % 4, seed % 8, seed % 5 < 2)
        found = least_slope(g, rows, weights)
        v = np.random.default_rng(seed).normal(size=(500, len(g)))
        tried = value(v / np.linalg.norm(v, axis=1, keepdims=True), g, rows, weights)
        assert tried.min() >= found.slope - 1e-12
        assert found.zero == (np.abs(tried).max() <= 1e-9)
        known[found.nonnegative] += 1
        if found.direction is not None:
            np.testing.assert_allclose(np.linalg.norm(found.direction), 1)
            reached = value(found.direction, g, rows, weights)
            np.testing.assert_allclose(reached, found.slope, rtol=1e-9)
        if found.multipliers is not None:
            residual = g + (found.multipliers * weights) @ rows
            np.testing.assert_allclose(np.linalg.norm(residual), -found.slope, atol=1e-12)
            assert np.all((found.multipliers >= 0) & (found.multipliers <= 1))
    assert min(known.values()) >= 10


def test_with_independent_rows_a_negative_weight_always_has_a_descent():
    rng = np.random.default_rng(0)
    rows, weights = rng.normal(size=(3, 3)), np.array([1.0, -0.1, 1.0])
    for _ in range(10):
        found = least_slope(-(rng.random(3) * weights) @ rows, rows, weights)
        assert not found.nonnegative
        assert found.multipliers is None


def test_with_dependent_rows_a_negative_weight_may_have_no_descent():
    angles = 2 * np.pi * np.arange(3) / 3
    star = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rows, weights = np.vstack([star, [[0.0, 1.0]]]), np.array([1.0, 1.0, 1.0, -0.2])
    found = least_slope(np.zeros(2), rows, weights)
    assert found.nonnegative
    assert found.multipliers is None
    assert not least_slope(np.zeros(2), rows, weights * [1, 1, 1, 5]).nonnegative


def test_rows_on_one_line_add_up_and_may_cancel():
    rows = np.array([[1.0, 2.0], [-2.0, -4.0], [0.1, 0.2], [0.0, 0.0]])
    weights = np.array([3.0, 1.0, -50.0, -7.0])
    # c[t]₊ + c[−t]₊ = c|t|: 3 − 5 in one direction and 2 in the opposite one leave −2 t.
    found = least_slope(np.array([2.0, 4.0]), rows, weights)
    assert found.zero
    assert found.nonnegative
    assert not least_slope(np.array([2.0, 4.1]), rows, weights).nonnegative


def test_slopes_up_to_the_tolerance_are_0():
    g, none = np.array([3e-7, 4e-7]), np.zeros((0, 2))
    assert not least_slope(g, none, np.zeros(0)).nonnegative
    found = least_slope(g, none, np.zeros(0), tolerance=6e-7)
    assert found.nonnegative
    assert found.zero
    assert found.direction is None
    np.testing.assert_allclose(found.slope, -5e-7)


def test_many_rows_of_both_signs_are_tried_by_the_cells_of_the_negative_ones():
    rng = np.random.default_rng(1)
    g, rows, weights = rng.normal(size=2), rng.normal(size=(12, 2)), rng.normal(size=12)
    expected = least_in_the_plane(g, rows, weights)
    np.testing.assert_allclose(least_slope(g, rows, weights).slope, expected)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"g, rows and weights have shapes \(2,\), \(1, 3\)"):
        least_slope(np.zeros(2), np.zeros((1, 3)), np.zeros(1))
    with pytest.raises(ValueError, match="NaN or infinite"):
        least_slope(np.zeros(2), np.full((1, 2), np.nan), np.zeros(1))
