"""Typical collected data have the minima that are found by trying all sign patterns."""

from fractions import Fraction

import numpy as np
import pytest

from landscape_jax.theory.cells import landscape
from tests.theory.cells.brute_force import all_minima


def years(rng, n):
    return [int(t) for t in 2015 + rng.choice(10, n, replace=False)]


def prices(rng, n):
    return [Fraction(int(t), 100) for t in rng.integers(99, 250_000, n)]


def counts(rng, n):
    return [int(t) for t in rng.integers(0, 4, n)]


def duplicates(rng, n):
    return [int(t) for t in np.resize(rng.integers(-3, 9, n - 2), n)]


def large(rng, n):
    return [int(t) for t in 10**9 + rng.integers(0, 50, n)]


def constant(_, n):
    return [7] * n


COLUMNS = years, prices, counts, duplicates, large
LABELS = {
    "0 and 1": lambda rng, n: [int(t) for t in rng.integers(0, 2, n)],
    "counts": counts,
    "prices": prices,
    "signs": lambda rng, n: [int(t) for t in rng.choice([-1, 1], n)],
}


def problem(seed, n, inputs):
    """Columns and labels of alternating kinds; a second input may be a constant."""
    rng = np.random.default_rng([seed, n, inputs])
    columns = [COLUMNS[seed % 5](rng, n)]
    if inputs > 1:
        columns.append([*COLUMNS, constant][(seed // 5) % 6](rng, n))
    label = list(LABELS.values())[(seed // 3) % 4]
    return [[*row, 1] for row in zip(*columns, strict=True)], label(rng, n)


def agree(seed, n, inputs, width):
    x, y = problem(seed, n, inputs)
    found, own = landscape(x, y, width), all_minima(x, y, width)
    losses = lambda values: sorted(float(value / n) for value in values)
    assert [m.loss for m in found.differentiable_minima] == losses(own["cells"])
    assert [m.loss for m in found.nondifferentiable_minima] == losses(own["kinked"])
    others = set(own["smooth"]) - {*own["cells"], *own["kinked"]}
    assert [m.loss for m in found.smooth_kinks] == losses(others)
    every = [value for values in own.values() for value in values]
    assert found.global_loss == float(min(every) / n)
    return len(found.smooth_kinks)


def test_one_neuron_on_one_column_has_the_minima_of_all_sign_patterns():
    for seed in range(10):
        agree(seed, 5, 1, 1)


@pytest.mark.slow
def test_one_neuron_on_80_data_sets_has_the_minima_of_all_sign_patterns():
    assert sum(agree(seed, 5, 1, 1) for seed in range(10, 90)) > 0


@pytest.mark.slow
def test_one_neuron_on_two_columns_has_the_minima_of_all_sign_patterns():
    for seed in range(3, 13):
        agree(seed, 4, 2, 1)


@pytest.mark.slow
def test_two_neurons_have_the_minima_of_all_pairs_of_sign_patterns():
    for seed in range(5):
        agree(seed, 4, 1, 2)
