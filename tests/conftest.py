"""The strict setting all tests run in: float64, no silent promotion, types checked at run time."""

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import jax
import jaxtyping
import pytest

jax.config.update("jax_enable_x64", True)
jaxtyping.install_import_hook("landscape_jax", "beartype.beartype").__enter__()


@pytest.fixture(autouse=True, scope="module")
def few_programs() -> Iterator[None]:
    """Forget compiled programs before the kernel's 65,530 memory maps of a process are used up."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let children heed Ctrl-C, which whatever a shell starts in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
