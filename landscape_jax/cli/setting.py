"""How JAX is set for all commands."""

import os


def prepare_jax() -> None:
    """Switch on float64, and keep compiled programs in the user's cache directory."""
    import jax

    jax.config.update("jax_enable_x64", True)
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    from landscape_jax.native.cache import cache_directory

    cache = cache_directory()
    if cache is not None:
        # In the environment too, from which workers take them.
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(cache)
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.3"
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
