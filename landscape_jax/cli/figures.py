"""The figures that the command draws, and how those that need no descents are made."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from landscape_jax.cli import inputs

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

FIGURES = {
    "ss18-1": "SS18, figure 1: at which values descent ends, for several sizes",
    "kk20-1": "KK20, figure 1: a bad local minimum, and the valley that an added neuron leaves",
    "liu-2": "LIU, figure 2: the landscape of one neuron on two samples, and its minima",
    "liu-4a": "LIU, figure 4(a): the empirical loss where one of two weights moves",
    "liu-4b": "LIU, figure 4(b): how likely a local minimum is, where one of two weights moves",
    "liu-4c": "LIU, figure 4(c): the same where both move",
    "liu-a4a": "LIU, figure A4(a): the same where the uppermost of four weights moves",
    "liu-a4b": "LIU, figure A4(b): the same where all four move",
}


class Choices(NamedTuple):
    """The options of the figures of LIU."""

    samples: int
    seed: int
    normals: str


class _Drawing(NamedTuple):
    data: "xr.Dataset"
    draw: "Callable[[xr.Dataset, Axes], Axes]"
    said: str
    width: float = 6.0


def draw(name: str, out: Path, choices: Choices) -> None:
    """Draw a figure that needs no descents."""
    from landscape_jax.plots import save

    made = _kk20() if name == "kk20-1" else _liu20(name.removeprefix("liu-"), choices)
    save(out, lambda axes: made.draw(made.data, axes), width=made.width)
    typer.echo(f"{out}: {made.said}")


def _kk20() -> _Drawing:
    from landscape_jax.plots import augmented_valley
    from landscape_jax.studies import kk20

    return _Drawing(kk20.figure_1(), augmented_valley, "example 1 with λ = 1", 9.0)


def _liu20(name: str, choices: Choices) -> _Drawing:
    normals = _normals(choices.normals)
    from landscape_jax import plots
    from landscape_jax.studies import liu20

    count: dict[str, Any] = {"samples": choices.samples}
    said = f"N = {choices.samples}, means 1 and -1, variances 1"
    if name == "2":
        return _Drawing(liu20.figure_2(), plots.two_landscapes, "z = 1, without a bias", 9.0)
    if name == "4a":
        data = liu20.figure_4a(seed=choices.seed, **count)
        return _Drawing(data, plots.moved_loss, f"{said}, seed {choices.seed}")
    if name == "4b":
        return _Drawing(liu20.figure_4b(**count), plots.moved_probability, said)
    if name == "4c":
        return _Drawing(liu20.figure_4c(**count), plots.both_moved_probability, said)
    make = liu20.figure_a4a if name == "a4a" else liu20.figure_a4b
    data = make(normals=normals, **count)
    return _Drawing(data, plots.shifted_probability, f"{said}, normals {choices.normals}")


def _normals(text: str) -> tuple[int, ...]:
    if len(text) != 4 or not set(text) <= {"+", "-"}:
        inputs.refuse(f"--normals is {text!r}; give four signs, such as ++--")
    return tuple(1 if sign == "+" else -1 for sign in text)
