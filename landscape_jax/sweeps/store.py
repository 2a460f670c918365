"""A directory of results that one process at a time may add to, and whose damage is noticed.

    landscape-jax-sweep.json   what the sweep is, every setting that changes its results, and
                               on what versions and processor they are computed
    .landscape-jax-lock        held while a process works in the directory
    <name>.zarr                labelled arrays (xarray, zarr v3)
    <name>.json                small results

Everything is written under a temporary name beside its place, flushed to the disk and renamed, so
a killed process leaves temporary names alone; the next one removes them.  Nothing else is ever
removed.  Each file says of which sweep it is, what its name is, and what its checksums are.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape_jax.files import (
    TEMPORARY,
    DamagedError,
    StorageError,
    checksum,
    read_arrays,
    read_checked,
    write_arrays,
    write_checked,
)

if TYPE_CHECKING:
    import xarray as xr

FORMAT = "landscape_jax sweep"
VERSION = 3
_MANIFEST = "landscape-jax-sweep.json"
_LOCK = ".landscape-jax-lock"


@dataclass(frozen=True)
class Store:
    """A directory of results, open for one process; see `open_store`.

    Names are paths relative to the directory, e.g. `sweep.path("runs/k06-n06/00000.zarr")`.

    - `root`: the directory; `sweep`: a digest of what it holds.
    - `made_by`: the versions and the processor of its results; `mixed`: whether others may add.
    """

    root: Path
    sweep: str
    made_by: Mapping[str, Any]
    mixed: bool = False

    def path(self, name: str) -> Path:
        """Return the path of `name`, and create its parent directory."""
        if not (self.root / _MANIFEST).exists():
            raise StorageError(f"{self.root} was removed while it was in use")
        place = self.root / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise StorageError(f"{place.parent} is no directory; remove it") from None
        return place

    def names(self, pattern: str) -> list[str]:
        """List the finished names that match a glob pattern, in order; hidden ones are not ours."""
        found = (path for path in self.root.glob(pattern) if not path.name.startswith("."))
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def admit(self, made_by: Mapping[str, Any]) -> None:
        """Check that results made by this belong here, in all that the manifest names.

        **Raises:** `StorageError` if they would not have the bits of the others.
        """
        known = {name: made_by.get(name) for name in self.made_by}
        if not self.mixed and (differs := difference(self.made_by, known)):
            raise StorageError(
                f"{self.root} holds results of {differs}, which may differ in their last digits; "
                "give a new directory, or mixed=True (--mixed) to add to it all the same"
            )

    def write_arrays(
        self, name: str, arrays: "xr.Dataset", made_by: Mapping[str, Any] | None = None
    ) -> None:
        """Write labelled arrays atomically as `name`, a zarr v3 directory; see `admit`."""
        made_by = self.made_by if made_by is None else made_by
        self.admit(made_by)
        marks = self._marks(name) | {"made_by": dict(made_by)}
        write_arrays(self.path(name), arrays.assign_attrs(marks))

    def read_arrays(self, name: str) -> "xr.Dataset":
        """Read the labelled arrays of `name` into memory.

        **Raises:** `DamagedError` if they are damaged, of another sweep, or renamed.
        """
        arrays = read_arrays(self.root / name)
        self._recognize(name, arrays.attrs)
        made_by = arrays.attrs.pop("made_by", None)
        self.admit({} if not isinstance(made_by, dict) else made_by)
        return arrays

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write the entries of `content` atomically as the JSON file `name`."""
        write_checked(self.path(name), {**content, **self._marks(name)})

    def read_json(self, name: str) -> dict[str, Any] | None:
        """Read the JSON file `name`; `None` if there is none.

        **Raises:** `DamagedError` if it is damaged, of another sweep, or renamed.
        """
        path = self.root / name
        if not os.path.lexists(path):
            return None
        content = read_checked(path)
        self._recognize(name, content)
        return content

    def _marks(self, name: str) -> dict[str, str]:
        return {"sweep": self.sweep, "name": name}

    def _recognize(self, name: str, marks: dict[str, Any]) -> None:
        """Check, and remove, what is written into each file about its place."""
        sweep, own = marks.pop("sweep", None), marks.pop("name", None)
        if sweep != self.sweep:
            raise DamagedError(f"{self.root / name} is not of this sweep")
        if own != name:
            raise DamagedError(f"{self.root / name} was written as {own}")


def difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
    """Return in words what two results are not both made by; `None` if there is nothing.

    ```python
    >>> difference({"jax": "1", "lanes": 8}, {"jax": "2", "lanes": 8})
    'jax 1, not 2'

    ```
    """
    names = (name for name in (*one, *other) if one.get(name) != other.get(name))
    return next((f"{name} {one.get(name)}, not {other.get(name)}" for name in names), None)


@contextmanager
def open_store(
    root: str | os.PathLike[str],
    *,
    what: str,
    settings: Mapping[str, Any],
    made_by: Mapping[str, Any],
    mixed: bool = False,
) -> Iterator[Store]:
    """Open the directory of a sweep, or create it, and hold its lock.

    A directory belongs to this sweep if its manifest has the same `what` and `settings`.  Settings
    are what changes the results; what only extends them (more restarts, other sizes) belongs in the
    names.

    **Arguments:** `root`, a directory, created if missing; `what`, the sweep in a few words;
    `settings` and `made_by`, of JSON values: what the results depend on, and what their last digits
    depend on, see `made_by`; `mixed`, whether results of another `made_by` may be added.

    **Returns:** a context manager that yields the `Store`.

    **Raises:** `StorageError` if `root` is not a directory, holds something else, or is in use.
    """
    root = Path(root)
    manifest = {"format": FORMAT, "version": VERSION, "what": what, "settings": dict(settings)}
    with ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            _refuse_foreign(root)
            stack.enter_context(_locked(root))
            # Another process may have begun it in between.
            found = _made_by(root, manifest)
            if found is None:
                write_checked(root / _MANIFEST, {**manifest, "made_by": dict(made_by)})
            _clean(root)
        except (FileExistsError, NotADirectoryError):
            raise StorageError(f"{root} is not a directory") from None
        except PermissionError as error:
            raise StorageError(f"{error.filename} may not be read or written") from None
        store = Store(root, checksum(manifest), found or dict(made_by), mixed)
        store.admit(made_by)
        yield store


def _refuse_foreign(root: Path) -> None:
    """Refuse a directory that holds something, but no sweep."""
    names = sorted(os.listdir(root))
    foreign = [name for name in names if name != _LOCK and not TEMPORARY.fullmatch(name)]
    if foreign and not os.path.lexists(root / _MANIFEST):
        raise StorageError(
            f"{root} holds {foreign[0]} but no sweep; give an empty or a new directory"
        )


def _made_by(root: Path, expected: dict[str, Any]) -> dict[str, Any] | None:
    """Return by what the results of this sweep are made; `None` if it is new.

    **Raises:** `StorageError` if the directory holds another one.
    """
    path = root / _MANIFEST
    if not os.path.lexists(path):
        return None
    found = read_checked(path)
    for key, value in expected.items():
        if key != "settings" and found.get(key) != value:
            name = "it" if key == "what" else f"its {key}"
            raise StorageError(
                f"{root} holds something else: {name} is {found.get(key)!r}, not {value!r}; "
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
    return found["made_by"]


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the directory's lock, which the system releases when the process ends in any way."""
    from filelock import FileLock, Timeout

    if (root / _LOCK).is_dir():
        raise StorageError(f"{root / _LOCK} is a directory; remove it")
    lock = FileLock(root / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StorageError(f"{root} is in use by another process") from None
    try:
        yield
    finally:
        lock.release()


def _clean(root: Path) -> None:
    """Remove what killed processes left under temporary names, but nothing of another sweep."""
    for folder, directories, files in os.walk(root):
        for name in filter(TEMPORARY.fullmatch, (*files, *directories)):
            path = Path(folder, name)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        directories[:] = [
            name
            for name in directories
            if not TEMPORARY.fullmatch(name) and not os.path.lexists(Path(folder, name, _MANIFEST))
        ]
