"""Progress of long work: what functions report, and the bar that shows it."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from html import escape
from typing import Any

from landscape_jax.mistakes import shown

# Called with how much of the work is done, and of how much in all.
Progress = Callable[[int, int], None]
# Called with the part of a study, such as a size (k, n), its stage, and how much of it is done, of
# how much in all.
StudyProgress = Callable[[Any, str, int, int], None]
# Called with what is being done, how much of it is done, and of how much if that is known.
_Show = Callable[..., None]
# Seconds between two updates in a notebook.
_PAUSE = 0.2


@contextmanager
def progress_bar(total: int | None = None) -> Iterator[_Show]:
    """Show a bar with the time left, on a terminal or in a notebook; elsewhere nothing.

    It yields the function that updates the bar: `show(what, done, total)`.
    """
    with _in_notebook(total) if "ipykernel" in sys.modules else _on_terminal(total) as show:
        yield show


@contextmanager
def reporting(progress: bool | Progress | None, what: str) -> Iterator[Progress | None]:
    """Yield the function to report to: the given one, that of a new bar for `True`, or `None`.

    **Raises:** `TypeError` if it is none of these.
    """
    if progress is not True:
        yield checked_progress(progress)
        return
    with progress_bar() as show:
        yield partial(show, what)


@contextmanager
def reporting_parts(
    progress: bool | StudyProgress | None, parts: Iterable[Any], each: int
) -> Iterator[StudyProgress]:
    """Yield the function to which a study reports: the given one, or that of a bar over all parts.

    A part is called by its numbers, (6, 7) by 6:7, and has `each` pieces of its first stage.

    **Raises:** `TypeError` if `progress` is neither a function nor `True`, `False` or `None`.
    """
    if progress is not True:
        yield checked_progress(progress) or (lambda *_: None)
        return
    ended, first = dict.fromkeys(parts, 0), ""
    with progress_bar(len(ended) * each) as show:

        def report(part: Any, stage: str, done: int, total: int) -> None:
            nonlocal first
            first = first or stage
            ended[part] = done if stage == first else each
            name = ":".join(map(str, part)) if isinstance(part, tuple) else str(part)
            count = "" if stage == first or total < 2 else f" {done + 1} of {total}"
            show(f"{name} {stage}{count}", sum(ended.values()))

        yield report


def checked_progress(progress: Any) -> Any:
    """Return what is asked for: a function to report to, `True` for a bar, or `None`.

    **Raises:** `TypeError` if it is neither a function nor `None` nor a bool.
    """
    if progress is None or progress is False:
        return None
    if progress is not True and not callable(progress):
        raise TypeError(f"progress is {shown(progress)}; give True, for a bar, or a function")
    return progress


class _Ended:
    """The bar of runs that end, of which one is shown at a time.

    Compiled programs are kept for the function that they call, so it is the same for all bars.
    """

    def __init__(self) -> None:
        self.show: _Show | None = None
        self.done = 0

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the bar; where one is shown already, that of another thread, show none."""
        if self.show is not None:
            yield
            return
        with progress_bar() as self.show:
            self.done = 0
            try:
                yield
            finally:
                self.show = None

    def add(self, ended: int, total: int) -> None:
        """Count runs that have ended."""
        if self.show is not None:
            self.done = min(self.done + ended, total)
            self.show("runs", self.done, total)


ENDED_RUNS = _Ended()


@contextmanager
def _on_terminal(total: int | None) -> Iterator[_Show]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(
        *columns,
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task("starting", total=total)

        def show(what: str, done: int, total: int | None = None) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield show


@contextmanager
def _in_notebook(total: int | None) -> Iterator[_Show]:
    """Show a bar that needs no widgets, so that it stays in the saved notebook."""
    from IPython.display import HTML, display

    began, updated = time.monotonic(), -_PAUSE
    state: tuple[str, int, int | None] = ("starting", 0, total)
    handle = display(HTML(_html(*state, 0.0)), display_id=True)

    def show(what: str, done: int, total: int | None = None) -> None:
        nonlocal state, updated
        state = what, done, state[2] if total is None else total
        now = time.monotonic()
        if handle is not None and now - updated >= _PAUSE:
            updated = now
            handle.update(HTML(_html(*state, now - began)))

    try:
        yield show
    finally:
        if handle is not None:
            handle.update(HTML(_html(*state, time.monotonic() - began, ended=True)))


def _html(what: str, done: int, total: int | None, seconds: float, *, ended: bool = False) -> str:
    """Write the bar: what is done, of how much, the time so far and an estimate of what is left."""
    bar = "" if total is None else f'<progress value="{done}" max="{max(total, 1)}"></progress> '
    parts = [f"{done:,}" if total is None else f"{done:,} of {total:,}", _clock(seconds)]
    if not ended and total and 0 < done < total:
        parts.append(f"{_clock(seconds * (total - done) / done)} left")
    return f"<div>{escape(what)} {bar}{', '.join(parts)}</div>"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
