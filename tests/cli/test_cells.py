"""`landscape-jax cells`: from a CSV file to all minima of a network on it, or one clear line."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
import pytest

from landscape_jax.cli import cells as command
from landscape_jax.proofs import Claim, LossBound, MinimumOnData, SaddleOnData

from .test_cli import call, refused
from .test_construct import table as table

TWO = "a,b,y\n1,0,1\n0,1,{}\n"
LINE = "x,y\n-2,1.2\n-1.2,-0.4\n-0.3,-0.9\n0.5,0.8\n1.1,0.2\n"
MINIMA = ("differentiable_minima", "nondifferentiable_minima", "smooth_kinks")
SADDLE = ["moving", "rests", "descent", "ascent", "certificate"]
POINT = ["loss", "unique", "weights", "output", "signs", "kinks", "R", "radius", "margin"]


def listed(path):
    found = json.loads(path.read_text())
    assert list(found) == [
        "columns", "target", "bias", "width",
        "cells", "combinations", "faces", "face_combinations", "global_loss",
        "decided_exactly", "proven", *MINIMA, "saddles",
    ]  # fmt: skip
    return found


@pytest.mark.parametrize(("label", "losses"), [(1, [0, 0.5, 0.5, 1]), (-1, [0.5, 0.5, 1])])
def test_the_example_of_section_4_2_is_listed(table, tmp_path, label, losses):
    path = table(TWO.format(label))
    result = call(
        "cells", path, "--target", "y", "--width", 1, "--no-bias", "--json", tmp_path / "all.json"
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert "2 samples of 2 inputs, width 1\n4 cells, 4 combinations of them\n" in result.stdout
    found = listed(tmp_path / "all.json")
    assert (found["cells"], found["combinations"]) == (4, 4)
    assert (found["faces"], found["face_combinations"]) == (9, 9)
    assert (found["columns"], found["target"], found["bias"]) == (["a", "b"], "y", False)
    assert found["global_loss"] == losses[0]
    minima = found["differentiable_minima"]
    assert [m["loss"] for m in minima] == losses


def test_the_points_of_a_file_have_the_losses_that_it_says(table, tmp_path):
    path = table(LINE)
    call("cells", path, "--target", "y", "--width", 2, "--json", tmp_path / "all.json")
    found = listed(tmp_path / "all.json")
    assert found["bias"]
    x = np.array([[-2, 1], [-1.2, 1], [-0.3, 1], [0.5, 1], [1.1, 1]])
    y = np.array([1.2, -0.4, -0.9, 0.8, 0.2])
    lowest = np.inf
    for kind in (*MINIMA, "saddles"):
        for point in found[kind]:
            assert list(point)[: len(POINT)] == POINT
            W, z = np.array(point["weights"]), np.array(point["output"])
            assert W.shape == (2, 2)
            loss = np.mean((np.maximum(x @ W.T, 0) @ z - y) ** 2)
            np.testing.assert_allclose(point["loss"], loss, rtol=1e-12, atol=1e-15)
            lowest = min(lowest, loss)
    np.testing.assert_allclose(found["global_loss"], lowest, rtol=1e-12)


def test_the_points_of_a_file_are_proven_by_what_it_says_of_them(table, tmp_path):
    path = table(LINE)
    call("cells", path, "--target", "y", "--width", 2, "--json", tmp_path / "all.json")
    found = listed(tmp_path / "all.json")
    rows = [line.split(",") for line in LINE.split()[1:]]
    x = [[Fraction(row[0]), Fraction(1)] for row in rows]
    y = [Fraction(row[1]) for row in rows]
    assert found["saddles"]
    assert any(any(point["kinks"]) for point in found["nondifferentiable_minima"])
    for kind in (*MINIMA, "saddles"):
        for point in found[kind]:
            R = [[Fraction(t) for t in row] for row in point["R"]]
            total = Fraction(0)
            for row, label in zip(x, y, strict=True):
                heights = [
                    sign * sum(t * r for t, r in zip(row, own, strict=True))
                    for sign, own in zip(point["signs"], R, strict=True)
                ]
                output = sum(s * max(h, 0) for s, h in zip(point["signs"], heights, strict=True))
                total += (output - label) ** 2
            # Rounded once.
            assert point["loss"] == float(total / 5)
            for sign, own, on in zip(point["signs"], R, point["kinks"], strict=True):
                if sign and any(own):
                    zero = [i for i, row in enumerate(x) if row[0] * own[0] + own[1] == 0]
                    assert on == zero
    for point in found["nondifferentiable_minima"]:
        assert list(point)[len(POINT) :] == [
            "differentiable",
            "sharp",
            "multipliers",
            "certificate",
        ]
        for on, multipliers in zip(point["kinks"], point["multipliers"], strict=True):
            assert set(multipliers) <= {str(i) for i in on}


def test_every_point_has_a_certificate_that_holds(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("cells", table(LINE), "--target", "y", "--width", 2)
    result = call(*arguments, "--out", "proofs", "--json", "all.json")
    assert result.exit_code == 0, result.output
    found = listed(tmp_path / "all.json")
    minima = [point for kind in MINIMA for point in found[kind]]
    paths = [os.path.join("proofs", f"minimum-{i:04d}.json") for i in range(len(minima))]
    paths += [os.path.join("proofs", f"saddle-{i:04d}.json") for i in range(len(found["saddles"]))]
    points = [*minima, *found["saddles"]]
    assert [point["certificate"] for point in points] == paths
    last = result.stdout.splitlines()[-1]
    assert last == f"{len(paths)} certificates: {paths[0]} to {paths[-1]}"
    for number, point in enumerate(points):
        claim = Claim.load(point["certificate"])
        assert isinstance(claim, MinimumOnData if number < len(minima) else SaddleOnData)
        assert float(Fraction(str(claim.loss))) == point["loss"]
        for sign, own, on in zip(point["signs"], claim.kinks, point["kinks"], strict=True):
            assert not sign or list(own) == on
    checked = call("verify", *paths)
    assert checked.exit_code == 0
    assert checked.stdout.count("holds: proofs") == len(paths)
    assert checked.stdout.count("has a saddle") == len(found["saddles"]) > 0
    line = refused(*arguments, "--out", "proofs")
    assert f"{paths[0]} is there already; give another --out" in line


def test_the_best_network_alone_has_certificates_of_a_minimum_and_of_the_bound(table, tmp_path):
    result = call(
        "cells", table(LINE), "--target", "y", "--width", 2, "--global-only",
        "--out", tmp_path / "proofs", "--json", tmp_path / "best.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "best.json").read_text())
    paths = [written["certificate"], written["bound_certificate"]]
    assert result.stdout.splitlines()[-1] == f"2 certificates: {paths[0]} to {paths[1]}"
    checked = call("verify", *paths)
    assert checked.stdout == "".join(f"holds: {p}: {Claim.load(p).statement}\n" for p in paths)
    point, bound = map(Claim.load, paths)
    assert isinstance(point, MinimumOnData)
    assert isinstance(bound, LossBound)
    assert str(point.loss) == str(bound.lower) == written["exact_loss"]


def test_the_ways_of_a_saddle_go_down_and_up(table, tmp_path):
    path = table(LINE)
    call("cells", path, "--target", "y", "--width", 2, "--json", tmp_path / "all.json")
    x = np.array([[-2, 1], [-1.2, 1], [-0.3, 1], [0.5, 1], [1.1, 1]])
    y = np.array([1.2, -0.4, -0.9, 0.8, 0.2])
    for saddle in listed(tmp_path / "all.json")["saddles"]:
        assert list(saddle)[len(POINT) :] == SADDLE
        values = []
        for name in ("descent", "ascent"):
            way = saddle[name]
            W, z = (
                np.array(saddle[part]) + way["step"] * np.array(way[part])
                for part in ("weights", "output")
            )
            loss = np.mean((np.maximum(x @ W.T, 0) @ z - y) ** 2)
            assert loss == pytest.approx(way["value"], rel=1e-12)
            values.append(loss)
        assert values[0] < saddle["loss"] < values[1]


def test_the_best_network_is_shown_with_the_columns_names(table):
    result = call("cells", table("size,y\n0,1\n1,2\n2,3\n"), "--target", "y", "--width", 1)
    assert result.exit_code == 0, result.output
    tail = result.stdout.splitlines()[-2:]
    assert tail == ["best network, the sum of", "  + max(0, +1 size +1)"]
    assert "every local minimum has the loss of a listed one: proven" in result.stdout
    flat = call("cells", table("x,y\n-1,-1\n0,0\n1,-1\n"), "--target", "y", "--width", 1)
    assert flat.stdout.splitlines()[-2] == "best network, the sum of"
    assert "max(0, " in flat.stdout.splitlines()[-1]


def test_the_global_minimum_alone_is_that_of_all(table, tmp_path):
    path, target = table(LINE), tmp_path / "least.json"
    arguments = ["cells", path, "--target", "y", "--width", 2, "--json", target]
    call(*arguments)
    whole = json.loads(target.read_text())
    result = call(*arguments, "--global-only")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    found = json.loads(target.read_text())
    assert list(found) == [
        "columns", "target", "bias", "width", "global_loss", "exact_loss", "rounded_loss", "lower",
        "proven", "regions", "weights", "output", "signs", "kinks", "R", "certificate",
        "bound_certificate",
    ]  # fmt: skip
    assert found["proven"]
    assert found["global_loss"] == found["lower"] == whole["global_loss"]
    assert float(Fraction(found["exact_loss"])) == found["global_loss"]
    lines = result.stdout.splitlines()
    assert lines[1] == f"global minimum            loss {found['global_loss']:.10g}, proven"
    assert lines[3] == "best network, the sum of"
    assert len(lines) == 4 + sum(sign != 0 for sign in found["signs"])


def test_the_global_minimum_alone_of_a_limit_is_said_to_be_open(table):
    result = call(
        "cells", table(LINE), "--target", "y", "--width", 2, "--global-only", "--limit", 1
    )
    assert "not proven to be the best" in result.stdout
    assert "lower bound               loss 0, proven; give a larger --limit" in result.stdout


def test_weights_that_floats_cannot_hold_are_told(table):
    path = table("x,y\n1,2e30\n2,3\n3,1\n")
    result = call("cells", path, "--target", "y", "--width", 1, "--global-only")
    assert "global minimum            loss 0.3333333333, proven" in result.stdout
    assert "weights rounded to floats loss " in result.stdout
    assert "max(0, -2e+30 x +4e+30)" in result.stdout


def test_a_network_of_no_neurons_is_0(table):
    result = call("cells", table("x,y\n1,0\n2,0\n"), "--target", "y", "--width", 1, "--global-only")
    assert result.stdout.splitlines()[-2:] == ["best network, the sum of", "  0"]


def test_decimals_are_read_as_they_are_written(table):
    # Three samples on one line through 0, as decimals only: two cells.
    path = table("a,b,y\n0.1,0.3,1\n0.2,0.6,2\n0.3,0.9,-1\n")
    result = call("cells", path, "--target", "y", "--width", 1, "--no-bias")
    assert "2 cells, 2 combinations of them" in result.stdout


def test_its_help_has_an_example_and_says_what_is_listed():
    result = call("cells", "--help")
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    assert "Example: landscape-jax cells data.csv " in text
    assert "(smooth kinks): one for each loss that no other listed minimum has" in text
    assert "every local minimum has a listed loss" in text
    assert "--global-only" in text


@pytest.mark.parametrize("alone", [[], ["--global-only"]])
@pytest.mark.parametrize(
    "text",
    [
        "a,y\n1e-400,2\n1e300,3\n2,1\n",
        "a,y\n1e200,2\n2e200,3\n4e200,1\n",
        "a,y\n1,2e-400\n2,3\n3,1\n",
        "a,y\n1,2e300\n2,3\n3,1\n",
        "a,b,y\n1e-400,1e300,1e-200\n1e300,1e-400,1e200\n2,1,0\n",
        "a,y\n1e-300,1e-300\n2e-300,1e-300\n5e-300,3e-300\n",
        "a,y\n1e-160,1\n2e-160,2\n5e-160,1\n",
        "a,y\n1,1e-160\n2,3e-160\n5,1e-160\n",
        "a,y\n1e150,1e-150\n2e150,3e-150\n5e150,1e-150\n",
        "a,y\n1e-150,1e150\n2e-150,3e150\n5e-150,1e150\n",
    ],
)
def test_decimals_of_any_size_work_or_are_refused_in_one_short_line(table, text, alone):
    arguments = ["cells", table(text), "--target", "y", "--width", 1, *alone]
    result = call(*arguments)
    if result.exit_code == 0:
        assert result.stderr == ""
        assert "global minimum            loss " in result.stdout
        return
    line = refused(*arguments)
    assert "scale " in line
    assert len(line) < 300 + len(str(arguments[1]))


@pytest.mark.parametrize(
    ("text", "width", "message"),
    [
        ("x,y\n", 1, "has no samples; give a row for each"),
        (LINE, 12, "more than the limit of"),
        (LINE, 0, "'--width'"),
        ("x,y\n1,a\n", 1, "line 2: column 'y' is not numeric"),
        ("x,y\n1,a" + 90 * "b" + "\n", 1, f"it has 'a{39 * 'b'}...'"),
        (f"x,y\n1,{'9' * 5000}\n", 1, "has a number of 5000 characters; give at most 1000"),
        ("x;y\n1,5;2\n", 1, "has semicolons between its columns; give a file with commas"),
        ("x\ty\n1\t2\n", 1, "has tabs between its columns; give a file with commas"),
        ("x|y\n1|2\n", 1, "has bars between its columns; give a file with commas"),
        ("x y\n1 2\n", 1, "has spaces between its columns; give a file with commas"),
        ("a;b\n1;2\n", 1, "has semicolons between its columns; give a file with commas"),
        ("a b\n1\n", 1, "has no column 'y'; --target is one of a b"),
    ],
)
def test_what_cannot_be_listed_is_refused_in_one_line(table, text, width, message):
    assert message in refused("cells", table(text), "--target", "y", "--width", width)


def test_more_combinations_than_the_limit_are_refused(table):
    line = refused("cells", table(LINE), "--target", "y", "--width", 1, "--limit", 20)
    assert "21 combinations of 21 faces" in line
    assert "larger limit" in line


@pytest.mark.parametrize("width", [100, 10_000])
def test_a_count_of_many_digits_is_told_in_three(table, width):
    rows = "".join(f"{a * a},{a},{a % 7}\n" for a in range(200))
    line = refused("cells", table("a,b,y\n" + rows), "--target", "y", "--width", width)
    assert "there may be about " in line
    assert "e" in line.split("about ")[1].split()[0]
    assert "or --global-only" in line
    assert len(line) < 400


def test_more_rays_than_are_taken_on_are_refused(table):
    random = np.random.default_rng(0)
    rows = random.integers(-99, 99, (300, 9))
    text = "a,b,c,d,e,f,g,h,y\n" + "\n".join(",".join(map(str, row)) for row in rows)
    line = refused("cells", table(text), "--target", "y", "--width", 1, "--global-only")
    assert "may have about 2.96e15 rays; 3000000 outputs on rays are taken on" in line


def test_a_width_is_needed(table):
    assert "Missing option '--width'" in refused("cells", table(LINE), "--target", "y")


@pytest.mark.parametrize("alone", [[], ["--global-only"]])
def test_progress_moves_while_faces_are_found(table, monkeypatch, alone):
    told = []

    @contextmanager
    def bar():
        yield lambda *now: told.append(now)

    monkeypatch.setattr(sys.modules[command.__module__], "progress_bar", bar)
    call("cells", table(LINE), "--target", "y", "--width", 2, *alone)
    done = [now[1] for now in told]
    assert done == sorted(done)
    if not alone:
        # 21 faces, of which those of the first flats alone have been found at first.
        assert 0 < done[0] < 21
        assert done[-1] == told[-1][2] == 21 + 231


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize(
    ("alone", "work"), [([], "landscape"), (["--global-only"], "global_minimum")]
)
def test_ctrl_c_ends_it_with_130_and_one_line(table, tmp_path, alone, work):
    ready = tmp_path / "ready"
    # The signal is sent when the work has begun: a stand-in for it says so, and then takes long.
    code = (
        "import sys, time, pathlib; from landscape_jax.theory import cells\n"
        f"def slow(*a, **k): pathlib.Path({str(ready)!r}).touch(); time.sleep(600)\n"
        f"cells.{work} = slow\n"
        "sys.argv = ['landscape-jax', *sys.argv[1:]]\n"
        "from landscape_jax.__main__ import main; main()"
    )
    arguments = ["cells", str(table(LINE)), "--target", "y", "--width", "2", *alone]
    line = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as study:
        while not os.path.exists(ready):
            assert study.poll() is None
            time.sleep(0.05)
        study.send_signal(signal.SIGINT)
        output, error = study.communicate(timeout=60)
    assert study.returncode == 130
    assert output == b""
    assert error.decode().strip() == "interrupted: nothing is kept; repeat the command"
