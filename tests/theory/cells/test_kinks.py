"""Minima on kinks are minima, all are found, and theorem 3 holds in its case."""

import numpy as np
import pytest

from landscape_jax.theory.cells import genuine_minima, nondifferentiable_minima
from tests.theory.cells.landscapes import DEGENERATE, SHAPES, all_survive, draw, parts, survives


def check(x, y, minimum):
    """The kinks, the multipliers and the slopes are those of the witness, computed afresh."""
    w, z = parts(minimum.network)
    lengths = np.linalg.norm(x, axis=1)
    e = np.maximum(x @ w.T, 0) @ z - y
    size = float(np.linalg.norm(x) * (np.linalg.norm(y) + 1))
    assert not minimum.differentiable
    assert minimum.signs == tuple(np.sign(z).astype(int))
    directions = np.random.default_rng(0).normal(size=(200, x.shape[1]))
    largest = []
    for j, on in enumerate(minimum.kinks):
        on = list(on)
        heights = x @ w[j]
        np.testing.assert_allclose(heights[on], 0, atol=1e-12 * max(1, lengths.max()))
        beside = (lengths > 0) & ~np.isin(np.arange(len(x)), on)
        assert np.all(np.abs(heights[beside]) >= minimum.radius * lengths[beside] * (1 - 1e-9))
        g = (e * (heights > 0) * beside) @ x
        kinks = np.maximum(x[on] @ directions.T, 0)
        slopes = directions @ g + e[on] @ kinks
        assert np.min(z[j] * slopes) >= -1e-9 * size
        if z[j] == 0:
            np.testing.assert_allclose(slopes, 0, atol=1e-9 * size)
        largest.append(np.abs(e[on]).max(initial=0) if z[j] else 0)
        if minimum.multipliers[j]:
            shares = np.array([minimum.multipliers[j][i] for i in on])
            assert np.all((shares >= 0) & (shares <= 1))
            assert np.all(np.sign(z[j]) * e[on] >= -1e-12 * size)
            np.testing.assert_allclose(g + (shares * e[on]) @ x[on], 0, atol=1e-10 * size)
            assert not minimum.sharp or np.all((shares > 0) & (shares < 1))
    # Some neuron is on the hyperplane of a sample with error ≠ 0: the loss is not differentiable.
    assert max(largest) > 1e-6 * np.linalg.norm(y) / len(y)


def angles(x, points=20_001):
    """A fine grid of directions in the plane, with all kinks on it."""
    kinks = np.arctan2(x[:, 1], x[:, 0])
    every = np.concatenate([np.linspace(-np.pi, np.pi, points)[:-1], kinks + 0.5 * np.pi, kinks])
    return np.unique(np.mod(np.concatenate([every, kinks - 0.5 * np.pi]) + np.pi, 2 * np.pi))


def strict_minima_on_the_circle(x, y, sign):
    """The local minima over directions of the least loss over lengths, by a grid.

    u = ru′, r > 0, is a strict local minimum of L if and only if u′ is one of min_{r ≥ 0} L(ru′).
    """
    t = angles(x) - np.pi
    q = sign * np.maximum(np.outer(np.cos(t), x[:, 0]) + np.outer(np.sin(t), x[:, 1]), 0)
    squares = np.sum(q**2, axis=1)
    r = np.maximum(q @ y / np.where(squares > 0, squares, 1), 0)
    loss = np.mean((r[:, None] * q - y) ** 2, axis=1)
    least = (loss < np.roll(loss, 1)) & (loss < np.roll(loss, -1)) & (r > 0)
    return np.sort(loss[least])


def circle_agrees(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 8))
    x, y = rng.normal(size=(n, 2)), rng.normal(size=n)
    bent = [m for m in nondifferentiable_minima(x, y, 1) if m.sharp and len(m.kinks[0]) == 1]
    smooth = [m for m in genuine_minima(x, y, 1) if m.unique and m.signs[0]]
    for sign in (1, -1):
        listed = sorted(m.loss for m in [*bent, *smooth] if m.signs[0] == sign)
        expected = strict_minima_on_the_circle(x, y, sign)
        # The grid's step of 3e-4 leaves an error of its square.
        np.testing.assert_allclose(listed, expected, atol=1e-4, rtol=0)
    return len(bent)


def test_one_neuron_in_the_plane_has_the_strict_minima_that_a_fine_grid_finds():
    assert sum(circle_agrees(seed) for seed in range(3, 5)) > 0


def test_every_minimum_on_kinks_survives_perturbations():
    x, y = draw(0, 7, 3)
    found = list(nondifferentiable_minima(x, y, 1))
    assert any(m.sharp for m in found)
    signs = {(m.kinks, tuple((m.network.W1 @ x.T > 1e-9)[0].tolist())) for m in found}
    assert len(signs) == len(found)
    for minimum in found:
        check(x, y, minimum)
    all_survive(x, y, found)


@pytest.mark.slow
def test_minima_on_kinks_survive_adversarial_perturbations():
    x, y = draw(0, 7, 2)
    for minimum in nondifferentiable_minima(x, y, 2):
        survives(x, y, minimum)


@pytest.mark.parametrize("name", DEGENERATE)
def test_minima_on_kinks_of_degenerate_data_fulfil_the_conditions(name):
    x, y = (np.array(a, float) for a in DEGENERATE[name])
    for minimum in nondifferentiable_minima(x, y, 1):
        check(x, y, minimum)


def linear_system(x, y, w, m, n):
    """D and d of LIU, (17), as printed, for neuron m on the hyperplane of sample n."""
    width, d = w.shape
    # I is 1 in cell 2, the positive side; the terms with i = n are left out where they differ.
    on = (x @ w.T > 1e-12).astype(float)
    on[n, m] = 0
    D, right = np.zeros(((width + 1) * d, width * d)), np.zeros((width + 1) * d)
    lifted = (x @ x[n])[:, None] * x[n] - (x[n] @ x[n]) * x
    for j in range(width):
        left = lifted if j == m else x
        rows = slice(j * d, (j + 1) * d)
        for k in range(width):
            D[rows, k * d : (k + 1) * d] = (on[:, j] * on[:, k] * left.T) @ x
        right[rows] = (on[:, j] * left.T) @ y
    D[width * d, m * d : (m + 1) * d] = x[n]
    return D, right, on


@pytest.mark.slow
def test_sharp_minima_of_one_kink_are_those_of_theorem_3():
    seen, misprinted = 0, 0
    for seed, n, d, width in [(0, 7, 3, 1), (0, 7, 2, 2), (18, 7, 2, 2)]:
        x, y = draw(seed, n, d)
        for minimum in nondifferentiable_minima(x, y, width):
            held = [(m, on[0]) for m, on in enumerate(minimum.kinks) if on]
            if sum(map(len, minimum.kinks)) > 1 or not minimum.sharp or 0 in minimum.signs:
                continue
            (m, s), (w, z) = held[0], parts(minimum.network)
            D, right, on = linear_system(x, y, w, m, s)
            R = (z[:, None] * w).ravel()
            np.testing.assert_allclose(D @ R, right, atol=1e-9)
            e = np.sum(on * (x @ (z[:, None] * w).T), axis=1) - y
            below = z[m] * np.sum(e * on[:, m] * (x @ x[s]))
            assert below < 0
            assert below + z[m] * e[s] * (x[s] @ x[s]) > 0
            # So (D.5); (19) takes yₛ away once for each neuron, and refuses some.
            misprinted += below + z[m] * (e[s] - (width - 1) * y[s]) * (x[s] @ x[s]) <= 0
            seen += 1
    assert seen > 5
    assert misprinted > 0


def test_a_minimum_whose_gradient_is_0_on_one_side_is_not_of_lemma_2():
    (minimum,) = nondifferentiable_minima([[1]], [-1], 1)
    assert (minimum.loss, minimum.signs, minimum.sharp) == (1, (1,), False)
    assert minimum.multipliers == ({0: 0.0},)
    at = lambda w: (1 + float(minimum.network.W2[0, 0]) * max(w, 0)) ** 2
    assert at(-0.1) == at(0.0) == 1 < at(1e-3)


def test_kink_points_where_the_loss_is_differentiable_are_not_listed():
    # One neuron fits all, with the first two samples on its hyperplane and no error.
    assert all(
        m.loss > 0.1 for m in nondifferentiable_minima([[0, 1], [0, -1], [1, 0]], [0, 0, 1], 1)
    )


def test_too_many_combinations_are_refused_with_their_number():
    x, y = draw(0, 6, 2)
    with pytest.raises(ValueError, match="may be 325 combinations of 25 faces, more than"):
        nondifferentiable_minima(x, y, 2, limit=324)
    with pytest.raises(ValueError, match="width is 0; it must be at least 1"):
        nondifferentiable_minima(x, y, 0)


def test_unusable_data_are_refused():
    x, y = draw(0, 4, 2)
    with pytest.raises(ValueError, match=r"y has shape \(3,\); give one label for each of the 4"):
        nondifferentiable_minima(x, y[:3], 1)
    with pytest.raises(ValueError, match="x has NaN or infinite"):
        nondifferentiable_minima(x * np.nan, y, 1)
    with pytest.raises(ValueError, match="x has shape"):
        nondifferentiable_minima(x[:0], y[:0], 1)


@pytest.mark.slow
def test_more_neurons_in_the_plane_have_the_strict_minima_of_a_fine_grid():
    assert sum(circle_agrees(seed) for seed in range(5, 16)) > 4


@pytest.mark.slow
@pytest.mark.parametrize("name", DEGENERATE)
def test_minima_on_kinks_of_degenerate_data_survive_perturbations(name):
    x, y = (np.array(a, float) for a in DEGENERATE[name])
    found = list(nondifferentiable_minima(x, y, 2))
    for minimum in found:
        check(x, y, minimum)
    all_survive(x, y, found)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_more_minima_on_kinks_survive_perturbations(shape):
    n, d, width = shape
    x, y = draw(1, n, d)
    found = list(nondifferentiable_minima(x, y, width))
    for minimum in found:
        check(x, y, minimum)
    all_survive(x, y, found)
