"""KK20, theorems 1 and 4: no run is said to converge where no minimum is, in either precision."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import landscape_jax as lj
from landscape_jax.networks import criteria
from landscape_jax.search import hybrid
from landscape_jax.theory import AtNetwork, added_neurons

KEY = jax.random.key(1)
BUDGET = 100_000
OPTIMIZERS = {
    "plain": None,
    "adam": optax.adam(1e-2),
    "momentum": optax.sgd(0.1, momentum=0.9),
}
PRECISIONS = [jnp.float32, jnp.float64]


def cast(tree, dtype):
    return jax.tree.map(lambda leaf: leaf.astype(dtype), tree)


def at_bad_network(name, dtype):
    path = getattr(added_neurons, name)()
    risk = path.objective.risk
    risk = lj.EmpiricalRisk(risk.x.astype(dtype), risk.y.astype(dtype), criterion=risk.criterion)
    return AtNetwork(lj.NeuronAugmented(risk), cast(path.network, dtype))


def linear(noise, dtype, *, samples=50, seed=0):
    """A linear network, and labels that are linear but for noise of this deviation."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(samples, 2))
    y = x @ [1, -2] + noise * np.random.default_rng(seed + 1).normal(size=samples)
    risk = lj.EmpiricalRisk(jnp.array(x, dtype), jnp.array(y, dtype))
    network = lj.starts.network(lj.DeepLinear, (2, 1), dtype=dtype)
    return lj.NeuronAugmented(risk), lj.starts.augmented(network, 1, 2, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "optimizer", "dtype"),
    [
        ("example_3", "plain", jnp.float64),
        ("example_3", "adam", jnp.float32),
        ("example_3", "momentum", jnp.float64),
        ("example_4", "plain", jnp.float32),
        ("example_4", "adam", jnp.float64),
        ("example_4", "momentum", jnp.float32),
    ],
)
def test_at_a_bad_network_every_run_is_escaping_within_the_budget(name, optimizer, dtype):
    at = at_bad_network(name, dtype)
    start = lj.starts.augmented(None, 1, 1, dtype=dtype)
    runs = lj.restart(at, start, 32, key=KEY, optimizer=OPTIMIZERS[optimizer], max_steps=BUDGET)
    assert runs.summary() == {"escaping": 32}
    assert np.max(runs.steps) <= BUDGET


@pytest.mark.slow
def test_hybrid_begins_again_every_run_of_example_3():
    at = at_bad_network("example_3", jnp.float64)
    start = lj.starts.augmented(None, 1, 1)
    found = hybrid(at, start, 16, key=KEY, rounds=2, max_steps=200_000)
    assert found.runs.summary() == {"escaping": 16}
    assert (found.begun_again == 2).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("optimizer", "dtype"),
    [
        ("plain", jnp.float32),
        ("plain", jnp.float64),
        ("adam", jnp.float32),
        ("momentum", jnp.float64),
    ],
)
def test_a_linear_network_never_converges_on_noisy_labels(optimizer, dtype):
    # Above the resolution, √eps and a hundred roundings, each run is escaping.
    clear = 1e-7 if dtype == jnp.float64 else 1e-2
    for noise in 10.0 ** -np.arange(1, 10):
        objective, start = linear(noise, dtype)
        runs = lj.restart(
            objective, start, 4, key=KEY, optimizer=OPTIMIZERS[optimizer], max_steps=BUDGET
        )
        counts = runs.summary()
        assert "converged" not in counts
        if noise >= clear:
            assert counts == {"escaping": 4}, noise
        elif noise < 1e-8:
            assert "escaping" not in counts, (noise, counts)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_no_run_converges_on_80_noisy_data_sets(dtype):
    counts = {}
    for seed in range(80):
        noise = 10.0 ** -np.random.default_rng(seed).uniform(0, 9)
        objective, start = linear(noise, dtype, samples=8, seed=seed)
        runs = lj.restart(objective, start, 2, key=jax.random.key(seed), max_steps=BUDGET)
        for status in runs.summary():
            counts[status] = counts.get(status, 0) + 1
    assert "converged" not in counts
    assert counts["escaping"] >= 24


@pytest.mark.slow
def test_noisy_linear_labels_and_exact_ones_are_told_apart():
    for noise, status in ((1e-4, "escaping"), (1e-9, "undecided"), (0.0, "converged")):
        objective, start = linear(noise, jnp.float64)
        runs = lj.restart(objective, start, 8, key=KEY, max_steps=BUDGET)
        assert runs.summary() == {status: 8}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", PRECISIONS)
def test_a_network_that_interpolates_is_converged_in_either_precision(dtype):
    rng = np.random.default_rng(0)
    x, y = jnp.array(rng.normal(size=(5, 2)), dtype), jnp.array(rng.normal(size=5), dtype)
    network = lj.starts.network(lj.TwoLayer, (2, 8, 1), activation="tanh", dtype=dtype)
    objective = lj.NeuronAugmented(lj.EmpiricalRisk(x, y))
    runs = lj.restart(
        objective,
        lj.starts.augmented(network, 1, 2, scale=0.3, dtype=dtype),
        16,
        key=KEY,
        max_steps=BUDGET,
    )
    assert set(runs.summary()) <= {"converged", "escaping"}
    assert runs.is_converged.sum() >= 10
    assert (np.asarray(runs.value)[runs.is_converged] < 1e-8).all()


@pytest.mark.slow
def test_at_a_network_that_interpolates_every_run_converges():
    x, y = jnp.array([[1.0], [2.0]]), jnp.array([2.0, 4.0])
    objective = lj.NeuronAugmented(lj.EmpiricalRisk(x, y))
    at = AtNetwork(objective, lj.DeepLinear([jnp.full((1, 1), 2.0)]))
    runs = lj.restart(at, lj.starts.augmented(None, 1, 1, scale=0.3), 16, key=KEY)
    assert runs.summary() == {"converged": 16}


@pytest.mark.slow
def test_example_1_converges_where_its_network_does():
    objective = added_neurons.example_1()

    def bumps(key):
        return added_neurons.Bumps(jax.random.uniform(key, (), minval=0.7, maxval=0.9))

    start = lj.starts.augmented(bumps, 1, 1, scale=0.3)
    runs = lj.restart(objective, start, 16, key=KEY, optimizer=optax.adam(1e-2), max_steps=BUDGET)
    assert runs.summary() == {"converged": 16}
    assert (np.asarray(runs.value) < 1e-15).all()
    # Steps of 0.1 throw some out of the narrow bump, to where f is flat and no minimum is.
    thrown = lj.restart(objective, start, 16, key=KEY, max_steps=BUDGET)
    assert set(thrown.summary()) == {"converged", "escaping"}
    theta = np.asarray(thrown.params.network.theta)
    assert (np.abs(theta - 0.8)[thrown.is_escaping] > 0.3).all()
    assert (np.abs(theta - 0.8)[thrown.is_converged] < 0.1).all()


@pytest.mark.slow
def test_a_user_criterion_whose_infimum_is_not_attained_is_never_converged():
    x = jax.random.normal(jax.random.key(5), (6, 2))
    y = jnp.eye(2)[jnp.array([0, 1, 0, 1, 1, 0])]
    own = lj.EmpiricalRisk(x, y, criterion=lambda q, y: -jnp.sum(y * jax.nn.log_softmax(q)))
    objective = lj.NeuronAugmented(own)
    assert objective.attained is None
    network = lj.starts.network(lj.TwoLayer, (2, 4, 2), activation="tanh")
    start = lj.starts.augmented(network, 2, 2, scale=0.3)
    runs = lj.restart(
        objective, start, 8, key=KEY, optimizer=optax.adam(1e-2), max_steps=20_000,
        gradient_tolerance=1e-4,
    )  # fmt: skip
    assert not runs.is_converged.any()


@pytest.mark.parametrize(
    ("criterion", "labels", "attained"),
    [
        (lambda q, y: jnp.sum((q - y) ** 2), "real", True),
        (lambda q, y: jnp.sum(jnp.log1p((q - y) ** 2) + (q - y) ** 2), "real", True),
        (lambda q, y: jnp.sum(jnp.maximum(0, 1 - y * q) ** 3), "sign", None),
        (lambda q, y: jnp.sum((q - y) ** 4), "real", None),
        (lambda q, y: jnp.sum(jnp.logaddexp(0, -y * q)), "sign", None),
        (lambda q, y: jnp.sum(jnp.logaddexp(0, -1e4 * y * q)), "sign", None),
        (lambda q, y: jnp.sum(q - y), "real", False),
    ],
    ids=["squared", "strictly convex", "hinge", "quartic", "logistic", "steep logistic", "linear"],
)
def test_whether_an_infimum_is_attained_is_found_out_where_it_can_be(criterion, labels, attained):
    x = jnp.arange(4.0)[:, None]
    y = jnp.array([1.0, -1.0, 1.0, 1.0]) * (1 if labels == "sign" else 0.37)
    risk = lj.EmpiricalRisk(x, y, criterion=criterion)
    assert lj.NeuronAugmented(risk).attained is attained
    assert lj.NeuronAugmented(risk, attained=True).attained is True


def test_the_penalty_is_one_number():
    risk = lj.EmpiricalRisk(jnp.ones((1, 1)), jnp.ones(1))
    wrong: Any = [1.0, 2.0]
    with pytest.raises(ValueError, match=r"penalty is \[1.0, 2.0\]; it must be a positive number"):
        lj.NeuronAugmented(risk, penalty=wrong)


@pytest.mark.parametrize("neurons", [1, 3])
def test_another_number_of_added_neurons_than_of_outputs_is_refused(neurons):
    objective = lj.NeuronAugmented(lj.EmpiricalRisk(jnp.zeros((1, 1)), jnp.array([[1.0, -1.0]])))
    network = lj.DeepLinear([jnp.zeros((2, 1))])
    none = jnp.zeros(neurons)
    wrong = lj.Augmented(network, none, none, jnp.zeros((neurons, 1)))
    with pytest.raises(ValueError, match=rf"a has shape \({neurons},\); with 2 outputs and 1 inp"):
        objective(wrong)
    start = lj.starts.augmented(lj.starts.network(lj.DeepLinear, (1, 2)), neurons, 1)
    with pytest.raises(ValueError, match="one added neuron for each output"):
        lj.restart(objective, start, 4, key=KEY)


def test_a_frozen_added_neuron_has_minima_of_which_the_theorem_says_nothing():
    # With w = 0 fixed, a e^b is a constant: it need only vanish against the mean residual.
    objective, start = linear(0.5, jnp.float64)
    point = start(KEY)
    every = jax.tree.map(lambda _: True, point)
    trainable = eqx.tree_at(lambda p: p.w, every, False)
    still = lj.Augmented(point.network, point.a, point.b, 0 * point.w)
    part = lj.freeze(objective, still, trainable=trainable)
    assert part.ground(part.trainable) is None
    assert part.is_admissible(part.trainable) is True
    whole = lj.freeze(objective, point, trainable=eqx.tree_at(lambda p: p.network, every, False))
    assert whole.ground(whole.trainable) is not None


def test_a_hinge_and_a_squared_loss_are_attained_when_traced_and_others_not_known():
    def attained(criterion):
        @jax.jit
        def made(x, y):
            objective = lj.NeuronAugmented(lj.EmpiricalRisk(x, y, criterion=criterion))
            assert objective.attained is (None if criterion == "logistic" else True)
            return objective.slopes(lj.DeepLinear([jnp.ones((1, 1))]))

        return made(jnp.array([[1.0], [2.0], [1.0]]), jnp.array([1.0, -1.0, -1.0]))

    for criterion in ("squared", criteria.hinge(3), "logistic"):
        x = jnp.array([[1.0], [2.0], [1.0]])
        risk = lj.EmpiricalRisk(x, jnp.array([1.0, -1.0, -1.0]), criterion=criterion)
        known = lj.NeuronAugmented(risk).slopes(lj.DeepLinear([jnp.ones((1, 1))]))
        np.testing.assert_allclose(np.sort(attained(criterion)), np.sort(np.append(known, 0.0)))
