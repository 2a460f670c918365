"""The isotypic components of R^(n×k) under a product of symmetric groups, with directions in each.

The Hessian at a point that the group fixes commutes with the group.  By Schur's lemma it is, in
coordinates of one irreducible representation ρ that occurs m times, an m×m matrix, repeated dim ρ
times.  That matrix is read off m orthonormal directions that are images of one vector of ρ under
equivariant isometries.  With g, h two of the groups (a matched block: students and teachers of one
number p; or a teacher block alone), S of p elements and its standard representation of dimension
p − 1, the components are

| ρ                       | dimension        | directions, with u = e₁ − e₂ or e₁ − mean        |
| trivial                 | 1                | the unknowns of the fixed space                  |
| standard of g           | p − 1            | diag(u), uᵣ + u_c, uᵣ − u_c (r ≠ c) in g's own   |
|                         |                  | square; u ⊗ 1 and 1 ⊗ u with each other block    |
| (p − 2, 2) of g, p ≥ 4  | p(p − 3)/2       | symmetric, diagonal 0, row sums 0                |
| (p − 2, 1, 1) of g      | (p − 1)(p − 2)/2 | antisymmetric, row sums 0; p ≥ 3                 |
| standard g ⊗ standard h | (p − 1)(q − 1)   | students of g by teachers of h, and the reverse  |

Each direction is fixed by the smaller group of a `Cut`, in whose unknowns it is written.
Source: Arjevani & Field 2020, section 4 (the decomposition for one and two blocks).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flint import arb

from landscape_jax.proofs.blocks import Blocks, Cut, Sparse


@dataclass(frozen=True)
class Component:
    """One irreducible representation: its dimension, orthonormal directions in a cut's unknowns.

    `name` is for readers.
    """

    name: str
    dimension: Any
    cut: Cut
    directions: list[Sparse]


@dataclass(frozen=True)
class _Group:
    """A symmetric group of p ≥ 2 elements: its teacher block, and its student block if any."""

    size: Any
    students: int | None
    teachers: int

    @property
    def name(self) -> str:
        block = f"block {self.students}" if self.students is not None else ""
        return block or f"teachers {self.teachers}"


def orbits_alone(blocks: Blocks) -> bool:
    """Check whether a block of several students is matched to no teachers: they are equal."""
    return any(p > 1 and j is None for p, j in zip(blocks.students, blocks.match, strict=True))


def components(blocks: Blocks) -> Iterator[Component]:
    """Yield all isotypic components of R^(n×k); the dimensions times multiplicities add up to n·k.

    **Raises:** `ValueError` for a block of equal students (they are never nondegenerate).
    """
    if orbits_alone(blocks):
        raise ValueError("a block of several students must be matched to teachers.")
    whole = blocks.cut({})
    yield Component("trivial", 1, whole, trivial(blocks))
    groups = _groups(blocks)
    for g in groups:
        yield from _of_one(blocks, g)
    for s, g in enumerate(groups):
        for h in groups[:s]:
            yield from _of_two(blocks, g, h)


def trivial(blocks: Blocks) -> list[Sparse]:
    """Return orthonormal directions of the fixed space, one an unknown."""
    return [{u: 1 / arb(count).sqrt()} for u, count in enumerate(blocks.entries)]


def _groups(blocks: Blocks) -> list[_Group]:
    partner = {j: i for i, j in enumerate(blocks.match) if j is not None}
    return [_Group(q, partner.get(j), j) for j, q in enumerate(blocks.teachers) if q > 1]


def _of_one(blocks: Blocks, g: _Group) -> Iterator[Component]:
    """Yield the components on which one group acts."""
    p = g.size
    parts = [1, 1] + [p - 2] * (p > 2)
    cut = blocks.cut({g.teachers: parts})
    fine = cut.fine
    columns = [c for c, j in enumerate(cut.columns) if j == g.teachers]
    rows = [r for r, i in enumerate(cut.rows) if i == g.students]
    others = [r for r in range(len(cut.rows)) if r not in rows]
    u = [1, -1] + [0] * (p > 2)
    found: list[Sparse] = []
    found += [  # 1 ⊗ u: all students of another block alike, u on the group's teachers.
        {fine.place[r, c]: x for c, x in zip(columns, u, strict=True)} for r in others
    ]
    square = _Square(fine, rows, columns, parts)
    if rows:
        seen: dict[int, list[int]] = {}
        for c in range(len(cut.columns)):
            if c not in columns:
                seen.setdefault(cut.columns[c], []).append(c)
        found += [  # u ⊗ 1.
            {fine.place[r, c]: x for r, x in zip(rows, u, strict=True) for c in same}
            for same in seen.values()
        ]
        found.append(square.matrix(lambda r, c, same: u[r] if same else 0))
        if p > 2:
            found.append(square.matrix(lambda r, c, same: 0 if same else u[r] + u[c]))
        found.append(square.matrix(lambda r, c, same: 0 if same else u[r] - u[c]))
    yield Component(f"standard of {g.name}", p - 1, cut, [_unit(fine, e) for e in found])
    if rows and p > 3:
        rest = arb(-2) / (p - 3)
        table = [[0, 2 - p, 1], [2 - p, 0, 1], [1, 1, rest]]
        e = square.matrix(lambda r, c, same: 0 if same else table[r][c])
        yield Component(f"(p - 2, 2) of {g.name}", _half(p * (p - 3)), cut, [_unit(fine, e)])
    if rows and p > 2:
        table = [[0, p - 2, -1], [2 - p, 0, 1], [1, -1, 0]]
        e = square.matrix(lambda r, c, same: 0 if same else table[r][c])
        dimension = _half((p - 1) * (p - 2))
        yield Component(f"(p - 2, 1, 1) of {g.name}", dimension, cut, [_unit(fine, e)])


def _half(product: Any) -> Any:
    """Divide an even number, or one of a block in real k, by 2."""
    return product // 2 if isinstance(product, int) else product / 2


def _of_two(blocks: Blocks, g: _Group, h: _Group) -> Iterator[Component]:
    """Yield the product of two groups' standard representations."""
    cut = blocks.cut({g.teachers: [1, g.size - 1], h.teachers: [1, h.size - 1]})
    found: list[Sparse] = []
    for one, other in ((g, h), (h, g)):
        rows = [r for r, i in enumerate(cut.rows) if i == one.students]
        columns = [c for c, j in enumerate(cut.columns) if j == other.teachers]
        if rows:
            left, right = [1, arb(-1) / (one.size - 1)], [1, arb(-1) / (other.size - 1)]
            found.append(
                {
                    cut.fine.place[r, c]: x * y
                    for r, x in zip(rows, left, strict=True)
                    for c, y in zip(columns, right, strict=True)
                }
            )
    if found:
        dimension = (g.size - 1) * (h.size - 1)
        name = f"standard of {g.name} x standard of {h.name}"
        yield Component(name, dimension, cut, [_unit(cut.fine, e) for e in found])


@dataclass(frozen=True)
class _Square:
    """The p×p entries of a group's own students by its own teachers, cut into `parts`."""

    fine: Blocks
    rows: list[int]
    columns: list[int]
    parts: list[Any]

    def matrix(self, entry: Any) -> Sparse:
        """Return the direction with `entry(r, c, same)` in parts r, c; `same` on the diagonal."""
        found: dict[int, Any] = {}
        for r, row in enumerate(self.rows):
            for c, column in enumerate(self.columns):
                found[self.fine.place[row, column]] = entry(r, c, r == c)
            if self.parts[r] > 1:
                found[self.fine.place[row, None]] = entry(r, r, False)
        return found


def _unit(fine: Blocks, direction: Sparse) -> Sparse:
    """Divide a direction by its length in R^(n×k)."""
    kept = {u: x for u, x in direction.items() if not (isinstance(x, int) and x == 0)}
    square = sum((fine.entries[u] * (arb(x) * x) for u, x in kept.items()), arb(0))
    length = square.sqrt()
    return {u: arb(x) / length for u, x in kept.items()}
