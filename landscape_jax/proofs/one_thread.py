"""Float linear algebra on one thread.

The guesses behind a proof are matrices of a few hundred rows: there a second thread of the BLAS
saves nothing, and spins while it waits for a core that a search is using.
"""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from threadpoolctl import ThreadpoolController

from landscape_jax.exact.working_precision import process_settings

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@functools.cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return the function with the BLAS limited to one thread while it runs, one call at a time."""

    @functools.wraps(function)
    def limited(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        # The limit belongs to the process, and another thread's must not be put back over it.
        with process_settings, _libraries().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited
