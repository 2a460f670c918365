"""KK20, figure 1: what it shows, in its data."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from landscape_jax.studies import kk20


@pytest.fixture(scope="module")
def data():
    return kk20.figure_1(points=101, arrows=11)


def test_the_risk_has_a_bad_minimum_near_two_tenths_and_is_zero_near_eight(data):
    theta, risk = data.theta.values, data.risk.values
    low = np.flatnonzero((risk[1:-1] < risk[:-2]) & (risk[1:-1] < risk[2:])) + 1
    np.testing.assert_allclose(theta[low], [0.2, 0.8], atol=0.011)
    np.testing.assert_allclose(risk[low[0]], 8.0, atol=0.1)
    assert risk[low[1]] == 0


def test_above_the_bad_minimum_is_a_valley_that_falls_for_ever_and_never_to_zero(data):
    valley = data.least.sel(theta=slice(0, 0.5))
    bottoms = valley.theta.values[valley.argmin("theta").values]
    # The valley leans towards smaller f, by no more than a grid point.
    np.testing.assert_allclose(bottoms, 0.2, atol=0.011)
    heights = valley.min("theta").values
    assert (np.diff(heights) < 0).all()
    assert heights[-1] > 0
    # λr²e^{−2b} with r = 2: the limit for a neuron that fits the sample.
    np.testing.assert_allclose(heights[-1], 4 * np.exp(-8), rtol=0.05)


def test_near_the_global_minima_nothing_depends_on_b(data):
    flat = data.least.where(data.risk == 0, drop=True)
    assert flat.sizes["theta"] >= 1
    assert float(flat.max()) == 0


def test_arrows_have_length_one_and_lead_into_the_valley_and_up_it(data):
    length = np.hypot(data.theta_step, data.b_step)
    assert np.isin(np.round(length, 12), [0, 1]).all()
    inside = data.sel(arrow_theta=slice(0.05, 0.35), arrow_b=slice(0, None))
    away = np.sign(inside.arrow_theta - 0.2)
    steep = np.abs(inside.arrow_theta - 0.2) > 0.02
    assert bool(((inside.theta_step * away < 0) | ~steep).all())
    assert bool((inside.b_step > 0).all())


def test_the_figure_has_three_parts_in_the_place_of_the_axes(data):
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot()
    assert kk20.augmented_valley(data, axes) is axes
    titles = [part.get_title() for part in figure.axes if part is not axes]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)"]
    figure.canvas.draw()


def test_axes_without_a_place_in_a_grid_are_refused(data):
    axes = Figure().add_axes((0, 0, 1, 1))
    with pytest.raises(ValueError, match="axes belong to no grid of a figure"):
        kk20.augmented_valley(data, axes)


def test_a_penalty_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="penalty is -1; it must be a positive number"):
        kk20.figure_1(penalty=-1)
