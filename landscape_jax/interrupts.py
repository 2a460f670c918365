"""Ctrl-C ends a command at any moment: in one line, with the exit code 130."""

import os
import signal
from collections.abc import Callable
from typing import NoReturn

_kept = ""


def set_kept(hint: str) -> None:
    """Set what the line adds: what is kept of the work that begins, or how to go on with it."""
    global _kept
    _kept = hint


def run(command: Callable[[], object]) -> None:
    """Run a command in a thread, and end the process on Ctrl-C.

    The main thread, which alone hears of it, waits: compiled code does not listen, and imports may
    swallow it.  What is on disk is whole at any moment, so the process may end at once.

    **Raises:** what `command` raises, `SystemExit` too.
    """
    try:
        from concurrent.futures import ThreadPoolExecutor

        ThreadPoolExecutor(1).submit(command).result()
    except KeyboardInterrupt:
        _end()
    finally:
        # What is left is the end of Python itself.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end() -> NoReturn:
    """Print the line, past all buffers and locks, and end."""
    # A progress bar hides the cursor of a terminal, whose line holds ^C.
    shown = "\033[?25h\n" if os.isatty(2) else ""
    line = f"{shown}interrupted: {_kept}" if _kept else f"{shown}interrupted"
    try:
        os.write(2, f"{line}\n".encode())
    finally:
        os._exit(130)
