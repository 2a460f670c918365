"""The population risk's CPU kernels, `relu_risk.cc`, as JAX functions."""

from collections.abc import Sequence

from jaxtyping import Array

from landscape_jax.native import loader

_SOURCE = loader.SOURCES / "relu_risk.cc"
_KERNELS = ("relu_risk", "relu_descend", "relu_product")
# Beyond this size a group of students leaves the cache, and XLA's matrix products are efficient.
_MOST = 8192


def target(
    dtype, students: Sequence[int], teachers: Sequence[int], angle: Sequence[float]
) -> str | None:
    """Return the kernels' prefix; `None` to use XLA's code.

    **Arguments:** `dtype`; the shapes of W and V; `angle`, the coefficients of θ/sin θ.
    """
    (n, d), (k, _) = students, teachers
    if not 0 < (n + k) * d <= _MOST or n == 0:
        return None
    return loader.load(_SOURCE, _KERNELS, dtype, "RELU_ANGLE=" + ",".join(map(repr, angle)))


def students_part(prefix: str, W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Compute value and gradient; see `population._students`."""
    point, scalar = _types(W, V, a, b)
    gradient, value = loader.call(prefix, "relu_risk", (point, scalar), W, V, a, b)
    return value, gradient


def descend(
    prefix: str, W: Array, V: Array, a: Array, b: Array, rate: Array, steps: Array
) -> tuple[Array, Array, Array]:
    """Advance by `steps` steps W ← W − rate ∇F; return the end, and value and gradient there."""
    point, scalar = _types(W, V, a, b, rate, steps)
    types, operands = (point, point, scalar), (W, V, a, b, rate, steps)
    end, gradient, value = loader.call(prefix, "relu_descend", types, *operands)
    return end, value, gradient


def product(prefix: str, W: Array, V: Array, a: Array, b: Array, along: Array) -> Array:
    """Compute the Hessian-vector product with the direction `along`, of W's shape."""
    point, _ = _types(W, V, a, b, along)
    return loader.call(prefix, "relu_product", point, W, V, a, b, along)


def _types(*operands: Array):
    """Return the types of a result of W's shape and of a scalar."""
    W = operands[0]
    return loader.result(W.shape, W.dtype, *operands), loader.result((), W.dtype, *operands)
