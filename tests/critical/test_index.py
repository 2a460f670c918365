import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

import landscape_jax as lj
from landscape_jax.critical.classify import eigenvalue_tolerance
from landscape_jax.critical.index import index, indices


class Quadratic(lj.AbstractObjective):
    """½ xᵀHx − s Σ xᵢ, at whose critical points the Hessian is H."""

    H: Float[Array, "size size"]
    slope: float = 0.0

    def __call__(self, params):
        x = jnp.concatenate([params["a"], params["b"]])
        return x @ self.H @ x / 2 - self.slope * x.sum()


def _rotated(eigenvalues) -> Array:
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((len(eigenvalues),) * 2))[0]
    return jnp.asarray((Q * np.asarray(eigenvalues)) @ Q.T)


ZERO = {"a": jnp.zeros(2), "b": jnp.zeros(4)}


def test_the_signs_of_a_known_spectrum_are_counted():
    eigenvalues = [-3.0, -1e-3, 0.0, 0.0, 0.5, 2.0]
    found = index(Quadratic(_rotated(eigenvalues)), ZERO)
    assert found[:3] == (2, 2, 2)
    np.testing.assert_allclose(found.eigenvalues, eigenvalues, atol=1e-14)


def test_the_tolerance_is_that_of_classification():
    found = index(Quadratic(_rotated([-3.0, -1e-3, 0.0, 0.1, 0.5, 2.0]), 1e-4), ZERO)
    # The norm is that of the larger leaf; what decides is the length of the whole gradient.
    assert found.gradient_norm == pytest.approx(1e-4 * np.sqrt(4))
    slope = 1e-4 * np.sqrt(6)
    assert found.tolerance == pytest.approx(eigenvalue_tolerance(found.eigenvalues, slope))
    # √(2 · 3 · 1e-4 · √6) = 0.038
    assert found[:3] == (1, 2, 3)


def test_a_given_tolerance_replaces_the_rule():
    risk = Quadratic(_rotated([-3.0, -0.5, 0.1, 0.5, 1.0, 2.0]))
    assert index(risk, ZERO, tolerance=0.2)[:3] == (2, 1, 3)
    assert index(risk, ZERO, tolerance=0.0)[:3] == (2, 0, 4)


def test_many_points_are_each_as_alone():
    risk = lj.PopulationRisk(jnp.eye(3))
    points = np.random.default_rng(0).standard_normal((20, 3, 3))
    many = indices(risk, jnp.asarray(points))
    for i, W in enumerate(points):
        one = index(risk, jnp.asarray(W))
        assert one[:3] == (many.negative[i], many.zero[i], many.positive[i])
        np.testing.assert_allclose(many.eigenvalues[i], lj.spectrum(risk, W), atol=1e-14)


def test_a_hessian_that_is_not_finite_has_no_index_and_spoils_no_other():
    class Rooted(lj.AbstractObjective):
        def __call__(self, params):
            return jnp.sum(jnp.sqrt(params))

    found = indices(Rooted(), jnp.array([[1.0, 1.0], [0.0, 1.0]]), tolerance=0.1)
    np.testing.assert_array_equal(found.negative, [2, 0])
    np.testing.assert_array_equal(found.zero + found.positive, 0)
    assert np.isnan(found.eigenvalues[1]).all()


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match=r"tolerance is -1.0; it must be at least 0"):
        index(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2), tolerance=-1.0)
