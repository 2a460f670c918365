import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float

from landscape_jax.critical.families import families
from landscape_jax.critical.spectra import padding_matrix, padding_spectrum, spectrum
from landscape_jax.objectives.base import AbstractObjective, hessian
from landscape_jax.objectives.population import PopulationRisk


class Quadratic(AbstractObjective):
    """½ xᵀHx, whose Hessian is H everywhere."""

    H: Float[Array, "size size"]

    def __call__(self, params):
        x = jnp.concatenate([params["a"], params["b"]])
        return x @ self.H @ x / 2


def test_the_spectrum_of_a_quadratic_is_that_of_its_matrix():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    expected = np.array([-2.0, 0.0, 0.0, 1.0, 1.0, 5.0])
    risk = Quadratic(jnp.array(Q @ np.diag(expected) @ Q.T))
    params = {"a": jnp.ones(2), "b": jnp.zeros(4)}
    np.testing.assert_allclose(spectrum(risk, params), expected, atol=1e-14)


def test_the_spectrum_of_a_hessian_that_is_not_finite_is_nan():
    risk = Quadratic(jnp.full((2, 2), jnp.nan))
    assert np.isnan(spectrum(risk, {"a": jnp.ones(1), "b": jnp.ones(1)})).all()


@pytest.mark.parametrize(("weighted", "extra"), [(False, 1), (True, 5)])
def test_padding_adds_the_spectrum_of_m_once_a_coordinate(weighted: bool, extra: int):
    rng = np.random.default_rng(1)
    n, k = 4, 3
    W, V = rng.standard_normal((n, k)), rng.standard_normal((k, k))
    a = jnp.array([1.0, 2.0, -0.5, 1.5]) if weighted else None
    b = jnp.array([1.0, -2.0, 0.5]) if weighted else None

    def padded(zeros: int) -> tuple[PopulationRisk, Array]:
        wider = jnp.pad(jnp.array(V), ((0, 0), (0, zeros)))
        risk = PopulationRisk(wider, teacher_weights=b, student_weights=a)
        return risk, jnp.pad(jnp.array(W), ((0, 0), (0, zeros)))

    plain = padded(0)
    expected = [spectrum(*plain), np.tile(padding_spectrum(*plain), extra)]
    np.testing.assert_allclose(
        spectrum(*padded(extra)), np.sort(np.concatenate(expected)), atol=1e-13
    )


def test_the_padding_matrix_of_the_teacher_itself_is_that_of_orthogonal_neurons():
    M = padding_matrix(PopulationRisk(jnp.eye(5)), jnp.eye(5))
    np.testing.assert_allclose(M, 0.25 + 0.25 * np.eye(5), atol=1e-15)


def test_the_padding_matrix_is_accurate_for_nearly_parallel_neurons():
    W = jnp.array([[1.0, 0.0], [1.0, 1e-10], [-1.0, 1e-10]])
    M = np.asarray(padding_matrix(PopulationRisk(jnp.eye(2)), W))
    np.testing.assert_allclose(M[0, 1], 0.5 - 1e-10 / (2 * np.pi), rtol=1e-15)
    np.testing.assert_allclose(M[0, 2], 1e-10 / (2 * np.pi), rtol=1e-6)


def test_the_spectrum_in_the_span_is_that_of_the_dense_hessian():
    rng = np.random.default_rng(2)
    a, b = jnp.array([1.0, -2.0, 0.5]), jnp.array([1.0, 3.0])
    V, W = jnp.array(rng.normal(size=(2, 9))), jnp.array(rng.normal(size=(3, 9)))
    risk = PopulationRisk(V, teacher_weights=b, student_weights=a)
    dense = np.linalg.eigvalsh(np.asarray(hessian(risk, W)))
    np.testing.assert_allclose(spectrum(risk, W), dense, atol=1e-13)


def test_a_point_of_ten_thousand_parameters_has_its_family_at_once():
    """Its Hessian is taken in 20 dimensions: a dense one would have 10⁸ entries."""
    V = jnp.array(np.random.default_rng(3).normal(size=(10, 1000))) / 30
    (family,) = families(PopulationRisk(V), V[None, ::-1])
    assert (family.kind, len(family.spectrum)) == ("global", 10_000)
    assert family.min_eigenvalue > 0.05
