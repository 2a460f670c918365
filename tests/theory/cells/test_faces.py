"""All faces of a data set are found, none twice, none empty, and bounded beforehand."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import linprog

from landscape_jax.theory.cells import cells, face_bound, faces
from tests.theory.cells.test_arrangement import DEGENERATE


def brute_force(x):
    """Every sign vector in {−1, 0, 1}^N that is feasible, by a linear program each."""
    x = np.array(x, float)
    at = np.flatnonzero(np.any(x != 0, axis=1))
    found = set()
    for signs in itertools.product([-1, 0, 1], repeat=len(at)):
        s = np.array(signs)
        rows, flat = s[s != 0, None] * x[at][s != 0], x[at][s == 0]
        table = np.hstack([-rows, np.ones((len(rows), 1))])
        best = linprog(
            np.append(np.zeros(x.shape[1]), -1),
            table if len(rows) else None,
            np.zeros(len(rows)) if len(rows) else None,
            np.hstack([flat, np.zeros((len(flat), 1))]) if len(flat) else None,
            np.zeros(len(flat)) if len(flat) else None,
            bounds=[*[(-1, 1)] * x.shape[1], (0, 1)],
        )
        if -best.fun > 1e-6:
            full = np.zeros(len(x), int)
            full[at] = s
            found.add(tuple(full.tolist()))
    return found


def vectors(x, found):
    nothing = ~np.any(np.array(x, float) != 0, axis=1)
    signs = [np.where(f.pattern, 1, np.where(f.zero | nothing, 0, -1)) for f in found]
    return [tuple(s.tolist()) for s in signs]


def check(x, found):
    """Each sign vector occurs once and is that of its witness, at its margin."""
    x = np.array(x, float)
    assert len(set(vectors(x, found))) == len(found)
    sizes = np.linalg.norm(x, axis=1)
    for face in found:
        beside = (sizes > 0) & ~face.zero
        heights = x @ face.witness
        np.testing.assert_allclose(heights[~beside], 0, atol=1e-14 * max(1, sizes.max()))
        np.testing.assert_array_equal(heights[beside] > 0, face.pattern[beside])
        angles = np.abs(heights[beside]) / sizes[beside]
        assert face.margin > 0
        np.testing.assert_allclose(np.min(angles, initial=1), face.margin, rtol=1e-9)
        norm = np.linalg.norm(face.witness)
        np.testing.assert_allclose(norm, 1 if face.basis else 0, rtol=1e-14)
        basis = np.array(face.basis, float).reshape(len(face.basis), x.shape[1])
        assert np.linalg.matrix_rank(basis) == len(basis) if len(basis) else not beside.any()
        # The basis spans just where the kinks' samples are 0.
        rank = np.linalg.matrix_rank(x[face.zero]) if face.zero.any() else 0
        assert len(basis) == x.shape[1] - rank
        if face.zero.any() and len(basis):
            normed = basis / np.linalg.norm(basis, axis=1, keepdims=True)
            assert np.abs(x[face.zero] @ normed.T).max() <= 1e-13 * sizes.max()


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_samples_in_general_position_have_the_number_of_faces_of_the_formula(d):
    rng = np.random.default_rng(d)
    for n in (1, 2, 5):
        x = rng.normal(size=(n, d))
        found = list(faces(x))
        assert len(found) == face_bound(x)
        check(x, found)
        if n >= d > 1:
            for k in range(1, d + 1):
                count = sum(len(f.basis) == k for f in found)
                cut = sum(math.comb(n - d + k - 1, i) for i in range(k))
                assert count == 2 * math.comb(n, d - k) * cut
            assert sum(not f.basis for f in found) == 1


def agrees_with_brute_force(x):
    found = list(faces(np.array(x)))
    assert set(vectors(x, found)) == brute_force(x)
    assert len(found) <= face_bound(np.array(x))
    check(x, found)


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_samples_have_the_faces_that_brute_force_finds(name):
    agrees_with_brute_force(DEGENERATE[name][:4])


@pytest.mark.slow
@pytest.mark.parametrize("name", DEGENERATE)
def test_more_degenerate_samples_have_the_faces_that_brute_force_finds(name):
    # Brute force takes 3^N linear programs.
    agrees_with_brute_force(DEGENERATE[name][-5:])


def test_the_cells_come_first_and_are_those_of_cells():
    x = np.random.default_rng(3).normal(size=(6, 3))
    every, own = list(faces(x)), list(cells(x))
    for face, cell in zip(every, own, strict=False):
        np.testing.assert_array_equal(face.pattern, cell.pattern)
        np.testing.assert_array_equal(face.witness, cell.witness)
        assert face.margin == cell.margin
    assert all(face.zero.any() for face in every[len(own) :])
    dimensions = [len(face.basis) for face in every]
    assert dimensions == sorted(dimensions, reverse=True)


def test_too_many_faces_are_refused_with_their_number():
    x = np.random.default_rng(0).normal(size=(7, 3))
    with pytest.raises(ValueError, match="may have 171 faces, more than the limit of 170"):
        faces(x, limit=170)


def test_unusable_samples_are_refused():
    with pytest.raises(ValueError, match="x has shape"):
        faces(np.zeros(3))
    with pytest.raises(ValueError, match="NaN or infinite"):
        face_bound(np.array([[np.nan, 1.0]]))
