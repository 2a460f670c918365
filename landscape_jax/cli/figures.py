"""The figures that the command draws, and how those that need no descents are made."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.waiting import interruptible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURES = {
    "ss18-1": "SS18, figure 1: at which values descent ends, for several sizes",
    "ss16-1": "SS16, figure 1: three samples, the regions of weights, and three neurons",
    "ss16-2": "SS16, figure 2: the regions of two samples and of clusters, with the noisy ones",
    "ss16-3": "SS16, figure 3: a ReLU neuron's good and bad minimum",
    "ss16-4": "SS16, figure 4: the same in two dimensions, with four minima",
    "ss16-5": "SS16, figure 5: a sigmoid neuron's second loss and its surrogate",
    "ss16-6": "SS16, figure 6: a sigmoid neuron's good and bad minimum",
    "ss16-f": "SS16, theorems 2 and 7: how often wide networks start in a good basin",
    "kk20-1": "KK20, figure 1: a spurious minimum, and the valley that an added neuron leaves",
    "liu-2": "LIU, figure 2: the landscape of one neuron on two samples, and its minima",
    "liu-4a": "LIU, figure 4(a): the empirical loss where one of two weights moves",
    "liu-4b": "LIU, figure 4(b): how likely a local minimum is, where one of two weights moves",
    "liu-4c": "LIU, figure 4(c): the same where both move",
    "liu-a4a": "LIU, figure A4(a): the same where the uppermost of four weights moves",
    "liu-a4b": "LIU, figure A4(b): the same where all four move",
}


class Choices(NamedTuple):
    """The options: the starts of SS16's theorems, the samples and normals of LIU, and the seed."""

    starts: int
    samples: int
    seed: int
    normals: str


class _Drawing(NamedTuple):
    data: Any
    draw: "Callable[[Any, Axes], Axes]"
    said: str
    width: float = 6.0


def draw(name: str, out: Path, choices: Choices) -> None:
    """Draw a figure that needs no descents."""
    from landscape_jax.plots import save

    if name == "kk20-1":
        made = _kk20()
    elif name.startswith("ss16-"):
        made = _ss16(name.removeprefix("ss16-"), choices)
    else:
        made = _liu20(name.removeprefix("liu-"), choices)
    save(out, lambda axes: made.draw(made.data, axes), width=made.width)
    typer.echo(f"{out}: {made.said}")


def _kk20() -> _Drawing:
    from landscape_jax.studies import kk20

    return _Drawing(kk20.figure_1(), kk20.augmented_valley, "example 1 with λ = 1", 9.0)


def _ss16(name: str, choices: Choices) -> _Drawing:
    from landscape_jax.studies import ss16

    if name == "f":
        said = f"{choices.starts} starts of each width, seed {choices.seed}"
        data = interruptible(
            lambda: ss16.figure_f(choices.starts, seed=choices.seed), "repeat the command"
        )
        return _Drawing(data, ss16.basin_shares, said, 9.0)
    if name == "1":
        return _Drawing(ss16.figure_1(), ss16.region_partition, "three samples, three neurons")
    if name == "2":
        said = "the paper says neither the radius nor the samples: here radius 0.25 times the norm"
        return _Drawing(ss16.figure_2(), ss16.noisy_regions, said, 9.0)
    if name == "3":
        return _Drawing(ss16.figure_3(), ss16.neuron_minima, "section 8.1, ε = 0.1")
    if name == "4":
        return _Drawing(ss16.figure_4(), ss16.four_minima, "section 8.1, ε = 0.1", 9.0)
    if name == "5":
        return _Drawing(ss16.figure_5(), ss16.surrogate, "section 8.2, ε = 0.05 and 0.025", 9.0)
    return _Drawing(ss16.figure_6(), ss16.neuron_minima, "section 8.2, ε = 0.025")


def _liu20(name: str, choices: Choices) -> _Drawing:
    normals = _normals(choices.normals)
    from landscape_jax.studies import liu20

    count: dict[str, Any] = {"samples": choices.samples}
    said = f"N = {choices.samples}, means 1 and -1, variances 1"
    if name == "2":
        return _Drawing(liu20.figure_2(), liu20.two_landscapes, "z = 1, without a bias", 9.0)
    if name == "4a":
        data = liu20.figure_4a(seed=choices.seed, **count)
        return _Drawing(data, liu20.moved_loss, f"{said}, seed {choices.seed}")
    if name == "4b":
        return _Drawing(liu20.figure_4b(**count), liu20.moved_probability, said)
    if name == "4c":
        return _Drawing(liu20.figure_4c(**count), liu20.both_moved_probability, said)
    make = liu20.figure_a4a if name == "a4a" else liu20.figure_a4b
    data = make(normals=normals, **count)
    return _Drawing(data, liu20.shifted_probability, f"{said}, normals {choices.normals}")


def _normals(text: str) -> tuple[int, ...]:
    if len(text) != 4 or not set(text) <= {"+", "-"}:
        inputs.refuse(f"--normals is {text!r}; give four signs, such as ++--")
    return tuple(1 if sign == "+" else -1 for sign in text)
