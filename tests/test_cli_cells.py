"""`landscape-jax cells`: from a CSV file to all minima of a network on it, or one clear line."""

import json

import numpy as np
import pytest

from .test_cli import call, refused
from .test_cli_construct import table as table

TWO = "a,b,y\n1,0,1\n0,1,{}\n"
LINE = "x,y\n-2,1.2\n-1.2,-0.4\n-0.3,-0.9\n0.5,0.8\n1.1,0.2\n"


def listed(path):
    found = json.loads(path.read_text())
    assert list(found) == [
        "cells", "combinations", "global_loss",
        "differentiable_minima", "saddles", "nondifferentiable_minima",
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
    assert found["global_loss"] == losses[0]
    minima = found["differentiable_minima"]
    assert [m["loss"] for m in minima] == losses


def test_the_points_of_a_file_have_the_losses_that_it_says(table, tmp_path):
    path = table(LINE)
    call("cells", path, "--target", "y", "--width", 2, "--json", tmp_path / "all.json")
    found = listed(tmp_path / "all.json")
    x = np.array([[-2, 1], [-1.2, 1], [-0.3, 1], [0.5, 1], [1.1, 1]])
    y = np.array([1.2, -0.4, -0.9, 0.8, 0.2])
    lowest = np.inf
    for kind in ("differentiable_minima", "saddles", "nondifferentiable_minima"):
        for point in found[kind]:
            assert list(point) == ["loss", "unique", "weights", "output"]
            W, z = np.array(point["weights"]), np.array(point["output"])
            assert W.shape == (2, 2)
            loss = np.mean((np.maximum(x @ W.T, 0) @ z - y) ** 2)
            np.testing.assert_allclose(point["loss"], loss, rtol=1e-12, atol=1e-15)
            lowest = min(lowest, loss)
    np.testing.assert_allclose(found["global_loss"], lowest, rtol=1e-12)


def test_decimals_are_read_as_they_are_written(table):
    # Three samples on one line through 0, as decimals only: two cells.
    path = table("a,b,y\n0.1,0.3,1\n0.2,0.6,2\n0.3,0.9,-1\n")
    result = call("cells", path, "--target", "y", "--width", 1, "--no-bias")
    assert "2 cells, 2 combinations of them" in result.stdout


def test_its_help_has_an_example():
    result = call("cells", "--help")
    assert result.exit_code == 0
    assert "Example: landscape-jax cells data.csv " in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("text", "width", "message"),
    [
        ("x,y\n", 1, "has no samples; give a row for each"),
        (LINE, 12, "more than the limit of"),
        (LINE, 0, "'--width'"),
        ("x,y\n1,a\n", 1, "line 2: column 'y' is not numeric"),
    ],
)
def test_what_cannot_be_listed_is_refused_in_one_line(table, text, width, message):
    assert message in refused("cells", table(text), "--target", "y", "--width", width)


def test_more_combinations_than_the_limit_are_refused(table):
    line = refused("cells", table(LINE), "--target", "y", "--width", 1, "--limit", 20)
    assert "21 combinations of 21 faces" in line
    assert "larger limit" in line


def test_a_width_is_needed(table):
    assert "Missing option '--width'" in refused("cells", table(LINE), "--target", "y")
