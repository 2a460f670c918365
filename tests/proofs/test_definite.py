"""Eigenvalue bounds on matrices with known spectra."""

import numpy as np
import pytest
from flint import arb, arb_mat

from landscape_jax.proofs.balls import exact
from landscape_jax.proofs.definite import eigenvalue_upper_bound, smallest_eigenvalue
from landscape_jax.proofs.recheck import positive_definite


def with_spectrum(spectrum, seed=0):
    """Return H D H for a Hadamard matrix H, exactly: integer entries up to a scale."""
    hadamard = np.array([[1.0]])
    while len(hadamard) < len(spectrum):
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    return hadamard @ np.diag(spectrum) @ hadamard / len(spectrum)


@pytest.mark.parametrize("least", [1.0, 2.0**-10, 2.0**-20])
@pytest.mark.parametrize("size", [2, 8, 32])
def test_bound_lies_below_the_smallest_eigenvalue_and_near_it(size, least):
    matrix = with_spectrum(np.concatenate([[least], np.linspace(1, 2, size)[1:]]))
    bound = smallest_eigenvalue(exact(matrix))
    assert least * (1 - 1e-4) - 1e-10 < bound < least + 1e-15
    assert positive_definite(exact(matrix), arb(bound))
    assert not positive_definite(exact(matrix), arb(least + 1e-9))


def test_repeated_eigenvalues_are_no_obstacle():
    assert 1 - 1e-9 < smallest_eigenvalue(exact(np.eye(16))) <= 1
    assert positive_definite(exact(np.eye(16)), arb(0.999))


@pytest.mark.parametrize("least", [0.0, -(2.0**-40), -1.0])
def test_singular_and_indefinite_matrices_are_never_positive(least):
    matrix = with_spectrum(np.array([least] + [1.0] * 7))
    assert smallest_eigenvalue(exact(matrix)) <= least
    assert not positive_definite(exact(matrix), arb(0))
    if least == -1:
        assert abs(eigenvalue_upper_bound(exact(matrix)) + 1) < 1e-12


def test_bound_holds_for_every_matrix_of_a_wide_enclosure():
    wide = arb_mat(2, 2, [arb(1, 0.25), arb(0, 0.25), arb(0, 0.25), arb(1, 0.25)])
    assert smallest_eigenvalue(wide) <= 0.5
    assert not positive_definite(wide, arb(0.51))


def test_matrices_that_are_not_finite_have_no_bound():
    broken = arb_mat(1, 1, [arb("nan")])
    assert smallest_eigenvalue(broken) == -np.inf
    assert eigenvalue_upper_bound(broken) == np.inf
    assert not positive_definite(broken, arb(0))
    assert smallest_eigenvalue(arb_mat(0, 0)) == -np.inf


def test_eigenvalues_that_do_not_converge_give_no_bound(monkeypatch):
    def fail(*_):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(np.linalg, "eigvalsh", fail)
    monkeypatch.setattr(np.linalg, "eigh", fail)
    assert smallest_eigenvalue(exact(np.eye(2))) == -np.inf
    assert eigenvalue_upper_bound(exact(np.eye(2))) == np.inf
    assert not positive_definite(exact(np.eye(2)), arb(0))
