"""KK20, theorems 1, 2 and 4: what search finds of the neuron-augmented objective."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import landscape_jax as lj
from landscape_jax.networks.models import Network
from landscape_jax.theory import AtNetwork, added_neurons, check_augmented, least_value

from .problems import CORNERS, MOMENTUM, REPEATED, WITH_MINIMA, WITHOUT_MINIMA, XOR, Problem

KEY = jax.random.key(0)
FAST = ("hinge^2",)


def search(problem: Problem, restarts: int, max_steps: int, optimizer=MOMENTUM) -> lj.Runs:
    return lj.restart(
        problem.augmented,
        problem.start,
        restarts,
        key=KEY,
        optimizer=optimizer,
        max_steps=max_steps,
        finish=False,
    )


def taken(params, i: int):
    return jax.tree.map(lambda leaf: leaf[i], params)


def minima(name: str, restarts: int) -> int:
    """Count the local minima of L̃ that search finds, and check theorem 1 and 2 at each."""
    problem = WITH_MINIMA[name]
    runs = search(problem, restarts, 20_000)
    found = np.flatnonzero(runs.is_converged)
    unit = float(problem.augmented.known(taken(runs.params, 0)).units.gradient)
    for i in found:
        check = check_augmented(problem.augmented, taken(runs.params, int(i)))
        assert check.gradient.value <= 1e-9 * unit
        assert check.a_is_zero.value <= 1e-6
        assert check.theorem_1, check
        assert check.theorem_2, check
        assert check.balanced.holds, check
    return len(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAST)
def test_local_minima_of_the_augmented_objective_are_global_minima_of_the_risk(name):
    assert minima(name, 40) >= 30


@pytest.mark.slow
def test_200_local_minima_of_8_problems_are_as_theorems_1_and_2_say():
    found = {name: minima(name, 32) for name in WITH_MINIMA}
    assert sum(found.values()) >= 200, found
    assert min(found.values()) >= 16, found


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT_MINIMA)
@pytest.mark.parametrize("optimizer", [MOMENTUM, optax.adam(0.02)], ids=["momentum", "adam"])
def test_no_local_minimum_is_reported_where_none_exists(name, optimizer):
    runs = search(WITHOUT_MINIMA[name], 16, 20_000, optimizer)
    assert not runs.is_converged.any()
    assert set(runs.summary()) <= {"escaping", "max_steps", "nonfinite", "diverged"}


def test_cross_entropy_on_classes_has_no_local_minimum_however_small_the_gradient():
    # Far out on the way to infinity: logits ±40 have a gradient of e⁻⁸⁰, and nothing is added.
    objective = WITHOUT_MINIMA["cross-entropy, classes"].augmented
    far = lj.TwoLayer(
        jnp.array([[50.0, 50.0], [-50.0, -50.0]]), 20 * jnp.array([[1.0, 1.0], [-1.0, -1.0]]),
        -50 * jnp.ones(2), jnp.array([0.0, 0.0]), activation="tanh",
    )  # fmt: skip
    here = lj.Augmented(far, jnp.zeros(2), jnp.zeros(2), jnp.zeros((2, 2)))
    assert not bool(objective.is_admissible(here))
    assert not bool(objective.attained)
    assert bool(WITH_MINIMA["cross-entropy, repeats"].augmented.attained)
    assert not bool(WITHOUT_MINIMA["cross-entropy, a class missing at a repeat"].augmented.attained)
    assert not bool(WITHOUT_MINIMA["logistic"].augmented.attained)
    both = lj.EmpiricalRisk(REPEATED[:4], XOR, criterion="logistic")
    assert bool(lj.NeuronAugmented(both).attained)


def suboptimal(criterion, labels) -> tuple[lj.NeuronAugmented, Network]:
    """An objective, and a random network that is no global minimum of its risk."""
    risk = lj.EmpiricalRisk(CORNERS, labels, criterion=criterion)
    network = lj.starts.network(lj.TwoLayer, (2, 4, 1), activation="tanh")(jax.random.key(3))
    assert risk(network) > least_value(risk) + 0.1
    return lj.NeuronAugmented(risk), network


@pytest.mark.slow
@pytest.mark.parametrize(
    ("criterion", "optimizer"),
    [
        pytest.param("squared", optax.adam(0.01), id="squared-adam"),
        pytest.param("squared", None, id="squared-plain"),
        pytest.param(lj.criteria.hinge(3), optax.adam(0.01), id="hinge-adam"),
        pytest.param(lj.criteria.hinge(3), None, id="hinge-plain"),
    ],
)
def test_theorem_4_no_local_minimum_at_a_suboptimal_network_in_1000_starts(criterion, optimizer):
    objective, network = suboptimal(criterion, XOR)
    at = AtNetwork(objective, network)
    runs = lj.restart(
        at, lj.starts.augmented(None, 1, 2), 1000, key=KEY,
        optimizer=optimizer, max_steps=3000, finish=False,
    )  # fmt: skip
    assert not runs.is_converged.any()


@pytest.mark.slow
def test_theorem_4_neurons_that_add_too_little_to_be_felt_are_no_local_minimum():
    # With b = −25 the gradient is below the tolerance at once, at a network that is no minimum.
    objective, network = suboptimal("squared", XOR)
    start = lj.Augmented(None, jnp.zeros(1), jnp.full(1, -25.0), jnp.zeros((1, 2)))
    starts = jax.tree.map(lambda leaf: leaf[None], start)
    at = AtNetwork(objective, network)
    assert float(jnp.abs(lj.gradient(at, start).a[0])) < 1e-9
    runs = lj.restart(at, starts, 1, max_steps=100)
    assert runs.summary() == {"escaping": 1}


def far_out():
    """Example 3 at b = 11 and the best a there: (1 + a e^b) e^b + a = 0."""
    path = added_neurons.example_3()
    b = 11.0
    a = -np.exp(b) / (np.exp(2 * b) + 1)
    point = lj.Augmented(path.network, jnp.full(1, a), jnp.full(1, b), jnp.zeros((1, 1)))
    return path, point


def test_example_3_far_out_has_no_gradient_and_a_positive_hessian_and_is_no_minimum():
    path, point = far_out()
    at, neuron = AtNetwork(path.objective, path.network), lj.Augmented(None, *point_of(point))
    assert np.linalg.eigvalsh(lj.hessian(at, neuron)[:2, :2])[0] > 1e-9
    assert abs(float(point.added(path.objective.risk.x)[0, 0]) + 1) < 1e-9
    # 1 + a e^b = 1/(e^{2b} + 1): the slope is twice that, 6e-10, in b and w; in a it is 0.
    slope = lj.gradient(at, neuron)
    np.testing.assert_allclose(float(slope.b[0]), -2 / (np.exp(22) + 1), rtol=1e-4)
    given = jax.tree.map(lambda leaf: leaf[None], neuron)
    runs = lj.restart(at, given, 1, finish=False, max_steps=1000)
    assert runs.summary() == {"escaping": 1}
    assert runs.value[0] < at(neuron)  # It was followed on.


@pytest.mark.slow
def test_example_3_far_out_with_a_free_network_does_not_leave_for_infinity():
    # Along the valley θ − 1 = −a e^b both θ − 1 and b change at rates near e^{−2b}, and b grows by
    # less than ½(θ − 1)² = ½ until θ = 1: the flow comes to a minimum, after a time of e^{22}.
    path, point = far_out()
    given = jax.tree.map(lambda leaf: leaf[None], point)
    runs = lj.restart(path.objective, given, 1, max_steps=1000)
    assert set(runs.summary()) <= {"undecided", "converged"}
    if runs.is_converged[0]:
        assert abs(float(runs.params.network.weights[0][0, 0, 0]) - 1) < 1e-9


def point_of(params: lj.Augmented):
    return params.a, params.b, params.w


def test_the_identity_that_makes_a_vanish_holds_everywhere():
    # a ∂L̃/∂a − ∂L̃/∂b = 2λa²: KK20, section 4.
    problem = WITH_MINIMA["cross-entropy, soft labels"]
    objective = lj.NeuronAugmented(problem.risk, penalty=0.7)
    params = problem.start(KEY)
    slope = lj.gradient(objective, params)
    np.testing.assert_allclose(
        params.a * slope.a - slope.b, 2 * 0.7 * params.a**2, rtol=0, atol=1e-15
    )


def test_what_is_no_minimum_fails_with_the_number_that_says_why():
    objective = lj.NeuronAugmented(lj.EmpiricalRisk(CORNERS, XOR))
    fit = lj.TwoLayer(jnp.array([[1.0, 1.0], [-1.0, -1.0]]), jnp.ones((1, 2)), None, -jnp.ones(1))
    none = jnp.zeros(1), jnp.zeros(1), jnp.zeros((1, 2))
    good = check_augmented(objective, lj.Augmented(fit, *none))
    assert good.theorem_2
    assert good.consistent
    assert good.gradient.holds
    added = check_augmented(objective, lj.Augmented(fit, jnp.full(1, 0.1), *none[1:]))
    assert (added.a_is_zero.value, added.a_is_zero.holds) == (0.1, False)
    assert not added.adds_nothing.holds
    assert not added.values_equal.holds
    assert added.is_global.holds
    worse = lj.TwoLayer(fit.W1, 2 * fit.W2, None, fit.b2)
    off = check_augmented(objective, lj.Augmented(worse, *none))
    # f = 3 where 1 is wanted, at two of four samples.
    assert off.is_global.value == 2.0
    assert off.balanced.value == off.samplewise.value == 4.0
    assert not off.theorem_1
    nothing = check_augmented(objective, lj.Augmented(fit, none[0] * jnp.nan, *none[1:]))
    assert not nothing.theorem_1


def test_theorem_2_asks_nothing_of_samples_whose_labels_conflict():
    objective, network = added_neurons.example_5()
    none = jnp.zeros(1), jnp.zeros(1), jnp.zeros((1, 1))
    check = check_augmented(objective, lj.Augmented(network, *none))
    assert not check.consistent
    assert not check.samplewise.holds
    assert check.balanced.value == 0
    assert check.theorem_1
    assert check.theorem_2


def test_a_tolerance_that_is_not_positive_is_refused():
    objective, network = added_neurons.example_5()
    here = lj.Augmented(network, jnp.zeros(1), jnp.zeros(1), jnp.zeros((1, 1)))
    with pytest.raises(ValueError, match="tolerance is 0; it must be positive"):
        check_augmented(objective, here, tolerance=0)


def test_an_objective_made_of_traced_data_can_be_called():
    here = lj.Augmented(
        lj.DeepLinear([jnp.ones((1, 2))]), jnp.zeros(1), jnp.zeros(1), jnp.zeros((1, 2))
    )

    @jax.jit
    def made(x, y):
        objective = lj.NeuronAugmented(lj.EmpiricalRisk(x, y))
        return objective(here), objective.is_admissible(here)

    value, admissible = made(CORNERS, XOR)
    known = lj.NeuronAugmented(lj.EmpiricalRisk(CORNERS, XOR))
    assert float(value) == float(known(here))
    assert bool(admissible) == bool(known.is_admissible(here))
