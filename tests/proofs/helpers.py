"""Risks, descents and points that the proofs' tests share."""

from functools import cache
from types import SimpleNamespace

import numpy as np

from landscape_jax.proofs import Certificate, NotProven, prove_minimum
from landscape_jax.proofs.estimates import float_gradient
from landscape_jax.proofs.problem import Problem


def make_risk(teacher, teacher_weights=None, student_weights=None, activation="relu"):
    """Return the attributes of a population risk that a proof reads."""
    outer = np.ones(len(teacher)) if teacher_weights is None else np.asarray(teacher_weights)
    return SimpleNamespace(
        teacher=np.asarray(teacher, float),
        teacher_weights=outer,
        student_weights=student_weights,
        activation=activation,
    )


def descend(risk, point, steps=20000, tolerance=1e-6, rate=0.1):
    """Run plain gradient descent in float64."""
    weights = np.ones(len(point)) if risk.student_weights is None else risk.student_weights
    problem = Problem(risk.teacher, risk.teacher_weights, weights)
    for _ in range(steps):
        slope = float_gradient(problem, point)
        if np.linalg.norm(slope) < tolerance:
            break
        point = point - rate * slope
    return point


def certified(risk, point, **options) -> Certificate:
    """Prove a minimum, or fail with the reason why not."""
    proof = prove_minimum(risk, point, **options)
    assert isinstance(proof, Certificate), proof.reason
    assert proof.proven
    return proof


def unproven(risk, point, **options) -> NotProven:
    """Fail where a minimum is proven, else return why not."""
    outcome = prove_minimum(risk, point, **options)
    assert isinstance(outcome, NotProven), outcome.statement
    return outcome


def pattern(size):
    """Return the shape of SS18's example 1: all but one neuron near a teacher, one left over."""
    point = np.full((size, size), -0.05)
    np.fill_diagonal(point, 0.987)
    point[:, -1], point[-1] = 0.308, 0.225
    point[-1, -1] = -0.602
    return point


@cache
def spurious(size=6):
    """Return the risk of `size` orthonormal teachers, its proven point and the certificate."""
    risk = make_risk(np.eye(size))
    point = descend(risk, pattern(size))
    return risk, point, certified(risk, point)


def at_every_angle(rng, teachers=3, students=3, dim=4):
    """Return neurons and weights with pairs from parallel to antiparallel."""
    neurons = rng.normal(size=(students + teachers, dim))
    neurons[1] = 0.5 * neurons[0] + 10.0 ** -rng.integers(3, 9) * rng.normal(size=dim)
    neurons[-1] = -2 * neurons[0] + 10.0 ** -rng.integers(3, 9) * rng.normal(size=dim)
    neurons[-2] = neurons[2]
    return (
        neurons[:students],
        neurons[students:],
        rng.normal(size=students),
        rng.normal(size=teachers),
    )
