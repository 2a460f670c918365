"""The command that checks certificates from their files alone."""

from pathlib import Path
from typing import Annotated

import typer

from landscape_jax.cli import inputs
from landscape_jax.cli.options import StudentWeights, TeacherWeights


def verify(
    certificates: Annotated[list[Path], typer.Argument(metavar="CERTIFICATE.json")],
    teacher: Annotated[
        Path | None, typer.Option(metavar="T.npy", help="(k, d); what they are to be about.")
    ] = None,
    teacher_weights: TeacherWeights = None,
    student_weights: StudentWeights = None,
) -> None:
    """Check certificates of any kind from their files alone, believing no number in them.

    With --teacher, certificates of another teacher or other second layers do not hold.  The exit
    code is 0 if all hold, 1 if one does not, 2 if a file is no certificate.

    Example: python -c "import numpy; numpy.save('points.npy', numpy.eye(3))"
             landscape-jax prove points.npy --out certificates
             landscape-jax verify certificates/*.json
    """
    weights = {"teacher_weights": teacher_weights, "student_weights": student_weights}
    risk = inputs.read_risk(teacher, weights)
    from landscape_jax.proofs import CertificateError, Claim
    from landscape_jax.proofs import verify as check

    worst = 0
    for path in certificates:
        try:
            claim = Claim.load(path)
            result = check(path, risk)
        except CertificateError as error:
            code, line = 2, f"unusable: {error}"
        except OSError as error:
            code, line = 2, f"unusable: {path}: {error.strerror}"
        else:
            code = 0 if result.holds else 1
            line = f"holds: {path}: {claim.statement}" if result.holds else ""
            line = line or f"does not hold: {path}: {result.reason}"
        typer.echo(line)
        worst = max(worst, code)
    raise typer.Exit(worst)
