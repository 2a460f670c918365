"""Progress of long work: reports and bars, on terminals, in notebooks, and nowhere else."""

import io
import re
import sys
from types import ModuleType

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest
import rich.console

import landscape_jax as lj
from landscape_jax import progress
from landscape_jax.studies import ss16, ss18

RISK, START, KEY = lj.PopulationRisk(jnp.eye(2)), lj.starts.gaussian((2, 2)), jax.random.key(0)


@pytest.fixture
def notebook(monkeypatch):
    """Pretend to be a notebook; return the list of the HTML that it shows."""
    shown: list[str] = []

    class Handle:
        def update(self, html: str) -> None:
            shown.append(html)

    def display(html: str, *, display_id: bool) -> Handle:
        shown.append(html)
        return Handle()

    module = ModuleType("IPython.display")
    module.HTML, module.display = str, display  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    return shown


@pytest.fixture
def terminal(monkeypatch):
    """Pretend that stderr is a terminal; return what is written on it."""
    written, whole = io.StringIO(), rich.console.Console

    def console(**_: object) -> rich.console.Console:
        return whole(file=written, force_terminal=True, width=100)

    monkeypatch.setattr(rich.console, "Console", console)
    return written


def _last(shown: list[str]) -> str:
    return re.sub(r", \d+:\d\d", "", re.sub("<progress.*?</progress> ", "", shown[-1]))


def test_a_notebook_shows_how_many_runs_have_ended(notebook):
    runs = lj.restart(RISK, START, 20, key=KEY, progress=True)
    jax.effects_barrier()
    assert runs.summary() == {"below_value": 20}
    assert "starting" in notebook[0]
    assert _last(notebook) == "<div>runs 20 of 20</div>"
    assert '<progress value="20" max="20">' in notebook[-1]


def test_a_bar_compiles_nothing_again(notebook):
    risk = eqx.tree_at(lambda r: r.teacher, RISK, 2.0 * jnp.eye(2))
    traced = []
    start = lambda key: traced.append(1) or START(key)
    for _ in range(3):
        lj.restart(risk, start, 4, key=KEY, progress=True)
    first = len(traced)
    lj.restart(risk, start, 4, key=KEY, progress=True)
    assert len(traced) == first
    assert sum("starting" in html for html in notebook) == 4


def test_a_notebook_shows_the_time_left(notebook, monkeypatch):
    clock = iter([0.0, 10.0, 20.0, 30.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.progress_bar(1000) as show:
        show("runs", 250)
        assert notebook[-1] == (
            '<div>runs <progress value="250" max="1000"></progress> 250 of 1,000, 0:10, '
            "0:30 left</div>"
        )
        show("runs", 500, 1000)
    assert "left" not in notebook[-1]
    assert progress._clock(3725.0) == "1:02:05"


def test_a_terminal_shows_runs_of_a_sweep_and_parts_of_a_study(terminal):
    lj.sweep(RISK, START, 20, key=KEY, progress=True)
    assert "20/20" in terminal.getvalue()
    ss18.table([(2, 2)], 10, progress=True)
    assert "2:2 descending" in terminal.getvalue()


def test_nothing_is_shown_elsewhere(capfd):
    lj.restart(RISK, START, 5, key=KEY, progress=True)
    lj.restart(RISK, START, 5, key=KEY, progress=False)
    assert capfd.readouterr() == ("", "")


def test_a_study_reports_to_a_function():
    said = []
    ss18.table([(2, 2)], 10, progress=lambda *report: said.append(report))
    assert said[0] == ((2, 2), "descending", 0, 10)
    widths = []
    ss16.distribution(jnp.eye(2), jnp.ones(2), [3], 5, progress=lambda *w: widths.append(w))
    assert widths == [(3, "solving", 5, 5)]


@pytest.mark.parametrize("wrong", [3, "yes", [print]])
def test_other_progress_is_refused(wrong):
    with pytest.raises(TypeError, match=r"progress is .*; give True, for a bar, or a function"):
        progress.checked_progress(wrong)


def test_no_bar_is_shown_inside_a_traced_function():
    program = jax.jit(lambda key: lj.restart(RISK, START, 5, key=key, progress=True).value)
    with pytest.raises(ValueError, match="no bar inside a traced function; give a function"):
        program(KEY)


def test_one_bar_is_shown_at_a_time(notebook):
    with progress.ENDED_RUNS.shown(), progress.ENDED_RUNS.shown():
        progress.ENDED_RUNS.add(3, 5)
    assert sum("starting" in html for html in notebook) == 1
    progress.ENDED_RUNS.add(1, 5)
    assert "3 of 5" in notebook[-1]
