"""Saddles are stationary, with a descent and an ascent as reported, and none is missed."""

import itertools
import math

import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.optimize import linprog

import landscape_jax as lj
from landscape_jax.theory.cells import cells, saddles
from tests.theory.cells.landscapes import DEGENERATE, SHAPES, draw, parts, rounding


def check(x, y, saddle):
    """The loss falls and rises along descent and ascent, with the reported curvature."""
    risk = lj.EmpiricalRisk(x, y)
    w, z = parts(saddle.network)
    assert all(z[j] == 0 for j in saddle.moving)
    assert saddle.signs == tuple(np.sign(z).astype(int))
    off = rounding(x, saddle.network)
    off *= 2 * saddle.loss**0.5 + off
    assert saddle.descent.value < saddle.loss - off
    assert saddle.ascent.value > saddle.loss + off
    assert saddle.descent.curvature < 0 < saddle.ascent.curvature
    e = np.maximum(x @ w.T, 0) @ z - y
    np.testing.assert_allclose(saddle.loss, np.mean(e**2), atol=1e-13)
    flat, unravel = ravel_pytree(saddle.network)
    for way in (saddle.descent, saddle.ascent):
        v = ravel_pytree(way.direction)[0]
        np.testing.assert_allclose(np.linalg.norm(v), 1, rtol=1e-12)
        assert way.slope == 0
        assert 0 < way.step <= max(saddle.radius, 1)
        # Three equal steps leave the curvature and an error of the order of the step.
        t = 1e-4 * min(saddle.radius, 1)
        change = float(risk(unravel(flat + t * v))) - float(risk(unravel(flat)))
        slack = 1e-3 * (abs(way.curvature) + 1) + 4 * off / t**2
        np.testing.assert_allclose(change / t**2, way.curvature, atol=slack)


def check_inside(x, y, saddle):
    """In cells the gradient is 0."""
    assert not any(saddle.kinks)
    w, z = parts(saddle.network)
    lengths = np.linalg.norm(x, axis=1)
    assert np.min(np.abs(w @ x[lengths > 0].T) / lengths[lengths > 0]) >= 0.999 * saddle.radius > 0
    heights = np.maximum(x @ w.T, 0)
    e = heights @ z - y
    size = float(np.linalg.norm(x) * np.linalg.norm(y))
    np.testing.assert_allclose(e @ heights, 0, atol=1e-10 * size)
    gradients = ((e[:, None] * (heights > 0)).T @ x) * z[:, None]
    np.testing.assert_allclose(gradients, 0, atol=1e-10 * size)
    # The gradient in the R_j of the moving neurons is not 0.
    slopes = (e[:, None] * (heights > 0)).T @ x
    assert all(np.linalg.norm(slopes[j]) > 1e-9 * size for j in saddle.moving)


def test_the_example_of_section_4_2_has_a_saddle_where_the_labels_differ():
    assert list(saddles([[1, 0], [0, 1]], [1, 1], 1)) == []
    (saddle,) = saddles([[1, 0], [0, 1]], [1, -1], 1)
    w, _ = parts(saddle.network)
    # ∂L/∂R = (−1, 1) up to the factor 2/N, so w is on the diagonal.
    np.testing.assert_allclose(w[0, 0], w[0, 1], rtol=1e-15)
    assert (saddle.loss, saddle.signs, saddle.moving, saddle.kinks) == (1, (0,), (0,), ((),))
    check(np.eye(2), np.array([1.0, -1.0]), saddle)
    check_inside(np.eye(2), np.array([1.0, -1.0]), saddle)


def test_one_neuron_with_z_0_is_a_saddle_in_every_cell_perpendicular_to_its_gradient_somewhere():
    x, y = draw(0, 7, 3)
    expected = set()
    for cell in cells(x):
        g = -(y * cell.pattern) @ x
        rows = np.where(cell.pattern, 1, -1)[:, None] * x
        # The largest height of a w with g·w = 0 in the cell.
        table = np.hstack([-rows, np.ones((len(x), 1))])
        best = linprog(
            [0, 0, 0, -1], table, np.zeros(7), [[*g, 0]], [0], bounds=[*[(-1, 1)] * 3, (0, 1)]
        )
        if -best.fun > 1e-7:
            expected.add(tuple(cell.pattern.tolist()))
    found = list(saddles(x, y, 1))
    assert {tuple((x @ parts(s.network)[0][0] > 0).tolist()) for s in found} == expected
    assert len(found) == len(expected) > 3
    for saddle in found:
        check_inside(x, y, saddle)


@pytest.mark.slow
def test_saddles_on_kinks_have_their_curvature_on_one_side():
    x, y = draw(0, 7, 2)
    found = list(saddles(x, y, 2, kinks=True))
    assert all(any(s.kinks) for s in found)
    # Neurons with z ≠ 0 and moving ones are on kinks in some.
    assert any(s.kinks[j] for s in found for j in s.moving)
    assert any(on and sign for s in found for on, sign in zip(s.kinks, s.signs, strict=True))
    for saddle in found[::3]:
        check(x, y, saddle)


@pytest.mark.slow
def test_several_moving_neurons_are_all_combinations_of_the_saddle_weights():
    x, y = draw(2, 5, 2)
    alone = len(list(saddles(x, y, 1)))
    pairs = [s for s in saddles(x, y, 2) if s.moving == (0, 1)]
    assert len(pairs) == math.comb(alone + 1, 2) > 0
    rows = {tuple(sorted(map(tuple, np.round(s.network.W1, 9).tolist()))) for s in pairs}
    assert len(rows) == len(pairs)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "zero rows" else pytest.param(name, marks=pytest.mark.slow)
        for name in DEGENERATE
    ],
)
def test_saddles_of_degenerate_data_are_saddles(name):
    x, y = (np.array(a, float) for a in DEGENERATE[name])
    for kinks in (False, True):
        for saddle in itertools.islice(saddles(x, y, 1, kinks=kinks), 4):
            check(x, y, saddle)


def test_labels_0_and_dead_neurons_make_no_saddle():
    assert list(saddles([[1, 0], [0, 1]], [0, 0], 2, kinks=True)) == []
    # Its only cell where the sample is active has a gradient along w itself.
    assert list(saddles([[1]], [1], 1)) == []


def test_a_gradient_across_a_cell_is_refused_where_theorem_2_promises_a_saddle():
    # With labels of one sign g·w < 0 wherever a sample is active: no w has g·w = 0.
    x, y = np.abs(draw(0, 5, 2)[0]), np.ones(5)
    assert [s for s in saddles(x, y, 1) if s.margin > 0] == []
    for cell in cells(x):
        slope = -y @ np.maximum(x @ cell.witness, 0)
        assert (slope < -1e-3) == cell.pattern.any()


def test_too_many_combinations_are_refused_with_their_number():
    x, y = draw(0, 6, 2)
    with pytest.raises(ValueError, match="may be 78 combinations of 12 cells, more than the limit"):
        saddles(x, y, 2, limit=77)
    with pytest.raises(ValueError, match="may be 325 combinations of 25 faces"):
        saddles(x, y, 2, kinks=True, limit=324)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_saddles_of_random_data_are_saddles(shape):
    n, d, width = shape
    x, y = draw(1, n, d)
    for saddle in itertools.islice(saddles(x, y, width), 20):
        check_inside(x, y, saddle)
        check(x, y, saddle)
