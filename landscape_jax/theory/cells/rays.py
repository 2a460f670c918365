"""The rays of all closed cells, exactly: a closed cell is the cone of the rays on its boundary."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat, fmpz_mat
from jaxtyping import Bool, Float, Int

from landscape_jax.exact.coordinates import scaled
from landscape_jax.exact.directions import Direction, whole_rows
from landscape_jax.exact.samples import exact_rows
from landscape_jax.theory.cells.arrangement import distinct_lines
from landscape_jax.theory.cells.fans import rays_around

# Replaces larger numbers: they are only compared with outputs of size 1.
_LARGE = 1e60


class Rays(NamedTuple):
    """Data, and the rays into which the samples cut the weights of a neuron, up to scale.

    A weight w matters by the products w·xᵢ only, so by its projection onto the row space of the
    samples.  There the hyperplanes w·xᵢ = 0 cut pointed cones, the closed cells, and each is the
    cone of those rays on which no w·xᵢ has the sign opposite to that in the cell.

    - `labels`: the yᵢ, exactly; `y`: in floats, over 2^`exponent`, the largest at most 2.
    - `signs`: of w·xᵢ on each ray, exactly.
    - `kind`: a number shared by rays whose outputs [w·xᵢ]₊ are positive multiples, −1 if all are 0.
    - `outputs`, `opposite`: [w·xᵢ]₊ and [−w·xᵢ]₊, both rounded once, for the w of the ray with the
      largest output between 1 and 2.
    - `columns`: for each kind the outputs in whole numbers without a common divisor.
    - `weights`: for each ray the w whose outputs are the column of its kind.
    """

    labels: fmpq_mat
    y: Float[np.ndarray, " samples"]
    exponent: int
    signs: Int[np.ndarray, "rays samples"]
    kind: Int[np.ndarray, " rays"]
    outputs: Float[np.ndarray, "rays samples"]
    opposite: Float[np.ndarray, "rays samples"]
    columns: list[Direction]
    weights: list[list[fmpq]]

    def cone(self, sides: Int[np.ndarray, " samples"]) -> Bool[np.ndarray, " rays"]:
        """Find the rays with sᵢ w·xᵢ ≥ 0 for all i; `sides` are the sᵢ, −1, 0 or 1.

        On their cone the outputs [w·xᵢ]₊ with sᵢ ≠ 0 are linear.
        """
        return np.all(self.signs * sides >= 0, axis=1)

    def slopes(self, kinds: Sequence[int], errors: fmpq_mat) -> list[int]:
        """Compute a·e times the common denominator of e for the columns of some kinds, exactly."""
        numbers, _ = errors.numer_denom()
        products = fmpz_mat([list(self.columns[kind]) for kind in kinds]) * numbers
        return [int(t) for t in products.entries()]


def ray_bound(x: Any) -> int:
    """Bound the number of rays: 2 C(M, r − 1), for M distinct lines of samples of rank r.

    **Arguments:** `x`, the samples, (N, inputs), see `cell_bound`.

    **Raises:** like `exact_samples`.

    ```python
    >>> ray_bound([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), ray_bound([[1.0], [2.0]]), ray_bound([[0]])
    (6, 2, 0)

    ```
    """
    lines = distinct_lines(whole_rows(x)).lines
    return 2 * math.comb(len(lines), fmpz_mat(list(map(list, lines))).rank() - 1) if lines else 0


def all_rays(x: Any, y: Any) -> Rays:
    """List the rays of all closed cells of a data set.

    Each lies on r − 1 independent hyperplanes: all choices of them are tried.

    **Arguments:** `x`, (N, d), and `y`, (N,), see `exact_samples`.

    **Raises:** like `exact_samples`.
    """
    rows, labels = exact_rows(x, y)
    common = math.lcm(*(int(t.q) for row in rows for t in row))
    whole = [[int(t.p) * (common // int(t.q)) for t in row] for row in rows]
    found = rays_around(whole_rows(x), len(rows[0]))
    heights: list[list[int]] = []
    if found:
        table = fmpz_mat([list(ray) for ray in found]) * fmpz_mat(whole).transpose()
        heights = [[int(h) for h in row] for row in table.tolist()]
    kinds: dict[Direction, int] = {}
    kind, weights, outputs, opposite = [], [], [], []
    for ray, row in zip(found, heights, strict=True):
        above = [max(h, 0) for h in row]
        divisor = math.gcd(*above) or 1
        column = tuple(h // divisor for h in above)
        kind.append(kinds.setdefault(column, len(kinds)) if any(above) else -1)
        weights.append([fmpq(t * common, divisor) for t in ray])
        scale = 1 << max((max(above) or max(map(abs, row))).bit_length() - 1, 0)
        outputs.append([h / scale for h in above])
        opposite.append([_divided(max(-h, 0), scale) for h in row])
    rounded, exponent = scaled(labels.entries())
    shape = len(found), len(rows)
    return Rays(
        labels=labels,
        y=rounded,
        exponent=exponent,
        signs=np.array([[(h > 0) - (h < 0) for h in row] for row in heights], np.int8).reshape(
            shape
        ),
        kind=np.array(kind, int),
        outputs=np.array(outputs, float).reshape(shape),
        opposite=np.array(opposite, float).reshape(shape),
        columns=list(kinds),
        weights=weights,
    )


def _divided(height: int, scale: int) -> float:
    return height / scale if height < scale * int(_LARGE) else _LARGE
