"""The command that draws the papers' figures, as the studies list them."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.options import Restarts, Seed
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible

_SUFFIXES = (".png", ".pdf", ".svg")


def figure(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Name of the figure; see --list.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="File to write: .png, .pdf or .svg.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List figures and their options.")] = False,
    restarts: Restarts = 1000,
    seed: Seed = 0,
    size: Annotated[
        list[str] | None, typer.Option(metavar="K:N", help="Sizes other than the figure's own.")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Directory in which runs are kept and resumed; may be a table's --out.",
        ),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, help="Samples per data set (LIU only).")] = 100,
    normals: Annotated[
        str, typer.Option(metavar="SIGNS", help="Signs of the four weights (LIU figure A4 only).")
    ] = "++++",
) -> None:
    """Draw one of the papers' figures from newly computed data.

    A figure takes those of the options that --list names beside it.

    Example: landscape-jax figure ss18-1 --out figure1.png
    """
    from landscape_jax.plots import save
    from landscape_jax.studies import atlas, kk20, liu20, ss16, ss18, width

    known = ss18.FIGURES | ss16.FIGURES | kk20.FIGURES | liu20.FIGURES | width.FIGURES
    known |= atlas.FIGURES
    if list_:
        for other, each in known.items():
            takes = ", ".join(f"--{option}" for option in each.options)
            typer.echo(f"{other}  {each.title}" + (f" (takes {takes})" if takes else ""))
        return
    if name not in known:
        wrong = "name one:" if name is None else f"{name!r} is no figure; there is"
        inputs.refuse(f"{wrong} {', '.join(known)}")
    chosen = known[name]
    for option in context.params:
        takers = [other for other, each in known.items() if option in each.options]
        source = context.get_parameter_source(option)
        if takers and name not in takers and source and source.name == "COMMANDLINE":
            inputs.refuse(f"{name} does not take --{option}; figures that do: {', '.join(takers)}")
    pairs = list(dict.fromkeys(inputs.size(text) for text in size or [])) or list(chosen.sizes)
    if len(normals) != 4 or not set(normals) <= {"+", "-"}:
        inputs.refuse(f"--normals is {normals!r}; give four signs, such as ++--")
    if out is None or out.suffix not in _SUFFIXES:
        inputs.refuse(f"give --out a file whose name ends in {', '.join(_SUFFIXES)}")
    inputs.check_target(out)
    values = {"size": pairs, "restarts": restarts, "seed": seed, "runs": runs, "samples": samples}
    values["normals"] = tuple(int(f"{sign}1") for sign in normals)
    arguments = {argument: values[option] for option, argument in chosen.options.items()}
    hint = "repeat the command"
    if "runs" in chosen.options:
        hint = "with --runs DIR it could be resumed" if runs is None else "repeat it to resume"
    prepare_jax()
    if pairs:
        arguments["progress"] = True
    data = interruptible(lambda: chosen.compute(**arguments), hint)
    save(out, lambda axes: chosen.draw(data, axes), width=chosen.width)
    note = chosen.note.format(**values | {"size": len(pairs), "normals": normals})
    typer.echo(f"{out}: {note}")
