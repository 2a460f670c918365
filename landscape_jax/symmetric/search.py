"""Search for all critical points with a given symmetry, whatever their index."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flint import arb
from jaxtyping import Array, Float, PRNGKeyArray

from landscape_jax.exact.working_precision import working_precision
from landscape_jax.mistakes import explained
from landscape_jax.precision import require_float64
from landscape_jax.proofs.blocks import Blocks, Form, dense, matched
from landscape_jax.proofs.isotypic import orbits_alone
from landscape_jax.proofs.point_symmetry import find_isotropy
from landscape_jax.proofs.problem import Problem
from landscape_jax.symmetric.family import PRECISION, SymmetricFamily

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
    columns = tuple(blocks if teacher_blocks is None else teacher_blocks)
    group = Blocks(
        tuple(blocks),
        columns,
        matched(blocks, columns),
        (1.0,) * len(blocks),
        (1.0,) * len(columns),
    )
    if orbits_alone(group):
        raise ValueError(
            "blocks: one of several students is matched to no teachers; its students would be "
            "equal, where the Hessian is always singular."
        )
    ends = np.asarray(_descend(_Reduced(group), key, starts))
    exact = Blocks(
        group.students, columns, group.match,
        tuple(arb(1) for _ in blocks), tuple(arb(1) for _ in columns),
    )  # fmt: skip
    grows = max(range(len(columns)), key=lambda j: columns[j]) if grows is None else grows
    found: list[SymmetricFamily] = []
    for x in _distinct(group, ends):
        try:
            family = SymmetricFamily(exact, x.tolist(), grows)
            family.spectrum(family.k)
        except ValueError:
            continue  # Degenerate: Newton's method leads elsewhere, or neurons are parallel.
        if not any(_equal(group, family, other) for other in found):
            found.append(family)
    return sorted(found, key=lambda family: family.value(family.k))


class _Reduced(eqx.Module):
    """F of the unknowns, in floats, for `jax`."""

    group: Blocks = eqx.field(static=True)

    def __call__(self, x: Float[Array, " unknowns"]) -> Float[Array, ""]:
        lengths = [_form(form, x) for form in self.group.lengths]
        total = jnp.zeros(())
        for a, p, length in zip(
            self.group.student_weights, self.group.students, lengths, strict=True
        ):
            total += a * a * p * length / 4
        for pair in self.group.pairs:
            one = lengths[pair.first]
            other = 1.0 if pair.second is None else lengths[pair.second]
            inner = x[pair.inner] if isinstance(pair.inner, int) else _form(pair.inner, x)
            # Rounding may leave less than 0 where two neurons are parallel.
            root = jnp.sqrt(jnp.maximum(one * other - inner**2, 1e-30))
            angle = jnp.arctan2(root, inner)
            total += pair.weight * (root + (jnp.pi - angle) * inner) / (2 * jnp.pi)
        return total


def _form(form: Form, x: Float[Array, " unknowns"]) -> Float[Array, ""]:
    return sum((c * x[u] * x[v] for u, v, c in form), jnp.zeros(()))


@partial(jax.jit, static_argnames=("reduced", "starts"))
def _descend(reduced: _Reduced, key: PRNGKeyArray, starts: int) -> Float[Array, "starts unknowns"]:
    """Take Levenberg–Marquardt steps from random points; NaN where the gradient stays."""
    group = reduced.group
    sizes = jnp.array(
        [e / group.students[i] for e, (i, _) in zip(group.entries, group.unknowns, strict=True)]
    )
    roots = jnp.sqrt(jnp.array(group.entries, float))
    spread = 1 / jnp.sqrt(sizes)

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
        x = spread * jax.random.normal(key, spread.shape)
        (y, _), _ = jax.lax.scan(step, (x * roots, jnp.array(1e-2)), length=STEPS)
        close = jnp.linalg.norm(jax.grad(at)(y)) < CLOSE
        return jnp.where(close, y / roots, jnp.nan)

    return jax.vmap(one)(jax.random.split(key, starts))


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
