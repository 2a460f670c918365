"""The cache directory of compiled programs and kernels."""

import os
from pathlib import Path


def cache_directory() -> Path | None:
    """Return this package's cache directory, created if missing; `None` if it is not writable."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = Path(home, "landscape-jax")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return cache if os.access(cache, os.W_OK) else None
