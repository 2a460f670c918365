"""What the commands say of themselves: in help, and to a shell that completes words."""

import re

import pytest
from typer.testing import CliRunner

from landscape_jax.cli import app

from .test_cli import call


@pytest.mark.parametrize(
    "command",
    ["table", "prove", "verify", "construct", "cells", "basins", "figure ss18-1", "figure liu-a4a"],
)
def test_help_calls_values_by_what_they_are(command):
    text = call(*command.split(), "--help").stdout
    assert not re.search(r"<[a-z]", text)


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("ta", ["table"]),
        ("cells --gl", ["--global-only"]),
        ("names theory.c", ["theory.constructions", "theory.cells"]),
        ("figure kk", ["kk20-1"]),
        ("figure liu-4a --s", ["--samples", "--seed"]),
    ],
)
def test_a_shell_completes_commands_options_and_names(monkeypatch, words, completed):
    monkeypatch.setenv("_LANDSCAPE_JAX_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"landscape-jax {words}")
    monkeypatch.setenv("COMP_CWORD", str(len(words.split())))
    result = CliRunner().invoke(app, [], prog_name="landscape-jax")
    assert (result.exit_code, result.stdout.split()) == (0, completed)


def test_the_script_that_completes_is_shown_for_a_shell(monkeypatch):
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("bash", "/bin/bash"))
    result = CliRunner().invoke(app, ["--show-completion"], prog_name="landscape-jax")
    assert result.exit_code == 0
    assert "complete -o default -F _landscape_jax_completion landscape-jax" in result.stdout


def test_names_that_hold_no_text_are_printed(tmp_path):
    result = call("verify", tmp_path / "\udcff.json")
    assert result.exit_code == 2
    assert "\\udcff.json: No such file" in result.stdout
