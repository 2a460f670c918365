"""Theorem 3 and corollaries 1, 2 of SS16: above the loss of the output 0, there is a way down."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from landscape_jax.networks import Mlp, TwoLayer
from landscape_jax.objectives import EmpiricalRisk

# How far the best scale of the end may be above 1, in units of the precision: its rounding.
_ROUNDING = 1e3
_BATCH = 256


class Ray(NamedTuple):
    """The loss (1/m)‖aN − y‖² of a network's outputs N, scaled by a > 0.

    - `value`: at a = 1; `ceiling`: (1/m)‖y‖², that of the output 0.
    - `best`: a* = N·y/‖N‖², where it is least; 0 where N = 0.
    - `slope`: its derivative at a = 1, (2/m)(‖N‖² − N·y).
    """

    value: Scalar
    ceiling: Scalar
    best: Scalar
    slope: Scalar


def scale_output(network: Mlp | TwoLayer, scale: float | Float[Array, ""]) -> Mlp | TwoLayer:
    """Multiply the output layer, weights and bias, by a number, and so all outputs.

    To multiply all weights, as the paper does, scales the outputs only where no layer behind the
    first has a bias.

    ```python
    >>> import jax.numpy as jnp, landscape_jax as lj
    >>> net = lj.Mlp([jnp.eye(2), jnp.ones((1, 2))], [jnp.ones(2), jnp.ones(1)])
    >>> scale_output(net, 3.0)(jnp.array([[1.0, 0.0]])).tolist()
    [[12.0]]

    ```
    """
    if isinstance(network, TwoLayer):
        last, bias = network.W2, network.b2
        where = lambda n: (n.W2, n.b2)
    else:
        last, bias = network.weights[-1], network.biases[-1]
        where = lambda n: (n.weights[-1], n.biases[-1])
    new = scale * last, None if bias is None else scale * bias
    return eqx.tree_at(where, network, new, is_leaf=lambda leaf: leaf is None)


@eqx.filter_jit
def ray(
    x: Float[Array, "samples inputs"],
    y: Float[Array, " labels"],
    network: Callable[[Float[Array, "samples inputs"]], Float[Array, "samples 1"]],
) -> Ray:
    """Give the loss of a network with a linear output layer as that layer is scaled.

    Where value > ceiling, ‖N‖² > 2 N·y, so slope > (1/m)‖N‖² > 0: a little less of the output is
    lower, and the network is no local minimum.  So no local minimum is above (1/m)‖y‖², whatever
    the depth, the activation of the hidden layers and the biases; theorem 3's path is not needed.
    For a two-layer ReLU network the same holds over its first layer alone: there too aN is reached.

    **Arguments:** `x`, (m, inputs); `y`, (m,); `network`, a function from samples to (m, 1).

    **Returns:** a `Ray`.

    Source: SS16, corollaries 1 and 2.

    ```python
    >>> import jax.numpy as jnp, landscape_jax as lj
    >>> net = lj.Mlp([jnp.ones((1, 1)), -jnp.ones((1, 1))])
    >>> [float(t) for t in ray(jnp.ones((1, 1)), jnp.array([0.5]), net)]
    [2.25, 0.25, -0.5, 3.0]

    ```
    """
    N = _outputs(x, y, network)
    size, along = jnp.sum(N**2), jnp.sum(N * y)
    return Ray(
        value=jnp.mean((N - y) ** 2),
        ceiling=jnp.mean(y**2),
        best=jnp.where(size > 0, along / jnp.where(size > 0, size, 1), 0),
        slope=2 * (size - along) / len(y),
    )


class Segment(eqx.Module):
    """The straight path of parameters from one network to another: (1 − t) start + t end.

    **Arguments:** `start` and `end`, networks of the same shapes.
    """

    start: Mlp | TwoLayer
    end: Mlp | TwoLayer

    def __call__(self, t: Float[Array, ""]) -> Mlp | TwoLayer:
        """Give the network at t, from 0 to 1."""
        (a, static), (b, _) = (eqx.partition(n, eqx.is_array) for n in (self.start, self.end))
        between = jax.tree.map(lambda p, q: (1 - t) * p + t * q, a, b)
        return eqx.combine(between, static)


class DecreasingPath(eqx.Module):
    """A path of networks on which the loss falls strictly; see `decreasing_path`."""

    x: Float[Array, "samples inputs"]
    y: Float[Array, " labels"]
    path: Callable[[Float[Array, ""]], Mlp | TwoLayer]
    excess: Scalar
    last_scale: Scalar

    def scale(self, s: Float[Array, ""]) -> Scalar:
        """Give the factor of the output layer at s."""
        t = jnp.minimum(2 * s, 1)
        N = _outputs(self.x, self.y, self.path(t))
        size, along = jnp.sum(N**2), jnp.sum(N * self.y)
        left = self.excess * (1 - t)
        root = jnp.sqrt(along**2 + size * left)
        # Both are the positive root; each without cancellation for its sign of N·y.
        first = jnp.where(
            along > 0, (along + root) / size, left / jnp.where(along > 0, 1, root - along)
        )
        return jnp.where(s <= 0.5, first, self.last_scale * (2 - 2 * s) + (2 * s - 1))

    def __call__(self, s: Float[Array, ""]) -> Mlp | TwoLayer:
        """Give the network at s, from 0 to 1."""
        return scale_output(self.path(jnp.minimum(2 * s, 1)), self.scale(s))


class PathCheck(NamedTuple):
    """What was seen of a path at equally spaced points s.

    - `s`, `values`: the points, and the losses (1/m) Σ (q(x) − y)² of the networks there.
    - `is_decreasing`: whether each is less than the one before; `least_drop`: the least decrease.
    - `least_output`: the least ‖N‖/√m of the unscaled path there; 0 refutes the assumption.
    """

    s: Float[Array, " points"]
    values: Float[Array, " points"]
    is_decreasing: bool
    least_drop: float
    least_output: float


def decreasing_path(
    x: Float[Array, "samples inputs"],
    y: Float[Array, " labels"],
    path: Callable[[Float[Array, ""]], Mlp | TwoLayer],
) -> DecreasingPath:
    """Turn a path of networks into one on which the loss falls strictly.

    Let N_t be the outputs of `path`(t), and ‖N₀ − y‖² > ‖y‖².  With the output layer scaled by

    a_t = (N_t·y + √((N_t·y)² + ‖N_t‖²(‖N₀‖² − 2N₀·y)(1 − t))) / ‖N_t‖²

    the loss of `path`(t) is (1 − t)‖N₀ − y‖² + t‖y‖²; a₀ = 1.  A second piece goes from a₁ to 1 at
    the end's weights.  The networks are those of s = t/2 and, for the second piece, s ≥ ½.

    Needed is N_t ≠ 0 for all t, which `check_path` looks at on a grid.  The end need not be a
    global minimum: a₁ = 2 max(a*, 0) with the end's a* = N₁·y/‖N₁‖², so the second piece falls if
    and only if a* ≤ 1 < 2a*, that is if the end's loss is below ‖y‖² and would not fall were the
    output layer scaled up.  Where the output layer is optimal, a* = 1 and a₁ = 2: the case
    a₁ = 1 that the proof treats apart does not occur.  A global minimum of loss ‖y‖² has N₁ = 0 and
    is excluded by the assumption; so is y = 0.  That a₁ > 0, as the proof says, fails for N₁·y ≤ 0.

    The paper scales all weights.  With biases behind the first layer this is no scaling of
    the outputs, while that of the output layer alone always is.

    **Arguments:** `x`, (m, inputs); `y`, (m,); `path`, a function from t in [0, 1] to a network,
    such as a `Segment`.

    **Returns:** a `DecreasingPath`, a function from s in [0, 1] to a network.

    **Raises:** `ValueError` where the loss of the start is not above ‖y‖², or the end's is not
    below, or its output layer is to be scaled up.

    Source: SS16, theorem 3.

    ```python
    >>> import jax.numpy as jnp, landscape_jax as lj
    >>> x, y = jnp.array([[1.0]]), jnp.array([1.0])
    >>> start = lj.Mlp([jnp.ones((1, 1)), 3 * jnp.ones((1, 1))])
    >>> end = scale_output(start, 1 / 3)
    >>> check = check_path(decreasing_path(x, y, Segment(start, end)), 5)
    >>> check.values.tolist(), check.is_decreasing
    ([4.0, 2.5, 1.0, 0.25, 0.0], True)

    ```
    """
    start, end = (ray(x, y, path(jnp.asarray(t, x.dtype))) for t in (0, 1))
    if not start.value > start.ceiling:
        raise ValueError(
            f"the start has loss {float(start.value):.6g}, which must be above that of the output "
            f"0, {float(start.ceiling):.6g}; the path's start must be a worse network"
        )
    if not end.value < end.ceiling:
        raise ValueError(
            f"the end has loss {float(end.value):.6g}, which must be below that of the output "
            f"0, {float(end.ceiling):.6g}; the path's end must be a better network"
        )
    if not end.best <= 1 + _ROUNDING * float(jnp.finfo(x.dtype).eps):
        raise ValueError(
            f"the end's loss falls as its output layer grows, up to {float(end.best):.9g} times; "
            "end at scale_output(end, that)"
        )
    return DecreasingPath(x, y, path, len(y) * (start.value - start.ceiling), 2 * end.best)


def check_path(path: DecreasingPath, points: int = 10_001) -> PathCheck:
    """Evaluate the losses at equally spaced points of a path, in one jitted call.

    Between the points nothing is seen.

    **Arguments:** `path`; `points`, at least 2.

    **Returns:** a `PathCheck`.

    **Raises:** `ValueError` on fewer than 2 points.
    """
    if points < 2:
        raise ValueError(f"points is {points}; it must be at least 2")
    s = jnp.linspace(0, 1, points, dtype=path.x.dtype)
    values, least = _walk(path, s)
    drop = float(jnp.min(values[:-1] - values[1:]))
    return PathCheck(s, values, drop > 0, drop, float(least))


@eqx.filter_jit
def _walk(path: DecreasingPath, s: Array) -> tuple[Array, Array]:
    risk = EmpiricalRisk(path.x, path.y)

    def look(at: Array) -> tuple[Array, Array]:
        N = _outputs(path.x, path.y, path.path(jnp.minimum(2 * at, 1)))
        return risk(path(at)), jnp.sqrt(jnp.mean(N**2))

    # Whole batches: a shorter one would be compiled again.
    batch = min(len(s), _BATCH)
    padded = jnp.pad(s, (0, -len(s) % batch), mode="edge")
    values, sizes = jax.lax.map(look, padded, batch_size=batch)
    return values[: len(s)], jnp.min(sizes)


def _outputs(x: Array, y: Array, network: Callable) -> Float[Array, " samples"]:
    N = network(x)
    if y.shape != x.shape[:1] or N.shape != (len(x), 1):
        raise ValueError(
            f"the network gives shape {N.shape} for samples of shape {x.shape} and labels of shape "
            f"{y.shape}; give (samples, inputs), (samples,) and one output"
        )
    return N[:, 0]
