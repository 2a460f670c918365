"""Descents in float32, finished in float64, and how many descend at a time."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.search.default_lanes import default_lanes, lanes_of

RISK, KEY = lj.PopulationRisk(np.eye(6)), jax.random.key(3)
FLOAT32 = lj.starts.gaussian((6, 6), dtype=jnp.float32)


def _in_float32(restarts, **settings) -> Any:
    return lj.restart(RISK, FLOAT32, restarts, key=KEY, levels=[0.1, 1e-3], **settings)


def test_runs_end_where_a_search_in_float64_from_the_same_points_ends():
    fast = _in_float32(24, below_value=None, max_steps=200_000)
    fine = lj.finish_on_host(RISK, fast, below_value=None)
    starts = np.asarray(jax.vmap(FLOAT32)(jax.vmap(lambda i: jax.random.fold_in(KEY, i))(
        jnp.arange(24))), np.float64)  # fmt: skip
    whole = lj.restart(RISK, starts, 24, below_value=None)
    assert fine.params.dtype == np.float64
    assert fine.is_converged.all()
    np.testing.assert_allclose(fine.value, whole.value, atol=1e-12)
    np.testing.assert_allclose(fine.params, whole.params, atol=1e-9)
    np.testing.assert_array_equal(fine.restart_index, np.arange(24))
    assert (np.asarray(fine.steps) >= np.asarray(fast.steps)).all()


def test_levels_and_thresholds_of_both_searches_are_joined():
    fast = _in_float32(12)
    fine: Any = lj.finish_on_host(RISK, fast, levels=[0.1, 1e-3])
    np.testing.assert_array_equal(fine.steps_to, fast.steps_to)
    assert fine.summary() == fast.summary() == {"below_value": 12}
    # What the first search did not pass, the second did.
    short = _in_float32(12, max_steps=320, below_value=None)
    later: Any = lj.finish_on_host(RISK, short, levels=[0.1, 1e-3], below_value=1e-3)
    assert np.isnan(np.asarray(short.steps_to)[:, 1]).all()
    np.testing.assert_allclose(later.steps_to, fast.steps_to, atol=64)


def test_runs_that_are_not_finite_stay():
    fast = _in_float32(4)
    broken = lj.Runs(
        fast.params.at[1].set(jnp.nan), fast.value.at[1].set(jnp.nan), fast.gradient_norm,
        fast.steps, fast.status, fast.restart_index,
    )  # fmt: skip
    fine = lj.finish_on_host(RISK, broken)
    assert np.isnan(fine.params[1]).all()
    assert (np.asarray(fine.value)[[0, 2, 3]] < 1e-3).all()
    every = broken.map(lambda leaf: leaf * jnp.nan if leaf.dtype.kind == "f" else leaf)
    assert np.isnan(lj.finish_on_host(RISK, every).value).all()


def test_a_network_with_other_leaves_is_finished_too():
    x = jnp.linspace(-1, 1, 9, dtype=jnp.float32)[:, None]
    risk = lj.EmpiricalRisk(x, jnp.sin(2 * x[:, 0]))
    start = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation="tanh", dtype=jnp.float32)
    fast = lj.restart(risk, start, 4, key=KEY, max_steps=500)
    fine = lj.finish_on_host(risk, fast, max_steps=500)
    assert fine.params.W1.dtype == np.float64
    assert (np.asarray(fine.value) <= np.asarray(fast.value) + 1e-6).all()


def test_without_float64_one_line_says_so():
    fast = _in_float32(2)
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r'jax.config.update\("jax_enable_x64", True\)'),
    ):
        lj.finish_on_host(RISK, fast)


def test_lanes_are_a_fixed_table_unless_memory_is_too_small():
    assert default_lanes(10) == default_lanes(10_000) == lanes_of("cpu", 36, 2**30) == 128
    for platform in ("gpu", "tpu"):
        assert [lanes_of(platform, p, None) for p in (36, 64, 400, 2500, 10_000)] == [
            2**16, 2**16, 2**14, 2**12, 2**9,
        ]  # fmt: skip
        assert lanes_of(platform, 36, 80 * 2**30) == 2**16
        assert lanes_of(platform, 36, 2**20) * 36 * 512 <= 2**18
    assert lj.restart(RISK, lj.starts.gaussian((6, 6)), 2, key=KEY, max_steps=32).lanes == 128


def test_diverged_runs_stay_and_other_levels_are_refused():
    fast = _in_float32(3)
    diverged = lj.restart(RISK, FLOAT32, 3, key=KEY, norm_limit=1e-3, max_steps=64)
    assert set(diverged.status_names) == {"diverged"}
    fine = lj.finish_on_host(RISK, diverged)
    np.testing.assert_array_equal(fine.params, np.asarray(diverged.params, np.float64))
    with pytest.raises(ValueError, match="levels has 1 values; the first search had 2"):
        lj.finish_on_host(RISK, fast, levels=[0.1])
