"""The population risk's kernel for CPUs, `relu_risk.cc`, as functions of JAX."""

from collections.abc import Sequence

from jaxtyping import Array

from landscape_jax.native import loader

_SOURCE = loader.SOURCES / "relu_risk.cc"
_KERNELS = ("relu_risk", "relu_descend", "relu_product")
# Beyond, a group of students leaves the cache, and XLA's products are large enough to be good.
_MOST = 8192


def target(
    dtype, students: Sequence[int], teachers: Sequence[int], angle: Sequence[float]
) -> str | None:
    """Give the kernels' prefix; `None` to use XLA's code.

    **Arguments:** `dtype`; the shapes of W and V; `angle`, the coefficients of θ/sin θ.
    """
    (n, d), (k, _) = students, teachers
    if not 0 < (n + k) * d <= _MOST or n == 0:
        return None
    return loader.load(_SOURCE, _KERNELS, dtype, "RELU_ANGLE=" + ",".join(map(repr, angle)))


def students_part(prefix: str, W: Array, V: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Give value and slope; see `population._students`."""
    point, scalar = _types(W, V, a, b)
    slope, value = loader.call(prefix, "relu_risk", (point, scalar), W, V, a, b)
    return value, slope


def descend(
    prefix: str, W: Array, V: Array, a: Array, b: Array, rate: Array, steps: Array
) -> tuple[Array, Array, Array]:
    """Go `steps` steps w ← w − rate · slope; give where they end, and value and slope there."""
    point, scalar = _types(W, V, a, b, rate, steps)
    types, operands = (point, point, scalar), (W, V, a, b, rate, steps)
    end, slope, value = loader.call(prefix, "relu_descend", types, *operands)
    return end, value, slope


def product(prefix: str, W: Array, V: Array, a: Array, b: Array, along: Array) -> Array:
    """Give the Hessian's product with the direction `along`, of W's shape."""
    point, _ = _types(W, V, a, b, along)
    return loader.call(prefix, "relu_product", point, W, V, a, b, along)


def _types(*operands: Array):
    """Give the types of a result of W's shape and of a scalar."""
    W = operands[0]
    return loader.result(W.shape, W.dtype, *operands), loader.result((), W.dtype, *operands)
