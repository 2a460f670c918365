"""Activations: elementwise functions, and the properties that theory uses."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from landscape_jax.mistakes import explained, shown
from landscape_jax.networks.static_parts import StaticPart
from landscape_jax.public_names import defined

__dir__ = defined(__name__)

Function = Callable[[Array], Array]
Parity = Literal["odd", "even"]


@dataclass(frozen=True)
class PiecewiseLinear:
    """h(t) = s₊ t for t > 0 and s₋ t for t ≤ 0; at 0 its derivative is taken to be s₋."""

    plus: float
    minus: float

    def __call__(self, t: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return h(t)."""
        return jnp.where(t > 0, self.plus * t, self.minus * t)


@dataclass(frozen=True)
class Monomial:
    """φ(t) = t^p."""

    power: int

    def __call__(self, t: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return t^p."""
        return t**self.power


@dataclass(frozen=True)
class Activation(StaticPart):
    """An elementwise function and its known properties; static, equal where its parts are.

    - `function`: of an array, elementwise.
    - `degree`: p where φ(ct) = c^p φ(t) for all c > 0, else `None`.
    - `slopes`: (s₊, s₋) where φ is `PiecewiseLinear`, else `None`.
    - `kinks`: the points where φ is not differentiable.
    - `parity`: "odd" where φ(−t) = −φ(t), "even" where φ(−t) = φ(t), else `None`.

    Degree and parity are symmetries of every network with this φ, modulo which `families` counts
    its critical points; declare them for a function of your own.

    ```python
    >>> import jax.numpy as jnp
    >>> from landscape_jax.networks import activations
    >>> leaky = activations.leaky(1.0, 0.1)
    >>> leaky(jnp.array([-2.0, 3.0])).tolist(), leaky.degree, leaky.slopes
    ([-0.2, 3.0], 1, (1.0, 0.1))
    >>> f"{activations.named('tanh').derivative(2)(jnp.array(0.5)):.4f}"
    '-0.7269'
    >>> cube = activations.Activation("cube", lambda t: t**3, degree=3, parity="odd")
    >>> cube(jnp.array([-2.0])).tolist()
    [-8.0]

    ```
    """

    name: str
    function: Function
    degree: int | None = None
    slopes: tuple[float, float] | None = None
    kinks: tuple[float, ...] = ()
    parity: Parity | None = None

    def __call__(self, t: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return φ(t), elementwise."""
        return self.function(t)

    def __reduce__(self) -> tuple[Callable, tuple]:
        known = _KNOWN.get(self.name) == self
        return (named, (self.name,)) if known else super().__reduce__()

    def derivative(self, order: int = 1) -> Function:
        """Return the derivative of this order, elementwise; at a kink, the side that JAX takes."""

        def derive(function: Function) -> Function:
            def derived(t: Array) -> Array:
                return jax.jvp(function, (t,), (jnp.ones_like(t),))[1]

            return derived

        result: Function = self.function
        for _ in range(order):
            result = derive(result)
        return result


@explained
def leaky(plus: float | int, minus: float | int) -> Activation:
    """Return h_{s₊,s₋}: slope `plus` for positive, `minus` for negative arguments."""
    slopes = float(plus), float(minus)
    kinks = () if plus == minus else (0.0,)
    parity = "odd" if plus == minus else "even" if plus == -minus else None
    return Activation(f"h({plus:g}, {minus:g})", PiecewiseLinear(*slopes), 1, slopes, kinks, parity)


@explained
def monomial(power: int) -> Activation:
    """Return t ↦ t^power, for a power of at least 0."""
    if power < 0:
        raise ValueError(f"power is {power}; it must be at least 0")
    parity = "odd" if power % 2 else "even"
    return Activation(f"t^{power}", Monomial(power), power, parity=parity)


def _step(t: Array) -> Array:
    return jnp.where(t > 0, 1.0, 0.0).astype(t.dtype)


_KNOWN = {
    known.name: known
    for known in (
        replace(leaky(1, 0), name="relu"),
        replace(leaky(1, 0.01), name="leaky"),
        replace(leaky(1, -1), name="abs"),
        replace(leaky(1, 1), name="linear"),
        replace(monomial(2), name="quadratic"),
        Activation("erf", jax.lax.erf, parity="odd"),
        Activation("sigmoid", jax.nn.sigmoid),
        Activation("tanh", jnp.tanh, parity="odd"),
        Activation("arctan", jnp.arctan, parity="odd"),
        Activation("elu", jax.nn.elu),
        Activation("selu", jax.nn.selu, kinks=(0.0,)),
        Activation("softplus", jax.nn.softplus),
        Activation("sine", jnp.sin, parity="odd"),
        Activation("cosine", jnp.cos, parity="even"),
        Activation("step", _step, 0, None, (0.0,)),
    )
}
NAMES = tuple(_KNOWN)
# Known activations by function, for users who pass JAX's own.
_FUNCTIONS = {known.function: known for known in _KNOWN.values()} | {
    jax.nn.relu: _KNOWN["relu"],
    jax.nn.leaky_relu: _KNOWN["leaky"],
    jnp.abs: _KNOWN["abs"],
}


@explained
def named(activation: str | Function | Activation) -> Activation:
    """Return the activation of a name, or a user's function as an activation.

    **Raises:** `ValueError` if a name is not known; `TypeError` if it is not a name or function, or
    holds arrays, as `eqx.nn.PReLU` does.
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        if activation not in _KNOWN:
            raise ValueError(
                f"activation is {activation!r}; it must be a function or one of {', '.join(NAMES)}"
            )
        return _KNOWN[activation]
    if not callable(activation):
        raise TypeError(
            f"activation is {shown(activation)}; give a name or an elementwise function"
        )
    made = Activation(getattr(activation, "__name__", shown(activation)), activation)
    return _FUNCTIONS.get(activation, made)
