"""The command that lists and proves classes of critical points of orthonormal teachers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.options import Dask, Json, Mixed, Out, Restarts, Seed, Workers
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible, resumable
from landscape_jax.cli.workers import executor_of

if TYPE_CHECKING:
    from landscape_jax.studies.atlas import Atlas
    from landscape_jax.studies.ss18.protocol import Size

_SIZES = ("6:6", "7:7", "8:8", "9:9", "10:10")
# Classes that are printed; all are in the JSON file.
_PRINTED = 200


def atlas(
    sizes: Annotated[
        list[str] | None,
        typer.Argument(metavar="K[:N]", help="K teachers, and N students, or as many."),
    ] = None,
    points: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Prove the points of a list, without a search."),
    ] = None,
    restarts: Restarts = 500,
    seed: Seed = 0,
    out: Out = None,
    json: Json = None,
    workers: Workers = None,
    dask: Dask = None,
    mixed: Mixed = False,
) -> None:
    """List the critical points of K orthonormal teachers by symmetry, and prove each.

    Points come from descents, by default of the sizes 6 to 10, or from --points: a CSV file with
    the columns k, class, multiplicity, blocks, values, and teacher_blocks where n is not k.  A
    class is proven where a verified certificate says what it is: a global or spurious minimum, or
    a saddle, with its index.  The proof's time does not grow with K.

    Example: landscape-jax atlas 7 7:8 --restarts 100 --out atlas --json atlas.json
    """
    inputs.check_target(json, points)
    if points is not None and (sizes or workers is not None or dask is not None or mixed):
        inputs.refuse("--points takes no sizes and no search's options; leave one of them out")
    if mixed and out is None:
        inputs.refuse("--mixed needs --out, the directory that is to hold runs of several kinds")
    pairs = [_size(text) for text in sizes or _SIZES]
    prepare_jax()
    found = _listed(points, out) if points is not None else None
    if found is None:
        from landscape_jax.studies import atlas as study

        with executor_of(workers, dask) as executor:
            found = interruptible(
                lambda: study.of_sizes(
                    pairs, restarts, seed, out=out, progress=True, executor=executor, mixed=mixed
                ),
                resumable(out),
            )
    write_json(json, found.to_json())
    _print_atlas(found)


def _size(text: str) -> "Size":
    """Read K or K:N."""
    return inputs.size(text if ":" in text else f"{text}:{text}")


def _listed(points: Path, out: Path | None) -> "Atlas":
    """Prove the points of a file."""
    from landscape_jax.studies import atlas as study

    try:
        listed = study.read_points(points)
    except ValueError as error:
        inputs.refuse(str(error))
    return interruptible(
        lambda: study.of_points(listed, out=out, progress=True), "repeat the command"
    )


def _print_atlas(found: "Atlas") -> None:
    """Print a row for each class, and a summary."""
    from landscape_jax.cli.grids import print_grids

    groups = [
        ["k:n class"],
        ["students", "teachers", "runs"],
        ["kind", "index", "value", "eigenvalues from"],
    ]
    cells = [
        (
            f"{row.k}:{row.n} {row.number}",
            "+".join(map(str, row.blocks)) if len(row.blocks) <= 8 else f"{len(row.blocks)} blocks",
            "+".join(map(str, row.teacher_blocks))
            if len(row.teacher_blocks) <= 8
            else f"{len(row.teacher_blocks)} blocks",
            str(row.count),
            row.kind or "not proven",
            "" if row.index is None else str(row.index),
            "" if row.value_upper is None else f"{row.value_upper:.8f}",
            f"{row.min_eigenvalue_lower:.6f}" if row.min_eigenvalue_lower else "",
        )
        for row in found.rows[:_PRINTED]
    ]
    print_grids(groups, cells)
    if len(found) > _PRINTED:
        typer.echo(f"the first {_PRINTED} of {len(found)} classes; --json has all")
    for row in found.rows:
        if not row.proven:
            typer.echo(f"{row.k}:{row.n} class {row.number} is not proven: {row.reason}")
    typer.echo(found.summary())
