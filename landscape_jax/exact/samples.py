"""Data as rational numbers: entries are read exactly as they are written, or refused."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from flint import fmpq, fmpq_mat

from landscape_jax.exact.rationals import Number, matrix, rational
from landscape_jax.mistakes import explained, shown


class Samples(NamedTuple):
    """Exact data: the rows (xᵢ, 1), (N, inputs + 1), and the labels, (N, outputs)."""

    rows: fmpq_mat
    labels: fmpq_mat


@explained
def exact_samples(x: Any, y: Any) -> Samples:
    """Read data as rational numbers.

    **Arguments:** `x`, (N, inputs), and `y`, (N,) or (N, outputs): float64, whole numbers, or
    objects of `Fraction` and `Decimal`, which keep decimals as they are written.

    **Raises:** `TypeError` if there are other numbers, `ValueError` if shapes do not fit or an
    entry is not finite.

    ```python
    >>> from decimal import Decimal
    >>> exact_samples([[Decimal("0.1")], [Decimal(2)]], [1.0, 0.5]).rows
    [1/10, 1]
    [   2, 1]

    ```
    """
    inputs, labels = exact_inputs(x), _numbers("y", y)
    if labels.ndim not in (1, 2) or len(labels) != len(inputs) or 0 in labels.shape:
        raise ValueError(
            f"y has shape {labels.shape}; give one label for each of the {len(inputs)} samples"
        )
    return Samples(
        fmpq_mat([[*row, fmpq(1)] for row in inputs]),
        matrix(labels.reshape(len(labels), -1).tolist()),
    )


def exact_inputs(x: Any) -> list[list[fmpq]]:
    """Read the rows xᵢ without an added column of ones, see `exact_samples`."""
    inputs = _numbers("x", x)
    if inputs.ndim != 2 or 0 in inputs.shape:
        raise ValueError(
            f"x has shape {inputs.shape}; it must be (samples, inputs), none of them 0"
        )
    return [[rational(entry) for entry in row] for row in inputs.tolist()]


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} is {shown(value)}; give an array of real numbers") from error
    wide = array.dtype == np.float64 or array.dtype.kind in "iu"
    if array.dtype.kind == "f" and not wide:
        raise TypeError(
            f"{name} has dtype {array.dtype}; give float64, which JAX arrays are after "
            'jax.config.update("jax_enable_x64", True)'
        )
    entries = [] if wide else array.ravel().tolist()
    if not all(isinstance(x, float | int | Fraction | Decimal) for x in entries):
        raise TypeError(f"{name} has dtype {array.dtype}; give real numbers, e.g. float64")
    if not (np.isfinite(array).all() if wide else all(map(_is_finite, entries))):
        raise ValueError(f"{name} has NaN or infinite entries; give finite numbers")
    return array


def _is_finite(number: Number) -> bool:
    if isinstance(number, Decimal):
        return number.is_finite()
    return not isinstance(number, float) or math.isfinite(number)


def exact_rows(x: Any, y: Any) -> tuple[list[list[fmpq]], fmpq_mat]:
    """Read the rows xᵢ, without an added column of ones, and one label for each, (N, 1).

    **Raises:** `ValueError` if y has more than one column; else like `exact_samples`.
    """
    samples = exact_samples(x, y)
    if samples.labels.ncols() != 1:
        raise ValueError(f"y has {samples.labels.ncols()} columns; give one label for each sample")
    return exact_inputs(x), samples.labels
