"""The Newton finish: few pseudo-transient steps reach the point that descent would reach."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import landscape_jax as lj
from landscape_jax.search.polish import Polish


class Valley(lj.AbstractObjective):
    """A bent valley whose floor falls by 1e-4 a unit at most: ½(s − u²)² + ε(1 − cos u)."""

    floor: float = 1e-4

    def __call__(self, x):
        return (x[1] - x[0] ** 2) ** 2 / 2 + self.floor * (1 - jnp.cos(x[0]))


class Slope(lj.AbstractObjective):
    """exp(−u) + s²: it falls for ever along u, and has no minimum."""

    def __call__(self, x):
        return jnp.exp(-x[0]) + x[1] ** 2


class Pass(lj.AbstractObjective):
    """A saddle that is left along u, to the side that is decided while s still dies down.

    ½s² + c u s² − ½εu² + ¼εu⁴, with minima at s = 0, u = ±1.
    """

    coupling: jax.Array
    falling: float = 1e-3

    def __call__(self, x):
        u, s = x
        return s**2 / 2 + self.coupling * u * s**2 + self.falling * (u**4 / 4 - u**2 / 2)


def _ends(objective, starts, **options):
    return lj.restart(objective, starts, len(starts), max_steps=3_000_000, **options)


@eqx.filter_jit
def _go(polish, leaps):
    return polish.advance(leaps, leaps.point)


@pytest.mark.slow
def test_a_long_valley_is_walked_in_leaps():
    u = jnp.linspace(0.3, 2.8, 6)
    starts = jnp.stack([u, u**2 + 0.1], axis=1)
    fast, plain = _ends(Valley(), starts), _ends(Valley(), starts, finish=False)
    assert plain.is_converged.all()
    assert fast.is_converged.all()
    np.testing.assert_allclose(fast.params, 0, atol=1e-9)
    # Descent's error is the tolerance over the smallest eigenvalue.
    np.testing.assert_allclose(plain.params, 0, atol=1e-9 / 1e-4)
    assert plain.steps.min() > 300_000
    assert fast.steps.max() < 10_000


@pytest.mark.slow
def test_an_optimizer_with_a_memory_walks_the_valley_itself():
    starts = jnp.array([[2.8, 7.9]])
    plain, heavy = (
        _ends(Valley(), starts, optimizer=optimizer)
        for optimizer in (None, optax.sgd(0.1, momentum=0.5))
    )
    assert heavy.is_converged.all()
    assert heavy.steps[0] > 20_000 > 5 * plain.steps[0]


@pytest.mark.slow
@pytest.mark.parametrize("coupling", [0.0, 0.3, -0.3])
def test_a_pass_is_left_to_the_side_that_descent_takes(coupling):
    rng = np.random.default_rng(0)
    u = 10.0 ** rng.uniform(-5, -1, 60) * rng.choice([-1, 1], 60)
    # Near the line that divides the basins: u there makes up for what s adds on its way to 0.
    u[:40] += coupling / 2 * 0.1**2
    starts = jnp.stack([jnp.asarray(u), jnp.full(60, 0.1)], axis=1)
    objective = Pass(jnp.asarray(coupling))
    fast, plain = _ends(objective, starts), _ends(objective, starts, finish=False)
    assert plain.is_converged.all()
    assert fast.is_converged.all()
    assert {-1.0, 1.0} == set(np.round(np.asarray(plain.params[:, 0])).tolist())
    np.testing.assert_allclose(fast.params, plain.params, atol=1e-5)


def test_a_run_that_leaps_below_the_value_of_a_global_one_says_so():
    starts = jnp.array([[2.0, 4.1]])
    run = _ends(Valley(), starts, below_value=1e-6)
    assert run.is_below_value.all()
    assert run.value[0] < 1e-6
    # Descent alone takes 3 / (0.1 * 1e-4) steps down the floor.
    assert run.steps[0] < 10_000


@pytest.mark.parametrize(
    ("start", "most"), [([5.0, 1e-3], 2000), ([np.nan, 1.0], 30)], ids=["falling", "not finite"]
)
def test_what_has_no_minimum_is_never_accepted(start, most):
    polish = Polish(Slope(), jnp.asarray(1e-9), jnp.asarray(-jnp.inf), jnp.array([0.3, 0.7]))
    leaps = polish.init(jnp.array(start))
    for _ in range(most):
        leaps = _go(polish, leaps)
        if leaps.ended:
            break
    assert leaps.ended
    assert not leaps.accepted
