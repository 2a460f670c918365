"""Basin values by other means: the cones' extreme rays, and least squares over them."""

import itertools

import numpy as np
from flint import fmpq, fmpq_mat
from scipy.optimize import nnls

from landscape_jax.exact.rationals import least_squares, matrix, null_space, squares


def exact_minimum(x, y, pattern, v) -> fmpq:
    """Give the basin value in rational numbers, for samples that span all inputs.

    The outputs form the cone of those of all extreme rays.  Its point nearest to y is a
    combination of linearly independent ones with positive coefficients, and the least squares
    over these; every other such combination is in the cone too.
    """
    rows, labels = matrix(x), matrix(y[:, None])
    outputs = []
    for i in range(pattern.shape[1]):
        side = [1 if active else -1 for active in pattern[:, i]]
        for ray in _rays(rows, side):
            heights = (rows * ray).entries()
            flags = zip(heights, pattern[:, i], strict=True)
            outputs.append([h * int(v[i]) if active else fmpq(0) for h, active in flags])
    best = squares(labels)
    for size in range(1, len(x) + 1):
        for chosen in itertools.combinations(outputs, size):
            A = fmpq_mat([list(row) for row in zip(*chosen, strict=True)])
            weights = least_squares(A, labels)
            if A.rank() == size and all(w >= 0 for w in weights.entries()):
                best = min(best, squares(A * weights - labels))
    return best / len(x)


def _rays(rows: fmpq_mat, side: list[int]) -> list[fmpq_mat]:
    """Give the extreme rays of {w : side_t x_t·w ≥ 0}, each at least once."""
    found = {}
    table = rows.tolist()
    for chosen in itertools.combinations(range(rows.nrows()), rows.ncols() - 1):
        lines = null_space(fmpq_mat([table[t] for t in chosen]))
        if lines.ncols() != 1:
            continue
        for turn in (1, -1):
            heights = (rows * lines * fmpq(turn)).entries()
            if all(s * h >= 0 for s, h in zip(side, heights, strict=True)):
                found[tuple(str(e) for e in heights)] = lines * fmpq(turn)
    return list(found.values())


def near_minimum(x: np.ndarray, y: np.ndarray, pattern: np.ndarray, v: np.ndarray) -> float:
    """Give the basin value by scipy's nonnegative least squares over the extreme rays."""
    inputs = x.shape[1]
    outputs = []
    subsets = np.array(list(itertools.combinations(range(len(x)), inputs - 1)))
    lines = np.linalg.svd(x[subsets])[2][:, -1]
    heights = lines @ x.T
    heights[np.arange(len(subsets))[:, None], subsets] = 0
    for i in range(pattern.shape[1]):
        side = np.where(pattern[:, i], 1, -1)
        for turn in (1, -1):
            fits = np.all(turn * side * heights >= 0, axis=1)
            outputs += list(turn * v[i] * heights[fits] * pattern[:, i])
    return nnls(np.array(outputs).T, y, maxiter=10000)[1] ** 2 / len(y)
