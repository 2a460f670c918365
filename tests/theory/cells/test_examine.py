"""The kind of any point agrees with the listing and with the objective."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.theory.cells import examine, landscape, nondifferentiable_minima, saddles
from tests.theory.cells.landscapes import DEGENERATE, SHAPES, draw

SAMPLES = np.eye(2)


def at(w, z):
    return lj.TwoLayer(jnp.array(w, float), jnp.array([z], float))


def slope_along(x, y, network, descent):
    risk = lj.EmpiricalRisk(x, y)
    move = lambda t: jax.tree.map(lambda p, v: p + t * v, network, descent.direction)
    return float(risk(move(1e-6)) - risk(network)) / 1e-6


def value(descent):
    assert descent is not None
    return descent.value


def agree(x, y, width, most=60):
    """The listing and the conditions at a point are independent implementations."""
    found = landscape(x, y, width)
    kinds = {
        "minimum": [*found.differentiable_minima, *found.nondifferentiable_minima],
        "saddle": [*found.saddles, *itertools.islice(saddles(x, y, width, kinks=True), most)],
    }
    for kind, points in kinds.items():
        for point in points[:: max(1, len(points) // most)]:
            seen = examine(x, y, point.network, perturbations=0)
            assert seen.kind == kind
            if kind == "minimum":
                kinks = getattr(point, "kinks", ((),) * width)
                assert seen.kinks == kinks
                assert seen.differentiable == (not any(kinks))
                assert seen.least_slope == 0
            else:
                assert value(seen.descent) < seen.loss < value(seen.ascent)


def test_listed_points_have_the_kind_of_their_list():
    agree(*draw(0, 7, 2), 1)


@pytest.mark.slow
def test_random_points_have_a_descent_of_the_reported_slope():
    x, y = draw(1, 6, 3)
    rng = np.random.default_rng(0)
    for _ in range(2):
        network = at(rng.normal(size=(2, 3)), rng.normal(size=2))
        seen = examine(x, y, network)
        assert (seen.kind, seen.differentiable) == ("descends", True)
        gradient = lj.gradient(lj.EmpiricalRisk(x, y), network)
        blocks = [*np.linalg.norm(gradient.W1, axis=1), *np.abs(gradient.W2[0])]
        # No neuron's own gradient is steeper.
        np.testing.assert_allclose(seen.least_slope, -max(blocks), rtol=1e-9)
        np.testing.assert_allclose(
            slope_along(x, y, network, seen.descent), -max(blocks), rtol=1e-3
        )
        assert value(seen.descent) < seen.loss


def test_a_point_on_a_kink_has_a_descent_if_a_one_sided_slope_is_negative():
    # w·x₂ = 0 and y₂ = 1: the loss falls on the positive side of x₂.
    seen = examine(SAMPLES, np.array([1.0, 1.0]), at([[1, 0]], [1]))
    assert (seen.kind, seen.differentiable, seen.kinks) == ("descends", False, ((1,),))
    assert seen.descent is not None
    np.testing.assert_allclose(seen.descent.direction.W1, [[0, 1]], atol=1e-12)
    assert seen.least_slope == pytest.approx(-1)
    # For y₂ = −1 it rises on both sides.
    held = examine(SAMPLES, np.array([1.0, -1.0]), at([[1, 0]], [1]), perturbations=0)
    assert (held.kind, held.nearby) == ("minimum", None)


def test_a_neuron_with_z_0_is_stationary_only_perpendicular_to_its_gradient():
    y = np.array([1.0, -1.0])
    assert examine(SAMPLES, y, at([[1, 1]], [0])).kind == "saddle"
    seen = examine(SAMPLES, y, at([[1, 0.5]], [0]))
    assert (seen.kind, seen.resting) == ("descends", (0,))
    assert seen.least_slope == pytest.approx(-0.5)
    # A dead neuron is at a minimum.
    assert examine(SAMPLES, y, at([[-1, -1]], [0]), perturbations=0).kind == "minimum"
    # At w = 0, z = 0 both layers must move.
    seen = examine(SAMPLES, y, at([[0, 0]], [0]))
    assert (seen.kind, seen.differentiable) == ("saddle", True)
    assert value(seen.descent) < 1 < value(seen.ascent)


def test_a_point_near_a_minimum_descends_unless_it_is_within_the_tolerance():
    x, y = draw(0, 7, 3)
    minimum = next(m for m in nondifferentiable_minima(x, y, 1) if m.sharp)
    off = at(minimum.network.W1 + 1e-7, minimum.network.W2[0])
    assert examine(x, y, off).kind == "descends"
    seen = examine(x, y, off, tolerance=1e-5, perturbations=0)
    assert (seen.kind, seen.kinks) == ("minimum", minimum.kinks)


@pytest.mark.parametrize(
    ("x", "y", "network", "message"),
    [
        (SAMPLES, np.ones(3), at([[1, 0]], [1]), r"have shapes \(2, 2\), \(3,\)"),
        (SAMPLES, np.ones(2), at([[1, 0, 0]], [1]), r"have shapes \(2, 2\), \(2,\), \(1, 3\)"),
        (SAMPLES[:0], np.ones(0), at([[1, 0]], [1]), r"have shapes \(0, 2\)"),
        (SAMPLES * np.nan, np.ones(2), at([[1, 0]], [1]), "NaN or infinite"),
        (SAMPLES, np.ones(2), at([[np.inf, 0]], [1]), "NaN or infinite"),
        (
            SAMPLES,
            np.ones(2),
            lj.TwoLayer(jnp.ones((1, 2)), jnp.ones((1, 1)), jnp.ones(1)),
            "network has biases",
        ),
        (
            SAMPLES,
            np.ones(2),
            lj.TwoLayer(jnp.ones((1, 2)), jnp.ones((1, 1)), activation="tanh"),
            "activation tanh; give a ReLU network",
        ),
    ],
)
def test_unusable_points_are_refused(x, y, network, message):
    with pytest.raises(ValueError, match=message):
        examine(x, y, network)


def test_a_tolerance_that_is_not_between_0_and_1_is_refused():
    with pytest.raises(ValueError, match=r"tolerance is 0\.0; it must be between 0 and 1"):
        examine(SAMPLES, np.ones(2), at([[1, 0]], [1]), tolerance=0.0)


@pytest.mark.slow
def test_the_objective_is_evaluated_around_a_minimum():
    seen = examine(SAMPLES, np.array([1.0, -1.0]), at([[1, 0]], [1]))
    assert seen.nearby is not None
    assert (seen.nearby.tried, seen.nearby.value) == (2000, seen.loss)
    assert seen.nearby.lowest >= seen.loss


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_listed_points_of_all_sizes_have_the_kind_of_their_list(shape):
    n, d, width = shape
    x, y = draw(3, n, d)
    agree(x, y, width, most=8)


@pytest.mark.slow
@pytest.mark.parametrize("name", DEGENERATE)
def test_listed_points_of_degenerate_data_have_the_kind_of_their_list(name):
    x, y = (np.array(a, float) for a in DEGENERATE[name])
    agree(x, y, 1, most=6)
