"""Random teachers in high dimension: proofs in the span of the teacher (SS18, corollary 1)."""

import flint
import numpy as np
import pytest

from landscape_jax.proofs import Certificate, prove_minimum, verify
from landscape_jax.proofs.eigenvalue_bound import HessianBounds, bound_hessian
from landscape_jax.proofs.problem import Problem
from tests.proofs.helpers import certified, descend, make_risk, pattern


def gaussian_teacher_and_minimum(teachers, dim, seed):
    """Draw v ~ N(0, I/d) and descend in orthonormal coordinates of the teacher's span."""
    rng = np.random.default_rng(seed)
    teacher = rng.normal(size=(teachers, dim)) / np.sqrt(dim)
    basis = np.linalg.qr(teacher.T)[0]
    inside = pattern(teachers) @ np.linalg.cholesky(teacher @ teacher.T).T
    frame = np.linalg.cholesky(teacher @ teacher.T)
    found = descend(make_risk(frame), inside, steps=50000)
    turn = np.linalg.lstsq(frame, teacher @ basis, rcond=None)[0]
    return teacher, found @ turn @ basis.T


SLOW = [pytest.param(d, s, marks=pytest.mark.slow) for d in (200, 1000) for s in range(1, 10)]


@pytest.mark.parametrize(("dim", "seed"), [(200, 0), (1000, 0), *SLOW])
def test_ten_gaussian_teachers_have_a_spurious_minimum(dim, seed):
    teacher, point = gaussian_teacher_and_minimum(10, dim, seed)
    proof = certified(make_risk(teacher), point)
    assert proof.kind == "spurious"
    assert proof.every_higher_dimension
    assert proof.radius < 1e-9
    assert verify(proof), verify(proof).reason


def test_span_gives_the_bound_of_the_whole_space(monkeypatch):
    teacher, point = gaussian_teacher_and_minimum(10, 12, 0)
    problem = Problem(teacher, np.ones(10), np.ones(10))
    with flint.ctx.workprec(128):
        whole = bound_hessian(problem, point)
        monkeypatch.setattr("landscape_jax.proofs.eigenvalue_bound.WHOLE_SPACE", 1)
        span = bound_hessian(problem, point)
    assert isinstance(whole, HessianBounds)
    assert isinstance(span, HessianBounds)
    assert whole.offset == 0
    assert 0 < span.offset < 1e-12
    assert abs(span.inside - min(whole.inside, whole.padding)) < 1e-9
    assert abs(span.padding - whole.padding) < 1e-9


def test_dependent_teachers_are_proven_in_the_whole_space():
    """Three teachers at 120° in a plane of R^150: no Cholesky factor, zero columns are left out."""
    angles = 2 * np.pi * np.arange(3) / 3
    plane = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    teacher = np.pad(plane, ((0, 0), (0, 148)))
    proof = prove_minimum(make_risk(teacher), teacher + 0.0)
    assert proof.kind in ("global", None)
    if isinstance(proof, Certificate):
        assert verify(proof)


def test_points_off_the_span_are_polished_into_it():
    teacher, point = gaussian_teacher_and_minimum(10, 200, 0)
    rng = np.random.default_rng(1)
    proof = certified(make_risk(teacher), point + 1e-6 * rng.normal(size=point.shape))
    assert proof.kind == "spurious"
    assert 1e-6 < proof.moved < 1e-3
    assert verify(proof)
