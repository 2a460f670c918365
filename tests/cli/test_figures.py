"""The figures of the studies from the command line."""

import functools
import importlib
import inspect
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from landscape_jax import plots
from landscape_jax.cli import app
from landscape_jax.studies import atlas, kk20, liu20, ss16, ss18, width

STUDIES = (ss18, ss16, kk20, liu20, width, atlas)
WIDTH = ", width-share, width-time, width-survival, atlas-values, atlas-eigenvalues"
FIGURES = [(name, figure) for study in STUDIES for name, figure in study.FIGURES.items()]


def call(*arguments):
    return CliRunner().invoke(app, [str(x) for x in arguments])


@pytest.fixture
def given(monkeypatch):
    """Give a function that replaces a figure by one that is empty, and gives what it is given."""

    def record(study, name):
        arguments, figure = {}, study.FIGURES[name]

        @functools.wraps(figure.compute)
        def compute(**found):
            arguments.update(found)

        empty = figure._replace(compute=compute, draw=lambda _, axes: axes)
        monkeypatch.setitem(study.FIGURES, name, empty)
        return arguments

    return record


def test_all_figures_are_listed_with_their_titles_and_the_options_that_they_take():
    lines = call("figure", "--list").stdout.splitlines()
    told = [line.partition(" (takes ")[0] for line in lines]
    assert told == [f"{name}  {figure.title}" for name, figure in FIGURES]
    ends = {line.split("  ")[0]: line.partition(" (takes ")[2] for line in lines}
    assert ends["ss18-1"] == "--size, --restarts, --seed, --runs)"
    assert ends["ss16-f"] == "--restarts, --seed)"
    assert ends["liu-a4a"] == ends["liu-a4b"] == "--samples, --normals)"
    assert ends["ss16-1"] == ends["kk20-1"] == ends["liu-2"] == ""


@pytest.mark.parametrize(("name", "figure"), FIGURES)
def test_every_option_of_a_figure_sets_an_argument_of_what_computes_it(name, figure):
    parameters = inspect.signature(figure.compute).parameters
    assert set(figure.options.values()) <= set(parameters)
    assert ("size" in figure.options) == ("progress" in parameters)


@pytest.mark.parametrize(("name", "figure"), FIGURES)
def test_the_help_of_a_figure_has_its_own_options_alone_with_their_defaults(name, figure):
    text = call("figure", name, "--help").stdout
    described = " ".join(text.split())
    assert f"{figure.title}. Plot " in described
    assert set(re.findall(r"^  --(\w+)", text, re.MULTILINE)) == {"out", *figure.options}
    parameters = inspect.signature(figure.compute).parameters
    for argument in {"restarts", "starts", "samples"} & set(figure.options.values()):
        assert f"[default: {parameters[argument].default}; " in described


def test_the_help_lists_the_figures_of_each_paper():
    text = call("figure", "--help").stdout
    for study in STUDIES:
        heading = (study.__doc__ or "").partition("\n")[0].partition(":")[0].rstrip(".")
        listed = text.partition(f"\n{heading}:\n")[2].partition("\n\n")[0]
        assert re.findall(r"^  (\S+)  ", listed, re.MULTILINE) == list(study.FIGURES)


def test_a_figure_is_computed_with_the_defaults_of_its_function(tmp_path, given, monkeypatch):
    monkeypatch.setattr(plots, "save", lambda *_, **__: None)
    for study in STUDIES:
        for name, figure in study.FIGURES.items():
            defaults = inspect.signature(figure.compute).parameters
            found = given(study, name)
            assert call("figure", name, "--out", tmp_path / "f.png").exit_code == 0
            found.pop("progress", None)
            assert {key: as_tuple(value) for key, value in found.items()} == {
                argument: defaults[argument].default for argument in figure.options.values()
            }


def as_tuple(value):
    return tuple(value) if isinstance(value, list) else value


def test_options_before_the_name_are_refused_with_a_remedy(tmp_path):
    result = call("figure", "--out", tmp_path / "f.png", "ss16-1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "landscape-jax: No such option: --out; name the figure before its options. See --help.\n"
    )


@pytest.mark.parametrize(
    ("name", "option", "value", "takers"),
    [
        ("ss16-1", "seed", 0, "ss18-1, ss16-2, ss16-f, liu-4a" + WIDTH),
        ("liu-4b", "seed", 1, "ss18-1, ss16-2, ss16-f, liu-4a" + WIDTH),
        ("liu-2", "restarts", 1000, "ss18-1, ss16-f" + WIDTH),
        ("kk20-1", "size", "6:6", "ss18-1" + WIDTH),
        ("ss16-f", "runs", "sweep", "ss18-1" + WIDTH),
        ("ss18-1", "samples", 50, "liu-4a, liu-4b, liu-4c, liu-a4a, liu-a4b"),
        ("liu-4a", "normals", "++++", "liu-a4a, liu-a4b"),
    ],
)
def test_an_option_that_a_figure_does_not_take_is_refused(tmp_path, name, option, value, takers):
    result = call("figure", name, "--out", tmp_path / "f.png", f"--{option}={value}")
    assert result.exit_code == 2
    assert result.stdout == ""
    expected = f"landscape-jax: {name} does not take --{option}; figures that do: {takers}\n"
    assert result.stderr == expected
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("study", "name", "options", "arguments", "note"),
    [
        (ss16, "ss16-2", {"seed": 3}, {"seed": 3}, ""),
        (
            ss16, "ss16-f", {"restarts": 20, "seed": 3}, {"starts": 20, "seed": 3},
            "20 starts of each width, seed 3",
        ),
        (ss16, "ss16-f", {}, {"starts": 1000, "seed": 0}, "1000 starts of each width, seed 0"),
        (
            liu20, "liu-4a", {"samples": 50, "seed": 3}, {"samples": 50, "seed": 3},
            "N = 50, means 1 and -1, variances 1, seed 3",
        ),
        (liu20, "liu-4b", {}, {"samples": 100}, "N = 100, means 1 and -1, variances 1"),
        (
            liu20, "liu-a4b", {"normals": "+-+-"}, {"samples": 100, "normals": (1, -1, 1, -1)},
            "N = 100, means 1 and -1, variances 1, normals +-+-",
        ),
    ],
)  # fmt: skip
def test_a_figure_is_given_its_options(tmp_path, given, study, name, options, arguments, note):
    found = given(study, name)
    out = tmp_path / "f.png"
    result = call("figure", name, "--out", out, *(f"--{o}={v}" for o, v in options.items()))
    assert result.exit_code == 0, result.output
    assert found == arguments
    assert result.stdout.startswith(f"{out}: {note}")
    assert out.read_bytes().startswith(b"\x89PNG")


def test_the_figure_of_runs_is_given_its_sizes_the_directory_and_what_shows_its_progress(
    tmp_path, given
):
    found = given(ss18, "ss18-1")
    out = tmp_path / "f.png"
    result = call("figure", "ss18-1", "--out", out, "--restarts", 3)
    assert result.stdout == f"{out}: 6 sizes, 3 runs each\n"
    assert found.pop("progress") is True
    own = list(ss18.FIGURE_1_SIZES)
    assert found == {"sizes": own, "restarts": 3, "seed": 0, "out": None}
    sizes = ("--size", "6:6", "--size", "8:7", "--size", "6:6")
    result = call("figure", "ss18-1", "--out", out, *sizes, "--runs", tmp_path)
    assert result.stdout == f"{out}: 2 sizes, 1000 runs each\n"
    assert (found["sizes"], found["out"]) == ([(6, 6), (8, 7)], tmp_path)


def test_a_figure_that_is_interrupted_says_how_it_goes_on(tmp_path, given, monkeypatch):
    hints = []
    command = importlib.import_module("landscape_jax.cli.figure")
    monkeypatch.setattr(command, "interruptible", lambda work, hint: hints.append(hint))
    for study, name in ((ss18, "ss18-1"), (ss16, "ss16-f")):
        given(study, name)
        assert call("figure", name, "--out", tmp_path / "f.png").exit_code == 0
    assert call("figure", "ss18-1", "--out", tmp_path / "f.png", "--runs", tmp_path).exit_code == 0
    assert hints == [
        "with --runs DIR it could be resumed", "repeat the command", "repeat it to resume",
    ]  # fmt: skip


def test_no_study_is_imported_for_the_help_and_no_study_imports_matplotlib():
    code = "import sys; from typer.testing import CliRunner; from landscape_jax.cli import app; "
    code += "told = CliRunner().invoke(app, ['--help']); "
    code += "print(told.exit_code, 'jax' in sys.modules, 'landscape_jax.studies' in sys.modules); "
    code += "from landscape_jax.studies import atlas, kk20, liu20, ss16, ss18, width; "
    code += "print('matplotlib' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.split() == ["0", "False", "False", "False"]


@pytest.mark.parametrize("normals", ["++", "++++-", "1234", "x"])
def test_normals_that_are_not_four_signs_are_refused(tmp_path, normals):
    result = call("figure", "liu-a4a", "--out", tmp_path / "f.png", f"--normals={normals}")
    assert result.exit_code == 2
    assert f"--normals is {normals!r}; give four signs, such as ++--" in result.stderr


def test_more_samples_than_memory_holds_are_refused_before_they_are_drawn(tmp_path):
    done = call("figure", "liu-4a", "--samples", 10**12, "--out", tmp_path / "a.png")
    assert done.exit_code == 2
    assert "the losses of 1000000000000 samples may need" in done.output
