"""Open cones have a point, or a proof that there is none: both exact, and by the simplex method."""

import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from scipy.optimize import linprog

from landscape_jax.theory.cells import cones
from landscape_jax.theory.cells.cones import positive_point


def has_a_point(rows):
    """Whether some t has Bt > 0, by a linear program."""
    table = np.hstack([-rows, np.ones((len(rows), 1))])
    bounds = [*[(-1, 1)] * rows.shape[1], (0, 1)]
    best = linprog(
        np.append(np.zeros(rows.shape[1]), -1), table, np.zeros(len(rows)), bounds=bounds
    )
    return -best.fun > 1e-7


@pytest.mark.parametrize("exact", [False, True])
def test_a_point_is_found_just_where_there_is_one(monkeypatch, exact):
    if exact:
        # Floats decide nothing.
        nothing = lambda rows: (np.zeros(rows.shape[1]), np.zeros(len(rows)))
        monkeypatch.setattr(cones, "deepest_direction", nothing)
    rng, seen = np.random.default_rng(0), set()
    for _ in range(300):
        rows = rng.integers(-2, 3, size=rng.integers([1, 1], [9, 5]))
        table = fmpq_mat(rows.tolist())
        found = positive_point(table)
        seen.add(found is None)
        assert (found is not None) == has_a_point(rows)
        assert found is None or all(t > 0 for t in (table * found).entries())
    assert seen == {True, False}


def test_cones_that_floats_cannot_distinguish_are_decided_exactly():
    tiny = fmpq(1, 10**400)
    thin = fmpq_mat([[1, -1], [-1, 1 + tiny], [1, 0]])
    found = positive_point(thin)
    assert found is not None
    assert all(t > 0 for t in (thin * found).entries())
    assert positive_point(fmpq_mat([[1, -1], [-1, 1 - tiny], [1, 0]])) is None
    assert positive_point(fmpq_mat([[1, -1], [-1, 1]])) is None
    wide = fmpq_mat([[tiny, 1], [1, -1 / tiny]])
    assert positive_point(wide) is not None
    assert positive_point(fmpq_mat(0, 2)) == fmpq_mat([[1], [0]])
    assert positive_point(fmpq_mat([[0, 0]])) is None
