"""Starts have the distributions that they name."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj


def _draw(start, count: int) -> np.ndarray:
    return np.asarray(jax.lax.map(start, jax.random.split(jax.random.key(0), count)))


def test_gaussian_neurons_have_covariance_one_over_the_dimension():
    rows = _draw(lj.starts.gaussian((3, 5)), 20_000).reshape(-1, 5)
    # 60,000 rows: an entry of the covariance has a standard error of at most √2/5/√60000.
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(5) / 5, atol=6 * 0.0012)


def test_spherical_neurons_have_the_radius_and_no_preferred_direction():
    rows = _draw(lj.starts.sphere((3, 4), radius=2.0), 20_000).reshape(-1, 4)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 2, rtol=1e-14)
    np.testing.assert_allclose(rows.T @ rows / len(rows), np.eye(4), atol=0.04)


def test_starts_of_one_shape_are_equal_so_that_nothing_compiles_twice():
    assert lj.starts.gaussian((3, 5)) == lj.starts.gaussian((3, 5))
    assert hash(lj.starts.sphere((3, 5))) == hash(lj.starts.sphere((3, 5)))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_starts_have_the_type_asked_for(dtype):
    assert lj.starts.gaussian((2, 2), dtype=dtype)(jax.random.key(0)).dtype == dtype


@pytest.mark.parametrize("make", [lj.starts.gaussian, lj.starts.sphere])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 2, 2)])
def test_a_shape_without_neurons_or_dimension_is_refused(make, shape):
    with pytest.raises(ValueError, match=r"must be \(neurons, dim\)"):
        make(shape)


def test_a_scale_or_radius_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="scale is -1"):
        lj.starts.gaussian((2, 2), scale=-1.0)
    with pytest.raises(ValueError, match=r"radius is 0\.0"):
        lj.starts.sphere((2, 2), radius=0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: lj.starts.gaussian(("2", "2")),  # pyright: ignore[reportArgumentType]
            r"shape is \('2', '2'\); give a sequence of: an integer",
        ),
        (lambda: lj.starts.gaussian((2, 2), dtype=int), "dtype is the class int; give a floating"),
        (lambda: lj.starts.sphere((2, 2), dtype="floaty"), "dtype is 'floaty'; give a floating"),
    ],
)
def test_settings_of_another_kind_are_refused_by_name(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_points_near_a_module_keep_what_is_no_array():
    mlp = eqx.nn.MLP(2, 1, 2, 1, key=jax.random.key(1))
    drawn = lj.starts.near(mlp)(jax.random.key(0))
    assert drawn.activation is mlp.activation
    assert not np.array_equal(drawn.layers[0].weight, mlp.layers[0].weight)


def test_points_near_a_given_one_are_as_far_as_asked_and_of_its_structure():
    net = lj.TwoLayer(jnp.eye(40), jnp.ones((1, 40)), activation="tanh")
    drawn = lj.starts.near(net, distance=0.5)(jax.random.key(0))
    assert jax.tree.structure(drawn) == jax.tree.structure(net)
    pairs = zip(jax.tree.leaves(drawn), jax.tree.leaves(net), strict=True)
    moved = [jnp.sum((a - b) ** 2) for a, b in pairs]
    assert abs(float(sum(moved)) ** 0.5 - 0.5) < 0.05
    with pytest.raises(ValueError, match="distance is 0; it must be a positive number"):
        lj.starts.near(net, distance=0)
    with pytest.raises(TypeError, match="point has dtypes"):
        lj.starts.near(jnp.arange(3))
