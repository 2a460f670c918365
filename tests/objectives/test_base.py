"""Derivatives of any function over the floating arrays of any pytree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj


@pytest.mark.parametrize("derivative", [lj.gradient, lj.hessian])
@pytest.mark.parametrize(
    ("objective", "params", "message"),
    [
        (
            lj.PopulationRisk,
            jnp.ones(2),
            "objective is the class PopulationRisk; give an objective",
        ),
        (lambda x: x, jnp.ones(2), "objective returns .*; it must return a real scalar"),
        (lambda x: 1j * x.sum(), jnp.ones(2), "objective returns .*; it must return a real scalar"),
        (jnp.sum, jnp.ones(2, int), "params has dtype int64; give a floating array"),
        (jnp.sum, 3, "params has dtype int64; give a floating array"),
        (
            lambda p: p["w"].sum(),
            {"w": jnp.ones(2), "n": np.arange(2)},
            r"params\['n'\] has dtype int64; give a floating array",
        ),
        (lambda p: 1.0, {}, "params is {}; give a pytree with floating arrays"),
    ],
)
def test_what_has_no_derivative_is_refused_by_name(derivative, objective, params, message):
    with pytest.raises(TypeError, match=message):
        derivative(objective, params)


def test_numbers_and_names_beside_the_arrays_are_kept():
    params = {"w": jnp.ones(2), "name": "net", "t": 3.0}
    function = lambda p: p["t"] * jnp.sum(p["w"] ** 2) * len(p["name"])
    slope = lj.gradient(function, params)
    assert slope["name"] is None
    np.testing.assert_allclose(slope["w"], [18.0, 18.0])
    assert float(slope["t"]) == 6
    expected = jax.hessian(lambda v: 3 * v[0] * (v[1] ** 2 + v[2] ** 2))(jnp.array([3.0, 1, 1]))
    np.testing.assert_allclose(lj.hessian(function, params), expected)
