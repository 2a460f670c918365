"""Rows of a table in a store: each rests on the families of runs and on their certificates."""

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from landscape_jax.files import StorageError, file_digest
from landscape_jax.sweeps.proven import Proven
from landscape_jax.sweeps.store import Store

Item = TypeVar("Item")
Result = TypeVar("Result")


def write_row(store: Store, name: str, row: Mapping[str, Any], ends: Sequence[Proven]) -> None:
    """Write the numbers of a row, with the digests of the certificates of its `ends`."""
    digests = {path: file_digest(store.path(path)) for path in _certificates(ends)}
    store.write_json(name, {**row, "digests": digests})


def read_row(
    store: Store, name: str, build: Callable[[dict[str, Any], tuple[Proven, ...]], Result]
) -> Result | None:
    """Read a finished row; `None` if there is none that holds.

    It is to be made again, which a warning says, where it, or one of the certificates that it rests
    on, is damaged.

    **Arguments:** `build`, from the row's numbers and its `ends` to the row; it raises
    `StorageError` if they are not those of the row asked for.
    """
    try:
        known = store.read_json(name)
        if known is None:
            return None
        digests = known.pop("digests")
        ends = tuple(Proven(**one) for one in known.pop("ends"))
        row = build(known, ends)
        for path in _certificates(ends):
            place = store.root / path
            if not place.is_file() or file_digest(place) != digests.get(path):
                raise StorageError(f"{place} is missing, or not the one that was verified")
    except (StorageError, KeyError, TypeError) as error:
        reason = error if isinstance(error, StorageError) else f"{name} has other fields"
        message = f"{store.root / name} is made again: {reason}"
        warnings.warn(message, RuntimeWarning, stacklevel=3)
        return None
    return row


def _certificates(ends: Sequence[Proven]) -> list[str]:
    return [end.certificate for end in ends if end.certificate is not None]


def ahead(
    work: Callable[[Item], Result], items: Sequence[Item], at_a_time: int
) -> Iterator[Result]:
    """Yield the result of each item in order, computing the next ones while this one is used.

    Compiling, descending and proving leave a core idle at times; two items at a time do not.
    """
    with ThreadPoolExecutor(at_a_time) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            if len(waiting) == at_a_time:
                yield waiting.popleft().result()
            waiting.append(pool.submit(work, item))
        while waiting:
            yield waiting.popleft().result()
