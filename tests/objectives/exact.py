"""The population risk, its gradient and Hessian in 50 digits, from the paper's formulas alone."""

import mpmath as mp
import numpy as np


def _vectors(rows) -> list[mp.matrix]:
    return [mp.matrix([mp.mpf(float(x)) for x in row]) for row in np.asarray(rows)]


def _dot(u: mp.matrix, v: mp.matrix):
    return mp.fsum(a * b for a, b in zip(u, v, strict=True))


def _norm(u: mp.matrix):
    return mp.sqrt(_dot(u, u))


def _angle(w: mp.matrix, v: mp.matrix) -> mp.mpf:
    # Kahan's formula keeps all digits at every angle.
    a, b = w / _norm(w), v / _norm(v)
    return 2 * mp.atan2(_norm(a - b), _norm(a + b))


def pair_value(w: mp.matrix, v: mp.matrix) -> mp.mpf:
    """SS18, eq. 7."""
    if _norm(w) == 0 or _norm(v) == 0:
        return mp.mpf(0)
    t = _angle(w, v)
    return _norm(w) * _norm(v) * (mp.sin(t) + (mp.pi - t) * mp.cos(t)) / (2 * mp.pi)


def pair_slope(w: mp.matrix, v: mp.matrix) -> mp.matrix:
    """SS18, eq. 8."""
    t = _angle(w, v)
    return (_norm(v) * mp.sin(t) * w / _norm(w) + (mp.pi - t) * v) / (2 * mp.pi)


def risk(W, V, a, b) -> mp.mpf:
    """SS18, eq. 6, with second-layer weights."""
    nets = [(float(c), u) for c, u in zip(a, _vectors(W), strict=True)]
    nets += [(-float(c), u) for c, u in zip(b, _vectors(V), strict=True)]
    return mp.fsum(c * e * pair_value(u, v) for c, u in nets for e, v in nets) / 2


def slope(W, V, a, b) -> np.ndarray:
    """The gradient, as an array of mpf; W may hold floats or mpf."""
    students = [
        (mp.mpf(float(c)), mp.matrix([mp.mpf(x) for x in w]))
        for c, w in zip(a, np.asarray(W, dtype=object), strict=True)
    ]
    teachers = [(mp.mpf(float(c)), v) for c, v in zip(b, _vectors(V), strict=True)]
    rows = []
    for i, (c, w) in enumerate(students):
        total = c * w / 2
        for j, (e, u) in enumerate(students):
            if i != j:
                total += e * pair_slope(w, u)
        for e, v in teachers:
            total -= e * pair_slope(w, v)
        rows.append(list(c * total))
    return np.array(rows, dtype=object)


def curvature(W, V, a, b, step: str = "1e-15") -> np.ndarray:
    """The Hessian by central differences of the 50-digit gradient; error of the order step²."""
    W = np.asarray(W, dtype=object)
    n, d = W.shape
    h = mp.mpf(step)
    columns = []
    for q in range(n * d):
        shift = np.zeros((n, d), dtype=object)
        shift[divmod(q, d)] = h
        columns.append(slope(W + shift, V, a, b) - slope(W - shift, V, a, b))
    return np.array([(c / (2 * h)).ravel() for c in columns], dtype=object).T
