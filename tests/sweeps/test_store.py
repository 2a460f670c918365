import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from landscape_jax.files import StorageError, read_checked, write_checked, write_json
from landscape_jax.sweeps.store import open_store

MANIFEST, LOCK = "landscape-jax-sweep.json", ".landscape-jax-lock"
MADE = {"jax": "1", "lanes": 8}


def opened(root, **settings):
    return open_store(root, what="numbers", settings=settings or {"seed": 0}, made_by=MADE)


def arrays():
    return xr.Dataset({"x": (("run", "entry"), np.arange(6.0).reshape(3, 2))}, {"run": [4, 5, 6]})


def contents(root):
    return {p.relative_to(root).as_posix(): p.stat().st_ino for p in root.rglob("*")}


def test_labelled_arrays_come_back_as_they_were_written(tmp_path):
    with opened(tmp_path / "new" / "sweep") as sweep:
        sweep.write_arrays("runs/a.zarr", arrays())
        assert sweep.names("runs/*.zarr") == ["runs/a.zarr"]
        assert sweep.read_arrays("runs/a.zarr").identical(arrays())


def test_a_sweep_is_opened_again_and_only_added_to(tmp_path):
    with opened(tmp_path) as sweep:
        sweep.write_json("rows/a.json", {"x": 1})
    before = contents(tmp_path)
    with opened(tmp_path) as sweep:
        assert sweep.read_json("rows/a.json") == {"x": 1}
        assert sweep.read_json("rows/b.json") is None
    assert contents(tmp_path) == before


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    with opened(tmp_path / "s") as sweep:
        sweep.write_arrays("a.zarr", arrays())
        with pytest.raises(OSError, match="not empty"):
            sweep.write_arrays("a.zarr", arrays())
        assert sorted(os.listdir(sweep.root)) == [LOCK, "a.zarr", MANIFEST]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    with opened(tmp_path) as sweep:
        sweep.write_json("rows/a.json", {"x": 1})
    (tmp_path / "rows" / ".landscape-jax-tmp-b.json-0123abcd").write_text("{")
    (tmp_path / ".landscape-jax-tmp-c.zarr-0123abcd" / "x").mkdir(parents=True)
    (tmp_path / ".landscape-jax-tmp-link-0123abcd").symlink_to(tmp_path / "rows")
    mine = [".hidden", ".b.json.0123abcd", ".backup.20240131", ".landscape-jax-tmp-notes"]
    for name in mine:
        (tmp_path / "rows" / name).mkdir()
        (tmp_path / "rows" / name / "thesis.tex").write_text("mine")
    # The temporary names of another sweep may be in use.
    with opened(tmp_path / "rows" / "inside"):
        pass
    others = tmp_path / "rows" / "inside" / ".landscape-jax-tmp-d.json-0123abcd"
    others.write_text("{")
    with opened(tmp_path) as sweep:
        assert sorted(os.listdir(sweep.root)) == [LOCK, MANIFEST, "rows"]
        assert sorted(os.listdir(sweep.root / "rows")) == sorted(["a.json", "inside", *mine])
        assert others.exists()


def test_nothing_is_removed_before_there_is_a_sweep(tmp_path):
    for name in (".backup.20240131", ".notes.20231231", ".landscape-jax-tmp-x-0123abcd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.tex").write_text("mine")
    before = contents(tmp_path)
    with (
        pytest.raises(StorageError, match=r"holds .backup.20240131 but no sweep"),
        opened(tmp_path),
    ):
        pass
    assert contents(tmp_path) == before


def test_a_process_killed_before_the_manifest_leaves_a_directory_that_can_be_used(tmp_path):
    (tmp_path / LOCK).touch()
    (tmp_path / ".landscape-jax-tmp-landscape-jax-sweep.json-0123abcd").write_text("{")
    with opened(tmp_path):
        assert (tmp_path / MANIFEST).exists()


def test_a_directory_that_is_removed_while_in_use_is_not_made_again(tmp_path):
    with opened(tmp_path / "s") as sweep:
        shutil.rmtree(tmp_path / "s")
        with pytest.raises(StorageError, match="was removed while it was in use"):
            sweep.write_json("rows/a.json", {"x": 1})
    assert not (tmp_path / "s" / "rows").exists()


def test_results_that_would_differ_in_their_last_digits_are_refused_unless_mixed(tmp_path):
    with opened(tmp_path) as sweep:
        sweep.write_arrays("a.zarr", arrays())
        with pytest.raises(StorageError, match="holds results of jax 1, not 2, which may differ"):
            sweep.write_arrays("b.zarr", arrays(), MADE | {"jax": "2"})
    other = {"what": "numbers", "settings": {"seed": 0}, "made_by": MADE | {"jax": "2"}}
    with pytest.raises(StorageError, match="of jax 1, not 2"), open_store(tmp_path, **other):
        pass
    with open_store(tmp_path, **other, mixed=True) as sweep:
        # What it began with.
        assert sweep.made_by == MADE
        sweep.write_arrays("b.zarr", arrays(), other["made_by"])
    assert xr.open_zarr(tmp_path / "b.zarr").attrs["made_by"] == other["made_by"]
    with opened(tmp_path) as sweep:
        sweep.read_arrays("a.zarr")
        with pytest.raises(StorageError, match="of jax 1, not 2"):
            sweep.read_arrays("b.zarr")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("notes.txt", "mine", "holds notes.txt but no sweep"),
        ("manifest.json", "{}", "holds manifest.json but no sweep"),
    ],
)
def test_a_foreign_directory_is_refused_and_left_alone(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(StorageError, match=message), opened(tmp_path):
        pass
    assert os.listdir(tmp_path) == [name]
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize(
    ("what", "settings", "message"),
    [
        ("numbers", {"seed": 1}, "holds a sweep with seed 0, not 1"),
        ("numbers", {}, "holds a sweep with seed 0, not None"),
        ("letters", {"seed": 0}, "holds something else: it is 'numbers', not 'letters'"),
    ],
)
def test_another_sweep_is_refused(tmp_path, what, settings, message):
    with opened(tmp_path):
        pass
    before = contents(tmp_path)
    with (
        pytest.raises(StorageError, match=message),
        open_store(tmp_path, what=what, settings=settings, made_by=MADE),
    ):
        pass
    assert contents(tmp_path) == before


def test_a_sweep_of_another_version_is_refused(tmp_path):
    with opened(tmp_path):
        pass
    manifest = read_checked(tmp_path / MANIFEST)
    write_checked(tmp_path / MANIFEST, manifest | {"version": 99})
    with pytest.raises(StorageError, match="its version is 99, not 3"), opened(tmp_path):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "app"}', "[" * 10_000, '{"version": 3}'])
def test_a_damaged_manifest_is_refused_and_left_alone(tmp_path, text):
    with opened(tmp_path):
        pass
    (tmp_path / MANIFEST).write_text(text)
    (tmp_path / ".landscape-jax-tmp-x-0123abcd").touch()
    with pytest.raises(StorageError, match=rf"{MANIFEST} is"), opened(tmp_path):
        pass
    assert (tmp_path / MANIFEST).read_text() == text
    assert (tmp_path / ".landscape-jax-tmp-x-0123abcd").exists()


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(StorageError, match="is not a directory"), opened(path):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_may_not_be_written_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="may not be"), opened(tmp_path):
        pass


def test_a_second_process_is_refused_until_the_first_ends(tmp_path):
    code = (
        "import sys; from landscape_jax.sweeps.store import open_store\n"
        f"how = dict(what='numbers', settings={{'seed': 0}}, made_by={MADE})\n"
        "with open_store(sys.argv[1], **how):\n"
        "    print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StorageError, match="in use by another process"), opened(tmp_path):
            pass
        other.kill()
    with opened(tmp_path):
        pass
