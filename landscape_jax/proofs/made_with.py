"""The versions of what a proof rests on, for its file."""

import platform
from functools import cache
from importlib.metadata import version

from flint import ctx


def versions() -> dict[str, str]:
    """Return the versions of the packages used, and the working precision in bits."""
    return {"precision": str(ctx.prec)} | _packages()


@cache
def _packages() -> dict[str, str]:
    packages = ("python-flint", "numpy", "scipy")
    found = {"landscape_jax": version("landscape-jax"), "python": platform.python_version()}
    return found | {name: version(name) for name in packages}
