"""How JAX is set for all commands."""

import os
from typing import Any

# Bytes of compiled programs that are kept, the last used.
_MOST = 2**30


def prepare_jax() -> None:
    """Switch on float64, and keep compiled programs in the user's cache directory."""
    import jax

    jax.config.update("jax_enable_x64", True)
    for name, value in cache_settings().items():
        jax.config.update(name, value)


def cache_settings() -> dict[str, Any]:
    """Return JAX's settings by which compiled programs are kept; none where they cannot be.

    The environment may say otherwise.
    """
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return {}
    from landscape_jax.native.cache import NoKernelError, cache_directory

    try:
        cache = cache_directory("programs")
    except NoKernelError:
        return {}  # The kernels' warning says so.
    return {
        "jax_compilation_cache_dir": str(cache),
        "jax_persistent_cache_min_compile_time_secs": 0.3,
        "jax_compilation_cache_max_size": _MOST,
    }
