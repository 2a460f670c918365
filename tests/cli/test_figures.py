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


@pytest.mark.parametrize(
    "number", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 7))]
)
def test_a_figure_of_ss16_is_drawn(tmp_path, number, monkeypatch):
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    out = tmp_path / "f.png"
    result = call("figure", f"ss16-{number}", "--out", out)
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"\x89PNG")


def test_the_shares_of_ss16_take_their_starts_and_seed_from_the_options(tmp_path, monkeypatch):
    import xarray as xr

    from landscape_jax.studies import ss16

    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))
    given = []

    def few(starts, *, seed):
        given.append((starts, seed))
        columns = {name: ("width", [0.5]) for name in ("share", "share_low", "share_high", "bound")}
        said = {"theorem": 7, "samples": 4, "dim": 5, "confidence": 0.95}
        return (xr.Dataset(columns, coords={"width": [4]}, attrs=said),)

    monkeypatch.setattr(ss16, "figure_f", few)
    out = tmp_path / "f.png"
    result = call("figure", "ss16-f", "--out", out, "--restarts", 20, "--seed", 3)
    assert result.exit_code == 0, result.output
    assert given == [(20, 3)]
    assert "20 starts of each width, seed 3" in result.stdout
    assert out.read_bytes().startswith(b"\x89PNG")
