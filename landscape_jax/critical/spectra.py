"""Spectra of Hessians, and the eigenvalues that zero padding adds."""

from typing import NamedTuple, TypeGuard

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from landscape_jax.arrays import is_traced
from landscape_jax.critical.checks import fitting, one_point
from landscape_jax.mistakes import explained, shown
from landscape_jax.objectives.base import AbstractObjective, hessian
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.objectives.protocols import smooth_radius
from landscape_jax.objectives.teacher import checked_students
from landscape_jax.proofs.estimates import float_hessian
from landscape_jax.proofs.problem import Problem, read_problem
from landscape_jax.symmetric.block_spectrum import block_spectrum

# From here on LAPACK takes longer than the isotypic components.
LARGE = 300


@explained
@jax.transfer_guard("allow")  # LAPACK works on the host.
def spectrum(objective: AbstractObjective, params: PyTree) -> Float[np.ndarray, " parameters"]:
    """Compute the eigenvalues of ∇²F at `params`, in increasing order.

    The eigenvalues are computed by LAPACK, accurate to eps · ‖∇²F‖ also where they repeat.  The
    Hessian of a relu `PopulationRisk` is taken in the span of students and teacher, n + k
    dimensions at most; each further dimension adds the eigenvalues of `padding_matrix` (SS18, lemma
    3).  At a point of more than 300 numbers that permutations of students and orthonormal
    teachers fix, they are those of the isotypic components (see `symmetric`), to 1e-11 of the
    largest.  Other Hessians are dense, and compiled once per shape.

    **Arguments:** `objective`; `params`, P numbers in any pytree.

    **Returns:** P eigenvalues; all NaN where F has no Hessian (a zero relu neuron), or an entry is
    not finite.

    **Raises:** `TypeError` if the objective is none, an array of `params` is not floating, or the
    call is traced, as under `jit`; `ValueError` if the params do not fit the objective.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> lj.spectrum(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)).round(4)
    array([0.0908, 0.4092, 0.5908, 0.9092])

    ```
    """
    objective, params = one_point(objective, params)
    if is_traced(objective, params):
        raise TypeError(
            "params or objective is traced, but LAPACK needs their values: call spectrum outside "
            "of jit and vmap, or take jnp.linalg.eigvalsh(hessian(objective, params))"
        )
    leaves = jax.tree.leaves(params)
    dtype, size = jnp.result_type(*leaves), sum(leaf.size for leaf in leaves)
    with fitting(objective, params):
        if not (is_finite(params) and smooth_radius(objective, params) > 0):
            return np.full(size, np.nan, dtype)
        if is_relu_risk(objective):
            return _in_span(objective, np.asarray(params)).astype(dtype)
        return eigenvalues(np.asarray(hessian(objective, params)))


def is_relu_risk(objective: AbstractObjective) -> TypeGuard[PopulationRisk]:
    """Check for a population risk whose derivatives are known in closed form."""
    return isinstance(objective, PopulationRisk) and objective.activation.slopes == (1.0, 0.0)


def eigenvalues(H: Float[np.ndarray, "size size"]) -> Float[np.ndarray, " size"]:
    """Compute the eigenvalues of a symmetric matrix, all NaN where an entry is not finite."""
    return np.linalg.eigvalsh(H) if np.isfinite(H).all() else np.full(len(H), np.nan, H.dtype)


class Reduced(NamedTuple):
    """A relu population risk at W in coordinates of the span of all neurons, in float64.

    `problem` and `point` in these coordinates; `left_out`: the number of dimensions outside the
    span, in each of which the Hessian is `padding_matrix`.
    """

    problem: Problem
    point: Float[np.ndarray, "neurons rank"]
    left_out: int


def reduced(risk: PopulationRisk, W: Float[np.ndarray, "neurons dim"]) -> Reduced:
    """Write the risk at W in an orthonormal basis of the span of students and teacher.

    F depends on inner products alone, so its value does not change.

    Source: SS18, lemma 3 and corollary 1.
    """
    problem, point = read_problem(risk, np.asarray(W, np.float64)), np.asarray(W, np.float64)
    neurons = np.concatenate([point, problem.teacher])
    count, dim = neurons.shape
    if count >= dim:
        return Reduced(problem, point, 0)
    basis = np.linalg.qr(neurons.T)[0]
    teacher = problem.teacher @ basis
    inside = Problem(teacher, problem.teacher_weights, problem.student_weights)
    return Reduced(inside, point @ basis, dim - count)


def _in_span(risk: PopulationRisk, W: np.ndarray) -> np.ndarray:
    """Compute the spectrum of a relu population risk, inside and outside of the neurons' span."""
    inside, left_out = None, W.shape[1] - len(risk.teacher)
    if W.size > LARGE and W.dtype == np.float64:
        inside = block_spectrum(read_problem(risk, W), W)
    if inside is None:
        problem, point, left_out = reduced(risk, W)
        inside = eigenvalues(float_hessian(problem, point))
    if not left_out:
        return inside
    outside = eigenvalues(np.asarray(_padding_matrix(risk, jnp.asarray(W)), np.float64))
    return np.sort(np.concatenate([inside, np.tile(outside, left_out)]))


def is_finite(params: PyTree) -> bool:
    """Check whether all entries of the parameters are finite."""
    return all(np.isfinite(np.asarray(leaf)).all() for leaf in jax.tree.leaves(params))


@explained
def padding_matrix(
    risk: PopulationRisk, W: Float[Array, "neurons dim"]
) -> Float[Array, "neurons neurons"]:
    """Compute Lemma 3's M, whose eigenvalues each coordinate with all neurons zero adds to ∇²F.

    With t the angle between two neurons,
    M_ij = aᵢaⱼ(π − t_ij)/2π for i ≠ j, and
    M_ii = aᵢ²/2 + aᵢ/(2π|wᵢ|) · [Σ_l a_l|w_l| sin t_il − Σ_j bⱼ|vⱼ| sin t_ij].

    **Arguments:** `risk`, a `PopulationRisk`; `W`, (n, d), without zero neurons.

    **Returns:** the (n, n) matrix; NaN in the row of a zero neuron.

    **Raises:** `TypeError` if `risk` is no population risk, or W not floating; `ValueError` if the
    activation is not relu, or W does not fit.

    Source: SS18, Lemma 3, there for second-layer weights 1.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> padding_matrix(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)).round(4).tolist()
    [[0.5, 0.25], [0.25, 0.5]]

    ```
    """
    if not isinstance(risk, PopulationRisk):
        raise TypeError(f"risk is {shown(risk)}; give a PopulationRisk")
    if risk.activation.slopes != (1.0, 0.0):
        raise ValueError(
            "risk does not fit: the padding matrix is that of 'relu', not of "
            f"{risk.activation.name!r}; take the spectrum at the padded point"
        )
    W = checked_students(W, risk.teacher.shape[1], risk.student_weights)
    V = risk.teacher.astype(W.dtype)
    a = jnp.ones(W.shape[0], W.dtype) if risk.student_weights is None else risk.student_weights
    a, b = a.astype(W.dtype), risk.teacher_weights.astype(W.dtype)
    sines, supplements = _angles(W, W)
    lengths = jnp.linalg.norm(W, axis=1)
    pull = sines @ (a * lengths) - _angles(W, V)[0] @ (b * jnp.linalg.norm(V, axis=1))
    return a[:, None] * a[None, :] * supplements / (2 * jnp.pi) + jnp.diag(
        a * pull / (2 * jnp.pi * lengths)
    )


_padding_matrix = eqx.filter_jit(padding_matrix)


@explained
@jax.transfer_guard("allow")
def padding_spectrum(
    risk: PopulationRisk, W: Float[Array, "neurons dim"]
) -> Float[np.ndarray, " neurons"]:
    """Compute the n eigenvalues that each further zero coordinate adds to the spectrum at W.

    **Arguments:** `risk`, a `PopulationRisk`; `W`, (n, d), without zero neurons.

    **Returns:** the eigenvalues of `padding_matrix`, in increasing order.

    **Raises:** as `padding_matrix`.

    Source: SS18, Lemma 3.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> padding_spectrum(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2)).round(4)
    array([0.25, 0.75])

    ```
    """
    return eigenvalues(np.asarray(_padding_matrix(risk, W)))


def _angles(
    U: Float[Array, "first dim"], V: Float[Array, "second dim"]
) -> tuple[Float[Array, "first second"], Float[Array, "first second"]]:
    """Compute sin t and π − t for all pairs, accurate at all angles (from sine and cosine of t/2).

    A zero row of V counts as at angle π/2, which its norm 0 makes irrelevant.
    """
    units_u = U / jnp.linalg.norm(U, axis=1, keepdims=True)
    norms_v = jnp.linalg.norm(V, axis=1, keepdims=True)
    units_v = V / jnp.where(norms_v > 0, norms_v, 1)
    apart = jnp.linalg.norm(units_u[:, None, :] - units_v[None, :, :], axis=2)
    along = jnp.linalg.norm(units_u[:, None, :] + units_v[None, :, :], axis=2)
    return apart * along / 2, 2 * jnp.arctan2(along, apart)
