"""What the README shows runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_python_of_the_readme_runs_and_finds_a_proven_spurious_minimum():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    names = {}
    for block in blocks:
        exec(block, names)
    assert names["proof"].kind == "spurious"
    assert names["runs"].summary() == {"converged": 100}
    assert names["shares"] == sorted(names["shares"])
    assert len(names["minima"]) == 8
    assert names["family"].blocks == (7, 1)
    assert len(names["unseen"]) >= 4
    assert set(names["saddles"].counts()) == {1}


def test_the_readme_has_two_commands():
    assert len(re.findall(r"^```sh$", README.read_text(encoding="utf-8"), re.MULTILINE)) == 2
