"""Files of 40 kB that claim what is false are refused at once; float64 refuses nothing true."""

import json
import time
from dataclasses import replace

import flint
import numpy as np
import pytest
from flint import arb

from landscape_jax.proofs import Certificate, verify
from landscape_jax.proofs.arguments import newton_kantorovich
from landscape_jax.proofs.balls import midpoints
from landscape_jax.proofs.certificate_file import content
from landscape_jax.proofs.estimates import float_gradient, float_hessian, float_padding, float_value
from landscape_jax.proofs.lipschitz import Sizes, hessian_lipschitz
from landscape_jax.proofs.pairs import gradient, hessian, padding, value
from landscape_jax.proofs.plausible import MARGIN, implausible
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.teacher_rays import digest
from tests.proofs.helpers import at_every_angle, spurious


def hostile(point, teacher, weights, outer, eigenvalue=0.05, **changes):
    """Forge a certificate whose numbers agree with each other, and with the point where asked."""
    n, k = len(point), len(teacher)
    norms = np.linalg.norm(point, axis=1)
    mass = float(np.abs(outer) @ np.linalg.norm(teacher, axis=1))
    sizes = Sizes([arb(x) for x in np.abs(weights)], [arb(x) for x in norms], arb(mass))
    ball = float(norms.min()) / 4
    lipschitz = 1.001 * float(hessian_lipschitz(sizes, arb(ball)).upper()) + 1e-300
    slope = min(1e-12, eigenvalue**2 / lipschitz / 10)
    radii = newton_kantorovich(slope, eigenvalue, lipschitz, ball)
    assert radii is not None
    risk = max(0.0, float_value(Problem(teacher, outer, weights), point))
    entries = {
        "kind": "minimum", "argument": "newton-kantorovich", "point": point, "given": point,
        "teacher": teacher, "teacher_weights": outer, "student_weights": weights,
        "units": np.ones(n), "witness": None, "teacher_digest": digest(teacher, outer, weights),
        "moved": 0.0,
        "teacher_gram_lower": 0.0, "teacher_gram_upper": 2 * float(np.sum(teacher**2)),
        "value_lower": risk * (1 - 1e-6), "value_upper": risk * (1 + 1e-6) + 1e-12,
        "witness_value_upper": None, "gradient_norm_upper": slope,
        "min_eigenvalue_lower": eigenvalue - 1.000001 * lipschitz * radii.radius,
        "padding_min_eigenvalue_lower": None, "lipschitz_upper": lipschitz,
        "radius": radii.radius, "uniqueness_radius": radii.uniqueness, "ball_radius": ball,
        "every_higher_dimension": False,
    }  # fmt: skip
    assert (n, k) == (len(weights), len(outer))
    return Certificate(**{**entries, **changes})


def of_size(n, k, d):
    rng = np.random.default_rng(n + k + d)
    point, teacher = (rng.integers(1, 9, size=(m, d)) / 4 for m in (n, k))
    return hostile(point, teacher, np.ones(n), np.ones(k))


def cancelling(n, d):
    """Students that cancel in pairs, no teacher: F = 0 and ∇F = 0 exactly, a singular Hessian."""
    point = np.repeat(np.random.default_rng(n).integers(1, 9, size=(n // 2, d)) / 4, 2, axis=0)
    weights = np.tile([1.0, -1.0], n // 2)
    return hostile(point, np.ones((1, d)), weights, np.zeros(1), value_lower=0.0)


SIZES = [(400, 1, 1), (350, 100, 1), (200, 400, 1), (20, 20, 20), (1, 1, 600), (2, 2, 300)]
SIZES += [(10, 10, 60), (100, 100, 5), (13, 100, 13), (20, 1, 40), (300, 250, 1), (1, 790, 1)]
FORGED = {f"{size}": (of_size, size) for size in SIZES}
FORGED |= {f"cancelling {size}": (cancelling, size) for size in [(400, 1), (180, 3), (50, 16)]}


@pytest.mark.parametrize("name", FORGED)
def test_hostile_file_of_forty_kilobytes_is_refused_at_once(tmp_path, name):
    make, size = FORGED[name]
    proof, path = make(*size), tmp_path / "hostile.json"
    text = json.dumps(content(proof.entries(), proof.statement), separators=(",", ":"))
    assert 30_000 < len(text) < 48_000
    path.write_text(text)
    start = time.perf_counter()
    result = verify(path)
    assert time.perf_counter() - start < 3
    assert not result
    assert result.gradient_norm_upper is None  # no ball arithmetic over pairs
    assert result.reason in (
        "the gradient is not proven as small as claimed.",
        "the Hessian's smallest eigenvalue is not proven as large as claimed.",
        "the problem is too large to be checked.",
        "two students share a ray, where the risk is flat in how they share it.",
    )


def test_two_students_on_one_ray_are_refused_however_fine_the_lie():
    """Their Hessian is singular in how they share the ray; λ = 1e-13 is too small for floats."""
    point = np.array([[0.5, 0.25], [1.0, 0.5], [0.0, 1.0]])
    made = hostile(point, np.array([[1.5, 0.75], [0.0, 1.0]]), np.ones(3), np.ones(2), 1e-13)
    assert verify(made).reason == (
        "two students share a ray, where the risk is flat in how they share it."
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gradient_norm_upper": 1e-12}, None),
        ({"value_upper": 0.0250}, "the minimum's value is not proven as small as claimed."),
        ({"value_lower": 0.0251}, "the minimum's value is not proven as large as claimed."),
        (
            {"min_eigenvalue_lower": 0.0048},
            "the Hessian's smallest eigenvalue is not proven as large as claimed.",
        ),
        (
            {"padding_min_eigenvalue_lower": 0.2},
            "the Hessian in further dimensions is not proven as large as claimed.",
        ),
        (
            {"teacher_gram_lower": 1.1},
            "the teacher's Gram matrix is not proven to have the claimed eigenvalues.",
        ),
        (
            {"teacher_gram_upper": 0.9},
            "the teacher's Gram matrix is not proven to have the claimed eigenvalues.",
        ),
        ({"witness": 1.01 * np.eye(6)}, "the witness' value is not proven as small as claimed."),
        (
            {"point": spurious(6)[2].point + 1e-6},
            "the gradient is not proven as small as claimed.",
        ),
    ],
)
def test_float64_refutes_what_is_false_by_more_than_rounding(changes, reason):
    proof = spurious(6)[2]
    forged = object.__new__(Certificate)
    for field, entry in {**vars(proof), **changes}.items():
        object.__setattr__(forged, field, entry)
    assert next(implausible(forged), None) == reason


def test_float64_estimates_are_within_the_margin_at_every_angle():
    rng = np.random.default_rng(0)
    for _ in range(200):
        point, teacher, weights, outer = at_every_angle(rng)
        if rng.random() < 0.5:
            gap = 10.0 ** rng.uniform(-18, -1) * rng.normal(size=4)
            point[1] = rng.choice([-2.0, 2.0]) * point[0] + gap
        problem = Problem(teacher, outer, weights)
        a, norms = np.abs(weights), np.linalg.norm(point, axis=1)
        size = a @ norms + np.abs(outer) @ np.linalg.norm(teacher, axis=1)
        bend = np.sum(a**2) + np.max(a * size / norms)
        with flint.ctx.workprec(256):
            pairs = problem.pairs(point)
            exactly = [midpoints(x(pairs)) for x in (gradient, hessian, padding)]
            risk = float(value(pairs))
        off = [
            np.linalg.norm(float_gradient(problem, point) - exactly[0])
            / (np.linalg.norm(a) * size),
            np.linalg.norm(float_hessian(problem, point) - exactly[1]) / bend,
            np.linalg.norm(float_padding(problem, point) - exactly[2]) / bend,
            abs(float_value(problem, point) - risk) / size**2,
        ]
        assert max(off) < 1e-3 * MARGIN


@pytest.mark.parametrize(
    ("field", "step", "reason"),
    [
        ("min_eigenvalue_lower", 2e-11, "the Hessian's smallest eigenvalue is not proven"),
        ("padding_min_eigenvalue_lower", 2e-11, "the Hessian in further dimensions is not proven"),
        ("value_lower", 1e-13, "the minimum's value is not proven as large"),
        ("value_upper", -1e-13, "the minimum's value is not proven as small"),
        ("teacher_gram_lower", 1e-12, "the teacher's Gram matrix is not proven"),
        ("teacher_gram_upper", -1e-12, "the teacher's Gram matrix is not proven"),
        ("gradient_norm_upper", -1e-17, "the gradient is not proven as small"),
        ("witness_value_upper", -1e-37, "the witness' value is not proven as small"),
    ],
)
def test_what_float64_cannot_tell_is_for_the_balls(field, step, reason):
    proof = spurious(6)[2]
    forged = replace(proof, **{field: getattr(proof, field) + step})
    assert next(implausible(forged), None) is None
    assert str(verify(forged).reason).startswith(reason)


@pytest.mark.parametrize("power", [-480, -300, -40, 30, 480])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_float64_refuses_no_true_claim_at_any_scale(power, share):
    """2^power is put into the lengths, into the second layers, or into both."""
    one = spurious(6)[2]
    e = round(share * power)
    f = power - e
    powers = {
        "point": e, "teacher": e, "witness": e, "student_weights": f, "teacher_weights": f,
        "value_lower": 2 * (e + f), "value_upper": 2 * (e + f), "witness_value_upper": 2 * (e + f),
        "gradient_norm_upper": e + 2 * f, "min_eigenvalue_lower": 2 * f,
        "padding_min_eigenvalue_lower": 2 * f, "lipschitz_upper": 2 * f - e, "radius": e,
        "ball_radius": e, "teacher_gram_lower": 2 * e, "teacher_gram_upper": 2 * e,
    }  # fmt: skip
    with np.errstate(all="ignore"):
        entries = {name: np.ldexp(getattr(one, name), p)[()] for name, p in powers.items()}
        assert next(implausible(replace(one, **entries)), None) is None


def test_hostile_numbers_beyond_the_floats_are_refused_without_a_warning():
    proof = spurious(6)[2]
    for teacher in (1e200 * np.eye(6), np.full((6, 6), 1e308), 1e-300 * np.eye(6)):
        for changes in ({}, {"kind": "global", "value_lower": 0.0, "value_upper": 0.0,
                             "witness": None, "witness_value_upper": None}):  # fmt: skip
            name = digest(teacher, proof.teacher_weights, proof.student_weights)
            assert not verify(replace(proof, teacher=teacher, teacher_digest=name, **changes))
