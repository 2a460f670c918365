"""What is proven at known minima, and what a call refuses."""

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from landscape_jax.networks.activations import leaky
from landscape_jax.objectives import PopulationRisk
from landscape_jax.proofs import Certificate, prove_minima, prove_minimum, verify
from landscape_jax.proofs.arguments import ARGUMENTS
from landscape_jax.proofs.estimates import float_hessian
from landscape_jax.proofs.problem import Problem
from tests.proofs.helpers import certified, descend, make_risk, pattern, spurious, unproven
from tests.proofs.test_soundness import excludes


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_example_1_is_a_spurious_minimum_with_the_printed_bounds(argument):
    risk, point, _ = spurious(6)
    proof = certified(risk, point, argument=argument)
    assert proof.kind == "spurious"
    assert proof.min_eigenvalue_lower >= 0.004699
    assert proof.value_lower >= 0.02508
    assert proof.radius <= 1.12e-7
    assert proof.witness_value_upper is not None
    assert proof.witness_value_upper < 1e-30
    assert proof.every_higher_dimension
    assert proof.padding_min_eigenvalue_lower is not None
    assert proof.padding_min_eigenvalue_lower > 0.19
    assert proof.moved <= 1e-3
    assert verify(proof), verify(proof).reason
    np.testing.assert_allclose(
        proof.point[0], [0.987, -0.05, -0.05, -0.05, -0.05, 0.308], atol=6e-4
    )
    np.testing.assert_allclose(proof.point[5], [0.225] * 5 + [-0.602], atol=6e-4)


@pytest.mark.parametrize("extra", [1, 5])
def test_padded_point_has_the_proof_of_the_narrow_one(extra):
    risk, _, narrow = spurious(6)
    pad = ((0, 0), (0, extra))
    proof = certified(make_risk(np.pad(risk.teacher, pad)), np.pad(narrow.point, pad))
    assert proof.kind == "spurious"
    assert abs(proof.min_eigenvalue_lower - narrow.min_eigenvalue_lower) < 1e-9
    assert verify(proof)


@pytest.mark.parametrize("bits", [64, 192])
def test_precision_changes_the_bounds_little(bits):
    risk, point, proof = spurious(6)
    other = certified(risk, point, precision=bits)
    assert abs(other.min_eigenvalue_lower - proof.min_eigenvalue_lower) < 1e-9
    assert verify(other), verify(other).reason


def test_float32_points_are_taken_exactly():
    risk, point, _ = spurious(6)
    proof = certified(risk, point.astype(np.float32))
    assert proof.kind == "spurious"
    assert np.array_equal(proof.given, point.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ([1.0, 1.0, 1.0], None),
        ([1.0, -2.0, 3.0], [3.0, 1.0, -7.0]),
        ([1.0, 1.0, 2.0], [2.0, 3.0, 3.0]),
    ],
)
def test_teacher_itself_is_a_global_minimum(outer, inner):
    teacher = np.array([[1.0, 0.2, 0.0], [0.1, 1.5, 0.0], [0.3, 0.0, 0.7]])
    weights = None if inner is None else np.array(inner)
    a = np.ones(3) if weights is None else weights
    order = [int(np.flatnonzero(np.sign(outer) == s)[0]) for s in np.sign(a)]
    order = [0, 1, 2] if (a > 0).all() else [order[0], 2, order[2]]
    point = np.stack([outer[j] / c * teacher[j] for c, j in zip(a, order, strict=True)])
    risk = make_risk(teacher, np.array(outer), weights)
    noise = 1e-5 * np.random.default_rng(0).normal(size=(3, 3))
    for start in (point, point + noise):
        proof = certified(risk, start)
        assert proof.kind == "global"
        assert proof.value_lower == proof.value_upper == 0
        assert verify(proof), verify(proof).reason


def test_global_minimum_of_too_few_neurons_is_no_spurious_one():
    """n < k: the least value is positive, and no witness exists."""
    risk = make_risk(np.eye(3))
    point = descend(risk, np.array([[0.9, 0.2, 0.3], [0.1, 0.9, 0.6]]), tolerance=1e-9)
    proof = certified(risk, point)
    assert proof.kind == "minimum"
    assert proof.value_lower > 0.01
    assert verify(proof)


def test_minimum_of_mismatched_signs_is_no_spurious_one():
    risk = make_risk(np.eye(2), np.array([1.0, -1.0]))
    point = descend(risk, np.array([[0.9, -0.4], [0.2, 0.01]]), steps=50000, tolerance=1e-9)
    proof = prove_minimum(risk, point)
    assert proof.kind in (None, "minimum")
    assert proof.value_lower is None or proof.value_lower > 0


def test_one_coordinate_and_one_neuron_are_no_exception():
    proof = certified(make_risk(np.array([[2.0]])), [[1.9999]])
    assert proof.kind == "global"
    assert verify(proof)


def test_witness_of_the_user_decides_between_minimum_and_spurious():
    risk, point, _ = spurious(6)
    worse = certified(risk, point, witness=point)
    assert worse.kind == "minimum"
    assert worse.witness is None
    own = certified(risk, point, witness=1.01 * np.eye(6))
    assert own.kind == "spurious"
    assert own.witness_value_upper is not None
    assert own.witness_value_upper > 1e-6
    assert verify(worse)
    assert verify(own)


def test_minima_are_proven_in_order():
    risk, point, _ = spurious(6)
    first, second = prove_minima(risk, np.stack([point, np.full((6, 6), np.nan)]))
    assert (first.proven, second.proven) == (True, False)
    assert bool(first)
    assert first.reason is None
    assert not second
    assert second.kind is None


def refusal(risk, point, **options):
    return unproven(risk, point, **options).reason


def test_reasons_of_refusals():
    risk, point, _ = spurious(6)
    assert refusal(risk, point * np.nan) == "the point is not finite."
    hollow = point.copy()
    hollow[2] = 0
    assert refusal(risk, hollow) == "neuron 2 is zero, where the risk is not differentiable twice."
    flat = make_risk(np.eye(6), student_weights=np.array([1.0, 0, 1, 1, 1, 1]))
    assert "second-layer weight 0" in refusal(flat, point)
    broken = make_risk(np.full((6, 6), np.inf))
    assert refusal(broken, point) == "the teacher or a second-layer weight is not finite."
    early = descend(risk, pattern(6), tolerance=1e-4)
    assert "too large for the Hessian's smallest" in refusal(risk, early, max_move=1e-4)
    assert "too large" in refusal(risk, point * 1e200)
    wide = make_risk(np.pad(np.eye(6)[[0, 0]], ((0, 0), (0, 2000))))
    assert "more than 2500 rows" in refusal(wide, np.full((6, 2006), 0.1), max_move=0.5)
    sizes = make_risk(np.eye(6), student_weights=np.array([1e-320, 1, 1, 1, 1, 1]))
    assert "leaves float64's range" in refusal(sizes, point)
    tiny = make_risk(np.eye(1) * 1e-170, np.ones(1) * 1e170)
    assert refusal(tiny, [[1.0]]) == "the teacher's Gram matrix is beyond the range of float64."


@pytest.mark.parametrize(
    ("step", "max_move"), [(0.1, 0.0), (0.1, 1e-3), (0.3, 1e-3), (0.3, 0.1), (5.0, 0.1)]
)
def test_no_critical_point_lies_where_a_reason_says_so(step, max_move):
    """The distance in the sentence is one within which the mean value theorem excludes them."""
    risk, point, _ = spurious(6)
    reason = refusal(risk, point + step, max_move=max_move)
    found = re.fullmatch(r"no critical point lies within (\S+) of the given point: .*", reason)
    assert (found is None) == (step == 0.1 and max_move == 0)
    if found is None:
        return
    shortest = np.linalg.norm(point + step, axis=1).min()
    assert float(found[1]) >= max_move * shortest
    problem = Problem(risk.teacher, np.ones(6), np.ones(6))
    assert excludes(problem, point + step, float(found[1]))


def test_a_point_excluded_within_max_move_alone_is_refused_for_that():
    assert "no critical point lies within 0.00101" in refusal(
        make_risk(np.eye(2)), [[1.0, 0.5], [0.0, 1.0]]
    )


@pytest.mark.parametrize(
    ("argument", "radius"), [("newton-kantorovich", 4.8e-8), ("safran-shamir", 1.0e-7)]
)
def test_raw_end_point_of_a_descent_is_certified_as_it_is(argument, radius):
    """At |∇F| ≤ 2.26e-10, that of the published (6,6) end point, the radii are the paper's."""
    risk, _, polished = spurious(6)
    raw = descend(risk, pattern(6), tolerance=2.26e-10)
    proof = certified(risk, raw, max_move=0, argument=argument)
    assert proof.kind == "spurious"
    assert proof.moved == 0
    assert np.array_equal(proof.point, raw)
    assert abs(proof.radius - radius) < 0.02 * radius
    assert np.linalg.norm(raw - polished.point) < proof.radius
    assert verify(proof), verify(proof).reason


def test_saddle_is_refused_with_its_negative_curvature():
    """Two neurons that share one teacher's direction: a critical point by symmetry."""
    teacher = np.eye(2)
    point = descend(make_risk(teacher), np.full((2, 2), 0.4), tolerance=1e-12)
    outcome = unproven(make_risk(teacher), point)
    assert "an eigenvalue of at most -0." in outcome.reason
    assert outcome.kind is None
    assert outcome.min_eigenvalue_upper is not None
    assert outcome.min_eigenvalue_upper < -0.01


def test_direction_of_descent_is_proven_at_the_point_off_the_teachers_span():
    """In R^300 the Hessian is that of the near point in the span: the bound counts the offset."""
    point = descend(make_risk(np.eye(2)), np.full((2, 2), 0.4), tolerance=1e-12)
    wide = make_risk(np.eye(300)[:2])
    inside = np.pad(point, ((0, 0), (0, 298)))
    off = inside + 1e-5 * (np.arange(300) > 1)
    here, there = (unproven(wide, p, max_move=0).min_eigenvalue_upper for p in (inside, off))
    assert here is not None
    assert there is not None
    assert here + 1e-6 < there < 0
    problem = Problem(wide.teacher, np.ones(2), np.ones(2))
    assert np.linalg.eigvalsh(float_hessian(problem, off))[0] <= there


def test_where_no_eigenvalue_is_negative_there_is_no_direction_of_descent():
    risk, point, _ = spurious(6)
    early = descend(risk, pattern(6), tolerance=1e-4)
    assert unproven(risk, early, max_move=1e-4).min_eigenvalue_upper is None
    assert unproven(risk, 3 * point).min_eigenvalue_upper is None


def test_degenerate_minimum_is_refused():
    """Two neurons on one teacher's ray may share it in any proportion: no strict minimum."""
    reason = refusal(make_risk(np.eye(2)[:1]), [[0.5, 0.0], [0.5, 0.0]])
    assert "not proven positive definite" in reason or "eigenvalue" in reason


def test_population_risks_of_other_activations_are_refused_and_relu_by_its_slopes_is_not():
    risk = PopulationRisk(np.eye(2), activation="leaky")
    with pytest.raises(TypeError, match="activation 'relu', not of 'leaky'"):
        prove_minimum(risk, np.eye(2))
    twin = PopulationRisk(np.eye(2), activation=leaky(1.0, 0.0))
    assert prove_minimum(twin, np.eye(2)).proven


@pytest.mark.parametrize(
    ("changes", "options", "error", "message"),
    [
        ({"activation": "tanh"}, {}, TypeError, "activation 'relu', not of 'tanh'"),
        ({"teacher": np.eye(2) * 1j}, {}, TypeError, "teacher has dtype complex128"),
        ({"teacher": np.ones(2)}, {}, ValueError, "teacher must have 2 axes, not 1"),
        (
            {"teacher": np.eye(3)},
            {},
            ValueError,
            r"W has neurons in R\^2, the teacher's are in R\^3",
        ),
        ({"teacher": np.ones((0, 2))}, {}, ValueError, "at least one neuron"),
        ({"teacher_weights": np.ones(3)}, {}, ValueError, "one entry for each"),
        ({"student_weights": np.ones(3)}, {}, ValueError, "3 student weights, but W has 2 neurons"),
        ({}, {"max_move": -1.0}, ValueError, "max_move"),
        ({}, {"max_move": np.inf}, ValueError, "max_move"),
        ({}, {"argument": "none"}, ValueError, "argument"),
        ({}, {"precision": 32}, ValueError, "precision must be an integer from 64 to 192"),
        ({}, {"witness": np.eye(3)}, ValueError, "witness must be a finite array"),
        ({}, {"witness": np.eye(2) * np.nan}, ValueError, "witness must be a finite array"),
    ],
)
def test_calls_without_sense_raise(changes, options, error, message):
    risk = make_risk(np.eye(2))
    for name, entry in changes.items():
        setattr(risk, name, entry)
    with pytest.raises((error, TypeError), match=message):
        prove_minimum(risk, np.eye(2), **options)


def test_only_population_risks_are_taken():
    with pytest.raises(TypeError, match="risk is a SimpleNamespace"):
        prove_minimum(SimpleNamespace(), np.eye(2))
    with pytest.raises(ValueError, match="W must have 2 axes"):
        prove_minimum(make_risk(np.eye(2)), np.ones(2))


EYE, WIDE = np.eye(2), np.eye(300)[:2]
EXTREMES = {
    "Newton's step ends at zero": (make_risk(np.eye(1)), [[-1e-9]], 1e-3),
    "huge student weights": (make_risk(EYE, None, np.full(2, 1e100)), 1e-100 * EYE, 1e-3),
    "huge weights": (make_risk(EYE, np.full(2, 1e150), np.full(2, 1e150)), EYE, 1e-3),
    "huge neurons": (make_risk(1e250 * EYE), 1e250 * EYE, 1e-3),
    "tiny neurons": (make_risk(1e-200 * EYE), 1e-200 * EYE, 1e-3),
    "smallest neurons": (make_risk(5e-324 * EYE), 5e-324 * EYE, 1e-3),
    "weights of many sizes": (make_risk(EYE, np.array([1e-100, 1e100])), EYE, 1e-3),
    "no teacher": (make_risk(0 * WIDE, None, np.array([1.0, -1])), WIDE + 1, 1e-3),
    "no teacher's weight": (make_risk(WIDE, np.zeros(2), np.array([1.0, -1])), WIDE + 1, 1e-3),
    "orthogonal to the teacher": (make_risk(WIDE), np.eye(300)[2:4], 10.0),
    "long way allowed": (make_risk(EYE), 3 * EYE[:, ::-1] - 1, 1e200),
    "short way allowed": (make_risk(EYE), EYE + 1e-9, 1e-200),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_numbers_end_in_an_answer(name, argument):
    risk, point, reach = EXTREMES[name]
    outcome = prove_minimum(risk, point, max_move=reach, argument=argument)
    shortest = min(math.hypot(*row) for row in np.asarray(point).tolist())
    assert outcome.moved is None or outcome.moved <= reach * shortest
    assert verify(outcome) if isinstance(outcome, Certificate) else outcome.reason


@pytest.mark.parametrize(
    "end",
    [
        [[1.0, 0.0], [0.0, 0.0]],  # a neuron dropped
        [[1.0, 0.0], [0.0, 5.0]],  # too far
        [[1.0, 1e-5], [0.0, 1.0]],  # a larger gradient
        [[np.nan, 0.0], [0.0, 1.0]],
    ],
)
def test_polish_is_not_trusted(monkeypatch, end):
    """Where the polish drops a neuron, goes too far or makes it worse, the given point is used."""
    given = np.array([[1.0, 1e-6], [0.0, 1.0]])
    monkeypatch.setattr("landscape_jax.proofs.minimum.polish", lambda *_: np.array(end))
    proof = certified(make_risk(np.eye(2)), given)
    assert np.array_equal(proof.point, given)
    assert proof.moved == 0


def test_polish_beyond_max_move_is_not_used(monkeypatch):
    """The teacher itself has no gradient, but lies 1e-6 away."""
    given = np.array([[1.0, 1e-6], [0.0, 1.0]])
    monkeypatch.setattr("landscape_jax.proofs.minimum.polish", lambda *_: np.eye(2))
    for max_move, moved in ((0.99e-6, False), (1.01e-6, True)):
        proof = certified(make_risk(np.eye(2)), given, max_move=max_move)
        assert np.array_equal(proof.point, np.eye(2) if moved else given)
        assert (proof.moved > 0) == moved


def test_max_move_is_relative_to_the_shortest_neuron():
    """The minimum is 6e-4 away: a tenth of the shortest neuron's length, not of one."""
    risk = make_risk(np.diag([1.0, 6e-3]))
    given = np.array([[1.0, 6e-4], [0.0, 6e-3]])
    proof = certified(risk, given, max_move=0.11)
    assert 5.9e-4 < proof.moved < 6.1e-4
    shorter = prove_minimum(risk, given, max_move=0.09)
    assert shorter.moved is not None
    assert shorter.moved < 0.09 * 6e-3
