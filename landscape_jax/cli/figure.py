"""The command that draws the papers' figures, which the studies list, each with its options."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.help_text import PlainCommand, PlainGroup
from landscape_jax.cli.options import Restarts, Seed, Starts
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible

if TYPE_CHECKING:
    from landscape_jax.plots import PaperFigure
    from landscape_jax.studies.ss18.protocol import Size

_SUFFIXES = (".png", ".pdf", ".svg")


def _same(value: Any) -> Any:
    return value


def _read_sizes(texts: list[str]) -> "list[Size]":
    return list(dict.fromkeys(map(inputs.size, texts)))


def _show_sizes(sizes: "Iterable[Size]") -> list[str]:
    return [f"{k}:{n}" for k, n in sizes]


def _read_signs(text: str) -> tuple[int, ...]:
    if len(text) != 4 or not set(text) <= {"+", "-"}:
        inputs.refuse(f"--normals is {text!r}; give four signs, such as ++--")
    return tuple(int(f"{sign}1") for sign in text)


def _show_signs(signs: Iterable[int]) -> str:
    return "".join("+" if sign > 0 else "-" for sign in signs)


class _Option(NamedTuple):
    """How an argument of `compute` is an option: declared, in an example, read, and shown."""

    declared: Any
    example: str = ""
    read: Callable[[Any], Any] = _same
    show: Callable[[Any], Any] = _same


_OPTIONS = {
    "sizes": _Option(
        Annotated[
            list[str],
            typer.Option(metavar="K:N", help="K teachers and N students; once for each size."),
        ],
        "--size 7:7 --size 8:8",
        _read_sizes,
        _show_sizes,
    ),
    "restarts": _Option(Restarts, "--restarts 50"),
    "starts": _Option(Starts, "--restarts 50"),
    "seed": _Option(Seed),
    "out": _Option(
        Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="Directory in which runs are kept and resumed; may be a table's --out.",
            ),
        ]
    ),
    "samples": _Option(
        Annotated[int, typer.Option(metavar="N", min=1, help="Samples per data set.")],
        "--samples 50",
    ),
    "normals": _Option(
        Annotated[
            str, typer.Option(metavar="SIGNS", help="Signs of the four weights' normals, as ++--.")
        ],
        "--normals ++--",
        _read_signs,
        _show_signs,
    ),
}
_Out = Annotated[Path, typer.Option(metavar="FILE.png", help="File to write: .png, .pdf or .svg.")]


def _studies() -> tuple[ModuleType, ...]:
    from landscape_jax.studies import atlas, kk20, liu20, ss16, ss18, width

    return ss18, ss16, kk20, liu20, width, atlas


def _heading(study: ModuleType) -> str:
    """Return what a study is of: the beginning of its description."""
    return (study.__doc__ or "").partition("\n")[0].partition(":")[0].rstrip(".")


def _line(figure: "PaperFigure") -> str:
    takes = ", ".join(f"--{option}" for option in figure.options)
    return figure.title + (f" (takes {takes})" if takes else "")


def _command(name: str, figure: "PaperFigure") -> Any:
    """Return the command that draws a figure and has its options alone."""

    def draw(out: Path, **given: Any) -> None:
        _draw(figure, out, given)

    defaults = inspect.signature(figure.compute).parameters
    needed = inspect.Parameter("out", inspect.Parameter.KEYWORD_ONLY, annotation=_Out)
    options = [
        needed.replace(
            name=option,
            annotation=_OPTIONS[argument].declared,
            default=_OPTIONS[argument].show(defaults[argument].default),
        )
        for option, argument in figure.options.items()
    ]
    draw.__signature__ = inspect.Signature([needed, *options])  # pyright: ignore
    examples = (_OPTIONS[argument].example for argument in figure.options.values())
    words = ["landscape-jax figure", name, *filter(None, examples), f"--out {name}.png"]
    about = (inspect.getdoc(figure.draw) or "").split("\n\n")[0]
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(
        name, cls=_Figure, help=f"{figure.title}.\n\n{about}\n\nExample: {' '.join(words)}"
    )(draw)
    return typer.main.get_command(app)


def _draw(figure: "PaperFigure", out: Path, given: Mapping[str, Any]) -> None:
    """Compute and draw a figure with the options given, and write it."""
    from landscape_jax.plots import save

    if out.suffix not in _SUFFIXES:
        inputs.refuse(f"--out is {out}; give a file whose name ends in {', '.join(_SUFFIXES)}")
    arguments = {
        argument: _OPTIONS[argument].read(given[option])
        for option, argument in figure.options.items()
    }
    inputs.check_target(out)
    hint = "repeat the command"
    if "out" in arguments:
        kept = arguments["out"] is not None
        hint = "repeat it to resume" if kept else "with --runs DIR it could be resumed"
    prepare_jax()
    sizes = arguments.get("sizes")
    if sizes:
        arguments["progress"] = True
    data = interruptible(lambda: figure.compute(**arguments), hint)
    save(out, lambda axes: figure.draw(data, axes), width=figure.width)
    typer.echo(f"{out}: {figure.note.format(**dict(given) | {'size': len(sizes or ())})}")


class _Figure(PlainCommand):
    """Name the figures that take an option which this one does not take."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            option = getattr(error, "option_name", None)
            figures = ctx.parent.command.commands.items()
            takers = [
                name for name, one in figures if any(option in each.opts for each in one.params)
            ]
            if not takers or self.name in takers:
                raise
            inputs.refuse(
                f"{self.name} does not take {option}; figures that do: {', '.join(takers)}"
            )


class _Figures(PlainGroup):
    """Make a command of each figure when one is asked for: help of others needs no study."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for study in _studies():
            for name, one in study.FIGURES.items():
                self.add_command(_command(name, one), name)
        if not args and not ctx.resilient_parsing:
            inputs.refuse(f"name one: {', '.join(self.commands)}")
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            message = error.format_message().rstrip(".")
            raise typer.TyperException(f"{message}; name the figure before its options") from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in self.commands and not ctx.resilient_parsing:
            hint = inputs.meant(name, self.commands)
            inputs.refuse(f"{name!r} is no figure; there is {', '.join(self.commands)}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for study in _studies():
            with formatter.section(_heading(study)):
                formatter.write_dl([(name, _line(one)) for name, one in study.FIGURES.items()])


def _list(asked: bool) -> bool:
    if asked:
        for study in _studies():
            for name, one in study.FIGURES.items():
                typer.echo(f"{name}  {_line(one)}")
        raise typer.Exit
    return asked


def _figure(
    list_: Annotated[
        bool,
        typer.Option(
            "--list", callback=_list, is_eager=True, help="List the figures, one in a line."
        ),
    ] = False,
) -> None:
    """Draw one of the papers' figures from newly computed data.

    Each figure has its own options; landscape-jax figure NAME --help explains them.

    Example: landscape-jax figure ss16-1 --out ss16-1.png
    """
    del list_


app = typer.Typer(
    name="figure", cls=_Figures, callback=_figure, subcommand_metavar="NAME --out FILE.png"
)
