"""The derivative of a critical point by the arrays of its objective."""

import dataclasses
from typing import Any, NamedTuple, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree, Scalar

from landscape_jax.arrays import count, floats, is_traced
from landscape_jax.critical.checks import fitting, magnitude, one_point
from landscape_jax.critical.classify import insignificant
from landscape_jax.critical.lanczos import flat_product, lanczos
from landscape_jax.critical.symmetry import default_tolerance
from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives.base import AbstractObjective, gradient_norm, hessian
from landscape_jax.objectives.protocols import smooth_radius
from landscape_jax.precision import times
from landscape_jax.search.initial_points import checked_tolerance, on_device
from landscape_jax.search.status import names

# Up to so many parameters the Hessian is held, and its spectrum computed.
_DENSE = 2048
# Beyond, Lanczos' method takes this many steps.
_STEPS = 1024
# A random vector has a component of about 1/√P of its length along each eigenvector: where the
# residual is below this share of it, all of them are resolved.
_SHARE = 1e-3


class SensitivityStatus(eqx.Enumeration):
    """Whether a critical point has a derivative by the objective's arrays, and why not."""

    solved = "the critical point is a differentiable function of the objective's arrays nearby"
    not_critical = "the gradient does not vanish: converge the point first, as `restart` does"
    singular = "an eigenvalue of the Hessian is zero to within its tolerance"
    no_hessian = "the objective has no finite Hessian there"
    unresolved = "the Lanczos steps did not resolve the smallest eigenvalue: raise `steps`"


class Sensitivity(NamedTuple):
    """The derivative of a critical point along a tangent of its objective.

    - `tangent`: dp, of the structure of the point, `None` for what is no array; NaN unless solved.
    - `status`: a `SensitivityStatus`.
    - `relative_error`: an estimate of the relative error of dp, from rounding and from the gradient
      at the point; NaN unless solved.
    """

    tangent: PyTree
    status: SensitivityStatus
    relative_error: Scalar

    @property
    def status_names(self) -> np.ndarray:
        """The status by name, an array of strings, without axes for one point."""
        return names(self.status)


@explained
def sensitivity(
    objective: AbstractObjective,
    point: PyTree,
    tangent: PyTree,
    *,
    gradient_tolerance: float | int | Scalar | None = None,
    eigenvalue_tolerance: float | int | Scalar | None = None,
    steps: SupportsIndex | None = None,
) -> Sensitivity:
    """Compute the derivative of a nonsingular critical point by the objective's arrays.

    Where ∇F(p; θ) = 0 and H = ∇²F(p; θ) is nonsingular, the critical point is a function of the
    arrays θ of the objective nearby, and by the implicit function theorem a change dθ moves it by

    dp = −H⁻¹ ∂_θ∇F(p; θ) dθ.

    So it answers how a minimum or saddle moves when the teacher, a label or a sample does, from one
    Hessian and one linear solve.  Up to 2048 parameters the Hessian is dense; beyond, Lanczos'
    method solves for dp, and for a random right-hand side, which shows the smallest eigenvalue.

    H is singular to working precision, and no derivative exists, where critical points are not
    isolated: with homogeneous activations (a, w) → (a/c, cw) changes nothing, so `freeze` one of
    both layers; neurons outside of the teacher's span can be rotated around it; those of output
    weight 0 can be anything.  An eigenvalue counts as zero up to
    P·eps·‖H‖ + √(2‖H‖‖∇F‖/ℓ), as in `families` and `index`, with ℓ the objective's unit of length.

    The call is pure: use it under `jit`, and under `vmap` over points or tangents.

    **Arguments:**

    - `objective`: any objective; θ are its floating leaves.
    - `point`: p, P parameters in any pytree, converged as by `restart` or `critical_points`.
    - `tangent`: dθ, a pytree like the objective, e.g. by `eqx.tree_at` or as the difference of two
      objectives, `None` for whatever does not move; or a dict from names of fields to their
      tangents.
    - `gradient_tolerance`: the gradient norm up to which the point is critical, in units of ∇F;
      1e-9 in float64 and 1e-5 in float32 where left out, as in `restart`.
    - `eigenvalue_tolerance`: the magnitude up to which an eigenvalue of H counts as zero, instead
      of the above.
    - `steps`: the Lanczos steps beyond 2048 parameters, 1024 where left out; it holds as many
      vectors of P numbers.

    **Returns:** a `Sensitivity`.  Nothing raises for a point that has no derivative: it is NaN, and
    the status says why.

    **Raises:** `TypeError` or `ValueError` if an argument has the wrong type, shape or range; the
    message names it.

    Source: the implicit function theorem; Dontchev and Rockafellar, Implicit Functions and Solution
    Mappings, section 1.2.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> V, dV = jnp.eye(2), jnp.array([[0.0, 1.0], [0.0, 0.0]])
    >>> found = lj.sensitivity(lj.PopulationRisk(V), V, {"teacher": dV})
    >>> str(found.status_names), bool(jnp.abs(found.tangent - dV).max() < 1e-5)
    ('solved', True)

    ```
    """
    alone, arrays = one_point(objective, point, "point")
    flat, _ = ravel_pytree(arrays)
    along = _checked_tangent(objective, tangent)
    if alone is not objective:  # The point holds more than arrays, which `alone` keeps.
        at_rest = jax.tree.map(lambda _: None, alone)
        along = eqx.tree_at(lambda frozen: frozen.objective, at_rest, along, is_leaf=_is_none)
    relative = checked_tolerance("gradient_tolerance", gradient_tolerance, flat.dtype, 1e-9)
    zero = magnitude("eigenvalue_tolerance", eigenvalue_tolerance)
    few = count("steps", _STEPS if steps is None else steps)
    with fitting(alone, arrays, "point"):
        return _solve(
            alone,
            along,
            arrays,
            on_device(relative, flat.dtype),
            None if zero is None else on_device(zero, flat.dtype),
            None if flat.size <= _DENSE else min(few, flat.size),
        )


def _is_none(leaf: Any) -> bool:
    return leaf is None


def _checked_tangent(objective: AbstractObjective, tangent: PyTree) -> PyTree:
    """Return the tangent of each floating leaf of the objective, `None` where it does not move.

    **Raises:** `TypeError` or `ValueError` if it is not like the objective.
    """
    if isinstance(tangent, dict):
        tangent = _of_fields(objective, tangent)
    try:
        jax.tree.map(lambda *_: None, tangent, objective, is_leaf=_is_none)
    except ValueError:
        raise ValueError(
            f"tangent is not like the objective, a {type(objective).__name__}: give an objective "
            "with the same static fields and the tangent of each array, None for what does not "
            "move; or a dict from names of fields to their tangents"
        ) from None
    return jax.tree_util.tree_map_with_path(_checked_leaf, tangent, objective, is_leaf=_is_none)


def _of_fields(objective: AbstractObjective, tangents: dict[str, Any]) -> PyTree:
    """Return the tangent of an objective of which some fields move."""
    known = [f.name for f in dataclasses.fields(objective) if not f.metadata.get("static", False)]
    for name in tangents:
        if name not in known:
            raise ValueError(
                f"tangent names {name!r}; the fields of {type(objective).__name__} that can move "
                f"are {', '.join(known)}"
            )
    return eqx.tree_at(
        lambda moved: [getattr(moved, name) for name in tangents],
        jax.tree.map(lambda _: None, objective),
        list(tangents.values()),
        is_leaf=_is_none,
    )


def _checked_leaf(path: Any, change: Any, part: PyTree) -> PyTree:
    """Return the tangent of a leaf, or of a whole part of the objective that does not move."""
    if change is None:
        return jax.tree.map(lambda _: None, part)
    name, floating = f"tangent{jax.tree_util.keystr(path)}", _is_floating(part)
    if part is None or not jax.tree_util.all_leaves([part]):
        there = "None" if part is None else f"a {type(part).__name__}"
        raise ValueError(
            f"{name} is {shown(change)}, where the objective has {there}; give a tangent like it, "
            "or None"
        )
    if not floating and not _is_zero(change, part):
        raise TypeError(f"{name} is of a leaf that is not floating, which cannot move; give None")
    if not floating:
        return None
    moved = floats(name, change)
    if moved.shape != jnp.shape(part):
        raise ValueError(f"{name} has shape {moved.shape}; the objective's is {jnp.shape(part)}")
    if not is_traced(moved) and not np.isfinite(np.asarray(moved)).all():
        raise ValueError(f"{name} has NaN or infinite entries; give finite numbers")
    return moved.astype(jnp.asarray(part).dtype)


def _is_floating(part: Any) -> bool:
    numbers = isinstance(part, jax.Array | np.ndarray | np.generic | float)
    return numbers and jnp.issubdtype(jnp.result_type(part), jnp.floating)


def _is_zero(change: Any, part: Any) -> bool:
    """Check for the zeros that `jnp.zeros_like` returns for a leaf of integers."""
    whole = isinstance(part, jax.Array | np.ndarray) and np.shape(change) == part.shape
    return whole and not is_traced(change) and not np.any(np.asarray(change, bool))


class _Solved(NamedTuple):
    """The solution x of Hx = b, and what of the spectrum of H decides whether there is one.

    - `norm`, the largest |λ|; `least`, the smallest; `least_upper`, an upper bound of that.
    - `error`: an estimate of the relative error of x that is not due to rounding.
    """

    x: Float[Array, " parameters"]
    norm: Scalar
    least: Scalar
    least_upper: Scalar
    error: Scalar


@eqx.filter_jit
def _solve(
    objective: AbstractObjective,
    tangent: PyTree,
    point: PyTree,
    relative: Scalar,
    tolerance: Scalar | None,
    steps: int | None,
) -> Sensitivity:
    flat, unravel = ravel_pytree(point)
    moves = jax.tree.map(lambda change: change is not None, tangent, is_leaf=_is_none)
    moving, fixed = eqx.partition(objective, moves)

    def gradient_of(moving: PyTree) -> Float[Array, " parameters"]:
        moved = eqx.combine(moving, fixed)
        return ravel_pytree(jax.grad(lambda p: moved(p))(point))[0]

    gradient, pull = jax.jvp(gradient_of, (jax.tree.map(jnp.asarray, moving),), (tangent,))
    if steps is None:
        found = _by_hessian(objective, point, -pull)
    else:
        found = _by_lanczos(objective, point, -pull, steps)
    # What follows decides, and has no derivative.
    gradient = jax.lax.stop_gradient(gradient)
    number = lambda value: jnp.asarray(value, flat.dtype)
    slope, units = jnp.linalg.norm(gradient), objective.known(point).units
    radius = number(smooth_radius(objective, point))
    length = jnp.minimum(radius, number(units.length))
    eps = float(jnp.finfo(flat.dtype).eps)
    usual = insignificant(found.norm, flat.size, eps, slope, length)
    least_sure = usual if tolerance is None else tolerance
    error = flat.size * eps * found.norm / found.least + found.error
    error += 2 * found.norm * slope / (length * found.least**2)

    kinds = SensitivityStatus
    resolved = (found.least > least_sure) & (found.error <= default_tolerance(flat.dtype))
    status = kinds.where(resolved, kinds.solved, kinds.unresolved)
    status = kinds.where(found.least_upper <= least_sure, kinds.singular, status)
    critical = gradient_norm(unravel(gradient)) <= relative * number(units.gradient)
    status = kinds.where(critical, status, kinds.not_critical)
    smooth = (radius > 0) & jnp.isfinite(found.norm) & jnp.isfinite(slope)
    status = kinds.where(smooth, status, kinds.no_hessian)
    is_solved = status == kinds.solved
    x = jnp.where(is_solved, found.x, number(jnp.nan))
    return Sensitivity(unravel(x), status, jnp.where(is_solved, error, number(jnp.nan)))


def _by_hessian(
    objective: AbstractObjective, point: PyTree, b: Float[Array, " parameters"]
) -> _Solved:
    """Solve by the dense Hessian."""
    H = hessian(objective, point)
    finite = jnp.isfinite(H).all()
    sizes = jnp.abs(jnp.linalg.eigvalsh(jax.lax.stop_gradient(jnp.where(finite, H, 0))))
    norm, least = jnp.where(finite, sizes.max(), jnp.asarray(jnp.nan, H.dtype)), sizes.min()
    # Masked before the solution, so that derivatives of what is solved are finite.
    regular = jnp.where(finite & (least > 0), H, jnp.eye(len(b), dtype=b.dtype))
    return _Solved(jnp.linalg.solve(regular, b), norm, least, least, jnp.zeros((), b.dtype))


def _by_lanczos(
    objective: AbstractObjective, point: PyTree, b: Float[Array, " parameters"], steps: int
) -> _Solved:
    """Solve in the Krylov space of b; that of a random vector v shows the smallest |λ|.

    v has components of about |v|/√P along all eigenvectors.  Where the residual of its solution is
    far smaller, all of them are resolved, and the smallest |θ| of the tridiagonal matrix is the
    smallest |λ|.  In any case there is an eigenvalue within |β_m s_m| of each θ, see
    `extreme_eigenvalues`.
    """
    product, flat, _ = flat_product(objective, point)
    key = jax.random.key(0)
    random = jax.random.normal(key, flat.shape, flat.dtype)

    def solve(right: Array) -> tuple[Array, ...]:
        size = jnp.linalg.norm(right)
        fitted = lanczos(product, jnp.where(size > 0, right, random), steps, key=key)
        values, vectors = fitted.eigh()
        x = size * times(times(vectors, vectors[0] / values), fitted.basis)
        rest = jnp.linalg.norm(right - product(x))
        near = jnp.abs(values) + jnp.abs(fitted.off[-1] * vectors[-1])
        return x, rest, jnp.abs(values).max(), jnp.abs(values).min(), near.min()

    # One after the other: memory is for `steps` vectors.
    x, rest, norm, least, near = jax.lax.map(solve, jnp.stack([b, random]))
    size = jnp.linalg.norm(x[0])
    error = jnp.where(size > 0, rest[0] / (least[1] * size), 0)
    resolved = rest[1] <= _SHARE * jnp.linalg.norm(random) / flat.size**0.5
    error = jnp.where(resolved, error, jnp.asarray(jnp.inf, flat.dtype))
    return _Solved(x[0], norm[1], least[1], near[1], error)
