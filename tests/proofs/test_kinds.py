"""A minimum with the teacher's function is global, however the teacher writes it."""

from dataclasses import replace

import numpy as np
import pytest
from flint import arb

from landscape_jax.proofs import prove_minimum, recheck, verify
from landscape_jax.proofs.kinds import is_teacher
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.teacher_rays import digest, gram_bounds, rays
from tests.proofs.helpers import certified, make_risk, spurious

E1, E2 = np.eye(2)


def numbers(found):
    return [(sign, [float(arb(x)) for x in u]) for sign, u in found]


@pytest.mark.parametrize(
    ("teacher", "weights", "expected"),
    [
        ([E1, E1, E2], [1, 1, 1], [(1, [2, 0]), (1, [0, 1])]),
        ([E1, 3 * E1, E2], [1, -1, 1], [(-1, [-2, 0]), (1, [0, 1])]),
        ([E1, 3 * E1, E2], [3, -1, 1], [(1, [0, 1])]),
        ([E1, -E1, E2], [1, 1, 1], [(1, [1, 0]), (1, [-1, 0]), (1, [0, 1])]),
        ([E1, 0 * E1, E2], [1, 1, 0], [(1, [1, 0])]),
        ([0 * E1], [1], []),
        ([E1 + 1e-15 * E2, E1], [1, 1], [(1, [1, 1e-15]), (1, [1, 0])]),
        ([[0.1, 0.3], [0.2, 0.6]], [1, 1], [(1, [0.1 + 0.2, 0.9])]),
        ([[0.1, 0.3], [0.3, 0.9]], [1, 1], [(1, [0.1, 0.3]), (1, [0.3, 0.9])]),
    ],
)
@pytest.mark.parametrize("route", [rays, recheck.rays])
def test_neurons_on_exactly_one_ray_are_one_neuron(teacher, weights, expected, route):
    """In float64 3·0.1 ≠ 0.3 and 3·0.3 ≠ 0.9: the last two are not parallel."""
    found = numbers(route(np.array(teacher, float), np.array(weights, float)))
    assert len(found) == len(expected)
    for (sign, u), (right, v) in zip(found, expected, strict=True):
        assert sign == right
        np.testing.assert_allclose(u, v, rtol=1e-15)


def test_both_routes_merge_the_same_rays():
    rng = np.random.default_rng(0)
    for _ in range(200):
        count, dim = rng.integers(1, 9), rng.integers(1, 4)
        teacher = rng.integers(-2, 3, size=(count, dim)) * 2.0 ** rng.integers(-60, 60)
        weights = rng.integers(-2, 3, size=count).astype(float)
        ours, theirs = rays(teacher, weights), recheck.rays(teacher, weights)
        assert ours == theirs


def test_teacher_with_two_neurons_on_one_ray_is_a_global_minimum_of_two_students():
    risk = make_risk(np.array([E1, E1, E2]))
    proof = certified(risk, np.array([2 * E1, E2]))
    assert proof.kind == "global"
    assert proof.value_lower == proof.value_upper == 0
    assert verify(proof, risk), verify(proof).reason


@pytest.mark.parametrize("seed", range(4))
def test_teachers_split_along_their_rays_are_global_minima(seed):
    """Neurons are split along rays, cancelling pairs and dead neurons added; all sums are exact."""
    rng = np.random.default_rng(seed)
    for _ in range(50):
        size = int(rng.integers(1, 4))
        scale = 2.0 ** rng.integers(-30, 30)
        frame = scale * np.round(64 * np.eye(size) + 12 * rng.normal(size=(size, size))) / 64
        weights, teacher = [], []
        for v in frame:
            share = rng.integers(1, 4, size=int(rng.integers(1, 4)))
            weights += [1.0 / 4] * len(share)
            teacher += [4.0 * n / 8 * v for n in share]
        lone = frame[0] + 0.5 * scale
        teacher += [lone, 2 * lone, 0 * lone, lone]
        weights += [2.0, -1.0, 1.0, 0.0]
        order = rng.permutation(len(teacher))
        risk = make_risk(np.array(teacher)[order], np.array(weights)[order])
        merged = [np.array(u) for _, u in numbers(rays(risk.teacher, risk.teacher_weights))]
        assert len(merged) == size
        proof = certified(risk, rng.permutation(np.array(merged)))
        assert proof.kind == "global"
        assert verify(proof, risk), verify(proof).reason


def test_signs_decide_whether_a_student_may_take_a_ray():
    """b = −1 in sum on the ray of e1: a student of weight −1 computes it, one of weight 1 not."""
    teacher = np.array([E1, E1, E2])
    weights = np.array([1.0, -2.0, 1.0])
    point = np.array([E1, E2])
    proof = certified(make_risk(teacher, weights, np.array([-1.0, 1.0])), point)
    assert proof.kind == "global"
    assert verify(proof)
    other = prove_minimum(make_risk(teacher, weights, np.array([1.0, 1.0])), point)
    assert other.kind != "global"


def test_student_of_the_wrong_sign_is_not_the_teacher_though_its_vector_fits():
    """−relu(x₁) and relu(−x₁) have the vector b v/a = −e1, and are not the same function."""
    for teacher_weight, student_weight, point in ((-1.0, 1.0, -E1), (1.0, -1.0, -E1)):
        problem = Problem(E1[None], np.array([teacher_weight]), np.array([student_weight]))
        assert not is_teacher(problem, point[None], 0.1)
        right = Problem(E1[None], np.array([teacher_weight]), np.array([teacher_weight]))
        assert is_teacher(right, E1[None], 0.1)


def test_more_rays_than_students_have_no_global_minimum():
    risk = make_risk(np.array([E1, E2, -E1]))
    assert prove_minimum(risk, np.array([E1, E2])).kind != "global"


def test_nearly_parallel_teachers_are_not_merged():
    """2e1 + 1e-15 e2 in two parts that are not parallel: no neuron computes both exactly."""
    risk = make_risk(np.array([E1, E1 + 1e-15 * E2, E2]))
    proof = prove_minimum(risk, np.array([2 * E1 + 1e-15 * E2, E2]))
    assert proof.kind in ("minimum", None)


@pytest.mark.parametrize("change", ["too few rays", "opposite rays", "another sum", "negative sum"])
def test_global_kind_is_not_believed(change):
    proof = certified(make_risk(np.array([E1, E1, E2])), np.array([2 * E1, E2]))
    teacher, weights = {
        "too few rays": (np.array([E1, E1, 2 * E1]), np.ones(3)),
        "opposite rays": (np.array([E1, -E1, E2]), np.ones(3)),
        "another sum": (np.array([E1, E1 * 1.5, E2]), np.ones(3)),
        "negative sum": (np.array([E1, 3 * E1, E2]), np.array([1.0, -1.0, 1.0])),
    }[change]
    least, most = gram_bounds(teacher)
    forged = replace(
        proof,
        teacher=teacher,
        teacher_weights=weights,
        teacher_digest=digest(teacher, weights, np.ones(2)),
        teacher_gram_lower=least,
        teacher_gram_upper=most,
    )
    reason = verify(forged).reason
    assert reason == "no point with the teacher's function lies within the uniqueness radius."


@pytest.mark.parametrize("point", [[E1, E1], [E2, E2], [E2, -E1]])
def test_every_ray_has_to_be_taken_by_one_student(point):
    proof = certified(make_risk(np.eye(2)), np.eye(2))
    forged = replace(proof, point=np.array(point), given=np.array(point))
    reason = verify(forged).reason
    assert reason == "no point with the teacher's function lies within the uniqueness radius."


def test_spurious_minimum_stays_spurious_for_a_split_teacher():
    _, point, _ = spurious(6)
    risk = make_risk(np.repeat(np.eye(6), 2, axis=0), np.full(12, 0.5))
    proof = certified(risk, point)
    assert proof.kind == "spurious"
    assert verify(proof, risk), verify(proof).reason
