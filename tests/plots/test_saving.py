from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from landscape_jax import plots


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
