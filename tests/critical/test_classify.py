import numpy as np
import pytest

from landscape_jax.critical.classify import classify, eigenvalue_tolerance
from landscape_jax.objectives.base import Known

POSITIVE, FLAT, INDEFINITE = (np.array([x, 1.0, 2.0]) for x in (0.01, 1e-17, -0.01))


@pytest.mark.parametrize(
    ("known", "value", "eigenvalues", "kind"),
    [
        (Known(infimum=0.0), 0.02, POSITIVE, "spurious"),
        (Known(infimum=0.0, below_value=1e-3), 0.02, POSITIVE, "spurious"),
        (Known(infimum=0.0, below_value=1e-3), 1e-4, POSITIVE, "global"),
        (Known(infimum=0.0), 1e-16, FLAT, "global"),
        (Known(infimum=-3.0), -3.0, POSITIVE, "global"),
        (Known(), 0.02, POSITIVE, "minimum"),
        (Known(), 0.0, POSITIVE, "minimum"),
        (Known(below_value=1e-3), 1e-4, POSITIVE, "minimum"),
        (Known(infimum=0.0), 0.02, INDEFINITE, "saddle"),
        (Known(), 0.02, INDEFINITE, "saddle"),
        (Known(), 0.02, -POSITIVE[::-1], "saddle"),
        (Known(infimum=0.0), 0.02, FLAT, "undecided"),
        (Known(), 0.02, np.full(3, np.nan), "undecided"),
    ],
)
def test_kind_follows_from_value_and_spectrum(known, value, eigenvalues, kind):
    assert classify(known, value, eigenvalues, 1e-12) == kind


def test_a_gradient_that_is_not_small_leaves_the_kind_undecided():
    assert classify(Known(), 1.0, POSITIVE, 1e-12) == "minimum"
    assert classify(Known(), 1.0, POSITIVE, 1e-3) == "undecided"
    assert classify(Known(), 1.0, INDEFINITE, 1e-3) == "undecided"


def test_a_given_tolerance_replaces_the_rule():
    assert classify(Known(), 1.0, POSITIVE, 1e-12, tolerance=0.02) == "undecided"
    assert classify(Known(), 1.0, POSITIVE, 1e-3, tolerance=1e-3) == "minimum"


def test_the_tolerance_is_the_newton_kantorovich_bound_when_the_hessian_has_norm_1():
    assert eigenvalue_tolerance(np.ones(3), 0.5) == pytest.approx(1.0)
    assert eigenvalue_tolerance(np.ones(400), 0.0) == pytest.approx(400 * 2.2e-16, rel=0.01)
    assert eigenvalue_tolerance(np.ones(400, np.float32), 0.0) == pytest.approx(4.8e-5, rel=0.01)
