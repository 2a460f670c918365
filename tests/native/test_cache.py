"""A library is used only where this user made it, and it is still what was made."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from landscape_jax.native import cache, loader
from landscape_jax.native.cache import NoKernelError, cache_directory, ensure_library
from tests.compiler import needs_compiler

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root"
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


class Compiler:
    """A compiler that counts its calls."""

    def __init__(self, content: bytes = b"library"):
        self.calls, self.content = 0, content

    def __call__(self, to: Path) -> None:
        self.calls += 1
        to.write_bytes(self.content)


def test_the_cache_is_this_users_alone(home):
    for name in ("", "programs"):
        folder = cache_directory(name)
        assert folder == home / "landscape-jax" / name
        assert folder.stat().st_mode & 0o777 == 0o700


def opened_to_others(folder: Path) -> None:
    folder.chmod(0o777)


def opened_to_the_group(folder: Path) -> None:
    folder.chmod(0o770)


def linked(folder: Path) -> None:
    folder.rmdir()
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")


def given_away(folder: Path) -> None:
    os.chown(folder, 12345, 12345)


def its_parent_is_anyones(folder: Path) -> None:
    folder.parent.chmod(0o777)


@pytest.mark.parametrize(
    "harm",
    [
        opened_to_others, opened_to_the_group, linked, its_parent_is_anyones,
        pytest.param(given_away, marks=needs_root),
    ],
)  # fmt: skip
def test_a_cache_that_others_may_write_is_not_used(home, harm):
    harm(cache_directory())
    with pytest.raises(NoKernelError, match=r"the cache .*landscape-jax is not used, as .* write"):
        cache_directory()


def test_a_cache_that_cannot_be_is_told(home, monkeypatch):
    (home / "landscape-jax").write_text("mine")
    with pytest.raises(NoKernelError, match=r"the cache .* cannot be made"):
        cache_directory()
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "landscape-jax" / "inside"))
    with pytest.raises(NoKernelError, match=r"the cache .* cannot be made"):
        cache_directory()


def test_what_was_made_is_kept(home):
    path, compiler = cache_directory() / "a-1.so", Compiler()
    for _ in range(3):
        ensure_library(path, compiler)
    assert (compiler.calls, path.read_bytes()) == (1, b"library")
    assert {p.stat().st_mode & 0o777 for p in path.parent.glob("a-1.*")} == {0o600}


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:3])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    path.write_bytes(b"librory")


def without_a_checksum(path: Path) -> None:
    path.with_suffix(".sha256").unlink()


def with_another_checksum(path: Path) -> None:
    path.with_suffix(".sha256").write_bytes(b"\xff")


def writable(path: Path) -> None:
    path.chmod(0o666)


def a_link(path: Path) -> None:
    path.rename(path.with_suffix(".other"))
    path.symlink_to(path.with_suffix(".other"))


def anothers(path: Path) -> None:
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    "harm",
    [
        Path.unlink, truncated, emptied, flipped, without_a_checksum, with_another_checksum,
        writable, a_link, pytest.param(anothers, marks=needs_root),
    ],
)  # fmt: skip
def test_what_is_not_what_was_made_is_made_again_once(home, harm):
    path, compiler = cache_directory() / "a-1.so", Compiler()
    ensure_library(path, compiler)
    harm(path)
    for _ in range(2):
        ensure_library(path, compiler)
    assert (compiler.calls, path.read_bytes(), path.is_symlink()) == (2, b"library", False)


def test_a_directory_in_its_place_is_told_and_left_alone(home):
    path = cache_directory() / "a-1.so"
    path.mkdir()
    with pytest.raises(NoKernelError, match=r"a-1\.so is a directory; remove it"):
        ensure_library(path, Compiler())
    assert path.is_dir()


def test_the_oldest_libraries_and_what_killed_processes_left_are_removed(home, monkeypatch):
    monkeypatch.setattr(cache, "_MOST", 3)
    folder = cache_directory()
    stale, fresh = (folder / f".landscape-jax-tmp-x-0000000{i}" for i in range(2))
    for path in (stale, fresh, folder / "notes.txt"):
        path.touch()
    os.utime(stale, (0, 0))
    for number in range(5):
        path = folder / f"a-{number}.so"
        ensure_library(path, Compiler())
        os.utime(path, (number, number))
    left = sorted(p.name for p in folder.iterdir())
    assert left == sorted(
        [fresh.name, ".lock", "notes.txt"]
        + [f"a-{n}.{end}" for n in (2, 3, 4) for end in ("so", "sha256")]
    )


def test_a_library_that_never_loads_is_made_twice_and_given_up(home):
    path, compiler = cache_directory() / "a-1.so", Compiler()
    with pytest.raises(NoKernelError, match=r"a-1\.so does not load: "):
        loader._entries(path, ("f",), compiler)
    assert compiler.calls == 2
    with pytest.raises(NoKernelError, match=r"does not load: .*; remove .*\.failed to try"):
        loader._entries(path, ("f",), compiler)
    assert compiler.calls == 2


@needs_compiler
def test_a_library_without_its_functions_is_made_again(home):
    path, folder = cache_directory() / "a-1.so", home / "sources"
    folder.mkdir()
    sources = []
    for name in ("other", "wanted"):
        sources.append(folder / f"{name}.cc")
        sources[-1].write_text(f'extern "C" int {name}() {{ return 7; }}')

    def compile_next(to: Path) -> None:
        compiler = loader._compiler()
        assert compiler is not None
        command = [*compiler, "-shared", "-fPIC", str(sources.pop(0)), "-o", str(to)]
        subprocess.run(command, check=True)

    wanted = loader._entries(path, ("wanted",), compile_next)["wanted"]
    assert wanted() == 7


def test_two_processes_make_a_library_once(home):
    code = """if True:
        import sys, time
        from pathlib import Path
        from landscape_jax.native.cache import ensure_library
        def slow(to):
            time.sleep(0.5)
            with open(sys.argv[2], "a") as log: log.write("made ")
            to.write_bytes(b"library")
        ensure_library(Path(sys.argv[1]), slow)
    """
    path, log = cache_directory() / "a-1.so", home / "log"
    command = [sys.executable, "-c", code, str(path), str(log)]
    for child in [subprocess.Popen(command) for _ in range(2)]:
        assert child.wait() == 0
    assert log.read_text() == "made "


SCRIPT = "#!/bin/sh\n{}\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 1", r"could not compile x\.cc: exit code 1, and no library"),
        ("exit 0", r"could not compile x\.cc: exit code 0, and no library"),
        ("echo 'xcode-select: note: no developer tools' >&2; exit 1", "xcode-select: note: no dev"),
        ("kill -9 $$", r"could not compile x\.cc: exit code -9"),
        ("sleep 60", r"takes more than 1 s"),
    ],
)
def test_a_compiler_that_makes_nothing_is_told_in_a_line(tmp_path, monkeypatch, script, reason):
    monkeypatch.setattr(loader, "_PATIENCE", 1)
    path = tmp_path / "c++"
    path.write_text(SCRIPT.format(script))
    path.chmod(0o700)
    (tmp_path / "x.cc").write_text("")
    start = time.monotonic()
    with pytest.raises(NoKernelError, match=reason) as caught:
        loader._compile([str(path)], tmp_path / "x.cc", tmp_path / "x.so")
    assert "\n" not in str(caught.value)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ('g++ "', "CXX is 'g\\+\\+ \"': No closing quotation"),
        ("no-such-compiler", "no-such-compiler does not run: .*No such file"),
    ],
)
def test_an_odd_command_is_told_in_a_line(tmp_path, monkeypatch, command, reason):
    monkeypatch.setenv("CXX", command)
    with pytest.raises(NoKernelError, match=reason):
        loader._compile(loader._compiler() or [], tmp_path / "x.cc", tmp_path / "x.so")


def test_an_odd_compiler_is_no_error_of_kernels(home, monkeypatch):
    monkeypatch.setenv("CXX", 'g++ "')
    monkeypatch.setattr(loader, "_states", {})
    assert set(loader.kernels().values()) == {"not in use: CXX is 'g++ \"': No closing quotation"}
    monkeypatch.delenv("CXX")
    shutil.rmtree(home / "landscape-jax", ignore_errors=True)
    (home / "landscape-jax").write_text("mine")
    told = set(loader.kernels().values())
    assert all(state.startswith("not in use: ") for state in told)
