"""The approximation of the angle is as exact as the docstring says."""

import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb, arb_poly, ctx

from landscape_jax.objectives import gaussian


def _worst(coefficients: tuple[float, ...], cells: int) -> float:
    """Bound |p(y) sin θ/θ − 1| with y = 1 − cos θ on [0, 1] rigorously.

    With s = sin(θ/2) = √(y/2), θ/sin θ = arcsin(s)/(s√(1 − s²)) = Σ 2^m m!²/(2m + 1)! y^m, which is
    at least 1; its terms fall by more than half each.  On every cell p − series is expanded about
    the middle, and its coefficients are added up.
    """
    with ctx.workprec(200):
        terms = [arb(1)]
        for m in range(160):
            terms.append(terms[-1] * (m + 1) / (2 * m + 3))
        gap = arb_poly(list(coefficients)) - arb_poly(terms)
        radius = arb(1) / (2 * cells)
        worst = 0.0
        for i in range(cells):
            about = gap(arb_poly([(2 * i + 1) * radius, radius]))
            worst = max(worst, sum(float(c.abs_upper()) for c in about.coeffs()))
        return worst + float(terms[-1].abs_upper())


@pytest.mark.parametrize(
    ("dtype", "bound"), [(np.float64, 2e-16), (np.float32, 8e-8)], ids=["float64", "float32"]
)
def test_the_polynomial_is_within_rounding_of_the_angle_on_the_whole_interval(dtype, bound):
    assert _worst(gaussian.angle_coefficients(np.dtype(dtype)), 100) <= bound


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sine_and_supplement_agree_with_numpy_at_all_cosines(dtype):
    t = np.linspace(0.01, np.pi - 0.01, 999)
    w = jnp.asarray([[1.0, 0.0]], dtype)
    u = jnp.asarray(np.stack([np.cos(t), np.sin(t)], axis=1), dtype)
    sine, supplement = gaussian.sine_and_supplement(w, u)
    # A cosine rounded by eps moves the angle by eps / sin θ.
    allowed = 4 * np.finfo(dtype).eps / np.sin(t)
    assert np.all(abs(np.asarray(sine[0], np.float64) - np.sin(t)) <= allowed)
    assert np.all(abs(np.asarray(supplement[0], np.float64) - (np.pi - t)) <= allowed)


def test_the_expectation_is_half_the_product_of_parallel_vectors_and_0_of_opposite_ones():
    u = jnp.asarray([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0], [-3.0, -4.0]])
    expected = [[12.5, 0.0, 25.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    np.testing.assert_allclose(gaussian.relu_expectation(u, 2), expected, atol=1e-14)
