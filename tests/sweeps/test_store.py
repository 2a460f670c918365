import json
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from landscape_jax.files import StorageError, read_json, write_json
from landscape_jax.sweeps.store import open_store


def opened(root, **settings):
    return open_store(root, what="numbers", settings=settings or {"seed": 0})


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
        assert sorted(os.listdir(sweep.root)) == [".lock", "a.zarr", "manifest.json"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    with opened(tmp_path) as sweep:
        sweep.write_json("rows/a.json", 1)
    (tmp_path / "rows" / ".b.json.0123abcd").write_text("{")
    (tmp_path / ".c.zarr.0123abcd" / "x").mkdir(parents=True)
    (tmp_path / "rows" / ".hidden").write_text("mine")
    with opened(tmp_path) as sweep:
        assert sorted(os.listdir(sweep.root)) == [".lock", "manifest.json", "rows"]
        assert sorted(os.listdir(sweep.root / "rows")) == [".hidden", "a.json"]


def test_a_process_killed_before_the_manifest_leaves_a_directory_that_can_be_used(tmp_path):
    (tmp_path / ".lock").touch()
    (tmp_path / ".manifest.json.0123abcd").write_text("{")
    with opened(tmp_path):
        assert (tmp_path / "manifest.json").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("notes.txt", "mine", "holds notes.txt but no sweep"),
        ("manifest.json", "{", "is not a JSON file"),
        ("manifest.json", "[]", "of another program"),
        ("manifest.json", '{"name": "app"}', "of another program"),
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
        ("letters", {"seed": 0}, "holds a sweep of what 'numbers', not 'letters'"),
    ],
)
def test_another_sweep_is_refused(tmp_path, what, settings, message):
    with opened(tmp_path):
        pass
    before = contents(tmp_path)
    with (
        pytest.raises(StorageError, match=message),
        open_store(tmp_path, what=what, settings=settings),
    ):
        pass
    assert contents(tmp_path) == before


def test_a_sweep_of_another_version_is_refused(tmp_path):
    with opened(tmp_path):
        pass
    manifest = read_json(tmp_path / "manifest.json")
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"version": 99}))
    with pytest.raises(StorageError, match="of version 99, not 2"), opened(tmp_path):
        pass


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
        "with open_store(sys.argv[1], what='numbers', settings={'seed': 0}):\n"
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
