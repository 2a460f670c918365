"""The example in every command's help works as it is printed."""

import glob
import os
import re
import shlex
import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from landscape_jax.cli import app
from landscape_jax.studies import atlas, kk20, liu20, ss16, ss18, width

STUDIES = (ss18, ss16, kk20, liu20, width, atlas)
FIGURES = [f"figure {name}" for study in STUDIES for name in study.FIGURES]
COMMANDS = ["", *get_command(app).commands, *FIGURES]  # pyright: ignore[reportAttributeAccessIssue]
# What compiles descents, or large grids of a figure, takes longer than a default test may.
SLOW = {
    "", "table", "atlas", "width", "basins", "figure kk20-1", "figure liu-4c", "figure ss16-f",
    "figure ss18-1",
    *(name for name in FIGURES if "width" in name or "atlas" in name),
}  # fmt: skip
DATA = "area,price\n1,2\n2,1\n3,4\n4,3.5\n5,1\n"


def example(command: str) -> list[str]:
    """Return the lines of the example in a command's help."""
    done = CliRunner().invoke(app, [*command.split(), "--help"], prog_name="landscape-jax")
    assert done.exit_code == 0
    (found,) = re.findall(r"^  Example: (.*?)\n\n", done.stdout, re.MULTILINE | re.DOTALL)
    return [line.strip() for line in found.splitlines()]


def run(line: str) -> None:
    """Run a line as a shell does."""
    program, *words = shlex.split(line)
    if program == "python":
        subprocess.run([sys.executable, *words], check=True)
        return
    assert program == "landscape-jax"
    arguments = [name for word in words for name in glob.glob(word) or [word]]
    done = CliRunner().invoke(app, arguments, prog_name=program)
    assert done.exit_code == 0, done.output
    assert done.stdout


@pytest.mark.parametrize(
    "command",
    [pytest.param(c, marks=pytest.mark.slow) if c in SLOW else c for c in COMMANDS],
)
def test_the_example_in_the_help_works_as_printed(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text(DATA)
    lines = example(command)
    assert lines[-1].startswith(f"landscape-jax {command}".strip())
    for line in lines:
        run(line)
    # Whatever the example says is written is there.
    for name in re.findall(r"--(?:out|json) (\S+)", " ".join(lines)):
        assert os.path.exists(name)
