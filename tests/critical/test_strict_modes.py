"""JAX's strict modes around what finds and judges critical points."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj

pytestmark = pytest.mark.usefixtures("few_objects")


class Wells(lj.AbstractObjective):
    """Σ (xᵢ² − 1)²: minima at ±1, saddle points and a maximum where some xᵢ are 0."""

    def __call__(self, x):
        return jnp.sum((x**2 - 1) ** 2)


RISK, WELLS, KEY = lj.PopulationRisk(jnp.eye(2)), Wells(), jax.random.key(0)
DATA = lj.EmpiricalRisk(jnp.array([[1.0], [2.0], [3.0]]), jnp.array([1.0, 1.5, 3.5]))
NET = lj.TwoLayer([[0.5]], [[0.7]], activation="tanh")
X, ORIGIN, ENDS = jnp.array([0.9, 0.1]), jnp.zeros(2), jnp.array([[0.99, 0.01], [0.01, 1.01]])
POINTS, INDICES, SOUGHT = jnp.stack([jnp.eye(2), 2 * jnp.eye(2)]), jnp.arange(2), jnp.array([1, 0])
EYE, START, TEACHER = jnp.eye(2), lj.starts.gaussian((1, 2)), {"teacher": jnp.eye(2)}

CALLS: dict[str, Callable[[], Any]] = {
    "hessian": lambda: lj.hessian(RISK, EYE),
    "spectrum": lambda: lj.spectrum(RISK, EYE),
    "spectrum of a network": lambda: lj.spectrum(DATA, NET),
    "indices": lambda: lj.indices(RISK, POINTS).eigenvalues,
    "families": lambda: lj.families(RISK, POINTS)[0].spectrum,
    "critical_points": lambda: lj.critical_points(WELLS, START, 2, key=KEY).params,
    "critical_points, seek": lambda: (
        lj.critical_points(WELLS, ENDS, INDICES, seek=SOUGHT, max_steps=40).params
    ),
    "extreme_eigenvalues": lambda: lj.extreme_eigenvalues(WELLS, X, 1, key=KEY).values,
    "spectral_density": lambda: lj.spectral_density(WELLS, X, points=4, key=KEY).density,
    "sensitivity": lambda: lj.sensitivity(RISK, EYE, TEACHER).tangent,
    "slices.plane": lambda: lj.slices.plane(WELLS, ORIGIN, X, ORIGIN, points=3).value,
    "lowest_nearby": lambda: (
        lj.critical.lowest_nearby(WELLS, X, radius=0.1, count=5, key=KEY).point
    ),
}  # fmt: skip


CORE = {"hessian", "spectrum of a network", "indices", "families", "critical_points, seek"}
EACH = [name if name in CORE else pytest.param(name, marks=pytest.mark.slow) for name in CALLS]


@pytest.mark.parametrize("name", EACH)
def test_nothing_is_promoted_silently_leaked_or_not_a_number(name):
    with ExitStack() as modes:
        modes.enter_context(jax.numpy_rank_promotion("raise"))
        modes.enter_context(jax.numpy_dtype_promotion("strict"))
        modes.enter_context(jax.checking_leaks())
        modes.enter_context(jax.debug_nans(True))
        found = CALLS[name]()
    assert np.isfinite(np.asarray(found)).all()


@pytest.mark.parametrize("name", EACH)
def test_a_second_call_moves_nothing_to_the_device_but_by_its_own_will(name):
    first = CALLS[name]()
    with jax.transfer_guard("disallow"):
        again = CALLS[name]()
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    "name", ["families", pytest.param("critical_points, seek", marks=pytest.mark.slow)]
)
def test_results_are_the_same_without_jit(name):
    with jax.disable_jit():
        found = CALLS[name]()
    np.testing.assert_allclose(found, CALLS[name](), atol=1e-12)
