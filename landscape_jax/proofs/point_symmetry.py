"""The isotropy of a point: which permutations of students and teachers leave it as it is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from landscape_jax.mistakes import explained
from landscape_jax.proofs.problem import Problem, float64, read_problem
from landscape_jax.summary import Summarised, Summary

Orbits = tuple[tuple[int, ...], ...]
# Inner products closer than this, relative to the largest, count as equal.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class Isotropy(Summarised):
    """The orbits of the largest product of symmetric groups that fixes a point W.

    A permutation of the students (of equal second-layer weight) and one of the teachers (of equal
    weight) fix the point if together they fix the Gram matrix of all neurons: some rotation of R^d
    then does the same.  No coordinates enter, so W and V may be rotated, and n ≠ k.

    * `blocks`, the orbits of students, `teacher_blocks`, those of teachers: tuples of indices;
    * `match[i]`, the number of the teacher block that student block i is permuted together with,
      student blocks[i][s] with teacher teacher_blocks[match[i]][s]; `None` if it is permuted alone;
    * `representative`, (n, d), W made exactly symmetric as far as it lies in the teachers' span,
      and `moved`, how far that is from W.

    Matched blocks come first, and block i of the students is matched to block i of the teachers if
    no two student blocks are matched to one teacher block.
    """

    blocks: Orbits
    teacher_blocks: Orbits
    match: tuple[int | None, ...]
    representative: Float[np.ndarray, "n d"]
    moved: float

    def summarise(self) -> Summary:
        """Return the sizes of the blocks in a line."""
        students, teachers = ("+".join(map(str, sizes)) for sizes in self.sizes)
        return Summary(f"Isotropy(student blocks {students}, teacher blocks {teachers})")

    @property
    def sizes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The sizes of the students' and of the teachers' blocks."""
        return tuple(map(len, self.blocks)), tuple(map(len, self.teacher_blocks))

    @property
    def degenerate(self) -> bool:
        """Whether several students are permuted alone.

        In the teachers' span they are then equal, so the Hessian is singular: how they share their
        weight leaves the risk as it is.
        """
        return any(len(b) > 1 and j is None for b, j in zip(self.blocks, self.match, strict=True))


@explained
def isotropy(risk: Any, W: Any, *, tolerance: float = TOLERANCE) -> Isotropy:
    """Find the orbits of the largest product of symmetric groups that fixes a point.

    Neurons are first told apart by the inner products that they have with all others, repeatedly
    (colour refinement); within a colour, two teachers share an orbit if exchanging them, with some
    exchange of students, fixes the Gram matrix.

    **Arguments:** `risk`, a `PopulationRisk` with activation "relu"; `W`, (n, d), one neuron a row;
    `tolerance`, up to which inner products count as equal, relative to the largest.

    **Returns:** an `Isotropy`.

    **Raises:** `TypeError` or `ValueError` for what does not fit, by its name.

    ```python
    >>> from types import SimpleNamespace
    >>> risk = SimpleNamespace(teacher=np.eye(3), teacher_weights=np.ones(3), student_weights=None,
    ...                        activation="relu")
    >>> found = isotropy(risk, [[-0.5, 0.2, 0.2], [0.1, 1.0, 0.0], [0.1, 0.0, 1.0]])
    >>> found.blocks, found.teacher_blocks, found.match
    (((1, 2), (0,)), ((1, 2), (0,)), (0, None))

    ```
    """
    point = float64(W, 2, "W")
    problem = read_problem(risk, point)
    if not np.isfinite(point).all() or not 0 < tolerance < 1:
        raise ValueError("W must be finite, and tolerance between 0 and 1.")
    with np.errstate(all="ignore"):
        return find_isotropy(problem, point, tolerance)


def find_isotropy(
    problem: Problem, point: Float[np.ndarray, "n d"], tolerance: float = TOLERANCE
) -> Isotropy:
    """Find the isotropy of a point of a problem that has been read."""
    n = len(point)
    neurons = np.concatenate([point, problem.teacher])
    gram = _clusters(neurons @ neurons.T, tolerance)
    weights = np.concatenate([problem.student_weights, problem.teacher_weights])
    colors = _refined(gram, weights, n)
    joined = _Sets(len(neurons))
    carried: dict[tuple[int, int], Int[np.ndarray, " nodes"]] = {}
    for color in np.unique(colors[n:]):
        members = (np.flatnonzero(colors[n:] == color) + n).tolist()
        for j in members[1:]:
            for first in dict.fromkeys(joined.root(i) for i in members[: members.index(j)]):
                swap = _exchange(gram, colors, n, first, j)
                if swap is not None:
                    carried[first, j] = swap
                    joined.join(first, j)
                    break
    return _isotropy(problem, point, gram, colors, joined, carried)


def _clusters(gram: Float[np.ndarray, "m m"], tolerance: float) -> Int[np.ndarray, "m m"]:
    """Number the inner products, equal ones alike."""
    flat = gram.ravel()
    order = np.argsort(flat, kind="stable")
    gaps = np.diff(flat[order]) > tolerance * max(float(np.max(np.abs(flat))), 1e-300)
    numbers = np.empty(len(flat), int)
    numbers[order] = np.concatenate([[0], np.cumsum(gaps)])
    return numbers.reshape(gram.shape)


def _refined(
    gram: Int[np.ndarray, "m m"], weights: Float[np.ndarray, " m"], n: int
) -> Int[np.ndarray, " m"]:
    """Colour neurons until those of one colour see as many of each inner product and colour."""
    teacher = np.arange(len(gram)) >= n
    own = np.stack([teacher, weights, np.diag(gram)], axis=1)
    colors = np.unique(own, axis=0, return_inverse=True)[1].ravel()
    while True:
        seen = np.sort(gram * (colors.max() + 1) + colors[None, :], axis=1)
        refined = np.unique(np.column_stack([colors, seen]), axis=0, return_inverse=True)[1].ravel()
        if refined.max() == colors.max():
            return refined
        colors = refined


def _exchange(
    gram: Int[np.ndarray, "m m"], colors: Int[np.ndarray, " m"], n: int, j: int, h: int
) -> Int[np.ndarray, " m"] | None:
    """Return a permutation of the neurons that exchanges teachers j and h.

    It exchanges students in pairs and fixes the Gram matrix; `None` if there is none.  A student
    goes to the one whose inner products with the teachers are its own, exchanged.
    """
    order = np.arange(len(gram))
    order[[j, h]] = h, j
    teachers = slice(n, None)
    changed = np.flatnonzero(gram[:n, j] != gram[:n, h])
    rows = {gram[i, teachers].tobytes() + colors[i].tobytes(): i for i in changed.tolist()}
    for i in changed.tolist():
        other = rows.get(gram[i, order[n:]].tobytes() + colors[i].tobytes())
        if other is None:
            return None
        order[i] = other
    return order if np.array_equal(gram[np.ix_(order, order)], gram) else None


class _Sets:
    """Disjoint sets of numbers, joined two by two."""

    def __init__(self, count: int):
        self._parent = list(range(count))

    def root(self, i: int) -> int:
        """Return the least number of i's set."""
        while self._parent[i] != i:
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        """Join two sets."""
        i, j = sorted((self.root(i), self.root(j)))
        self._parent[j] = i


def _isotropy(
    problem: Problem,
    point: Float[np.ndarray, "n d"],
    gram: Int[np.ndarray, "m m"],
    colors: Int[np.ndarray, " m"],
    joined: _Sets,
    carried: dict[tuple[int, int], Int[np.ndarray, " nodes"]],
) -> Isotropy:
    """Collect orbits: teachers joined, students that go with them, and students alone."""
    n = len(point)
    orbits: dict[int, list[int]] = {}
    for j in range(n, len(gram)):
        orbits.setdefault(joined.root(j), []).append(j)
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]] = []
    left = set(range(n))
    alone: list[tuple[int, ...]] = []
    for first, members in orbits.items():
        if len(members) == 1:
            continue
        teachers = tuple(j - n for j in members)
        moved = [i for i in range(n) if carried[first, members[1]][i] != i]
        for i in moved:
            if i not in left or carried[first, members[1]][i] not in left:
                continue
            # The student that belongs to the first teacher is the one that all exchanges move.
            if not all(carried[first, j][i] != i for j in members[1:]):
                continue
            orbit = (i, *(int(carried[first, j][i]) for j in members[1:]))
            if len(set(orbit)) == len(orbit) and left.issuperset(orbit):
                pairs.append((orbit, teachers))
                left -= set(orbit)
        if not any(t == teachers for _, t in pairs):
            alone.append(teachers)
    singles = [(j - n,) for first, members in orbits.items() if len(members) == 1 for j in members]
    students = [orbit for orbit, _ in pairs] + _equal(gram, colors, sorted(left))
    teacher_blocks = list(dict.fromkeys(t for _, t in pairs)) + alone + singles
    match = tuple(teacher_blocks.index(t) for _, t in pairs) + (None,) * (
        len(students) - len(pairs)
    )
    representative = _averaged(problem, point, students, teacher_blocks, match)
    moved = float(np.linalg.norm(representative - point))
    return Isotropy(tuple(students), tuple(teacher_blocks), match, representative, moved)


def _equal(
    gram: Int[np.ndarray, "m m"], colors: Int[np.ndarray, " m"], left: list[int]
) -> list[tuple[int, ...]]:
    """Group students whose exchange alone fixes the Gram matrix."""
    groups: list[list[int]] = []
    for i in left:
        for group in groups:
            if colors[group[0]] == colors[i] and _alike(gram, group[0], i):
                group.append(i)
                break
        else:
            groups.append([i])
    return sorted((tuple(g) for g in groups), key=lambda g: (-len(g), g))


def _alike(gram: Int[np.ndarray, "m m"], i: int, j: int) -> bool:
    """Check whether two neurons have the same inner products with all others."""
    others: Bool[np.ndarray, " m"] = np.ones(len(gram), bool)
    others[[i, j]] = False
    return bool(np.array_equal(gram[i, others], gram[j, others]))


def _averaged(
    problem: Problem,
    point: Float[np.ndarray, "n d"],
    students: list[tuple[int, ...]],
    teachers: list[tuple[int, ...]],
    match: tuple[int | None, ...],
) -> Float[np.ndarray, "n d"]:
    """Average the coordinates of W along the teachers over the group."""
    inverse = np.linalg.pinv(problem.teacher)
    table = point @ inverse
    averaged = table.copy()
    for i, rows in enumerate(students):
        for j, columns in enumerate(teachers):
            block = table[np.ix_(rows, columns)]
            if j == match[i]:
                own = np.mean(np.diag(block))
                off = (np.sum(block) - np.sum(np.diag(block))) / (block.size - len(block))
                block = np.full(block.shape, off)
                np.fill_diagonal(block, own)
            else:
                block = np.full(block.shape, np.mean(block))
            averaged[np.ix_(rows, columns)] = block
    return point + (averaged - table) @ problem.teacher
