"""Networks with one hidden layer of piecewise linear neurons, in rational arithmetic."""

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
from landscape_jax.networks import TwoLayer
from landscape_jax.networks.activations import Activation
from landscape_jax.precision import require_float64


def rational_slopes(activation: Activation) -> tuple[fmpq, fmpq]:
    """Give (s₊, s₋) as they are.

    **Raises:** `ValueError` where the activation is not piecewise linear.
    """
    if activation.slopes is None:
        raise ValueError(
            f"activation is {activation.name}; it must be piecewise linear, such as relu or "
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
        """Give a network of floats as it is; biases that are not there are 0.

        **Raises:** `ValueError` where the activation is not piecewise linear.
        """
        rational_slopes(network.activation)
        layers = (network.W1, network.b1), (network.W2, network.b2)
        inner, outer = (
            np.column_stack([W, np.zeros(len(W)) if b is None else b]).astype(np.float64)
            for W, b in layers
        )
        return cls(matrix(inner), matrix(outer), network.activation)

    def nearest(self) -> TwoLayer:
        """Give the network of the nearest float64 parameters.

        **Raises:** `ValueError` where float64 is off or cannot hold a parameter.
        """
        require_float64("a network of rounded parameters")
        try:
            inner, outer = nearest_matrix(self.inner), nearest_matrix(self.outer)
        except OverflowError:
            raise ValueError("a parameter is too large for float64; scale x and y down") from None
        # Cut by NumPy: for JAX each shape would be a program to compile.
        layers = inner[:, :-1], outer[:, :-1], inner[:, -1], outer[:, -1]
        return TwoLayer(*map(jnp.asarray, layers), activation=self.activation)

    def hidden(self, rows: fmpq_mat) -> fmpq_mat:
        """Give what goes into the neurons, w_j·xᵢ + b_j, (N, width), of the rows (xᵢ, 1)."""
        if rows.ncols() != self.inner.ncols():
            raise ValueError(
                f"x has {rows.ncols() - 1} inputs; the network has {self.inner.ncols() - 1}"
            )
        return rows * self.inner.transpose()

    def outputs(self, rows: fmpq_mat) -> fmpq_mat:
        """Give the predictions, (N, outputs), of the rows (xᵢ, 1)."""
        plus, minus = rational_slopes(self.activation)
        hidden = self.hidden(rows).tolist()
        after = [[*(t * (plus if t > 0 else minus) for t in row), fmpq(1)] for row in hidden]
        return fmpq_mat(after) * self.outer.transpose()

    def risk(self, samples: Samples) -> fmpq:
        """Give ½ Σᵢ ‖q(xᵢ) − yᵢ‖²."""
        q = self.outputs(samples.rows)
        if q.ncols() != samples.labels.ncols():
            raise ValueError(
                f"y has {samples.labels.ncols()} outputs; the network gives {q.ncols()}"
            )
        return squares(q - samples.labels) / 2


def exact_risk(network: TwoLayer | RationalNetwork, x: Any, y: Any) -> fmpq:
    """Give the risk ½ Σᵢ ‖q(xᵢ) − yᵢ‖² of a piecewise linear network, without any rounding.

    It is N/2 times `EmpiricalRisk`, the mean.

    **Arguments:** `network`, whose floats are taken as they are; `x`, `y`, see `exact_samples`.

    **Raises:** `ValueError` where the activation is not piecewise linear or shapes do not fit.

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
    """What holds for all networks whose neurons have the same signs on the data as this one.

    - `interior`: no neuron's input is 0 at a sample, so the cell contains a ball around the point.
    - `radius`: of such a ball, over all parameters; rounded down.
    - `patterns`: how many different rows of signs the neurons have.
    - `risk`: that of the network, exactly.
    - `least`: no network of the cell has a lower one.
    """

    interior: bool
    radius: float
    patterns: int
    risk: fmpq
    least: fmpq

    @property
    def gap(self) -> fmpq:
        """How much lower a network of the cell could be at most; of rounded floats above 0."""
        return self.risk - self.least

    @property
    def is_minimum(self) -> bool:
        """Whether it is proven a local minimum: inside its cell, at the cell's least risk."""
        return self.interior and self.gap == 0


def check_cell(network: TwoLayer | RationalNetwork, x: Any, y: Any) -> CellCheck:
    """Bound the risk in the activation cell of a network from below, in rational arithmetic.

    In the cell neuron j has a fixed slope s_{ij} at sample i, so the prediction is
    Σ_j s_{ij} R_j·(xᵢ, 1) + b with R_j = v_j (w_j, b_j): linear in (R, b).  The least squares over
    all (R, b) bound the risk from below; neurons of the same slopes share one R.  A network inside
    its cell whose risk is that bound is a local minimum.  The converse does not hold.

    **Arguments:** `network`; `x`, `y`, see `exact_samples`.

    **Returns:** a `CellCheck`.

    **Raises:** like `exact_risk`.

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
    >>> check.is_minimum, check.least, round(check.radius, 3)
    (True, 1/3, 0.707)

    ```
    """
    samples, net = exact_samples(x, y), _rational(network)
    hidden, rows = net.hidden(samples.rows).tolist(), samples.rows.tolist()
    plus, minus = rational_slopes(net.activation)
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
    """Bound from below how far the parameters may move before a sign changes: |t| / ‖(x, 1)‖."""
    least = min(
        min(abs(t) for t in line) ** 2 / sum((entry**2 for entry in row), fmpq(0))
        for line, row in zip(hidden, rows, strict=True)
    )
    return math.sqrt(nearest(least)) * (1 - 1e-15)


def _rational(network: TwoLayer | RationalNetwork) -> RationalNetwork:
    return RationalNetwork.of(network) if isinstance(network, TwoLayer) else network
