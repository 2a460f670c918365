"""The commands.  They read, call, print and write; what they import is imported when they run."""

import io
import itertools
import re
import sys
from typing import Annotated, Any

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.atlas import atlas
from landscape_jax.cli.basins import basins
from landscape_jax.cli.cells import cells
from landscape_jax.cli.construct import construct
from landscape_jax.cli.figure import app as figures
from landscape_jax.cli.help_text import PlainCommand, PlainGroup
from landscape_jax.cli.names import names
from landscape_jax.cli.prove import prove
from landscape_jax.cli.table import table
from landscape_jax.cli.verify import verify
from landscape_jax.cli.width import width
from landscape_jax.machine import TooLargeError

# An option given nothing, as by a shell's variable that is not set.
_NOTHING = re.compile(r"--[a-z-]+=\s*")


class _Commands(PlainGroup):
    """Report every mistake in the arguments in one line, and exit with 2."""

    def main(
        self, args: Any = None, *others: Any, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        del standalone_mode
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        # Names of files may hold bytes that no encoding can print.
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            _check_texts(given)
            code = super().main(given, *others, standalone_mode=False, **extra)
        except (typer.Abort, KeyboardInterrupt):
            typer.echo("interrupted", err=True)
            sys.exit(130)
        except (typer.TyperException, TooLargeError, MemoryError, OSError, RuntimeError) as error:
            reason = _reason(error)
            if reason is None:
                raise
            typer.echo(inputs.line(reason), err=True)
            sys.exit(2)
        sys.exit(code if isinstance(code, int) else 0)


def _check_texts(given: list[str]) -> None:
    """Refuse arguments that nothing can be read from: an empty path would be the directory."""
    for at, (before, text) in enumerate(itertools.pairwise(["", *given]), 1):
        name = before if before.startswith("--") else f"argument {at}"
        if "\0" in text:
            raise typer.TyperException(f"{name} holds a zero character")
        if _NOTHING.fullmatch(text):
            raise typer.TyperException(f"{text.strip('= ')} is empty; give a value")
        if not text.strip():
            raise typer.TyperException(f"{name} is empty; give a value, or leave it out")


def _reason(error: Exception) -> str | None:
    """Describe what was wrong with the arguments, or what the system refused."""
    if isinstance(error, typer.TyperException):
        return f"{' '.join(error.format_message().split()).rstrip('.')}. See --help."
    if isinstance(error, MemoryError):
        return f"not enough memory: {error}" if str(error) else "not enough memory"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, RuntimeError):  # JAX's own errors, of which one is no error of ours.
        first = str(error).splitlines()[:1]
        return f"not enough memory: {first[0]}" if "out of memory" in str(error).lower() else None
    return str(error)


app = typer.Typer(
    cls=_Commands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> bool:
    if asked:
        from landscape_jax import __version__

        typer.echo(f"landscape-jax {__version__}")
        raise typer.Exit
    return asked


@app.callback()
def _describe(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Critical points of shallow networks' losses: how often descent ends in each, with proof.

    Example: landscape-jax table 8:8 --restarts 100
    """
    del version


for command in (table, prove, verify, atlas, width, construct, cells, basins, names):
    app.command(cls=PlainCommand)(command)
app.add_typer(figures)
