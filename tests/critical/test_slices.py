import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical import slices
from landscape_jax.critical.lanczos import extreme_eigenvalues

RISK = lj.PopulationRisk(jnp.eye(3))
A, B, C = jax.random.normal(jax.random.key(0), (3, 3, 3))


def test_a_line_goes_through_both_points():
    cut = slices.line(RISK, A, B, points=5, reach=(-1.0, 1.0))
    np.testing.assert_array_equal(cut.coordinates[0], [-1, -0.5, 0, 0.5, 1])
    expected = [RISK(A + t * (B - A)) for t in cut.coordinates[0]]
    np.testing.assert_allclose(cut.value, expected, rtol=1e-13)
    np.testing.assert_allclose(cut.value[2], RISK(A), rtol=1e-13)
    np.testing.assert_allclose(cut.value[-1], RISK(B), rtol=1e-13)


def test_a_plane_goes_through_its_three_points():
    cut = slices.plane(RISK, A, B, C, points=(3, 4), reach=(0.0, 1.0))
    s, t = cut.coordinates
    expected = [[RISK(A + x * (B - A) + y * (C - A)) for y in t] for x in s]
    np.testing.assert_allclose(cut.value, expected, rtol=1e-13)
    np.testing.assert_allclose(cut.value[-1, 0], RISK(B), rtol=1e-13)
    np.testing.assert_allclose(cut.value[0, -1], RISK(C), rtol=1e-13)
    assert slices.plane(RISK, A, B, C, points=3).value.shape == (3, 3)


@pytest.mark.slow
def test_the_curvature_along_an_eigenvector_is_its_eigenvalue():
    x, y = jax.random.normal(jax.random.key(1), (40, 4)), jnp.ones(40)
    risk = lj.EmpiricalRisk(x, y)
    network = lj.starts.network(lj.TwoLayer, (4, 3, 1), activation="tanh")(jax.random.key(2))
    top = extreme_eigenvalues(risk, network, 2, key=jax.random.key(3))
    first, second = (jax.tree.map(lambda leaf, i=i: leaf[i], top.vectors) for i in range(2))
    h = 1e-3
    cut = slices.along(risk, network, second, points=3, reach=(-h, h))
    curvature = (cut.value[0] - 2 * cut.value[1] + cut.value[2]) / h**2
    # A second difference: h² F''''/12, and 4 eps F/h² of rounding.
    np.testing.assert_allclose(curvature, top.values[1], rtol=1e-4)
    assert slices.along(risk, network, first, second, points=4).value.shape == (4, 4)


@pytest.mark.slow
def test_a_slice_keeps_the_precision_of_its_points():
    risk = lj.PopulationRisk(jnp.eye(3, dtype=jnp.float32))
    cut = slices.line(risk, A.astype(jnp.float32), B.astype(jnp.float32), points=4)
    assert cut.value.dtype == cut.coordinates[0].dtype == jnp.float32


def test_many_lines_at_once_are_each_as_alone():
    ends = jnp.stack([A, B])
    together = jax.vmap(lambda end: slices.line(RISK, C, end, points=4).value)(ends)
    alone = [slices.line(RISK, C, end, points=4).value for end in ends]
    np.testing.assert_allclose(together, jnp.stack(alone), rtol=1e-13)


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (lambda: slices.line(RISK, A, B, points=1), "points is 1; it must be at least 2"),
        (lambda: slices.plane(RISK, A, B, C, points=(3, 1)), "points is 1; it must be at least 2"),
        (lambda: slices.line(RISK, A, B[:2]), r"end must have .*: it has \[\(2, 3\)\], the point"),
        (lambda: slices.plane(RISK, A, B, {"C": C}), "second must have the structure and shapes"),
        (lambda: slices.along(RISK, A, B[0]), "direction must have the structure and shapes"),
        (lambda: slices.along(RISK, A), "directions has 0 entries; give one or two"),
        (lambda: slices.along(RISK, A, A, B, C), "directions has 3 entries; give one or two"),
    ],
)
def test_bad_arguments_are_refused_by_name(cut, message):
    with pytest.raises(ValueError, match=message):
        cut()
