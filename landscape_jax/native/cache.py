"""The user's cache of compiled kernels and programs, which nobody else may write.

What lies here is run, so it is used only where this user alone can have made it, and a library only
where its checksum holds.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from landscape_jax.files import TEMPORARY, appearing, file_digest
from landscape_jax.machine import is_anyones, is_ours_alone

# Libraries that are kept, the newest, with their checksums: some megabytes.
_MOST = 32
# Seconds after which a temporary name belongs to no living process.
_STALE = 3600
# Seconds for which another process's compilation is waited for.
_PATIENCE = 300


class NoKernelError(Exception):
    """A kernel cannot be used; the reason in one line."""


def cache_directory(name: str = "") -> Path:
    """Return this package's cache directory, or one inside of it, created if missing.

    **Raises:** `NoKernelError` if it cannot be made or written, or others may write it.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    cache = home / "landscape-jax"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if is_anyones(home):
            raise NoKernelError(f"the cache {cache} is not used, as anyone may write {home}")
        for folder in dict.fromkeys((cache, cache / name)):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder.is_symlink() or not is_ours_alone(folder):
                raise NoKernelError(
                    f"the cache {folder} is not used, as others may write it; give it to this user "
                    "alone (chmod 700)"
                )
    except OSError as error:
        raise NoKernelError(f"the cache {cache} cannot be made: {one_line(error)}") from error
    if not os.access(cache / name, os.W_OK):
        raise NoKernelError(f"the cache {cache} may not be written")
    return cache / name


def one_line(text: Any) -> str:
    """Return the first line of a message, shortened."""
    lines = str(text).strip().splitlines() or [type(text).__name__]
    return lines[0][:300]


def ensure_library(path: Path, compile_to: Callable[[Path], None]) -> None:
    """Have a library made at `path` of the cache, unless the one that was made is there.

    **Raises:** `NoKernelError` if it cannot be.
    """
    from filelock import FileLock, Timeout

    if _is_whole(path):
        return
    given_up = _given_up(path)
    if given_up.is_file() and is_ours_alone(given_up):
        reason = one_line(given_up.read_text(encoding="utf-8", errors="replace"))
        raise NoKernelError(f"{reason}; remove {given_up} to try again")
    try:
        with FileLock(path.with_name(".lock"), timeout=_PATIENCE):
            # Another process may have made it in the meantime.
            if not _is_whole(path):
                _tidy(path.parent)
                forget_library(path)
                with appearing(path) as place:
                    compile_to(place)
                    place.chmod(0o600)
                digest = _digest_of(path)
                with appearing(digest) as place:
                    place.write_text(file_digest(path), encoding="ascii")
                    place.chmod(0o600)
    except Timeout:
        raise NoKernelError(f"another process compiles {path.stem} for too long") from None
    except OSError as error:
        raise NoKernelError(f"{path} cannot be written: {one_line(error)}") from error


def forget_library(path: Path) -> None:
    """Remove a library and its checksum."""
    for place in (path, _digest_of(path)):
        if place.is_dir() and not place.is_symlink():
            raise NoKernelError(f"{place} is a directory; remove it")
        place.unlink(missing_ok=True)


def give_up_library(path: Path, reason: str) -> None:
    """Have `ensure_library` refuse this library, which is made but does not load."""
    with appearing(_given_up(path)) as place:
        place.write_text(f"{path.name} does not load: {reason}", encoding="utf-8")
        place.chmod(0o600)


def _given_up(path: Path) -> Path:
    return path.with_suffix(".failed")


def _digest_of(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _is_whole(path: Path) -> bool:
    """Check whether a library is the one that was made here."""
    digest = _digest_of(path)
    try:
        files = all(place.is_file() and not place.is_symlink() for place in (path, digest))
        ours = files and is_ours_alone(path) and is_ours_alone(digest)
        return ours and digest.read_text(encoding="ascii") == file_digest(path)
    except (OSError, ValueError):
        return False


def _tidy(folder: Path) -> None:
    """Remove the oldest libraries beyond the bound, and what killed processes left."""
    libraries = sorted(folder.glob("*.so"), key=lambda path: path.lstat().st_mtime)
    for path in libraries[: max(0, len(libraries) + 1 - _MOST)]:
        forget_library(path)
    for path in folder.iterdir():
        if TEMPORARY.fullmatch(path.name) and time.time() - path.lstat().st_mtime > _STALE:
            path.unlink(missing_ok=True)
