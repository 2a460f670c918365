"""Theorem 3 and corollaries 1, 2 of SS16: paths of decreasing loss from above that of output 0."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from landscape_jax.mistakes import explained
from landscape_jax.networks import Mlp, TwoLayer
from landscape_jax.objectives import EmpiricalRisk

# The optimal output scale of the end may exceed 1 by this many rounding units.
_ROUNDING = 1e3
_BATCH = 256


class Ray(NamedTuple):
    """The loss (1/m)‖aN − y‖² of the outputs N of a network, scaled by a > 0.

    - `value`: the loss at a = 1; `ceiling`: (1/m)‖y‖², the loss of the output 0.
    - `best`: its minimizer a* = N·y/‖N‖²; 0 if N = 0.
    - `slope`: its derivative at a = 1, (2/m)(‖N‖² − N·y).
    """

    value: Scalar
    ceiling: Scalar
    best: Scalar
    slope: Scalar


@explained
def scale_output(network: Mlp | TwoLayer, scale: float | Float[Array, ""]) -> Mlp | TwoLayer:
    """Multiply the weights and bias of the output layer, and so all outputs, by a number.

    Multiplying all weights, as the paper does, scales the outputs only if no layer after the first
    has a bias.

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


@explained
@eqx.filter_jit
def ray(
    x: Float[Array, "samples inputs"],
    y: Float[Array, " labels"],
    network: Callable[[Float[Array, "samples inputs"]], Float[Array, "samples 1"]],
) -> Ray:
    """Compute the loss of a network as a function of the scale of its linear output layer.

    If value > ceiling, ‖N‖² > 2 N·y, so slope > (1/m)‖N‖² > 0: scaling the output down decreases
    the loss, and the network is not a local minimum.  So no local minimum has a loss above
    (1/m)‖y‖², for any depth, activation of the hidden layers and biases, without theorem 3's path.
    For a two-layer ReLU network this holds over the first layer alone, which can scale the output
    too.

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
        """Return the network at t, from 0 to 1."""
        (a, static), (b, _) = (eqx.partition(n, eqx.is_array) for n in (self.start, self.end))
        between = jax.tree.map(lambda p, q: (1 - t) * p + t * q, a, b)
        return eqx.combine(between, static)


class DecreasingPath(eqx.Module):
    """A path of networks with strictly decreasing loss; see `decreasing_path`."""

    x: Float[Array, "samples inputs"]
    y: Float[Array, " labels"]
    path: Callable[[Float[Array, ""]], Mlp | TwoLayer]
    excess: Scalar
    last_scale: Scalar

    def scale(self, s: Float[Array, ""]) -> Scalar:
        """Compute the factor of the output layer at s."""
        t = jnp.minimum(2 * s, 1)
        N = _outputs(self.x, self.y, self.path(t))
        size, along = jnp.sum(N**2), jnp.sum(N * self.y)
        left = self.excess * (1 - t)
        root = jnp.sqrt(along**2 + size * left)
        # The positive root, in the form without cancellation for the sign of N·y.
        first = jnp.where(
            along > 0, (along + root) / size, left / jnp.where(along > 0, 1, root - along)
        )
        return jnp.where(s <= 0.5, first, self.last_scale * (2 - 2 * s) + (2 * s - 1))

    def __call__(self, s: Float[Array, ""]) -> Mlp | TwoLayer:
        """Return the network at s, from 0 to 1."""
        return scale_output(self.path(jnp.minimum(2 * s, 1)), self.scale(s))


class PathCheck(NamedTuple):
    """The losses of a path at equally spaced points s.

    - `s`, `values`: the points, and the losses (1/m) Σ (q(x) − y)² there.
    - `is_decreasing`: whether each loss is less than the previous one; `least_drop`: the least
      decrease.
    - `least_output`: the least ‖N‖/√m of the unscaled path; 0 violates the assumption N_t ≠ 0.
    """

    s: Float[Array, " points"]
    values: Float[Array, " points"]
    is_decreasing: bool
    least_drop: float
    least_output: float


@explained
def decreasing_path(
    x: Float[Array, "samples inputs"],
    y: Float[Array, " labels"],
    path: Callable[[Float[Array, ""]], Mlp | TwoLayer],
) -> DecreasingPath:
    """Construct a path of strictly decreasing loss from a given path of networks.

    Let N_t be the outputs of `path`(t), and ‖N₀ − y‖² > ‖y‖².  With the output layer scaled by

    a_t = (N_t·y + √((N_t·y)² + ‖N_t‖²(‖N₀‖² − 2N₀·y)(1 − t))) / ‖N_t‖²

    the loss of `path`(t) is (1 − t)‖N₀ − y‖² + t‖y‖²; a₀ = 1.  A second piece goes from a₁ to 1 at
    the weights of the end.  The first piece is s = t/2, the second s ≥ ½.

    The assumption is N_t ≠ 0 for all t, which `check_path` checks on a grid.  The end need not be a
    global minimum: a₁ = 2 max(a*, 0) with a* = N₁·y/‖N₁‖², so the loss decreases on the second
    piece if and only if a* ≤ 1 < 2a*, that is if the loss at the end is below ‖y‖² and does not
    decrease as the output layer is scaled up.  If the output layer is optimal, a* = 1 and a₁ = 2:
    the case a₁ = 1 that the proof treats separately does not occur.  A global minimum of loss ‖y‖²
    has N₁ = 0 and is excluded by the assumption; so is y = 0.  The proof's a₁ > 0 fails for N₁·y ≤
    0.

    The paper scales all weights.  With biases after the first layer this does not scale the
    outputs, while scaling the output layer alone always does.

    **Arguments:** `x`, (m, inputs); `y`, (m,); `path`, a function from t in [0, 1] to a network,
    such as a `Segment`.

    **Returns:** a `DecreasingPath`, a function from s in [0, 1] to a network.

    **Raises:** `ValueError` if the loss of the start is not above (1/m)‖y‖², that of the end is not
    below, or scaling up the output layer of the end decreases its loss.

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
            f"0, {float(start.ceiling):.6g}; the path must start at a network of higher loss"
        )
    if not end.value < end.ceiling:
        raise ValueError(
            f"the end has loss {float(end.value):.6g}, which must be below that of the output "
            f"0, {float(end.ceiling):.6g}; the path must end at a network of lower loss"
        )
    if not end.best <= 1 + _ROUNDING * float(jnp.finfo(x.dtype).eps):
        raise ValueError(
            "the end's loss decreases as its output layer grows, up to "
            f"{float(end.best):.9g} times; end at scale_output(end, that)"
        )
    return DecreasingPath(x, y, path, len(y) * (start.value - start.ceiling), 2 * end.best)


@explained
def check_path(path: DecreasingPath, points: int = 10_001) -> PathCheck:
    """Compute the losses at equally spaced points of a path, in one jitted call.

    Between the points nothing is checked.

    **Arguments:** `path`; `points`, at least 2.

    **Returns:** a `PathCheck`.

    **Raises:** `ValueError` if there are fewer than 2 points.
    """
    if points < 2:
        raise ValueError(f"points is {points}; it must be at least 2")
    s = jnp.linspace(0, 1, points, dtype=path.x.dtype)
    values, least = _evaluate(path, s)
    drop = float(jnp.min(values[:-1] - values[1:]))
    return PathCheck(s, values, drop > 0, drop, float(least))


@eqx.filter_jit
def _evaluate(path: DecreasingPath, s: Array) -> tuple[Array, Array]:
    risk = EmpiricalRisk(path.x, path.y)

    def evaluate_at(at: Array) -> tuple[Array, Array]:
        N = _outputs(path.x, path.y, path.path(jnp.minimum(2 * at, 1)))
        return risk(path(at)), jnp.sqrt(jnp.mean(N**2))

    # Full batches only: a shorter one would be compiled again.
    batch = min(len(s), _BATCH)
    padded = jnp.pad(s, (0, -len(s) % batch), mode="edge")
    values, sizes = jax.lax.map(evaluate_at, padded, batch_size=batch)
    return values[: len(s)], jnp.min(sizes)


def _outputs(x: Array, y: Array, network: Callable) -> Float[Array, " samples"]:
    N = network(x)
    if y.shape != x.shape[:1] or N.shape != (len(x), 1):
        raise ValueError(
            f"the network returns shape {N.shape} for samples of shape {x.shape} and labels of "
            f"shape {y.shape}; give (samples, inputs), (samples,) and one output"
        )
    return N[:, 0]
