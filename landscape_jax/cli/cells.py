"""The command that lists the whole landscape of a network of ReLUs on a small data set."""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from landscape_jax.cli import certificates, inputs
from landscape_jax.cli.data import DataTable, homogeneous, read_table
from landscape_jax.cli.options import WIDEST, Data, Json, NoBias, Target
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible
from landscape_jax.progress import progress_bar

if TYPE_CHECKING:
    from flint import fmpq_mat

    from landscape_jax.networks import TwoLayer
    from landscape_jax.theory.cells import (
        GenuineMinimum,
        GlobalMinimum,
        KinkMinimum,
        Landscape,
        Saddle,
        Way,
    )

    Minimum = GenuineMinimum | KinkMinimum
    Point = Minimum | Saddle

Found = TypeVar("Found")
# How many different losses of each kind are printed; --json has all points.
_LOSSES = 8
# Losses of rounded weights are told where they are off by a larger share.
_ROUNDED = 1e-6
# The kinds of points, and how they are printed.
_KINDS = {
    "differentiable_minima": "minima inside cells",
    "nondifferentiable_minima": "minima at kinks",
    "smooth_kinks": "more at smooth kinks",
    "saddles": "saddles inside cells",
}
_HINT = "nothing is kept; repeat the command"


def cells(
    data: Data,
    target: Target,
    width: Annotated[
        int, typer.Option(metavar="K", min=1, max=WIDEST, help="Number of hidden neurons.")
    ],
    no_bias: NoBias = False,
    global_only: Annotated[
        bool,
        typer.Option("--global-only", help="Find a network of the least loss alone, and prove it."),
    ] = False,
    limit: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=1,
            help="Largest number of combinations of faces; with --global-only, of regions.",
        ),
    ] = 1_000_000,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write a certificate of each point: minimum-0000.json, ...",
        ),
    ] = None,
    json: Json = None,
) -> None:
    """List the local minima of a ReLU network on a small data set, with and without kinks.

    The loss is the mean square of the errors.  Samples cut the space of a neuron's weights into
    cells, whose faces are the kinks: there a neuron is 0 at a sample.  Listed are

    - local minima inside cells: one of each combination of cells that holds some;

    - local minima at kinks where the loss has no gradient: one of each combination of faces that
    holds some;

    - local minima at kinks where it has one (smooth kinks): one for each loss that no other listed
    minimum has;

    - saddles inside cells: one of each combination and choice of neurons that can move.

    So every local minimum has a listed loss, and the lowest is the global minimum.  All is proven
    in rational numbers, and decimals are read as they are written.  With --global-only nothing else
    is looked for: branch and bound takes on far larger data, and says whether the limit left it
    unproven.  --json has of each point the weights, exactly too, as fractions (R = output times
    weights), the samples at kinks, numbered from 0, and the ways down and up from saddles.  --out
    keeps certificates that points are local minima, or saddles, and with --global-only that no
    network has a smaller loss, which landscape-jax verify checks from their files alone; that all
    points are listed, no file shows.

    Example: landscape-jax cells data.csv --target price --width 2 --json landscape.json
    """
    inputs.check_target(json, data)
    table = read_table(data, target)
    rows = homogeneous(data, table, no_bias)
    certificates.check_directory(out, "minimum-*.json", "saddle-*.json", "bound-*.json")
    head = {"columns": table.names, "target": target, "bias": not no_bias, "width": width}
    weights = [*table.names, *([] if no_bias else ["1"])]
    with progress_bar() as show:
        if global_only:
            found = _computed(data, lambda: _global_minimum(rows, table, width, limit, show))
            saved = [*_certificates([found], rows, table, out), _bound(found, rows, table, out)]
            entry, lines = _global_entry(found, saved), _global_lines(found, weights)
        else:
            found = _computed(data, lambda: _landscape(rows, table, width, limit, show))
            points = [point for kind in _points(found).values() for point in kind]
            saved = _certificates(points, rows, table, out)
            entry, lines = _all_entries(found, saved), _all_lines(found, weights)
    write_json(json, head | entry)
    typer.echo(f"{table}{'' if no_bias else ' and a bias'}, width {width}")
    for line in (*lines, *certificates.lines(saved)):
        typer.echo(line)


def _computed(path: Path, work: Callable[[], Found]) -> Found:
    """Return the result of `work`; refuse in one line data for which it raises `ValueError`."""
    try:
        return interruptible(work, _HINT)
    except ValueError as error:
        inputs.refuse(f"{path}: {error}")


def _landscape(
    rows: list[list[Fraction]], table: DataTable, width: int, limit: int, show: Callable[..., None]
) -> "Landscape":
    """List all points, unless there may be more combinations than the limit."""
    prepare_jax()
    from landscape_jax.theory.cells import combination_count, face_bound, landscape
    from landscape_jax.theory.cells.arrangement import about

    bound = face_bound(rows)
    most = combination_count(bound, width)
    if most > limit:
        raise ValueError(
            f"there may be {about(most)} combinations of {about(bound)} faces, more than the "
            f"limit of {limit}; give fewer samples or neurons, a larger limit, or --global-only"
        )
    report = partial(show, "faces and combinations")
    return landscape(rows, table.y, width, limit=limit, progress=report)


def _global_minimum(
    rows: list[list[Fraction]], table: DataTable, width: int, limit: int, show: Callable[..., None]
) -> "GlobalMinimum":
    prepare_jax()
    from landscape_jax.theory.cells import global_minimum

    def report(done: int, left: int) -> None:
        show("regions bounded, of those known", done, done + left)

    return global_minimum(rows, table.y, width, limit=limit, progress=report)


def _points(found: "Landscape") -> "dict[str, Sequence[Point]]":
    return {kind: getattr(found, kind) for kind in _KINDS}


def _minima(found: "Landscape") -> "list[Minimum]":
    """Return all listed minima."""
    return [point for kind in _KINDS if kind != "saddles" for point in getattr(found, kind)]


def _certificates(
    points: "Sequence[Point | GlobalMinimum]",
    rows: list[list[Fraction]],
    table: DataTable,
    out: Path | None,
) -> list[certificates.Saved]:
    """Write a certificate of each point, the minima and the saddles numbered from 0."""
    if out is None:
        return [certificates.Saved()] * len(points)
    from landscape_jax.theory.cells import Saddle, minimum_claim, saddle_claim

    saved, numbers = [], {"minimum": count(), "saddle": count()}
    for point in points:
        if isinstance(point, Saddle):
            name, claim = "saddle", saddle_claim(rows, table.y, point)
        else:
            name, claim = "minimum", minimum_claim(rows, table.y, point)
        saved.append(certificates.save(claim, out / f"{name}-{next(numbers[name]):04d}.json"))
    return saved


def _bound(
    found: "GlobalMinimum", rows: list[list[Fraction]], table: DataTable, out: Path | None
) -> certificates.Saved:
    """Write a certificate of the lower bound."""
    if out is None:
        return certificates.Saved()
    from landscape_jax.theory.cells import bound_claim

    return certificates.save(bound_claim(rows, table.y, found), out / "bound-0000.json")


def _all_entries(found: "Landscape", saved: Sequence[certificates.Saved]) -> dict[str, Any]:
    names = "cells combinations faces face_combinations global_loss decided_exactly"
    head = {name: getattr(found, name) for name in names.split()} | {"proven": True}
    left = iter(saved)
    lists = {
        kind: [_entry(point) | {"certificate": next(left).path} for point in points]
        for kind, points in _points(found).items()
    }
    return head | lists


def _entry(point: "Point") -> dict[str, Any]:
    """Write a point: what all have, and what proves it."""
    from landscape_jax.theory.cells import GenuineMinimum, KinkMinimum

    entry: dict[str, Any] = {
        "loss": point.loss,
        "unique": point.unique,
        **_network(point.network),
        "signs": list(point.signs),
        "kinks": [list(on) for on in _kinks(point)],
        "R": _fractions(point.R),
        "radius": point.radius if math.isfinite(point.radius) else None,
        "margin": point.margin,
    }
    if isinstance(point, GenuineMinimum):
        entry["gradient_norm"] = point.gradient_norm
    elif isinstance(point, KinkMinimum):
        entry |= {"differentiable": point.differentiable, "sharp": point.sharp}
        entry["multipliers"] = [
            {str(sample): value for sample, value in own.items()} for own in point.multipliers
        ]
    else:
        entry |= {"moving": list(point.moving), "rests": _fractions(point.rests)}
        entry |= {"descent": _way(point.descent), "ascent": _way(point.ascent)}
    return entry


def _kinks(point: "Point") -> Sequence[tuple[int, ...]]:
    """Return the samples on whose hyperplanes each neuron lies: inside cells there are none."""
    return getattr(point, "kinks", [()] * len(point.signs))


def _way(way: "Way") -> dict[str, Any]:
    rest = {name: getattr(way, name) for name in ("slope", "curvature", "step", "value")}
    return _network(way.direction) | rest


def _network(network: "TwoLayer") -> dict[str, Any]:
    return {"weights": network.W1.tolist(), "output": network.W2[0].tolist()}


def _fractions(table: "fmpq_mat | None") -> list[list[str]] | None:
    return None if table is None else [[str(t) for t in row] for row in table.tolist()]


def _global_entry(found: "GlobalMinimum", saved: Sequence[certificates.Saved]) -> dict[str, Any]:
    return {
        "global_loss": found.loss,
        "exact_loss": str(found.exact_loss),
        "rounded_loss": found.rounded_loss,
        "lower": found.lower,
        "proven": found.proven,
        "regions": found.regions,
        **_network(found.network),
        "signs": list(found.signs),
        "kinks": [list(on) for on in found.kinks],
        "R": _fractions(found.R),
        "certificate": saved[0].path,
        "bound_certificate": saved[1].path,
    }


def _all_lines(found: "Landscape", names: list[str]) -> Iterator[str]:
    """List how many points of each kind there are, and the best network."""
    from landscape_jax.theory.cells.arrangement import about

    yield f"{found.cells} cells, {about(found.combinations)} combinations of them"
    yield f"{found.faces} faces, {about(found.face_combinations)} combinations of them"
    yield f"global minimum            loss {found.global_loss:.10g}"
    points = _points(found)
    for kind, name in _KINDS.items():
        yield f"{name:<25} {_losses(points[kind])}"
    yield "every local minimum has the loss of a listed one: proven"
    best = min(_minima(found), key=lambda point: point.loss)
    yield from _best_network(best.signs, best.network, _kinks(best), names)


def _global_lines(found: "GlobalMinimum", names: list[str]) -> Iterator[str]:
    if found.proven:
        yield f"global minimum            loss {found.loss:.10g}, proven"
    else:
        yield f"best network found        loss {found.loss:.10g}, not proven to be the best"
        yield f"lower bound               loss {found.lower:.10g}, proven; give a larger --limit"
    yield f"{found.regions} regions bounded"
    if abs(found.rounded_loss - found.loss) > _ROUNDED * found.loss:
        yield f"weights rounded to floats loss {found.rounded_loss:.10g}; exact ones are in --json"
    yield from _best_network(found.signs, found.network, found.kinks, names)


def _best_network(
    signs: Sequence[int], network: "TwoLayer", kinks: Sequence[Sequence[int]], names: list[str]
) -> Iterator[str]:
    """Write a network as a sum of its neurons, each with the samples on whose kinks it lies."""
    yield "best network, the sum of"
    rows = zip(signs, network.W1.tolist(), network.W2[0].tolist(), kinks, strict=True)
    for sign, w, z, on in rows:
        if not sign:
            continue
        terms = " ".join(
            f"{abs(z) * t:+.6g}{'' if name == '1' and at == len(w) - 1 else ' ' + name}"
            for at, (t, name) in enumerate(zip(w, names, strict=True))
            if t
        )
        where = f"   0 at row {', '.join(str(i + 1) for i in on)}" if on else ""
        yield f"  {'+' if sign > 0 else '-'} max(0, {terms or '0'}){where}"
    if not any(signs):
        yield "  0"


def _losses(points: "Sequence[Point]") -> str:
    """Return how many points there are, and at which losses, lowest first."""
    if not points:
        return "none"
    losses = sorted({f"{point.loss:.6g}" for point in points}, key=float)
    more = f" and {len(losses) - _LOSSES} more" if len(losses) > _LOSSES else ""
    return f"{len(points)}, losses {', '.join(losses[:_LOSSES])}{more}"
