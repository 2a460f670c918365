"""The population risk of a two-layer student under a teacher of the same activation."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Int, Scalar

from landscape_jax.arrays import checked, concretely, count, is_traced
from landscape_jax.networks.activations import Activation, Function, named
from landscape_jax.networks.realisation import realise
from landscape_jax.objectives import relu_risk
from landscape_jax.objectives.base import AbstractObjective, Known, Units
from landscape_jax.objectives.expectations import is_closed, pair_expectation
from landscape_jax.objectives.gaussian import angle_coefficients, relu_expectation, relu_pull
from landscape_jax.objectives.isometries import population_symmetry
from landscape_jax.objectives.matching import can_match, nearest_match
from landscape_jax.objectives.protocols import Attained, descend_by_grad, linearize_gradient
from landscape_jax.objectives.quadrature import quadrature_error
from landscape_jax.objectives.teacher import (
    checked_students,
    checked_weights,
    namespace,
    plain,
    scales,
)


class PopulationRisk(AbstractObjective):
    """The expected squared loss of a student against a teacher, over x ~ N(0, I), without samples.

    F(W) = ½ E[(Σᵢ aᵢ φ(wᵢ·x) − Σⱼ bⱼ φ(vⱼ·x))²]
         = ½ Σ aᵢaₗ f(wᵢ, wₗ) − Σ aᵢbⱼ f(wᵢ, vⱼ) + ½ Σ bⱼbₗ f(vⱼ, vₗ),

    with f(u, v) = E[φ(u·x) φ(v·x)] of `pair_expectation`: a closed form for relu, leaky, abs,
    linear, quadratic, every monomial, erf, sine, cosine and step, deterministic quadrature for any
    other φ, with `quadrature_error`.  Use `jax.grad`, `jax.hessian`, `vmap` and `jit` as with any
    function.

    For relu, F is twice continuously differentiable wherever no neuron is zero, parallel neurons
    included: there f(w, v) − w·v/2 is of the third order in the angle.  (Only the third derivative
    jumps.)  At a zero neuron the gradient is the mean of the one-sided derivatives in
    opposite directions.

    **Arguments:**

    - `teacher`: the teacher's neurons vⱼ, shape (k, d), one a row, any directions and norms.
    - `teacher_weights`: the second layer b, shape (k,); all ones where left out.
    - `student_weights`: the second layer a, shape (n,), fixed; all ones where left out.
    - `activation`: φ, a name, an elementwise function, or an `Activation`.
    - `order`: of the quadrature, see `default_order`; closed forms do not use it.

    Call it with W, shape (n, d), one neuron a row; it computes in W's precision.

    **Raises:** `TypeError` if an array is not of real numbers, W not floating, `order` not an
    integer or the activation not a name or function; `ValueError` if arrays are not finite or do
    not fit, the name is unknown or `order` is below 1.

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
    activation: Activation = eqx.field(static=True)
    order: int | None = eqx.field(static=True)

    def __init__(
        self,
        teacher,
        *,
        teacher_weights=None,
        student_weights=None,
        activation: str | Function | Activation = "relu",
        order: SupportsIndex | None = None,
    ):
        self.activation = named(activation)
        self.order = None if order is None else count("order", order)
        self.teacher = checked("teacher", teacher, 2, "(teachers, dim)")
        k = self.teacher.shape[0]
        weights = np.ones(k, self.teacher.dtype) if teacher_weights is None else teacher_weights
        self.teacher_weights = checked_weights("teacher_weights", weights, k, "teachers")
        self.student_weights = (
            None
            if student_weights is None
            else checked("student_weights", student_weights, 1, "(neurons,)")
        )

    def __call__(self, W: Float[Array | np.ndarray, "neurons dim"]) -> Scalar:
        """Return F(W)."""
        W, V, a, b = self._cast(W)
        if self._is_relu:
            return _risk(W, V, a, b)
        f = pair_expectation(self.activation, self.order)
        pairs = ((a, W, a, W), (a, W, b, V), (b, V, b, V))
        terms = (c[:, None] * f(u, v) * d[None] for c, u, d, v in pairs)
        students, across, teachers = map(jnp.sum, terms)
        return students / 2 - across + teachers / 2

    def quadrature_error(self, W: Float[Array, "neurons dim"]) -> Scalar:
        """Estimate the error of F(W) that the quadrature makes; 0 for a closed form.

        Formula: ½ Σ |aᵢaₗ| e(wᵢ, wₗ) + Σ |aᵢbⱼ| e(wᵢ, vⱼ) + ½ Σ |bⱼbₗ| e(vⱼ, vₗ), with e(u, v) of
        `landscape_jax.objectives.quadrature.quadrature_error`: errors of pairs are not assumed to
        cancel.

        ```python
        >>> import jax.numpy as jnp
        >>> import landscape_jax as lj
        >>> float(lj.PopulationRisk(jnp.eye(2)).quadrature_error(jnp.eye(2)))
        0.0
        >>> risk = lj.PopulationRisk(jnp.eye(2), activation="tanh", order=8)
        >>> bool(1e-6 < risk.quadrature_error(jnp.eye(2)) < 1e-2)
        True

        ```
        """
        W, V, a, b = self._cast(W)
        if is_closed(self.activation):
            return jnp.zeros((), W.dtype)
        neurons, weights = jnp.concatenate([W, V]), jnp.abs(jnp.concatenate([a, b]))
        errors = quadrature_error(self.activation, neurons, neurons, self.order)
        return jnp.sum(weights[:, None] * errors * weights[None]) / 2

    def descend(
        self, params: Float[Array, "neurons dim"], rate: Scalar, steps: Int[Array, ""], *, most: int
    ) -> tuple[Array, Scalar, Array]:
        """Advance by steps of gradient descent, for relu on a CPU in one call of the kernel."""
        params, V, a, b = self._cast(params)
        name = self._kernel(params, V)
        in_xla = partial(descend_by_grad, self, most=most)
        if name is None:
            return in_xla(params, rate, steps)

        def in_kernel(W: Array, rate: Array, steps: Array) -> tuple[Array, Array, Array]:
            few = jnp.minimum(steps, most).astype(jnp.int32)
            end, value, gradient = relu_risk.descend(name, W, V, a, b, rate.astype(W.dtype), few)
            return end, value + _teacher_value(V, b), gradient

        return jax.lax.platform_dependent(params, rate, steps, cpu=in_kernel, default=in_xla)

    def hessian_products(
        self, params: Float[Array, "neurons dim"]
    ) -> tuple[Scalar, Array, Callable[[Array], Array]]:
        """Return F(W), ∇F(W) and the function D ↦ ∇²F(W) D, for relu on a CPU by the kernel."""
        params, V, a, b = self._cast(params)
        name = self._kernel(params, V)
        if name is None:
            return linearize_gradient(self, params)

        def in_kernel(along: Array) -> Array:
            return relu_risk.product(name, params, V, a, b, along)

        def in_xla(along: Array) -> Array:
            return jax.jvp(lambda W: _students_in_xla(W, V, a, b)[1], [params], [along])[1]

        def product(along: Array) -> Array:
            return jax.lax.platform_dependent(along, cpu=in_kernel, default=in_xla)

        value, gradient = _students(params, V, a, b)
        return value + _teacher_value(V, b), gradient, product

    @property
    def _is_relu(self) -> bool:
        return self.activation.slopes == (1.0, 0.0)

    def _kernel(self, W: Array, V: Array) -> str | None:
        return _kernel(W, V) if self._is_relu else None

    def _cast(self, W: Array | np.ndarray) -> tuple[Array, Array, Array, Array]:
        """Return W, V, a and b in W's precision."""
        W = checked_students(W, self.teacher.shape[1], self.student_weights)
        ones = jnp.ones(W.shape[0], W.dtype)
        a = ones if self.student_weights is None else self.student_weights
        return (
            W,
            self.teacher.astype(W.dtype),
            a.astype(W.dtype),
            self.teacher_weights.astype(W.dtype),
        )

    def known(self, params: Float[Array, "neurons dim"]) -> Known:
        """Return the infimum, SS18's threshold, the symmetry group and the units at W's shape.

        The infimum is 0 where the student can compute the teacher by matching its neurons one by
        one.  `below_value` is 1e-3·s² where SS18 has it: a relu teacher of orthogonal rows of one
        length s, unit weights, and at least as many students (neurons on one ray added up, zeros
        left out); it is not known elsewhere.  The symmetry is that of `population_symmetry`.  The
        units are s² and s/α, with s the largest mass |Σ b|‖v‖ᵖ of a ray and α the largest |a|.
        While the teacher is traced, `below_value` (−∞ where there is none) and the units are all
        that is known.
        """
        threshold, units = self._scales(params.shape[0])
        if namespace(self.teacher, self.teacher_weights, self.student_weights) is jnp:
            return Known(below_value=threshold, units=units)
        nets = self._nets(params.shape[0])
        linear_pieces = self.activation.slopes is not None
        reachable = (
            realise(*nets) is not None if linear_pieces else can_match(self.activation, *nets)
        )
        return Known(
            infimum=0.0 if reachable else None,
            below_value=None if threshold == -math.inf else threshold,
            symmetry=population_symmetry(self.activation, *nets),
            units=units,
        )

    def _nets(self, students: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the teacher, its weights and those of so many students, which are known."""
        V, b, a = plain(self.teacher), plain(self.teacher_weights), self.student_weights
        return V, b, np.ones(students, V.dtype) if a is None else plain(a)

    def _scales(self, students: int) -> tuple[Any, Units]:
        """Return SS18's threshold, −∞ where it does not apply, and the units."""
        degree = self.activation.degree or 0
        layers = (self.teacher, self.teacher_weights, self.student_weights)
        threshold, value, length = scales(*layers, students, degree)
        return threshold if self._is_relu else None, Units(value, length)

    def nearest_minimizer(self, params: Float[Array, "neurons dim"]) -> Attained | None:
        """Return a nearby W at which student and teacher are one function, see `nearest_match`.

        It is not known, `None`, while W or the teacher is traced.
        """
        W = checked_students(params, self.teacher.shape[1], self.student_weights)
        if is_traced(W, self):
            return None
        V, b, a = self._nets(len(W))
        at = plain(W)
        return nearest_match(self.activation, V, b, a.astype(at.dtype), at)

    def balanced(
        self, params: Float[Array, "neurons dim"]
    ) -> tuple["PopulationRisk", Float[Array, "neurons dim"]]:
        """Return the risk of students of weight ±1, for φ(ct) = cᵖφ(t): w ← |a|^{1/p}w."""
        a, degree = self.student_weights, self.activation.degree
        if a is None or not degree or (not is_traced(a) and np.all(np.abs(plain(a)) == 1)):
            return self, params
        with concretely(a):
            scale, signs = (jnp.abs(a) ** (1 / degree)).astype(params.dtype), jnp.sign(a)
        return eqx.tree_at(lambda r: r.student_weights, self, signs), scale[:, None] * params

    def smooth_radius(self, params: Float[Array, "neurons dim"]) -> Any:
        """Return the length of the shortest neuron where φ has a kink at 0; 0 for a zero neuron."""
        lengths, kinks, xp = self._lengths(params)
        return xp.where(kinks.any(), 0, lengths.min())

    def kinks(self, params: Float[Array, "neurons dim"]) -> Any:
        """Find the neurons at which F has a kink, (n,): those of length 0 up to rounding."""
        return self._lengths(params)[1]

    def _lengths(self, W: Array) -> tuple[Any, Any, Any]:
        """Return the neurons' lengths, ∞ where F is smooth at 0, which are 0, and the namespace."""
        W = checked_students(W, self.teacher.shape[1], self.student_weights)
        a, slopes = self.student_weights, self.activation.slopes
        xp = namespace(W, self.teacher, self.teacher_weights, a)
        kinked = xp.full(len(W), slopes is not None and slopes[0] != slopes[1])
        kinked = kinked if a is None else kinked & (xp.asarray(a) != 0)
        lengths = xp.linalg.norm(xp.asarray(W), axis=1)
        lengths = xp.where(kinked, lengths, xp.asarray(xp.inf, lengths.dtype))
        tiny = float(jnp.finfo(W.dtype).eps) * self._scales(len(W))[1].length
        return lengths, lengths <= tiny, xp


@jax.custom_jvp
def _risk(W: Array, V: Array, a: Array, b: Array) -> Array:
    return _students(W, V, a, b)[0] + _teacher_value(V, b)


@partial(_risk.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    W, V, a, b = primals
    dW, dV, da, db = map(_perturbation, tangents)
    if dV is None and db is None and da is not None:
        value, gradient, of_weights = _both_layers(W, V, a, b)
        tangent = jnp.vdot(of_weights, da)
        tangent += 0 if dW is None else jnp.vdot(gradient, dW)
        return value + _teacher_value(V, b), tangent
    value, gradient = _students(W, V, a, b)
    tangent = jnp.zeros((), W.dtype) if dW is None else jnp.vdot(gradient, dW)
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
    return relu_risk.target(W.dtype, W.shape, V.shape, angle_coefficients(W.dtype))


@jax.custom_jvp
def _students(W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Compute F without its constant ½ Σ bb' f(v, v'), and ∂F/∂W."""
    name = _kernel(W, V)
    if name is None:
        return _students_in_xla(W, V, a, b)
    return jax.lax.platform_dependent(
        W, V, a, b, cpu=partial(relu_risk.students_part, name), default=_students_in_xla
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


@jax.custom_jvp
def _both_layers(W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Compute F without its constant, ∂F/∂W and ∂F/∂a = (wᵢ·∂F/∂wᵢ)/aᵢ by the same kernel.

    A weight so small that F does not feel it is moved away from 0.
    """
    if _kernel(W, V) is None:
        return _both_layers_in_xla(W, V, a, b)
    tiny = float(jnp.finfo(a.dtype).tiny) ** 0.5
    a = a + jnp.where(jnp.abs(a) < tiny, jnp.asarray(tiny, a.dtype), 0)
    value, gradient = _students(W, V, a, b)
    return value, gradient, jnp.sum(W * gradient, axis=1) / a


@_both_layers.defjvp
def _(primals, tangents):
    return _both_layers(*primals), jax.jvp(_both_layers_in_xla, primals, tangents)[1]


def _both_layers_in_xla(W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    value, _ = _students_in_xla(W, V, a, b)
    pull = relu_pull(jnp.concatenate([W, V]), jnp.concatenate([a, -b]), len(W))
    return value, a[:, None] * pull, jnp.sum(W * pull, axis=1)


def _students_in_xla(W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array]:
    neurons = jnp.concatenate([W, V])
    # The pairs of `relu_pull` below, so that value and gradient share them.
    pairs = relu_expectation(neurons, len(W))
    value = jnp.sum(a[:, None] * pairs * jnp.concatenate([a / 2, -b])[None])
    pull = relu_pull(neurons, jnp.concatenate([a, -b]), len(W))
    return value, a[:, None] * pull


@jax.jit
def _teacher_value(V: Array, b: Array) -> Array:
    return jnp.sum(b[:, None] * relu_expectation(V) * b[None]) / 2


def _perturbation(tangent: Array | SymbolicZero) -> Array | None:
    return None if isinstance(tangent, SymbolicZero) else tangent
