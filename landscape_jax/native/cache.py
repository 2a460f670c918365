"""Where compiled programs and kernels are kept."""

import os
from pathlib import Path


def cache_directory() -> Path | None:
    """Give the user's cache directory of this package, made where it is missing; or none."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = Path(home, "landscape-jax")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return cache if os.access(cache, os.W_OK) else None
