"""Runs and sweeps on disk: labelled arrays and JSON files, written atomically.

A sweep is a directory to which one process at a time may add, or several that joined each other;
nothing in it is ever rewritten:

    manifest.json     what the sweep is, and every setting that changes its results
    .lock             held while a process works in the directory
    <name>.zarr       labelled arrays (xarray, zarr v3)
    <name>.json       small results

Everything is written under a temporary name beside its place, flushed to the disk and renamed, so
a killed process leaves temporary names alone; the next one removes them.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape_jax.files import (
    TEMPORARY,
    StorageError,
    read_arrays,
    read_json,
    write_arrays,
    write_json,
)
from landscape_jax.sweeps.processes import ALONE, Processes

if TYPE_CHECKING:
    import xarray as xr

FORMAT = "landscape_jax sweep"
VERSION = 2
_MANIFEST = "manifest.json"
_LOCK = ".lock"


class Store:
    """A directory of results, open for one process; see `open_store`.

    Names are paths relative to the directory, e.g. `sweep.path("runs/k06-n06/00000.zarr")`.
    """

    def __init__(self, root: Path):
        self.root = root

    def path(self, name: str) -> Path:
        """Return the path of `name`, and create its parent directory."""
        place = self.root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def names(self, pattern: str) -> list[str]:
        """List the finished names that match a glob pattern, in order."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.glob(pattern))

    def write_arrays(self, name: str, arrays: "xr.Dataset") -> None:
        """Write labelled arrays atomically as `name`, a zarr v3 directory."""
        write_arrays(self.path(name), arrays)

    def read_arrays(self, name: str) -> "xr.Dataset":
        """Read the labelled arrays of `name` into memory."""
        return read_arrays(self.root / name)

    def write_json(self, name: str, content: Any) -> None:
        """Write `content` atomically as the JSON file `name`."""
        write_json(self.path(name), content)

    def read_json(self, name: str) -> Any | None:
        """Read the JSON file `name`; `None` if there is none."""
        path = self.root / name
        return read_json(path) if path.exists() else None


@contextmanager
def open_store(
    root: str | os.PathLike[str],
    *,
    what: str,
    settings: Mapping[str, Any],
    processes: Processes = ALONE,
) -> Iterator[Store]:
    """Open the directory of a sweep, or create it, and hold its lock.

    A directory belongs to this sweep if its manifest has the same `what` and `settings`.  Settings
    are what changes the results; what only extends them (more restarts, other sizes) belongs in the
    names.

    **Arguments:** `root`, a directory, created if missing; `what`, the sweep in a few words;
    `settings`, of JSON values; `processes`, those that open it together, each of which writes under
    names of its own.

    **Returns:** a context manager that yields the `Store`.

    **Raises:** `StorageError` if `root` is not a directory, holds something else, or is in use.
    """
    root = Path(root)
    manifest = {"format": FORMAT, "version": VERSION, "what": what, "settings": dict(settings)}
    with ExitStack() as stack:
        try:
            if processes.index == 0:
                _begin(root, manifest, stack)
            if processes.count > 1:
                stack.close()
                processes.wait("the sweep is open")
                stack.enter_context(_locked(root, shared=True))
        except (FileExistsError, NotADirectoryError):
            raise StorageError(f"{root} is not a directory") from None
        except PermissionError as error:
            raise StorageError(f"{error.filename} may not be read or written") from None
        yield Store(root)


def _begin(root: Path, manifest: dict[str, Any], stack: ExitStack) -> None:
    """Lock the directory for this process alone, and check or write its manifest."""
    root.mkdir(parents=True, exist_ok=True)
    _check_manifest(root, manifest)
    stack.enter_context(_locked(root))
    if not _check_manifest(root, manifest):
        write_json(root / _MANIFEST, manifest)
    _clean(root)


def _check_manifest(root: Path, expected: dict[str, Any]) -> bool:
    """Check whether the directory holds this sweep; `False` if it is empty.

    **Raises:** `StorageError` if it holds anything else.
    """
    path = root / _MANIFEST
    if not path.exists():
        known = (name for name in os.listdir(root) if name != _LOCK)
        if foreign := sorted(name for name in known if not TEMPORARY.fullmatch(name)):
            raise StorageError(
                f"{root} holds {foreign[0]} but no sweep; give an empty or a new directory"
            )
        return False
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StorageError(f"{root} holds a {_MANIFEST} of another program; give a new directory")
    for key, value in expected.items():
        if key != "settings" and found.get(key) != value:
            raise StorageError(
                f"{root} holds a sweep of {key} {found.get(key)!r}, not {value!r}; "
                "give a new directory"
            )
    settings, asked = found.get("settings"), expected["settings"]
    if settings != asked:
        settings = settings if isinstance(settings, dict) else {}
        name = next(n for n in (*asked, *settings) if settings.get(n) != asked.get(n))
        raise StorageError(
            f"{root} holds a sweep with {name} {settings.get(name)}, not {asked.get(name)}; "
            "give a new directory"
        )
    return True


@contextmanager
def _locked(root: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the directory's lock, which the system releases when the process ends in any way."""
    import fcntl  # Where there is none, on Windows, all but sweeps works.

    with open(root / _LOCK, "a") as stream:
        try:
            fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(f"{root} is in use by another process") from None
        yield


def _clean(root: Path) -> None:
    """Remove what killed processes left under temporary names."""
    for folder, directories, files in os.walk(root):
        for name in filter(TEMPORARY.fullmatch, files):
            os.unlink(os.path.join(folder, name))
        for name in filter(TEMPORARY.fullmatch, directories[:]):
            shutil.rmtree(os.path.join(folder, name))
            directories.remove(name)
