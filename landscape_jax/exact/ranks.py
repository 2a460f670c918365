"""The numerical rank of a matrix: the tolerance below which singular values count as 0."""


def rank_tolerance(samples: int, columns: int, epsilon: float) -> float:
    """Return the share of the largest singular value up to which others count as 0.

    max(N, Kd) ε, as in `numpy.linalg.lstsq`.  The entries of A are data or 0, without rounding, and
    a computed singular value is off by at most about that share of the largest one.  So those
    above are not 0, up to the modest constant in that bound, and a full numerical rank is a full
    rank; a singular value below may be 0 or tiny, which floats cannot distinguish.
    """
    return max(samples, columns) * epsilon
