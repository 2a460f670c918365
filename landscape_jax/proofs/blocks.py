"""Points that a product of symmetric groups fixes: blocks of neurons, and inner products of those.

Students come in blocks of p₀, p₁, … neurons, orthonormal teachers in blocks of q₀, q₁, ….  A
student block may be *matched* to a teacher block of its size: the symmetric group permutes both at
once.  Any other block is permuted alone.  The points W that the product of these groups fixes have

* one coordinate x(i, j) of every student of block i along every teacher of block j that i is not
  matched to;
* x(i, j) of every student along its own teacher and x(i, *) along the others, if i is matched to j.

So the space of these points has few unknowns, whatever the number k of teachers, and each inner
product of two neurons is a bilinear form of the unknowns with block sizes as coefficients.  Sizes
may be balls or floats (blocks in real k) where only such forms are used.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

# A sum of c·x[u]·y[v], with (u, v, c) one entry a term.
Form = list[tuple[int, int, Any]]
# A vector of the fixed space by its coordinates that are not 0.
Sparse = Mapping[int, Any]


class AlikePairs(NamedTuple):
    """All pairs of neurons with one inner product: `weight` is the factor of f in F.

    `first`, the student's block; `second`, that of the other student, or `None` for a teacher;
    `inner`, the inner product as a form, or for a teacher the number of its unknown.
    """

    weight: Any
    first: int
    second: int | None
    inner: Form | int


@dataclass(frozen=True)
class Blocks:
    """A product of symmetric groups that acts on students and on orthonormal teachers.

    `students` and `teachers`, sizes of the blocks; `match[i]`, the teacher block of student block i
    or `None`; `student_weights` and `teacher_weights`, the second layers, one a block.
    """

    students: tuple[Any, ...]
    teachers: tuple[Any, ...]
    match: tuple[int | None, ...]
    student_weights: tuple[Any, ...]
    teacher_weights: tuple[Any, ...]

    @cached_property
    def unknowns(self) -> list[tuple[int, int | None]]:
        """List (i, j) for every x(i, j), and (i, `None`) for every x(i, *)."""
        every = range(len(self.teachers))
        own: list[tuple[int, int | None]] = [
            (i, j) for i in range(len(self.students)) for j in every
        ]
        return own + [
            (i, None) for i, j in enumerate(self.match) if j is not None and self._many(i)
        ]

    @cached_property
    def place(self) -> dict[tuple[int, int | None], int]:
        """Number the unknowns."""
        return {unknown: u for u, unknown in enumerate(self.unknowns)}

    @cached_property
    def entries(self) -> list[Any]:
        """Count the entries of W that are equal to each unknown."""
        counts = []
        for i, j in self.unknowns:
            p = self.students[i]
            if j is None:
                counts.append(p * (p - 1))
            else:
                counts.append(p if j == self.match[i] else p * self.teachers[j])
        return counts

    @cached_property
    def lengths(self) -> list[Form]:
        """The squared length of a student of each block, |w|² = Σ c·x[u]²."""
        return [self._inside(i, same=True) for i in range(len(self.students))]

    @cached_property
    def pairs(self) -> list[AlikePairs]:
        """List F's pairs of two students, and of a student and a teacher.

        F = ¼ Σᵢ aᵢ² pᵢ |wᵢ|² + Σ weight · f(pair) + a constant of the teacher.
        """
        return [*self._student_pairs(), *self._teacher_pairs()]

    def _many(self, i: int) -> bool:
        """Check whether a matched block has another teacher than a student's own."""
        return self.students[i] != 1

    def _student_pairs(self) -> Iterator[AlikePairs]:
        a, p = self.student_weights, self.students
        for i in range(len(p)):
            if self._many(i):
                yield AlikePairs(
                    a[i] * a[i] * p[i] * (p[i] - 1) / 2, i, i, self._inside(i, same=False)
                )
            for h in range(i):
                yield AlikePairs(a[i] * a[h] * p[i] * p[h], i, h, self._between(i, h))

    def _teacher_pairs(self) -> Iterator[AlikePairs]:
        for u, (i, j) in enumerate(self.unknowns):
            b = self.teacher_weights[self.match[i] if j is None else j]  # type: ignore[index]
            yield AlikePairs(-self.student_weights[i] * b * self.entries[u], i, None, u)

    def _inside(self, i: int, *, same: bool) -> Form:
        """The inner product of a student of block i with itself, or with another one of it."""
        form: Form = []
        for j, q in enumerate(self.teachers):
            u = self.place[i, j]
            if j != self.match[i] or not self._many(i):
                form.append((u, u, q))
                continue
            off = self.place[i, None]
            if same:
                form += [(u, u, 1), (off, off, q - 1)]
            else:
                form += [(u, off, 1), (off, u, 1), (off, off, q - 2)]
        return form

    def _between(self, i: int, h: int) -> Form:
        """The inner product of students of two blocks."""
        form: Form = []
        for j, q in enumerate(self.teachers):
            u, v = self.place[i, j], self.place[h, j]
            if j == self.match[i] and self._many(i):
                form += [(u, v, 1), (self.place[i, None], v, q - 1)]
            elif j == self.match[h] and self._many(h):
                form += [(u, v, 1), (u, self.place[h, None], q - 1)]
            else:
                form.append((u, v, q))
        return form

    def cut(self, parts: Mapping[int, Sequence[Any]]) -> "Cut":
        """Cut blocks into smaller ones: a smaller group, whose fixed space holds this one's.

        **Arguments:** `parts`, the sizes into which teacher blocks are cut, and with them the
        student blocks that are matched to them.
        """
        columns = [
            (j, t, part)
            for j, q in enumerate(self.teachers)
            for t, part in enumerate(parts.get(j, [q]))
        ]
        where = {(j, t): c for c, (j, t, _) in enumerate(columns)}
        rows: list[tuple[int, int, int | None]] = []
        for i, (p, j) in enumerate(zip(self.students, self.match, strict=True)):
            if j is None:
                rows.append((i, p, None))
            else:
                rows += [(i, part, where[j, t]) for t, part in enumerate(parts.get(j, [p]))]
        fine = Blocks(
            tuple(part for _, part, _ in rows),
            tuple(part for *_, part in columns),
            tuple(match for *_, match in rows),
            tuple(self.student_weights[i] for i, *_ in rows),
            tuple(self.teacher_weights[j] for j, *_ in columns),
        )
        return Cut(self, fine, dict(parts), [i for i, *_ in rows], [j for j, *_ in columns])


@dataclass(frozen=True)
class Cut:
    """Smaller blocks: teacher blocks cut into `parts`, and with them what is matched to them.

    `rows[r]` and `columns[c]` are the old blocks of the new student block r and teacher block c.
    """

    coarse: Blocks
    fine: Blocks
    parts: dict[int, Sequence[Any]]
    rows: list[int]
    columns: list[int]

    def lift(self, x: Sequence[Any]) -> list[Any]:
        """Return the unknowns of the same point in the smaller blocks."""
        lifted = []
        for r, c in self.fine.unknowns:
            i = self.rows[r]
            if c is None:
                lifted.append(x[self.coarse.place[i, None]])
                continue
            j = self.columns[c]
            other = j == self.coarse.match[i] and c != self.fine.match[r]
            lifted.append(x[self.coarse.place[i, None if other else j]])
        return lifted


def matched(students: Sequence[int], teachers: Sequence[int]) -> tuple[int | None, ...]:
    """Match student block i to teacher block i where both have one size.

    ```python
    >>> matched((1, 6), (1, 6)), matched((1, 6, 1), (1, 6)), matched((2,), (1, 1))
    ((0, 1), (0, 1, None), (None,))

    ```
    """
    return tuple(
        i if i < len(teachers) and p == teachers[i] else None for i, p in enumerate(students)
    )


def dense(blocks: Blocks, x: Sequence[float]) -> Float[np.ndarray, "n k"]:
    """Return W, (n, k), students and teachers in the order of their blocks."""
    n, k = sum(blocks.students), sum(blocks.teachers)
    point = np.zeros((n, k))
    rows = np.repeat(np.arange(len(blocks.students)), blocks.students)
    columns = np.repeat(np.arange(len(blocks.teachers)), blocks.teachers)
    for u, (i, j) in enumerate(blocks.unknowns):
        if j is not None:
            at = np.ix_(rows == i, columns == j)
            own = j == blocks.match[i] and blocks._many(i)
            point[at] = np.diag(np.full(blocks.students[i], x[u])) if own else x[u]
    for u, (i, j) in enumerate(blocks.unknowns):
        if j is None:
            at = np.ix_(rows == i, columns == blocks.match[i])
            point[at] += x[u] * (1 - np.eye(blocks.students[i]))
    return point
