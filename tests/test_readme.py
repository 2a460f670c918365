"""What the README shows runs as it stands."""

import re

import pytest

from .pages import ROOT, python_blocks, run_blocks

README = ROOT / "README.md"


@pytest.mark.slow
def test_the_python_of_the_readme_runs_and_finds_a_proven_spurious_minimum():
    assert len(python_blocks(README)) == 4
    names = run_blocks(README)
    assert names["proof"].kind == "spurious"
    assert names["runs"].summary() == {"converged": 100}
    assert names["shares"] == sorted(names["shares"])
    assert len(names["minima"]) == 8
    assert names["family"].blocks == (7, 1)
    assert len(names["unseen"]) >= 4
    assert set(names["saddles"].counts()) == {1}


def test_the_readme_has_two_commands():
    assert len(re.findall(r"^```sh$", README.read_text(encoding="utf-8"), re.MULTILINE)) == 2
