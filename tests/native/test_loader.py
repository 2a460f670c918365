"""Kernels are compiled once and kept; without them the answers are the same."""

import os
import shlex
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.native import kernels, loader, without_kernels
from tests.compiler import needs_compiler


def _in_a_process(**environment: str) -> subprocess.CompletedProcess:
    code = "import jax.numpy as jnp, landscape_jax as lj; "
    code += "print(lj.gradient(lj.PopulationRisk(jnp.eye(2)), 2 * jnp.eye(2)).tolist())"
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
def test_a_compiler_that_fails_is_said_and_the_answer_is_the_same():
    usual = _in_a_process(LANDSCAPE_JAX_NATIVE="0")
    assert usual.stderr == ""
    failed = _in_a_process(CXX="false")
    assert "false could not compile relu_risk.cc: exit code 1" in failed.stderr
    assert "XLA's code is used, which is several times slower" in failed.stderr
    np.testing.assert_allclose(
        np.array(eval(failed.stdout)), np.array(eval(usual.stdout)), rtol=1e-6
    )
    missing = _in_a_process(CXX="no-such-compiler-anywhere")
    assert "no-such-compiler-anywhere does not run" in missing.stderr
    odd = _in_a_process(CXX='g++ "')
    assert "No closing quotation" in odd.stderr


@pytest.mark.slow
@needs_compiler
def test_the_library_is_made_once_and_kept(tmp_path):
    # A compiler that takes seconds the first time alone, and then gives the same again.
    script, compiler = tmp_path / "compiler.sh", shlex.join(loader._compiler() or [])
    script.write_text(
        'for to; do :; done; echo made >> "$0.log"\n'
        f'[ -f "$0.so" ] || {{ {compiler} "$@" && cp "$to" "$0.so"; }} && cp "$0.so" "$to"\n'
    )
    place = {"XDG_CACHE_HOME": str(tmp_path), "CXX": shlex.join(["sh", str(script)])}
    first = _in_a_process(**place)
    (made,) = (tmp_path / "landscape-jax").glob("*.so")
    stamp = made.stat().st_mtime_ns
    assert _in_a_process(**place).stdout == first.stdout
    assert list((tmp_path / "landscape-jax").glob("*.so")) == [made]
    assert made.stat().st_mtime_ns == stamp
    # A library that was cut, as by a full disk, is made again.
    made.write_bytes(made.read_bytes()[:4096])
    assert _in_a_process(**place).stdout == first.stdout
    assert made.stat().st_size > 4096
    assert (tmp_path / "compiler.sh.log").read_text() == "made\nmade\n"
    # One that others may write is not used, and no other is made.
    (tmp_path / "landscape-jax").chmod(0o777)
    open_ = _in_a_process(**place)
    assert "is not used, as others may write it" in open_.stderr
    np.testing.assert_allclose(
        np.array(eval(open_.stdout)), np.array(eval(first.stdout)), rtol=1e-6
    )


@needs_compiler
@pytest.mark.parametrize("said", ["0", "false", "Off", " no "])
def test_the_environment_switches_the_kernels_off(monkeypatch, said):
    monkeypatch.setenv("LANDSCAPE_JAX_NATIVE", said)
    state = f"not in use: switched off by LANDSCAPE_JAX_NATIVE={said}"
    assert set(kernels().values()) == {state}
    risk = lj.PopulationRisk(jnp.eye(2))
    assert "ffi_call" not in str(jax.make_jaxpr(lambda w: risk(w))(jnp.eye(2)))


def test_the_environment_may_not_say_anything_else(monkeypatch):
    for said in ("1", "true", "ON", "yes", ""):
        monkeypatch.setenv("LANDSCAPE_JAX_NATIVE", said)
        assert "LANDSCAPE_JAX_NATIVE" not in str(kernels())
    monkeypatch.setenv("LANDSCAPE_JAX_NATIVE", "maybe")
    with pytest.raises(ValueError, match="LANDSCAPE_JAX_NATIVE is 'maybe'; give 0, false, off or"):
        kernels()


@needs_compiler
def test_functions_are_traced_anew_without_kernels_and_again_with_them():
    function = jax.jit(lj.PopulationRisk(jnp.eye(2)))
    programs = [function.lower(jnp.eye(2)).as_text()]
    with without_kernels():
        assert set(kernels().values()) == {"not in use: switched off by without_kernels()"}
        programs.append(function.lower(jnp.eye(2)).as_text())
    programs.append(function.lower(jnp.eye(2)).as_text())
    assert ["custom_call" in program for program in programs] == [True, False, True]
