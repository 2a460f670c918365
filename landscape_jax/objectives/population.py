"""The population risk of a two-layer ReLU student under a ReLU teacher, in closed form."""

import math
from collections.abc import Callable
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Int, Scalar

from landscape_jax.networks.realisation import realise
from landscape_jax.objectives import native
from landscape_jax.objectives.base import AbstractObjective, Known
from landscape_jax.objectives.gaussian import angle_coefficients, relu_expectation, relu_pull
from landscape_jax.objectives.teacher import (
    checked,
    checked_students,
    checked_weights,
    is_traced,
    teacher_symmetry,
)


class PopulationRisk(AbstractObjective):
    """The expected squared loss of a student against a teacher, over x ~ N(0, I), in closed form.

    F(W) = ½ E[(Σᵢ aᵢ relu(wᵢ·x) − Σⱼ bⱼ relu(vⱼ·x))²]
         = ½ Σ aᵢaₗ f(wᵢ, wₗ) − Σ aᵢbⱼ f(wᵢ, vⱼ) + ½ Σ bⱼbₗ f(vⱼ, vₗ),

    with f of `relu_expectation`.  Value, gradient and Hessian are closed forms behind the ordinary
    call: use `jax.grad`, `jax.hessian`, `vmap`, `jit` as with any function.

    F is twice continuously differentiable wherever no neuron is zero, parallel neurons included:
    there f(w, v) − w·v/2 is of the third order in the angle.  (Only the third derivative jumps.)
    At a zero neuron the gradient is the mean of the one-sided slopes in opposite directions.

    **Arguments:**

    - `teacher`: the teacher's neurons vⱼ, shape (k, d), one a row, any directions and norms.
    - `teacher_weights`: the second layer b, shape (k,); all ones where left out.
    - `student_weights`: the second layer a, shape (n,), fixed; all ones where left out.
    - `activation`: "relu".

    Call it with W, shape (n, d), one neuron a row; it computes in W's precision.

    **Raises:** `TypeError` and `ValueError` on arrays that are not floating or finite, or do not
    fit.

    Source: SS18, eq. 2, 6, 8, 10.

    ```python
    >>> import jax, jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> risk = lj.PopulationRisk(jnp.eye(3))
    >>> f"{risk(0.5 * jnp.eye(3)):.6f}"
    '0.306866'
    >>> jax.grad(risk)(0.5 * jnp.eye(3)).shape
    (3, 3)

    ```
    """

    teacher: Float[Array, "teachers dim"]
    teacher_weights: Float[Array, " teachers"]
    student_weights: Float[Array, " neurons"] | None
    activation: str = eqx.field(static=True)

    def __init__(self, teacher, *, teacher_weights=None, student_weights=None, activation="relu"):
        if activation != "relu":
            raise ValueError(f"activation is {activation!r}; the closed form is for 'relu'")
        self.teacher = checked("teacher", teacher, 2, "(teachers, dim)")
        k = self.teacher.shape[0]
        self.teacher_weights = (
            jnp.ones(k, self.teacher.dtype)
            if teacher_weights is None
            else checked_weights("teacher_weights", teacher_weights, k, "teachers")
        )
        self.student_weights = (
            None
            if student_weights is None
            else checked("student_weights", student_weights, 1, "(neurons,)")
        )
        self.activation = activation

    def __call__(self, W: Float[Array, "neurons dim"]) -> Scalar:
        """Give F(W)."""
        return _risk(W, *self._rest(W))

    def descend(
        self, params: Float[Array, "neurons dim"], rate: Scalar, steps: Int[Array, ""], *, most: int
    ) -> tuple[Array, Scalar, Array]:
        """Go some steps of gradient descent, on a CPU all of them in one call of the kernel."""
        V, a, b = self._rest(params)
        name = _kernel(params, V)
        in_xla = partial(super().descend, most=most)
        if name is None:
            return in_xla(params, rate, steps)

        def in_kernel(W: Array, rate: Array, steps: Array) -> tuple[Array, Array, Array]:
            few = jnp.minimum(steps, most).astype(jnp.int32)
            end, value, slope = native.descend(name, W, V, a, b, rate.astype(W.dtype), few)
            return end, value + _teacher_value(V, b), slope

        return jax.lax.platform_dependent(params, rate, steps, cpu=in_kernel, default=in_xla)

    def curvature(
        self, params: Float[Array, "neurons dim"]
    ) -> tuple[Array, Callable[[Array], Array]]:
        """Give ∇F(W) and the function D ↦ ∇²F(W) D, on a CPU by the kernel."""
        V, a, b = self._rest(params)
        name = _kernel(params, V)
        if name is None:
            return super().curvature(params)

        def in_kernel(along: Array) -> Array:
            return native.product(name, params, V, a, b, along)

        def in_xla(along: Array) -> Array:
            return jax.jvp(lambda W: _students_in_xla(W, V, a, b)[1], [params], [along])[1]

        def product(along: Array) -> Array:
            return jax.lax.platform_dependent(along, cpu=in_kernel, default=in_xla)

        return _students(params, V, a, b)[1], product

    def _rest(self, W: Array) -> tuple[Array, Array, Array]:
        """Give V, a and b in W's precision."""
        checked_students(W, self.teacher.shape[1], self.student_weights)
        a = jnp.ones(W.shape[0]) if self.student_weights is None else self.student_weights
        return (
            self.teacher.astype(W.dtype),
            a.astype(W.dtype),
            self.teacher_weights.astype(W.dtype),
        )

    def known(self, params: Float[Array, "neurons dim"]) -> Known:
        """Say the infimum, the value of a global run, and the symmetry group at W's shape.

        The infimum is 0 where the student can compute the teacher.  A run counts as global below
        1e-3 for an orthonormal teacher (SS18, section 3), in proportion to F(0) for another; while
        the teacher is traced, this alone is known.
        """
        k = self.teacher.shape[0]
        orthonormal = k / 4 + k * (k - 1) / (4 * math.pi)
        below_value = 1e-3 / orthonormal * _teacher_value(self.teacher, self.teacher_weights)
        if is_traced(self.teacher):
            return Known(below_value=below_value)
        weights = (
            np.ones(params.shape[0], self.teacher.dtype)
            if self.student_weights is None
            else np.asarray(self.student_weights)
        )
        teacher, teacher_weights = np.asarray(self.teacher), np.asarray(self.teacher_weights)
        reachable = realise(teacher, teacher_weights, weights) is not None
        return Known(
            infimum=0.0 if reachable else None,
            below_value=below_value,
            symmetry=teacher_symmetry(teacher, teacher_weights, weights),
        )


@jax.custom_jvp
def _risk(W: Array, V: Array, a: Array, b: Array) -> Array:
    return _students(W, V, a, b)[0] + _teacher_value(V, b)


@partial(_risk.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    W, V, a, b = primals
    dW, dV, da, db = map(_perturbation, tangents)
    value, slope = _students(W, V, a, b)
    tangent = jnp.zeros((), W.dtype) if dW is None else jnp.vdot(slope, dW)
    # Both nets are one of neurons u with signed weights c, F = ½ Σ cc' f(u, u'): then
    # ∂F/∂u = c Σ c' ∂f(u, u')/∂u, and by homogeneity ∂F/∂c = u·(∂F/∂u)/c.
    if not (dV is None and da is None and db is None):
        neurons, weights = jnp.concatenate([W, V]), jnp.concatenate([a, -b])
        pull = relu_pull(neurons, weights)
        of_students, of_teachers = pull[: len(W)], pull[len(W) :]
        if da is not None:
            tangent += jnp.vdot(jnp.sum(W * of_students, axis=1), da)
        if dV is not None:
            tangent -= jnp.vdot(b[:, None] * of_teachers, dV)
        if db is not None:
            tangent -= jnp.vdot(jnp.sum(V * of_teachers, axis=1), db)
    return value + _teacher_value(V, b), tangent


def _kernel(W: Array, V: Array) -> str | None:
    return native.target(W.dtype, W.shape, V.shape, angle_coefficients(W.dtype))


@jax.custom_jvp
def _students(W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Give F without its constant ½ Σ bb' f(v, v'), and ∂F/∂W."""
    name = _kernel(W, V)
    if name is None:
        return _students_in_xla(W, V, a, b)
    return jax.lax.platform_dependent(
        W, V, a, b, cpu=partial(native.students_part, name), default=_students_in_xla
    )


@partial(_students.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    changes = [_perturbation(t) for t in tangents]
    moved = [i for i, change in enumerate(changes) if change is not None]

    def of_moved(*arrays):
        operands = list(primals)
        for i, array in zip(moved, arrays, strict=True):
            operands[i] = array
        return _students_in_xla(*operands)

    at, along = [primals[i] for i in moved], [changes[i] for i in moved]
    return _students(*primals), jax.jvp(of_moved, at, along)[1]


def _students_in_xla(W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array]:
    neurons = jnp.concatenate([W, V])
    # The pairs of `relu_pull` below, so that value and gradient share them.
    pairs = relu_expectation(neurons, len(W))
    value = jnp.sum(a[:, None] * pairs * jnp.concatenate([a / 2, -b]))
    slope = relu_pull(neurons, jnp.concatenate([a, -b]), len(W))
    return value, a[:, None] * slope


@jax.jit
def _teacher_value(V: Array, b: Array) -> Array:
    return jnp.sum(b[:, None] * relu_expectation(V) * b) / 2


def _perturbation(tangent: Array | SymbolicZero) -> Array | None:
    return None if isinstance(tangent, SymbolicZero) else tangent
