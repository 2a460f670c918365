"""Files and directories that appear whole or not at all.

Everything is written under a temporary name beside its place, flushed to the disk and renamed, so
a killed process leaves temporary names alone.
"""

import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

# Of a name, characters that its temporary one has too.
_KEPT = 40
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")


class StorageError(ValueError):
    """A path that cannot be used: of another sweep, of another program, locked, or damaged."""


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; what is written there becomes `path`, or nothing does.

    A link is followed, and a file that is replaced keeps its mode.  What is no regular file (a
    device, a pipe), and the file that this process prints to, are never replaced: they are written
    into.

    **Arguments:** `path`, of a file, which is replaced where it exists, or of a new directory.

    **Raises:** `OSError`, which names `path`, where the system does not allow it.

    ```python
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with appearing(Path(folder, "a.txt")) as place:
    ...         _ = place.write_text("whole")
    ...     os.listdir(folder)
    ['a.txt']

    ```
    """
    made = _poured(path) if _is_written_into(path) else _replaced(Path(os.path.realpath(path)))
    place = path
    try:
        with made as place:
            yield place
    except OSError as error:
        # A full disk names no file, and nobody knows the temporary one.
        if error.errno and (not error.filename or str(error.filename).startswith(str(place))):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    # A name may be as long as the system allows, and leave no room for the mark.
    temporary = path.with_name(f".{path.name[:_KEPT]}.{secrets.token_hex(4)}")
    try:
        yield temporary
        inside = temporary.rglob("*") if temporary.is_dir() else ()
        for place in (*inside, temporary):
            _flush(place)
        if path.is_file():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        raise
    _flush(path.parent)


@contextmanager
def _poured(path: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, path.name)
        yield place
        descriptor = _descriptor(path)
        # What is opened a second time begins at the file's start again.
        into = path if descriptor is None else os.dup(descriptor)
        with open(into, "wb") as stream:
            stream.write(place.read_bytes())


def _is_written_into(path: Path) -> bool:
    exists = os.path.exists(path) and not os.path.isdir(path)
    return exists and (not os.path.isfile(path) or _descriptor(path) is not None)


def _descriptor(path: Path) -> int | None:
    """Return 1 or 2 if standard output or error goes to `path`."""
    for number in (1, 2):
        open_ = f"/dev/fd/{number}"
        if os.path.exists(open_) and os.path.samefile(path, open_):
            return number
    return None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, whole or not at all.

    **Raises:** `ValueError` on NaN and the infinities, which are not JSON.
    """
    with appearing(path) as place, open(place, "x", encoding="utf-8") as stream:
        json.dump(content, stream, indent=1, allow_nan=False)
        stream.write("\n")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    **Raises:** `StorageError` where it is none.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise StorageError(f"{path} is not a JSON file") from None


def write_arrays(path: Path, arrays: "xr.Dataset") -> None:
    """Write labelled arrays as a zarr v3 directory, whole or not at all."""
    with appearing(path) as place:
        arrays.to_zarr(place, mode="w", zarr_format=3, consolidated=False)
        _consolidate(place)


def _consolidate(store: Path) -> None:
    """Copy the metadata of all arrays into the group's file, which xarray reads first.

    Zarr's own function warns each time that its specification does not hold this yet.
    """
    group = json.loads((store / "zarr.json").read_text(encoding="utf-8"))
    arrays = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(store.glob("*/zarr.json"))
    }
    inline = {"kind": "inline", "must_understand": False, "metadata": arrays}
    content = json.dumps(group | {"consolidated_metadata": inline})
    (store / "zarr.json").write_text(content, encoding="utf-8")


def read_arrays(path: Path) -> "xr.Dataset":
    """Read labelled arrays into memory."""
    import xarray as xr

    with xr.open_zarr(path, zarr_format=3, consolidated=False, chunks=None) as arrays:
        return arrays.load()


def _flush(path: Path) -> None:
    """Have the system write a file, or a directory's entries, to the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no directories.
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
