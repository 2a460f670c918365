from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.image import imread

from landscape_jax import plots
from landscape_jax.plots.panels import panels


@pytest.fixture
def values():
    return xr.DataArray(
        [[5e-4, 7e-4, 0.03, 0.02], [9e-4, 0.01, 0.01, np.nan]],
        dims=("size", "restart"),
        coords={"k": ("size", [6, 8]), "n": ("size", [6, 9])},
    )


def drawn(values):
    return plots.value_distribution(values, Figure().add_subplot())


def test_each_size_is_a_line_with_a_label(values):
    _, labels = drawn(values).get_legend_handles_labels()
    assert labels == ["(6, 6)", "(8, 9)"]


def test_a_line_gives_the_share_of_runs_at_or_below_each_value(values):
    x, y = map(np.asarray, drawn(values).get_lines()[0].get_data())
    at = [float(y[np.flatnonzero(x <= v)[-1]]) for v in (0.0, 0.019, 0.02, 0.03)]
    assert at == [0.5, 0.5, 0.75, 1.0]


def test_a_run_that_is_not_finite_never_rises(values):
    assert np.asarray(drawn(values).get_lines()[1].get_ydata())[-1] == 0.75


def test_sizes_with_more_students_are_dashed_and_colours_differ(values):
    first, second = drawn(values).get_lines()
    assert first.get_linestyle() == "-"
    assert second.get_linestyle() == "--"
    assert first.get_color() != second.get_color()


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_a_figure_is_saved_in_the_format_of_its_name(tmp_path, values, suffix):
    path = tmp_path / f"figure.{suffix}"
    plots.save(path, lambda axes: plots.value_distribution(values, axes))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.stat().st_size > 1000


def test_a_figure_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "figure.png"
    path.write_text("old")

    def fail(axes):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plots.save(path, fail)
    assert [(p, p.read_text()) for p in Path(tmp_path).iterdir()] == [(path, "old")]


def test_a_size_without_a_finite_run_is_a_line_at_zero(values):
    lost = values.where(values["k"] > 6)
    assert np.asarray(drawn(lost).get_lines()[0].get_ydata()).tolist() == [0, 0]
    assert np.isfinite(drawn(values * np.nan).get_xlim()).all()


def test_the_dimensions_may_come_in_any_order(values):
    (first, _), (turned, _) = (drawn(v).get_lines() for v in (values, values.T))
    np.testing.assert_array_equal(first.get_xydata(), turned.get_xydata())


def test_a_path_may_be_a_string_with_a_suffix_in_capitals(tmp_path, values):
    plots.save(str(tmp_path / "figure.PNG"), lambda axes: plots.value_distribution(values, axes))
    assert (tmp_path / "figure.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"values": np.ones((2, 3))}, TypeError, "values is an array of float64 of shape"),
        (
            {"values": xr.DataArray([["a"]])},
            TypeError,
            "give Runs or an xarray.DataArray",
        ),
        ({"values": xr.DataArray([[1.0]])}, ValueError, "dimensions size and restart"),
        ({"axes": Figure()}, TypeError, "axes is <Figure size .*; give matplotlib axes"),
        ({"threshold": -1.0}, ValueError, "threshold is -1.0; it must be a positive number"),
        ({"threshold": "small"}, TypeError, "threshold is 'small'|parameter 'threshold'"),
    ],
)
def test_data_that_cannot_be_drawn_are_refused_by_name(values, change, error, message):
    given: dict[str, Any] = {"values": values, "axes": Figure().add_subplot()} | change
    with pytest.raises(error, match=message):
        plots.value_distribution(**given)


def test_data_without_a_run_are_refused(values):
    with pytest.raises(ValueError, match="give at least one size and one run"):
        drawn(values[:, :0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"path": "figure"}, ValueError, "path is 'figure'; its suffix must be one of .*png"),
        ({"path": "figure.doc"}, ValueError, "path is 'figure.doc'; its suffix"),
        ({"path": 3}, TypeError, "path is 3; give the path of a file|parameter 'path'"),
        ({"draw": None}, TypeError, "draw is None; give a function"),
        ({"width": 0.0}, ValueError, "width is 0.0; it must be a positive number"),
    ],
)
def test_a_figure_that_cannot_be_saved_is_refused_before_it_is_drawn(change, error, message):
    def draw(axes):
        raise AssertionError("drawn")

    given: dict[str, Any] = {"path": "figure.png", "draw": draw} | change
    with pytest.raises(error, match=message):
        plots.save(**given)


def test_panels_of_equal_scale_leave_no_empty_band(tmp_path):
    path = tmp_path / "figure.png"

    def draw(axes):
        for part in panels(axes, 3):
            part.set_aspect("equal")
        return axes

    plots.save(path, draw)
    drawn_on: Any = (imread(path)[..., :3] < 1).any(axis=-1)
    for lines in (drawn_on, drawn_on.T):
        where = np.flatnonzero(lines.sum(axis=0))
        assert max(where[0], len(lines[0]) - 1 - where[-1]) <= 20  # a tenth of an inch
