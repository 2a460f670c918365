"""What is proven does not depend on units: of length, of coordinates, of the second layer."""

import re

import numpy as np
import pytest

from landscape_jax.proofs import prove_minimum, verify
from landscape_jax.proofs.certificate_file import content
from landscape_jax.proofs.problem import balancing_units
from tests.proofs.helpers import certified, descend, make_risk, spurious, unproven

RANDOM = np.random.default_rng(0)
# A trap of six neurons; of two, a saddle, a global minimum, and points that are not critical.
SADDLE = descend(make_risk(np.eye(2)), np.full((2, 2), 0.4), tolerance=1e-12)
GLOBAL = np.eye(3) + 1e-6 * RANDOM.normal(size=(3, 3))
POINTS = {
    "spurious": (6, lambda: spurious(6)[1]),
    "saddle": (2, lambda: SADDLE),
    "global": (3, lambda: GLOBAL),
    "no critical point": (3, lambda: RANDOM.normal(size=(3, 3))),
    "half the teacher": (3, lambda: 0.5 * np.eye(3)),
}
KINDS = {"spurious": "spurious", "global": "global"}


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("seed", range(5))
def test_proofs_commute_with_scaling_rotation_permutation_and_padding(name, seed):
    rng = np.random.default_rng(seed)
    size, point = POINTS[name]
    for _ in range(8):
        scale = 10.0 ** rng.uniform(-12, 9)
        dim = size + int(rng.integers(0, 3))
        turn = scale * np.linalg.qr(rng.normal(size=(dim, dim)))[0][:size]
        risk = make_risk(rng.permutation(turn))
        outcome = prove_minimum(risk, rng.permutation(point() @ turn))
        assert outcome.kind == KINDS.get(name), outcome.reason
        if outcome.kind is not None:
            assert verify(outcome, risk), verify(outcome).reason
        elif name == "saddle":
            assert outcome.min_eigenvalue_upper is not None


@pytest.mark.parametrize("scale", [1e-12, 1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("max_move", [0, 1e-3])
def test_bounds_scale_with_the_problem(scale, max_move):
    risk, point, _ = spurious(6)
    one = certified(risk, point, max_move=max_move)
    other = certified(make_risk(scale * np.eye(6)), scale * point, max_move=max_move)
    assert verify(other), verify(other).reason
    assert other.kind == one.kind == "spurious"
    for name, power in {
        "moved": 1,
        "value_lower": 2,
        "value_upper": 2,
        "min_eigenvalue_lower": 0,
        "lipschitz_upper": -1,
        "uniqueness_radius": 1,
        "ball_radius": 1,
        "teacher_gram_lower": 2,
        "teacher_gram_upper": 2,
    }.items():
        expected = getattr(one, name) * scale**power
        assert abs(getattr(other, name) - expected) <= 1e-6 * expected, name
    if max_move == 0:
        assert abs(other.radius - scale * one.radius) < 1e-3 * scale * one.radius


@pytest.mark.parametrize("scale", [1e-60, 1e-12, 1e9, 1e60])
@pytest.mark.parametrize("weight", [1.0, 1e-20, 1e20])
def test_least_gradient_norm_is_relative(scale, weight):
    """Where ∇F = 0 exactly, 2⁻¹⁰⁰ of the problem's scale is stated, to a factor of four."""
    weights = np.full(2, weight)
    proof = certified(make_risk(scale * np.eye(2), weights, weights), scale * np.eye(2))
    assert proof.kind == "global"
    assert 0.25 <= proof.gradient_norm_upper / (2.0**-100 * weight**2 * scale) <= 4
    assert proof.radius < 1e-28 * scale
    assert verify(proof), verify(proof).reason


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("seed", range(5))
def test_proofs_are_those_of_the_same_function_with_other_second_layers(name, seed):
    """(a, w) → (a/c, cw) leaves the function; only roundings of relative size 1e-16 are new."""
    rng = np.random.default_rng(100 + seed)
    size, point = POINTS[name]
    for _ in range(8):
        c = 10.0 ** rng.uniform(-6, 6, size=size)
        risk = make_risk(np.eye(size), None, 1 / c)
        outcome = prove_minimum(risk, point() * c[:, None])
        assert outcome.kind == KINDS.get(name), outcome.reason
        if outcome.kind is not None:
            assert verify(outcome, risk), verify(outcome).reason


def test_trap_with_second_layer_weights_of_six_sizes_is_proven():
    weights = np.array([1, 1e3, 1e-3, 1, 10, 1])
    point = spurious(6)[1] / weights[:, None]
    proof = certified(make_risk(np.eye(6), None, weights), point)
    assert proof.kind == "spurious"
    assert proof.units.tolist() == [1, 1024, 2**-10, 1, 8, 1]
    assert np.array_equal(proof.given, point)
    assert np.array_equal(proof.student_weights, weights)
    assert np.allclose(proof.point * weights[:, None], spurious(6)[2].point, atol=1e-9)
    assert abs(proof.value_upper - spurious(6)[2].value_upper) < 1e-12
    assert proof.witness is not None
    assert np.allclose(proof.witness * weights[:, None], np.eye(6))
    units = "in the coordinates u_i w_i with u = (1.0, 1024.0, 0.0009765625, 1.0, 8.0, 1.0)"
    assert units in proof.statement
    assert verify(proof), verify(proof).reason


def test_distances_are_measured_in_balanced_coordinates():
    weights = np.array([1, 1e3, 1e-3, 1, 10, 1])
    step = np.zeros((6, 6))
    step[2, 2] = 1e-4
    point = (spurious(6)[2].point + step) / weights[:, None]
    proof = certified(make_risk(np.eye(6), None, weights), point)
    moved = (proof.point - proof.given) * proof.units[:, None]
    assert abs(np.linalg.norm(moved) - proof.moved) < 1e-12
    assert proof.moved < 1.1e-4  # in the user's coordinates 0.1
    assert np.linalg.norm(proof.point - proof.given) > 0.09


@pytest.mark.parametrize(
    ("weights", "words"),
    [([1.0, 1.0], "of the given point: "), ([1.0, 256.0], "of the given point in balanced coord")],
)
def test_reason_names_the_coordinates_of_its_distance(weights, words):
    a = np.array(weights)
    outcome = unproven(make_risk(np.eye(2), None, a), np.full((2, 2), 3.0) / a[:, None])
    assert re.match(rf"no critical point lies within \S+ {words}", outcome.reason)


def test_units_of_a_uniform_second_layer_are_ones():
    for size in (0.3, 1.0, -7.0, 1e-9):
        assert np.array_equal(balancing_units(np.full(5, size)), np.ones(5))
    assert "coordinates" not in spurious(6)[2].statement


def test_units_divide_out_all_but_a_factor_of_two():
    rng = np.random.default_rng(0)
    for _ in range(200):
        weights = rng.choice([-1.0, 1.0], 7) * 10.0 ** rng.uniform(-90, 90, 7)
        units = balancing_units(weights)
        assert np.all(np.frexp(units)[0] == 0.5)
        balanced = np.abs(weights / units)
        assert max(balanced) / min(balanced) <= 2 * (1 + 1e-12)


def test_certificate_in_units_is_written_and_read(tmp_path):
    weights = np.array([1.0, 1e5])
    proof = certified(make_risk(np.eye(2), None, weights), np.eye(2) / weights[:, None])
    assert proof.kind == "global"
    assert proof.units.tolist() == [2.0**-17, 1.0]
    assert verify(proof.save(tmp_path / "proof.json"))
    assert content(proof.entries(), proof.statement)["units"] == [
        "0x1.0000000000000p-17",
        "0x1.0000000000000p+0",
    ]
