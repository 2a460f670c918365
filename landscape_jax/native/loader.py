"""C++ kernels for CPUs, compiled by the machine's own compiler at their first use.

XLA's code for batches of small matrices leaves most of a CPU idle; loops whose every register holds
the same entry of several problems do not.  A library is compiled once for its source, this
processor and jaxlib, and kept in the user's cache directory.  Without a compiler, with
`LANDSCAPE_JAX_NATIVE=0`, or inside `without_kernels()`, XLA's code is used.
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
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from landscape_jax.native.cache import (
    NoKernelError,
    cache_directory,
    ensure_library,
    forget_library,
    give_up_library,
    one_line,
)

SOURCES = Path(__file__).parent
# What all kernels share: registers, threads, the types of operands.
_HEADER = SOURCES / "native.h"
# Tuning options, of which the first set that the compiler accepts is used.
_TUNED = (["-march=native"], ["-mcpu=native"], [])
_OPTIONS = ["-std=c++17", "-O2", "-fno-math-errno", "-fPIC", "-shared"]
# What the environment variable may say.
_OFF, _ON = ("0", "false", "off", "no"), ("", "1", "true", "on", "yes")
_lock = threading.Lock()
# Whether kernels are switched off in this context.  It is a part of the key under which JAX keeps
# programs, and made when first wanted: making it, JAX forgets all that it has compiled.
_switch: Any = None
# Whether the kernels that were asked for are in use, by the source's name.
_states: dict[str, str] = {}
# Seconds that a compiler may take.
_PATIENCE = 300


def load(source: Path, names: tuple[str, ...], dtype, *defined: str) -> str | None:
    """Return the prefix of a source's kernels, compiled and registered; `None` to use XLA's code.

    **Arguments:** `source`, a C++ file that defines the handlers `names`; `dtype`, of their `Real`;
    `defined`, macros as `NAME=value`.
    """
    if jax.default_backend() != "cpu" or jnp.dtype(dtype) not in (jnp.float32, jnp.float64):
        return None
    if _is_switched_off():
        return None
    bits = 8 * jnp.dtype(dtype).itemsize
    with _lock:
        return _registered(source, names, (f"-DREAL_BITS={bits}", *(f"-D{d}" for d in defined)))


def call(
    prefix: str, name: str, types, *operands: Array, vmap_method: str = "expand_dims", **attributes
):
    """Call a kernel.

    Under `vmap` it receives the batch as leading axes, of length 1 where shared; kernels that have
    a batch of their own are called once for each entry with `vmap_method="sequential"`.
    """
    kernel = jax.ffi.ffi_call(f"{prefix}_{name}", types, vmap_method=vmap_method)
    return kernel(*operands, **attributes)


def result(shape: tuple[int, ...], dtype, *operands: Array) -> jax.ShapeDtypeStruct:
    """Return the type of a result.

    Inside `shard_map` the type includes every axis over which an operand varies.
    """

    def like(*operands: Array) -> Array:
        return jnp.zeros(shape, dtype) + sum(x.sum().astype(dtype) for x in operands)

    return jax.eval_shape(like, *operands)


@contextmanager
def without_kernels() -> Iterator[None]:
    """Use XLA's code in place of the kernels in all that is traced inside.

    A kernel is a custom call, which `jax.export` refuses: a program exported from here is XLA's
    alone, and runs on any CPU.  Its results are those of the kernels up to rounding.  The
    environment variable `LANDSCAPE_JAX_NATIVE` (0, false, off or no) does the same for a process.

    ```python
    >>> import jax, jax.numpy as jnp, landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(2))
    >>> with without_kernels():
    ...     program = jax.export.export(jax.jit(risk))(jnp.eye(2))
    >>> f"{program.call(0.5 * jnp.eye(2)):.6f}"
    '0.164789'

    ```
    """
    global _switch
    with _lock:
        if _switch is None:
            _switch = jax.make_user_context(False)
    with _switch(True):
        yield


def kernels() -> dict[str, str]:
    """Return for each kernel whether it is in use, for what instruction set, or why it is not.

    They are not in use where `LANDSCAPE_JAX_NATIVE` is 0, false, off or no when a function is
    traced, and inside `without_kernels()`.

    **Raises:** `ValueError` if `LANDSCAPE_JAX_NATIVE` is none of these, nor 1, true, on, yes or
    empty.

    ```python
    >>> sorted(kernels())
    ['primal_dual', 'relu_risk']

    ```
    """
    if jax.default_backend() != "cpu":
        state = f"not in use: the backend is {jax.default_backend()}, the kernels are for CPUs"
    elif _is_switched_off():
        variable = os.environ.get("LANDSCAPE_JAX_NATIVE")
        by = "without_kernels()" if not _says_off() else f"LANDSCAPE_JAX_NATIVE={variable}"
        state = f"not in use: switched off by {by}"
    else:
        return {source.stem: _state(source) for source in sorted(SOURCES.glob("*.cc"))}
    return {source.stem: state for source in sorted(SOURCES.glob("*.cc"))}


def _state(source: Path) -> str:
    """Return in words whether a kernel is in use, and why not."""
    if source.name in _states:
        return _states[source.name]
    try:
        compiler = _compiler()
        cache_directory()
    except NoKernelError as error:
        return f"not in use: {error}"
    if compiler is None:
        return "not in use: no C++ compiler is found, install one"
    return f"to be compiled by {compiler[0]} for {instruction_set()} at its first use"


def _is_switched_off() -> bool:
    return _says_off() or (_switch is not None and _switch.value)


def _says_off() -> bool:
    """Read the environment variable."""
    given = os.environ.get("LANDSCAPE_JAX_NATIVE", "")
    said = given.strip().lower()
    if said not in _OFF + _ON:
        raise ValueError(
            f"LANDSCAPE_JAX_NATIVE is {given!r}; give 0, false, off or no for XLA's code, or 1, "
            "true, on or yes for the CPU kernels"
        )
    return said in _OFF


@functools.cache
def _registered(source: Path, names: tuple[str, ...], defined: tuple[str, ...]) -> str | None:
    try:
        compiler = _compiler()
        if compiler is None:
            raise NoKernelError("no C++ compiler is found, install one")
        folder = cache_directory()
        path = folder / f"{source.stem}-{_build_digest(compiler, source, defined)}.so"
        entries = _entries(path, names, lambda to: _compile([*compiler, *defined], source, to))
    except NoKernelError as error:
        _states[source.name] = f"not in use: {error}"
        # Of what holds for all kernels, once.
        _warn(str(error))
        return None
    prefix = f"landscape_jax_{path.stem}"
    for name, entry in entries.items():
        jax.ffi.register_ffi_target(f"{prefix}_{name}", jax.ffi.pycapsule(entry), platform="cpu")
    _states[source.name] = f"in use, compiled by {compiler[0]} for {instruction_set()}"
    return prefix


def _entries(
    path: Path, names: tuple[str, ...], compile_to: Callable[[Path], None]
) -> dict[str, Any]:
    """Return the handlers of a library, made where it is missing, once more if it does not load.

    **Raises:** `NoKernelError` with the reason, if it does not load then either.
    """
    reason = ""
    for _ in range(2):
        ensure_library(path, compile_to)
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            reason = one_line(error)
        else:
            try:
                return {name: library[name] for name in names}
            except AttributeError as error:
                reason = one_line(error)
                # Else the system takes the next one of this name for the same.
                close = ctypes.CDLL(None).dlclose
                close.argtypes = [ctypes.c_void_p]
                close(library._handle)
        forget_library(path)
    # It would be made anew in every process.
    give_up_library(path, reason)
    raise NoKernelError(f"{path.name} does not load: {reason}")


@functools.cache
def _warn(reason: str) -> None:
    warnings.warn(
        f"{reason}: without CPU kernels XLA's code is used, which is several times slower "
        "(LANDSCAPE_JAX_NATIVE=0 silences this)",
        RuntimeWarning,
        stacklevel=2,
    )


def _compiler() -> list[str] | None:
    """Return the compiler's command; `None` if there is none.

    **Raises:** `NoKernelError` if the environment variable CXX is no command.
    """
    if sys.platform == "win32":
        return None
    if chosen := os.environ.get("CXX", "").strip():
        try:
            return shlex.split(chosen)
        except ValueError as error:
            raise NoKernelError(f"CXX is {chosen!r}: {error}") from error
    found = next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)
    return None if found is None else [found]


def _build_digest(compiler: list[str], source: Path, defined: tuple[str, ...]) -> str:
    """Return a digest of all that a library is made from."""
    build = *compiler, *_OPTIONS, *defined, version("jaxlib"), _cpu()
    parts = [source.read_bytes(), _HEADER.read_bytes(), *map(str.encode, build)]
    return hashlib.sha256(bytes([0]).join(parts)).hexdigest()[:24]


def _compile(command: list[str], source: Path, to: Path) -> None:
    """Compile a source.

    **Raises:** `NoKernelError` with the compiler's complaint.
    """
    include = ["-I", str(_HEADER.parent), "-isystem", jax.ffi.include_dir()]
    complaint = ""
    for tuned in _TUNED:
        line = [*command, *_OPTIONS, *tuned, *include, str(source), "-o", str(to)]
        try:
            done = subprocess.run(
                line, capture_output=True, text=True, errors="replace", timeout=_PATIENCE,
                stdin=subprocess.DEVNULL, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise NoKernelError(f"{command[0]} takes more than {_PATIENCE} s") from error
        except (OSError, ValueError) as error:
            raise NoKernelError(f"{command[0]} does not run: {one_line(error)}") from error
        if done.returncode == 0 and to.is_file():
            return
        complaint = done.stderr.strip() or f"exit code {done.returncode}, and no library"
    raise NoKernelError(f"{command[0]} could not compile {source.name}: {one_line(complaint)}")


def _cpu() -> str:
    """Return what identifies this processor, as machines may share a cache directory."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return f"{platform.machine()} {platform.processor()}"


def instruction_set() -> str:
    """Return the widest vector instruction set of this processor, as far as the system shows it."""
    flags = _cpu().split()
    known = ("avx512f", "avx2", "avx", "sse4_2", "sve", "asimd")
    return next((name for name in known if name in flags), platform.machine() or "this processor")
