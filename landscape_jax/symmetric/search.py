"""Search for all critical points with a given symmetry, whatever their index."""

from collections.abc import Sequence
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flint import arb
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from landscape_jax.arrays import count
from landscape_jax.exact.working_precision import working_precision
from landscape_jax.machine import require_memory
from landscape_jax.mistakes import explained
from landscape_jax.precision import require_float64
from landscape_jax.proofs.blocks import Blocks, Form, dense, matched
from landscape_jax.proofs.isotypic import orbits_alone
from landscape_jax.proofs.point_symmetry import find_isotropy
from landscape_jax.proofs.problem import Problem
from landscape_jax.symmetric.family import (
    PRECISION,
    SymmetricFamily,
    checked_blocks,
    growing,
)

STEPS = 150
# A gradient below this, relative to 1, is close enough for Newton's method to do the rest.
CLOSE = 1e-10
# Unknowns closer than this are one point's.
SAME = 1e-7


@explained
def fixed_points(
    blocks: Sequence[int],
    *,
    teacher_blocks: Sequence[int] | None = None,
    starts: int = 1000,
    key: PRNGKeyArray,
    grows: int | None = None,
) -> list[SymmetricFamily]:
    """Search a fixed space for critical points of exactly its symmetry, of any index.

    Levenberg–Marquardt steps on ∇F = 0 in the unknowns of the fixed space, from random points, all
    at once; gradient descent in R^(n×k) would miss the saddles.  Points with a zero neuron, and
    those that a larger product of symmetric groups fixes, are left out.  A search proves nothing
    about points that it does not find.

    **Arguments:** `blocks`, `teacher_blocks`, `grows` as in `symmetric_family`; `starts`, how many
    random points: each neuron's coordinates are normal, with squared length about 1; `key`.

    **Returns:** families, lowest value first.

    **Raises:** `ValueError` for blocks that do not fit, or equal students; where float64 is off.

    ```python
    >>> jax.config.update("jax_enable_x64", True)
    >>> found = fixed_points([1, 5], starts=200, key=jax.random.key(0))
    >>> [(round(f.value(6), 4), f.prove(6).index) for f in found][:1]
    [(0.0251, 0)]

    ```
    """
    require_float64("fixed_points")
    students, columns = checked_blocks(blocks, teacher_blocks)
    starts = count("starts", starts)
    require_memory(8.0 * starts * 64**2, f"the matrices of {starts} starts", "give fewer")
    group = Blocks(
        students,
        columns,
        matched(students, columns),
        (1.0,) * len(students),
        (1.0,) * len(columns),
    )
    if orbits_alone(group):
        raise ValueError(
            "blocks: one of several students is matched to no teachers; its students would be "
            "equal, where the Hessian is always singular."
        )
    entries = np.array(group.entries, float)
    # Of one neuron's unknown, how many coordinates it is: their squares add up to about 1.
    alike = entries / np.array([group.students[i] for i, _ in group.unknowns])
    keys = jax.random.split(key, starts)
    reduced = _Reduced(group)
    ends = np.asarray(_descend(reduced, jnp.array(entries), jnp.array(alike**-0.5), keys))
    exact = Blocks(
        group.students, columns, group.match,
        tuple(arb(1) for _ in students), tuple(arb(1) for _ in columns),
    )  # fmt: skip
    block = growing(exact, grows)
    found: list[SymmetricFamily] = []
    for x in _distinct(group, ends):
        try:
            family = SymmetricFamily(exact, x.tolist(), block)
            spectrum = family.spectrum(family.k)
        except ValueError:
            continue  # Newton's method leads elsewhere, or neurons are parallel.
        if min(abs(eigenvalue) for eigenvalue, _ in spectrum) < SAME:
            continue
        if not any(_equal(group, family, other) for other in found):
            found.append(family)
    return sorted(found, key=lambda family: family.value(family.k))


class _Reduced(eqx.Module):
    """F of the unknowns x, but for its constant, in floats: sums over pairs of neurons at once.

    `squares`: |w|² of each student block is xᵀ(·)x; `own`, their factors in F.  `inners`: the inner
    products of pairs of students; of a student and a teacher it is x itself.  `first` and `second`
    number the student blocks of all pairs, with −1 for a teacher; `weights`, their factors.
    """

    squares: Float[Array, "blocks unknowns unknowns"]
    own: Float[Array, " blocks"]
    inners: Float[Array, "students unknowns unknowns"]
    first: Int[Array, " pairs"]
    second: Int[Array, " pairs"]
    weights: Float[Array, " pairs"]

    def __init__(self, group: Blocks):
        pairs, size = group.pairs, len(group.unknowns)
        students = [pair for pair in pairs if pair.second is not None]
        assert pairs[: len(students)] == students, "teachers come last."
        self.squares = jnp.asarray(_matrices(group.lengths, size))
        a, p = np.array(group.student_weights), np.array(group.students)
        self.own = jnp.asarray(a * a * p / 4)
        self.inners = jnp.asarray(_matrices([cast(Form, q.inner) for q in students], size))
        self.first = jnp.array([pair.first for pair in pairs])
        self.second = jnp.array([-1 if q.second is None else q.second for q in pairs])
        self.weights = jnp.array([float(pair.weight) for pair in pairs])

    def __call__(self, x: Float[Array, " unknowns"]) -> Float[Array, ""]:
        lengths = jnp.einsum("bij,i,j->b", self.squares, x, x)
        one, other = lengths[self.first], jnp.append(lengths, 1.0)[self.second]
        # `Blocks` lists pairs with teachers in the order of the unknowns.
        inner = jnp.concatenate([jnp.einsum("bij,i,j->b", self.inners, x, x), x])
        # Rounding may leave less than 0 where two neurons are parallel.
        root = jnp.sqrt(jnp.maximum(one * other - inner**2, 1e-30))
        angle = jnp.arctan2(root, inner)
        crossed = (root + (jnp.pi - angle) * inner) / (2 * jnp.pi)
        return jnp.dot(self.own, lengths) + jnp.dot(self.weights, crossed)


def _matrices(forms: list[Form], size: int) -> Float[np.ndarray, "forms size size"]:
    """Write bilinear forms as matrices."""
    tables = np.zeros((len(forms), size, size))
    for table, form in zip(tables, forms, strict=True):
        for u, v, factor in form:
            table[u, v] += factor
    return tables


@eqx.filter_jit
def _descend(
    reduced: _Reduced,
    entries: Float[Array, " unknowns"],
    spread: Float[Array, " unknowns"],
    keys: Key[Array, " starts"],
) -> Float[Array, "starts unknowns"]:
    """Take Levenberg–Marquardt steps from random points; NaN where the gradient stays.

    `entries`, how often each unknown occurs in W; `spread`, its standard deviation at the start.
    """
    roots = jnp.sqrt(entries)

    def at(y: Float[Array, " unknowns"]) -> Float[Array, ""]:
        return reduced(y / roots)

    def step(carry: Any, _: None) -> tuple[Any, None]:
        y, damping = carry
        slope, bend = jax.grad(at)(y), jax.hessian(at)(y)
        square = bend @ bend + damping * jnp.eye(len(y))
        new = y - jnp.linalg.solve(square, bend @ slope)
        better = jnp.sum(jax.grad(at)(new) ** 2) < jnp.sum(slope**2)
        damping = jnp.clip(jnp.where(better, damping / 4, damping * 4), 1e-14, 1e6)
        return (jnp.where(better, new, y), damping), None

    def one(key: PRNGKeyArray) -> Float[Array, " unknowns"]:
        y = roots * spread * jax.random.normal(key, spread.shape)
        (y, _), _ = jax.lax.scan(step, (y, jnp.array(1e-2)), length=STEPS)
        close = jnp.linalg.norm(jax.grad(at)(y)) < CLOSE
        return jnp.where(close, y / roots, jnp.nan)

    return jax.vmap(one)(keys)


def _distinct(
    group: Blocks, ends: Float[np.ndarray, "starts unknowns"]
) -> list[Float[np.ndarray, " unknowns"]]:
    """List the points found, each once, without zero neurons and larger symmetry."""
    found: list[Float[np.ndarray, " unknowns"]] = []
    for x in ends[np.isfinite(ends).all(axis=1)]:
        lengths = [sum(c * x[u] * x[v] for u, v, c in form) for form in group.lengths]
        if min(lengths) < 1e-8 or any(np.max(np.abs(x - y)) < SAME for y in found):
            continue
        if _exact_symmetry(group, x):
            found.append(x)
    return found


def _exact_symmetry(group: Blocks, x: Float[np.ndarray, " unknowns"]) -> bool:
    """Check that no larger product of symmetric groups fixes the point.

    Which inner products are equal is seen as well with at most three of each block.
    """
    small = Blocks(
        tuple(min(p, 3) for p in group.students),
        tuple(min(q, 3) for q in group.teachers),
        group.match,
        group.student_weights,
        group.teacher_weights,
    )
    if len(small.unknowns) != len(x):
        return True
    point = dense(small, x.tolist())
    n, k = point.shape
    found = find_isotropy(Problem(np.eye(k), np.ones(k), np.ones(n)), point)
    sizes = (sorted(small.students), sorted(small.teachers))
    return tuple(map(sorted, found.sizes)) == sizes


def _equal(group: Blocks, one: SymmetricFamily, other: SymmetricFamily) -> bool:
    """Check whether two families are one up to the order of blocks of equal sizes."""
    with working_precision(PRECISION):
        value = abs(one.value(one.k) - other.value(other.k))
    spectra = zip(one.spectrum(one.k), other.spectrum(other.k), strict=True)
    return value < SAME**2 * 100 + 1e-12 and all(abs(p[0] - q[0]) < 1e-8 for p, q in spectra)
