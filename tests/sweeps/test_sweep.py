"""A sweep of any objective is kept, killed, resumed, extended and read back; nothing runs twice."""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import landscape_jax as lj
from landscape_jax.files import StorageError
from landscape_jax.sweeps import chunks as chunks_
from landscape_jax.sweeps import made_by as made_by_
from landscape_jax.sweeps.chunks import chunks
from landscape_jax.sweeps.fingerprint import fingerprint

X = jnp.linspace(-1.0, 1.0, 8)[:, None]
RISK = lj.EmpiricalRisk(X, jnp.sin(3 * X[:, 0]))
START = lj.starts.network(lj.TwoLayer, (1, 3, 1), activation="tanh")
KEY = jax.random.key(0)
SHORT = {"max_steps": 200, "finish": False}


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch):
    monkeypatch.setattr(chunks_, "CHUNK", 10)


def same(one: lj.Runs, other: lj.Runs) -> bool:
    return one.to_xarray().identical(other.to_xarray())


def stamps(root: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in root.glob("runs/*.zarr")}


def test_a_sweep_is_resumed_and_extended_with_the_bits_of_one_call(tmp_path):
    whole = lj.sweep(RISK, START, 50, key=KEY, **SHORT)
    first = lj.sweep(RISK, START, 30, key=KEY, out=tmp_path, **SHORT)
    before = stamps(tmp_path)
    assert same(lj.sweep(RISK, START, 30, key=KEY, out=tmp_path, **SHORT), first)
    assert stamps(tmp_path) == before
    more = lj.sweep(RISK, START, 50, key=KEY, out=tmp_path, **SHORT)
    assert before.items() <= stamps(tmp_path).items()
    assert same(more, whole)
    assert same(more[:30], first)


@pytest.mark.slow
def test_bits_do_not_depend_on_the_count_or_the_chunks(monkeypatch):
    settings = {"key": KEY, "max_steps": 500}
    whole = lj.sweep(RISK, START, 50, **settings)
    monkeypatch.setattr(chunks_, "CHUNK", 7)
    assert same(lj.sweep(RISK, START, 50, **settings), whole)
    some = lj.sweep(RISK, START, np.array([3, 40, 17]), **settings)
    assert same(some, whole[np.array([3, 17, 40])])


def test_chunks_are_stores_of_runs_that_xarray_reads(tmp_path):
    found = lj.sweep(RISK, START, 20, key=KEY, out=tmp_path, **SHORT)
    first, second = sorted(tmp_path.glob("runs/*.zarr"))
    assert [first.name, second.name] == ["000000-000009.zarr", "000010-000019.zarr"]
    assert same(lj.Runs.load(second), found[10:])
    with xr.open_zarr(first) as labelled:
        assert labelled["params.W1"].dims[0] == "restart"


def test_a_damaged_chunk_is_named_and_run_again_once_it_is_removed(tmp_path):
    found = lj.sweep(RISK, START, 20, key=KEY, out=tmp_path, **SHORT)
    first = min(tmp_path.glob("runs/*.zarr"))
    shutil.rmtree(first / "value")
    with pytest.raises(
        StorageError, match=f"{first.name} is damaged: value.c.0 is missing; remove it"
    ):
        lj.sweep(RISK, START, 20, key=KEY, out=tmp_path, **SHORT)
    shutil.rmtree(first)
    assert same(lj.sweep(RISK, START, 20, key=KEY, out=tmp_path, **SHORT), found)


def test_only_chosen_runs_are_returned_and_all_are_kept(tmp_path):
    chosen = lj.sweep(
        RISK, START, 30, key=KEY, out=tmp_path, only=lambda r: np.asarray(r.value) < 0.2, **SHORT
    )
    every = lj.sweep(RISK, START, 30, key=KEY, out=tmp_path, **SHORT)
    assert 0 < len(chosen) < len(every) == 30
    assert same(chosen, every[np.asarray(every.value) < 0.2])


def test_given_starts_and_indices_are_swept_too(tmp_path):
    given = jax.vmap(START)(jax.random.split(KEY, 10))
    found = lj.sweep(RISK, given, np.array([2, 5]), out=tmp_path, **SHORT)
    assert found.restart_index.tolist() == [2, 5]
    assert same(lj.sweep(RISK, given, np.array([2, 5]), out=tmp_path, **SHORT), found)


def test_progress_counts_runs(tmp_path):
    seen = []
    settings = {"key": KEY, "out": tmp_path, **SHORT}
    lj.sweep(RISK, START, 30, progress=lambda *told: seen.append(told), **settings)
    lj.sweep(RISK, START, 30, progress=lambda *told: seen.append(told), **settings)
    assert seen == [(0, 30), (10, 30), (20, 30), (30, 30)] * 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"objective": lj.EmpiricalRisk(X, jnp.cos(X[:, 0]))}, "objective"),
        ({"start": lj.starts.network(lj.TwoLayer, (1, 4, 1), activation="tanh")}, "start"),
        ({"key": jax.random.key(1)}, "key"),
        ({"max_steps": 201}, "settings"),
        ({"optimizer": optax.adam(1e-2)}, "settings"),
    ],
)
def test_another_search_is_refused_by_name(tmp_path, change, named):
    settings = {"objective": RISK, "start": START, "key": KEY, "out": tmp_path, **SHORT}
    lj.sweep(restarts=10, **settings)
    with pytest.raises(StorageError, match=f"holds a sweep with {named} .*; give a new directory"):
        lj.sweep(restarts=10, **(settings | change))


def test_settings_that_a_sweep_sets_itself_are_refused():
    with pytest.raises(ValueError, match="mesh is no setting of a sweep"):
        lj.sweep(RISK, START, 5, key=KEY, mesh=None)


def test_chunks_cover_every_restart_once_at_lengths_that_differ_by_little():
    for count in (1, 19, 20, 21, 50, 137):
        parts = chunks(count)
        assert np.concatenate(parts).tolist() == list(range(count))
        assert max(map(len, parts)) <= 10
    assert len(chunks(1_000_000)) == 100


USER = """
import jax, jax.numpy as jnp, landscape_jax as lj, optax, sys
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_compilation_cache_dir", sys.argv[2] + " programs")
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
x = jnp.linspace(-1, 1, 8)[:, None]
risk = lj.EmpiricalRisk(x, jnp.sin(3 * x[:, 0]))
start = lj.starts.network(lj.TwoLayer, (1, 1, 1), activation="tanh")
settings = {"optimizer": optax.adam(1e-2), "max_steps": 20_000, "chunk": 16}
runs = lj.sweep(risk, start, 48, key=jax.random.key(0), out=sys.argv[1], **settings)
runs.save(sys.argv[2])
"""
READER = """
import jax, jax.numpy as jnp, landscape_jax as lj, sys
jax.config.update("jax_enable_x64", True)
x = jnp.linspace(-1, 1, 8)[:, None]
risk = lj.EmpiricalRisk(x, jnp.sin(3 * x[:, 0]))
found = lj.families(risk, lj.Runs.load(sys.argv[1])[:16])
print(len(found), found[0].kind, lj.spectrum(risk, found[0].representative).shape)
"""


@pytest.mark.slow
def test_a_user_s_sweep_is_killed_resumed_saved_and_read_in_another_process(tmp_path):
    out, saved = tmp_path / "sweep", tmp_path / "runs.zarr"
    command = [sys.executable, "-c", USER, str(out), str(saved)]
    child = subprocess.Popen(command)
    deadline = time.monotonic() + 120
    while not list(out.glob("runs/*.zarr")) and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    before = stamps(out)
    assert before
    assert not saved.exists()
    subprocess.run(command, check=True)
    assert before.items() <= stamps(out).items()
    assert len(stamps(out)) == 3
    read = [sys.executable, "-c", READER, str(saved)]
    told = subprocess.run(read, check=True, capture_output=True, text=True).stdout.split()
    assert told == ["1", "minimum", "(4,)"]


CODE = """
import jax, jax.numpy as jnp, landscape_jax as lj, optax
from landscape_jax.sweeps.fingerprint import fingerprint
scale = 2.0
start = lambda key: scale * jax.random.normal(key, (3,))
risk = lj.EmpiricalRisk(jnp.ones((2, 1)), jnp.ones(2))
tree = [start, risk, optax.adam(1e-2), lj.starts.gaussian((2, 2)), jax.random.key(4), jnp.tanh]
print(fingerprint(tree))
"""


def test_fingerprints_are_the_same_in_every_process():
    told = {
        subprocess.run(
            [sys.executable, "-c", CODE],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    }
    assert len(told) == 1


def test_fingerprints_tell_functions_and_settings_apart():
    power = lambda p: lambda t: t**p
    different = [
        RISK.batches(4), RISK.batches(5), partial(power, 2), jax.tree_util.Partial(power, 2),
        jax.tree_util.Partial(power, 3), power(2), power(3),
        lambda t: jnp.tanh(2 * t), lambda t: jnp.tanh(3 * t), jnp.tanh,
        optax.adam(1e-2), optax.adam(1e-3), optax.sgd(1e-2), 1, 1.0, "1", None, True,
        np.ones(2), np.ones(2, np.float32), np.ones((2, 1)), {"a": 1}, {"b": 1}, (1, 2), [1, 2],
    ]  # fmt: skip
    assert len({fingerprint(tree) for tree in different}) == len(different)

    def around(n: int) -> int:
        return around(n - 1) if n else 0

    assert fingerprint(around) == fingerprint(around)


def test_the_length_of_a_chunk_changes_no_run(tmp_path):
    settings = {"key": KEY, **SHORT}
    found = lj.sweep(RISK, START, 30, chunk=7, out=tmp_path, **settings)
    assert len(stamps(tmp_path)) == 5
    assert same(found, lj.sweep(RISK, START, 30, **settings))
    with pytest.raises(ValueError, match="chunk is 0; it must be at least 1"):
        lj.sweep(RISK, START, 30, chunk=0, **settings)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"objective": lambda W: 0.0}, TypeError, "objective is the function|'objective'"),
        ({"start": jnp.ones((2, 6, 6))}, ValueError, "restarts has the index 2; start has 2"),
        ({"restarts": np.int64(0)}, ValueError, "restarts is 0; give at least 1"),
        ({"key": None}, ValueError, "key is missing"),
        ({"chunk": 2.0}, TypeError, "chunk is 2.0; give an integer|'chunk'"),
        ({"only": "all"}, TypeError, "only is 'all'; give a function|'only'"),
        ({"progress": 1}, TypeError, "progress is 1; give a function|'progress'"),
        ({"only": lambda runs: runs.value}, ValueError, "only returns an array of float64 of sha"),
        ({"only": lambda runs: True}, ValueError, "only returns .*; it must return a mask"),
        ({"steps": 3}, TypeError, "unexpected keyword argument 'steps'"),
    ],
)
def test_wrong_arguments_of_a_sweep_are_named(change, error, message):
    given = {"objective": RISK, "start": START, "restarts": 3, "key": KEY, **SHORT} | change
    with pytest.raises(error, match=message):
        lj.sweep(**given)


def test_wrong_arguments_are_named_before_a_directory_is_made(tmp_path):
    with pytest.raises(ValueError, match="key is missing"):
        lj.sweep(RISK, START, 3, out=tmp_path / "runs")
    assert not list(tmp_path.iterdir())


def test_counts_of_numpy_are_counts():
    found = lj.sweep(RISK, START, np.int64(3), key=KEY, chunk=np.int32(2), **SHORT)
    assert found.restart_index.tolist() == [0, 1, 2]


def test_runs_of_another_version_are_refused_unless_mixed_and_then_marked(tmp_path, monkeypatch):
    settings = {"key": KEY, "out": tmp_path, **SHORT}
    first = lj.sweep(RISK, START, 10, **settings)
    plain = made_by_.version
    monkeypatch.setattr(made_by_, "version", lambda name: "9" if name == "jax" else plain(name))
    with pytest.raises(StorageError, match=r"holds results of jax .*, not 9, .*--mixed"):
        lj.sweep(RISK, START, 20, **settings)
    assert same(lj.sweep(RISK, START, 20, mixed=True, **settings)[:10], first)
    told = [xr.open_zarr(p).attrs["made_by"]["jax"] for p in sorted(tmp_path.glob("runs/*"))]
    assert told == [plain("jax"), "9"]


def test_a_sweep_goes_on_with_the_lanes_that_it_began_with(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks_, "default_lanes", lambda _: 16)
    lj.sweep(RISK, START, 10, key=KEY, out=tmp_path, **SHORT)
    monkeypatch.setattr(chunks_, "default_lanes", lambda _: 32)
    with pytest.raises(StorageError, match="holds results of lanes 16, not 32"):
        lj.sweep(RISK, START, 20, key=KEY, out=tmp_path, **SHORT)
    found = lj.sweep(RISK, START, 20, key=KEY, out=tmp_path, mixed=True, **SHORT)
    assert found.lanes == 16
