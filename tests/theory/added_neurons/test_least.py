"""The least risk of any function: closed forms against Newton's method."""

import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.theory import least_value

X = jnp.array([[0.0], [0.0], [0.0], [1.0], [1.0], [2.0]])
SIGNS = jnp.array([1.0, 1.0, -1.0, -1.0, 1.0, 1.0])
REAL = jnp.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5], [1.0, 1.0], [2.0, 1.0], [7.0, 7.0]])


@pytest.mark.parametrize(
    ("criterion", "y"),
    [
        ("squared", REAL),
        ("logistic", SIGNS),
        (lj.criteria.hinge(2), SIGNS),
        (lj.criteria.hinge(3), jnp.stack([SIGNS, SIGNS[::-1]], axis=1)),
        ("cross_entropy", jnp.array([[0.7, 0.3]] * 3 + [[0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])),
    ],
    ids=["squared", "logistic", "hinge^2", "hinge^3", "cross_entropy"],
)
def test_closed_forms_are_what_newton_finds(criterion, y):
    risk = lj.EmpiricalRisk(X, y, criterion=criterion)
    # The same loss as a function that the package does not know.
    unknown = lj.EmpiricalRisk(X, risk.y, criterion=lambda q, y: risk.criterion.loss(q, y))
    # Newton stops at a gradient of 1e-13; the single sample of the logistic loss has no minimum,
    # and 500 steps leave e^{−q} of it.
    np.testing.assert_allclose(least_value(risk), least_value(unknown), rtol=0, atol=1e-9)


def test_classes_are_distributions_of_one():
    y = jnp.array([0, 1, 1, 0, 2, 2])
    one_hot = lj.EmpiricalRisk(X, jnp.eye(3)[y], criterion="cross_entropy")
    classes = lj.EmpiricalRisk(X, y, criterion="cross_entropy")
    # Inputs 0, 1, 2 have the classes {0, 1, 1}, {0, 2}, {2}.
    entropy = -np.log(1 / 3) - 2 * np.log(2 / 3) + 2 * np.log(2)
    np.testing.assert_allclose(least_value(classes), entropy / 6, rtol=1e-14)
    np.testing.assert_allclose(least_value(one_hot), entropy / 6, rtol=1e-14)


def test_labels_of_which_newton_cannot_tell_the_predictions_are_refused():
    risk = lj.EmpiricalRisk(X, jnp.arange(6), criterion=lambda q, y: (q[y] - 1) ** 2)
    with pytest.raises(ValueError, match=r"y has shape \(6,\); give labels"):
        least_value(risk)
