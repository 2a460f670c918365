"""One symmetric critical point, followed in the number k of teachers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from flint import arb, fmpq
from jaxtyping import Float

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained, shown
from landscape_jax.proofs.balls import Vector, midpoints
from landscape_jax.proofs.blocks import Blocks, dense
from landscape_jax.proofs.certificate import NotProven
from landscape_jax.proofs.fixed_space import symmetric_form
from landscape_jax.proofs.isotypic import components, orbits_alone, trivial
from landscape_jax.proofs.problem import float64, read_problem
from landscape_jax.proofs.reduced_risk import ReducedRisk
from landscape_jax.proofs.symmetric_certificate import (
    MOST_BLOCKS,
    SymmetricCertificate,
    exact_blocks,
    to_unknowns,
    to_values,
)
from landscape_jax.proofs.symmetric_point import polished
from landscape_jax.proofs.symmetric_proof import prove_symmetric

PRECISION = 160
# Steps in k are by this factor of the growing block at most, and are halved to no less than LEAST.
FACTOR, LEAST = 1.5, 1.0005
# A family is lost where one step would move its unknowns by more than this, relative to W.
FURTHEST = 0.25


class SymmetricFamily:
    """A critical point that a product of symmetric groups fixes, as a function of k.

    One pair of blocks grows with k; all other blocks keep their sizes.  The point at another k is
    reached by Newton's method in the fixed space, in steps: each starts from an extrapolation of
    earlier points and moves W by at most a quarter of its length from there.  That the points are
    on one branch of solutions is not proven.  What is proven is proven at each k by itself, by
    `prove`.

    Every method at a k raises `ValueError` where the branch ends before it: where even the shortest
    step finds no critical point that near (the message names the last k reached), or where the
    growing block would have fewer than 2 neurons, or at most 3 at a k that is not an integer.

    `blocks`, `teacher_blocks` and `values`, as in `SymmetricCertificate`, are those at `k`.
    """

    def __init__(self, group: Blocks, x: Sequence[float], grows: int):
        self._group, self._grows = group, grows
        self.blocks, self.teacher_blocks = group.students, group.teachers
        self.k, self.n = sum(group.teachers), sum(group.students)
        with working_precision(PRECISION):
            start = polished(group, x, FURTHEST * _length(group, x))
        if start is None:
            raise ValueError(
                "values: Newton's method finds no critical point of the fixed space near them."
            )
        # All points found, by k, each from the nearest one.
        self._known: dict[fmpq, Vector] = {fmpq(self.k): start}

    def __repr__(self) -> str:
        sizes = [list(self.blocks), list(self.teacher_blocks)]
        sizes[1][self._grows] = f"k - {self.k - self.teacher_blocks[self._grows]}"
        if (i := self._student()) is not None:
            sizes[0][i] = sizes[1][self._grows]
        return f"SymmetricFamily(blocks {sizes[0]} by {sizes[1]}, from k = {self.k})"

    @property
    def values(self) -> Float[np.ndarray, "M columns"]:
        """Return the table of values at the family's own k."""
        return self.values_at(self.k)

    @classmethod
    @explained
    def of(cls, risk: Any, W: Any, *, grows: int | None = None) -> "SymmetricFamily":
        """Find the family of a point: its blocks and values, made exactly symmetric.

        **Arguments:** `risk`, a `PopulationRisk` of orthonormal teachers and activation "relu";
        `W`, (n, k), near a critical point; `grows` as in `symmetric_family`, of the blocks found.

        **Raises:** `ValueError` if the teachers are not orthonormal, or W has no symmetry or is not
        near a critical point.
        """
        point = float64(W, 2, "W")
        with working_precision(PRECISION):
            form = symmetric_form(read_problem(risk, point), point)
            if form is None:
                raise ValueError(
                    "W has no symmetry that is used here: give orthonormal teachers, and a W in "
                    "their span that permutations of students and teachers fix."
                )
            group, values, _ = form
        return cls(group, to_unknowns(group, values), growing(group, grows))

    @explained
    def sizes(self, k: float | int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Return the sizes of the students' and the teachers' blocks at k."""
        group = self._at_size(_number(k))
        return group.students, group.teachers

    @explained
    def values_at(self, k: float | int) -> Float[np.ndarray, "M columns"]:
        """Return the table of values at k, a real number, in float64."""
        with working_precision(PRECISION):
            group, x = self._point(_number(k))
            return to_values(group, [float(value) for value in x])

    @explained
    def point(self, k: int) -> Float[np.ndarray, "n k"]:
        """Return W at an integer k, (n, k), students and teachers in the order of their blocks."""
        with working_precision(PRECISION):
            group, x = self._point(_integer(k))
            return dense(group, [float(value) for value in x])

    @explained
    def value(self, k: float | int) -> float:
        """Return F at k, a real number, correctly rounded but for the last digits.

        F at large k is the small difference of large terms: it is computed in extended precision.

        **Raises:** `ValueError` where the branch ends before k.
        """
        with working_precision(PRECISION):
            group, x = self._point(_number(k))
            return float(ReducedRisk(group, x).value().mid())

    @explained
    def gradient_norm(self, k: float | int) -> float:
        """Return |∇F| at the values in float64 of k, a real number."""
        with working_precision(PRECISION):
            group, x = self._point(_number(k))
            rounded = ReducedRisk(group, [arb(float(value)) for value in x])
            return float(sum((g * g for g in rounded.gradient(trivial(group))), arb(0)).sqrt())

    @explained
    def spectrum(self, k: float | int) -> list[tuple[float, float | int]]:
        """Return the Hessian's eigenvalues at k with multiplicities, one pair for each.

        They are those of the isotypic components, ascending; equal ones are not merged.  At an
        integer k the multiplicities are integers and add up to n·k.

        **Raises:** `ValueError` where two neurons are parallel, and at a k at which a block is not
        an integer and smaller than 3.
        """
        with working_precision(PRECISION):
            group, x = self._point(_number(k))
            pairs: list[tuple[float, float | int]] = []
            for component in components(group):
                at = ReducedRisk(component.cut.fine, component.cut.lift(x))
                matrix = midpoints(at.hessian(component.directions))
                if not np.isfinite(matrix).all():
                    raise ValueError(
                        f"k is {float(k)}: two neurons are parallel there, or one is zero, where "
                        "the spectrum is not found by symmetry; use `spectrum`."
                    )
                count = component.dimension
                count = count if isinstance(count, int) else float(count)
                pairs += [(float(e), count) for e in np.linalg.eigvalsh(matrix)]
        return sorted(pairs)

    @explained
    def min_eigenvalue(self, k: float | int) -> float:
        """Return the Hessian's smallest eigenvalue at k, a real number.

        **Raises:** `ValueError` where the branch ends before k; as `spectrum`.
        """
        return self.spectrum(k)[0][0]

    @explained
    def prove(self, k: int, *, precision: int = 128) -> SymmetricCertificate | NotProven:
        """Prove the critical point at an integer k, with its index, in time independent of k.

        **Returns:** a `SymmetricCertificate`; `NotProven`, with the reason, where the point is
        reached and the proof fails.

        **Raises:** `ValueError` where the branch ends before k: no point is reached to be proven.
        """
        with working_precision(PRECISION):
            group, x = self._point(_integer(k))
            values = to_values(group, [float(value) for value in x])
        a = [float(w) for w in group.student_weights]
        b = [float(w) for w in group.teacher_weights]
        return prove_symmetric(
            group.students, group.teachers, values, a, b, max_move=1e-6, precision=precision
        )

    def _student(self) -> int | None:
        """The student block that is matched to the growing teacher block."""
        return self._group.match.index(self._grows) if self._grows in self._group.match else None

    def _at_size(self, k: fmpq) -> Blocks:
        """Return the blocks at k."""
        size: Any = fmpq(self.teacher_blocks[self._grows]) + k - self.k
        if size == 1 or self.teacher_blocks[self._grows] == 1:
            if k == self.k:
                return self._group
            raise ValueError(
                f"k is {float(k)}: a block of 1 has other unknowns than one of more, so the family "
                "does not go on; give `symmetric_family` the blocks and values of that k."
            )
        if not size > 1 or (size.q != 1 and not size > 3):
            raise ValueError(
                f"k is {float(k)}: the growing block has then {float(size)} neurons; give a k with "
                "an integer of at least 2, or more than 3."
            )
        size = int(size.p) if size.q == 1 else arb(size)
        teachers, students = list(self.teacher_blocks), list(self.blocks)
        teachers[self._grows] = size
        if (i := self._student()) is not None:
            students[i] = size
        return replace(self._group, students=tuple(students), teachers=tuple(teachers))

    def _point(self, k: fmpq) -> tuple[Blocks, Vector]:
        """Return the blocks and the unknowns at k, from the nearest k that is known."""
        group = self._at_size(k)
        while k not in self._known:
            near = min(self._known, key=lambda other: abs(_ratio(self, k, other)))
            self._step(near, k)
        return group, self._known[k]

    def _step(self, start: fmpq, goal: fmpq) -> None:
        """Take a step from one k towards another, as long as Newton's method stays close."""
        base = self.k - self.teacher_blocks[self._grows]
        size, last, factor = float(start - base), float(goal - base), FACTOR
        while factor > LEAST:
            new = min(last, size * factor) if last > size else max(last, size / factor)
            if new <= 4 and new != last:  # Smaller blocks are of an integer.
                new = np.ceil(new) if last > size else np.floor(new)
            if self._arrive(start, base + _number(new)):
                return
            factor = factor**0.5
        raise ValueError(
            f"the family is not followed to k = {float(goal)}: it is lost, or turns, near k = "
            f"{float(start)}."
        )

    def _arrive(self, start: fmpq, k: fmpq) -> bool:
        """Find the point at k from that at another; keep it if it is close enough."""
        group, old = self._at_size(k), self._known[start]
        guess, rest = old, [q for q in self._known if q != start]
        if rest:  # Linear in log k, through the two nearest points.
            other = min(rest, key=lambda q: abs(_ratio(self, start, q)))
            along = _ratio(self, k, start) / _ratio(self, other, start)
            if abs(along) < 4:
                pairs = zip(old, self._known[other], strict=True)
                guess = [(p + along * (q - p)).mid() for p, q in pairs]
        reach = FURTHEST * _length(group, [float(value) for value in old])
        found = polished(group, guess, reach)
        if found is None and guess is not old:
            found = polished(group, old, reach)
        if found is None:
            return False
        self._known[k] = found
        return True


def _ratio(family: SymmetricFamily, one: fmpq, other: fmpq) -> float:
    """Return the logarithm of the ratio of the growing block's sizes at two k."""
    base = family.k - family.teacher_blocks[family._grows]
    return float(np.log(float(one - base) / float(other - base)))


@explained
def symmetric_family(
    blocks: Sequence[int],
    values: Any,
    *,
    teacher_blocks: Sequence[int] | None = None,
    grows: int | None = None,
) -> SymmetricFamily:
    """Return the family of critical points with given blocks, near given values.

    Student block i is matched to teacher block i where both have one size: the symmetric group
    permutes its students and their teachers together (alone where both are single).

    **Arguments:** `blocks`, the sizes of the students' blocks; `values`, (M, m + 1): `values[j, i]`
    is coordinate j of a student of block i, along its own teacher if i = j are matched, and
    `values[i, m]` its coordinate along the other teachers of a matched block of at least 2;
    `teacher_blocks`, M sizes, by default `blocks`; `grows`, the number of the teacher block that
    takes up k (with the student block matched to it), by default the largest matched one.

    **Returns:** a `SymmetricFamily`, polished.

    **Raises:** `ValueError` for sizes and values that do not fit, for a block of several students
    that is matched to none (its students are equal, and the Hessian singular), and where Newton's
    method finds no critical point near.

    Source: Arjevani & Field 2021 (arXiv 2107.10370); Safran, Yehudai & Shamir 2021, section 4.2.

    ```python
    >>> family = symmetric_family([1, 5], [[-0.67, 0.17, 0], [0.24, 1.0, -0.04]])
    >>> round(6 * family.value(6), 6), round(100 * family.value(100), 6)
    (0.150483, 0.274167)
    >>> family.prove(1000).kind
    'spurious'

    ```
    """
    students, columns = checked_blocks(blocks, teacher_blocks)
    try:
        table = np.asarray(values, np.float64) if not np.iscomplexobj(values) else None
    except (TypeError, ValueError):
        raise TypeError(f"values is {shown(values)}; give a table of numbers") from None
    if table is None:
        raise TypeError("values is complex; give a table of real numbers")
    if table.shape != (len(columns), len(students) + 1) or not np.isfinite(table).all():
        shape = (len(columns), len(students) + 1)
        raise ValueError(
            f"values must be finite numbers of shape {shape}, one row a teacher block, not of "
            f"shape {table.shape}."
        )
    with working_precision(PRECISION):
        group = exact_blocks(students, columns, [1.0] * len(students), [1.0] * len(columns))
        if orbits_alone(group):
            raise ValueError(
                "blocks: one of several students is matched to no teachers; its students would be "
                "equal, where the Hessian is always singular."
            )
    return SymmetricFamily(group, to_unknowns(group, table), growing(group, grows))


def checked_blocks(
    blocks: Sequence[int], teacher_blocks: Sequence[int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Read sizes of blocks, by default as many of teachers as of students.

    **Raises:** `ValueError` if there is none, or too many, or one is no size.
    """
    columns = blocks if teacher_blocks is None else teacher_blocks
    for name, sizes in (("blocks", blocks), ("teacher_blocks", columns)):
        if not 0 < len(sizes) <= MOST_BLOCKS or not all(0 < size < 2**31 for size in sizes):
            raise ValueError(
                f"{name} is {shown(list(sizes))}; give sizes of at most {MOST_BLOCKS} blocks, each "
                "at least 1"
            )
    return tuple(map(int, blocks)), tuple(map(int, columns))


def growing(group: Blocks, grows: int | None) -> int:
    """Return the teacher block that grows: a given one, or the largest that is matched."""
    candidates = [j for j in group.match if j is not None and group.teachers[j] > 1]
    if grows is None:
        every = candidates or list(range(len(group.teachers)))
        return max(every, key=lambda j: group.teachers[j])
    if not (type(grows) is int and 0 <= grows < len(group.teachers)):
        raise ValueError(f"grows must be the number of a teacher block, not {grows!r}.")
    return grows


def _number(k: float | int) -> fmpq:
    """Read k exactly."""
    number = float(k)
    if not np.isfinite(number):
        raise ValueError(f"k must be finite, not {k!r}.")
    return fmpq(*number.as_integer_ratio())


def _integer(k: int) -> fmpq:
    """Read an integer k."""
    if isinstance(k, bool) or not float(k).is_integer():
        raise ValueError(f"k must be an integer here, not {k!r}.")
    return fmpq(int(k))


def _length(group: Blocks, x: Sequence[float]) -> float:
    """Return the Euclidean norm of W, about."""
    return float(sum(float(c) * value**2 for c, value in zip(group.entries, x, strict=True))) ** 0.5
