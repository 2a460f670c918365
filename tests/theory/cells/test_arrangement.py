"""All cells of a data set are found, none twice, none empty, and counted beforehand."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

from landscape_jax.theory.cells import (
    cell_bound,
    cell_combinations,
    cells,
    combination_count,
)

DEGENERATE = {
    "duplicates": [[1, 2], [1, 2], [0, 1], [2, 4], [-1, 1]],
    "opposite": [[1, 2, 0], [-1, -2, 0], [0, 1, 1], [0, -3, -3], [1, 1, 1]],
    "zero rows": [[0, 0], [1, 0], [0, 0], [1, 1]],
    "only zero rows": [[0, 0, 0], [0, 0, 0]],
    "collinear with a bias": [[0, 0, 1], [1, 1, 1], [2, 2, 1], [3, 3, 1], [1, 0, 1], [0, 1, 1]],
    "a grid with a bias": [[a, b, 1] for a in range(3) for b in range(2)],
    "in a plane": [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0], [2, 1, 0]],
    "one input": [[1], [2], [-1], [0]],
    "the cube's normals": list(itertools.product([0, 1], repeat=3)),
}


def brute_force(x):
    """Every sign vector of the rows that is strictly feasible, by a linear program each."""
    x = np.array(x, float)
    at = np.flatnonzero(np.any(x != 0, axis=1))
    found = set()
    for signs in itertools.product([-1, 1], repeat=len(at)):
        rows = np.array(signs)[:, None] * x[at]
        table = np.hstack([-rows, np.ones((len(at), 1))])
        bounds = [*[(-1, 1)] * x.shape[1], (0, 1)]
        best = linprog(np.append(np.zeros(x.shape[1]), -1), table, np.zeros(len(at)), bounds=bounds)
        if -best.fun > 1e-6:
            pattern = np.zeros(len(x), bool)
            pattern[at] = np.array(signs) > 0
            found.add(tuple(pattern.tolist()))
    return found


def check(x, found):
    """Each pattern occurs once and is that of its witness, at the margin from the boundary."""
    x = np.array(x, float)
    assert len({tuple(c.pattern.tolist()) for c in found}) == len(found)
    sizes = np.linalg.norm(x, axis=1)
    for cell in found:
        np.testing.assert_array_equal(x @ cell.witness > 0, cell.pattern)
        np.testing.assert_allclose(np.linalg.norm(cell.witness), 1, rtol=1e-14)
        heights = np.abs(x @ cell.witness)[sizes > 0] / sizes[sizes > 0]
        assert cell.margin > 0
        np.testing.assert_allclose(np.min(heights, initial=1), cell.margin, rtol=1e-9)


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_samples_in_general_position_have_covers_number_of_cells(d):
    rng = np.random.default_rng(d)
    for n in (1, 2, 3, 5, 9, 14):
        x = rng.normal(size=(n, d))
        # On a line all samples are parallel: there the formula has M = 1 for N.
        expected = 2 * sum(math.comb(n - 1, i) for i in range(d)) if d > 1 else 2
        found = list(cells(x))
        assert len(found) == cell_bound(x) == expected
        check(x, found)


def test_samples_with_a_bias_are_in_general_position():
    x = np.column_stack([np.random.default_rng(0).normal(size=(12, 2)), np.ones(12)])
    found = list(cells(x))
    assert len(found) == 2 * (1 + 11 + math.comb(11, 2))
    check(x, found)


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_samples_have_the_cells_that_brute_force_finds(name):
    x = DEGENERATE[name]
    found = list(cells(np.array(x)))
    assert {tuple(c.pattern.tolist()) for c in found} == brute_force(x)
    assert len(found) <= cell_bound(np.array(x))
    check(x, found)


def test_random_small_whole_numbers_have_the_cells_that_brute_force_finds():
    rng = np.random.default_rng(1)
    for _ in range(4):
        x = rng.integers(-1, 2, size=(6, 3))
        found = list(cells(x))
        assert {tuple(c.pattern.tolist()) for c in found} == brute_force(x)
        check(x, found)


def test_decimals_that_are_collinear_as_written_have_fewer_cells():
    # (0.1, 0.3), (0.2, 0.6) and (0.3, 0.9) are on one line as they are written, not as floats.
    tenths = [[Fraction(k, 10), Fraction(3 * k, 10), 1] for k in (1, 2, 3)]
    written = np.array(tenths, dtype=object)
    assert len(list(cells(written))) == 6
    with pytest.raises(ValueError, match="give decimals as they are written"):
        list(cells(written.astype(float)))


def test_the_deepest_witness_of_a_quadrant_is_its_diagonal():
    for cell in cells(np.diag([1.0, 1e-8, 1e8])):
        np.testing.assert_allclose(cell.margin, 1 / math.sqrt(3), rtol=1e-12)


def test_a_cell_as_thin_as_rounding_has_a_witness_that_is_checked_exactly():
    x = np.array([[1.0, 1.0], [1.0, 1.0 + 2.0**-50]])
    found = list(cells(x))
    assert len(found) == 4
    for cell in found:
        signs = [sum(map(lambda a, b: Fraction(a) * Fraction(b), row, cell.witness)) for row in x]
        np.testing.assert_array_equal([s > 0 for s in signs], cell.pattern)
        assert all(s != 0 for s in signs)


def test_cells_come_before_all_are_done():
    x = np.random.default_rng(0).normal(size=(12, 3))
    stream = cells(x)
    assert len(list(itertools.islice(stream, 3))) == 3


@pytest.mark.parametrize(("n", "width"), [(4, 1), (4, 2), (5, 3)])
def test_combinations_are_all_tuples_up_to_order(n, width):
    found = list(itertools.islice(cells(np.eye(3)), n))
    place = {id(cell): i for i, cell in enumerate(found)}
    tuples = [tuple(place[id(c)] for c in t) for t in cell_combinations(found, width)]
    expected = {tuple(sorted(t)) for t in itertools.product(range(n), repeat=width)}
    assert len(tuples) == len(set(tuples)) == combination_count(n, width)
    assert set(tuples) == expected


def test_too_many_cells_are_refused_with_their_number():
    with pytest.raises(ValueError, match="may have 44 cells, more than the limit of 43"):
        cells(np.random.default_rng(0).normal(size=(7, 3)), limit=43)


def test_too_many_combinations_are_refused_with_their_number():
    with pytest.raises(ValueError, match="there are 10 combinations of 4 cells"):
        cell_combinations(list(cells(np.eye(2))), 2, limit=9)


def test_no_neuron_is_refused():
    with pytest.raises(ValueError, match="width is 0; it must be at least 1"):
        combination_count(4, 0)


def test_a_cell_that_float64_cannot_enter_is_refused():
    thin = [[Fraction(1), Fraction(1)], [Fraction(1), 1 + Fraction(1, 2**70)]]
    with pytest.raises(ValueError, match="holds no float64 vector"):
        list(cells(np.array(thin, dtype=object)))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), "x has shape"),
        (np.float64(3.0), "x has shape"),
        (np.zeros((0, 2)), "x has shape"),
        (np.array([[np.nan, 1.0]]), "NaN or infinite"),
    ],
)
def test_unusable_samples_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        cells(x)


@pytest.mark.slow
def test_thousands_of_cells_in_five_dimensions_are_counted():
    x = np.random.default_rng(2).normal(size=(17, 5))
    found = {c.pattern.tobytes() for c in cells(x)}
    assert len(found) == cell_bound(x) == 2 * sum(math.comb(16, i) for i in range(5))
