"""YSJ19, theorem 2, corollary 3 and appendix A6: three points for each activation."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from flint import fmpq, fmpq_mat
from jax.flatten_util import ravel_pytree

import landscape_jax as lj
from landscape_jax.critical import lowest_nearby
from landscape_jax.exact import exact_samples
from landscape_jax.networks import activations
from landscape_jax.theory import (
    ConditionError,
    RationalNetwork,
    check_cell,
    check_fit,
    check_minimum,
    exact_risk,
    three_point_data,
    three_points,
)
from landscape_jax.theory.constructions.traces import BALLS, supports, trace

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
    assert found.proven
    assert {"C2.2", "C2.5", "C2.6", "C2.7"} == set(found.margins)
    assert min(found.margins.values()) > 1e-3
    assert activation in found.smoothness or activation == "quadratic"


@pytest.mark.slow
@pytest.mark.parametrize("activation", [*SMOOTH[6:], softsign])
def test_other_activations_and_functions_have_them_too(activation):
    assert assert_theorem_2(activation).proven == isinstance(activation, str)


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
    assert check_fit("sigmoid", v).proven
    assert check_minimum("sigmoid", (quarter, quarter), 2 / 3).proven
    assert check_fit("quadratic", (1.0, 0.5, 0.5, -0.25)).proven
    assert check_minimum("quadratic", (1.0, 1.0), 1 / 6).proven
    for inverse, name in ((math.atanh, "tanh"), (math.tan, "arctan")):
        assert check_fit(name, (inverse(0.5), inverse(0.25), inverse(0.25), inverse(0.125))).proven
        assert check_minimum(name, (inverse(0.5), inverse(0.75)), 1.0).proven
        with pytest.raises(ConditionError, match=r"C2.7 is violated") as refusal:
            check_minimum(name, (inverse(0.5), inverse(0.25)), 1.0)
        assert refusal.value.condition == "C2.7"
    for scale, name in ((1.0, "elu"), (1.0507009873554805, "selu")):
        assert check_minimum(name, (1 / (3 * scale), math.log(2 / 3)), 2.0).proven


def test_floats_and_balls_agree():
    def mine(t):
        return jnp.tanh(t)

    v, u = (-0.625, -0.375), 0.5
    floats, balls = check_minimum(mine, v, u), check_minimum("tanh", v, u)
    assert not floats.proven
    assert "assumed without proof" in floats.smoothness
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
    assert found.proven
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


def half_risk(network, h):
    """½ Σ (q(xᵢ) − yᵢ)² in any arithmetic, on the three points."""
    W1, (W2,) = ([list(map(Fraction, row)) for row in W.tolist()] for W in (network.W1, network.W2))
    half = Fraction(1, 2)
    total = 0
    for x, y in (((1, 0), 0), ((0, 1), 0), ((half, half), 1)):
        hidden = [row[0] * x[0] + row[1] * x[1] for row in W1]
        total += (sum(u * h(t) for u, t in zip(W2, hidden, strict=True)) - y) ** 2
    return total / 2


# What the first search refused though the conditions hold.
HOLDING = {
    "relu^2": lambda t: jax.nn.relu(t) ** 2,
    "0.01 tanh": lambda t: 0.01 * jnp.tanh(t),
    "tanh(30t)": lambda t: jnp.tanh(30 * t),
    "t + 1e-6 t^2": lambda t: t + 1e-6 * t**2,
    "t + 1e-3 tanh": lambda t: t + 0.001 * jnp.tanh(t),
    "t + 1e-6 tanh": lambda t: t + 1e-6 * jnp.tanh(t),
    "gelu": jax.nn.gelu,
    "mish": jax.nn.mish,
    "hard_swish": jax.nn.hard_swish,
}


@pytest.mark.parametrize(
    "name",
    [
        *list(HOLDING)[:6],
        *(pytest.param(name, marks=pytest.mark.slow) for name in list(HOLDING)[6:]),
    ],
)
def test_small_and_scaled_nonlinearities_have_networks(name):
    h = HOLDING[name]
    found = three_points(h)
    assert abs(found.minimum_risk - 1 / 3) <= 1e-14
    assert found.fit_risk <= 1e-16
    assert found.fit_bound is not None
    assert 0 <= found.fit_bound <= 1e-16
    assert min(found.margins.values()) > 0
    assert not found.proven
    gradient = ravel_pytree(lj.gradient(RISK, found.minimum))[0]
    assert float(jnp.abs(gradient).max()) <= 1e-14
    # Of tiny (C2.7) the Hessian's eigenvalue is beyond float64; the condition is checked in balls.
    eigenvalues = np.linalg.eigvalsh(np.asarray(lj.hessian(RISK, found.minimum)))
    assert eigenvalues[6] > 1e-13 * eigenvalues[-1]


def test_the_bound_of_a_fit_with_large_weights_is_that_of_exact_arithmetic():
    for epsilon in (1e-1, 1e-3, 1e-6):
        found = three_points(lambda t, epsilon=epsilon: t + epsilon * t**2)
        assert found.fit_bound is not None
        exact = half_risk(found.fit, lambda t, e=epsilon: t + Fraction(e) * t**2)
        assert exact <= Fraction(found.fit_bound) <= exact * (1 + Fraction(1, 10**6))
    with mpmath.workdps(60):
        real = lambda t: mpmath.mpf(t.numerator) / t.denominator
        h = lambda t: t + 1e-6 * mpmath.tanh(t)
        found = three_points(lambda t: t + 1e-6 * jnp.tanh(t))
        assert found.fit_bound is not None
        W1, (W2,) = found.fit.W1.tolist(), found.fit.W2.tolist()
        # Weights of size 1/ε.
        assert max(map(abs, W2)) > 1e5
        exact = mpmath.mpf(0)
        for x, y in ((1, 0), (0, 0), (Fraction(1, 2), 1)):
            hidden = [Fraction(a) * x + Fraction(b) * (1 - x) for a, b in W1]
            q = sum(u * h(real(t)) for u, t in zip(W2, hidden, strict=True))
            exact += (q - y) ** 2 / 2
        assert exact <= found.fit_bound <= exact * (1 + 1e-6)


BASES = {
    "tanh": (jnp.tanh, None),
    "relu^2": (lambda t: jnp.maximum(t, 0) ** 2, None),
    "t + 1e-4 t^2": (lambda t: t + 1e-4 * t**2, None),
    "t + 1e-5 tanh": (lambda t: t + 1e-5 * jnp.tanh(t), None),
    "sigmoid": (jax.nn.sigmoid, None),
    "relu6": (jax.nn.relu6, "C2.7 is violated"),
    "leaky": (lambda t: jnp.where(t > 0, 1.01 * t, t), "C2.7 is violated"),
    "exp": (jnp.exp, "C2.2 is violated"),
    "cube": (lambda t: t**3, "C2.2 is violated"),
    "exp(t + 1)": (lambda t: jnp.exp(t + 1), "C2.2 is undecided, nothing found"),
}


@pytest.mark.parametrize("count", [1, pytest.param(24, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", BASES)
def test_an_activation_and_its_scalings_are_decided_alike(name, count):
    h, refusal = BASES[name]
    rng = np.random.default_rng([count, len(name)])
    # The last one takes long, as all candidates are checked.
    for c, kappa in (
        10 ** rng.uniform(-3, 3, size=(count, 2))[: 5 if name == "exp(t + 1)" else None]
    ):
        scaled = lambda t, c=c, kappa=kappa: c * h(kappa * t)
        if refusal is None:
            found = three_points(scaled)
            assert found.fit_bound is not None
            assert found.fit_bound <= 1e-15
            assert abs(found.minimum_risk - 1 / 3) <= 1e-14
            # The unscaled function passes at the same points, to the rounding of v.
            v = tuple(kappa * t for t in found.v)
            assert check_minimum(h, v, c * found.u[0]).values["C2.7"] > 0
        else:
            with pytest.raises(ConditionError, match=refusal) as error:
                three_points(scaled)
            assert error.value.violated == ("is violated" in refusal)


@pytest.mark.parametrize(
    ("h", "kink", "slopes"),
    [
        (jax.nn.relu6, 0.0, (1.0, 0.0)),
        (jax.nn.hard_sigmoid, -3.0, (1 / 6, 0.0)),
        (jax.nn.hard_tanh, -1.0, (1.0, 0.0)),
        (lambda t: jnp.abs(t - 2) / 4, 2.0, (0.25, -0.25)),
    ],
)
def test_a_piecewise_linear_function_has_the_networks_that_its_refusal_names(h, kink, slopes):
    alternative = f"near its kink at {kink:g} it is activations.leaky({slopes[0]}, {slopes[1]})"
    with pytest.raises(ConditionError, match=r"C2.7 is violated") as refusal:
        three_points(h)
    assert alternative in str(refusal.value)
    assert refusal.value.violated
    given = three_points(activations.leaky(*slopes))
    for network, risk in ((given.fit, 0), (given.minimum, 1 / 3)):
        # Scaled down, and moved by the biases to the kink.
        scale = 2.0**-6
        base = float(h(jnp.asarray(kink)))
        moved = lj.TwoLayer(
            network.W1 * scale, network.W2 / scale, jnp.full(2, kink),
            -jnp.sum(network.W2, axis=1) / scale * base, activation=h,
        )  # fmt: skip
        assert abs(HALF * float(RISK(moved)) - risk) <= 1e-13
        if risk:
            leaves, rng = (
                [np.asarray(leaf) for leaf in jax.tree.leaves(moved)],
                np.random.default_rng(0),
            )
            W1, b1, W2, b2 = (leaf + 1e-4 * rng.normal(size=(500, *leaf.shape)) for leaf in leaves)
            x, y = map(np.asarray, three_point_data())
            hidden = np.einsum("rni,si->rsn", W1, x) + b1[:, None]
            q = np.einsum("rsn,rn->rs", np.asarray(h(jnp.asarray(hidden))), W2[:, 0]) + b2
            assert (np.sum((q - y) ** 2, axis=1) / 2).min() >= 1 / 3 - 1e-12


@pytest.mark.parametrize("slopes", [(1.01, 1.0), (0.3, -2.0), (5.0, 0.0)])
def test_the_refusal_of_a_leaky_relu_of_your_own_names_the_one_that_works(slopes):
    plus, minus = slopes
    with pytest.raises(ConditionError, match=r"C2.7 is violated") as refusal:
        three_points(lambda t: jnp.where(t > 0, plus * t, minus * t))
    assert f"give activations.leaky({plus}, {minus}), for which" in str(refusal.value)
    assert three_points(activations.leaky(plus, minus)).proven


def test_with_a_positive_slope_below_its_kink_alone_a_function_has_the_reflected_networks():
    for h in (
        lambda t: jnp.minimum(t, 0.0),
        lambda t: -jnp.maximum(t, 0.0),
        lambda t: jnp.minimum(-t, 0.0),
    ):
        with pytest.raises(
            ConditionError, match=r"activations.leaky\(1.0, 0.0\) up to shifts and signs"
        ):
            three_points(h)


def test_a_function_that_jumps_at_its_kinks_has_no_networks_named():
    with pytest.raises(ConditionError, match=r"C2.7 is violated.*equal for all v and u$"):
        three_points(lambda t: jnp.where(t > 0, t + 1, t))


def test_noise_is_no_nonlinearity():
    # h'' is 0 but for rounding.
    h = lambda t: jnp.sin(2 * t) - 2 * jnp.sin(t) * jnp.cos(t) + t
    with pytest.raises(
        ConditionError, match=r"C2.7 is undecided, nothing found: v from 3e-11 to 2e"
    ) as e:
        three_points(h)
    assert not e.value.violated
    with pytest.raises(ConditionError, match=r"C2.7 is not decided"):
        check_minimum(h, (1.0, 1.0), 0.5)
    looped = jax.jit(lambda t: jax.lax.fori_loop(0, 1, lambda i, s: h(s), t))
    with pytest.raises(ConditionError, match=r"C2.7 is (not decided|violated).*rounding error of"):
        check_minimum(looped, (1.1, 0.7), 0.5)


def test_a_function_that_has_no_ball_arithmetic_is_compared_in_floats():
    looped = jax.jit(lambda t: jax.lax.fori_loop(0, 1, lambda i, s: jnp.tanh(s), t))
    assert not supports(BALLS, trace(activations.named(looped)))
    v, u = (-0.625, -0.375), 0.5
    floats, balls = check_minimum(looped, v, u), check_minimum("tanh", v, u)
    for name in ("C2.6", "C2.7"):
        np.testing.assert_allclose(floats.values[name], balls.values[name], rtol=1e-12)
    fit = -2.5, 1.5, -1.5, math.atanh(math.tanh(1.5) ** 2 / math.tanh(2.5))
    np.testing.assert_allclose(
        check_fit(looped, fit).values["C2.2"], check_fit("tanh", fit).values["C2.2"], rtol=1e-9
    )
    for call, condition in (
        (lambda: check_fit(looped, (1.0, 1.0, 1.0, 2.0)), "C2.1"),
        (lambda: check_fit(looped, (1.0, 1.0, 1.0, 1.0)), "C2.2"),
        (lambda: check_minimum(looped, (1.0, 0.0), 1.0), "C2.3"),
        (lambda: check_minimum(looped, (1.0, 1.0), 0.1), "C2.6"),
        (lambda: check_minimum(looped, (math.atanh(0.5), math.atanh(0.25)), 1.0), "C2.7"),
    ):
        with pytest.raises(ConditionError) as refusal:
            call()
        assert refusal.value.condition == condition


@pytest.mark.slow
def test_three_points_of_a_function_that_has_no_ball_arithmetic_are_found_in_floats():
    found = three_points(jax.jit(lambda t: jax.lax.fori_loop(0, 1, lambda i, s: jnp.tanh(s), t)))
    assert found.fit_bound is None
    assert found.fit_risk <= 1e-24
    assert found.v == three_points("tanh").v
    assert not found.proven


def test_v_at_a_kink_of_your_function_is_not_decided():
    with pytest.raises(
        ConditionError, match=r"C2.4 is not decided: the activation is not known to be analytic"
    ):
        check_minimum(lambda t: jax.nn.relu(t - 1) ** 2, (1.0, 2.0), 0.1)


def test_the_scale_of_the_margin_does_not_matter():
    for epsilon in (1e-1, 1e-4, 1e-6):
        h = lambda t, e=epsilon: t + e * t**2
        u = 1 / (6 * (1 + epsilon))
        margin = check_minimum(h, (1.0, 1.0), u).values["C2.7"]
        p, k = (u * (1 + 2 * epsilon)) ** 2, 2 * u * epsilon / 3
        np.testing.assert_allclose(margin, 2 * p * k + k * k, rtol=1e-9)
    assert check_fit(lambda t: jax.nn.relu(t) ** 2, (1.0, -0.5, 3.0, -1.0)).values["C2.2"] == 0.4375
    v = math.atanh(0.5) / 30, math.atanh(0.75) / 30
    assert min(check_minimum(lambda t: jnp.tanh(30 * t), v, 1.0).values.values()) > 0


@pytest.mark.parametrize(
    ("h", "message"),
    [
        (np.tanh, "activation tanh is not a function of JAX arrays.*jnp.tanh for np.tanh"),
        (math.tanh, "activation tanh is not a function of JAX arrays"),
        (lambda t: t if t > 0 else 0 * t, "is not a function of JAX arrays.*jnp.where for if"),
    ],
)
def test_functions_of_other_libraries_are_refused_in_one_sentence(h, message):
    for call in (
        three_points,
        lambda h: check_minimum(h, (1.0, 1.0), 1.0),
        lambda h: check_fit(h, (1.0, 1.0, 1.0, 1.0)),
    ):
        with pytest.raises(TypeError, match=message):
            call(h)


def test_a_function_that_is_not_elementwise_is_refused():
    with pytest.raises(ValueError, match=r"maps one float to .*; it must return one float"):
        three_points(lambda t: jnp.stack([t, t]))
    with pytest.raises(ValueError, match="it must return one float"):
        three_points(lambda t: t > 0)


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
        assert check_minimum("tanh", (-0.625, -0.375), 0.5).proven
        with pytest.raises(ValueError, match="a check in floats needs float64"):
            check_minimum(softsign, (-0.625, -0.375), 0.5)
        with pytest.raises(ValueError, match="a check in floats needs float64"):
            check_fit(softsign, (1.0, 1.0, 1.0, 1.0))
