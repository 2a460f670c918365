"""The landscape does not depend on the coordinates of the inputs."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from landscape_jax.exact.rationals import matrix
from landscape_jax.theory.cells import landscape, nondifferentiable_minima, saddles
from tests.theory.cells.landscapes import listing, parts

# Data on which an offset of 10,000 once cost the global minimum.
SAMPLES, LABELS = (2, 3, 8, 4, 9), (1, 0, -2, 2, 0)


def with_bias(columns):
    return [[*row, 1] for row in zip(*columns, strict=True)]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "offset", [pytest.param(2000, marks=SLOW), 10_000, pytest.param(10**9, marks=SLOW)]
)
def test_an_offset_leaves_the_landscape_as_it_is(offset):
    plain = landscape(with_bias([SAMPLES]), LABELS, 2)
    kinds = plain.differentiable_minima, plain.nondifferentiable_minima, plain.saddles
    assert tuple(map(len, kinds)) == (16, 33, 4)
    assert plain.global_loss == pytest.approx(0.7373493976)
    moved = landscape(with_bias([[t + offset for t in SAMPLES]]), LABELS, 2)
    assert listing(moved) == listing(plain)
    # The global minimum, moved by hand: its bias loses the offset times its weight.
    best = min(
        [*moved.differentiable_minima, *moved.nondifferentiable_minima], key=lambda m: m.loss
    )
    rows = [[Fraction(int(t.p), int(t.q)) for t in row] for row in best.R.tolist()]
    outputs = [
        sum(
            s * max(s * (a * (t + offset) + b), 0)
            for s, (a, b) in zip(best.signs, rows, strict=True)
        )
        for t in SAMPLES
    ]
    loss = sum((q - y) ** 2 for q, y in zip(outputs, LABELS, strict=True)) / 5
    assert float(loss) == moved.global_loss


def test_saddles_of_moved_data_have_a_descent_and_an_ascent():
    for offset, factor in [(10_000, Fraction(1, 10**9)), (-2015, 10**9)]:
        x = with_bias([[factor * (t + offset) for t in SAMPLES]])
        found = list(saddles(x, LABELS, 2))
        assert len(found) == 4
        for saddle in found:
            assert saddle.descent.value < saddle.loss < saddle.ascent.value
            assert saddle.R.tolist() == [list(map(fmpq, row)) for row in saddle.R.tolist()]


SHAPES = [(5, 1, 1, 60), (4, 1, 2, 5), (4, 2, 1, 15)]


def agree(n, inputs, width, seed):
    """Offsets up to 1e9, scales of 1e±9 and a mixing of the columns: the same listing."""
    rng = np.random.default_rng([n, inputs, width, seed])
    columns = [[int(t) for t in rng.integers(0, 10, n)] for _ in range(inputs)]
    y = [int(t) for t in rng.integers(-3, 4, n)]
    moved = [
        [Fraction(10) ** int(power) * (t + offset) for t in column]
        for column, power, offset in zip(
            columns, rng.integers(-9, 10, inputs), moves(rng, inputs), strict=True
        )
    ]
    if inputs > 1:
        moved[0] = [s + t * 3 for s, t in zip(moved[0], moved[1], strict=True)]
    plain, other = landscape(with_bias(columns), y, width), landscape(with_bias(moved), y, width)
    assert listing(other) == listing(plain)


def moves(rng, count):
    return [int(rng.choice([0, 2000, 10**4, 10**6, 10**9])) for _ in range(count)]


def test_offsets_and_scales_leave_some_landscapes_as_they_are():
    for n, inputs, width, _ in SHAPES:
        agree(n, inputs, width, 0)


@SLOW
@pytest.mark.parametrize("shape", SHAPES)
def test_offsets_and_scales_leave_every_landscape_as_it_is(shape):
    n, inputs, width, problems = shape
    for seed in range(1, problems + 1):
        agree(n, inputs, width, seed)


def test_floats_have_the_landscape_of_an_exact_map_of_them():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=6)
    mapped = matrix(x) * fmpq_mat([[3, 1], [10**8, 10**8 + 1]])
    rows = [[Fraction(int(t.p), int(t.q)) for t in row] for row in mapped.tolist()]
    assert listing(landscape(np.array(rows, object), y, 1)) == listing(landscape(x, y, 1))


def test_the_radius_and_the_margin_are_those_of_the_exact_weights():
    offset = 10**9
    for minimum in nondifferentiable_minima(with_bias([[t + offset for t in SAMPLES]]), LABELS, 1):
        (kinks,), (R,) = minimum.kinks, minimum.R.tolist()
        a, b = (Fraction(int(t.p), int(t.q)) for t in R)
        squares = [
            (a * (t + offset) + b) ** 2 / (a * a + b * b) / ((t + offset) ** 2 + 1)
            for i, t in enumerate(SAMPLES)
            if i not in kinks
        ]
        if a or b:
            assert minimum.margin == pytest.approx(float(min(squares)) ** 0.5, rel=1e-12)
            _, z = parts(minimum.network)
            reach = float(min(squares)) ** 0.5 * abs(z[0])
            assert minimum.radius == pytest.approx(min(reach, abs(z[0])), rel=1e-12)
