"""The approximation of the arc cosine is as exact as the docstring says."""

import jax.numpy as jnp
import numpy as np
import pytest
from flint import arb, arb_poly, ctx

from landscape_jax.objectives import gaussian


def _worst(coefficients: tuple[float, ...], cells: int) -> float:
    """Bound |p(y)√y / arccos(1 − y) − 1| on [0, 1] rigorously.

    arccos(1 − y)/√y = √2 Σ (2m)!/(m!² 8^m (2m + 1)) y^m; the terms fall by more than half each.  On
    every cell p − series is expanded about the middle, and its coefficients are added up.
    """
    with ctx.workprec(200):
        return _bound(coefficients, cells)


def _bound(coefficients: tuple[float, ...], cells: int) -> float:
    terms = [arb(2).sqrt()]
    for m in range(1, 160):
        terms.append(terms[-1] * (2 * m - 1) / (4 * m))
    series = arb_poly([t / (2 * m + 1) for m, t in enumerate(terms)])
    tail = 2 * float(terms[-1].abs_upper())
    gap = arb_poly(list(coefficients)) - series
    least = float(arb(2).sqrt().lower())
    worst = 0.0
    for i in range(cells):
        radius = arb(1) / (2 * cells)
        about = gap(arb_poly([(2 * i + 1) * radius, radius]))
        worst = max(worst, sum(float(c.abs_upper()) for c in about.coeffs()))
    return (worst + tail) / least


@pytest.mark.parametrize(
    ("coefficients", "bound"),
    [(gaussian._ARCCOS_DOUBLE, 4e-16), (gaussian._ARCCOS_SINGLE, 3e-8)],
    ids=["float64", "float32"],
)
def test_the_polynomial_is_within_rounding_of_the_arc_cosine_on_the_whole_interval(
    coefficients, bound
):
    assert _worst(coefficients, 100) <= bound


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
