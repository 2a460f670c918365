"""The command that builds a spurious minimum from a data set."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from landscape_jax.cli import certificates, inputs
from landscape_jax.cli.data import read_table
from landscape_jax.cli.options import WIDEST, Data, Json, Target
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax

if TYPE_CHECKING:
    from landscape_jax.networks import TwoLayer
    from landscape_jax.theory import RationalNetwork

_NAMES = {"relu": (1.0, 0.0), "leaky": (1.0, 0.01)}


def construct(
    data: Data,
    target: Target,
    activation: Annotated[
        str,
        typer.Option(metavar="relu|leaky|S+,S-", help="Slopes above and below 0: S+ > 0, S- >= 0."),
    ] = "relu",
    width: Annotated[
        int, typer.Option(metavar="N", min=2, max=WIDEST, help="Number of hidden neurons.")
    ] = 2,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a certificate: spurious-minimum.json.")
    ] = None,
    json: Json = None,
) -> None:
    """Build a local minimum of a data set's risk that is not global, and a better network.

    The minimum has the risk of the best linear function, half the sum of squares.  Data that a
    linear function fits are refused.  Decimals are read as they are written, and all is decided in
    exact arithmetic.  The JSON file names the inputs in the order of the columns of W1, and has
    both networks exactly, as fractions, and rounded to float64, null where that cannot hold them.
    --out keeps a certificate, which landscape-jax verify checks from its file alone.

    Example: landscape-jax construct data.csv --target price --activation 1,0.01 --json nets.json
    """
    slopes = _slopes(activation)
    inputs.check_target(json, data)
    table = read_table(data, target)
    certificates.check_directory(out, "spurious-minimum.json")
    prepare_jax()
    from landscape_jax.theory import spurious_minimum

    if len(table.y) < 3:
        inputs.refuse(f"{data} has too few rows: {len(table.y)} samples; give at least 3")
    try:
        found = spurious_minimum(table.x, table.y, activation=slopes, width=width)
    except ValueError as error:
        inputs.refuse(f"{data}: {error}")
    risk, better = float(found.least_squares_risk), float(found.better_risk)
    gain = float(found.least_squares_risk - found.better_risk)
    saved = certificates.Saved()
    if out is not None:
        saved = certificates.save(found.claim(), out / "spurious-minimum.json")
    if json is not None:
        minimum, lower = (
            {"risk": at, "parameters": _parameters(network), "exact": _exact(exact)}
            for at, network, exact in (
                (float(found.minimum_risk), found.minimum, found.exact_minimum),
                (better, found.better, found.exact_better),
            )
        )
        content = {
            "inputs": table.names,
            "target": target,
            "samples": len(table.y),
            "activation": {"name": activation, "slopes": list(slopes)},
            "width": width,
            "least_squares_risk": risk,
            "exact_least_squares_risk": str(found.least_squares_risk),
            "minimum": minimum,
            "better": {"case": found.case} | lower,
            "certificate": saved.path,
        }
        write_json(json, content)
    typer.echo(f"{table}, width {width}, activation {activation}")
    typer.echo(f"least squares     risk {risk:.10g}")
    typer.echo(f"spurious minimum  risk {float(found.minimum_risk):.10g}, at any scale of layer 1")
    typer.echo(f"better network    risk {better:.10g}, lower by {gain:.3g} (case {found.case})")
    if found.minimum is None:
        typer.echo("float64 cannot hold these networks; --json has them as fractions")
    for line in certificates.lines([saved]):
        typer.echo(line)


def _slopes(text: str) -> tuple[float, float]:
    """Read relu, leaky or S+,S-."""
    if text == "abs":
        inputs.refuse("--activation is 'abs', with S- = -1; theorem 1 needs S- >= 0")
    if text in _NAMES:
        return _NAMES[text]
    try:
        plus, minus = map(float, text.split(","))
    except ValueError:
        inputs.refuse(
            f"--activation is {text!r}; give relu, or S+,S- such as 1,0.01, which is leaky"
            f"{inputs.meant(text, _NAMES)}"
        )
    if not (0 < plus < math.inf and 0 <= minus < math.inf and plus != minus):
        inputs.refuse(f"--activation is {text!r}; S+ > 0 and S- >= 0 must be different numbers")
    return plus, minus


def _parameters(network: "TwoLayer | None") -> dict[str, Any] | None:
    """Return the layers as lists of floats."""
    if network is None:
        return None
    layers = {"W1": network.W1, "b1": network.b1, "W2": network.W2, "b2": network.b2}
    return {name: layer.tolist() for name, layer in layers.items() if layer is not None}


def _exact(network: "RationalNetwork") -> dict[str, Any]:
    """Return the layers as lists of fractions, written p/q."""
    inner, outer = (
        [[str(entry) for entry in row] for row in layer.tolist()]
        for layer in (network.inner, network.outer)
    )
    return {
        "W1": [row[:-1] for row in inner],
        "b1": [row[-1] for row in inner],
        "W2": [row[:-1] for row in outer],
        "b2": [row[-1] for row in outer],
    }
