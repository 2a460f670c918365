"""The whole landscape is listed: each kind of point, the global minimum, the ends of descents."""

import itertools
import tracemalloc
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from landscape_jax import machine
from landscape_jax.theory.cells import (
    cells,
    combination_count,
    descend_exactly,
    landscape,
    stationary,
)
from landscape_jax.theory.cells.fans import face_problem
from landscape_jax.theory.cells.stationary import face_minima
from tests.theory.cells.landscapes import DEGENERATE, SHAPES, all_survive, draw, listing, parts


def test_the_example_of_section_4_2_is_listed_for_both_labels():
    same = landscape([[1, 0], [0, 1]], [1, 1], 1)
    assert (same.cells, same.combinations, same.faces, same.face_combinations) == (4, 4, 9, 9)
    assert [m.loss for m in same.differentiable_minima] == [0, 0.5, 0.5, 1]
    assert [m.unique for m in same.differentiable_minima] == [True, False, False, False]
    assert (same.global_loss, same.saddles) == (0, ())
    # With z < 0, r₁'s plateau ends at kinks, and so it does at w = 0.
    assert {m.signs for m in same.nondifferentiable_minima} == {(-1,)}
    other = landscape([[1, 0], [0, 1]], [1, -1], 1)
    assert [m.loss for m in other.differentiable_minima] == [0.5, 0.5, 1]
    assert other.global_loss == 0.5
    assert [s.loss for s in other.saddles] == [1]


def least_on_a_grid(x, y, width):
    """The least loss over directions of a grid, with the best lengths ≥ 0, for widths 1 and 2."""
    t = np.linspace(-np.pi, np.pi, 241)[:-1]
    outputs = np.maximum(np.outer(np.cos(t), x[:, 0]) + np.outer(np.sin(t), x[:, 1]), 0)
    least = np.mean(y**2)
    for signs in itertools.product([1, -1], repeat=width):
        a = signs[0] * outputs
        aa = np.sum(a**2, axis=1)
        r = np.maximum(a @ y / np.where(aa > 0, aa, 1), 0)
        least = min(least, np.min(np.mean((r[:, None] * a - y) ** 2, axis=1)))
        if width == 1:
            continue
        b = signs[1] * outputs
        bb, ab = np.sum(b**2, axis=1), a @ b.T
        gap = aa[:, None] * bb - ab**2
        safe = np.where(gap > 1e-9, gap, np.inf)
        s = ((a @ y)[:, None] * bb - ab * (b @ y)) / safe
        u = (aa[:, None] * (b @ y) - ab * (a @ y)[:, None]) / safe
        both = np.mean((s[..., None] * a[:, None] + u[..., None] * b - y) ** 2, axis=2)
        least = min(least, np.min(np.where((s >= 0) & (u >= 0), both, np.inf)))
    return least


@pytest.mark.parametrize(("n", "width"), [(5, 1), pytest.param(3, 2, marks=pytest.mark.slow)])
def test_the_lowest_listed_loss_is_the_least_of_a_dense_grid(n, width):
    for seed in range(2):
        x, y = draw(seed, n, 2)
        found = landscape(x, y, width)
        listed = [m.loss for m in (*found.differentiable_minima, *found.nondifferentiable_minima)]
        assert found.global_loss == min(listed)
        least = least_on_a_grid(x, y, width)
        assert found.global_loss <= least + 1e-12
        # A step of 0.026 in the angle: the loss is off by its square, or itself at an end.
        assert least <= found.global_loss + 0.02 * np.mean(y**2)


def test_a_global_minimum_on_a_kink_without_error_is_found():
    found = landscape([[0, 1], [0, -1], [1, 0]], [0, 0, 1], 1)
    assert found.global_loss == 0
    (smooth,) = found.smooth_kinks
    assert (smooth.loss, smooth.kinks, smooth.differentiable) == (0, ((0, 1),), True)
    assert min(m.loss for m in found.differentiable_minima) == pytest.approx(1 / 3)


@pytest.mark.slow
def test_the_minima_in_cells_are_inside_them_and_have_gradient_0_by_the_objective():
    x, y = draw(1, 5, 2)
    found = landscape(x, y, 2)
    assert found.cells == len(list(cells(x)))
    assert found.combinations == combination_count(found.cells, 2)
    for minimum in found.differentiable_minima:
        assert minimum.gradient_norm < 1e-10
        assert minimum.radius > 0
    assert found.smooth_kinks == ()


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_data_have_a_landscape(name):
    x, y = (np.array(a, float) for a in DEGENERATE[name])
    found = landscape(x, y, 1)
    assert 0 <= found.global_loss <= np.mean(y**2)
    for some in (found.differentiable_minima, found.saddles, found.nondifferentiable_minima):
        losses = [point.loss for point in some]
        assert losses == sorted(losses)
        for point in some:
            w, z = parts(point.network)
            loss = np.mean((np.maximum(x @ w.T, 0) @ z - y) ** 2)
            np.testing.assert_allclose(point.loss, loss, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [1, 1e-4, 1e-7])
def test_combinations_excluded_in_floats_hold_no_minimum(monkeypatch, spread):
    # Samples that are nearly on one line make tables of large condition numbers.
    x, y = draw(8, 4, 2)
    given = face_problem(np.array([1, 0]) * x + spread * np.array([0, 1]) * x, y, 2, limit=1000)
    every = range(len(given.fans))
    quick = {m.chosen for m in face_minima(given, every, 2, kinked=False)}
    judged = stationary.candidates

    def all_possible(*arguments):
        for block in judged(*arguments):
            yield block._replace(possible=np.ones(len(block.chosen), bool))

    monkeypatch.setattr(stationary, "candidates", all_possible)
    assert {m.chosen for m in face_minima(given, every, 2, kinked=False)} == quick
    assert len(quick) > 10


def test_decimals_are_taken_as_they_are_written():
    # The second label is thrice the first as it is written, not in floats.
    x = [[Decimal("0.1")], [Decimal("0.3")]]
    assert landscape(x, [Decimal("0.1"), Decimal("0.3")], 1).global_loss == 0
    assert landscape([[0.1], [0.3]], [0.1 * 1.1, 0.3 * 1.1], 1).global_loss > 0


def test_too_many_combinations_are_refused_with_their_number():
    x, y = draw(0, 7, 3)
    with pytest.raises(ValueError, match="may be 14706 combinations of 171 faces, more than"):
        landscape(x, y, 2, limit=14_705)
    with pytest.raises(ValueError, match="faces, more than the limit of 1000000"):
        landscape(*draw(0, 40, 5), 2)
    with pytest.raises(ValueError, match="width is 0; it must be at least 1"):
        landscape(x, y, 0)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(7, 3, 1), (7, 2, 2)])
def test_descents_end_in_minima_that_are_listed(shape):
    n, d, width = shape
    x, y = draw(5, n, d)
    found = landscape(x, y, width)
    rng = np.random.default_rng(0)
    z, w = rng.normal(size=(40, width)), rng.normal(size=(40, width, d))
    ends = descend_exactly(x, y, z, w)
    listed = np.array(
        [m.loss for m in (*found.differentiable_minima, *found.nondifferentiable_minima)]
    )
    for value, status in zip(ends.value, ends.status, strict=True):
        assert status == "minimum"
        assert np.min(np.abs(listed - value)) < 1e-9 * np.mean(y**2)
        assert value >= found.global_loss - 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_the_minima_in_cells_survive_perturbations(shape):
    n, d, width = shape
    x, y = draw(6, n, d)
    all_survive(x, y, landscape(x, y, width).differentiable_minima)


def test_progress_counts_all_faces_and_combinations():
    calls = []
    landscape(np.eye(2), np.array([1.0, -1.0]), 2, progress=lambda *now: calls.append(now))
    # 9 faces and 45 combinations of them.
    assert calls[-1] == (54, 54)
    assert [now[0] for now in calls] == sorted(now[0] for now in calls)
    # Flat by flat: 4 cells, two rays on each of 2 lines, and 0.
    assert calls[:4] == [(4, 54), (6, 54), (8, 54), (9, 54)]
    # Duplicates leave fewer than the bound: the total is corrected once all faces are known.
    calls.clear()
    landscape([[1, 1], [1, 1], [2, 2]], [1, 0, 1], 1, progress=lambda *now: calls.append(now))
    assert calls[-1] == (6, 6)


def test_the_listing_counts_exact_decisions():
    found = landscape([[1, 0], [0, 1]], [1, -1], 1)
    assert 0 < found.decided_exactly <= found.face_combinations


def test_data_that_need_more_memory_than_the_machine_has_are_refused_with_the_number(monkeypatch):
    monkeypatch.setattr(machine, "_memory", lambda: 2.0**30)
    x = np.column_stack([np.arange(3000), np.ones(3000, int)])
    line = (
        r"12001 faces of 3000 samples may need 1\.\d GiB of memory, more than the 1\.0 GiB of this "
        "machine; give fewer samples or inputs"
    )
    with pytest.raises(ValueError, match=line):
        landscape(x, np.zeros(3000), 1)


@pytest.mark.slow
def test_a_landscape_of_two_inputs_and_a_bias_takes_memory_in_proportion_to_its_faces():
    rng = np.random.default_rng(0)
    peaks = []
    for n in (6, 12):
        x = np.column_stack([rng.integers(-50, 51, size=(n, 2)), np.ones(n, int)])
        tracemalloc.start()
        found = landscape(x, rng.integers(-9, 10, size=n), 1)
        peaks.append(tracemalloc.get_traced_memory()[1] / found.faces)
        tracemalloc.stop()
    # Tables of N numbers for each face, and not of the square of that.
    assert peaks[1] < 3 * peaks[0]
    assert peaks[1] * found.faces < 1e8


def test_entries_beyond_float64_are_refused_by_name():
    x = [[Decimal("1e-400"), 1], [Decimal("1e300"), 1], [2, 1]]
    with pytest.raises(
        ValueError, match=r"x\[0, 0\] is about 1e-400, beyond float64.*scale the col"
    ):
        landscape(x, [2, 3, 1], 1)
    with pytest.raises(ValueError, match=r"y\[1\] is about -2.5e400, beyond float64"):
        landscape([[1], [2]], [1, Fraction(-25, 10) * 10**400], 1)
    with pytest.raises(ValueError, match=r"y\[2\], the largest label, is about -1e200: its square"):
        landscape([[1], [2], [3]], [1, 2, -1e200], 1)
    with pytest.raises(ValueError, match=r"y\[1\], the largest label, is about 3e-160: its square"):
        landscape([[1], [2], [3]], [0, 3e-160, 0], 1)


@pytest.mark.parametrize("factor", [1e200, 1e300, 1e-300])
def test_columns_of_any_float64_size_have_the_landscape_of_small_ones(factor):
    # A power of two next to the factor: the numbers are the same but for their exponents.
    factor = 2.0 ** round(np.log2(factor))
    y = [2, 3, 1]
    small = landscape([[t, 1] for t in (1, 2, 4)], y, 1)
    large = landscape([[t * factor, 1] for t in (1, 2, 4)], y, 1)
    assert listing(large) == listing(small)
    for minimum in large.differentiable_minima:
        w, z = parts(minimum.network)
        outputs = np.maximum(np.array([[t * factor, 1] for t in (1, 2, 4)]) @ w.T, 0) @ z
        np.testing.assert_allclose(np.mean((outputs - y) ** 2), minimum.loss, atol=1e-12)
