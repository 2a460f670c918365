"""Perturbations find lower points where there are some, within their radius."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical import lowest_nearby

# In 60 dimensions −x₁² falls along one axis, and hardly in a random direction.
SIZES = jnp.concatenate([jnp.full(1, -1e-3), jnp.ones(59)])


class Quadratic(lj.AbstractObjective):
    sign: float

    def __call__(self, params):
        return self.sign + jnp.sum(SIZES * params["x"] ** 2)


def test_a_narrow_way_down_is_found():
    near = lowest_nearby(
        Quadratic(1.0), {"x": jnp.zeros(60)}, radius=0.5, count=800, key=jax.random.key(0)
    )
    assert near.value == 1
    # One of the steps along the axis has more than two thirds of the radius.
    assert near.lowest < 1 - 1e-3 * (0.5 * 2 / 3) ** 2
    assert near.tried == 1000
    moved = float(jnp.linalg.norm(near.point["x"]))
    assert moved <= 0.5 * (1 + 1e-12)
    np.testing.assert_allclose(float(Quadratic(1.0)(near.point)), near.lowest, rtol=1e-15)


def test_at_a_strict_minimum_no_point_is_lower():
    risk = lj.EmpiricalRisk(jnp.eye(3), jnp.array([1.0, 2.0, 3.0]))
    net = lj.DeepLinear([jnp.array([[1.0, 2.0, 3.0]])])
    near = lowest_nearby(risk, net, radius=1, count=10, key=jax.random.key(0))
    # Down the gradient of an even bowl leads back to the minimum itself.
    assert near.lowest == near.value == 0
    assert near.tried == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radius": 0}, "radius is 0"),
        ({"radius": math.nan}, "radius is nan"),
        ({"radius": math.inf}, "radius is inf"),
        ({"count": 0}, "count is 0"),
    ],
)
def test_a_radius_and_a_count_that_are_none_are_refused(changes, message):
    arguments = {"radius": 1.0, "count": 5} | changes
    with pytest.raises(ValueError, match=message):
        lowest_nearby(Quadratic(1.0), {"x": jnp.zeros(60)}, key=jax.random.key(0), **arguments)
