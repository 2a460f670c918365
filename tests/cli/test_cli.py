import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

import landscape_jax as lj
from landscape_jax.cli import app
from landscape_jax.sweeps import chunks

COMMAND = [sys.executable, "-m", "landscape_jax"]


@pytest.fixture(autouse=True)
def cache_of_the_tests_and_small_chunks(monkeypatch, tmp_path_factory):
    programs = tmp_path_factory.getbasetemp() / "programs"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(programs))
    monkeypatch.setattr(chunks, "CHUNK", 12)


def call(*arguments):
    return CliRunner().invoke(app, [str(x) for x in arguments])


def refused(*arguments):
    """Give the one line with which a command refuses its input."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("landscape-jax: ")
    return result.stderr


@pytest.fixture
def saved(tmp_path):
    """Give a function that saves an array and gives its path."""

    def save(array, name="points.npy"):
        np.save(tmp_path / name, array)
        return tmp_path / name

    return save


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tables"], "No such command 'tables'"),
        (["table", "--restart", "3"], "No such option: --restart"),
        (["table", "--restarts", "0"], "'--restarts'"),
        (["table", "--restarts", "many"], "'--restarts'"),
        (["table", "--seed", "-1"], "'--seed'"),
        (["verify"], "Missing argument"),
        (["prove"], "Missing argument"),
    ],
)
def test_a_mistake_in_the_arguments_is_said_in_one_line(arguments, message):
    assert message in refused(*arguments)


@pytest.mark.parametrize("size", ["6", "6:", ":6", "6:x", "0:3", "3:0", "6:6:6", "6.0:6", "٣:3"])
def test_a_size_that_is_none_is_refused(size):
    assert f"{size!r} is not a size; give K:N" in refused("table", "7:7", size)
    assert f"{size!r} is not a size" in refused(
        "figure", "ss18-1", "--out", "x.png", "--size", size
    )


def test_a_negative_size_is_refused():
    assert "No such option" in refused("table", "-3:3")


def test_a_file_that_could_not_be_written_is_refused_before_the_work(tmp_path, saved):
    missing = tmp_path / "missing" / "file.png"
    for arguments in (
        ["table", "--json"],
        ["prove", saved(np.eye(3)), "--json"],
        ["figure", "ss18-1", "--out"],
    ):
        assert f"{missing.parent} is no directory" in refused(*arguments, missing)
    assert f"{tmp_path} is a directory" in refused("table", "--json", tmp_path)


def test_a_directory_of_anything_else_is_refused_and_left_alone(tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "holds file but no sweep" in refused("table", "2:2", "--out", tmp_path)
    assert "is not a directory" in refused("table", "2:2", "--out", tmp_path / "file")
    assert os.listdir(tmp_path) == ["file"]


def test_the_table_stands_beside_the_published_one_and_is_resumed(tmp_path):
    arguments = ["table", "8:8", "2:1", "--restarts", "24", "--out", tmp_path / "sweep"]
    result = call(*arguments, "--json", tmp_path / "table.json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.isascii()
    assert "12.6 %" in result.stdout
    assert "2:1" in result.stdout
    *_, last, kernel = result.stdout.splitlines()
    assert kernel.startswith("CPU kernel relu_risk: ")
    rows = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert [(row["k"], row["n"], row["restarts"]) for row in rows] == [(8, 8, 24), (2, 1, 24)]
    assert rows[0]["spurious"] == rows[0]["proven"] > 0
    assert rows[1]["spurious"] is None
    assert rows[1]["above"] == rows[1]["minima"] == 24
    assert last == (
        f"{rows[0]['proven']} of {rows[0]['spurious']} spurious runs are proven; "
        "with fewer students than teachers, 24 of 24 runs above 1e-3 end in a proven minimum; "
        "1 of 1 shares agree with the published ones (Fisher's exact test, p >= 0.001/26)."
    )
    assert call(*arguments).stdout == result.stdout
    assert "with seed 0, not 1" in refused(*arguments, "--seed", "1")
    certificates = list((tmp_path / "sweep" / "certificates").rglob("*.json"))
    assert call("verify", *certificates).exit_code == 0


def test_points_are_proven_or_not_with_the_reason(tmp_path, saved):
    points = saved(np.stack([np.eye(3), np.eye(3) + 1e-5, np.full((3, 3), 0.3)]))
    out, target = tmp_path / "certificates", tmp_path / "proofs.json"
    result = call("prove", points, "--out", out, "--json", target)
    assert result.exit_code == 0, result.output
    entries = json.loads(target.read_text())
    names = "proven kind index reason moved value_lower value_upper min_eigenvalue_lower radius"
    assert list(entries[0]) == [*names.split(), "gradient_norm_upper", "seconds", "certificate"]
    assert [entry["proven"] for entry in entries] == [True, True, False]
    assert [entry["kind"] for entry in entries] == ["global", "global", None]
    assert entries[1]["certificate"] == str(out / "point-0001.json")
    assert entries[2]["certificate"] is None
    assert f"point 2: not proven: {entries[2]['reason']}" in result.stdout
    assert sorted(os.listdir(out)) == ["point-0000.json", "point-0001.json"]
    verified = call("verify", *sorted(out.iterdir()))
    assert verified.exit_code == 0
    assert verified.stdout.count("holds: ") == 2
    assert "point-0000.json is there already" in refused("prove", points, "--out", out)


def test_one_point_under_given_weights_is_proven(saved):
    # Two students of second-layer weight 2 at half a teacher of weight 1 each compute the teacher.
    result = call(
        "prove",
        saved((np.eye(2) / 2).astype(np.float32)),
        "--teacher",
        saved(np.eye(2), "t.npy"),
        "--teacher-weights",
        saved(np.ones(2), "b.npy"),
        "--student-weights",
        saved(np.full(2, 2.0), "a.npy"),
    )
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("point 0: global minimum within ")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(3), "has shape (3,); give (n, d) or (m, n, d)"),
        (np.ones((1, 2, 3, 4)), "has shape (1, 2, 3, 4)"),
        (np.ones((0, 3)), "has shape (0, 3)"),
        (np.array([[1.0, np.nan]]), "holds a number that is not finite"),
        (np.array([[1.0, np.inf]]), "holds a number that is not finite"),
        (np.eye(2, dtype=int), "holds int64, not floating numbers; save array.astype(float)"),
        (np.array([[1j]]), "holds complex128, not floating numbers"),
        (np.array([[True]]), "holds bool, not floating numbers"),
        (np.array([["a"]]), "holds <U1, not floating numbers"),
        (np.array([[None]], dtype=object), "not a .npy file of numbers"),
    ],
)
def test_points_that_are_none_are_refused(saved, array, message):
    path = saved(array)
    line = refused("prove", path)
    assert message in line
    assert str(path) in line


def test_files_that_are_no_arrays_are_refused(tmp_path):
    assert "No such file" in refused("prove", tmp_path / "missing.npy")
    assert "Is a directory" in refused("prove", tmp_path)
    for content in (b"", b"text", b"\x93NUMPY\x01\x00"):
        (tmp_path / "p.npy").write_bytes(content)
        assert "not a .npy file" in refused("prove", tmp_path / "p.npy")
    np.savez(tmp_path / "p.npz", np.eye(2))
    assert "not one array" in refused("prove", tmp_path / "p.npz")


def test_arrays_that_do_not_fit_the_points_are_refused(saved, tmp_path):
    points, two = saved(np.eye(3)), saved(np.ones(2), "two.npy")
    assert "needs (k, 3)" in refused("prove", points, "--teacher", saved(np.eye(2), "t.npy"))
    assert "needs (k, 3)" in refused("prove", points, "--teacher", two)
    assert "it must be (3,)" in refused("prove", points, "--teacher-weights", two)
    assert "it must be (3,)" in refused("prove", points, "--student-weights", two)
    assert "--max-move" in refused("prove", points, "--max-move", "-1")
    assert "--max-move" in refused("prove", points, "--max-move", "nan")
    assert "--max-move is inf" in refused("prove", points, "--max-move", "inf")
    assert "is not a directory" in refused("prove", points, "--out", points)


def test_verify_says_a_line_a_file_and_exits_with_the_worst(tmp_path, saved):
    call("prove", saved(np.eye(3)), "--out", tmp_path)
    good = tmp_path / "point-0000.json"
    content = json.loads(good.read_text())
    forged, text = tmp_path / "forged.json", tmp_path / "text.json"
    forged.write_text(json.dumps(content | {"radius": content["radius"] / 1e9}))
    text.write_text("{")
    assert call("verify", good).exit_code == 0
    both = call("verify", forged, good)
    assert both.exit_code == 1
    assert both.stdout.splitlines()[0].startswith(f"does not hold: {forged}: ")
    assert both.stdout.splitlines()[1] == f"holds: {good}: {lj.Certificate.load(good).statement}"
    for path in (text, tmp_path / "missing.json", tmp_path):
        result = call("verify", path, forged)
        assert result.exit_code == 2
        assert result.stdout.startswith("unusable: ")
        assert str(path) in result.stdout
        assert result.stdout.count("\n") == 2


def test_verify_says_whether_a_certificate_is_about_the_given_problem(tmp_path, saved):
    teacher = np.array([[1.0, 0.5], [0.0, 1.0]])
    files = {
        "--teacher": saved(teacher, "t.npy"),
        "--teacher-weights": saved(np.full(2, 3.0), "b.npy"),
        "--student-weights": saved(np.full(2, 2.0), "a.npy"),
    }
    given = [x for pair in files.items() for x in pair]
    assert call("prove", saved(1.5 * teacher), *given, "--out", tmp_path / "out").exit_code == 0
    path = tmp_path / "out" / "point-0000.json"
    assert call("verify", path).exit_code == 0
    said = f"holds: {path}: {lj.Certificate.load(path).statement}\n"
    assert call("verify", path, *given).stdout == said
    ones = saved(np.ones(2), "ones.npy")
    for name, option, other in (
        ("teacher", "--teacher", saved(teacher.T, "other.npy")),
        ("teacher", "--teacher", saved(np.eye(3), "wide.npy")),
        ("teacher_weights", "--teacher-weights", ones),
        ("student_weights", "--student-weights", ones),
        ("student_weights", "--student-weights", saved(np.full(3, 2.0), "three.npy")),
    ):
        if other.name == "wide.npy":
            result = call("verify", path, "--teacher", other)
        else:
            result = call("verify", path, *given, option, other)
        assert result.exit_code == 1
        assert f"its '{name}' is not that of the given risk." in result.stdout
    left_out = call("verify", path, "--teacher", files["--teacher"])
    assert left_out.exit_code == 1
    assert "its 'teacher_weights' is not that" in left_out.stdout


def test_verify_refuses_problems_that_are_none(saved, tmp_path):
    call("prove", saved(np.eye(3)), "--out", tmp_path)
    path, good = tmp_path / "point-0000.json", saved(np.eye(3), "t.npy")
    three, two = saved(np.ones(3), "b.npy"), saved(np.ones(2), "two.npy")
    assert call("verify", path, "--teacher", good, "--teacher-weights", three).exit_code == 0
    line = refused("verify", path, "--teacher-weights", three)
    assert "--teacher-weights needs --teacher" in line
    line = refused("verify", path, "--student-weights", three)
    assert "--student-weights needs --teacher" in line
    assert "give (k, d), none of them 0" in refused("verify", path, "--teacher", three)
    line = refused("verify", path, "--teacher", saved(np.ones((0, 3)), "none.npy"))
    assert "give (k, d), none of them 0" in line
    line = refused("verify", path, "--teacher", good, "--teacher-weights", two)
    assert "has shape (2,); it must be (3,)" in line
    line = refused("verify", path, "--teacher", good, "--student-weights", good)
    assert "has shape (3, 3); give (n,)" in line
    assert "No such file" in refused("verify", path, "--teacher", tmp_path / "missing.npy")


def test_max_move_is_relative_and_zero_certifies_the_point_as_it_is(tmp_path, saved):
    text = " ".join(call("prove", "--help").stdout.split())
    assert "relative to the length of its shortest neuron; 0 certifies the point as it is" in text
    scale = 1e-9
    points = saved(scale * (np.eye(3) + 1e-5))
    teacher = saved(scale * np.eye(3), "t.npy")
    moved = {}
    for move in ("0", "1e-3"):
        target = tmp_path / f"{move}.json"
        call("prove", points, "--teacher", teacher, "--max-move", move, "--json", target)
        entry = json.loads(target.read_text())[0]
        assert entry["kind"] == "global"
        moved[move] = entry["moved"]
    assert moved["0"] == 0
    assert 1e-5 * scale < moved["1e-3"] < 1e-4 * scale


def test_workers_that_cannot_be_had_are_refused(tmp_path):
    table = ("table", "2:2")
    assert "not both" in refused(*table, "--workers", 1, "--dask", "tcp://127.0.0.1:1")
    assert "no scheduler answers there" in refused(*table, "--dask", "nowhere://x")
    assert "--mixed needs --out" in refused(*table, "--mixed")


@pytest.mark.slow
def test_workers_make_the_table_and_the_basins_that_one_process_makes(tmp_path, monkeypatch):
    (tmp_path / "d.csv").write_text("a,y\n0,1\n1,-1\n2,0.5\n3,1\n")
    monkeypatch.chdir(tmp_path)
    for line in (
        ["table", "4:4", "2:1", "--restarts", "20"],
        ["basins", "d.csv", "--target", "y", "--widths", "2", "--starts", "20"],
    ):
        alone = call(*line, "--json", "alone.json")
        assert alone.exit_code == 0, alone.output
        command = [*COMMAND, *line, "--workers", "2", "--json", "workers.json"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found = []
        for name in ("alone.json", "workers.json"):
            found.append(json.loads((tmp_path / name).read_text()))
            for row in found[-1]["rows"]:
                row.pop("seconds", None)
        assert found[0] == found[1]


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_refused():
    assert "no scheduler answers there" in refused("table", "2:2", "--dask", "tcp://127.0.0.1:1")


def test_figures_are_listed_and_others_refused(tmp_path):
    assert call("figure", "--list").stdout.startswith("ss18-1  SS18, figure 1")
    message = refused("figure", "ss18-9")
    assert "'ss18-9' is no figure; there is ss18-1" in message
    assert "did you mean 'ss18-1'?" in message
    assert "name one: ss18-1" in refused("figure")
    assert "Missing option '--out'" in refused("figure", "ss18-1")
    assert "give a file whose name ends in .png, .pdf, .svg" in refused(
        "figure", "ss18-1", "--out", tmp_path / "f.txt"
    )


@pytest.mark.slow
def test_a_figure_is_drawn_from_the_runs_of_a_table(tmp_path):
    out, sweep = tmp_path / "f.png", tmp_path / "sweep"
    arguments = ["figure", "ss18-1", "--size", "8:8", "--restarts", "24", "--runs", sweep]
    result = call(*arguments, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "with seed 0, not 1" in refused(*arguments, "--out", out, "--seed", 1)


def test_help_does_not_wait_for_the_heavy_modules():
    heavy = "{'scipy.stats', 'matplotlib', 'xarray', 'rich.table'}"
    code = f"import sys, landscape_jax.cli; print(*{heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_at_once_with_130_and_says_how_to_resume(tmp_path):
    # A size that takes far longer than the time that a busy machine is given to stop.
    command = [*COMMAND, "table", "18:18", "--out", str(tmp_path / "sweep")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as study:
        while not (tmp_path / "sweep" / "landscape-jax-sweep.json").exists():
            time.sleep(0.05)
        time.sleep(1)
        study.send_signal(signal.SIGINT)
        output, error = study.communicate(timeout=30)
    assert study.returncode == 130
    assert output == b""
    assert error.decode().strip() == "interrupted: repeat the command to resume"


@pytest.mark.slow
def test_programs_are_kept_in_the_users_cache_and_a_cache_that_cannot_be_is_no_error(tmp_path):
    (tmp_path / "file").touch()
    for home, kept in ((tmp_path / "cache", True), (tmp_path / "file", False)):
        environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}
        environment["XDG_CACHE_HOME"] = str(home)
        command = [*COMMAND, "table", "2:2", "--restarts", "4"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert (home / "landscape-jax" / "programs").is_dir() is kept
        if kept or not shutil.which("c++"):
            assert kept is (done.stderr == "")
        else:
            (told,) = done.stderr.splitlines()
            assert told.startswith(f"landscape-jax: the cache {home}/landscape-jax cannot be made:")
            assert "CPU kernel relu_risk: not in use: the cache" in done.stdout


def test_the_names_of_a_package_stand_on_a_page_each_with_what_it_is_for():
    page = call("names", "theory.cells").stdout.splitlines()
    assert page[0].startswith("landscape_jax.theory.cells: ")
    listed = dict(line.split(maxsplit=1) for line in page[1:] if line)
    assert set(listed) == set(dir(lj.theory.cells))
    assert listed["landscape"].startswith("List ")
    every = call("names").stdout
    assert all(f"  {name} " in every for name in dir(lj))
    assert "give" not in refused("names", "nothing")
    assert "'nothing' is no package; there are landscape_jax, objectives" in refused(
        "names", "nothing"
    )


def test_the_version_and_the_help_are_printed():
    assert call("--version").stdout == f"landscape-jax {lj.__version__}\n"
    assert call().stdout == call("--help").stdout
    assert "Usage: " in call().stdout
