"""A sweep on an executor's workers has the bits of one without, and loses nothing that is done."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.files import StorageError
from landscape_jax.sweeps import SweepError, made_by
from landscape_jax.sweeps.executors import checked_executor, results, worker_count

X = jnp.linspace(-1.0, 1.0, 8)[:, None]
RISK = lj.EmpiricalRisk(X, jnp.sin(3 * X[:, 0]))
START = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation=lambda t: jnp.tanh(2 * t))
KEY = jax.random.key(0)
HOW: dict[str, Any] = {"key": KEY, "chunk": 5, "max_steps": 50, "finish": False}
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(scope="module")
def pool():
    with ProcessPoolExecutor(2, mp_context=SPAWN) as executor:
        yield executor


@pytest.fixture(scope="module")
def alone():
    return lj.sweep(RISK, START, 20, **HOW)


def same(one: lj.Runs, other: lj.Runs) -> bool:
    return one.to_xarray().identical(other.to_xarray())


def test_processes_that_are_spawned_give_the_bits_of_one(tmp_path, pool, alone):
    found = lj.sweep(RISK, START, 20, out=tmp_path, executor=pool, **HOW)
    assert same(found, alone)
    assert len(list(tmp_path.glob("runs/*"))) == 4
    # The executor is left open, and what is kept is not run again.
    assert same(lj.sweep(RISK, START, 20, out=tmp_path, **HOW), alone)
    assert same(lj.sweep(RISK, START, 25, out=tmp_path, executor=pool, **HOW)[:20], alone)


def test_a_worker_of_another_version_is_refused(tmp_path, pool, monkeypatch):
    plain = made_by.version
    monkeypatch.setattr(made_by, "version", lambda name: "9" if name == "jax" else plain(name))
    with pytest.raises(SweepError, match=r"this process has jax 9, not .* as a worker"):
        lj.sweep(RISK, START, 5, executor=pool, **HOW)
    with pytest.raises(StorageError, match="holds results of jax 9, not"):
        lj.sweep(RISK, START, 5, executor=pool, out=tmp_path, **HOW)


def test_threads_of_this_process_are_workers_too(alone):
    with ThreadPoolExecutor(2) as executor:
        assert same(lj.sweep(RISK, START, 20, executor=executor, **HOW), alone)


def test_each_worker_compiles_once_for_all_of_its_chunks():
    def counting(t):
        import builtins

        setattr(builtins, "traces", getattr(builtins, "traces", 0) + 1)  # noqa: B010
        return jnp.tanh(t)

    def told(_):
        import builtins

        time.sleep(0.5)
        return os.getpid(), getattr(builtins, "traces")  # noqa: B009

    start = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation=counting)
    after = []
    with ProcessPoolExecutor(1, mp_context=SPAWN) as executor:
        for restarts in (5, 40):
            lj.sweep(RISK, start, restarts, executor=executor, **HOW)
            after += [result for _, result in results(executor, told, [0], str)]
    assert after[0] == after[1]


class Recorder(Executor):
    """An executor that runs nothing until it is told to."""

    def __init__(self):
        self._max_workers, self.waiting, self.most = 2, [], 0

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        self.most = max(self.most, len(self.waiting))
        threading.Timer(0.05, self.step).start()
        return future

    def step(self):
        future, work = self.waiting.pop(0)
        future.set_result(work())


def test_a_worker_has_at_most_two_pieces_at_hand_whoever_submits():
    executor = Recorder()

    def every(count):
        return sorted(r for _, r in results(executor, abs, range(count), str))

    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(every, (9, 7, 8)))
    assert found == [list(range(9)), list(range(7)), list(range(8))]
    assert 3 <= executor.most <= 4


def odd(piece: int) -> int:
    if piece % 2 == 0:
        raise OSError(f"{piece} is\neven")
    return piece


def test_pieces_that_fail_are_named_at_the_end_and_all_others_are_done(pool):
    done = []
    with pytest.raises(SweepError) as caught:
        done.extend(r for _, r in results(pool, odd, [1, 2, 3, 4, 5], "piece {}".format))
    assert str(caught.value) == (
        "2 of 5 pieces of work failed, and all others are done: piece 2: OSError: 2 is"
    )
    # A generator that raises has handed over all that was done before.
    kept = []
    with pytest.raises(SweepError):
        kept.extend(iter(results(pool, odd, [1, 2, 3, 4, 5], str)))


def test_a_worker_that_dies_breaks_the_pool_and_the_call_says_so(tmp_path, alone):
    def fatal(t):
        if multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return jnp.tanh(2 * t)

    deadly = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation=fatal)
    with (
        ProcessPoolExecutor(1, mp_context=SPAWN) as executor,
        pytest.raises(SweepError, match=r"4 of 4 pieces .*: restarts .*: BrokenProcessPool"),
    ):
        lj.sweep(RISK, deadly, 20, out=tmp_path, executor=executor, **HOW)
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize(
    ("executor", "error", "message"),
    [
        ("processes", TypeError, "executor is 'processes'; give a concurrent.futures.Executor"),
        (ThreadPoolExecutor, TypeError, "executor is the class ThreadPoolExecutor; give a"),
    ],
)
def test_what_is_no_executor_is_refused(executor, error, message):
    with pytest.raises(error, match=message):
        checked_executor(executor)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_a_pool_that_forks_is_refused():
    for context in (multiprocessing.get_context("fork"), SPAWN):
        executor = ProcessPoolExecutor(2, mp_context=context)
        if context is SPAWN:
            checked_executor(executor)
        else:
            with pytest.raises(ValueError, match=r"executor forks its processes, .*'spawn'"):
                lj.sweep(RISK, START, 20, executor=executor, **HOW)
        executor.shutdown()


def test_workers_are_counted():
    with ThreadPoolExecutor(3) as executor:
        assert worker_count(executor) == 3
    assert worker_count(Executor()) >= 1


def test_threads_are_divided_among_the_workers_of_a_machine(pool):
    def told(_):
        return os.environ.get("NPROC")

    before = os.environ.get("NPROC")
    (found,) = {r for _, r in results(pool, told, range(4), str)}
    assert int(found) == max(1, len(os.sched_getaffinity(0)) // 2)
    assert os.environ.get("NPROC") == before


def test_precision_travels_with_the_work(pool):
    def dtype(_):
        return str(jnp.ones(()).dtype)

    for precise, name in ((True, "float64"), (False, "float32")):
        with jax.enable_x64(precise):
            assert {r for _, r in results(pool, dtype, [0], str)} == {name}


USER = """
import sys, jax, jax.numpy as jnp, landscape_jax as lj
from dask.distributed import Client, LocalCluster
jax.config.update("jax_enable_x64", True)
def main():
    x = jnp.linspace(-1, 1, 8)[:, None]
    risk, key = lj.EmpiricalRisk(x, jnp.sin(3 * x[:, 0])), jax.random.key(0)
    start = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation=lambda t: jnp.tanh(2 * t))
    how = dict(key=key, chunk=5, max_steps=20_000, finish=False, out=sys.argv[1])
    with LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as c, Client(c) as client:
        pids = client.run(lambda: __import__("os").getpid())
        print(*pids.values(), flush=True)
        lj.sweep(risk, start, 100, executor=client.get_executor(), **how)
if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
def test_a_dask_sweep_survives_the_death_of_a_worker_and_of_the_client(tmp_path):
    (tmp_path / "user.py").write_text(USER)
    out = tmp_path / "sweep"
    command = [sys.executable, str(tmp_path / "user.py"), str(out)]

    def begin():
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert child.stdout is not None
        return child, [int(pid) for pid in child.stdout.readline().split()]

    def stamps():
        return {p.name: p.stat().st_mtime_ns for p in out.glob("runs/*.zarr")}

    def wait_for(count):
        deadline = time.monotonic() + 120
        while len(stamps()) < count and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(stamps()) >= count

    client, workers = begin()
    wait_for(1)
    os.kill(workers[0], signal.SIGKILL)
    wait_for(6)
    client.kill()
    client.communicate()
    for pid in workers[1:]:
        os.kill(pid, signal.SIGKILL)
    before = stamps()
    assert len(before) < 20
    client, workers = begin()
    client.communicate(timeout=240)
    assert client.returncode == 0
    assert before.items() <= stamps().items()
    assert len(stamps()) == 20
    start = lj.starts.network(lj.TwoLayer, (1, 2, 1), activation=lambda t: jnp.tanh(2 * t))
    how: dict[str, Any] = HOW | {"max_steps": 20_000}
    alone = lj.sweep(RISK, start, 100, **how)
    parts = [lj.Runs.load(p, like=start(KEY)) for p in sorted(out.glob("runs/*.zarr"))]
    kept = lj.Runs.concatenate([part.map(np.asarray) for part in parts])
    assert same(kept, alone)
