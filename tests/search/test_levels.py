"""After how many steps a run falls below given values."""

from typing import Any

import jax
import numpy as np
import pytest

import landscape_jax as lj

RISK = lj.PopulationRisk(np.eye(3))
START = lj.starts.gaussian((4, 3))
LEVELS = [1.0, 0.1, 0.01]


def _runs(**settings) -> Any:
    return lj.restart(RISK, START, 20, key=jax.random.key(0), **settings)


def test_steps_to_a_level_are_those_of_a_run_that_stops_there():
    runs = _runs(levels=LEVELS)
    for place, level in enumerate(LEVELS):
        stopped = _runs(below_value=level)
        np.testing.assert_array_equal(runs.steps_to[:, place], stopped.steps)


def test_levels_change_no_run():
    with_levels, plain = _runs(levels=LEVELS), _runs()
    assert plain.steps_to is None
    np.testing.assert_array_equal(with_levels.params, plain.params)
    np.testing.assert_array_equal(with_levels.steps, plain.steps)


def test_a_level_that_no_run_reaches_is_nan_and_one_that_the_finish_reaches_is_not():
    runs = _runs(levels=[-1.0, 1e-12], below_value=None, max_steps=100_000)
    assert np.isnan(runs.steps_to[:, 0]).all()
    reached = runs.value < 1e-12
    assert reached.any()
    assert (np.isfinite(runs.steps_to[:, 1]) == reached).all()
    assert (runs.steps_to[reached, 1] <= runs.descent_steps[reached]).all()


def test_steps_to_levels_are_stored_with_the_runs(tmp_path):
    runs = _runs(levels=LEVELS)
    runs.save(tmp_path / "runs.zarr")
    kept: Any = lj.Runs.load(tmp_path / "runs.zarr")
    np.testing.assert_array_equal(kept.steps_to, runs.steps_to)
    assert kept[3].steps_to.shape == (3,)
    labelled = runs.to_xarray().drop_vars("steps_to")
    assert lj.Runs.from_xarray(labelled).steps_to is None
    wrong = labelled.assign(steps_to=("restart", np.zeros(20)))
    with pytest.raises(ValueError, match="no steps_to of dimensions restart and level"):
        lj.Runs.from_xarray(wrong)


@pytest.mark.parametrize(
    ("levels", "error", "message"),
    [
        ([[0.1]], TypeError, "levels is \\[\\[0.1\\]\\]; give a list of values"),
        ("low", TypeError, "levels is 'low'; give a list of values"),
        ([float("nan")], ValueError, "levels is .*; give finite values"),
    ],
)
def test_wrong_levels_are_refused(levels, error, message):
    with pytest.raises(error, match=message):
        _runs(levels=levels)
