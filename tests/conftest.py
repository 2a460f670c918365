"""The strict setting all tests run in: float64, no silent promotion, types checked at run time."""

import gc
import os
import signal
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import jax
import jaxtyping
import pytest

# Most of the tests' time is spent in compiling small programs, which takes three times as long when
# they are optimized.  The commands of the README, the notebooks and the benchmarks run optimized.
_UNOPTIMIZED = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
if version("jaxlib").startswith("0.10."):
    # Later ones end the process where they meet it.
    _UNOPTIMIZED += " --xla_cpu_use_fusion_emitters=false"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_UNOPTIMIZED}".strip()

jax.config.update("jax_enable_x64", True)
jaxtyping.install_import_hook("landscape_jax", "beartype.beartype").__enter__()


def pytest_collection_finish() -> None:
    """Leave what collecting has made, which stays, out of all later garbage collections."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def few_programs() -> Iterator[None]:
    """Forget compiled programs before the kernel's 65,530 memory maps of a process are used up."""
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()
        gc.collect()


@pytest.fixture(scope="module")
def few_objects() -> Iterator[None]:
    """Leave out what there is already where JAX collects garbage for each function it traces."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let children heed Ctrl-C, which whatever a shell starts in the background ignores."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def untyped() -> Iterator[None]:
    """Let calls be as those of users, whose arguments no hook has checked."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)
