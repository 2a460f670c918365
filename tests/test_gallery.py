"""The gallery's tasks are as short as it says.

A line counts if it holds code: not if it is blank, a comment, or part of a docstring or of an
assertion.  Lines that plot or print count.  Lines are those of ruff's format, at most 100
characters.  The notebook itself is run with the others, by nbmake.
"""

import ast
import io
import json
import tokenize
from pathlib import Path

import pytest

CELLS = json.loads(
    (Path(__file__).parents[1] / "notebooks" / "gallery.ipynb").read_text(encoding="utf-8")
)["cells"]
TASKS = [place for place, cell in enumerate(CELLS) if "task" in cell["metadata"].get("tags", ())]
MOST = 10
SPACE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)


def code_lines(source: str) -> int:
    """Count the lines of code of a cell."""
    left_out = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert)
        or (isinstance(node, ast.Expr) and isinstance(getattr(node.value, "value", None), str))
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    held = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in (*SPACE, tokenize.ENDMARKER)
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(held - left_out)


def test_lines_of_code_are_counted_by_the_rule():
    source = (
        '# why\nx = [\n    1,\n]\n\nassert all(\n    x\n)\ndef f():\n    """Say."""\n    return x\n'
    )
    assert code_lines(source) == 5


def test_there_are_tasks():
    assert len(TASKS) >= 15


@pytest.mark.parametrize("place", TASKS)
def test_a_task_has_a_question_and_at_most_ten_lines(place):
    before = "".join(CELLS[place - 1]["source"])
    question = [line for line in before.splitlines() if line.startswith("### ")]
    assert len(question) == 1
    assert question[0].endswith("?")
    lines = code_lines("".join(CELLS[place]["source"]))
    assert lines <= MOST, f"{question[0]} takes {lines} lines"


def test_outputs_are_stripped():
    assert not any(cell.get("outputs") for cell in CELLS)
