"""What the commands are given: read, checked, and refused in one clear line."""

import difflib
import math
import os
import tokenize
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    import numpy as np

    from landscape_jax.studies.ss18.protocol import Size

# Characters of a message: what is given may be of any length.
_LONGEST = 1000
MOST_NEURONS = 99_999
_MAGIC = b"\x93NUMPY"


def refuse(message: str) -> NoReturn:
    """Print in one line what is wrong with the input, and exit with 2."""
    typer.echo(line(message), err=True)
    raise typer.Exit(2)


def line(message: str) -> str:
    """Return a message as one line of bounded length, which begins with the command's name."""
    text = " ".join(message.split())
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
    return f"landscape-jax: {text}"


def meant(name: str, known: Iterable[str]) -> str:
    """Return a question whether one of the known names is meant, if one is close; else nothing."""
    names = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), names, 1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def size(text: str) -> "Size":
    """Read K:N."""
    k, colon, n = text.partition(":")
    if not (colon and _is_whole(k) and _is_whole(n)):
        refuse(f"{text!r} is not a size; give K:N, two whole numbers of 1 to 99999, such as 6:6")
    return int(k), int(n)


def teachers(text: str) -> int:
    """Read K."""
    if not _is_whole(text):
        refuse(f"{text!r} is not a number K of teachers; give a whole number of 1 to 99999")
    return int(text)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MOST_NEURONS


def numbers(name: str, text: str, read: Callable, least: int, what: str) -> list:
    """Read distinct numbers with commas between them; `what` they are to be goes into an error."""
    try:
        found = [read(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or not all(math.isfinite(n) and n >= least for n in found):
        refuse(f"{name} is {text!r}; give {what}")
    if len(set(found)) < len(found):
        refuse(f"{name} is {text!r}; give each number once")
    return found


def load(path: Path) -> "np.ndarray":
    """Read a floating, finite array of a .npy file as float64."""
    import numpy as np

    try:
        with open(path, "rb") as stream:
            magic = stream.read(len(_MAGIC))
        if magic.startswith(b"PK"):
            refuse(f"{path} is an archive, as of .npz files, not one array; save it by numpy.save")
        if magic != _MAGIC:
            refuse(f"{path} is not a .npy file of numbers; save the array by numpy.save")
        # Mapped, a file that is shorter than its header says takes no memory.
        with np.errstate(all="ignore"):
            array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        refuse(f"{path}: {error.strerror or error}")
    except (ValueError, TypeError, SyntaxError, OverflowError, tokenize.TokenError) as error:
        refuse(f"{path} is not a .npy file of numbers: {error}")
    if array.dtype.kind != "f":
        refuse(f"{path} holds {array.dtype}, not floating numbers; save array.astype(float)")
    with np.errstate(over="ignore"):
        numbers = np.array(array, np.float64)
    if not np.isfinite(numbers).all():
        refuse(f"{path} holds a number that is not finite, or beyond float64")
    return numbers


def check_target(path: Path | None, *read: Path | None) -> None:
    """Refuse a file that could not be written in the end, before the work is done.

    **Arguments:** `path`, which is to be written; `read`, the files that the work is done on.
    """
    if path is None:
        return
    from landscape_jax.files import StorageError, refuse_special

    if os.path.isdir(path):
        refuse(f"{path} is a directory; give a file")
    try:
        refuse_special(path)
    except StorageError as error:
        refuse(str(error))
    # What a link leads to is replaced, not the link.
    place = Path(os.path.realpath(path))
    parent = place.parent if os.path.islink(path) else path.parent
    if not os.path.isdir(parent):
        refuse(f"{path}: {parent} is no directory; make it first")
    try:
        os.stat(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        refuse(f"{path}: {error.strerror}")
    else:
        if not os.access(path, os.W_OK):
            refuse(f"{path} may not be written to")
        if not os.path.isfile(path):
            return  # What the command prints to.
        if any(other is not None and os.path.samefile(path, other) for other in read):
            refuse(f"{path} is to be read too; give another file to write")
    if not os.access(parent, os.W_OK):
        refuse(f"{parent} may not be written to")


def read_problem(
    points: Path, teacher: Path | None, weights: dict[str, Path | None]
) -> "tuple[np.ndarray, dict[str, np.ndarray]]":
    """Read the points, as (m, n, d), and the arrays of the risk; refuse what does not fit."""
    import numpy as np

    from landscape_jax.machine import require_memory

    stack = load(points)
    if stack.ndim not in (2, 3) or 0 in stack.shape:
        refuse(f"{points} has shape {stack.shape}; give (n, d) or (m, n, d), none of them 0")
    n, d = stack.shape[-2:]
    given = None if teacher is None else load(teacher)
    k = d if given is None else len(np.atleast_1d(given))
    # A proof holds some numbers of each pair of neurons.
    pairs = f"{points} has {n} neurons of {d} inputs; a proof beside {k} teachers"
    require_memory(500.0 * (n + k) ** 2, pairs, "give fewer")
    teachers = np.eye(d) if given is None else given
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
