"""Genuine minima are minima of the objective, and none that is planted is missed."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.exact.rationals import least_squares, matrix, nearest, squares
from landscape_jax.theory.cells import (
    GenuineMinimum,
    NotGenuine,
    cell_combinations,
    cell_solutions,
    cells,
    face_bound,
    genuine_minima,
    genuine_minimum,
    landscape,
    sampled_cells,
)
from tests.theory.cells.landscapes import draw, survives

SAMPLES = np.eye(2)


def by_pattern(x):
    """The cells of section 4.2's figure: r₁ to r₄ by which of the two samples are active."""
    return {tuple(c.pattern.astype(int).tolist()): c for c in cells(x)}


def check(x, y, minimum, combination):
    """The network is strictly inside its cells, with the given margins, and critical."""
    w, z = np.asarray(minimum.network.W1), np.asarray(minimum.network.W2)[0]
    sizes = np.linalg.norm(x, axis=1)
    for row, cell in zip(w, combination, strict=True):
        np.testing.assert_array_equal(x @ row > 0, cell.pattern)
    heights = np.abs(w @ x.T)[:, sizes > 0] / sizes[sizes > 0]
    assert minimum.radius > 0
    np.testing.assert_allclose(np.min(heights), minimum.radius, rtol=1e-9)
    angles = heights / np.linalg.norm(w, axis=1)[:, None]
    np.testing.assert_allclose(np.min(angles), minimum.margin, rtol=1e-9)
    assert minimum.signs == tuple(np.sign(z).astype(int))
    assert minimum.gradient_norm <= 1e-9 * np.linalg.norm(x) * np.linalg.norm(y)
    loss = np.mean((np.maximum(x @ w.T, 0) @ z - y) ** 2)
    np.testing.assert_allclose(minimum.loss, loss, atol=1e-14)


def test_section_4_2_has_four_cells_of_losses_1_a_half_a_half_and_0():
    four = by_pattern(SAMPLES)
    order = [(0, 0), (0, 1), (1, 0), (1, 1)]
    patterns = np.array([four[p].pattern[:, None] for p in order])
    c = np.random.default_rng(0).normal(size=(4, 1, 2))
    found = cell_solutions(SAMPLES, np.array([1.0, 1.0]), patterns, c)
    np.testing.assert_allclose(found.loss, [1, 0.5, 0.5, 0], atol=1e-15)
    # A plateau, two lines and a point.
    assert found.rank.tolist() == [0, 1, 1, 2]
    expected = [c[0, 0], [c[1, 0, 0], 1], [1, c[2, 0, 1]], [1, 1]]
    np.testing.assert_allclose(found.R[:, 0], expected, atol=1e-15)
    for p, loss in zip(order, [1, 0.5, 0.5, 0], strict=True):
        minimum = genuine_minimum(SAMPLES, np.array([1.0, 1.0]), [four[p]])
        assert isinstance(minimum, GenuineMinimum)
        assert minimum.loss == pytest.approx(loss, abs=1e-15)
        assert minimum.unique == (p == (1, 1))
        assert minimum.signs == (1,)
        check(SAMPLES, np.array([1.0, 1.0]), minimum, [four[p]])


def test_section_4_2_with_the_other_label_has_no_minimum_in_r_4():
    four, y = by_pattern(SAMPLES), np.array([1.0, -1.0])
    outcome = genuine_minimum(SAMPLES, y, [four[1, 1]])
    assert isinstance(outcome, NotGenuine)
    assert not isinstance(outcome, GenuineMinimum)
    assert outcome.unique
    assert outcome.loss == 0
    solution = cell_solutions(SAMPLES, y, np.ones((1, 2, 1), bool))
    np.testing.assert_allclose(solution.R[0, 0], [1, -1], atol=1e-15)
    # With z free r₂ keeps its minima, now for z < 0.
    below = genuine_minimum(SAMPLES, y, [four[0, 1]])
    assert isinstance(below, GenuineMinimum)
    assert below.signs == (-1,)
    assert below.loss == pytest.approx(0.5, abs=1e-15)


def test_the_closed_inequality_of_11_lets_in_a_point_that_is_no_minimum():
    risk = lj.EmpiricalRisk(SAMPLES, np.array([1.0, 1.0]))
    at = lambda w2: float(risk(lj.TwoLayer(jnp.array([[1.0, w2]]), jnp.ones((1, 1)))))
    # w = (1, 0) has w·x₁ > 0 and w·x₂ ≤ 0, and is of the least squares in that cell.
    assert at(0.0) == at(-1e-6) == 0.5
    assert at(1e-6) < 0.5


@pytest.mark.parametrize("shape", [(7, 3, 1), (6, 2, 2), (4, 2, 2)])
def test_every_genuine_minimum_survives_perturbations(shape):
    n, d, width = shape
    x, y = draw(sum(shape), n, d)
    found = 0
    for combination in cell_combinations(list(cells(x)), width):
        minimum = genuine_minimum(x, y, combination)
        if isinstance(minimum, GenuineMinimum):
            check(x, y, minimum, combination)
            survives(x, y, minimum)
            found += 1
    assert found > 0
    assert width > 1 or found == len(list(genuine_minima(x, y, width)))


@pytest.mark.parametrize("shape", [(7, 2, 2), (4, 2, 3), (8, 3, 1)])
def test_a_planted_minimum_is_found_with_its_loss(shape):
    n, d, width = shape
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, d))
    every = list(cells(x))
    for trial in range(8):
        combination = [every[i] for i in rng.integers(len(every), size=width)]
        y, loss = planted(rng, x, combination, trial % 2)
        minimum = genuine_minimum(x, y, combination)
        assert isinstance(minimum, GenuineMinimum)
        assert minimum.loss == loss
        check(x, y.astype(float), minimum, combination)


def test_a_planted_minimum_of_more_samples_than_can_be_listed_is_found_in_sampled_cells():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(40, 6))
    assert face_bound(x) > 10**7
    with pytest.raises(ValueError, match="the samples may have 1335856 cells"):
        cells(x)
    combination = sampled_cells(x, 1000, key=jax.random.key(0)).cells[:3]
    y, loss = planted(rng, x, combination, 1)
    minimum = genuine_minimum(x, y, combination)
    assert isinstance(minimum, GenuineMinimum)
    assert minimum.loss == loss
    assert minimum.signs[2] == 0
    check(x, y.astype(float), minimum, combination)
    assert isinstance(genuine_minimum(x, rng.normal(size=40), combination), NotGenuine)


def planted(rng, x, combination, resting):
    """Labels, as fractions, and the loss of a minimum in the cells, some neurons having z = 0."""
    width = len(combination)
    w = np.array([c.witness for c in combination]) * rng.uniform(0.5, 2, (width, 1))
    z = rng.choice([-1.0, 1.0], width) * (np.arange(width) < width - resting)
    patterns = np.stack([c.pattern for c in combination], axis=1)
    A = matrix((patterns[:, :, None] * x[:, None, :]).reshape(len(x), -1))
    noise = matrix(rng.normal(size=(len(x), 1)))
    errors = noise - A * least_squares(A, noise)
    y = A * matrix((z[:, None] * w).reshape(-1, 1)) + errors
    labels = np.array([Fraction(int(t.p), int(t.q)) for t in y.entries()], dtype=object)
    return labels, nearest(squares(errors) / len(x))


def test_a_minimum_inside_by_less_than_rounding_is_found_and_one_on_the_boundary_is_not():
    both = by_pattern(SAMPLES)[1, 1]
    for depth in (1e-13, 1e-30):
        minimum = genuine_minimum(SAMPLES, np.array([1.0, depth]), [both])
        assert isinstance(minimum, GenuineMinimum)
        assert minimum.R.tolist() == matrix([[1.0, depth]]).tolist()
        assert minimum.margin == pytest.approx(depth)
        check(SAMPLES, np.array([1.0, depth]), minimum, [both])
    for depth in (0.0, -1e-13):
        outcome = genuine_minimum(SAMPLES, np.array([1.0, depth]), [both])
        assert isinstance(outcome, NotGenuine)
        assert (outcome.loss, outcome.unique) == (0, True)


@pytest.mark.parametrize("shape", [(6, 2, 2), (7, 3, 1)])
def test_one_combination_at_a_time_has_the_minima_of_the_whole_landscape(shape):
    n, d, width = shape
    x, y = draw(7, n, d)
    outcomes = [genuine_minimum(x, y, some) for some in cell_combinations(list(cells(x)), width)]
    found = [m for m in outcomes if isinstance(m, GenuineMinimum)]
    listed = list(genuine_minima(x, y, width))
    whole = landscape(x, y, width).differentiable_minima
    for some in (listed, found):
        assert [m.R for m in sorted(some, key=lambda m: m.loss)] == [m.R for m in whole]
    np.testing.assert_array_equal([m.radius for m in found], [m.radius for m in listed])


@pytest.mark.parametrize("shape", [(6, 2, 2), (5, 3, 2)])
def test_where_there_is_none_no_sampled_solution_is_inside(shape):
    n, d, width = shape
    x, y = draw(1, n, d)
    rng, refused = np.random.default_rng(2), 0
    for combination in list(cell_combinations(list(cells(x)), width))[::5]:
        outcome = genuine_minimum(x, y, combination)
        if isinstance(outcome, GenuineMinimum):
            continue
        patterns = np.stack([c.pattern for c in combination], axis=1)
        A = (patterns[:, :, None] * x[:, None, :]).reshape(n, -1)
        c = rng.normal(size=(2000, A.shape[1])) * 10 ** rng.uniform(-1, 1, (2000, 1))
        R = np.linalg.pinv(A) @ y + c - c @ (np.linalg.pinv(A) @ A)
        heights = np.where(patterns.T, 1, -1) * (R.reshape(-1, width, d) @ x.T)
        within = np.all(heights > 1e-6, axis=2) | np.all(heights < -1e-6, axis=2)
        assert not np.any(np.all(within, axis=1))
        free = A.shape[1] - np.linalg.matrix_rank(A)
        assert outcome.unique == (free == 0)
        start = "the unique R* is not inside" if not free else f"no point of the {free}-dimensional"
        assert outcome.reason.startswith(start)
        refused += 1
    assert refused > 5


def test_on_the_data_of_one_neuron_a_second_one_has_z_0():
    # Few digits, so that the labels are exactly outputs of the neuron.
    x, w = (128 * draw(3, 7, 2)[0]).round(), np.array([1.0, 0.25])
    y = np.maximum(x @ w, 0)
    every = list(cells(x))
    own = next(c for c in every if np.array_equal(c.pattern, x @ w > 0))
    kinds = set()
    for other in every:
        minimum = genuine_minimum(x, y, [own, other])
        assert isinstance(minimum, GenuineMinimum)
        assert minimum.loss == 0
        check(x, y, minimum, [own, other])
        kinds.add((minimum.unique, minimum.signs[1] == 0))
    # Criteria (11) and (12) refuse the unique ones: R₂ = 0 is on neither side of any sample.
    assert (True, True) in kinds
    assert (True, False) not in kinds


def test_labels_0_give_all_neurons_z_0_if_that_is_the_only_solution():
    x = draw(0, 5, 2)[0]
    on = next(c for c in cells(x) if c.pattern.sum() >= 2)
    minimum = genuine_minimum(x, np.zeros(5), [on])
    assert isinstance(minimum, GenuineMinimum)
    assert (minimum.loss, minimum.signs, minimum.unique) == (0, (0,), True)


def test_samples_that_are_0_bound_no_cell():
    x, y = np.array([[0.0, 0.0], [1.0, 0.0]]), np.array([3.0, 1.0])
    losses = sorted(m.loss for m in genuine_minima(x, y, 1))
    np.testing.assert_allclose(losses, [4.5, 5.0], rtol=1e-15)
    nothing = list(genuine_minima(np.zeros((2, 2)), y, 1))
    assert [(m.loss, m.margin) for m in nothing] == [(5.0, 1.0)]


def test_repeated_samples_with_other_labels_have_their_mean():
    x, y = np.array([[1.0], [1.0], [-1.0]]), np.array([1.0, 3.0, 0.0])
    found = {m.signs: m.loss for m in genuine_minima(x, y, 1)}
    assert found[(1,)] == pytest.approx(2 / 3)
    assert 0 in [s for signs in found for s in signs]


def test_shapes_and_entries_that_do_not_fit_are_refused():
    x, y = draw(0, 5, 2)
    some = next(cells(x))
    with pytest.raises(ValueError, match=r"y has shape \(4,\); give one label for each of the 5"):
        genuine_minimum(x, y[:4], [some])
    with pytest.raises(ValueError, match="combination has 0 cells"):
        genuine_minimum(x, y, [])
    with pytest.raises(ValueError, match=r"combination has 1 cells; give .* of these 5 samples"):
        genuine_minimum(x, y, [next(cells(x[:3]))])
    with pytest.raises(ValueError, match=r"combination\[1\] is no cell of x: no weight has its"):
        genuine_minimum([[1], [2]], [1, 2], [next(cells([[1], [2]])), next(cells([[1], [-2]]))])
    with pytest.raises(ValueError, match="y has NaN or infinite"):
        genuine_minimum(x, y * np.inf, [some])
    with pytest.raises(ValueError, match="there may be 55 combinations of 10 cells"):
        genuine_minima(x, y, 2, limit=54)
    with pytest.raises(ValueError, match="width is 0"):
        genuine_minima(x, y, 0)
    with jax.enable_x64(False), pytest.raises(ValueError, match="needs float64"):
        genuine_minimum(x, y, [some])


def test_unique_is_of_the_weights_themselves_where_inputs_depend_on_each_other():
    x = np.array([[1, 0, 0], [0, 1, 0]])
    both = by_pattern(x)[1, 1]
    minimum = genuine_minimum(x, [1, 1], [both])
    assert isinstance(minimum, GenuineMinimum)
    assert not minimum.unique
    outcome = genuine_minimum(x, [1, -1], [both])
    assert isinstance(outcome, NotGenuine)
    assert not outcome.unique
    assert outcome.reason.startswith("no R* is inside the cells: neither R_1 nor -R_1")


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(7, 3, 1), (7, 2, 2), (4, 2, 3)])
def test_more_genuine_minima_survive_perturbations(shape):
    n, d, width = shape
    for seed in range(10 if width == 1 else 2):
        x, y = draw(100 + seed, n, d)
        for combination in cell_combinations(list(cells(x)), width):
            minimum = genuine_minimum(x, y, combination)
            if isinstance(minimum, GenuineMinimum):
                check(x, y, minimum, combination)
                survives(x, y, minimum)
