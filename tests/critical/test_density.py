import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Float
from scipy.stats import norm

import landscape_jax as lj
from landscape_jax.critical.density import Density, spectral_density

KEY = jax.random.key(0)


class Diagonal(lj.AbstractObjective):
    """½ Σ hᵢ xᵢ², with the eigenvalues h."""

    h: Float[Array, " size"]

    def __call__(self, params):
        return jnp.sum(self.h * params**2) / 2


def _broadened(eigenvalues, found: Density) -> np.ndarray:
    return norm.pdf(np.asarray(found.grid)[:, None], eigenvalues, float(found.width)).mean(axis=1)


def _density(h, **options) -> Density:
    h = jnp.asarray(h)
    return spectral_density(Diagonal(h), jnp.zeros_like(h), key=KEY, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    "steps", [30, *(pytest.param(steps, marks=pytest.mark.slow) for steps in (64, 400))]
)
def test_it_is_the_broadened_dense_spectrum_within_the_stated_error(steps):
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 8)), rng.standard_normal((200, 2))
    risk = lj.EmpiricalRisk(jnp.asarray(x), jnp.asarray(y))
    params = lj.starts.network(lj.TwoLayer, (8, 20, 2), activation="tanh")(KEY)
    found = spectral_density(risk, params, steps=steps, probes=64, key=KEY)
    dense = lj.spectrum(risk, params)
    error = np.abs(found.density - _broadened(dense, found))
    # 256 points at 5 standard errors of 64 probes: one false alarm in 800; and rounding.
    stated = 5 * np.asarray(found.standard_error) + float(found.quadrature_error) + 1e-12
    assert np.all(error <= stated)
    assert np.max(found.standard_error) < 0.1 * np.max(found.density)


@pytest.mark.slow
def test_the_quadrature_error_bounds_what_the_steps_leave():
    h = np.linspace(-1, 1, 300)
    exact = _density(h, steps=300, width=0.1, grid=jnp.linspace(-2, 2, 50))
    assert exact.quadrature_error == 0
    bounds = []
    for steps in (20, 60):
        found = _density(h, steps=steps, width=0.1, grid=jnp.linspace(-2, 2, 50))
        np.testing.assert_array_less(
            np.abs(found.density - exact.density), found.quadrature_error + 1e-13
        )
        bounds.append(float(found.quadrature_error))
    assert np.all(np.diff(bounds) < 0)
    assert bounds[-1] < 1e-6


def test_it_integrates_to_one_over_the_grid_it_chooses():
    found = _density(np.concatenate([np.zeros(50), np.linspace(1, 3, 20)]))
    assert found.grid.shape == found.density.shape == (256,)
    # The grid ends 5 widths beyond the spectrum (6e-7); the trapezoid adds less.
    assert abs(np.trapezoid(found.density, found.grid) - 1) < 2e-6


@pytest.mark.slow
def test_the_grid_and_the_width_may_be_given():
    grid = np.linspace(0, 4, 7)
    found = _density(np.ones(5), grid=jnp.asarray(grid), width=0.5)
    np.testing.assert_allclose(found.density, norm.pdf(grid, 1, 0.5), atol=1e-13)
    np.testing.assert_allclose(found.standard_error, 0, atol=1e-13)


@pytest.mark.slow
def test_a_hessian_that_is_zero_has_all_its_density_at_zero():
    found = _density(np.zeros(6), points=101)
    np.testing.assert_allclose(found.density, norm.pdf(np.asarray(found.grid)), atol=1e-13)


def test_a_hessian_that_is_not_finite_gives_nan():
    assert np.isnan(_density([1.0, np.nan]).density).all()


@pytest.mark.slow
def test_many_points_at_once_are_each_as_alone():
    points = jax.random.normal(KEY, (3, 4, 4))
    risk, grid = lj.PopulationRisk(jnp.eye(4)), jnp.linspace(-3, 3, 20)
    one = lambda W: spectral_density(risk, W, grid=grid, width=0.1, probes=2, key=KEY).density
    np.testing.assert_allclose(jax.vmap(one)(points), [one(W) for W in points], atol=1e-11)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": 1}, "points is 1; it must be at least 2"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"probes": 1}, "probes is 1; it must be at least 2"),
        ({"width": 0.0}, "width is 0.0; it must be a positive number"),
        ({"grid": jnp.ones((2, 2))}, "grid has shape .2, 2.; give a one-dimensional array"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        _density(np.ones(3), **change)
