"""All local minima by trying all sign patterns, in fractions, without code of the package."""

import itertools
from fractions import Fraction


def dot(a, b):
    return sum((s * t for s, t in zip(a, b, strict=True)), Fraction(0))


def echelon(rows):
    """The reduced echelon form, and the pivots' columns."""
    rows, pivots = [list(map(Fraction, row)) for row in rows], []
    for column in range(len(rows[0]) if rows else 0):
        at = next((i for i in range(len(pivots), len(rows)) if rows[i][column]), None)
        if at is None:
            continue
        rows[at], rows[len(pivots)] = rows[len(pivots)], rows[at]
        pivot = rows[len(pivots)]
        pivot[:] = [t / pivot[column] for t in pivot]
        for i, row in enumerate(rows):
            if i != len(pivots) and row[column]:
                row[:] = [s - row[column] * t for s, t in zip(row, pivot, strict=True)]
        pivots.append(column)
    return rows, pivots


def kernel(rows, size):
    """A basis of all v with row·v = 0."""
    table, pivots = echelon(rows) if rows else ([], [])
    found = []
    for free in (j for j in range(size) if j not in pivots):
        v = [Fraction(int(j == free)) for j in range(size)]
        for row, pivot in zip(table, pivots, strict=False):
            v[pivot] = -row[free]
        found.append(v)
    return found


def independent_columns(x):
    """The samples without the columns that depend on others: the landscape is the same."""
    pivots = echelon(x)[1]
    return [[Fraction(row[j]) for j in pivots] for row in x]


def points(x):
    """A point of each face, of a cell the sum of as many of its rays as there are inputs."""
    size = len(x[0])
    rays = {}
    for some in itertools.combinations([row for row in x if any(row)], size - 1):
        found = kernel(list(some), size)
        if len(found) == 1:
            largest = max(abs(t) for t in found[0])
            ray = tuple(t / largest for t in found[0])
            rays |= {ray: None, tuple(-t for t in ray): None}
    yield [Fraction(0)] * size
    for count in range(1, size + 1):
        for chosen in itertools.combinations(rays, count):
            yield [sum(column, Fraction(0)) for column in zip(*chosen, strict=True)]


def sign_patterns(x):
    """Every vector of signs of w·xᵢ, with a w of it."""
    found = {}
    for w in points(x):
        heights = [dot(row, w) for row in x]
        found.setdefault(tuple((t > 0) - (t < 0) for t in heights), w)
    return found


def solvable(rows):
    """Check whether base + slopes·c > 0 for all rows (base, *slopes), by Fourier and Motzkin."""
    rows = [tuple(row) for row in rows]
    while rows and len(rows[0]) > 1:
        level = {row[:-1] for row in rows if not row[-1]}
        up = [row for row in rows if row[-1] > 0]
        down = [row for row in rows if row[-1] < 0]
        for a, b in itertools.product(up, down):
            new = [s / a[-1] - t / b[-1] for s, t in zip(a[:-1], b[:-1], strict=True)]
            largest = max(map(abs, new)) or Fraction(1)
            level.add(tuple(t / largest for t in new))
        rows = list(level)
    return all(row[0] > 0 for row in rows)


def least_squares(columns, y):
    """One solution, a basis of the null space, and the errors."""
    size = len(columns)
    if not size:
        return [], [], [-t for t in y]
    normal = [[dot(a, b) for b in columns] + [dot(a, y)] for a in columns]
    table, pivots = echelon(normal)
    t = [Fraction(0)] * size
    for row, pivot in zip(table, pivots, strict=False):
        t[pivot] = row[size]
    free = kernel([row[:size] for row in normal], size)
    outputs = [dot(t, row) for row in zip(*columns, strict=True)]
    return t, free, [s - r for s, r in zip(outputs, y, strict=True)]


def slopes(x, signs, errors, rays):
    """Which signs h has on all rays of the samples: it is linear on each cone between them."""
    found = set()
    for v in rays:
        products = [dot(row, v) for row in x]
        on = [p if s > 0 or (s == 0 and p > 0) else 0 for s, p in zip(signs, products, strict=True)]
        found.add((dot(errors, on) > 0) - (dot(errors, on) < 0))
    return found


def minimum(x, y, patterns, rays):
    """The kind of the local minima whose neurons have these sign patterns, and N times the loss.

    The kind is "cells", "kinked" or "smooth"; None where there are none.
    """
    bases = [kernel([r for r, s in zip(x, p, strict=True) if not s], len(x[0])) for p in patterns]

    def fit(active):
        columns = [
            [dot(row, b) if s > 0 else Fraction(0) for row, s in zip(x, patterns[j], strict=True)]
            for j in active
            for b in bases[j]
        ]
        return least_squares(columns, y)

    every = range(len(patterns))
    _, _, errors = fit(every)
    around = [slopes(x, pattern, errors, rays) for pattern in patterns]
    may = [
        [s for s in (1, -1, 0) if all(slope * s >= 0 and (s or not slope) for slope in some)]
        for some in around
    ]
    for signs in itertools.product(*may):
        active = [j for j in every if signs[j]]
        t, free, own = fit(active)
        rows, at = [], 0
        for j in active:
            size = len(bases[j])
            for row, s in zip(x, patterns[j], strict=True):
                if s:
                    heights = [signs[j] * s * dot(row, b) for b in bases[j]]
                    moves = [v[at : at + size] for v in free]
                    rows.append([dot(heights, part) for part in [t[at : at + size], *moves]])
            at += size
        if own == errors and solvable(rows):
            value = dot(errors, errors)
            if all(s or not any(r) for p in patterns for s, r in zip(p, x, strict=True)):
                return "cells", value
            return "smooth" if all(some == {0} for some in around) else "kinked", value
    return None


def all_minima(x, y, width):
    """N times the losses of all combinations of sign patterns that hold a minimum, by kind."""
    x, y = independent_columns(x), [Fraction(t) for t in y]
    patterns = sign_patterns(x)
    rays = list(patterns.values())
    found = {"cells": [], "kinked": [], "smooth": []}
    for chosen in itertools.combinations_with_replacement(patterns, width):
        kind = minimum(x, y, chosen, rays)
        if kind is not None:
            found[kind[0]].append(kind[1])
    return found
