"""Points without a minimum nearby get no certificate; what gets one has its minimum."""

import flint
import numpy as np
import pytest
from flint import arb

from landscape_jax.proofs import Certificate, NotProven, prove_minimum, verify
from landscape_jax.proofs.balls import frobenius
from landscape_jax.proofs.estimates import float_gradient, float_hessian
from landscape_jax.proofs.lipschitz import hessian_norm
from landscape_jax.proofs.pairs import gradient
from landscape_jax.proofs.problem import Problem, balancing_units, sizes
from tests.proofs.helpers import certified, descend, make_risk, pattern, spurious, unproven

MOVE = 1e-3


def random_problem(rng):
    n, k, d = rng.integers(1, 7), rng.integers(1, 7), rng.integers(1, 7)
    scale = 10.0 ** rng.uniform(-2, 1)
    teacher, point = scale * rng.normal(size=(k, d)), scale * rng.normal(size=(n, d))
    outer, inner = (rng.choice([-1.0, 1.0], m) * 10 ** rng.uniform(-0.5, 0.5, m) for m in (k, n))
    return Problem(teacher, outer, inner), point


@pytest.mark.parametrize("seed", range(10))
def test_no_certificate_where_the_gradient_excludes_every_critical_point(seed):
    """|∇F(W)| > Λρ leaves no critical point within ρ = max_move + radius, neurons of length 1."""
    rng = np.random.default_rng(seed)
    excluded = 0
    for _ in range(150):
        problem, point = random_problem(rng)
        risk = make_risk(problem.teacher, problem.teacher_weights, problem.student_weights)
        proof = prove_minimum(risk, point, max_move=MOVE)
        shortest = np.linalg.norm(point * balancing_units(problem.student_weights)[:, None], axis=1)
        if excludes(problem, point, min(shortest) * (MOVE + (1 + MOVE) / 4)):
            excluded += 1
            assert not proof
        if isinstance(proof, Certificate):
            check_independently(problem, proof)
            assert proof.moved <= MOVE * min(shortest)
            assert not excludes(problem, point, proof.moved + proof.radius)
    assert excluded > 100


def excludes(problem, point, length):
    """Check that no critical point lies within a length of a point, in balanced coordinates."""
    units = balancing_units(problem.student_weights)
    with flint.ctx.workprec(128):
        here = problem.balanced(units).pairs(point * units[:, None])
        reach = arb(length)
        return bool(frobenius(gradient(here)) > hessian_norm(sizes(here), reach) * reach)


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_what_is_proven_without_a_move_is_proven_with_any(seed):
    """max_move = 0 proves the given point as it is; a larger one never refuses what that proves."""
    risk, _, proof = spurious(6)
    rng = np.random.default_rng(seed)
    proven = 0
    for _ in range(40):
        step = rng.normal(size=(6, 6))
        step *= 10.0 ** rng.uniform(-12, -3) / np.linalg.norm(step)
        away = prove_minimum(risk, proof.point + step, max_move=0)
        if isinstance(away, NotProven):
            continue
        assert isinstance(away, Certificate)
        proven += 1
        assert away.moved == 0
        assert np.array_equal(away.point, away.given)
        assert np.linalg.norm(away.point - proof.point) <= away.radius + proof.radius
        for move in (1e-300, 1e-16, 1e-9, 1e-5, 1e-1):
            again = certified(risk, proof.point + step, max_move=move)
            assert again.kind == "spurious"
            assert again.radius <= away.radius
    assert proven > 20


def check_independently(problem, proof):
    """Check a certificate's minimum with float64 derivatives that know nothing of balls."""
    problem = problem.balanced(proof.units)
    slope = float_gradient(problem, proof.point * proof.units[:, None])
    matrix = float_hessian(problem, proof.point * proof.units[:, None])
    assert np.linalg.norm(slope) <= proof.gradient_norm_upper + 1e-12
    assert np.linalg.eigvalsh(matrix)[0] >= proof.min_eigenvalue_lower - 1e-7
    assert verify(proof), verify(proof).reason


@pytest.mark.parametrize("seed", range(5))
def test_no_certificate_of_spuriousness_around_a_global_minimum(seed):
    """F is smaller than its value anywhere near: what is certified there is the global minimum."""
    rng = np.random.default_rng(seed)
    kinds = []
    for _ in range(40):
        size = int(rng.integers(1, 6))
        teacher = rng.normal(size=(size, size)) + 2 * np.eye(size)
        noise = 10.0 ** rng.uniform(-16, -2) * rng.normal(size=teacher.shape)
        proof = prove_minimum(make_risk(teacher), rng.permutation(teacher) + noise)
        kinds.append(proof.kind)
        assert proof.kind != "spurious"
        if proof:
            assert (proof.value_lower or 0.0) <= 1e-12
    assert kinds.count("global") > 20


@pytest.mark.parametrize("seed", range(4))
def test_minima_further_away_than_max_move_are_not_certified(seed):
    risk, _, proof = spurious(6)
    rng = np.random.default_rng(seed)
    for _ in range(60):
        step = rng.normal(size=(6, 6))
        step *= 10.0 ** rng.uniform(np.log10(1.01 * MOVE), -1) / np.linalg.norm(step)
        away = prove_minimum(risk, proof.point + step, max_move=MOVE)
        length = np.linalg.norm(proof.point + step, axis=1).min()
        assert away.moved is None or away.moved <= MOVE * length
        if isinstance(away, Certificate):
            assert away.radius + away.moved > 0.99 * MOVE
            apart = np.linalg.norm(away.point - proof.point)
            assert apart <= away.radius + proof.radius or apart > proof.uniqueness_radius


def saddles(rng, count):
    """Yield critical points with a negative eigenvalue, found by Newton from random starts."""
    found = 0
    while found < count:
        size = int(rng.integers(2, 5))
        problem = Problem(np.eye(size), np.ones(size), np.ones(size))
        point = rng.normal(size=(size, size))
        for _ in range(40):
            matrix = float_hessian(problem, point)
            step = np.linalg.solve(matrix, float_gradient(problem, point).ravel())
            point = point - step.reshape(point.shape) / max(1.0, 2 * np.linalg.norm(step))
        critical = np.linalg.norm(float_gradient(problem, point)) < 1e-12
        if critical and np.linalg.eigvalsh(float_hessian(problem, point))[0] < -1e-6:
            found += 1
            yield problem, point


@pytest.mark.slow
def test_saddles_get_no_certificate():
    rng = np.random.default_rng(0)
    for problem, point in saddles(rng, 25):
        proof = unproven(make_risk(problem.teacher), point)
        assert "eigenvalue of at most -" in proof.reason
        assert proof.min_eigenvalue_upper is not None
        assert proof.point is not None
        lowest = np.linalg.eigvalsh(float_hessian(problem, proof.point))[0]
        assert lowest - 1e-9 < proof.min_eigenvalue_upper < lowest + 1e-9


@pytest.mark.slow
def test_other_teachers_have_no_minimum_at_the_same_point():
    risk, _, proof = spurious(6)
    rng = np.random.default_rng(1)
    for _ in range(200):
        teacher = risk.teacher + 10.0 ** rng.uniform(-1.5, 0) * rng.normal(size=(6, 6))
        other = prove_minimum(make_risk(teacher), proof.point)
        problem = Problem(teacher, np.ones(6), np.ones(6))
        away = np.linalg.norm(float_gradient(problem, proof.point))
        assert not other or away < 4 * MOVE


@pytest.mark.parametrize("gap", [0.0, 1e-14, 1e-9, 1e-5])
@pytest.mark.parametrize("sign", [1, -1])
def test_parallel_neurons_get_no_certificate_of_a_minimum_that_is_not_there(gap, sign):
    rng = np.random.default_rng(2)
    for _ in range(25):
        point = rng.normal(size=(4, 3))
        point[1] = sign * point[0] * rng.uniform(0.5, 2) + gap * rng.normal(size=3)
        assert not prove_minimum(make_risk(np.eye(3)), point)


def test_families_of_global_minima_are_no_strict_minima():
    """Splitting a neuron in two along its ray keeps the function: no certificate for n > k."""
    rng = np.random.default_rng(3)
    for _ in range(40):
        share = rng.uniform(0.1, 0.9)
        point = np.concatenate([np.eye(3), np.eye(3)[:1]])
        point[0], point[3] = share * point[0], (1 - share) * point[3]
        assert not prove_minimum(make_risk(np.eye(3)), point)


@pytest.mark.parametrize("size", [6, 7, 8])
def test_every_certificate_of_a_descent_verifies(size):
    risk, _, proof = spurious(size)
    assert proof.kind == "spurious"
    check_independently(Problem(risk.teacher, np.ones(size), np.ones(size)), proof)


@pytest.mark.slow
def test_twenty_neurons_are_proven_and_verified():
    risk = make_risk(np.eye(20))
    proof = certified(risk, descend(risk, pattern(20)))
    assert proof.kind == "spurious"
    assert verify(proof).holds
