"""Networks compute what their formulas say, and refuse layers that do not fit."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.networks import random_network

SIZES = {lj.TwoLayer: (3, 4, 2), lj.DeepLinear: (3, 5, 4, 2), lj.Mlp: (3, 5, 4, 2)}


def _by_hand(net, x):
    """The prediction of one sample, entry by entry."""
    if isinstance(net, lj.TwoLayer):
        weights, biases = (net.W1, net.W2), (net.b1, net.b2)
    else:
        weights = net.weights
        biases = net.biases if isinstance(net, lj.Mlp) else [None] * len(weights)
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = [sum(float(e) * t for e, t in zip(row, x, strict=True)) for row in np.asarray(w)]
        x = x if b is None else [t + float(e) for t, e in zip(x, b, strict=True)]
        if i < len(weights) - 1 and not isinstance(net, lj.DeepLinear):
            x = [max(t, 0) for t in x]
    return x


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("bias", [True, False])
def test_a_network_is_its_formula(kind, bias):
    net = random_network(kind, SIZES[kind], key=jax.random.key(1), bias=bias)
    if bias and kind is not lj.DeepLinear:
        net = jax.tree.map(lambda w: w + 0.1, net)
    x = np.random.default_rng(0).normal(size=(6, 3))
    np.testing.assert_allclose(net(jnp.array(x)), [_by_hand(net, row) for row in x], atol=1e-14)


@pytest.mark.parametrize("kind", SIZES)
def test_array_leaves_are_the_parameters_and_starts_have_the_scale_asked_for(kind):
    start = lj.starts.network(kind, (400, 300, 200), scale=2.0)
    assert start == lj.starts.network(kind, (400, 300, 200), scale=2.0)
    net = start(jax.random.key(0))
    weights = [w for w in jax.tree.leaves(net) if w.ndim == 2]
    for w in weights:
        # The variance of a mean of w.size squares, relative: 2/size.
        assert abs(float(jnp.mean(w**2)) * w.shape[1] / 4 - 1) < 5 * (2 / w.size) ** 0.5
    assert all(eqx.is_inexact_array(leaf) for leaf in jax.tree.leaves(net))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lj.Mlp([]), ValueError, "weights is empty"),
        (
            lambda: lj.DeepLinear([jnp.ones((2, 3)), jnp.ones((2, 3))]),
            ValueError,
            r"weights\[1\] has shape \(2, 3\); the layer before has 2 outputs",
        ),
        (
            lambda: lj.TwoLayer(jnp.ones(3), jnp.ones((1, 3))),
            ValueError,
            r"W1 has shape \(3,\); give a matrix",
        ),
        (
            lambda: lj.DeepLinear([jnp.ones((2, 3), int)]),
            TypeError,
            r"weights\[0\] has dtype int64; give a floating array",
        ),
        (
            lambda: lj.TwoLayer(jnp.ones((2, 3)), jnp.ones((1, 2)), b1=jnp.ones(2, int)),
            TypeError,
            "b1 has dtype int64; give a floating array",
        ),
        (
            lambda: lj.TwoLayer(jnp.ones((2, 3)), jnp.ones((1, 2)), b1=jnp.ones(3)),
            ValueError,
            r"b1 has shape \(3,\); it must be \(2,\)",
        ),
        (
            lambda: lj.Mlp([jnp.ones((2, 3))], [None, None]),
            ValueError,
            "biases has 2 entries; there are 1 layers",
        ),
        (lambda: lj.starts.network(lj.TwoLayer, (3, 2)), ValueError, r"sizes is \(3, 2\)"),
        (lambda: lj.starts.network(lj.Mlp, (3, 0, 2)), ValueError, r"sizes is \(3, 0, 2\)"),
        (lambda: lj.starts.network(lj.Mlp, (3, 2), scale=0.0), ValueError, "scale is 0.0"),
        (
            lambda: lj.starts.network(int, (3, 2)),
            TypeError,
            "kind is the class int; it must be TwoLayer, DeepLinear or Mlp",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
