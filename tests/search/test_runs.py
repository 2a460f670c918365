"""Runs are selected, labelled, saved and loaded whole; damage is one line that names the file."""

import shutil
import subprocess
import sys

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import landscape_jax as lj
from landscape_jax.search.status import names, status_of

X, Y = jnp.array([[0.0], [1.0], [2.0]]), jnp.array([0.0, 1.0, 0.5])


class Bowl(lj.AbstractObjective):
    """(x − 1)², and two numbers beside it, of any pytree."""

    def __call__(self, params):
        leaves = jax.tree.leaves(params)
        return jnp.stack([jnp.sum((leaf - 1.0) ** 2) for leaf in leaves]).sum()


@pytest.fixture(scope="module")
def runs() -> lj.Runs:
    start = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation="tanh")
    settings = {"max_steps": 64, "lanes": 4, "finish": False}
    return lj.restart(lj.EmpiricalRisk(X, Y), start, 6, key=jax.random.key(3), **settings)


def equal(one: lj.Runs, other: lj.Runs) -> bool:
    """Check that runs are the same, key and lanes included, their params of one structure."""
    chex.assert_trees_all_equal(one.params, other.params)
    return one.to_xarray().identical(other.to_xarray())


def test_saved_runs_come_back_whole_and_xarray_reads_them(runs, tmp_path):
    runs.save(tmp_path / "a.zarr")
    assert equal(lj.Runs.load(tmp_path / "a.zarr"), runs)
    with xr.open_zarr(tmp_path / "a.zarr") as labelled:
        assert labelled["params.W1"].dims[0] == "restart"
        assert labelled["status"].values.tolist() == ["max_steps"] * 6
        assert labelled["restart"].values.tolist() == list(range(6))


def test_labelled_runs_come_back_whole(runs):
    assert equal(lj.Runs.from_xarray(runs.to_xarray()), runs)
    assert equal(lj.Runs.from_xarray(runs[2:3].to_xarray()), runs[2:3])


@pytest.mark.parametrize(
    "params",
    [
        jnp.ones((4, 2)),
        {"a": jnp.ones(3), "b": [jnp.ones(()), (jnp.zeros(2), None)]},
        lj.DeepLinear([jnp.eye(2), jnp.ones((1, 2))]),
        lj.Mlp([jnp.eye(2), jnp.ones((1, 2))], [jnp.zeros(2), None], activation="erf"),
        lj.Augmented(
            lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2))), jnp.ones(1), jnp.ones(1), jnp.ones((1, 2))
        ),
    ],
    ids=["array", "nested", "deep linear", "mlp", "augmented"],
)  # fmt: skip
def test_every_known_pytree_of_params_comes_back(params, tmp_path):
    given = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), params)
    zeros = jnp.zeros(2)
    status = jax.tree.map(jnp.asarray, status_of(["converged", "stopped"]))
    runs = lj.Runs(given, zeros, zeros, zeros.astype(int), status, jnp.array([5, 7], jnp.int32))
    runs.save(tmp_path / "a.zarr")
    assert equal(lj.Runs.load(tmp_path / "a.zarr"), runs)


class Own(eqx.Module):
    """Params that no file can describe."""

    w: jax.Array


def test_params_of_ones_own_class_need_like_and_say_so(tmp_path):
    start = lambda key: Own(jax.random.normal(key, (3,)))
    runs = lj.restart(Bowl(), start, 5, key=jax.random.key(0))
    runs.save(tmp_path / "a.zarr")
    with pytest.raises(
        ValueError, match=r"a\.zarr cannot be read .* give like=, params of one run"
    ):
        lj.Runs.load(tmp_path / "a.zarr")
    like = start(jax.random.key(0))
    assert equal(lj.Runs.load(tmp_path / "a.zarr", like=like), runs)
    with pytest.raises(ValueError, match=r"params\.w has shape \(3,\); like has \(4,\)"):
        lj.Runs.load(tmp_path / "a.zarr", like=Own(jnp.zeros(4)))
    with pytest.raises(ValueError, match=r"the leaves \['params\.w'\]; it must have \['params'\]"):
        lj.Runs.load(tmp_path / "a.zarr", like=jnp.zeros(3))


def test_an_activation_of_ones_own_needs_like(tmp_path):
    start = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation=lambda t: jnp.tanh(2 * t))
    runs = lj.restart(lj.EmpiricalRisk(X, Y), start, 2, key=jax.random.key(3), max_steps=1)
    runs.save(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="give like="):
        lj.Runs.load(tmp_path / "a.zarr")
    assert equal(lj.Runs.load(tmp_path / "a.zarr", like=start(jax.random.key(0))), runs)


def test_damage_is_one_line_that_names_the_file(runs, tmp_path):
    with pytest.raises(ValueError, match=r"b\.zarr is no store of runs: there is no such"):
        lj.Runs.load(tmp_path / "b.zarr")
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(ValueError, match=r"b\.zarr cannot be read as runs"):
        lj.Runs.load(tmp_path / "b.zarr")
    runs.save(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match=r"a\.zarr exists; give a new name"):
        runs.save(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="is no directory; make it first"):
        runs.save(tmp_path / "none" / "a.zarr")
    shutil.rmtree(tmp_path / "a.zarr" / "steps")
    with pytest.raises(ValueError, match=r"a\.zarr cannot be read as runs: .*steps"):
        lj.Runs.load(tmp_path / "a.zarr")
    labelled = runs.to_xarray()
    labelled["status"][0] = "happy"
    with pytest.raises(ValueError, match="'happy' is no status; there are running"):
        lj.Runs.from_xarray(labelled)
    with pytest.raises(ValueError, match="hold no runs; give what"):
        lj.Runs.from_xarray(xr.Dataset())
    turned = runs.to_xarray().transpose("params.W2_0", ...)
    with pytest.raises(ValueError, match="has no first dimension restart"):
        lj.Runs.from_xarray(turned)
    bad = lj.restart(
        Bowl(), lambda key: {"a/b": jax.random.normal(key, ())}, 1, key=jax.random.key(0)
    )
    with pytest.raises(ValueError, match="names must differ and hold no /"):
        bad.to_xarray()


def test_float64_is_not_read_as_float32(runs, tmp_path):
    runs.save(tmp_path / "a.zarr")
    code = "import landscape_jax as lj, sys; lj.Runs.load(sys.argv[1])"
    found = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.zarr")], capture_output=True, text=True
    )
    assert 'is float64; put jax.config.update("jax_enable_x64", True) first' in found.stderr


def test_the_best_run_and_iteration(runs):
    best = runs.best()
    assert float(best.value) == float(runs.value.min())
    assert [int(run.restart_index) for run in runs] == list(range(6))
    spoilt = eqx.tree_at(
        lambda r: r.value, runs, runs.value.at[int(best.restart_index)].set(jnp.nan)
    )
    assert float(spoilt.best().value) > float(best.value)
    with pytest.raises(ValueError, match="no run has a finite value"):
        eqx.tree_at(lambda r: r.value, runs, runs.value * jnp.nan).best()


def test_parts_are_joined_in_the_order_of_their_restarts(runs):
    assert equal(lj.Runs.concatenate([runs[3:], runs[:3]]), runs)


def test_names_and_statuses_are_inverse():
    every = [*lj.Status._name_to_item]
    assert names(status_of(every)).tolist() == every


def test_descent_steps_are_those_of_plain_descent():
    risk, start = lj.PopulationRisk(jnp.eye(5)), lj.starts.gaussian((5, 5))
    settings = {"key": jax.random.key(0), "below_value": None}
    fast = lj.restart(risk, start, 10, **settings)
    slow = lj.restart(risk, start, 10, finish=False, **settings)
    assert np.all(np.asarray(fast.steps) < np.asarray(slow.steps))
    ratio = np.asarray(fast.descent_steps) / np.asarray(slow.steps)
    assert abs(np.median(ratio) - 1) < 0.2, ratio
    np.testing.assert_array_equal(slow.descent_steps, slow.steps)


def test_what_a_cell_prints_is_a_line_whatever_the_number_of_runs(runs):
    least, largest = float(runs.value.min()), float(runs.value.max())
    assert repr(runs) == f"Runs(6: 6 max_steps; value {least:.6g} to {largest:.6g})"
    assert repr(runs[0]) == f"Runs(restart 0: max_steps, value {float(runs.value[0]):.6g})"
    assert repr(runs[:0]) == "Runs(0)"
    shown = []
    jax.jit(lambda r: shown.append(repr(r)))(runs.map(jnp.asarray))
    assert shown == ["Runs(traced)"]


def test_critical_points_print_a_line_and_are_taken_by_families():
    risk = lj.PopulationRisk(jnp.eye(3))
    found = lj.critical_points(risk, lj.starts.gaussian((3, 3)), 6, key=jax.random.key(0))
    assert repr(found) == f"CriticalPoints({found.runs!r}, index: count {found.counts()})"
    alike = [f.count for f in lj.families(risk, found)]
    assert alike == [f.count for f in lj.families(risk, found.runs)]
    np.testing.assert_array_equal(found.params, found.runs.params)
    with pytest.raises(AttributeError, match="nothing"):
        found.nothing  # noqa: B018
