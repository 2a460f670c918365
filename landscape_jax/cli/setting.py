"""How JAX is set for all commands."""

import os

# Bytes of compiled programs that are kept, the last used.
_MOST = 2**30


def prepare_jax() -> None:
    """Switch on float64, and keep compiled programs in the user's cache directory."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    from landscape_jax.native.cache import NoKernelError, cache_directory

    try:
        cache = cache_directory("programs")
    except NoKernelError:
        return  # The kernels' warning says so.
    settings = {
        "jax_compilation_cache_dir": str(cache),
        "jax_persistent_cache_min_compile_time_secs": 0.3,
        "jax_compilation_cache_max_size": _MOST,
    }
    for name, value in settings.items():
        jax.config.update(name, value)
        # In the environment too, from which workers take them.
        os.environ[name.upper()] = str(value)
