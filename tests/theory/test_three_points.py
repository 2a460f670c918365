"""YSJ19, theorem 2, corollary 3 and appendix A6: three points for each activation."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from jax.flatten_util import ravel_pytree

import landscape_jax as lj
from landscape_jax.networks import activations
from landscape_jax.theory import (
    ConditionError,
    RationalNetwork,
    check_cell,
    check_fit,
    check_minimum,
    exact_risk,
    exact_samples,
    lowest_nearby,
    three_point_data,
    three_points,
)

from .datasets import SLOPES

COROLLARY_3 = ["sigmoid", "tanh", "arctan", "quadratic", "elu", "selu"]
SMOOTH = [*COROLLARY_3, "erf", "softplus", "sine", "cosine"]
RISK = lj.EmpiricalRisk(*three_point_data())
# The mean over three samples times this is the half of their sum.
HALF = 3 / 2


def softsign(t):
    return t / (1 + jnp.abs(t))


def logit(p):
    return math.log(p / (1 - p))


def flat_tangent(found):
    """Tangents of the networks near the minimum that cannot tell the samples apart, of output 1/3.

    One a column, in the order W1 (by rows), b1, W2, b2.
    """
    (v1, v2), (u1, u2) = found.v, found.u
    h = activations.named(found.minimum.activation)
    h1, h2 = (float(h(jnp.asarray(v))) for v in (v1, v2))
    d1, d2 = (float(h.derivative()(jnp.asarray(v))) for v in (v1, v2))
    return np.array([
        # The weights and the bias of a neuron, against each other: x₁ + x₂ = 1.
        [1, 1, 0, 0, -1, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, -1, 0, 0, 0],
        # What goes in, or out, made up for by the output's bias.
        [0, 0, 0, 0, 1, 0, 0, 0, -u1 * d1],
        [0, 0, 0, 0, 0, 1, 0, 0, -u2 * d2],
        [0, 0, 0, 0, 0, 0, 1, 0, -h1],
        [0, 0, 0, 0, 0, 0, 0, 1, -h2],
    ]).T  # fmt: skip


def assert_theorem_2(activation):
    found = three_points(activation)
    assert found.fit_risk == HALF * float(RISK(found.fit)) <= 1e-24
    assert found.minimum_risk == HALF * float(RISK(found.minimum))
    assert abs(found.minimum_risk - 1 / 3) <= 1e-14
    assert found.minimum.b1 is not None
    assert found.minimum.b1.tolist() == [0, 0]
    gradient = ravel_pytree(lj.gradient(RISK, found.minimum))[0]
    assert float(jnp.abs(gradient).max()) <= 1e-14
    hessian = np.asarray(lj.hessian(RISK, found.minimum))
    size = np.abs(hessian).max()
    flat = flat_tangent(found)
    leaves = [np.asarray(leaf).ravel() for leaf in jax.tree.leaves(found.minimum)]
    assert [len(leaf) for leaf in leaves] == [4, 2, 2, 1]
    assert np.abs(hessian @ flat).max() <= 1e-14 * size * np.abs(flat).max()
    eigenvalues = np.linalg.eigvalsh(hessian)
    assert np.abs(eigenvalues[:6]).max() <= 1e-14 * size
    assert eigenvalues[6] > 1e-3
    return found


@pytest.mark.parametrize(
    "activation",
    [
        "sigmoid",
        "selu",
        *(pytest.param(name, marks=pytest.mark.slow) for name in COROLLARY_3[1:-1]),
    ],
)
def test_each_activation_has_a_fit_and_a_minimum_of_one_third_with_proven_conditions(activation):
    found = assert_theorem_2(activation)
    assert found.rigorous
    assert {"C2.2", "C2.5", "C2.6", "C2.7"} == set(found.margins)
    assert min(found.margins.values()) > 1e-3
    assert activation in found.smoothness or activation == "quadratic"


@pytest.mark.slow
@pytest.mark.parametrize("activation", [*SMOOTH[6:], softsign])
def test_other_activations_and_functions_have_them_too(activation):
    assert assert_theorem_2(activation).rigorous == isinstance(activation, str)


@pytest.mark.slow
@pytest.mark.parametrize("activation", [*COROLLARY_3, "relu"])
def test_none_of_a_million_perturbations_is_lower(activation):
    found = three_points(activation)
    near = lowest_nearby(RISK, found.minimum, radius=1e-3, count=10**6, key=jax.random.key(0))
    assert near.tried == 10**6
    assert near.lowest >= near.value - 1e-15


@pytest.mark.slow
def test_a_saddle_in_place_of_the_minimum_is_refuted():
    # The paper's reading for tanh, which fails (C2.7).
    (v1, v2), (u1, u2) = (math.atanh(0.5), math.atanh(0.25)), (1.0, -2 / 3)
    saddle = lj.TwoLayer(
        jnp.array([[v1, v1], [v2, v2]]), jnp.array([[u1, u2]]), jnp.zeros(2), jnp.zeros(1),
        activation="tanh",
    )  # fmt: skip
    assert abs(HALF * float(RISK(saddle)) - 1 / 3) <= 1e-14
    near = lowest_nearby(RISK, saddle, radius=1e-2, count=2000, key=jax.random.key(0))
    assert near.lowest < near.value - 1e-7


def test_the_values_of_corollary_3_satisfy_the_conditions():
    quarter = logit(0.25)
    v = logit(0.5), quarter, quarter, logit(0.125)
    assert check_fit("sigmoid", v).rigorous
    assert check_minimum("sigmoid", (quarter, quarter), 2 / 3).rigorous
    assert check_fit("quadratic", (1.0, 0.5, 0.5, -0.25)).rigorous
    assert check_minimum("quadratic", (1.0, 1.0), 1 / 6).rigorous
    for inverse, name in ((math.atanh, "tanh"), (math.tan, "arctan")):
        assert check_fit(
            name, (inverse(0.5), inverse(0.25), inverse(0.25), inverse(0.125))
        ).rigorous
        assert check_minimum(name, (inverse(0.5), inverse(0.75)), 1.0).rigorous
        with pytest.raises(ConditionError, match=r"C2.7 is violated") as refusal:
            check_minimum(name, (inverse(0.5), inverse(0.25)), 1.0)
        assert refusal.value.condition == "C2.7"
    for scale, name in ((1.0, "elu"), (1.0507009873554805, "selu")):
        assert check_minimum(name, (1 / (3 * scale), math.log(2 / 3)), 2.0).rigorous


def test_floats_and_balls_agree():
    def mine(t):
        return jnp.tanh(t)

    v, u = (-0.625, -0.375), 0.5
    floats, balls = check_minimum(mine, v, u), check_minimum("tanh", v, u)
    assert not floats.rigorous
    assert "taken from you" in floats.smoothness
    for name, margin in floats.values.items():
        np.testing.assert_allclose(margin, balls.values[name], rtol=1e-13)
    v = -2.5, 1.5, -1.5, three_points("tanh").v_fit[3]
    np.testing.assert_allclose(
        check_fit(mine, v).values["C2.2"], check_fit("tanh", v).values["C2.2"], rtol=1e-9
    )


@pytest.mark.parametrize(
    ("activation", "condition"),
    [
        ("linear", "C2.7"),
        (lambda t: jnp.maximum(t, 0), "C2.7"),
        ("step", "C2.6"),
        (jnp.ones_like, "C2.6"),
        (jnp.zeros_like, "C2.3"),
        (jnp.exp, "C2.2"),
        (activations.monomial(3), "C2.2"),
    ],
)
def test_an_activation_that_violates_a_condition_is_refused_with_its_name(activation, condition):
    with pytest.raises(ConditionError, match=f"{condition} is violated: ") as refusal:
        three_points(activation)
    assert refusal.value.condition == condition


@pytest.mark.parametrize(
    ("call", "condition"),
    [
        (lambda: check_fit("tanh", (1.0, 1.0, 1.0, 2.0)), "C2.1"),
        (lambda: check_fit("tanh", (1.0, 1.0, 1.0, 1.0)), "C2.2"),
        (lambda: check_fit("elu", (1.0, 1.0, 1.0, 0.0)), "C2.1"),
        (lambda: check_fit(softsign, (1.0, 1.0, 1.0, 2.0)), "C2.1"),
        (lambda: check_fit(softsign, (1.0, 1.0, 1.0, 1.0)), "C2.2"),
        (lambda: check_minimum("tanh", (1.0, 0.0), 1.0), "C2.3"),
        (lambda: check_minimum("elu", (0.0, 1.0), 1.0), "C2.4"),
        (lambda: check_minimum("tanh", (1.0, 1.0), 0.1), "C2.6"),
        (lambda: check_minimum("tanh", (1e9, 1.0), 1.0), "C2.6"),
        (lambda: check_minimum(softsign, (1.0, 0.0), 1.0), "C2.3"),
        (lambda: check_minimum(softsign, (1.0, 1.0), 0.1), "C2.6"),
        (lambda: check_minimum(softsign, (1.0, 1 / 3), 2.0), "C2.7"),
    ],
)
def test_numbers_that_violate_a_condition_are_refused_with_its_name(call, condition):
    with pytest.raises(ConditionError) as refusal:
        call()
    assert refusal.value.condition == condition


@pytest.mark.parametrize("slopes", [*SLOPES, (1.0, -1.0), (0.3, -2.0)])
def test_piecewise_linear_activations_have_exact_networks(slopes):
    activation = activations.leaky(*slopes)
    found = three_points(activation)
    assert found.rigorous
    x, y = three_point_data()
    # Rounded to floats: a fit to 1e-24, and a minimum whose cell has nothing much lower.
    assert exact_risk(found.fit, x, y) < fmpq(1, 10**24)
    cell = check_cell(found.minimum, x, y)
    assert cell.interior
    assert cell.patterns == 1
    assert 3 * cell.least == 1
    assert 0 <= cell.gap < fmpq(1, 10**30)
    with pytest.raises(ConditionError):
        check_minimum(activation, found.v, found.u[0])


def test_relu_satisfies_the_first_conditions_though_the_paper_denies_it():
    relu = activations.named("relu")
    v = 1.0, -0.5, 3.0, -1.0
    assert check_fit(relu, v).values["C2.2"] == 0.25
    fit = RationalNetwork(fmpq_mat([[2, -1, 0], [6, -2, 0]]) / 2, fmpq_mat([[-12, 4, 0]]), relu)
    assert fit.risk(exact_samples(*three_point_data())) == 0


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="activation is 'rely'"):
        three_points("rely")


def test_in_single_precision_the_search_is_refused():
    with (
        jax.enable_x64(False),
        pytest.raises(ValueError, match=r'jax.config.update\("jax_enable_x64", True\) first'),
    ):
        three_points("tanh")
    with jax.enable_x64(False):
        assert check_minimum("tanh", (-0.625, -0.375), 0.5).rigorous
        with pytest.raises(ValueError, match="a check in floats needs float64"):
            check_minimum(softsign, (-0.625, -0.375), 0.5)
        with pytest.raises(ValueError, match="a check in floats needs float64"):
            check_fit(softsign, (1.0, 1.0, 1.0, 1.0))
