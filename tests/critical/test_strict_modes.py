"""JAX's strict modes around what finds and judges critical points."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj

RISK, KEY = lj.PopulationRisk(jnp.eye(2)), jax.random.key(0)
X = jnp.asarray(np.random.default_rng(0).standard_normal((5, 2)))
DATA = lj.EmpiricalRisk(X, X[:, 0])
NET = lj.TwoLayer(X[:2], X[2:3], activation="tanh")
POINTS = jnp.stack([jnp.eye(2), 0.5 * jnp.eye(2) + 0.1])
EYE, OTHER, INDICES, SOUGHT = jnp.eye(2), POINTS[1], jnp.arange(2), jnp.array([0, 1])
START = lj.starts.gaussian((2, 2))
TEACHER = {"teacher": jnp.eye(2)}

CALLS: dict[str, Callable[[], Any]] = {
    "hessian": lambda: lj.hessian(RISK, EYE),
    "hessian of a network": lambda: lj.hessian(DATA, NET),
    "spectrum": lambda: lj.spectrum(RISK, EYE),
    "spectrum of a network": lambda: lj.spectrum(DATA, NET),
    "indices": lambda: lj.indices(RISK, POINTS).eigenvalues,
    "families": lambda: lj.families(RISK, POINTS)[0].spectrum,
    "critical_points": lambda: lj.critical_points(RISK, START, 2, key=KEY).params,
    "critical_points of an index": lambda: (
        lj.critical_points(RISK, POINTS, INDICES, seek=SOUGHT, max_steps=9).params
    ),
    "extreme_eigenvalues": lambda: lj.extreme_eigenvalues(RISK, EYE, 1, key=KEY).values,
    "spectral_density": lambda: lj.spectral_density(RISK, EYE, points=4, key=KEY).density,
    "sensitivity": lambda: lj.sensitivity(RISK, EYE, TEACHER).tangent,
    "slices.plane": lambda: lj.slices.plane(RISK, EYE, OTHER, OTHER, points=3).value,
    "lowest_nearby": lambda: (
        lj.critical.lowest_nearby(RISK, EYE, radius=0.1, count=5, key=KEY).point
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_promoted_silently_leaked_or_not_a_number(name):
    with ExitStack() as modes:
        modes.enter_context(jax.numpy_rank_promotion("raise"))
        modes.enter_context(jax.numpy_dtype_promotion("strict"))
        modes.enter_context(jax.checking_leaks())
        modes.enter_context(jax.debug_nans(True))
        found = CALLS[name]()
    assert np.isfinite(np.asarray(found)).all()


@pytest.mark.parametrize("name", CALLS)
def test_a_second_call_moves_nothing_to_the_device_but_by_its_own_will(name):
    first = CALLS[name]()
    with jax.transfer_guard("disallow"):
        again = CALLS[name]()
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("name", ["hessian", "spectrum of a network", "indices", "families"])
def test_results_are_the_same_without_jit(name):
    with jax.disable_jit():
        found = CALLS[name]()
    np.testing.assert_allclose(found, CALLS[name](), atol=1e-12)


def test_critical_points_are_found_without_jit():
    class Wells(lj.AbstractObjective):
        def __call__(self, x):
            return jnp.sum((x**2 - 1) ** 2)

    with jax.disable_jit():
        found = lj.critical_points(Wells(), jnp.array([[0.1], [0.9]]), 2)
    np.testing.assert_allclose(found.params[:, 0], [0, 1], atol=1e-12)
    assert found.index.tolist() == [1, 0]
