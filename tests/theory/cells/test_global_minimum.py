"""The global minimum alone: that of the listing and of brute force, exactly, and proven."""

import itertools
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq
from scipy.optimize import nnls

from landscape_jax.exact.rationals import rational
from landscape_jax.theory.cells import cells, descend_exactly, global_minimum, landscape
from landscape_jax.theory.cells.arrangement import about
from landscape_jax.theory.cells.branch_and_bound import BranchAndBound
from landscape_jax.theory.cells.ray_fit import cone_fit
from landscape_jax.theory.cells.rays import all_rays, ray_bound
from landscape_jax.theory.cells.relaxation import Cone, exact_residual, relax
from tests.theory.cells.landscapes import DEGENERATE, draw, parts

# Samples, inputs with the bias, neurons.
SHAPES = [(6, 2, 1), (5, 2, 2), (5, 3, 1)]
SOME_SLOW = [SHAPES[0], *(pytest.param(shape, marks=pytest.mark.slow) for shape in SHAPES[1:])]
KINDS = ["counts", "years", "prices", "labels 0 and 1", "repeated", "a constant column"]


def collected(kind, shape, seed):
    """Typical collected data, with a bias, and the same centred at 0 for plain floats."""
    samples, inputs, _ = shape
    rng = np.random.default_rng([KINDS.index(kind), seed])
    x = rng.integers(-3, 4, (samples, inputs - 1)).astype(object)
    y = rng.integers(-4, 5, samples).astype(object)
    moved = x
    if kind == "years":
        x = moved + 2018
    elif kind == "prices":
        moved = np.vectorize(lambda t: Fraction(int(t), 100), otypes=[object])(
            rng.integers(-500, 500, x.shape)
        )
        x = moved + 20
    elif kind == "labels 0 and 1":
        y = (rng.random(samples) < 0.5).astype(int).astype(object)
    elif kind == "repeated":
        moved[samples // 2 :] = moved[: samples - samples // 2]
    elif kind == "a constant column":
        moved[:, 0] = 2
    ones = np.full((samples, 1), Fraction(1), object)
    return np.hstack([x, ones]), np.hstack([moved, ones]), y


def brute_force(x, y, width):
    """The least over all patterns and signs of the non-negative least squares over their rays."""
    x, y = x.astype(float), y.astype(float)
    basis = np.linalg.svd(x)[2][: np.linalg.matrix_rank(x)]
    rows, rank = x @ basis.T, len(basis)
    subsets = [rows[list(s)] for s in itertools.combinations(range(len(x)), rank - 1)]
    lines = [np.linalg.svd(s)[2][-1] for s in subsets if np.linalg.matrix_rank(s) == rank - 1]
    heights = np.array([*lines, *(-line for line in lines)]) @ rows.T
    heights[np.abs(heights) < 1e-9] = 0
    outputs = []
    for cell in cells(x):
        fits = np.all(heights * np.where(cell.pattern, 1, -1) >= 0, axis=1)
        outputs += [sign * heights[fits] * cell.pattern for sign in (1, -1)]
    least = np.mean(y**2)
    for chosen in itertools.combinations_with_replacement(outputs, width):
        least = min(least, square(np.vstack(chosen).T, y) / len(y))
    return least


def square(table, y):
    """The least square over weights ≥ 0; the solver's own is off where columns are dependent."""
    return np.sum((table @ nnls(table, y, maxiter=10_000)[0] - y) ** 2)


def exact_loss(x, y, found):
    """The loss of R by hand, in fractions."""
    total = Fraction(0)
    for row, label in zip(x, y, strict=True):
        output = Fraction(0)
        for sign, R in zip(found.signs, found.R.tolist(), strict=True):
            height = sum(
                sign * Fraction(int(r.p), int(r.q)) * Fraction(t)
                for r, t in zip(R, row, strict=True)
            )
            output += sign * max(height, Fraction(0))
        total += (output - Fraction(label)) ** 2
    return rational(total / len(x))


@pytest.mark.parametrize("shape", SOME_SLOW)
def test_it_is_that_of_brute_force_over_all_patterns_and_signs(shape):
    for kind, seed in itertools.product(KINDS, range(12)):
        x, moved, y = collected(kind, shape, seed)
        found = global_minimum(x, y, shape[2])
        least = brute_force(moved, y, shape[2])
        assert found.proven
        assert found.lower == found.loss
        assert abs(found.loss - least) <= 1e-12 * max(1, np.mean(y.astype(float) ** 2))
        assert exact_loss(x, y, found) == found.exact_loss


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "seeds"), [((6, 2, 1), 24), ((4, 2, 2), 5), ((4, 3, 1), 6)])
def test_it_is_that_of_the_listing(shape, seeds):
    for kind, seed in itertools.product(KINDS, range(100, 100 + seeds)):
        x, _, y = collected(kind, shape, seed)
        assert global_minimum(x, y, shape[2]).loss == landscape(x, y, shape[2]).global_loss


@pytest.mark.parametrize("name", DEGENERATE)
def test_it_is_that_of_the_listing_on_degenerate_data(name):
    x, y = DEGENERATE[name]
    for width in (1, 2):
        found = global_minimum(x, y, width)
        assert found.proven
        assert found.loss == landscape(x, y, width).global_loss


@pytest.mark.parametrize("shape", SOME_SLOW)
def test_it_does_not_depend_on_the_coordinates_of_the_inputs(shape):
    for seed in range(70):
        rng = np.random.default_rng(seed)
        _, x, y = collected(KINDS[seed % len(KINDS)], shape, seed)
        moved = x.copy()
        for k in range(x.shape[1] - 1):
            scale, offset = (
                Fraction(10) ** int(rng.integers(-9, 10)),
                10 ** int(rng.integers(0, 10)),
            )
            moved[:, k] = x[:, k] * scale + offset
        one, two = global_minimum(x, y, shape[2]), global_minimum(moved, y, shape[2])
        assert one.proven
        assert two.proven
        assert one.exact_loss == two.exact_loss


def test_the_network_has_the_loss_and_the_kinks_that_are_returned():
    x, y = draw(3, 12, 2)
    found = global_minimum(x, y, 2)
    w, z = parts(found.network)
    assert np.mean((np.maximum(x @ w.T, 0) @ z - y) ** 2) == pytest.approx(found.loss, rel=1e-12)
    assert found.rounded_loss == pytest.approx(found.loss, rel=1e-12)
    ratio = np.abs(z) / np.max(np.abs(w), axis=1)
    assert np.all((ratio > 0.25) & (ratio < 4))
    assert found.signs == tuple(np.sign(z).astype(int))
    assert any(found.kinks)
    for row, on in zip(w, found.kinks, strict=True):
        np.testing.assert_allclose(x[list(on)] @ row, 0, atol=1e-14)
        others = np.delete(np.arange(len(x)), on)
        assert np.min(np.abs(x[others] @ row)) > 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("n", "inputs", "width"), [(100, 2, 2), (18, 3, 2)])
def test_problems_of_far_more_combinations_are_proven_and_no_descent_is_lower(n, inputs, width):
    rng = np.random.default_rng(n)
    x, y = np.column_stack([rng.normal(size=(n, inputs - 1)), np.ones(n)]), rng.normal(size=n)
    found = global_minimum(x, y, width)
    assert found.proven
    assert found.regions < 2_000
    starts = rng.normal(size=(20, width)), rng.normal(size=(20, width, inputs))
    ends = descend_exactly(x, y, *starts, max_steps=2_000)
    assert np.min(ends.value) >= found.loss * (1 - 1e-12)


def test_at_the_limit_the_bound_and_the_network_hold():
    x, y = draw(0, 10, 3)
    whole = global_minimum(x, y, 2)
    unproven = 0
    for limit in range(1, 30, 4):
        found = global_minimum(x, y, 2, limit=limit)
        unproven += not found.proven
        assert found.lower <= whole.loss <= found.loss
        assert found.proven == (found.lower == found.loss)
    assert unproven > 3


def test_progress_counts_regions_until_none_is_open():
    calls = []
    x, y = draw(0, 10, 2)
    found = global_minimum(x, y, 2, progress=lambda *now: calls.append(now))
    assert [now[0] for now in calls] == sorted(now[0] for now in calls)
    assert calls[-1][0] == found.regions


@pytest.mark.parametrize("shape", SHAPES)
def test_bounds_of_hulls_hold_and_are_those_of_another_solver(shape):
    for seed in range(70):
        rng = np.random.default_rng(seed)
        x, _, y = collected(KINDS[seed % len(KINDS)], shape, seed)
        rays = all_rays(x, y)
        plus, minus = rng.random((2, len(rays.kind))) < rng.random()
        none = np.zeros(0, int)
        found = relax(rays, Cone(plus, minus), none, none)
        table = np.vstack([rays.outputs[plus], -rays.outputs[minus]])
        least = np.sum(rays.y**2)
        if len(table):
            least = square(table.T, rays.y)
        assert found.value == pytest.approx(least, abs=1e-9)
        columns = [(s, int(k)) for s, part in ((1, plus), (-1, minus)) for k in rays.kind[part]]
        fit = cone_fit(rays, [key for key in dict.fromkeys(columns) if key[1] >= 0], [])
        exact = fit.square / fmpq(4) ** rays.exponent
        assert float(exact.p) / float(exact.q) == pytest.approx(least, abs=1e-12)
        errors = exact_residual(rays, found)
        if errors is not None:
            assert rational(found.lower) <= exact
            assert (errors.transpose() * errors)[0, 0] == fit.square


def test_a_hull_of_dependent_columns_has_no_bound_in_floats_but_an_exact_one():
    # Samples on a line to within rounding: floats cannot distinguish the outputs of their rays.
    x = [[1, 0], [1, Fraction(1, 10**18)], [1, Fraction(2, 10**18)], [1, 1]]
    found = global_minimum(x, [1, 2, 4, 1], 2)
    assert found.proven
    # On the scale of the first three they are 0, 1, 2 and 10¹⁸.
    other = global_minimum([[1, 0], [1, 1], [1, 2], [1, 10**18]], [1, 2, 4, 1], 2)
    assert found.exact_loss == other.exact_loss


def test_numbers_beyond_float64_are_accepted_if_the_network_is_float64():
    x = [[Decimal("1e-400"), 1], [Decimal("1e300"), 1], [2, 1]]
    # The first and the third are almost at x = 0, with labels that differ by 1.
    found = global_minimum(x, [1, 3, 2], 1)
    assert found.proven
    assert found.loss == pytest.approx(1 / 6, rel=1e-15)
    assert found.network.W1[0, 0] != 0
    # Its outputs are small differences of large numbers, which floats cannot hold.
    steep = global_minimum([[1, 1], [2, 1], [3, 1]], [Decimal("2e30"), 3, 1], 1)
    assert steep.exact_loss == fmpq(1, 3)
    assert steep.rounded_loss > 1
    with pytest.raises(ValueError, match="beyond float64; scale x or y"):
        global_minimum([[1, 1], [2, 1], [3, 1]], [Decimal("2e300"), 3, 1], 1)
    with pytest.raises(ValueError, match="beyond float64; scale x or y"):
        global_minimum([[Decimal("1e-700")]], [1], 1)
    with pytest.raises(ValueError, match="beyond float64; scale x or y"):
        global_minimum([[1], [1]], [Decimal("1e200"), 0], 1)


def test_what_cannot_be_searched_is_refused_with_its_number():
    x, y = draw(0, 200, 4)
    with pytest.raises(ValueError, match="may have 2626800 rays; 3000000 outputs"):
        global_minimum(x, y, 1)
    with pytest.raises(ValueError, match="width and limit are 0 and 5; both must be at least 1"):
        global_minimum([[1]], [1], 0, limit=5)
    with pytest.raises(ValueError, match="width and limit are 1 and 0; both must be at least 1"):
        global_minimum([[1]], [1], 1, limit=0)


def test_rays_are_those_of_all_cells():
    x, _ = draw(2, 6, 3)
    rays = all_rays(x, np.ones(6))
    assert len(rays.kind) == ray_bound(x) == 30
    for cell in cells(x):
        # Three rays or more around each cell, and its outputs are between theirs.
        own = rays.cone(np.where(cell.pattern, 1, -1).astype(np.int8))
        assert np.sum(own) >= 3
        table = (rays.outputs - rays.opposite)[own].T
        t, off = nnls(table, x @ cell.witness)
        assert off < 1e-12
        assert np.all(t >= 0)


def test_interchangeable_neurons_are_split_together():
    x, y = draw(1, 6, 2)
    rays = all_rays(x, y)
    search = BranchAndBound(rays, 3, 10, None)
    search.run()
    # Four choices of the signs; each split of n interchangeable neurons makes n + 1 parts.
    assert search.regions <= 4 + 10 + 3


def test_a_large_count_is_written_in_three_digits():
    assert about(999_999_999_999) == "999999999999"
    assert about(1_234_567_890_123_456) == "about 1.23e15"
    assert about(9_999 * 10**20) == "about 1e24"
    assert about(10**5000 + 1) == "about 1e5000"


def test_more_neurons_than_samples_have_the_minimum_of_as_many_and_far_more_are_refused():
    x, y = [[1, 0], [0, 1], [1, 1]], [1, -1, 2]
    assert global_minimum(x, y, 4).exact_loss == global_minimum(x, y, 3).exact_loss
    with pytest.raises(ValueError, match="width is 101; 3 neurons, as many as samples, have the"):
        global_minimum(x, y, 101)
