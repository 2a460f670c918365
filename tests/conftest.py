"""The strict setting all tests run in: float64, no silent promotion, types checked at run time."""

import signal
from collections.abc import Iterator

import jax
import jaxtyping
import pytest

jax.config.update("jax_enable_x64", True)
jaxtyping.install_import_hook("landscape_jax", "beartype.beartype").__enter__()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let children heed Ctrl-C, which whatever a shell starts in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
