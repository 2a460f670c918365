"""The command that proves critical points near given points."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from landscape_jax.cli import certificates, inputs
from landscape_jax.cli.options import Json, StudentWeights, TeacherWeights
from landscape_jax.cli.outputs import write_json
from landscape_jax.cli.setting import prepare_jax
from landscape_jax.cli.waiting import interruptible

if TYPE_CHECKING:
    import numpy as np


# What `prove --json` says of each point, before the certificate's path.
_PROOF = "proven kind index reason moved value_lower value_upper min_eigenvalue_lower radius "
_PROOF += "gradient_norm_upper seconds"


def prove(
    points: Annotated[Path, typer.Argument(metavar="POINTS.npy", help="(n, d) or (m, n, d).")],
    teacher: Annotated[
        Path | None, typer.Option(metavar="T.npy", help="(k, d); the identity where left out.")
    ] = None,
    teacher_weights: TeacherWeights = None,
    student_weights: StudentWeights = None,
    max_move: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            help="How far the proof may polish a point, relative to the length of its shortest "
            "neuron; 0 certifies the point as it is.",
        ),
    ] = 1e-3,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write certificates: point-0000.json, ...")
    ] = None,
    json: Json = None,
) -> None:
    """Prove that the population risk has a critical point near each point, or print why not.

    A proof says whether it is a global or spurious minimum, or a saddle and of which index.
    A row is a neuron.  Points that are not proven are no error: the exit code is 0.

    Example: python -c "import numpy; numpy.save('points.npy', numpy.eye(3))"
             landscape-jax prove points.npy --out certificates --json proofs.json
    """
    if not math.isfinite(max_move):
        inputs.refuse(f"--max-move is {max_move}; give a finite number")
    weights = {"teacher_weights": teacher_weights, "student_weights": student_weights}
    inputs.check_target(json, points, teacher, *weights.values())
    stack, problem = inputs.read_problem(points, teacher, weights)
    certificates.check_directory(out, "point-*.json")
    kept = "nothing is kept; repeat the command"
    if out is not None:
        kept = f"the certificates in {out} are whole; repeat the command with another --out"
    write_json(json, interruptible(lambda: _prove_all(stack, problem, max_move, out), kept))


def _prove_all(
    points: "np.ndarray", problem: "dict[str, np.ndarray]", max_move: float, out: Path | None
) -> list[dict[str, Any]]:
    """Prove each point, print a line for each, and save the certificates."""
    prepare_jax()
    from landscape_jax.objectives import PopulationRisk
    from landscape_jax.proofs import NotProven, prove_critical_point

    risk = PopulationRisk(problem.pop("teacher"), **cast(Any, problem))
    entries = []
    for i, point in enumerate(points):
        proof = prove_critical_point(risk, point, max_move=max_move)
        # A bound of the gradient belongs to the certificates of strict minima alone.
        entry = {name: getattr(proof, name, None) for name in _PROOF.split()}
        entry["certificate"] = None
        if isinstance(proof, NotProven):
            line = f"not proven: {proof.reason}"
        else:
            what = f"saddle of index {proof.index}" if proof.index else f"{proof.kind} minimum"
            what = "strict local minimum" if proof.kind == "minimum" else what
            line = (
                f"{what} within {proof.radius:.3g}, value {proof.value_upper:.6g}, "
                f"eigenvalues at least {proof.min_eigenvalue_lower:.3g}"
            )
            if out is not None:
                entry["certificate"] = str(proof.save(out / f"point-{i:04d}.json"))
        entries.append(entry)
        typer.echo(f"point {i}: {line}")
    return entries
