"""Pieces of work for the workers of any `concurrent.futures.Executor`."""

import hashlib
import os
import socket
import threading
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from dataclasses import dataclass
from typing import Any, TypeVar

import jax

from landscape_jax.machine import processors
from landscape_jax.mistakes import shown

Piece = TypeVar("Piece")
# Pieces that a worker has at hand, so that it never waits for the next one.
_AHEAD = 2
# Seconds after which a thread without a place looks again.
_LOOK_AGAIN = 1.0
# Functions that a worker keeps, each with its compiled programs.
_KEPT = 8


class SweepError(RuntimeError):
    """Some pieces of work failed on the workers of an executor; all others are done."""


def checked_executor(executor: Any) -> None:
    """Check for an executor whose processes do not begin as copies of this one.

    **Raises:** `TypeError` if it is none; `ValueError` if it forks: a copy of a process in which
    JAX runs hangs.
    """
    if not isinstance(executor, Executor):
        raise TypeError(
            f"executor is {shown(executor)}; give a concurrent.futures.Executor, such as "
            "ProcessPoolExecutor(4, mp_context=multiprocessing.get_context('spawn')) or "
            "dask.distributed.Client(...).get_executor()"
        )
    context = getattr(executor, "_mp_context", None)
    if isinstance(executor, ProcessPoolExecutor) and context is not None:
        method = context.get_start_method()
        if method == "fork":
            raise ValueError(
                "executor forks its processes, which hang where JAX has started; give "
                "mp_context=multiprocessing.get_context('spawn')"
            )


def results(
    executor: Executor,
    function: Callable[[Piece], Any],
    pieces: Sequence[Piece],
    describe: Callable[[Piece], str],
) -> Iterator[tuple[Piece, Any]]:
    """Yield pieces of work with their results, as they come; see `sweep` for what is promised.

    The function travels once for each piece, but is unpickled once by each worker, which so
    compiles once.  A worker does one piece at a time.

    **Arguments:** `executor`, which is left open; `function`, of a piece, which cloudpickle can
    send; `describe` names a piece in an error message.

    **Raises:** `SweepError`, when all others are done, if pieces have failed.
    """
    packed, places = _Packed.of(function, executor), _places_of(executor)
    rest, waiting = deque(range(len(pieces))), dict[Future, int]()
    failed: dict[int, BaseException] = {}
    try:
        while rest or waiting:
            while rest and places.take(wait=not waiting):
                at = rest.popleft()
                try:
                    future = executor.submit(_work, packed, pieces[at])
                except Exception as error:  # The executor's own: it is broken, or was shut down.
                    places.give_back()
                    failed[at] = error
                else:
                    future.add_done_callback(places.give_back)
                    waiting[future] = at
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                at = waiting.pop(future)
                error = CancelledError() if future.cancelled() else future.exception()
                if error is None:
                    yield pieces[at], future.result()
                else:
                    failed[at] = error
    finally:
        for future in waiting:
            future.cancel()
    if failed:
        first = min(failed)
        error = failed[first]
        reason = str(error).strip().partition("\n")[0]
        raise SweepError(
            f"{len(failed)} of {len(pieces)} pieces of work failed, and all others are done: "
            f"{describe(pieces[first])}: {type(error).__name__}{': ' * bool(reason)}{reason}"
        ) from error


class _Places:
    """Pieces that the workers of an executor may have at hand, whichever thread submits them."""

    def __init__(self, executor: Executor):
        self._executor = weakref.ref(executor)
        self._taken = 0
        self._changed = threading.Condition()

    def take(self, *, wait: bool) -> bool:
        """Take a place; where none is free, wait for one, or return `False`."""
        while True:
            # Workers may have joined.  Not under the lock: Dask asks the thread that gives back.
            most = self._most()
            with self._changed:
                if self._taken < most:
                    self._taken += 1
                    return True
                if not wait:
                    return False
                self._changed.wait(_LOOK_AGAIN)

    def give_back(self, _: Any = None) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify()

    def _most(self) -> int:
        executor = self._executor()
        return 1 if executor is None else _AHEAD * worker_count(executor)


_every_place: "weakref.WeakKeyDictionary[Executor, _Places]" = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def _places_of(executor: Executor) -> _Places:
    with _guard:
        return _every_place.setdefault(executor, _Places(executor))


def worker_count(executor: Executor) -> int:
    """Return the number of workers; that of this machine's processors where it is unknown."""
    return _workers(executor)[0]


def _workers(executor: Executor) -> tuple[int, int]:
    """Return the number of workers, and the most of them on one machine; 0 where unknown."""
    client = getattr(executor, "_client", None)
    if client is not None:  # Dask's; the number changes as workers come and go.
        machines = Counter(address.rpartition(":")[0] for address in client.nthreads())
        return max(1, machines.total()), max(machines.values(), default=1)
    for name in ("_max_workers", "num_workers"):  # The standard library's, mpi4py's.
        count = getattr(executor, name, None)
        if isinstance(count, int) and count > 0:
            return count, count if isinstance(executor, ProcessPoolExecutor) else 0
    return processors(), 0


def _here() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


@dataclass(frozen=True)
class _Packed:
    """A function on its way to workers, and how JAX is set where it comes from."""

    content: bytes
    digest: str
    float64: bool
    neighbours: int
    origin: tuple[str, int]

    @classmethod
    def of(cls, function: Callable, executor: Executor) -> "_Packed":
        from landscape_jax.sweeps.by_value import dumps

        content = dumps(function)
        digest = hashlib.sha256(content).hexdigest()
        float64 = bool(jax.config.read("jax_enable_x64"))
        return cls(content, digest, float64, _workers(executor)[1], _here())


# What a worker does at a time, and what it has unpickled, by its digest.
_busy = threading.Lock()
_known: dict[str, Callable] = {}


def _work(packed: _Packed, piece: Any) -> Any:
    """Do a piece of work, on a worker."""
    import cloudpickle

    with _busy:
        if packed.neighbours and packed.origin != _here():
            # XLA and the kernels take so many threads; it is read when JAX's backend starts.
            os.environ.setdefault("NPROC", str(max(1, processors() // packed.neighbours)))
        with jax.enable_x64(packed.float64):
            if packed.digest not in _known:
                while len(_known) >= _KEPT:
                    del _known[next(iter(_known))]
                _known[packed.digest] = cloudpickle.loads(packed.content)
            return _known[packed.digest](piece)
