"""The empirical risk is the mean of its criterion, with exact derivatives, whole and in chunks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import landscape_jax as lj
from landscape_jax.networks import activations, criteria, random_network

RNG = np.random.default_rng(0)
SAMPLES, INPUTS, OUTPUTS = 7, 3, 2
X = jnp.array(RNG.normal(size=(SAMPLES, INPUTS)))
LABELS = {
    "squared": jnp.array(RNG.normal(size=(SAMPLES, OUTPUTS))),
    "cross_entropy": jnp.array(RNG.integers(0, OUTPUTS, SAMPLES)),
    "soft": jnp.array(RNG.dirichlet([1, 1], SAMPLES)),
    "logistic": jnp.array(RNG.choice([-1.0, 1.0], (SAMPLES, OUTPUTS))),
    "hinge2": jnp.array(RNG.choice([-1.0, 1.0], (SAMPLES, OUTPUTS))),
    "hinge3": jnp.array(RNG.choice([-1.0, 1.0], (SAMPLES, OUTPUTS))),
    "quartic": jnp.array(RNG.normal(size=(SAMPLES, OUTPUTS))),
}


class Weighted(eqx.Module):
    """A criterion that holds an array."""

    factor: jax.Array

    def __call__(self, q, y):
        return self.factor * jnp.sum((q - y) ** 2)


def quartic(q, y):
    return jnp.sum((q - y) ** 4)


CRITERIA = {
    "squared": "squared",
    "cross_entropy": "cross_entropy",
    "soft": "cross_entropy",
    "logistic": "logistic",
    "hinge2": criteria.hinge(2),
    "hinge3": criteria.hinge(3),
    "quartic": quartic,
}


def _network(activation="tanh", kind=lj.TwoLayer, sizes=(INPUTS, 4, OUTPUTS)):
    net = random_network(kind, sizes, key=jax.random.key(3), activation=activation)
    return jax.tree.map(lambda w: w + 0.05, net)


def _risk(name, **options):
    return lj.EmpiricalRisk(X, LABELS[name], criterion=CRITERIA[name], **options)


def _loss(name, q, y):
    """The loss of one prediction, by its textbook formula."""
    if name == "squared":
        return ((q - y) ** 2).sum()
    if name in ("cross_entropy", "soft"):
        p = np.exp(q) / np.exp(q).sum()
        return -np.log(p[y]) if name == "cross_entropy" else -(y * np.log(p)).sum()
    if name == "logistic":
        return np.log(1 + np.exp(-y * q)).sum()
    if name == "quartic":
        return ((q - y) ** 4).sum()
    return (np.maximum(0, 1 - y * q) ** int(name[-1])).sum()


@pytest.mark.parametrize("name", CRITERIA)
def test_the_risk_is_the_mean_of_the_textbook_loss(name):
    net = _network()
    q, y = np.asarray(net(X)), np.asarray(LABELS[name])
    expected = [_loss(name, q[i], y[i]) for i in range(SAMPLES)]
    np.testing.assert_allclose(_risk(name)(net), np.mean(expected), rtol=1e-14)
    np.testing.assert_allclose(_risk(name).losses(net), expected, rtol=1e-14)


# Every activation and every criterion by default, all pairs in the slow run.
PAIRS = [
    pytest.param(activation, name, marks=[] if (i - j) % len(CRITERIA) == 0 else [pytest.mark.slow])
    for i, activation in enumerate(activations.NAMES)
    for j, name in enumerate(CRITERIA)
]


@pytest.mark.parametrize(("activation", "name"), PAIRS)
def test_the_gradient_is_the_difference_quotient(activation, name):
    risk, net = _risk(name), _network(activation)
    direction = jax.tree.map(lambda w: jnp.cos(jnp.arange(w.size)).reshape(w.shape), net)
    # No sample comes within the step of a kink.
    h = 1e-6
    at = lambda t: risk(jax.tree.map(lambda w, d: w + t * d, net, direction))
    quotient = (at(h) - at(-h)) / (2 * h)
    slope = sum(
        jnp.vdot(g, d)
        for g, d in zip(*map(jax.tree.leaves, (lj.gradient(risk, net), direction)), strict=True)
    )
    # Its error: rounding ε F/h and h²/6 times a third derivative (cubes of 1000 at the most).
    np.testing.assert_allclose(slope, quotient, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("kind", [lj.Mlp, lj.DeepLinear])
@pytest.mark.parametrize("name", CRITERIA)
def test_deeper_networks_have_the_difference_quotients_gradient_too(kind, name):
    risk, net = _risk(name), _network("softplus", kind, (INPUTS, 4, 3, OUTPUTS))
    flat, unravel = ravel_pytree(net)
    value = lambda v: risk(unravel(v))

    @jax.jit
    def slope_and_differences(h):
        return jax.grad(value)(flat), jax.vmap(lambda d: value(flat + d) - value(flat - d))(h)

    slope, values = slope_and_differences(1e-6 * jnp.eye(flat.size))
    np.testing.assert_allclose(slope, values / 2e-6, atol=1e-7)


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_chunks_change_neither_value_nor_derivatives(chunk):
    whole, parts, net = _risk("squared"), _risk("squared", chunk=chunk), _network()
    np.testing.assert_allclose(parts(net), whole(net), rtol=1e-14)
    for one, other in zip(
        *map(jax.tree.leaves, (lj.gradient(parts, net), lj.gradient(whole, net))), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-14)
    np.testing.assert_allclose(lj.hessian(parts, net), lj.hessian(whole, net), atol=1e-13)


@pytest.mark.slow
def test_a_batch_of_ten_thousand_networks_is_the_loop():
    risk = _risk("cross_entropy")
    start = lj.starts.network(lj.TwoLayer, (INPUTS, 4, OUTPUTS), activation="tanh")
    nets = jax.vmap(start)(jax.random.split(jax.random.key(0), 10_000))
    values, slopes = jax.jit(jax.vmap(jax.value_and_grad(risk)))(nets)
    one = jax.jit(jax.value_and_grad(risk))
    for i in range(0, 10_000, 10):
        value, slope = one(jax.tree.map(lambda leaf, i=i: leaf[i], nets))
        np.testing.assert_allclose(values[i], value, rtol=1e-13)
        np.testing.assert_allclose(slopes.W1[i], slope.W1, atol=1e-13)


def test_batches_have_the_risk_as_their_mean():
    risk, net = _risk("squared"), _network()
    draw = risk.batches(4)
    values = jax.jit(jax.vmap(lambda k: draw(k)(net)))(jax.random.split(jax.random.key(0), 20_000))
    error = float(values.std()) / 20_000**0.5
    assert abs(float(values.mean()) - float(risk(net))) < 4 * error


@pytest.mark.slow
def test_descent_by_batches_comes_near_the_least_squares_risk_and_is_repeatable():
    y = X @ jnp.array([1.0, -2.0, 0.5]) + 0.1
    risk = lj.EmpiricalRisk(X, y)
    start = lj.starts.network(lj.DeepLinear, (INPUTS, 1))
    go = lambda restarts: lj.restart(
        risk, start, restarts, key=jax.random.key(1), batches=risk.batches(3), max_steps=2000
    )
    runs, again = go(6), go(jnp.array([4, 1]))
    assert runs.summary() == {"max_steps": 6}
    least = np.linalg.lstsq(np.asarray(X), np.asarray(y), rcond=None)[1][0] / SAMPLES
    assert (np.asarray(runs.value) < least + 0.01).all()
    np.testing.assert_array_equal(runs.value[jnp.array([4, 1])], again.value)
    assert len(set(np.asarray(runs.value).tolist())) == 6


@pytest.mark.slow
def test_restarts_on_data_end_at_the_least_squares_risk():
    y = X @ jnp.array([1.0, -2.0, 0.5]) + jnp.array(RNG.normal(size=SAMPLES))
    risk = lj.EmpiricalRisk(X, y)
    start = lj.starts.network(lj.DeepLinear, (INPUTS, 2, 1))
    runs = lj.restart(risk, start, 10, key=jax.random.key(0))
    least = np.linalg.lstsq(np.asarray(X), np.asarray(y), rcond=None)[1][0] / SAMPLES
    np.testing.assert_allclose(runs.value, least, rtol=1e-9)


def test_frozen_leaves_stay_and_the_others_move():
    risk, net = _risk("squared"), _network()
    chosen = eqx.tree_at(lambda n: (n.W1, n.b2), jax.tree.map(lambda _: False, net), (True, True))
    part = lj.freeze(risk, net, trainable=chosen)
    assert float(part(part.trainable)) == float(risk(net))
    slope = lj.gradient(part, part.trainable)
    np.testing.assert_array_equal(slope.W1, lj.gradient(risk, net).W1)
    assert slope.W2 is None
    starts = jax.tree.map(lambda w: jnp.stack([w, 2 * w]), part.trainable)
    runs = lj.restart(part, starts, 2, max_steps=50, finish=False)
    whole = part.whole(jax.tree.map(lambda w: w[1], runs.params))
    np.testing.assert_array_equal(whole.W2, net.W2)
    assert not np.array_equal(whole.W1, 2 * net.W1)
    assert lj.hessian(part, part.trainable).shape == (14, 14)
    with pytest.raises(ValueError, match="trainable chooses no leaf of the network"):
        lj.freeze(risk, net, trainable=jax.tree.map(lambda _: False, net))


def test_a_frozen_objective_knows_what_escapes():
    y = jnp.ones(SAMPLES)
    net = lj.DeepLinear([jnp.zeros((1, INPUTS))])
    params = lj.Augmented(net, jnp.ones(1), 3 * jnp.ones(1), jnp.zeros((1, INPUTS)))
    objective = lj.NeuronAugmented(lj.EmpiricalRisk(X, y))
    none = jax.tree.map(lambda _: False, params)
    chosen = eqx.tree_at(lambda p: (p.a, p.b, p.w), none, (True, True, True))
    part = lj.freeze(objective, params, trainable=chosen)
    assert float(part.escape(part.trainable)) == float(objective.escape(params))
    assert not part.is_admissible(part.trainable)


def test_float32_stays_float32():
    risk = lj.EmpiricalRisk(X.astype(jnp.float32), LABELS["squared"].astype(jnp.float32))
    net = jax.tree.map(lambda w: w.astype(jnp.float32), _network())
    assert risk(net).dtype == jnp.float32
    assert lj.gradient(risk, net).W1.dtype == jnp.float32


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lj.EmpiricalRisk(X[:0], jnp.ones(0)), ValueError, "x has shape .0, 3.; it"),
        (lambda: lj.EmpiricalRisk(X[0], jnp.ones(3)), ValueError, "x has shape"),
        (lambda: lj.EmpiricalRisk(X.at[0, 0].set(jnp.nan), jnp.ones(7)), ValueError, "x .*finite"),
        (lambda: lj.EmpiricalRisk(X, jnp.ones(6)), ValueError, "one label for each of the 7"),
        (
            lambda: lj.EmpiricalRisk(X, jnp.full(7, jnp.inf)),
            ValueError,
            "y has entries that are not finite",
        ),
        (
            lambda: lj.EmpiricalRisk(X, jnp.ones((7, 1, 1))),
            ValueError,
            r"y has shape \(7, 1, 1\); give \(samples,\) or \(samples, outputs\)",
        ),
        (
            lambda: lj.EmpiricalRisk(X, jnp.zeros(7), criterion="logistic"),
            ValueError,
            "y must be −1 or 1 for the criterion logistic",
        ),
        (
            lambda: lj.EmpiricalRisk(X, jnp.ones((7, 2)), criterion="cross_entropy"),
            ValueError,
            "y must be classes",
        ),
        (
            lambda: lj.EmpiricalRisk(X, -jnp.ones(7, int), criterion="cross_entropy"),
            ValueError,
            "y has the class -1; y must be classes, one integer from 0",
        ),
        (
            lambda: lj.EmpiricalRisk(X, jnp.ones(7), criterion="cube"),
            ValueError,
            "criterion is 'cube'; it must be a function",
        ),
        (lambda: criteria.hinge(1.5), ValueError, "power is 1.5; it must be at least 2"),
        (lambda: lj.EmpiricalRisk(X, jnp.ones(7), chunk=0), ValueError, "chunk is 0"),
        (lambda: _risk("squared").batches(0), ValueError, "size is 0; it must be at least 1"),
        (
            lambda: lj.EmpiricalRisk(X, jnp.ones(7))(_network()),
            ValueError,
            "y has 1 outputs; the network gives 2",
        ),
        (
            lambda: lj.gradient(
                lj.EmpiricalRisk(X, 2 * jnp.ones(7, int), criterion="cross_entropy"), _network()
            ),
            ValueError,
            "y has class 2; the network gives 2 outputs, one for each class from 0",
        ),
        (
            lambda: _risk("squared")(lambda x: x[..., None, None]),
            ValueError,
            r"the network gives shape \(7, 3, 1, 1\) .* it must give \(samples, outputs\), or",
        ),
        (
            lambda: lj.EmpiricalRisk(jnp.ones((7, 5)), jnp.ones((7, 2)))(_network()),
            ValueError,
            "x has 5 inputs a sample; the network takes 3",
        ),
        (lambda: _risk("squared")("net"), TypeError, "the network is 'net'; it must be a function"),
        (
            lambda: lj.EmpiricalRisk(jnp.ones((7, 3, 3)), jnp.ones((7, 2)))(_network()),
            ValueError,
            r"the network gives shape \(7, 3, 2\) for samples of shape \(7, 3, 3\)",
        ),
        (
            lambda: lj.NeuronAugmented(lj.EmpiricalRisk(jnp.ones((7, 3, 3)), jnp.ones(7))),
            ValueError,
            r"x of risk has shape \(7, 3, 3\)",
        ),
        (lambda: lj.EmpiricalRisk(1j * X, jnp.ones(7)), TypeError, "x has dtype complex128"),
        (lambda: lj.EmpiricalRisk(X, 1j * jnp.ones(7)), TypeError, "y has dtype complex128"),
        (lambda: lj.EmpiricalRisk(X, [None] * 7), TypeError, "y has dtype object; give real"),
        (
            lambda: lj.EmpiricalRisk(X, X[:, 0] > 0, criterion="logistic"),
            ValueError,
            "y must be −1 or 1 for the criterion logistic",
        ),
        (
            lambda: lj.EmpiricalRisk(X, X[:, 0] > 0, criterion="cross_entropy"),
            ValueError,
            "y has a row that is no distribution; y must be classes",
        ),
        (
            lambda: lj.EmpiricalRisk(X, jnp.ones(7), chunk=jnp.asarray(2.5)),
            TypeError,
            "chunk is 2.5; give an integer of at least 1",
        ),
        (
            lambda: lj.EmpiricalRisk(X, jnp.ones(7), criterion=Weighted(jnp.ones(()))),
            TypeError,
            "criterion has a part that cannot be hashed",
        ),
    ],
)
def test_bad_data_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
