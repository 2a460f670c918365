"""SS16's lower bounds of F_n against Monte Carlo, and descents beside their basins.

`benchmarks/ss16.py` does the same on more sizes.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.networks import TwoLayer
from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.studies import ss16
from landscape_jax.studies.ss16.first_layer_descents import FirstLayer

# Seeds are fixed; an interval that a change of the random numbers may meet is no test.
CONFIDENCE = 0.9999


def no_bound_is_above(found, *names):
    """Hold the bounds against the interval's upper end, which undecided starts have widened."""
    for name in names:
        bound = found[name].values
        assert np.isfinite(bound).all()
        assert (bound <= found.share_high.values).all()


def has_the_exact_probability(found):
    assert (found.event_low <= found.exact).all()
    assert (found.exact <= found.event_high).all()


@pytest.mark.slow
def test_starts_on_singletons_are_as_good_as_theorem_2_says():
    found = ss16.theorem_2(4, (12, 16), 400, seed=1, per_side=1, confidence=CONFIDENCE)
    no_bound_is_above(found, "bound", "power_bound", "exact")
    has_the_exact_probability(found)
    # The event is sufficient.
    assert (found.event <= found.share).all()


@pytest.mark.slow
@pytest.mark.parametrize("orthogonal", [True, False])
def test_starts_on_independent_samples_are_as_good_as_theorem_7_says(orthogonal):
    found = ss16.theorem_7(4, 6, (5, 8), 400, seed=2, orthogonal=orthogonal, confidence=CONFIDENCE)
    no_bound_is_above(found, "bound")
    if orthogonal:
        has_the_exact_probability(found)
    assert (found.event <= found.share + found.undecided / 400).all()


@pytest.mark.slow
def test_starts_on_realizable_data_are_as_good_as_theorem_5_says():
    found = ss16.theorem_5(2, 1, (30, 32), 0.05, 200, seed=3, samples=10, confidence=CONFIDENCE)
    no_bound_is_above(found, "bound", "union_bound", "exact_union_bound")
    assert ((found.union_bound > 0.2) & (found.union_bound < 0.99)).all()
    # The theorem says nothing of narrower networks.
    narrow = found.width < np.ceil(1 / found.attrs["match_probability"])
    assert not narrow.any()


@pytest.mark.slow
def test_starts_on_clusters_are_as_good_as_theorem_8_says():
    found = ss16.theorem_8(2, 4, (13, 16), 400, seed=4, confidence=CONFIDENCE)
    assert ((found.bound > 0.2) & (found.bound < 0.99)).all()
    no_bound_is_above(found, "bound", "event_bound")
    assert (found.event <= found.share + found.undecided / 400).all()
    assert (found.level < found.printed_level).all()


def test_more_samples_than_inputs_are_refused():
    with pytest.raises(ValueError, match="samples and inputs are 3 and 2; give 1 ≤ samples"):
        ss16.theorem_7(3, 2, [2])


@pytest.mark.parametrize(
    "study",
    [
        lambda: ss16.theorem_2(1, [2]),
        lambda: ss16.theorem_5(2, 1, [2], 0.1),
        lambda: ss16.theorem_7(1, 2, [2]),
        lambda: ss16.theorem_8(1, 2, [2]),
    ],
)
def test_single_precision_is_refused(study):
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r"the study of theorem . needs float64"),
    ):
        study()


@pytest.mark.slow
def test_no_descent_is_below_its_basin_before_it_leaves_it():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 3)), rng.normal(size=2)
    found = ss16.descended(x, y, 3, 300, seed=6, steps=2000)
    stays = found.left_at.values < 0
    assert 10 < stays.sum() < 290
    rounding = 1e-13 * float(np.mean(y**2))
    assert (found.lowest >= found.value - found.gap - rounding).all()
    np.testing.assert_allclose(found.end[stays], found.lowest[stays], atol=1e-9)
    converged = stays & (found.status.values == "converged")
    # Where the gradient is 0 inside a region, the value is the least of the convex problem.
    np.testing.assert_allclose(found.end[converged], found.value[converged], atol=1e-6)
    assert converged.any()
    # Having left, runs end on either side of the basin value.
    assert (found.end[~stays] < found.value[~stays] - 1e-3).any()


def test_a_walk_says_at_which_step_it_leaves_and_the_least_value_before():
    # One neuron, one sample (1, 0) of label -1: (w + 1)^2 falls until w = 0, and there is a kink.
    risk = FirstLayer(EmpiricalRisk(jnp.array([[1.0, 0.0]]), jnp.array([-1.0])))
    W = jnp.array([[[0.35, 0.0]], [[-0.5, 0.0]]])
    nets = jax.vmap(TwoLayer)(W, jnp.ones((2, 1, 1)))
    pattern = jnp.array([[[True]], [[False]]])
    walk = ss16.walked(risk, nets, pattern, jnp.asarray(0.1), 5)
    # w: 0.35, 0.08, -0.136; its values before: 1.35^2, 1.08^2.
    assert walk.left_at.tolist() == [2, -1]
    np.testing.assert_allclose(walk.lowest, [1.08**2, 1.0], rtol=1e-12)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="steps is 0; it must be at least 1"):
        ss16.descended(np.eye(2), np.ones(2), 1, 3, steps=0)
