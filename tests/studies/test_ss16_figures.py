"""SS16's figures 1 to 6: what they show, in their data and on their axes."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from landscape_jax.studies import ss16


def test_x2_is_active_at_the_first_two_neurons_only_and_all_are_in_other_regions():
    found = ss16.figure_1()
    assert found.active.values[1].tolist() == [True, True, False]
    assert len({tuple(column) for column in found.active.values.T.tolist()}) == 3


def test_clusters_are_on_their_balls_and_their_lines_in_the_noisy_wedges():
    found = ss16.figure_2(ratio=0.3, per_cluster=40)
    centre = found.centre.values[:, None, :]
    size = np.linalg.norm(centre, axis=-1)
    away = np.linalg.norm(found.x.values - centre, axis=-1)
    np.testing.assert_allclose(away, 0.3 * np.broadcast_to(size, away.shape), rtol=1e-12)
    # A sample's line is turned against the centre's by the angle between the two.
    cosine = (found.x.values * centre).sum(-1) / (np.linalg.norm(found.x.values, axis=-1) * size)
    turned = np.arccos(cosine).max(axis=1)
    assert (turned <= found.angle.values + 1e-9).all()
    assert (turned > 0.9 * found.angle.values).all()


@pytest.mark.parametrize("data", [ss16.figure_3, ss16.figure_6])
def test_the_marked_points_are_the_minima_of_the_curve(data):
    found = data(points=2001)
    w, loss = found.w.values, found.loss.values
    low = np.flatnonzero((loss[1:-1] < loss[:-2]) & (loss[1:-1] < loss[2:])) + 1
    step = w[1] - w[0]
    np.testing.assert_allclose(np.sort(w[low]), np.sort(found.place), atol=step)
    assert found.value[0] < found.value[1]
    for place, value in zip(found.place.values, found.value.values, strict=True):
        near = loss[np.argmin(np.abs(w - place))]
        assert value - 1e-15 <= near <= value + 200 * step**2


def test_the_four_minima_are_all_pairs_of_the_two_and_the_lowest_is_first():
    one, two = ss16.figure_3(), ss16.figure_4(points=41)
    pairs = set(itertools.product(one.place.values.tolist(), repeat=2))
    assert {tuple(place) for place in two.place.values.tolist()} == pairs
    np.testing.assert_allclose(two.value, [0.1, 0.3, 0.3, 0.5], rtol=1e-12)
    assert float(two.loss.min()) >= 0.1 - 1e-15


def test_the_surrogate_is_nearer_for_the_smaller_epsilon():
    found = ss16.figure_5(points=41).sel(w=slice(-0.9, 0))
    ratio = np.abs(found.loss / found.surrogate - 1).max("w").values
    assert ratio[1] < ratio[0] < 0.5
    assert bool((found.loss <= found.surrogate + 1e-15).all())


def test_the_bad_minimum_of_sigmoids_is_below_an_eighth():
    assert float(ss16.figure_6().value[1]) < 1 / 8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ss16.figure_2(ratio=1.0), "ratio and per_cluster are 1.0 and 6; give a ratio"),
        (lambda: ss16.figure_2(per_cluster=0), "ratio and per_cluster are 0.25 and 0; give"),
        (lambda: ss16.figure_3(points=2), "points is 2; it must be at least 3"),
        (lambda: ss16.figure_3(epsilon=0.5), "epsilon is 0.5; it must be between 0 and 1/2"),
    ],
)
def test_what_gives_no_figure_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_figure_of_one_part_names_what_it_marks():
    axes = Figure().add_subplot()
    assert ss16.region_partition(ss16.figure_1(), axes) is axes
    labels = axes.get_legend_handles_labels()[1]
    assert len(labels) == 6
    assert labels[3] == "$w_{1}$, active on $x_{1}$, $x_{2}$"
    axes = Figure().add_subplot()
    ss16.neuron_minima(ss16.figure_6(points=11), axes)
    texts = [text.get_text() for text in axes.texts]
    assert "1/8 - 1.2 \\times 10^{-8}" in texts[1]


@pytest.mark.slow
def test_the_marks_of_the_four_minima_are_explained_and_the_height_has_a_name():
    figure = Figure()
    ss16.four_minima(ss16.figure_4(points=9), figure.add_subplot())
    surface: Any = figure.axes[1]
    assert surface.get_zlabel() == "$E_S(w)$"
    assert [text.get_text() for text in surface.get_legend().get_texts()] == [
        "global minimum, both weights good", "one weight good, one bad", "both weights bad",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("draw", "data", "parts"),
    [
        (ss16.noisy_regions, ss16.figure_2, 2),
        pytest.param(ss16.four_minima, lambda: ss16.figure_4(points=9), 3, marks=pytest.mark.slow),
        (ss16.surrogate, lambda: ss16.figure_5(points=9), 2),
    ],
)
def test_a_figure_of_parts_stands_in_the_place_of_the_axes(draw, data, parts):
    figure = Figure()
    axes = figure.add_subplot()
    assert draw(data(), axes) is axes
    assert len(figure.axes) == 1 + parts
    with pytest.raises(ValueError, match="axes belong to no grid of a figure"):
        draw(data(), Figure().add_axes((0, 0, 1, 1)))


def test_shares_are_drawn_with_their_intervals_and_bounds_where_they_say_something():
    import xarray as xr

    columns = {
        "share": [0.2, 0.7], "share_low": [0.1, 0.6], "share_high": [0.4, 0.8],
        "bound": [-0.3, 0.5],
    }  # fmt: skip
    data = xr.Dataset(
        {name: ("width", column) for name, column in columns.items()},
        coords={"width": [4, 8]},
        attrs={"theorem": 7, "samples": 4, "dim": 5, "confidence": 0.95},
    )
    figure = Figure()
    ss16.basin_shares([data], figure.add_subplot())
    part = figure.axes[1]
    (bound,) = (
        line for line in part.get_lines() if str(line.get_label()).startswith("the theorem")
    )
    heights = np.asarray(bound.get_ydata())
    assert math.isnan(heights[0])
    assert heights[1] == 0.5
    (bars,) = part.containers
    assert isinstance(bars, ErrorbarContainer)
    segments = bars.lines[2][0].get_segments()
    np.testing.assert_allclose([segment[:, 1] for segment in segments], [[0.1, 0.4], [0.6, 0.8]])
    assert "95 %" in part.get_legend_handles_labels()[1][-1]
