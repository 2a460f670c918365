"""The CPU's kernel of the population risk: compiled by the machine's C++ compiler at its first use.

XLA's code for a batch of small matrix products leaves most of a CPU idle; `relu_risk.cc` does not.
The library is made once for this source, processor and jaxlib, and kept in the user's cache
directory.  Where there is no compiler, or `LANDSCAPE_JAX_NATIVE=0` is set, XLA's code is used.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import jax
import jax.numpy as jnp
from jaxtyping import Array

from landscape_jax.storage import cache_directory

_SOURCE = Path(__file__).with_name("relu_risk.cc")
_KERNELS = ("risk", "descend", "product")
# The first set that the compiler knows is taken.
_TUNED = (["-march=native"], ["-mcpu=native"], [])
_OPTIONS = ["-std=c++17", "-O2", "-fno-math-errno", "-fPIC", "-shared"]
# Beyond, a group of students leaves the cache, and XLA's products are large enough to be good.
_MOST = 8192
_lock = threading.Lock()


def target(dtype, students: Sequence[int], teachers: Sequence[int], angle) -> str | None:
    """Give the kernel's name, compiled and registered with JAX; `None` to use XLA's code.

    **Arguments:** `dtype`; the shapes of W and V; `angle`, the coefficients of θ/sin θ.
    """
    if jax.default_backend() != "cpu" or jnp.dtype(dtype) not in (jnp.float32, jnp.float64):
        return None
    (n, d), (k, _) = students, teachers
    if not 0 < (n + k) * d <= _MOST or n == 0:
        return None
    with _lock:
        return _registered(8 * jnp.dtype(dtype).itemsize, angle)


def students_part(name: str, W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Give value and slope; see `population._students`."""
    point, scalar = _types(W, V, a, b)
    slope, value = _call(name, "risk", (point, scalar), W, V, a, b)
    return value, slope


def descend(
    name: str, W: Array, V: Array, a: Array, b: Array, rate: Array, steps: Array
) -> tuple[Array, Array, Array]:
    """Go `steps` steps w ← w − rate · slope; give where they end, and value and slope there."""
    point, scalar = _types(W, V, a, b, rate, steps)
    end, slope, value = _call(name, "descend", (point, point, scalar), W, V, a, b, rate, steps)
    return end, value, slope


def product(name: str, W: Array, V: Array, a: Array, b: Array, along: Array) -> Array:
    """Give the Hessian's product with the direction `along`, of W's shape."""
    point, _ = _types(W, V, a, b, along)
    return _call(name, "product", point, W, V, a, b, along)


def _call(name: str, what: str, types, *operands: Array):
    return jax.ffi.ffi_call(f"{name}_{what}", types, vmap_method="expand_dims")(*operands)


def _types(W: Array, *others: Array):
    """Give the types of a result of W's shape and of a scalar.

    Inside `shard_map` a result varies over every axis over which an operand does; this says so.
    """

    def like(W: Array, *others: Array) -> tuple[Array, Array]:
        total = sum((x.sum().astype(W.dtype) for x in others), W.sum())
        return W + total, total

    return jax.eval_shape(like, W, *others)


@functools.cache
def _registered(bits: int, angle: tuple[float, ...]) -> str | None:
    compiler = _compiler()
    if compiler is None:
        return None
    try:
        library = ctypes.CDLL(str(_library(compiler, bits, angle)))
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        warnings.warn(
            f"the CPU kernel could not be made with {shlex.join(compiler)}; XLA's slower code is "
            f"used (LANDSCAPE_JAX_NATIVE=0 silences this): {said.strip()[:500]}",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    name = f"landscape_jax_{bits}"
    for what in _KERNELS:
        entry = jax.ffi.pycapsule(library[f"relu_{what}"])
        jax.ffi.register_ffi_target(f"{name}_{what}", entry, platform="cpu")
    return name


def _compiler() -> list[str] | None:
    if os.environ.get("LANDSCAPE_JAX_NATIVE") == "0" or sys.platform == "win32":
        return None
    if chosen := os.environ.get("CXX"):
        return shlex.split(chosen)
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    return None if found is None else [found]


def _library(compiler: list[str], bits: int, angle: tuple[float, ...]) -> Path:
    """Give the compiled library, from the cache or made now."""
    source = _SOURCE.read_bytes()
    defined = [f"-DRELU_BITS={bits}", "-DRELU_ANGLE=" + ",".join(map(repr, angle))]
    parts = [source, *map(str.encode, (*compiler, *_OPTIONS, *defined, version("jaxlib"), _cpu()))]
    name = f"relu-risk-{hashlib.sha256(bytes([0]).join(parts)).hexdigest()[:24]}.so"
    folder = cache_directory() or Path(tempfile.mkdtemp(prefix="landscape-jax-"))
    path = folder / name
    if not path.exists():
        # Under another name first: two processes may be at it.
        with tempfile.TemporaryDirectory(dir=folder) as place:
            made = Path(place, name)
            _compile(compiler, defined, made)
            os.replace(made, path)
    return path


def _compile(compiler: list[str], defined: list[str], to: Path) -> None:
    include = ["-isystem", jax.ffi.include_dir()]
    for i, tuned in enumerate(_TUNED):
        subprocess.run(
            [*compiler, *_OPTIONS, *tuned, *defined, *include, str(_SOURCE), "-o", str(to)],
            capture_output=True,
            text=True,
            check=i == len(_TUNED) - 1,
        )
        if to.exists():
            return


def _cpu() -> str:
    """Tell processors apart: a cache directory may be shared by machines."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
