import numpy as np
import pytest

from landscape_jax.critical.classify import classify, eigenvalue_tolerance
from landscape_jax.objectives.base import Known, Units
from landscape_jax.objectives.protocols import Attained

POSITIVE, FLAT, INDEFINITE = (np.array([x, 1.0, 2.0]) for x in (0.01, 1e-17, -0.01))


@pytest.mark.parametrize(
    ("known", "value", "eigenvalues", "kind"),
    [
        (Known(infimum=0.0), 0.02, POSITIVE, "spurious"),
        (Known(infimum=0.0, below_value=1e-3), 0.02, POSITIVE, "spurious"),
        (Known(infimum=0.0, below_value=1e-3), 1e-4, POSITIVE, "spurious"),
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


def test_no_sign_is_significant_where_there_is_no_hessian():
    assert eigenvalue_tolerance(POSITIVE, 1e-12, length=0.0) == np.inf
    assert classify(Known(), 1.0, INDEFINITE, 1e-12, length=0.0) == "undecided"


def test_a_given_tolerance_replaces_the_rule():
    assert classify(Known(), 1.0, POSITIVE, 1e-12, tolerance=0.02) == "undecided"
    assert classify(Known(), 1.0, POSITIVE, 1e-3, tolerance=1e-3) == "minimum"


def test_the_tolerance_is_the_newton_kantorovich_bound_when_the_hessian_has_norm_1():
    assert eigenvalue_tolerance(np.ones(3), 0.5) == pytest.approx(1.0)
    assert eigenvalue_tolerance(np.ones(400), 0.0) == pytest.approx(400 * 2.2e-16, rel=0.01)
    assert eigenvalue_tolerance(np.ones(400, np.float32), 0.0) == pytest.approx(4.8e-5, rel=0.01)


def near(distance, *, reach=1e-3, detail=1.0, terms=1.0):
    return Attained(np.zeros(1), distance, reach, detail, terms)


@pytest.mark.parametrize(
    ("attained", "slope", "kind"),
    [
        (near(2e-4), 1e-9, "global"),  # within 10·√1e-9
        (near(4e-4), 1e-9, "undecided"),
        (near(2e-4, reach=1e-4), 1e-9, "undecided"),
        (near(2e-4), 1e-11, "undecided"),
        (near(0.0), 0.0, "global"),
    ],
)
def test_a_singular_end_is_global_only_close_to_a_point_that_attains_the_infimum(
    attained, slope, kind
):
    known = Known(infimum=0.0)
    assert classify(known, 1e-8, FLAT, slope, attained=attained) == kind
    scaled = Known(infimum=0.0, units=Units(1e-12, 1e-6))
    smaller = attained._replace(distance=1e-6 * attained.distance, reach=1e-6 * attained.reach)
    smaller = smaller._replace(detail=1e-12, terms=1e-12)
    again = classify(scaled, 1e-20, FLAT, 1e-6 * slope, length=1e-6, attained=smaller)
    assert again == kind


def test_a_value_at_rounding_is_global_only_where_rounding_is_far_below_the_least_detail():
    known, far = Known(infimum=0.0), near(1.0)
    assert classify(known, 1e-16, FLAT, 1e-12, attained=far) == "global"
    assert classify(known, 1e-16, FLAT, 1e-12, attained=far._replace(detail=1e-10)) == "undecided"
    assert classify(known, 1e-16, POSITIVE, 1e-12, attained=near(1.0, detail=1e-10)) == "undecided"


def test_a_descent_direction_is_a_saddle_however_close_the_infimum_is_attained():
    assert classify(Known(infimum=0.0), 1e-16, INDEFINITE, 1e-12, attained=near(1e-9)) == "saddle"


def test_a_minimum_whose_value_may_be_the_infimum_is_not_called_spurious():
    """F at the critical point is at least F − 2‖∇F‖²/λ; here that is below 0."""
    known = Known(infimum=0.0)
    assert classify(known, 1e-7, np.array([0.1, 1.0]), 1e-4) == "undecided"
    assert classify(known, 1e-6, np.array([0.1, 1.0]), 1e-4) == "spurious"
