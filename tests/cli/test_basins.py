"""`landscape-jax basins`: from a CSV file to the shares of good basins, or one clear line."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from landscape_jax.studies import ss16

from .test_cli import call, refused

DATA = "a,y\n1,1\n0.5,-2\n"
# All quick tests solve problems of this one shape, which compiles once.
SMALL = ["--target", "y", "--widths", "1", "--starts", "3"]


@pytest.fixture
def table(tmp_path):
    """Give a function that writes a file and gives its path."""

    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def test_shares_and_quantiles_of_a_file_are_those_of_the_study(table, tmp_path):
    target = tmp_path / "basins.json"
    result = call("basins", table(DATA), *SMALL, "--eps", "2.4, 1e-3", "--seed", "5",
                  "--json", target)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.isascii()
    head, top = result.stdout.splitlines()[:2]
    assert head == "2 samples of 1 input and a bias, 3 starts of each width, seed 5"
    assert "(1/m) sum y^2 = 2.5, " in top
    x, y = np.array([[1.0, 1.0], [0.5, 1.0]]), np.array([1.0, -2.0])
    found = ss16.distribution(x, y, [1], 3, seed=5, eps=[2.4, 1e-3])
    (row,) = json.loads(target.read_text())["rows"]
    assert list(row) == ["width", "starts", "share_below", "quantiles", "worst_gap"]
    assert (row["width"], row["starts"]) == (1, 3)
    assert list(row["share_below"]) == ["2.4", "1e-3"]
    assert list(row["quantiles"]) == ["0", "0.1", "0.5", "0.9", "1"]
    ends = [float(found[f"share{end}"].sel(eps=2.4)[0]) for end in ("", "_low", "_high")]
    assert row["share_below"]["2.4"] == ends
    assert f"{ends[0]:.1%} ({ends[1]:.1%} to {ends[2]:.1%})" in result.stdout
    values = found.value.values[0]
    np.testing.assert_allclose(
        list(row["quantiles"].values()), np.quantile(values, [0, 0.1, 0.5, 0.9, 1]), rtol=1e-12
    )
    assert row["worst_gap"] == float(found.gap.max())
    bounded = int((~found.everywhere).sum())
    line = f"{bounded} starts are bounded from below for weights of bounded size only"
    assert (line in result.stdout) == (bounded > 0)


def test_starts_that_are_bounded_for_some_weights_only_are_no_solved_ones(table, monkeypatch):
    solve = ss16.distribution

    def limited(*arguments, **options):
        found = solve(*arguments, **options)
        there = np.array([[True, False, True]])
        return found.assign(
            {
                name: (("width", "start"), values)
                for name, values in (("everywhere", there), ("solved", there), ("bounded", ~there))
            }
        )

    monkeypatch.setattr(ss16, "distribution", limited)
    result = call("basins", table(DATA), *SMALL)
    assert "1 starts are bounded from below for weights of bounded size only" in result.stdout
    assert "have a gap above" not in result.stdout


def test_levels_left_out_are_shares_of_the_value_at_zero(table, tmp_path):
    target = tmp_path / "basins.json"
    result = call("basins", table("a,b,y\n1,1,1\n0.5,1,-2\n"), *SMALL, "--no-bias",
                  "--json", target)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "2 samples of 2 inputs, 3 starts" in result.stdout
    assert "0.01, 0.1 and 0.5 of (1/m) sum y^2" in result.stdout
    assert list(json.loads(target.read_text())["rows"][0]["share_below"]) == [
        "0.025",
        "0.25",
        "1.25",
    ]


def test_its_help_has_an_example():
    result = call("basins", "--help")
    assert result.exit_code == 0
    assert "Example: landscape-jax basins data.csv " in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; give a header row"),
        ("a,b\n1,2\n", "has no column 'y'; --target is one of a, b"),
        ("y\n1\n2\n", "has no column but 'y'"),
        ("a,y\n", "has no samples; give a row for each"),
        ("a,y\n1,x\n", "line 2: column 'y' is not numeric, it has 'x'"),
        ("a,y\n1,1e999\n", "has a number beyond float64; scale the column"),
        ("a,y\n1,1e200\n", "y has a mean square that is not finite; scale the labels down"),
    ],
)
def test_a_file_that_is_no_data_set_is_refused(table, text, message):
    path = table(text)
    line = refused("basins", path, "--target", "y", "--widths", "2")
    assert message in line
    assert str(path) in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--widths", "0"], "--widths is '0'; give whole numbers of at least 1, such as 2,4,8"),
        (["--widths", "2,"], "--widths is '2,'; give whole numbers"),
        (["--widths", "2.5"], "--widths is '2.5'; give whole numbers"),
        (["--widths", "2,3,2"], "--widths is '2,3,2'; give each number once"),
        (["--widths", "2", "--eps", "-1"], "--eps is '-1'; give numbers of at least 0"),
        (["--widths", "2", "--eps", "nan"], "--eps is 'nan'; give numbers of at least 0"),
        (["--widths", "2", "--eps", "inf"], "--eps is 'inf'; give numbers of at least 0"),
        (["--widths", "2", "--eps", "0.1,1e-1"], "--eps is '0.1,1e-1'; give each number once"),
        (["--widths", "2", "--starts", "0"], "'--starts'"),
        (["--widths", "2", "--seed", "-1"], "'--seed'"),
        (["--widths", "2", "--json", "missing/b.json"], "missing is no directory"),
        ([], "Missing option '--widths'"),
    ],
)
def test_a_mistake_in_the_options_is_said_in_one_line(table, arguments, message):
    assert message in refused("basins", table(DATA), "--target", "y", *arguments)


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
def test_in_a_pipe_there_is_no_bar_and_ctrl_c_ends_at_once_with_130(table, tmp_path):
    command = [sys.executable, "-m", "landscape_jax", "basins", str(table(DATA)), "--target", "y"]
    done = subprocess.run([*command, *SMALL[2:]], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    ready = tmp_path / "ready"
    # The signal is sent when the work has begun: a stand-in for it says so, and then takes long.
    code = (
        "import sys, time, pathlib; from landscape_jax.studies import ss16\n"
        f"def slow(*a, **k): pathlib.Path({str(ready)!r}).touch(); time.sleep(600)\n"
        "ss16.distribution = slow\n"
        "sys.argv = ['landscape-jax', *sys.argv[1:]]\n"
        "from landscape_jax.__main__ import main; main()"
    )
    line = [sys.executable, "-c", code, *command[3:], *SMALL[2:]]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as study:
        while not os.path.exists(ready):
            assert study.poll() is None
            time.sleep(0.05)
        study.send_signal(signal.SIGINT)
        output, error = study.communicate(timeout=60)
    assert study.returncode == 130
    assert output == b""
    assert error.decode().strip() == "interrupted: nothing is kept; repeat the command"
