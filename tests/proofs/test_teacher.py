"""The digest, the orthonormality and the Gram eigenvalues of a teacher."""

import hashlib
import struct

import numpy as np

from landscape_jax.proofs.teacher_rays import digest, gram_bounds, orthonormal_rows


def test_digest_is_that_of_the_documented_bytes():
    teacher = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 1e-3]])
    outer, inner = np.array([1.0, -1.0]), np.array([2.0])
    expected = struct.pack("<2q6d", 2, 3, *teacher.ravel())
    expected += struct.pack("<q2d", 2, *outer) + struct.pack("<qd", 1, *inner)
    assert digest(teacher, outer, inner) == hashlib.sha256(expected).hexdigest()
    assert digest(np.asfortranarray(teacher), outer, inner) == digest(teacher, outer, inner)


def test_digest_tells_every_problem_from_every_other():
    teacher, ones = np.eye(2), np.ones(2)
    assert digest(-0.0 * teacher, ones, ones) == digest(0 * teacher, ones, ones)
    others = [
        (teacher, ones, ones), (teacher * (1 + 3e-16), ones, ones), (teacher, 2 * ones, ones),
        (teacher, ones, 2 * ones), (teacher, ones, np.ones(3)), (np.eye(3)[:2], ones, ones),
        (teacher.reshape(4, 1), np.ones(4), np.ones(4)), (teacher.reshape(1, 4), ones[:1], ones),
    ]  # fmt: skip
    assert len({digest(*arrays) for arrays in others}) == len(others)


def test_rows_are_orthonormal_only_exactly():
    assert orthonormal_rows(np.eye(5)[[3, 0, 1]] * np.array([[1.0], [-1.0], [1.0]]))
    assert orthonormal_rows(np.full((4, 4), 0.5) - np.eye(4))
    assert not orthonormal_rows(np.eye(3) * (1 + 3e-16))
    assert not orthonormal_rows(np.eye(3)[[0, 0]])
    assert not orthonormal_rows(np.ones((3, 1)))
    assert not orthonormal_rows(np.eye(2) + 1e-300 * np.ones((2, 2)))
    assert not orthonormal_rows(np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0])


def test_gram_bounds_enclose_known_spectra():
    for diagonal in ([1.0, 2.0, 3.0], [1e-9, 1e-9, 1e-12], [1e9, 2e9, 1e-3]):
        least, most = gram_bounds(np.diag(diagonal))
        assert 0 <= least <= min(diagonal) ** 2 < max(diagonal) ** 2 <= most
        assert most < (1 + 1e-9) * max(diagonal) ** 2
    assert gram_bounds(np.zeros((2, 3))) == (0.0, 0.0)
    least, most = gram_bounds(np.eye(2)[[0, 0]])
    assert least == 0
    assert 2 < most < 2.0000001
    assert not np.isfinite(gram_bounds(np.full((1, 1), 1e-170))).all()
