"""The figures of LIU from the command line."""

import pytest
from typer.testing import CliRunner

from landscape_jax.cli import app
from landscape_jax.cli.figures import FIGURES


def call(*arguments):
    return CliRunner().invoke(app, [str(x) for x in arguments])


def test_all_figures_are_listed_with_their_titles():
    lines = call("figure", "--list").stdout.splitlines()
    assert lines == [f"{name}  {title}" for name, title in FIGURES.items()]


@pytest.mark.parametrize(
    "name", ["liu-2", *(pytest.param(f"liu-{n}", marks=pytest.mark.slow) for n in
             ("4a", "4b", "4c", "a4a", "a4b"))],
)  # fmt: skip
def test_a_figure_of_liu_is_drawn(tmp_path, name, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    out = tmp_path / "f.png"
    result = call("figure", name, "--out", out, "--samples", 50, "--seed", 3, "--normals", "+-+-")
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"\x89PNG")
    said = {"liu-2": "z = 1", "liu-4a": "N = 50, means 1 and -1, variances 1, seed 3"}
    said |= {"liu-a4a": "normals +-+-", "liu-a4b": "normals +-+-"}
    assert said.get(name, "N = 50") in result.stdout


@pytest.mark.parametrize("normals", ["++", "++++-", "1234", ""])
def test_normals_that_are_not_four_signs_are_refused(tmp_path, normals):
    result = call("figure", "liu-a4a", "--out", tmp_path / "f.png", f"--normals={normals}")
    assert result.exit_code == 2
    assert "give four signs, such as ++--" in result.stderr
