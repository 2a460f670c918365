"""The commands.  They read, call, print and write; what they import is imported when they run."""

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from landscape_jax.cli.basins import basins
from landscape_jax.cli.cells import cells
from landscape_jax.cli.construct import construct
from landscape_jax.cli.figure import figure
from landscape_jax.cli.names import names
from landscape_jax.cli.prove import prove
from landscape_jax.cli.table import table
from landscape_jax.cli.verify import verify


class _Commands(TyperGroup):
    """Report every mistake in the arguments in one line, and exit with 2."""

    def main(
        self, args: Any = None, *others: Any, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        del standalone_mode
        given = list(sys.argv[1:] if args is None else args) or ["--help"]
        try:
            code = super().main(given, *others, standalone_mode=False, **extra)
        except typer.TyperException as mistake:
            message = " ".join(mistake.format_message().split())
            typer.echo(f"landscape-jax: {message.rstrip('.')}. See --help.", err=True)
            sys.exit(2)
        except (typer.Abort, KeyboardInterrupt):
            typer.echo("interrupted", err=True)
            sys.exit(130)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> bool:
    if asked:
        typer.echo(f"landscape-jax {version('landscape-jax')}")
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
    """Critical points of shallow networks' losses: how often descent ends in each, with proof."""
    del version


for command in (table, prove, verify, figure, construct, cells, basins, names):
    app.command()(command)
