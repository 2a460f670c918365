"""The rank of a matrix of floats: which singular values count as 0."""


def rank_tolerance(samples: int, columns: int, epsilon: float) -> float:
    """Give the share of the largest singular value up to which others count as 0.

    max(N, Kd) ε, as in `numpy.linalg.lstsq`.  The entries of A are data or 0, without rounding, and
    a computed singular value is off by at most about that share of the largest one.  So those
    above are truly not 0, up to the modest constant in that bound, and a full rank that is found
    is one; a singular value below may be 0 or tiny, which floats cannot tell.
    """
    return max(samples, columns) * epsilon
