"""A network is applied to all samples at once, or to each, as its shapes tell."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.networks.predictions import predictions

X = jax.random.normal(jax.random.key(0), (3, 3))
MATRIX = jax.random.normal(jax.random.key(1), (3, 3))
OFFSET = jnp.arange(6.0).reshape(3, 2)
LINEAR = eqx.nn.Linear(3, 3, use_bias=False, key=jax.random.key(2))


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        pytest.param(lj.DeepLinear([MATRIX]), X @ MATRIX.T, id="a network of ours"),
        pytest.param(lambda x: x @ MATRIX, X @ MATRIX, id="a function of either"),
        pytest.param(lambda x: MATRIX @ x, X @ MATRIX.T, id="of one sample, square"),
        pytest.param(LINEAR, X @ LINEAR.weight.T, id="a layer of Equinox, square"),
        pytest.param(lambda x: x @ MATRIX[0], (X @ MATRIX[0])[:, None], id="a scalar each"),
        pytest.param(lambda x: x.sum(), X.sum(axis=1, keepdims=True), id="a scalar of one"),
        pytest.param(
            lambda x: x - x.mean(axis=0), X - X.mean(axis=0), id="one that needs them all"
        ),
        pytest.param(
            lambda x: x @ MATRIX[:, :2] + OFFSET, X @ MATRIX[:, :2] + OFFSET, id="of these samples"
        ),
    ],
)
def test_predictions_are_one_a_row(network, expected):
    np.testing.assert_allclose(predictions(network, X), expected, rtol=1e-13)


def test_an_error_of_the_networks_own_is_raised():
    def fails(x):
        raise RuntimeError("of my own")

    with pytest.raises(RuntimeError, match="of my own"):
        predictions(fails, X)


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (3, TypeError, "the network is 3; it must be a function of samples"),
        (lambda x: jnp.ones((2, 2)), ValueError, r"shape \(2, 2\) for samples of shape \(3, 3\)"),
        (lambda x: (x, None), ValueError, "the network gives shape tuple"),
    ],
)
def test_what_predicts_nothing_is_refused(network, error, message):
    with pytest.raises(error, match=message):
        predictions(network, X)
