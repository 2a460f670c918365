"""SS16, theorem 4: random networks with a greater loss than the output 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.theory.overspecification import (
    clopper_pearson,
    count_above_zero,
    sphere_network,
    theorem_4_bound,
    theorem_4_linear_bound,
)

# Two-sided, so that one of a hundred such checks fails once in ten thousand seeds.
CONFIDENCE = 1 - 1e-6
ONE = jnp.array([[0.6, -0.8]])
FAR = jnp.array([100.0])


def share(y, widths, draws=20_480, x=ONE, **options):
    count = count_above_zero(jax.random.key(7), x, y, widths, draws, **options)
    return clopper_pearson(int(count), draws, confidence=CONFIDENCE)


@pytest.mark.slow
@pytest.mark.parametrize(("widths", "whole"), [((1,), False), ((3,), True), ((1, 2), False)])
def test_linear_bound_is_attained_by_one_far_sample(widths, whole):
    found = share(FAR, widths, whole=whole)
    assert found.low <= theorem_4_linear_bound(widths[-1]) <= found.high
    assert found.low > theorem_4_bound(widths[-1])
    # For y = 0 it is the share of outputs that are not 0.
    found = share(0 * FAR, widths, whole=whole)
    assert found.low <= 2 * theorem_4_linear_bound(widths[-1]) <= found.high


@pytest.mark.slow
def test_probability_is_above_the_bound():
    rng = np.random.default_rng(0)
    x, y = jnp.asarray(rng.normal(size=(5, 2))), jnp.asarray(rng.normal(size=5))
    assert share(y, (2,), 4000, x).low >= theorem_4_linear_bound(2) > theorem_4_bound(2) == 3 / 16


@pytest.mark.slow
def test_without_biases_three_hidden_layers_break_the_theorem():
    found = share(FAR, (1, 1, 2), bias=False)
    assert found.low <= 3 / 32 <= found.high < theorem_4_bound(2)


@pytest.mark.slow
def test_a_relu_at_the_output_breaks_the_theorem():
    def loss_is_above(key):
        N = jax.nn.relu(sphere_network(key, (2, 8, 1))(ONE)[:, 0])
        # Twice the largest output: ‖v‖ ‖z‖ with |zᵢ| ≤ √2.
        return jnp.sum(N**2) > 2 * jnp.sum(N * 4)

    keys = jax.random.split(jax.random.key(0), 2000)
    assert not bool(jax.vmap(loss_is_above)(keys).any())


@pytest.mark.slow
def test_weights_are_on_the_spheres():
    rows = sphere_network(jax.random.key(1), (3, 4, 2, 1), whole=True)
    assert sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(rows)) == pytest.approx(1)
    rows = sphere_network(jax.random.key(1), (3, 4, 1), bias=False, dtype=jnp.float32)
    assert all(b is None for b in rows.biases)
    for w in rows.weights:
        assert w.dtype == jnp.float32
        assert np.allclose(jnp.linalg.norm(w, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sphere_network(jax.random.key(0), (3, 1)), "three or more"),
        (lambda: sphere_network(jax.random.key(0), (3, 0, 1)), "all at least 1"),
        (lambda: count_above_zero(jax.random.key(0), ONE, jnp.ones(2), (1,), 3), "shapes"),
        (lambda: count_above_zero(jax.random.key(0), ONE, FAR, (1,), 0), "draws is 0"),
        (lambda: theorem_4_bound(0), "widths is 0"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
