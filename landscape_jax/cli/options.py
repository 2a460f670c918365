"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Restarts = Annotated[int, typer.Option(min=1, help="Number of runs of each size.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of all initial points.")]
Json = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JSON.")]
TeacherWeights = Annotated[
    Path | None, typer.Option(metavar="B.npy", help="(k,); ones where left out.")
]
StudentWeights = Annotated[
    Path | None, typer.Option(metavar="A.npy", help="(n,); ones where left out.")
]
