"""The quadrature equals closed forms, Monte Carlo and itself, and owns up to what it cannot do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.networks.activations import Activation, named
from landscape_jax.objectives import quadrature
from landscape_jax.objectives.expectations import pair_expectation
from landscape_jax.objectives.quadrature import default_order, hermite_pairs, quadrature_error

rng = np.random.default_rng(0)
U, V = jnp.asarray(rng.normal(size=(3, 4))), jnp.asarray(rng.normal(size=(2, 4)))
# Equal, opposite and zero rows, where coordinates along and across a row are not smooth.
SPECIAL = jnp.stack([U[0], U[0], -0.5 * U[0], jnp.zeros(4), V[0]])


def _up_to_hessian(pairs, rows):
    """Value, gradient and Hessian of a weighted sum of all pairs of rows."""
    weights = jnp.sin(1 + jnp.arange(len(rows) ** 2)).reshape(len(rows), len(rows))
    weights = weights.astype(rows.dtype)
    total = lambda rows: jnp.sum(weights * pairs(rows, rows))
    return jax.jit(lambda x: (pairs(x, x), jax.grad(total)(x), jax.hessian(total)(x)))(rows)


def _largest_gap(ours, theirs) -> float:
    leaves = zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True)
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in leaves)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_the_quadrature_is_within_four_standard_errors_of_monte_carlo(activation):
    x = np.random.default_rng(1).normal(size=(400_000, 4))
    phi = named(activation)
    products = phi(jnp.asarray(x @ U.T))[:, :, None] * phi(jnp.asarray(x @ V.T))[:, None, :]
    error = jnp.std(products, axis=0) / len(x) ** 0.5
    gap = jnp.abs(hermite_pairs(activation)(U, V) - jnp.mean(products, axis=0))
    assert bool(jnp.all(gap <= 4 * error))


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_twice_the_order_changes_nothing_at_norms_up_to_3(activation):
    rows = jnp.concatenate([U, V, SPECIAL[:3]])
    rows = 3 * rows / jnp.linalg.norm(rows, axis=1, keepdims=True)
    once = hermite_pairs(activation)(rows, rows)
    twice = hermite_pairs(activation, 2 * default_order(activation))(rows, rows)
    assert _largest_gap(once, twice) <= 1e-12
    assert float(quadrature_error(activation, rows, rows).max()) <= 4e-12


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
def test_twice_the_order_changes_neither_gradient_nor_hessian(activation):
    once = _up_to_hessian(hermite_pairs(activation), SPECIAL)
    twice = _up_to_hessian(hermite_pairs(activation, 2 * default_order(activation)), SPECIAL)
    assert _largest_gap(once, twice) <= 1e-10


@pytest.mark.parametrize(
    "activation", ["erf", *(pytest.param(a, marks=pytest.mark.slow) for a in ("sine", "cosine"))]
)
def test_it_equals_closed_forms_to_the_hessian_at_equal_opposite_and_zero_rows_too(activation):
    ours = _up_to_hessian(hermite_pairs(activation), SPECIAL)
    theirs = _up_to_hessian(pair_expectation(activation), SPECIAL)
    # Entries are of the order of 10 at most.
    assert _largest_gap(ours, theirs) <= 1e-12


@pytest.mark.slow
def test_single_precision_gives_single_precision():
    ours = _up_to_hessian(hermite_pairs("tanh", 128), SPECIAL.astype(np.float32))
    theirs = _up_to_hessian(hermite_pairs("tanh", 128), SPECIAL)
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves(ours))
    assert _largest_gap(ours, theirs) <= 1e-4


@pytest.mark.parametrize("name", ["abs", "step"])
def test_the_estimate_at_kinks_is_above_the_error_and_of_its_size(name):
    rows = jnp.concatenate([U, SPECIAL[1:3]])
    error = jnp.abs(hermite_pairs(name, 128)(rows, rows) - pair_expectation(name)(rows, rows))
    estimate = quadrature_error(name, rows, rows, 128)
    # Kinks are felt at parallel rows; the largest entries are there.
    assert 1e-5 < float(error.max()) <= float(estimate.max()) <= 4 * float(error.max())


def test_derivatives_are_right_where_the_activation_has_a_kink_that_nobody_declared():
    # JAX's second derivative of |t| is 0 everywhere, without the point mass that Price's needs.
    kinked = Activation("undeclared", jnp.abs)
    weights = jnp.sin(1 + jnp.arange(6.0)).reshape(3, 2)
    ours, theirs = (
        jax.jit(jax.hessian(lambda U, f=f: jnp.sum(weights * f(U, V))))(U)
        for f in (hermite_pairs(kinked, 256), pair_expectation("abs"))
    )
    assert _largest_gap(ours, theirs) <= 1e-5


@pytest.mark.parametrize(
    ("function", "smooth"),
    [
        (jnp.tanh, True),
        (jax.nn.softplus, True),
        (jax.nn.relu, False),
        (jax.nn.hard_tanh, False),
        (jax.nn.elu, False),
    ],
)
def test_a_jump_in_a_derivative_is_found(function, smooth):
    assert quadrature._is_smooth(named(function), True) is smooth


def test_kinked_activations_are_finite_at_zero_and_tiny_rows():
    rows = jnp.asarray([[0.0, 0.0], [1e-200, 0.0], [1e-6, 1e-6], [1.0, 2.0], [2.0, 4.0]])
    for leaf in jax.tree.leaves(_up_to_hessian(hermite_pairs("selu", 64), rows)):
        assert bool(jnp.isfinite(leaf).all())


@pytest.mark.slow
@pytest.mark.parametrize("order", [1, 2, 7])
def test_an_order_counts_the_terms_kept(order):
    # E[φ(u·x)φ(v·x)] of a cubic has the four terms n = 0 … 3.
    cubic = Activation("cubic", lambda t: 1 + t + t**2 + t**3)
    full, cut = hermite_pairs(cubic, 64)(U, V), hermite_pairs(cubic, order)(U, V)
    assert bool(jnp.allclose(full, cut, rtol=1e-11, atol=1e-11)) is (order >= 4)


def test_jit_and_vmap_equal_the_plain_call():
    pairs = hermite_pairs("tanh", 64)
    both = jnp.stack([U, 2 * U])
    together = jax.jit(jax.vmap(lambda x: pairs(x, V)))(both)
    for i in range(2):
        np.testing.assert_allclose(together[i], pairs(both[i], V), rtol=1e-12, atol=1e-14)


def test_orders_suit_the_activation_and_bad_ones_are_refused():
    assert default_order("sigmoid") < default_order("tanh") < default_order("selu") == 1024
    with pytest.raises(ValueError, match="order is 0; it must be at least 1"):
        hermite_pairs("tanh", 0)
