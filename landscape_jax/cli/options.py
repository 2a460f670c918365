"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

# Restarts are numbered by 32-bit integers.
MOST_RESTARTS = 2**31 - 1
# Neurons of which each is an exact row, all of them printed or written.
WIDEST = 10_000
LARGEST_SEED = 2**63 - 1

Data = Annotated[Path, typer.Argument(metavar="DATA.csv", help="With a header row.")]
Target = Annotated[
    str, typer.Option(metavar="COLUMN", help="The label; all other columns are inputs.")
]
NoBias = Annotated[
    bool, typer.Option("--no-bias", help="Neurons w.x; else w.x + b, b the last weight.")
]
Restarts = Annotated[
    int, typer.Option(metavar="N", min=1, max=MOST_RESTARTS, help="Number of runs of each size.")
]
Starts = Annotated[
    int,
    typer.Option(
        metavar="N", min=1, max=MOST_RESTARTS, help="Random initializations of each width."
    ),
]
Seed = Annotated[
    int, typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of all random numbers.")
]
Json = Annotated[
    Path | None,
    typer.Option(metavar="FILE", readable=False, help="Write the result as JSON."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Directory in which runs and certificates are kept, and resumed."
    ),
]
Mixed = Annotated[
    bool, typer.Option("--mixed", help="Add to a DIR of other versions or other processors.")
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=1024, help="Processes of this machine that work (Dask)."),
]
Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster whose workers work."),
]
TeacherWeights = Annotated[
    Path | None, typer.Option(metavar="B.npy", help="(k,); ones where left out.")
]
StudentWeights = Annotated[
    Path | None, typer.Option(metavar="A.npy", help="(n,); ones where left out.")
]
