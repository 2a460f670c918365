"""Files and directories that appear whole or not at all, with checksums.

Everything is written under a temporary name beside its place, flushed to the disk and renamed, so
a killed process leaves temporary names alone.  What is read back is held against its checksums
before anything looks at it.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from landscape_jax.machine import is_trusted

if TYPE_CHECKING:
    import xarray as xr

# Of a name, characters that its temporary one has too.
_KEPT = 40
_MARK = ".landscape-jax-tmp-"
# Names that nothing else gives.
TEMPORARY = re.compile(re.escape(_MARK) + r".*-[0-9a-f]{8}", re.DOTALL)
# The entries of a JSON file, and the attributes of labelled arrays, that hold checksums.
_CHECKSUM, _FILES = "checksum", "files"
# Of a zarr directory, the file of the whole group.
_GROUP = "zarr.json"


class StorageError(ValueError):
    """A path that cannot be used: of another sweep, of another program, locked, or damaged."""


class DamagedError(StorageError):
    """Something that is not, or no longer, what was written."""


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; what is written there becomes `path`, or nothing does.

    A link is followed, and a file that is replaced keeps its mode.  The file that this process
    prints to is not replaced, but written into.

    **Arguments:** `path`, of a file, which is replaced where it exists, or of a new directory.

    **Raises:** `StorageError` where `path` is special, see `refuse_special`; `OSError`, which names
    `path`, where the system does not allow it.

    ```python
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with appearing(Path(folder, "a.txt")) as place:
    ...         _ = place.write_text("whole")
    ...     os.listdir(folder)
    ['a.txt']

    ```
    """
    refuse_special(path)
    printed = os.path.exists(path) and _descriptor(path) is not None
    made = _poured(path) if printed else _replaced(Path(os.path.realpath(path)))
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
    temporary = path.with_name(f"{_MARK}{path.name[:_KEPT]}-{secrets.token_hex(4)}")
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


def refuse_special(path: Path) -> None:
    """Refuse what is neither a file nor a directory, nor what this process prints to.

    **Raises:** `StorageError` if `path` is a device or a pipe, which would be waited for, or a link
    that another user may have laid.
    """
    if os.path.islink(path) and not is_trusted(path):
        raise StorageError(f"{path} is another user's link; give a file")
    plain = os.path.isfile(path) or os.path.isdir(path) or not os.path.exists(path)
    if not plain and _descriptor(path) is None:
        raise StorageError(f"{path} is a device or a pipe; give a file")


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

    **Raises:** `DamagedError` where it is none; `StorageError` where it cannot be read.
    """
    if not path.is_file():  # A pipe would be waited for.
        raise DamagedError(f"{path} is {'no file' if os.path.lexists(path) else 'missing'}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise DamagedError(f"{path} is not a JSON file") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from None


def write_checked(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object with a checksum of its entries."""
    write_json(path, {**content, _CHECKSUM: checksum(content)})


def read_checked(path: Path) -> dict[str, Any]:
    """Read a JSON object that `write_checked` wrote.

    **Raises:** `DamagedError` where it is anything else, or any entry was changed.

    ```python
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_checked(Path(folder, "a.json"), {"x": 1})
    ...     read_checked(Path(folder, "a.json"))
    {'x': 1}

    ```
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.pop(_CHECKSUM, None) != checksum(content):
        raise DamagedError(f"{path} is damaged: its checksum does not hold")
    return content


def checksum(content: Any) -> str:
    """Return a digest of JSON values."""
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def write_arrays(path: Path, arrays: "xr.Dataset") -> None:
    """Write labelled arrays as a zarr v3 directory, whole or not at all, with checksums."""
    with appearing(path) as place:
        arrays.to_zarr(place, mode="w", zarr_format=3, consolidated=False)
        _seal(place)


def _seal(store: Path) -> None:
    """Write into the group's file the metadata of all arrays, and checksums of it and all files.

    xarray reads the group's file first.  Zarr's own function warns each time that its specification
    does not hold such metadata yet.
    """
    group = json.loads((store / _GROUP).read_text(encoding="utf-8"))
    arrays = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(store.glob(f"*/{_GROUP}"))
    }
    inline = {"kind": "inline", "must_understand": False, "metadata": arrays}
    files = {
        path.relative_to(store).as_posix(): file_digest(path)
        for path in sorted(store.rglob("*"))
        if path.is_file() and path != store / _GROUP
    }
    group |= {"consolidated_metadata": inline}
    group["attributes"] = {**group.get("attributes", {}), _FILES: files}
    group["attributes"][_CHECKSUM] = checksum(group)
    (store / _GROUP).write_text(json.dumps(group), encoding="utf-8")


def _check(store: Path) -> None:
    """Hold a zarr directory against its checksums; what is not listed there is not read."""
    group = read_json(store / _GROUP)
    try:
        attributes = group["attributes"]
        said, files = attributes.pop(_CHECKSUM), attributes[_FILES]
    except (KeyError, TypeError, AttributeError):
        raise DamagedError(f"{store} has no checksums") from None
    if said != checksum(group):
        raise DamagedError(f"{store} is damaged: the checksum of {_GROUP} does not hold")
    for name, digest in files.items():
        path = store / name
        if not path.is_file():
            raise DamagedError(f"{store} is damaged: {name} is missing")
        if file_digest(path) != digest:
            raise DamagedError(f"{store} is damaged: the checksum of {name} does not hold")


def file_digest(path: Path) -> str:
    """Return a digest of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_arrays(path: Path) -> "xr.Dataset":
    """Read labelled arrays that `write_arrays` wrote into memory.

    **Raises:** `DamagedError` where anything of them is missing, or was changed.
    """
    import xarray as xr

    try:
        _check(path)
        with xr.open_zarr(path, zarr_format=3, consolidated=True, chunks=None) as found:
            arrays = found.load()
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
    for name in (_CHECKSUM, _FILES):
        del arrays.attrs[name]
    return arrays


def _flush(path: Path) -> None:
    """Have the system write a file, or a directory's entries, to the disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        if path.is_dir():
            return  # Windows opens no directories.
        raise
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
