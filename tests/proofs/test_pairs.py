"""The enclosures of the risk and its derivatives contain what mpmath and differences compute."""

import flint
import mpmath
import numpy as np
import pytest
from flint import arb

from landscape_jax.proofs import pairs as by_pairs
from landscape_jax.proofs.balls import midpoints
from landscape_jax.proofs.estimates import float_gradient, float_hessian
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.recheck import RiskAtPoint, vectors
from tests.proofs.helpers import at_every_angle


def mp_value(students, teachers, a, b):
    """Compute F with 60 digits from the definition of f, SS18 eq. 7."""
    with mpmath.workdps(60):
        rows = [[mpmath.mpf(float(x)) for x in row] for row in [*students, *teachers]]
        c = [mpmath.mpf(float(x)) for x in [*a, *(-b)]]
        result = mpmath.mpf(0)
        for i, w in enumerate(rows):
            for j, v in enumerate(rows):
                p, q = mpmath.norm(w), mpmath.norm(v)
                cos = max(-1, min(1, mpmath.fdot(w, v) / (p * q)))
                t = mpmath.acos(cos)
                pair = p * q * (mpmath.sin(t) + (mpmath.pi - t) * cos) / (2 * mpmath.pi)
                result += c[i] * c[j] * pair / 2
        return result


def contains(ball, number, slack):
    """Check whether an mpmath number lies in a ball widened by `slack`."""
    digits = mpmath.nstr(number, 50, min_fixed=0, max_fixed=0)
    return abs(ball - arb(digits)).lower() <= slack


@pytest.mark.parametrize("seed", range(4))
def test_both_enclosures_contain_the_value_computed_with_sixty_digits(seed):
    students, teachers, a, b = at_every_angle(np.random.default_rng(seed))
    expected = mp_value(students, teachers, a, b)
    with flint.ctx.workprec(128):
        ball = by_pairs.value(by_pairs.float_pairs(students, a, teachers, b))
        assert contains(ball, expected, 1e-40)
        assert ball.rad() < 1e-18
    with flint.ctx.workprec(256):
        exact = RiskAtPoint(
            vectors(students), list(map(arb, a)), vectors(teachers), list(map(arb, b))
        )
        assert contains(exact.value(), expected, 1e-40)


@pytest.mark.parametrize("seed", range(3))
def test_gradient_encloses_difference_quotients_of_sixty_digit_values(seed):
    rng = np.random.default_rng(seed)
    students, teachers, a, b = at_every_angle(rng)
    with flint.ctx.workprec(128):
        slope = by_pairs.gradient(by_pairs.float_pairs(students, a, teachers, b))
    step = 2.0**-40
    for i, p in [(0, 0), (1, 2), (2, 3)]:
        forward, back = students.copy(), students.copy()
        forward[i, p] += step
        back[i, p] -= step
        width = mpmath.mpf(forward[i, p]) - mpmath.mpf(back[i, p])
        up, down = mp_value(forward, teachers, a, b), mp_value(back, teachers, a, b)
        with mpmath.workdps(60):
            quotient = (up - down) / width
        assert abs(float(quotient) - float(slope[i, p])) < 1e-11


def test_hessian_is_the_derivative_of_the_gradient_at_every_angle():
    rng = np.random.default_rng(5)
    students, teachers, a, b = at_every_angle(rng)
    direction = rng.normal(size=students.shape)
    step = 1e-12
    with flint.ctx.workprec(192):
        matrix = midpoints(by_pairs.hessian(by_pairs.float_pairs(students, a, teachers, b)))
        moved = by_pairs.exact(students) + by_pairs.exact(direction) * arb(step)
        neurons = flint.arb_mat(6, 4, moved.entries() + by_pairs.exact(teachers).entries())
        weights = [arb(float(c)) for c in [*a, *(-b)]]
        after = by_pairs.gradient(by_pairs.angles(neurons, weights, 3))
        before = by_pairs.gradient(by_pairs.float_pairs(students, a, teachers, b))
        quotient = midpoints((after - before) / arb(step))
    difference = matrix @ direction.ravel() - quotient.ravel()
    # the third derivative is of order 1/|w|², the step 1e-12
    assert np.max(np.abs(difference)) < 1e-9


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_risk_is_twice_differentiable_where_two_students_are_parallel(sign):
    students = np.array([[1.0, 0.5], [sign * 2.0, sign * 1.0]])
    teachers, ones = np.eye(2), np.ones(2)
    with flint.ctx.workprec(256):
        there = by_pairs.float_pairs(students, ones, teachers, ones)
        matrix, before = midpoints(by_pairs.hessian(there)), by_pairs.gradient(there)
        for direction in np.random.default_rng(0).normal(size=(5, 2, 2)):
            moved = by_pairs.exact(students) + by_pairs.exact(direction) * arb(1e-9)
            neurons = flint.arb_mat(4, 2, moved.entries() + by_pairs.exact(teachers).entries())
            weights = [arb(1), arb(1), arb(-1), arb(-1)]
            after = by_pairs.gradient(by_pairs.angles(neurons, weights, 2))
            quotient = midpoints((after - before) / arb(1e-9)).ravel()
            assert np.max(np.abs(matrix @ direction.ravel() - quotient)) < 1e-7


def test_both_hessian_enclosures_overlap_and_floats_lie_near():
    rng = np.random.default_rng(6)
    students, teachers, a, b = at_every_angle(rng)
    with flint.ctx.workprec(128):
        here = by_pairs.float_pairs(students, a, teachers, b)
        first, m = by_pairs.hessian(here), by_pairs.padding(here)
        slope = midpoints(by_pairs.gradient(here))
    with flint.ctx.workprec(256):
        other = RiskAtPoint(
            vectors(students), list(map(arb, a)), vectors(teachers), list(map(arb, b))
        )
        assert first.overlaps(other.hessian())
        assert m.overlaps(other.padding())
        assert abs(float(other.gradient_norm()) - np.linalg.norm(slope)) < 1e-14
    problem = Problem(teachers, b, a)
    assert np.max(np.abs(float_gradient(problem, students) - slope)) < 1e-13
    assert np.max(np.abs(float_hessian(problem, students) - midpoints(first))) < 1e-5


@pytest.mark.parametrize("extra", [1, 5])
def test_padding_adds_the_spectrum_of_m_once_for_each_coordinate(extra):
    rng = np.random.default_rng(7)
    students, teachers = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    a, b = rng.normal(size=3), rng.normal(size=2)
    pad = ((0, 0), (0, extra))
    with flint.ctx.workprec(128):
        narrow = by_pairs.float_pairs(students, a, teachers, b)
        wide = by_pairs.float_pairs(np.pad(students, pad), a, np.pad(teachers, pad), b)
        own, m = midpoints(by_pairs.hessian(narrow)), midpoints(by_pairs.padding(narrow))
        whole = midpoints(by_pairs.hessian(wide))
    expected = np.concatenate([np.linalg.eigvalsh(own), np.tile(np.linalg.eigvalsh(m), extra)])
    np.testing.assert_allclose(np.linalg.eigvalsh(whole), np.sort(expected), atol=1e-13)


def test_zero_neurons_and_zero_weights_add_nothing_to_the_value():
    teacher, ones = np.eye(2), np.ones(2)
    padded = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    with flint.ctx.workprec(128):
        risk = by_pairs.value(by_pairs.float_pairs(padded, np.ones(3), teacher, ones))
        weightless = by_pairs.float_pairs(padded + 1, np.array([0.0, 0.0, 0.0]), teacher, ones)
    assert risk.contains(0)
    assert weightless.students == 0


def test_no_eigenvalue_of_m_lies_below_the_hessian():
    """M is the mean of the Hessian over the unit vectors of R^d, so padding never lowers it."""
    rng = np.random.default_rng(8)
    for _ in range(5):
        students, teachers, a, b = at_every_angle(rng)
        with flint.ctx.workprec(128):
            here = by_pairs.float_pairs(students, a, teachers, b)
            whole, m = midpoints(by_pairs.hessian(here)), midpoints(by_pairs.padding(here))
        mean = np.einsum("ipjp->ij", whole.reshape(3, 4, 3, 4)) / 4
        np.testing.assert_allclose(mean, m, atol=1e-13)
        assert np.linalg.eigvalsh(whole)[0] <= np.linalg.eigvalsh(m)[0] + 1e-13
