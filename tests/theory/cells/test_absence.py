"""A combination is proven to hold no minimum if and only if it holds none."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

from landscape_jax.theory.cells import (
    GenuineMinimum,
    cell_combinations,
    cells,
    exact_cell_solution,
    genuine_minimum,
    prove_none,
)


def problem(seed, n, d, whole=False):
    rng = np.random.default_rng(seed)
    if whole:
        return rng.integers(-2, 3, (n, d)).astype(float), rng.integers(-2, 3, n).astype(float)
    return rng.normal(size=(n, d)), rng.normal(size=n)


def table(x, patterns):
    return (patterns[:, :, None] * x[:, None, :]).reshape(len(x), -1)


def check_multipliers(x, y, combination, proof):
    """The multipliers refute their case, by Fractions and the exact least squares."""
    data = [[Fraction(t) for t in row] for row in x.tolist()]
    patterns = np.stack([c.pattern for c in combination], axis=1)
    for signs, multipliers in proof.refuted.items():
        active = [j for j, s in enumerate(signs) if s]
        if not multipliers:
            assert 0 in signs
            A, others = (table(x, patterns[:, kept]) for kept in (active, np.array(signs) == 0))
            errors = y - A @ np.linalg.pinv(A) @ y if active else y
            assert np.linalg.norm(others.T @ errors) > 1e-9
            continue
        combined = np.array([[Fraction(0)] * x.shape[1] for _ in active], dtype=object)
        for (j, i), weight in multipliers.items():
            assert weight > 0
            side = signs[j] if patterns[i, j] else -signs[j]
            value = Fraction(int(weight.p), int(weight.q)) * side
            combined[active.index(j)] += np.array([value * t for t in data[i]])
        # λᵀG, which is 0 on the null space of A if it is a combination of the rows of A.
        A = table(x, patterns[:, active])
        flat = combined.ravel().astype(float)
        fitted = A.T @ np.linalg.lstsq(A.T, flat, rcond=1e-10)[0]
        np.testing.assert_allclose(fitted, flat, atol=1e-9 * max(1, np.abs(flat).max()))
        R = exact_cell_solution(x, y, patterns[:, active]).R.entries()
        height = sum(
            (
                fmpq(v.numerator, v.denominator) * r
                for v, r in zip(combined.ravel(), R, strict=True)
            ),
            fmpq(0),
        )
        assert height <= 0


@pytest.mark.parametrize("shape", [(7, 3, 1), (6, 2, 2), (4, 2, 2)])
def test_a_combination_has_a_witness_or_a_proof_that_there_is_none(shape):
    n, d, width = shape
    x, y = problem(n, n, d)
    kinds = set()
    for combination in list(cell_combinations(list(cells(x)), width))[::3]:
        holds = isinstance(genuine_minimum(x, y, combination), GenuineMinimum)
        proof = prove_none(x, y, combination)
        assert proof.proven != holds
        assert len(proof.refuted) + len(proof.unproven) == 3**width
        check_multipliers(x, y, combination, proof)
        kinds.add(holds)
    assert kinds == {True, False}


@pytest.mark.parametrize("seed", range(2))
def test_degenerate_whole_numbers_have_a_witness_or_a_proof_too(seed):
    x, y = problem(seed, 5, 2, whole=True)
    for combination in list(cell_combinations(list(cells(x)), 2))[::2]:
        holds = isinstance(genuine_minimum(x, y, combination), GenuineMinimum)
        assert prove_none(x, y, combination).proven != holds


def test_a_minimum_just_inside_its_cell_is_not_refuted_and_just_outside_it_is():
    # R* = (1, t) in the cell where both samples are active: inside for t > 0.
    x, tiny = [[1, 0], [0, 1]], Fraction(1, 10**30)
    both = next(cells(x))
    for t, proven in ((tiny, False), (0, True), (-tiny, True)):
        assert prove_none(x, [Fraction(1), Fraction(t)], [both]).proven == proven


def test_a_minimum_with_z_0_is_not_refuted():
    # One neuron fits the data; with z = 0 for a second one, in any cell, it is a minimum.
    x = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0], [1.0, -3.0]])
    y = np.maximum(x @ np.array([2.0, 1.0]), 0)
    every = list(cells(x))
    own = next(c for c in every if np.array_equal(c.pattern, y > 0))
    proofs = [prove_none(x, y, [own, other]) for other in every]
    assert not any(proof.proven for proof in proofs)
    assert (1, 0) in {signs for proof in proofs for signs in proof.unproven}


def test_samples_that_are_all_0_refute_nothing():
    x = [[0, 0], [0, 0]]
    proof = prove_none(x, [1, 2], [next(cells(x))])
    assert not proof.proven
    assert proof.refuted == {}


def test_cells_of_other_samples_are_refused():
    x, y = problem(0, 4, 2)
    with pytest.raises(ValueError, match="combination has 0 cells"):
        prove_none(x, y, [])
    with pytest.raises(ValueError, match="of these 4 samples"):
        prove_none(x, y, [next(cells(x[:3]))])
    with pytest.raises(ValueError, match="y has 2 columns"):
        prove_none(x, np.zeros((4, 2)), [next(cells(x))])
