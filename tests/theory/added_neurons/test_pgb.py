"""KK20, theorem 3: the bound holds at local minima, and refutes others."""

from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.theory import (
    Composed,
    added_neurons,
    composed_added,
    composed_risk,
    least_value,
    pgb_test,
    unchanging,
)

from .problems import CORNERS, REPEATED, SCATTERED, XOR

KEY = jax.random.key(7)
Y = jnp.array([[1.0, 0.5], [-1.0, 2.0], [0.3, 0.0], [2.0, 1.0], [0.0, -1.0]])


def last_layer(net):
    """h of a network whose last layer is linear: that layer's weights, and zeros."""
    zeros = jax.tree.map(jnp.zeros_like, net)
    if isinstance(net, lj.DeepLinear):
        return eqx.tree_at(lambda n: n.weights[-1], zeros, net.weights[-1])
    return eqx.tree_at(lambda n: n.W2, zeros, net.W2)


def neuron(a, b, w):
    return lj.Augmented(None, jnp.full(1, a), jnp.full(1, b), jnp.asarray(w).reshape(1, -1))


def aside(inputs: int, count: int):
    """Directions of b and w alone, which change nothing where a = 0."""
    rows = jax.random.normal(KEY, (count, 1, inputs + 1))
    rows /= jnp.linalg.norm(rows, axis=(1, 2), keepdims=True)
    return jax.vmap(lambda row: lj.Augmented(None, jnp.zeros(1), row[:, 0], row[:, 1:]))(rows)


def least_squares() -> tuple[Composed, lj.DeepLinear]:
    """A deep linear network at a global minimum with a loss, of rank 2 through 3 neurons."""
    best = np.linalg.lstsq(np.asarray(SCATTERED), np.asarray(Y), rcond=None)[0].T
    first = np.random.default_rng(3).normal(size=(3, 2))
    net = lj.DeepLinear([first, best @ np.linalg.pinv(first)])
    return composed_risk(lj.EmpiricalRisk(SCATTERED, Y), last_layer), net


@pytest.mark.slow
def test_at_a_global_minimum_of_a_deep_linear_network_the_bound_is_its_value():
    objective, net = least_squares()
    directions = unchanging(objective, net, 8, epsilon=0.1, key=KEY)
    assert len(directions.weights[0]) >= 4
    test = pgb_test(objective, net, epsilon=0.1, directions=directions)
    assert test.gradient_norm < 1e-13
    assert test.value > 0.1
    assert not test.refuted
    # ρ = 1, no regulariser: equality.
    assert test.correction == 0
    np.testing.assert_allclose(test.infimum, test.value, rtol=1e-12)
    assert test.rank == 4


@pytest.mark.slow
def test_at_a_suboptimal_local_minimum_of_a_relu_network_the_bound_holds():
    # L = 2 where ½ can be had; the neuron is dead for the sample that it misses.
    objective, bad, _ = added_neurons.example_2()
    risk = composed_risk(objective.risk, last_layer)
    directions = unchanging(risk, bad, 8, epsilon=0.1, key=KEY)
    test = pgb_test(risk, bad, epsilon=0.1, directions=directions)
    assert (test.value, test.rank, test.refuted) == (2.0, 1, False)
    np.testing.assert_allclose(test.infimum, 2.0, rtol=1e-14)


@pytest.mark.slow
def test_the_saddle_of_a_deep_linear_network_at_zero_is_refuted_at_every_epsilon():
    objective, _ = least_squares()
    zero = lj.DeepLinear([jnp.zeros((3, 2)), jnp.zeros((2, 3))])
    for epsilon in (0.5, 1e-2, 1e-4):
        directions = unchanging(objective, zero, 6, epsilon=epsilon, key=KEY)
        first = eqx.tree_at(lambda n: n.weights[1], directions, jnp.zeros((6, 2, 3)))
        test = pgb_test(objective, zero, epsilon=epsilon, directions=first)
        assert test.gradient_norm == 0
        assert test.refuted
        np.testing.assert_allclose(test.infimum, float(objective(least_squares()[1])), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("criterion", ["squared", lj.criteria.hinge(2), "logistic"])
def test_without_effect_of_the_neurons_the_bound_is_the_least_value_of_any_function(criterion):
    # The proof of theorem 1: with a = 0 the gradients span all functions of the distinct inputs.
    risk = lj.EmpiricalRisk(REPEATED, jnp.sign(Y[:, 0] - 0.1), criterion=criterion)
    network = lj.DeepLinear([jnp.array([[0.3, -0.2]])])
    objective = composed_added(lj.NeuronAugmented(risk), network)
    here = neuron(0.0, 0.2, [0.1, 0.4])
    test = pgb_test(objective, here, epsilon=0.5, directions=aside(2, 6))
    assert test.rank == 2
    np.testing.assert_allclose(test.infimum, least_value(risk), rtol=0, atol=1e-10)
    np.testing.assert_allclose(test.value, float(risk(network)), rtol=1e-14)
    assert test.refuted


@pytest.mark.slow
def test_a_point_of_zero_gradient_that_is_no_minimum_is_refuted():
    # Example 4 with w = 0: both slopes cancel, though the network is not the best.
    path = added_neurons.example_4()
    objective = composed_added(path.objective, path.network)
    for epsilon in (0.5, 0.05, 0.005):
        test = pgb_test(objective, neuron(0.0, 0.0, [0.0]), epsilon=epsilon, directions=aside(1, 4))
        assert test.gradient_norm == 0
        assert test.refuted
        # No function has a loss at two distinct inputs.
        np.testing.assert_allclose([test.value, test.infimum], [1.0, 0.0], rtol=0, atol=1e-12)


@pytest.mark.slow
def test_theorem_1_points_pass_with_directions_of_all_kinds():
    objective, network = added_neurons.example_5()
    corners = lj.NeuronAugmented(lj.EmpiricalRisk(CORNERS, XOR))
    fit = lj.TwoLayer(jnp.array([[1.0, 1.0], [-1.0, -1.0]]), jnp.ones((1, 2)), None, -jnp.ones(1))
    for problem, net, inputs in ((objective, network, 1), (corners, fit, 2)):
        composed = composed_added(problem, net)
        here = neuron(0.0, 0.3, np.full(inputs, 0.5))
        found = unchanging(composed, here, 8, epsilon=0.2, key=KEY)
        assert len(found.a) >= 4
        for directions in (found, aside(inputs, 6)):
            test = pgb_test(composed, here, epsilon=0.2, directions=directions)
            assert test.gradient_norm < 1e-14
            assert not test.refuted, test


def bowl(degree: float, power: float, weight: float) -> Composed:
    """Q = (u − 2)² + w ϕ^p with ϕ = u^{1/ρ} and h = u."""
    return Composed(
        outputs=lambda u: u[None],
        losses=lambda q: (q[:, 0] - 2) ** 2,
        scaling=lambda u: u,
        regularised=lambda u: (u ** (1 / degree))[None],
        penalties=lambda r: weight * jnp.abs(r[:, 0]) ** power,
        degree=degree,
    )


@pytest.mark.parametrize(
    ("degree", "power", "minimum"), [(0.5, 1.0, 4 / 3), (2.0, 2.0, 1.75)], ids=["½", "2"]
)
def test_with_a_regulariser_the_correction_is_needed_and_right(degree, power, minimum):
    # (u − 2)² + u²/2 has its minimum at 4/3; (u − 2)² + u/2, written with √u, at 7/4.
    objective, u = bowl(degree, power, 0.5), jnp.array([minimum])
    still = jnp.zeros((1, 1))
    test = pgb_test(objective, u, epsilon=0.1, directions=still)
    assert test.gradient_norm < 1e-14
    assert not test.refuted
    if degree == 2:  # Without its correction the test would refute this minimum.
        assert test.value > test.infimum + 0.1
    np.testing.assert_allclose(
        test.correction, (degree - 1) / degree * power * 0.5 * minimum ** (power / degree)
    )


def test_a_large_epsilon_refutes_a_minimum_over_a_small_ball_only():
    # Q = (u relu(v)² − 1)² is constant for v ≤ 0: (0, −0.1) is a minimum over a ball of radius 0.1.
    objective = Composed(
        outputs=lambda z: (z[0] * jnp.maximum(0, z[1]) ** 2).reshape(1, 1),
        losses=lambda q: (q[:, 0] - 1) ** 2,
        scaling=lambda z: z * jnp.array([1.0, 0.0]),
    )
    here, up = jnp.array([0.0, -0.1]), jnp.array([[0.0, 1.0]])
    assert not pgb_test(objective, here, epsilon=0.09, directions=up).refuted
    assert pgb_test(objective, here, epsilon=0.5, directions=up).refuted


def test_what_is_found_as_unchanging_is_unchanging_and_short():
    objective, net = least_squares()
    found = unchanging(objective, net, 10, epsilon=0.3, key=KEY)
    for i in range(len(found.weights[0])):
        moved = jax.tree.map(lambda w, v, i=i: w + 0.3 * v[i], net, found)
        np.testing.assert_allclose(moved(SCATTERED), net(SCATTERED), rtol=0, atol=1e-12)
        assert not np.allclose(moved.weights[0], net.weights[0], atol=1e-4)


@cache
def refusals():
    return list(_refusals())


def _refusals():
    objective, net = least_squares()
    one = jax.tree.map(lambda w: w[None] / 100, net)
    nothing = jax.tree.map(jnp.zeros_like, one)
    far = eqx.tree_at(lambda n: n.weights[0], nothing, jnp.ones((1, 3, 2)))
    wrong = composed_risk(lj.EmpiricalRisk(SCATTERED, Y), lambda net: net)
    concave = Composed(
        outputs=lambda z: z[:, None], losses=lambda q: jnp.sin(3 * q[:, 0]), scaling=lambda z: z
    )
    double = bowl(0.5, 1.0, 0.5)
    off = eqx.tree_at(lambda o: o.degree, double, 1.0)
    yield objective, net, 0.0, nothing, "epsilon is 0.0; it must be a positive number"
    yield objective, net, 0.1, jnp.zeros((1, 3)), "directions have 3 entries each; z has 12"
    yield objective, net, 0.1, far, "a direction has length 2.44949; they must be at most 1"
    yield objective, net, 0.1, one, "outputs move by .* along a direction; they must stay unchanged"
    yield wrong, net, 0.1, nothing, "φ differs by .* from Σ hₖ ∂ₖφ; give its h and ρ"
    yield off, jnp.ones(1), 0.1, jnp.zeros((1, 1)), "ϕ differs by 1 from ρ Σ hₖ ∂ₖϕ"
    yield concave, jnp.array([0.4]), 0.1, jnp.zeros((1, 1)), "the losses are not convex"


@pytest.mark.parametrize("case", range(7))
def test_where_a_condition_does_not_hold_the_test_is_refused(case):
    objective, z, epsilon, directions, message = refusals()[case]
    with pytest.raises(ValueError, match=message):
        pgb_test(objective, z, epsilon=epsilon, directions=directions)


def test_an_objective_that_is_not_of_the_form_is_refused():
    def parts(**more):
        return Composed(lambda z: z[:, None], lambda q: q[:, 0] ** 2, lambda z: z, **more)

    with pytest.raises(ValueError, match="degree is 0; it must be a number other than 0"):
        parts(degree=0)
    with pytest.raises(ValueError, match="give both regularised and penalties, or neither"):
        parts(regularised=lambda z: z[:, None])


def test_where_all_gradients_vanish_the_bound_is_the_loss_of_the_output_0():
    # Of three layers that are 0 every perturbed gradient is 0 too: the span has no dimension.
    objective, _ = least_squares()
    zero = lj.DeepLinear([jnp.zeros((2, 2))] * 3)
    test = pgb_test(objective, zero, epsilon=0.1, directions=jax.tree.map(lambda w: w[None], zero))
    assert test.rank == 0
    assert test.infimum == test.value == pytest.approx(float(jnp.mean(jnp.sum(Y**2, axis=1))))
    assert not test.refuted


def test_the_infimum_is_found_where_the_hessian_vanishes():
    objective = Composed(
        outputs=lambda z: z[None],
        losses=lambda q: jnp.sum(q**4, axis=1) + q[:, 0] ** 2,
        scaling=lambda z: z,
    )
    here, still = jnp.array([3.0, -2.0]), jnp.zeros((1, 2))
    test = pgb_test(objective, here, epsilon=0.1, directions=still)
    # A gradient 4x³ ≤ 1e-13 leaves x below 3e-5.
    assert test.slope <= 1e-13
    assert 0 <= test.infimum < 1e-16
    assert test.refuted


def test_an_infimum_at_minus_infinity_refutes():
    objective = Composed(
        outputs=lambda z: z[:, None], losses=lambda q: q[:, 0], scaling=lambda z: z
    )
    test = pgb_test(objective, jnp.ones(1), epsilon=0.1, directions=jnp.zeros((1, 1)))
    assert test.infimum == -np.inf
    assert test.refuted
