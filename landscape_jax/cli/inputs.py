"""What the commands are given: read, checked, and refused in one clear line."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    import numpy as np

    from landscape_jax.studies.ss18.protocol import Size


def refuse(message: str) -> NoReturn:
    """Print in one line what is wrong with the input, and exit with 2."""
    typer.echo(f"landscape-jax: {' '.join(message.split())}", err=True)
    raise typer.Exit(2)


def size(text: str) -> "Size":
    """Read K:N."""
    k, colon, n = text.partition(":")
    if not (colon and all(x.isascii() and x.isdigit() and len(x) < 6 and int(x) for x in (k, n))):
        refuse(f"{text!r} is not a size; give K:N, two whole numbers of at least 1, such as 6:6")
    return int(k), int(n)


def load(path: Path) -> "np.ndarray":
    """Read a floating, finite array of a .npy file as float64."""
    import numpy as np

    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        refuse(f"{path}: {getattr(error, 'strerror', None) or 'not a .npy file of numbers'}")
    if not isinstance(array, np.ndarray):
        refuse(f"{path}: not one array of real numbers")
    if array.dtype.kind != "f":
        refuse(f"{path} holds {array.dtype}, not floating numbers; save array.astype(float)")
    if not np.isfinite(array).all():
        refuse(f"{path} holds a number that is not finite")
    return array.astype(np.float64)


def check_target(path: Path | None) -> None:
    """Refuse a file that could not be written in the end, before the work is done."""
    if path is None:
        return
    if path.is_dir():
        refuse(f"{path} is a directory; give a file")
    if not path.parent.is_dir():
        refuse(f"{path.parent} is no directory; make it first")
    if not os.access(path.parent, os.W_OK):
        refuse(f"{path.parent} may not be written to")


def check_certificates(out: Path | None) -> None:
    """Refuse a directory that already holds certificates of points: they would be mixed."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError:
        refuse(f"--out {out} is not a directory")
    if not os.access(out, os.W_OK):
        refuse(f"--out {out} may not be written to")
    if old := sorted(out.glob("point-*.json")):
        refuse(f"{old[0]} is there already; give another --out")


def read_problem(
    points: Path, teacher: Path | None, weights: dict[str, Path | None]
) -> "tuple[np.ndarray, dict[str, np.ndarray]]":
    """Read the points, as (m, n, d), and the arrays of the risk; refuse what does not fit."""
    import numpy as np

    stack = load(points)
    if stack.ndim not in (2, 3) or 0 in stack.shape:
        refuse(f"{points} has shape {stack.shape}; give (n, d) or (m, n, d), none of them 0")
    n, d = stack.shape[-2:]
    teachers = np.eye(d) if teacher is None else load(teacher)
    if teachers.ndim != 2 or teachers.shape[1] != d or not len(teachers):
        refuse(f"{teacher} has shape {teachers.shape}; {points} needs (k, {d}) with k >= 1")
    arrays = {name: load(path) for name, path in weights.items() if path is not None}
    for name, rows in (("teacher_weights", len(teachers)), ("student_weights", n)):
        if name in arrays and arrays[name].shape != (rows,):
            refuse(f"{weights[name]} has shape {arrays[name].shape}; it must be ({rows},)")
    return stack.reshape(-1, n, d), {"teacher": teachers} | arrays


def read_risk(teacher: Path | None, weights: dict[str, Path | None]) -> SimpleNamespace | None:
    """Read the risk that certificates are to be about; `None` where no teacher is given."""
    import numpy as np

    if teacher is None:
        if given := [name for name, path in weights.items() if path is not None]:
            refuse(f"--{given[0].replace('_', '-')} needs --teacher")
        return None
    rows = load(teacher)
    if rows.ndim != 2 or 0 in rows.shape:
        refuse(f"{teacher} has shape {rows.shape}; give (k, d), none of them 0")
    risk = SimpleNamespace(teacher=rows, activation="relu", student_weights=None)
    risk.teacher_weights = np.ones(len(rows))
    for name, path in weights.items():
        if path is not None:
            setattr(risk, name, load(path))
    if risk.teacher_weights.shape != (len(rows),):
        refuse(
            f"{weights['teacher_weights']} has shape {risk.teacher_weights.shape}; "
            f"it must be ({len(rows)},)"
        )
    if risk.student_weights is not None and risk.student_weights.ndim != 1:
        refuse(f"{weights['student_weights']} has shape {risk.student_weights.shape}; give (n,)")
    return risk
