import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import landscape_jax as lj
from landscape_jax.search.trajectories import trajectories

KEY = jax.random.key(0)
RISK, START = lj.PopulationRisk(jnp.eye(4)), lj.starts.gaussian((4, 4))
CHOSEN = jnp.array([5, 2, 9])


class Bowl(lj.AbstractObjective):
    """½ Σ hᵢ xᵢ², with a known end for every step size."""

    h: jax.Array

    def __call__(self, params):
        return jnp.sum(self.h * params**2) / 2


@pytest.mark.parametrize("optimizer", [None, optax.adam(0.01)])
@pytest.mark.parametrize("stride", [32, 45])
def test_a_trajectory_ends_where_restart_ends_after_as_many_steps(optimizer, stride):
    runs = lj.restart(
        RISK, START, CHOSEN, key=KEY, optimizer=optimizer,
        max_steps=100, finish=False, below_value=None,
    )  # fmt: skip
    ways = trajectories(RISK, START, CHOSEN, key=KEY, steps=100, stride=stride, optimizer=optimizer)
    np.testing.assert_array_equal(ways.restart_index, CHOSEN)
    np.testing.assert_array_equal(ways.step[:, -1], runs.steps)
    np.testing.assert_allclose(ways.params[:, -1], runs.params, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ways.value[:, -1], runs.value, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ways.gradient_norm[:, -1], runs.gradient_norm, rtol=0, atol=1e-12)


def test_the_records_are_at_every_stride_from_the_start_to_the_last_step():
    ways = trajectories(RISK, START, CHOSEN, key=KEY, steps=50, stride=20)
    np.testing.assert_array_equal(ways.step, [[0, 20, 40, 50]] * 3)
    starts = [START(jax.random.fold_in(KEY, i)) for i in CHOSEN]
    np.testing.assert_allclose(ways.params[:, 0], np.stack(starts), rtol=4e-16)
    values = jax.jit(jax.vmap(jax.vmap(RISK)))(ways.params)
    np.testing.assert_allclose(ways.value, values, atol=1e-13)
    W, slope = starts[1], jax.jit(jax.grad(RISK))
    for _ in range(20):
        W = W - 0.1 * slope(W)
    np.testing.assert_allclose(ways.params[1, 1], W, rtol=0, atol=1e-13)


def test_nothing_stops_a_trajectory():
    ways = trajectories(Bowl(jnp.ones(2)), jnp.ones((1, 2)), 1, steps=2000, stride=500)
    np.testing.assert_array_equal(ways.step[0], [0, 500, 1000, 1500, 2000])
    np.testing.assert_allclose(ways.value[0, -1], 0, atol=1e-100)


def test_a_run_that_diverges_begins_again_as_in_restart():
    bowl, start = Bowl(jnp.array([1.0, 50.0])), jnp.array([[1.0, 1.0]])
    ways = trajectories(bowl, start, 1, steps=640, stride=32)
    assert np.isinf(ways.value[0]).any()
    assert ways.value[0, -1] < 1e-3
    assert np.isfinite(ways.params).all()


@pytest.mark.slow
def test_batches_take_their_own_way_and_the_same_again():
    x = jax.random.normal(KEY, (40, 3))
    risk = lj.EmpiricalRisk(x, x[:, :1])
    start = lj.starts.network(lj.DeepLinear, (3, 1))
    options = {"key": KEY, "steps": 30, "stride": 10}
    whole = trajectories(risk, start, 4, **options)
    drawn = trajectories(risk, start, 4, batches=risk.batches(2), **options)
    part = trajectories(risk, start, jnp.array([3]), batches=risk.batches(2), **options)
    assert np.all(np.abs(drawn.value[:, -1] - whole.value[:, -1]) > 1e-6)
    np.testing.assert_allclose(part.value[0], drawn.value[3], rtol=1e-12)


def test_it_is_pure_under_jit():
    run = lambda key: trajectories(RISK, START, CHOSEN, key=key, steps=50, stride=20).value
    np.testing.assert_allclose(jax.jit(run)(KEY), run(KEY), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"stride": 0}, "stride is 0; it must be at least 1"),
        ({"key": None}, "key is missing"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        trajectories(RISK, START, 2, **{"key": KEY, "steps": 4, **change})
