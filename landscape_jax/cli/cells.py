"""The command that lists the whole landscape of a network of ReLUs on a small data set."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.data import homogeneous, read_table
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import progress_bar

if TYPE_CHECKING:
    from landscape_jax.theory.cells import GenuineMinimum, KinkMinimum, Saddle

    Point = GenuineMinimum | KinkMinimum | Saddle

# How many different losses of each kind are printed; --json has all points.
_LOSSES = 8


def cells(
    data: Annotated[Path, typer.Argument(metavar="DATA.csv", help="With a header row.")],
    target: Annotated[
        str, typer.Option(metavar="COLUMN", help="The label; all other columns are inputs.")
    ],
    width: Annotated[int, typer.Option(min=1, help="Hidden neurons.")],
    no_bias: Annotated[
        bool, typer.Option("--no-bias", help="Neurons w.x; else w.x + b, b the last weight.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, help="The most combinations of faces to look at.")
    ] = 1_000_000,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all points as JSON.")
    ] = None,
) -> None:
    """List all local minima of a ReLU network on a small data set, with and without kinks.

    The loss is the mean square of the errors.  Samples cut the space of a neuron's weights into
    cells; one point is given of each combination of cells, or of their faces, that holds some:
    local minima inside cells, saddles inside cells, and local minima at kinks, where a neuron is 0
    at a sample.  The lowest of them is the global minimum.  Decimals are read as they are written.

    Example: landscape-jax cells data.csv --target price --width 2 --json landscape.json
    """
    inputs.check_target(json)
    table = read_table(data, target)
    prepare_jax()
    from landscape_jax.theory.cells import landscape

    rows = homogeneous(data, table, no_bias)
    with progress_bar() as show:
        try:
            found = landscape(
                rows, table.y, width, limit=limit, progress=partial(show, "combinations")
            )
        except ValueError as error:
            inputs.refuse(f"{data}: {error}")
    kinds = {
        # The loss has a gradient at these kinks.
        "differentiable_minima": (*found.differentiable_minima, *found.smooth_kinks),
        "saddles": found.saddles,
        "nondifferentiable_minima": found.nondifferentiable_minima,
    }
    if json is not None:
        from landscape_jax.storage import write_json

        head = {name: getattr(found, name) for name in ("cells", "combinations", "global_loss")}
        write_json(json, head | {kind: list(map(_entry, points)) for kind, points in kinds.items()})
    typer.echo(f"{table}{'' if no_bias else ' and a bias'}, width {width}")
    typer.echo(f"{found.cells} cells, {found.combinations} combinations of them")
    typer.echo(f"global minimum            loss {found.global_loss:.10g}")
    for kind, points in kinds.items():
        name = kind.replace("nondiff", "non-diff").replace("_", " ")
        typer.echo(f"{name:<25} {_losses(points)}")


def _entry(point: "Point") -> dict[str, Any]:
    return {
        "loss": point.loss,
        "unique": point.unique,
        "weights": point.network.W1.tolist(),
        "output": point.network.W2[0].tolist(),
    }


def _losses(points: "Sequence[Point]") -> str:
    """Say how many points there are, and at which losses, lowest first."""
    if not points:
        return "none"
    losses = sorted({f"{point.loss:.6g}" for point in points}, key=float)
    more = f" and {len(losses) - _LOSSES} more" if len(losses) > _LOSSES else ""
    return f"{len(points)}, losses {', '.join(losses[:_LOSSES])}{more}"
