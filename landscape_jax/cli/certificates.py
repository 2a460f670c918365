"""Certificates of a command's results in one directory, and what is printed of them."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from landscape_jax.cli import inputs

if TYPE_CHECKING:
    from landscape_jax.proofs import Claim, NotProven


class Saved(NamedTuple):
    """The path of a certificate, or why there is none; both `None` where none was asked for."""

    path: str | None = None
    reason: str | None = None


def check_directory(out: Path | None, *patterns: str) -> None:
    """Make a directory for certificates; refuse one that holds some, which would be mixed."""
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        inputs.refuse(f"--out {out} is not a directory")
    except OSError as error:
        inputs.refuse(f"--out {out}: {error.strerror}")
    if not os.access(out, os.W_OK):
        inputs.refuse(f"--out {out} may not be written to")
    if old := sorted(old for pattern in patterns for old in out.glob(pattern)):
        inputs.refuse(f"{old[0]} is there already; give another --out")


def save(claim: "Claim | NotProven", path: Path) -> Saved:
    """Write a claim if it is proven."""
    return Saved(str(claim.save(path))) if claim else Saved(reason=claim.reason)


def lines(saved: Sequence[Saved]) -> Iterator[str]:
    """Yield where the certificates are, and how many results have none, with the reason."""
    paths = [one.path for one in saved if one.path is not None]
    if paths:
        span = paths[0] if len(paths) == 1 else f"{paths[0]} to {paths[-1]}"
        yield f"{len(paths)} certificate{'' if len(paths) == 1 else 's'}: {span}"
    for reason, count in Counter(one.reason for one in saved if one.reason is not None).items():
        yield f"{count} without a certificate: {reason}"
