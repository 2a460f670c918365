"""Descents end at exact local minima, kinks included, or at points reported as saddles."""

import itertools

import jax
import numpy as np
import pytest

from landscape_jax.theory.cells import cells
from landscape_jax.theory.cells.closed import ClosedCells
from landscape_jax.theory.cells.exact_descents import descend_exactly


def problem(seed, shape, starts, whole=False):
    rng = np.random.default_rng(seed)
    n, d, width = shape
    if whole:
        x, y = rng.integers(-2, 3, (n, d)).astype(float), rng.integers(-2, 3, n).astype(float)
    else:
        x, y = rng.normal(size=(n, d)), rng.normal(size=n)
    return x, y, rng.normal(size=(starts, width)), rng.normal(size=(starts, width, d))


def loss(x, y, z, w):
    outputs = np.einsum("...j,...jn->...n", z, np.maximum(w @ x.T, 0))
    return np.mean((outputs - y) ** 2, axis=-1)


def least_in_closed_cells(x, y, signs, sides):
    """The least loss over closed cells, from the least squares on all of their faces."""
    A = np.hstack([s * (side > 0)[:, None] * x for s, side in zip(signs, sides, strict=True)])
    G = np.vstack(
        [np.kron(np.eye(len(signs))[j], side[:, None] * x) for j, side in enumerate(sides)]
    )
    best = np.mean(y**2)
    for tight in range(A.shape[1]):
        for chosen in itertools.combinations(range(len(G)), tight):
            _, s, Vt = np.linalg.svd(G[list(chosen)])
            V = Vt[int(np.sum(s > 1e-9)) :].T
            u = V @ np.linalg.lstsq(A @ V, y)[0]
            if np.all(G @ u >= -1e-9):
                best = min(best, np.mean((A @ u - y) ** 2))
    return best


def closed_cells_around(x, u):
    """Sign patterns of all cells whose closure contains u."""
    heights = x @ u
    for cell in cells(x):
        sides = np.where(cell.pattern, 1.0, -1.0)
        if np.all(sides * heights >= -1e-8 * max(1, np.linalg.norm(u))):
            yield sides


@pytest.mark.parametrize(
    ("shape", "starts"),
    [((5, 2, 1), 40), pytest.param((5, 3, 1), 60, marks=pytest.mark.slow),
     pytest.param((4, 2, 2), 40, marks=pytest.mark.slow)],
)  # fmt: skip
def test_each_end_is_lowest_in_all_closed_cells_around_it(shape, starts):
    x, y, z, w = problem(3, shape, starts)
    ends = descend_exactly(x, y, z, w)
    assert ends.counts == {"minimum": starts, "saddle": 0, "unfinished": 0}
    kinks, tried = 0, set()
    for at_z, at_w, value in zip(ends.z, ends.w, ends.value, strict=True):
        u = np.abs(at_z)[:, None] * at_w
        kinks += bool(np.any(np.abs(u @ x.T) < 1e-12))
        around = [list(closed_cells_around(x, row)) for row in u]
        for sides in itertools.product(*around):
            signs = np.sign(at_z)
            key = (tuple(signs), np.array(sides).tobytes(), round(float(value), 10))
            if key not in tried:
                tried.add(key)
                least = least_in_closed_cells(x, y, signs, sides)
                np.testing.assert_allclose(value, least, atol=1e-12)
    assert kinks >= 3


@pytest.mark.parametrize("whole", [True, False])
def test_nothing_near_an_end_is_lower(whole):
    x, y, z, w = problem(4, (6, 2, 2), 30, whole)
    ends = descend_exactly(x, y, z, w)
    assert ends.counts["minimum"] == 30
    np.testing.assert_allclose(ends.value, loss(x, y, ends.z, ends.w))
    assert np.all(ends.slope >= -1e-9 * np.linalg.norm(x) * np.linalg.norm(y))
    rng = np.random.default_rng(0)
    shape = (300, *ends.w.shape)
    size = 10.0 ** -rng.uniform(2, 6, (300, len(z), 1))
    near_z = ends.z + size * rng.normal(size=shape[:-1])
    near_w = ends.w + size[..., None] * rng.normal(size=shape)
    assert np.min(loss(x, y, near_z, near_w) - ends.value) > -1e-14


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(7, 3, 1), (7, 2, 2), (6, 2, 3), (4, 2, 3), (5, 3, 2)])
def test_all_starts_of_a_small_problem_end(shape):
    x, y, z, w = problem(0, shape, 200)
    x[:, -1] = 1
    ends = descend_exactly(x, y, z, w)
    assert ends.counts == {"minimum": 200, "saddle": 0, "unfinished": 0}
    assert np.all(ends.value <= loss(x, y, z, w) + 1e-14)
    assert len(np.unique(np.round(ends.value, 9))) < 100


def test_a_descent_without_the_first_part_ends_too_and_starts_are_independent():
    x, y, z, w = problem(5, (6, 2, 2), 30)
    ends = descend_exactly(x, y, z, w, max_steps=0)
    assert ends.counts["minimum"] == 30
    assert np.max(ends.hops) > 0
    for i in range(5):
        alone = descend_exactly(x, y, z[i : i + 1], w[i : i + 1], max_steps=0)
        np.testing.assert_allclose(alone.value, ends.value[i], atol=1e-13)


def test_a_neuron_with_z_0_gets_a_sign_or_stays_at_a_minimum_or_at_a_saddle():
    x, y = np.eye(2), np.array([1.0, -1.0])
    w = np.array([[[1.0, 0.5]], [[1.0, 1.0]], [[-1.0, -1.0]], [[-1.0, 0.0]], [[0.0, 0.0]]])
    ends = descend_exactly(x, y, np.zeros((5, 1)), w)
    assert ends.status == ("minimum", "saddle", "minimum", "saddle", "saddle")
    np.testing.assert_allclose(ends.value, [0.5, 1, 1, 1, 1])
    np.testing.assert_allclose(ends.slope, [0, -np.sqrt(2), 0, -1, -1], atol=1e-15)
    np.testing.assert_array_equal(ends.w[1:], w[1:])
    np.testing.assert_array_equal(ends.z[1:], 0)


def test_a_neuron_without_weights_may_be_a_minimum_for_its_sign():
    x, y = np.eye(2), np.array([-1.0, -2.0])
    ends = descend_exactly(x, y, np.array([[1.0], [-1.0]]), np.zeros((2, 1, 2)))
    assert ends.status == ("minimum", "minimum")
    np.testing.assert_allclose(ends.value, [2.5, 0], atol=1e-15)
    assert ends.z[0].tolist() == [1.0]
    assert not ends.w[0].any()


@pytest.mark.parametrize("y", [np.zeros(3), np.array([1.0, -1.0, 2.0])])
@pytest.mark.parametrize(
    "x",
    [
        np.zeros((3, 2)),
        np.ones((3, 1)),
        np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]]),
        np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]),
    ],
)
def test_degenerate_samples_end_too(x, y):
    rng = np.random.default_rng(1)
    z, w = rng.normal(size=(5, 2)), rng.normal(size=(5, 2, x.shape[1]))
    ends = descend_exactly(x, y, z, w, max_steps=0 if x.any() else 100)
    assert ends.counts["minimum"] == 5
    np.testing.assert_allclose(ends.value, loss(x, y, ends.z, ends.w), atol=1e-15)


def test_a_start_that_becomes_infinite_spoils_no_other():
    x, y, z, w = problem(6, (5, 2, 1), 2)
    w[0] = 1e200
    z[0] = -1e200
    ends = descend_exactly(x, y, z, w)
    assert ends.status == ("unfinished", "minimum")


def test_the_rays_of_a_cell_span_it():
    x = np.random.default_rng(7).normal(size=(6, 3))
    closed = ClosedCells(x)
    for cell in cells(x):
        rays = closed.rays(np.where(cell.pattern, 1.0, -1.0))
        inside = np.random.default_rng(0).dirichlet(np.ones(len(rays)), size=20) @ rays
        assert np.all((inside @ x.T > 0) == cell.pattern)
        assert np.all(np.sum(np.abs(rays @ x.T) < 1e-12, axis=1) == 2)


def test_what_does_not_fit_is_refused():
    x, y, z, w = problem(0, (4, 2, 1), 3)
    with pytest.raises(ValueError, match=r"x, y, z and w have shapes \(4, 2\), \(4,\), \(3, 1\)"):
        descend_exactly(x, y, z, w[:2])
    with pytest.raises(ValueError, match="at least one start"):
        descend_exactly(x, y, z[:0], w[:0])
    with pytest.raises(ValueError, match="NaN or infinite"):
        descend_exactly(x, y * np.nan, z, w)
    with pytest.raises(ValueError, match="max_steps is -1"):
        descend_exactly(x, y, z, w, max_steps=-1)
    with jax.enable_x64(False), pytest.raises(ValueError, match="needs float64"):
        descend_exactly(x, y, z, w)
    with pytest.raises(ValueError, match="too many rays"):
        ClosedCells(np.random.default_rng(0).normal(size=(100, 5)))
