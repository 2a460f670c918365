"""Files appear whole or not at all, and what is no regular file is left alone."""

import os
import stat
import subprocess
import sys

import pytest

from landscape_jax.files import StorageError, appearing, write_json


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_file_that_is_replaced_keeps_its_mode_and_a_new_one_has_the_usual(tmp_path):
    path = tmp_path / "a.json"
    path.touch()
    usual = mode(path)
    path.chmod(0o600)
    write_json(path, 1)
    assert (mode(path), path.read_text()) == (0o600, "1\n")
    write_json(tmp_path / "b.json", 1)
    assert mode(tmp_path / "b.json") == usual


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(tmp_path / "folder" / f"{name}.json")
    (tmp_path / "folder" / "old.json").write_text("0")
    for name in ("old", "new"):
        write_json(tmp_path / name, 1)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "folder" / f"{name}.json").read_text() == "1\n"
    assert sorted(os.listdir(tmp_path / "folder")) == ["new.json", "old.json"]


def test_a_pipe_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    (tmp_path / "link").symlink_to(path)
    for place in (path, tmp_path / "link"):
        with pytest.raises(StorageError, match="is a device or a pipe; give a file"):
            write_json(place, [1])
    assert path.is_fifo()


@pytest.mark.skipif(not hasattr(os, "mknod") or os.geteuid() != 0, reason="needs root")
def test_a_device_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "null"
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no devices may be made here")
    with pytest.raises(StorageError, match="is a device or a pipe"):
        write_json(path, 1)
    assert path.is_char_device()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_link_of_another_user_is_not_followed(tmp_path):
    link, file = tmp_path / "link", tmp_path / "file"
    file.write_text("mine")
    link.symlink_to(file)
    os.chown(link, 12345, 12345, follow_symlinks=False)
    with pytest.raises(StorageError, match="is another user's link; give a file"):
        write_json(link, 1)
    assert file.read_text() == "mine"


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs /dev")
@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "out.txt"])
def test_what_standard_output_goes_to_is_written_between_its_lines(tmp_path, path):
    code = "import sys; from pathlib import Path; from landscape_jax.files import write_json; "
    code += f"print(1, flush=True); write_json(Path({path!r}), 2); print(3)"
    with open(tmp_path / "out.txt", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, cwd=tmp_path, check=True)
    assert (tmp_path / "out.txt").read_text() == "1\n2\n3\n"
    assert os.listdir(tmp_path) == ["out.txt"]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    for name in ("x" * 255, "é" * 127):
        write_json(tmp_path / name, 1)
        assert (tmp_path / name).read_text() == "1\n"


def test_an_error_of_the_system_names_the_file_that_was_to_be(tmp_path):
    for path in (tmp_path / "missing" / "a.json", tmp_path / ("x" * 256)):
        with pytest.raises(OSError, match=r"No such file|too long") as caught:
            write_json(path, 1)
        assert caught.value.filename == str(path)
    with pytest.raises(OSError, match="No space") as caught, appearing(tmp_path / "a"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a")
    assert os.listdir(tmp_path) == []
