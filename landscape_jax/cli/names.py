"""The command that lists the public names of all packages."""

import inspect
from collections.abc import Iterator
from typing import Annotated

import typer

from landscape_jax.cli import inputs

# Packages in the order in which data pass through them.
PACKAGES = (
    "landscape_jax", "objectives", "networks", "search", "symmetric", "critical", "sweeps",
    "proofs", "exact", "native", "theory", "theory.added_neurons", "theory.constructions",
    "theory.deep_linear", "theory.cells", "theory.parallel_weights", "theory.basins",
    "theory.overspecification", "studies", "studies.ss16", "studies.ss18", "studies.kk20",
    "studies.liu20", "studies.width", "studies.atlas", "plots",
)  # fmt: skip


def _known(incomplete: str) -> list[str]:
    return [name for name in PACKAGES if name.startswith(incomplete)]


def names(
    package: Annotated[
        str | None,
        typer.Argument(
            metavar="PACKAGE", help="One of them, such as theory.cells.", autocompletion=_known
        ),
    ] = None,
) -> None:
    """List the public names of each package, with what each is for.

    Example: landscape-jax names theory.cells
    """
    if package is not None and package not in PACKAGES:
        inputs.refuse(
            f"{package!r} is no package; there are {', '.join(PACKAGES)}"
            f"{inputs.meant(package, PACKAGES)}"
        )
    for chosen in PACKAGES if package is None else (package,):
        for line in _page(chosen):
            typer.echo(line)


def _page(package: str) -> Iterator[str]:
    """Yield the lines of one package."""
    import importlib

    path = package if package == "landscape_jax" else f"landscape_jax.{package}"
    module = importlib.import_module(path)
    yield f"{path}: {_first_line(module)}"
    for name in dir(module):
        yield f"  {name:<28} {_first_line(getattr(module, name))}".rstrip()
    yield ""


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n")[0]
