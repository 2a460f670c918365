"""Sampled cells have the frequency of their solid angle; sampled combinations are distinct."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.theory.cells import cells
from landscape_jax.theory.cells.sampling import sampled_cells, sampled_combinations


def test_all_wide_cells_are_drawn_as_often_as_their_solid_angle():
    angles = np.array([0.0, 0.3, 1.0, 2.5])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    found = sampled_cells(x, 20_000, key=jax.random.key(0))
    listed = {cell.pattern.tobytes(): cell for cell in cells(x)}
    assert {cell.pattern.tobytes() for cell in found.cells} == set(listed)
    assert found.met.sum() == found.drawn == 20_000
    assert np.all(np.diff(found.met) <= 0)
    for cell, share in zip(found.cells, found.share, strict=True):
        # In the plane a cell is an angle, and its margin the sine of half of it.
        width = np.arcsin(listed[cell.pattern.tobytes()].margin) / np.pi
        assert abs(share - width) <= 4 * np.sqrt(width / 20_000)
        assert 0.9 * listed[cell.pattern.tobytes()].margin < cell.margin
        assert cell.margin <= listed[cell.pattern.tobytes()].margin


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_witnesses_are_in_their_cells_at_their_margin(dtype):
    x = np.random.default_rng(1).normal(size=(30, 4)).astype(dtype)
    x[3] = 0
    found = sampled_cells(x, 500, key=jax.random.key(1))
    sizes = np.linalg.norm(x.astype(float), axis=1)
    for cell in found.cells:
        heights = x.astype(float) @ cell.witness
        np.testing.assert_array_equal(cell.pattern, heights > 0)
        np.testing.assert_allclose(np.linalg.norm(cell.witness), 1)
        assert np.min(np.abs(heights[sizes > 0]) / sizes[sizes > 0]) >= cell.margin > 0
        assert not cell.pattern[3]
    assert found.unseen == np.mean(found.met == 1) * len(found.met) / found.drawn
    assert found.unseen > 0.05


def test_weights_on_a_hyperplane_to_rounding_are_dropped():
    x = np.array([[1.0, 0.0], [1.0, 1e-17]])
    found = sampled_cells(x, 100, key=jax.random.key(2))
    assert found.drawn == 100
    assert len(found.cells) == 2
    with jax.enable_x64(False):
        near = sampled_cells(np.eye(2, dtype=np.float32), 100, key=jax.random.key(2))
    assert len(near.cells) == 4


@pytest.mark.slow
def test_combinations_are_distinct_and_follow_their_shares():
    x = np.random.default_rng(3).normal(size=(5, 2))
    listed = list(cells(x))
    found = sampled_combinations(listed, 3, 500, key=jax.random.key(3))
    assert np.all(np.diff(found.chosen, axis=1) >= 0)
    assert len(np.unique(found.chosen, axis=0)) == len(found.chosen)
    assert found.patterns.shape == (len(found.chosen), 5, 3)
    for row, pattern in zip(found.chosen[:20], found.patterns, strict=False):
        expected = np.stack([listed[i].pattern for i in row], axis=1)
        np.testing.assert_array_equal(pattern, expected)
    shares = np.zeros(len(listed))
    shares[[1, 4]] = 2.0
    two = sampled_combinations(listed, 2, 100, key=jax.random.key(4), shares=shares)
    assert two.chosen.tolist() == [[1, 1], [1, 4], [4, 4]]


def test_what_does_not_fit_is_refused():
    key = jax.random.key(0)
    four = list(cells(np.eye(2)))
    with pytest.raises(ValueError, match="count is 0"):
        sampled_cells(np.eye(2), 0, key=key)
    with pytest.raises(ValueError, match="at least one sample"):
        sampled_cells(jnp.zeros((0, 2)), 5, key=key)
    with pytest.raises(ValueError, match="NaN or infinite"):
        sampled_cells(np.array([[np.nan]]), 5, key=key)
    with pytest.raises(ValueError, match="width is 0"):
        sampled_combinations(four, 0, 5, key=key)
    with pytest.raises(ValueError, match="0 cells"):
        sampled_combinations([], 1, 5, key=key)
    with pytest.raises(ValueError, match="shares, 4 for 4 cells"):
        sampled_combinations(four, 1, 5, key=key, shares=np.zeros(4))
