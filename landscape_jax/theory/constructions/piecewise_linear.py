"""Two-layer networks of piecewise linear neurons in rational arithmetic.

A *cell* (LIU) is the set of weights of one activation pattern: of all networks whose neurons have
the same signs on the samples.
"""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flint import fmpq, fmpq_mat

from landscape_jax.exact.rationals import (
    least_squares,
    matrix,
    nearest,
    nearest_matrix,
    rational,
    squares,
)
from landscape_jax.exact.samples import Samples, exact_samples
from landscape_jax.mistakes import explained
from landscape_jax.networks import TwoLayer
from landscape_jax.networks.activations import Activation
from landscape_jax.precision import require_float64
from landscape_jax.proofs import Layers


def rational_slopes(activation: Activation, of: str = "") -> tuple[fmpq, fmpq]:
    """Return the slopes (s₊, s₋) as rational numbers; `of` what, for the error message.

    **Raises:** `ValueError` if the activation is not piecewise linear.
    """
    if activation.slopes is None:
        raise ValueError(
            f"activation{of} is {activation.name}; it must be piecewise linear, such as relu or "
            "activations.leaky(1, 0.01)"
        )
    return rational(activation.slopes[0]), rational(activation.slopes[1])


class RationalNetwork(NamedTuple):
    """A `TwoLayer` network with h(t) = s₊t for t > 0, s₋t for t ≤ 0, in rational numbers.

    - `inner`: the rows (w_j, b_j), (width, inputs + 1).
    - `outer`: the rows (v_k, b_k), (outputs, width + 1).
    - `activation`: with slopes.
    """

    inner: fmpq_mat
    outer: fmpq_mat
    activation: Activation

    @classmethod
    def of(cls, network: TwoLayer) -> "RationalNetwork":
        """Return a network of floats exactly; missing biases become 0.

        **Raises:** `ValueError` if the activation is not piecewise linear.
        """
        rational_slopes(network.activation, " of network")
        layers = (network.W1, network.b1), (network.W2, network.b2)
        inner, outer = (
            np.column_stack([W, np.zeros(len(W)) if b is None else b]).astype(np.float64)
            for W, b in layers
        )
        return cls(matrix(inner), matrix(outer), network.activation)

    def nearest(self) -> TwoLayer:
        """Return the network with each parameter rounded to the nearest float64.

        **Raises:** `ValueError` if float64 is off or cannot hold a parameter.
        """
        require_float64("a network of rounded parameters")
        try:
            inner, outer = nearest_matrix(self.inner), nearest_matrix(self.outer)
        except OverflowError:
            raise ValueError("a parameter is too large for float64; scale x and y down") from None
        # Sliced by NumPy: JAX would compile a program for each shape.
        layers = inner[:, :-1], outer[:, :-1], inner[:, -1], outer[:, -1]
        return TwoLayer(*map(jnp.asarray, layers), activation=self.activation)

    def layers(self) -> Layers:
        """Return the layers as a proof reads them, of a network of one output."""
        return Layers(self.inner, tuple(self.outer.entries()))

    def hidden(self, rows: fmpq_mat) -> fmpq_mat:
        """Compute the pre-activations w_j·xᵢ + b_j, (N, width), of the rows (xᵢ, 1)."""
        if rows.ncols() != self.inner.ncols():
            raise ValueError(
                f"x has {rows.ncols() - 1} inputs; the network has {self.inner.ncols() - 1}"
            )
        return rows * self.inner.transpose()

    def outputs(self, rows: fmpq_mat) -> fmpq_mat:
        """Compute the predictions, (N, outputs), of the rows (xᵢ, 1)."""
        plus, minus = rational_slopes(self.activation, " of network")
        hidden = self.hidden(rows).tolist()
        after = [[*(t * (plus if t > 0 else minus) for t in row), fmpq(1)] for row in hidden]
        return fmpq_mat(after) * self.outer.transpose()

    def risk(self, samples: Samples) -> fmpq:
        """Compute the risk ½ Σᵢ ‖q(xᵢ) − yᵢ‖²."""
        q = self.outputs(samples.rows)
        if q.ncols() != samples.labels.ncols():
            raise ValueError(
                f"y has {samples.labels.ncols()} outputs; the network gives {q.ncols()}"
            )
        return squares(q - samples.labels) / 2


@explained
def exact_risk(network: TwoLayer | RationalNetwork, x: Any, y: Any) -> fmpq:
    """Compute the risk ½ Σᵢ ‖q(xᵢ) − yᵢ‖² of a piecewise linear network exactly.

    It is N/2 times `EmpiricalRisk`, which is a mean.

    **Arguments:** `network`, whose floats are exact; `x`, `y`, see `exact_samples`.

    **Raises:** `ValueError` if the activation is not piecewise linear or shapes do not match.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> net = lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2)), activation="relu")
    >>> exact_risk(net, [[1.0, 2.0], [-1.0, 0.5]], [3.0, 0.0])
    1/8

    ```
    """
    return _rational(network).risk(exact_samples(x, y))


class CellCheck(NamedTuple):
    """A lower bound on the risk in the cell of a network, beside the risk of the network.

    - `interior`: whether no pre-activation is 0, so that the cell contains a ball around the point.
    - `radius`: the radius of such a ball, over all parameters; rounded down.
    - `patterns`: the number of distinct sign vectors of the neurons.
    - `risk`: the risk of the network, exactly.
    - `least`: the lower bound on the risk of all networks of the cell.
    """

    interior: bool
    radius: float
    patterns: int
    risk: fmpq
    least: fmpq

    @property
    def gap(self) -> fmpq:
        """The risk minus its lower bound; positive for a minimum with rounded parameters."""
        return self.risk - self.least

    @property
    def proven(self) -> bool:
        """Whether it is a proven local minimum: interior to its cell, with the least risk there."""
        return self.interior and self.gap == 0


@explained
def check_cell(network: TwoLayer | RationalNetwork, x: Any, y: Any) -> CellCheck:
    """Compute a lower bound on the risk in the cell of a network, in rational arithmetic.

    In the cell neuron j has a fixed slope s_{ij} at sample i, so the prediction is
    Σ_j s_{ij} R_j·(xᵢ, 1) + b with R_j = v_j (w_j, b_j): linear in (R, b).  Least squares over all
    (R, b) bounds the risk from below; neurons of the same slopes share one R.  A network inside its
    cell whose risk attains the bound is a local minimum.  The converse does not hold.

    **Arguments:** `network`; `x`, `y`, see `exact_samples`.

    **Returns:** a `CellCheck`.

    **Raises:** as `exact_risk`.

    Source: YSJ19, theorem 1, step 1, where all slopes are s₊, and LIU, for any cell.

    ```python
    >>> import jax.numpy as jnp
    >>> import landscape_jax as lj
    >>> x, y = [[-1.0], [0.0], [1.0]], [1.0, 0.0, 1.0]
    >>> flat = lj.TwoLayer(jnp.zeros((1, 1)), jnp.ones((1, 1)), jnp.ones(1), jnp.zeros(1))
    >>> check_cell(flat, x, y).gap
    1/6
    >>> net = RationalNetwork(fmpq_mat(1, 2, [0, 1]), fmpq_mat(1, 2, [fmpq(2, 3), 0]),
    ...     flat.activation)
    >>> check = check_cell(net, x, y)
    >>> check.proven, check.least, round(check.radius, 3)
    (True, 1/3, 0.707)

    ```
    """
    samples, net = exact_samples(x, y), _rational(network)
    hidden, rows = net.hidden(samples.rows).tolist(), samples.rows.tolist()
    plus, minus = rational_slopes(net.activation, " of network")
    patterns = {tuple(t > 0 for t in column) for column in zip(*hidden, strict=True)}
    features = [
        [
            *((plus if active[i] else minus) * entry for active in patterns for entry in row),
            fmpq(1),
        ]
        for i, row in enumerate(rows)
    ]
    best = least_squares(fmpq_mat(features), samples.labels)
    return CellCheck(
        interior=all(t != 0 for line in hidden for t in line),
        radius=_radius(hidden, rows),
        patterns=len(patterns),
        risk=net.risk(samples),
        least=squares(fmpq_mat(features) * best - samples.labels) / 2,
    )


def _radius(hidden: list[list[fmpq]], rows: list[list[fmpq]]) -> float:
    """Return a lower bound on the distance to parameters with another sign: |t| / ‖(x, 1)‖."""
    least = min(
        min(abs(t) for t in line) ** 2 / sum((entry**2 for entry in row), fmpq(0))
        for line, row in zip(hidden, rows, strict=True)
    )
    return math.sqrt(nearest(least)) * (1 - 1e-15)


def _rational(network: TwoLayer | RationalNetwork) -> RationalNetwork:
    return RationalNetwork.of(network) if isinstance(network, TwoLayer) else network
