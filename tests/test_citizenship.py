"""Objectives, networks and starts keep to JAX's customs: a table of cases, each with its value.

`got` is what a user of JAX would write, `want` the same by another route: outside of every
transformation, by NumPy, or by Equinox alone.
"""

import copy
import io
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import joblib
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import landscape_jax as lj
from landscape_jax.native import without_kernels
from landscape_jax.networks import activations, criteria
from landscape_jax.objectives.protocols import nearest_minimizer

KEY = jax.random.key(0)
MESH = Mesh(np.array(jax.devices()[:1]), ("parts",))
TEACHER, WEIGHTS = jnp.eye(3), jnp.array([1.0, -1.0, 2.0])
W = 0.5 * TEACHER
W32 = W.astype(jnp.float32)
# F(I/2) for the teacher I: the pair expectation of unit neurons is 1/2 for equal ones and 1/2π for
# orthogonal ones (SS18, eq. 7), and (1 − 1/2)² is common to all pairs.
VALUE = (3 / 2 + 6 / (2 * np.pi)) / 8
RISK = lj.PopulationRisk(TEACHER)
WEIGHTED = lj.PopulationRisk(TEACHER, teacher_weights=WEIGHTS)
SMOOTH = lj.PopulationRisk(TEACHER, activation="tanh", order=8)

X = jax.random.normal(KEY, (6, 2))
Y = jnp.sin(X[:, 0])
CLASSES = jnp.array([0, 1, 1, 0, 1, 0])
DATA = lj.EmpiricalRisk(X, Y)
START = lj.starts.network(lj.TwoLayer, (2, 3, 1), activation="tanh")
NET = START(KEY)
TWO = lj.starts.network(lj.TwoLayer, (2, 3, 2), activation="tanh")(KEY)
NET32 = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), NET)
ADDED = lj.Augmented(NET, jnp.ones(1), jnp.zeros(1), jnp.zeros((1, 2)))
HALF_NET = eqx.tree_at(lambda n: n.W1, NET, replace_fn=lambda w: w.astype(jnp.float32))
FIRST = eqx.tree_at(lambda n: n.W1, jax.tree.map(lambda _: False, NET), True)

MLP = eqx.nn.MLP(2, 1, 2, 1, key=KEY)
SCALAR = eqx.nn.MLP(2, "scalar", 2, 1, activation=jnp.tanh, key=KEY)
IMAGES = jax.random.normal(KEY, (5, 1, 4, 4))
CONVOLUTION = eqx.nn.Sequential(
    [
        eqx.nn.Conv2d(1, 2, 3, key=KEY),
        eqx.nn.Lambda(jnp.ravel),
        eqx.nn.Dropout(0.5, inference=True),
        eqx.nn.Linear(8, 1, key=KEY),
    ]
)


class Named(eqx.Module):
    """A user's network of samples, with leaves that are no arrays."""

    layers: eqx.nn.MLP
    name: str
    verbose: bool

    def __call__(self, x):
        return jax.vmap(self.layers)(x)


def quartic(q, y):
    return jnp.sum((q - y) ** 4)


def mean_square(network, x=X, y=Y):
    """The risk by Equinox's own idiom."""
    return jnp.mean((jax.vmap(network)(x).reshape(len(x), -1) - y[:, None]) ** 2)


def balanced_value(risk, w):
    same, point = risk.balanced(w)
    return same(point)


def nearest_point(risk, w):
    found = nearest_minimizer(risk, w)
    assert found is not None
    return found.point


def sharded(function, jit=True):
    mapped = jax.shard_map(function, mesh=MESH, in_specs=P(), out_specs=P(), check_vma=False)
    return jax.jit(mapped) if jit else mapped


def flat(tree) -> Any:
    return ravel_pytree(eqx.filter(tree, eqx.is_inexact_array))[0]


def derivatives(objective, params):
    """Gradient and Hessian over the floating arrays, raveled, by JAX alone."""
    arrays, rest = eqx.partition(params, eqx.is_inexact_array)
    vector, unravel = ravel_pytree(arrays)
    function = lambda v: objective(eqx.combine(unravel(v), rest))
    return jax.jit(lambda v: ravel_pytree([jax.grad(function)(v), jax.hessian(function)(v)])[0])(
        vector
    )


def ours(objective, params):
    return ravel_pytree([flat(lj.gradient(objective, params)), lj.hessian(objective, params)])[0]


Case = tuple[str, Callable[[], Any], Callable[[], Any]]
BUILT_INSIDE: list[Case] = [
    ("jit, closed-over array", lambda: jax.jit(lambda w: lj.PopulationRisk(TEACHER)(w))(W),
     lambda: VALUE),
    ("jit, NumPy", lambda: jax.jit(lambda w: lj.PopulationRisk(np.eye(3))(w))(W), lambda: VALUE),
    ("jit, traced", lambda: jax.jit(lambda v: lj.PopulationRisk(v)(W))(TEACHER), lambda: VALUE),
    ("jit, a list of traced numbers",
     lambda: jax.jit(lambda t: lj.PopulationRisk([[t, 0, 0], [0, t, 0], [0, 0, t]])(W))(1),
     lambda: VALUE),
    ("vmap", lambda: jax.vmap(lambda s: lj.PopulationRisk(TEACHER)(s * W))(jnp.array([1.0, 2.0])),
     lambda: [RISK(W), RISK(2 * W)]),
    ("scan", lambda: jax.lax.scan(
        lambda c, s: (c, lj.PopulationRisk(TEACHER, teacher_weights=WEIGHTS)(s * W)),
        0, jnp.array([1.0, 2.0]))[1], lambda: [WEIGHTED(W), WEIGHTED(2 * W)]),
    ("lax.map", lambda: jax.lax.map(
        lambda s: lj.PopulationRisk(TEACHER, student_weights=WEIGHTS)(s * W), jnp.ones(2)),
     lambda: [lj.PopulationRisk(TEACHER, student_weights=WEIGHTS)(W)] * 2),
    ("shard_map", lambda: sharded(lambda w: lj.PopulationRisk(TEACHER)(w))(W), lambda: VALUE),
    ("shard_map without jit, what is known",
     lambda: sharded(lambda w: w.sum() + lj.PopulationRisk(
         np.eye(3), activation=lambda t: t**3).known(w).infimum, False)(W), lambda: 1.5),
    ("a gradient by the teacher's weights",
     lambda: jax.jit(jax.grad(lambda b: lj.PopulationRisk(TEACHER, teacher_weights=b)(W)))(WEIGHTS),
     lambda: jax.grad(lambda b: lj.PopulationRisk(TEACHER, teacher_weights=b)(W))(WEIGHTS)),
    ("balanced, closed-over weights", lambda: jax.jit(
        lambda w: balanced_value(lj.PopulationRisk(TEACHER, student_weights=WEIGHTS), w))(W),
     lambda: lj.PopulationRisk(TEACHER, student_weights=WEIGHTS)(W)),
    ("balanced, traced weights", lambda: jax.jit(
        lambda a: balanced_value(lj.PopulationRisk(TEACHER, student_weights=a), W))(WEIGHTS),
     lambda: lj.PopulationRisk(TEACHER, student_weights=WEIGHTS)(W)),
    ("smooth_radius", lambda: jax.jit(
        lambda s: s * lj.PopulationRisk(TEACHER).smooth_radius(W))(1.0), lambda: 0.5),
    ("nearest_minimizer, a known point",
     lambda: jax.jit(lambda s: s * nearest_point(lj.PopulationRisk(TEACHER), W))(1.0),
     lambda: TEACHER),
    ("data", lambda: jax.jit(lambda n: lj.EmpiricalRisk(X, Y)(n))(NET), lambda: DATA(NET)),
    ("data in chunks, shard_map without jit",
     lambda: sharded(lambda n: lj.EmpiricalRisk(X, Y, chunk=4)(n), False)(NET), lambda: DATA(NET)),
    ("classes", lambda: jax.jit(
        lambda n: lj.EmpiricalRisk(X, CLASSES, criterion="cross_entropy")(n))(TWO),
     lambda: -jnp.mean(jax.nn.log_softmax(TWO(X))[jnp.arange(6), CLASSES])),
    ("classes in batches", lambda: jax.jit(
        lambda k: lj.EmpiricalRisk(X, CLASSES, criterion="cross_entropy").batches(4)(k)(TWO))(KEY),
     lambda: lj.EmpiricalRisk(X, CLASSES, criterion="cross_entropy").batches(4)(KEY)(TWO)),
    ("vmap over labels", lambda: jax.vmap(lambda y: lj.EmpiricalRisk(X, y)(NET))(
        jnp.stack([Y, 2 * Y])), lambda: [DATA(NET), lj.EmpiricalRisk(X, 2 * Y)(NET)]),
    ("fresh samples", lambda: jax.jit(lambda k: lj.fresh_samples(WEIGHTED, 8)(k)(W))(KEY),
     lambda: lj.fresh_samples(WEIGHTED, 8)(KEY)(W)),
    ("fixed samples", lambda: jax.jit(
        lambda w: lj.MonteCarloRisk(TEACHER, samples=X @ W[:2])(w))(W),
     lambda: np.mean((np.maximum(X @ W[:2] @ W.T, 0).sum(1)
                      - np.maximum(X @ W[:2], 0).sum(1)) ** 2) / 2),
    ("added neurons, one's own criterion", lambda: jax.jit(
        lambda p: lj.NeuronAugmented(lj.EmpiricalRisk(X, Y, criterion=quartic)).ground(p).least)(
            ADDED), lambda: 0.0),
    ("added neurons, a traced penalty", lambda: jax.vmap(
        lambda c: lj.NeuronAugmented(DATA, penalty=c)(ADDED))(jnp.array([0.5, 1.0])),
     lambda: [lj.NeuronAugmented(DATA, penalty=c)(ADDED) for c in (0.5, 1.0)]),
    ("frozen", lambda: jax.jit(
        lambda n: lj.freeze(lj.EmpiricalRisk(X, Y), NET, trainable=FIRST)(n))(
            eqx.filter(NET, FIRST)), lambda: DATA(NET)),
    ("networks", lambda: jax.jit(lambda s: s * lj.Mlp([np.ones((3, 2)), WEIGHTS[None]])(X))(1.0),
     lambda: np.maximum(X @ np.ones((2, 3)), 0) @ WEIGHTS[:, None]),
    ("starts near a closed-over point", lambda: jax.jit(lambda k: lj.starts.near(W)(k))(KEY),
     lambda: lj.starts.near(W)(KEY)),
    ("starts of a traced scale", lambda: jax.vmap(
        lambda s: lj.starts.gaussian((2, 2), scale=s)(KEY))(jnp.array([1.0, 3.0])),
     lambda: [lj.starts.gaussian((2, 2), scale=s)(KEY) for s in (1.0, 3.0)]),
    ("starts of a traced radius", lambda: jax.jit(
        lambda s: lj.starts.sphere((2, 2), radius=s)(KEY))(2.0),
     lambda: lj.starts.sphere((2, 2), radius=2.0)(KEY)),
]  # fmt: skip
FUNCTIONS: list[Case] = [
    ("jit of a risk", lambda: jax.jit(RISK)(W), lambda: VALUE),
    ("jit of a risk made inside jit", lambda: jax.jit(
        lambda v: jax.jit(r := lj.PopulationRisk(v))(W) + jax.checkpoint(r)(W))(TEACHER),
     lambda: 2 * VALUE),
    ("checkpoint", lambda: jax.grad(jax.checkpoint(RISK))(W), lambda: jax.grad(RISK)(W)),
    ("jit of a bound method", lambda: jax.jit(SMOOTH.quadrature_error)(W),
     lambda: SMOOTH.quadrature_error(W)),
    ("jit of a bound method, twice inside jit", lambda: jax.jit(
        lambda w: jax.jit(SMOOTH.quadrature_error)(w) + jax.jit(SMOOTH.quadrature_error)(w))(W),
     lambda: 2 * SMOOTH.quadrature_error(W)),
    ("jit of batches, inside jit", lambda: jax.jit(
        lambda k: jax.jit(DATA.batches(3))(k)(NET) + jax.jit(DATA.batches(3))(k)(NET))(KEY),
     lambda: 2 * DATA.batches(3)(KEY)(NET)),
    ("a bound method that was pickled", lambda: pickle.loads(
        pickle.dumps(SMOOTH.quadrature_error))(W), lambda: SMOOTH.quadrature_error(W)),
    ("a gradient of a plain function", lambda: lj.gradient(lambda v: jnp.sum(v**3), jnp.ones(2)),
     lambda: [3.0, 3.0]),
    ("a Hessian at a Python number", lambda: lj.hessian(lambda p: p["t"] ** 3, {"t": 2.0}),
     lambda: [[12.0]]),
]  # fmt: skip
MODULES: list[Case] = [
    ("eqx.nn.MLP", lambda: DATA(MLP), lambda: mean_square(MLP)),
    ("eqx.nn.MLP in chunks", lambda: lj.EmpiricalRisk(X, Y, chunk=4)(MLP),
     lambda: mean_square(MLP)),
    ("eqx.nn.MLP of scalars", lambda: DATA(SCALAR), lambda: mean_square(SCALAR)),
    ("derivatives of an eqx.nn.MLP", lambda: ours(DATA, SCALAR),
     lambda: derivatives(mean_square, SCALAR)),
    ("a module of samples, with a name and a flag", lambda: flat(lj.gradient(
        DATA, Named(MLP, "net", True))), lambda: flat(eqx.filter_grad(mean_square)(MLP))),
    ("as many samples as inputs and outputs", lambda: lj.EmpiricalRisk(W, W)(
        eqx.nn.Linear(3, 3, key=KEY)), lambda: 3 * jnp.mean(
            (jax.vmap(eqx.nn.Linear(3, 3, key=KEY))(W) - W) ** 2)),
    ("images", lambda: lj.EmpiricalRisk(IMAGES, Y[:5])(CONVOLUTION),
     lambda: mean_square(CONVOLUTION, IMAGES, Y[:5])),
    ("images in batches", lambda: lj.EmpiricalRisk(IMAGES, Y[:5]).batches(2)(KEY)(CONVOLUTION),
     lambda: mean_square(CONVOLUTION, *(a[jax.random.randint(KEY, (2,), 0, 5)]
                                        for a in (IMAGES, Y[:5])))),
    ("a gradient over the arrays of a sequence", lambda: flat(lj.gradient(
        lj.EmpiricalRisk(IMAGES, Y[:5]), CONVOLUTION)),
     lambda: flat(eqx.filter_grad(mean_square)(CONVOLUTION, IMAGES, Y[:5]))),
    ("frozen settings", lambda: flat(jax.grad(
        f := lj.freeze(DATA, MLP, trainable=eqx.is_inexact_array))(f.trainable)),
     lambda: flat(eqx.filter_grad(mean_square)(MLP))),
    ("an eqx.nn.MLP with added neurons", lambda: lj.NeuronAugmented(DATA, penalty=0.5)(
        lj.Augmented(MLP, jnp.ones(1), jnp.zeros(1), jnp.zeros((1, 2)))),
     lambda: mean_square(lambda x: MLP(x) + 1) + 0.5),
]  # fmt: skip
DTYPES: list[Case] = [
    ("an integer teacher", lambda: lj.PopulationRisk(np.eye(3, dtype=int))(W), lambda: VALUE),
    ("boolean weights", lambda: lj.PopulationRisk(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]], teacher_weights=np.ones(3, bool),
        student_weights=[1, 1, 1])(W), lambda: VALUE),
    ("integer samples", lambda: lj.MonteCarloRisk(
        np.eye(3, dtype=int), samples=np.arange(12).reshape(4, 3))(W),
     lambda: lj.MonteCarloRisk(TEACHER, samples=np.arange(12.0).reshape(4, 3))(W)),
    ("boolean inputs, integer labels", lambda: lj.EmpiricalRisk(X > 0, np.arange(6))(NET),
     lambda: np.mean((np.asarray(NET(1.0 * (X > 0)))[:, 0] - np.arange(6)) ** 2)),
    ("classes of 8 bits", lambda: lj.EmpiricalRisk(
        X, np.asarray(CLASSES, np.uint8), criterion="cross_entropy")(TWO),
     lambda: lj.EmpiricalRisk(X, CLASSES, criterion="cross_entropy")(TWO)),
    ("integer distributions", lambda: lj.EmpiricalRisk(
        X, np.eye(2, dtype=int)[np.asarray(CLASSES)], criterion="cross_entropy")(TWO),
     lambda: lj.EmpiricalRisk(X, CLASSES, criterion="cross_entropy")(TWO)),
    ("counts of NumPy and JAX", lambda: lj.MonteCarloRisk(
        TEACHER, samples=np.int64(9), key=KEY, chunk=jnp.asarray(4))(W),
     lambda: lj.MonteCarloRisk(TEACHER, samples=9, key=KEY, chunk=4)(W)),
]  # fmt: skip


def rows(cases: list[Case]) -> list:
    return [pytest.param(got, want, id=name) for name, got, want in cases]


@pytest.mark.parametrize(("got", "want"), rows(BUILT_INSIDE))
def test_what_is_built_inside_a_transformation_has_its_value_outside(got, want):
    np.testing.assert_allclose(np.asarray(got()), np.asarray(want()), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("got", "want"), rows(FUNCTIONS))
def test_objectives_are_functions_and_functions_objectives(got, want):
    np.testing.assert_allclose(np.asarray(got()), np.asarray(want()), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("got", "want"), rows(MODULES))
def test_any_module_is_a_network(got, want):
    np.testing.assert_allclose(np.asarray(got()), np.asarray(want()), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("got", "want"), rows(DTYPES))
def test_integers_and_booleans_are_numbers(got, want):
    np.testing.assert_allclose(np.asarray(got()), np.asarray(want()), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        pytest.param(lambda: DATA(NET32), jnp.float32, id="a float32 network on float64 data"),
        pytest.param(
            lambda: lj.EmpiricalRisk(X, Y, chunk=4)(NET32), jnp.float32, id="the same in chunks"
        ),
        pytest.param(
            lambda: lj.EmpiricalRisk(X.astype(jnp.float32), Y.astype(jnp.float32), chunk=4)(NET),
            jnp.float64,
            id="a float64 network on float32 data in chunks",
        ),
        pytest.param(lambda: DATA(HALF_NET), jnp.float64, id="leaves of both precisions"),
        pytest.param(
            lambda: lj.freeze(DATA, HALF_NET, trainable=FIRST)(eqx.filter(HALF_NET, FIRST)),
            jnp.float32,
            id="fixed leaves of the other precision",
        ),
        pytest.param(lambda: RISK(W32), jnp.float32, id="float32 students of a float64 teacher"),
        pytest.param(
            lambda: lj.PopulationRisk(TEACHER.astype(jnp.float32))(W), jnp.float64, id="the reverse"
        ),
        pytest.param(
            lambda: lj.MonteCarloRisk(TEACHER, samples=X @ W[:2])(W32), jnp.float32, id="samples"
        ),
        pytest.param(
            lambda: lj.NeuronAugmented(DATA)(jax.tree.map(lambda v: v.astype(jnp.float32), ADDED)),
            jnp.float32,
            id="added neurons",
        ),
        pytest.param(lambda: RISK(W.astype(jnp.bfloat16)), jnp.bfloat16, id="bfloat16"),
        pytest.param(lambda: SMOOTH(W.astype(jnp.float16)), jnp.float16, id="float16"),
    ],
)
def test_precision_follows_the_parameters(value, dtype):
    assert jax.eval_shape(value).dtype == dtype


def test_gradients_have_the_precision_of_their_leaves():
    slope = lj.gradient(DATA, HALF_NET)
    assert (slope.W1.dtype, slope.W2.dtype) == (jnp.float32, jnp.float64)
    np.testing.assert_allclose(slope.W1, lj.gradient(DATA, NET).W1, rtol=1e-5)


def test_what_was_made_before_float64_was_switched_on_keeps_its_precision():
    with jax.enable_x64(False):
        start, risk = lj.starts.gaussian((3, 3)), lj.PopulationRisk(np.eye(3))
    assert start(KEY).dtype == risk(start(KEY)).dtype == jnp.float32
    assert float(risk(W)) == pytest.approx(VALUE, rel=1e-12)


def test_half_precision_is_as_exact_as_it_can_be():
    for dtype, rtol in ((jnp.float16, 4e-3), (jnp.bfloat16, 3e-2)):
        half = lj.PopulationRisk(TEACHER.astype(dtype))
        assert float(jax.jit(half)(W.astype(dtype))) == pytest.approx(VALUE, rel=rtol)
        assert half.known(W).infimum == 0
        data = lj.EmpiricalRisk(X.astype(dtype), Y.astype(dtype))
        assert float(jax.jit(data)(NET)) == pytest.approx(float(DATA(NET)), rel=rtol)


def test_values_are_checked_and_known_inside_a_transformation():
    seen = []

    def inside(w):
        for teacher in (TEACHER, np.eye(3)):
            known = lj.PopulationRisk(teacher).known(w)
            seen.append((known.infimum, known.below_value))
        seen.append(lj.PopulationRisk(w).nearest_minimizer(w))
        return w

    jax.jit(inside)(W)
    assert seen == [(0.0, 1e-3), (0.0, 1e-3), None]
    wrong = TEACHER.at[0, 0].set(jnp.nan)
    for teacher in (wrong, np.asarray(wrong)):
        with pytest.raises(ValueError, match="teacher has NaN or infinite entries"):
            jax.jit(lambda w, v=teacher: lj.PopulationRisk(v)(w))(W)
    with pytest.raises(ValueError, match="y must be −1 or 1 for the criterion logistic"):
        jax.jit(lambda n: lj.EmpiricalRisk(X, Y, criterion="logistic")(n))(NET)
    beyond = CLASSES + 4
    with pytest.raises(ValueError, match="y has class 5; the network gives 2 outputs"):
        jax.jit(lambda n: lj.EmpiricalRisk(X, beyond, criterion="cross_entropy")(n))(TWO)


@pytest.mark.parametrize(
    ("function", "params"),
    [
        *((lj.PopulationRisk(TEACHER, student_weights=WEIGHTS, activation=name), W)
          for name in ("relu", "abs", "quadratic", "erf", "sine", "step", "tanh")),
        (lambda w: lj.PopulationRisk(w).known(w).units.value, W),
        (lj.MonteCarloRisk(TEACHER, samples=5, key=KEY, chunk=2), W),
        (DATA, NET),
        (DATA, NET32),
        (lj.EmpiricalRisk(X, CLASSES, criterion="cross_entropy", chunk=4), TWO),
        (lj.EmpiricalRisk(X, jnp.sign(X), criterion=criteria.hinge(2)), TWO),
        (lj.NeuronAugmented(DATA), ADDED),
        (lj.freeze(DATA, MLP, trainable=eqx.is_inexact_array), eqx.filter(MLP, eqx.is_array)),
    ],
)  # fmt: skip
def test_nothing_is_promoted_silently(function, params):
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        assert jax.eval_shape(function, params).shape == ()
        jax.eval_shape(jax.grad(function), params)


def test_objectives_are_equal_to_themselves_alone():
    again = jax.tree.map(lambda leaf: leaf, RISK)
    assert len({RISK, again, RISK}) == 2  # pyright: ignore[reportUnhashable]
    assert again != RISK
    assert eqx.tree_equal(again, RISK)
    assert again.known != RISK.known == RISK.known
    assert len({RISK.known, RISK.known, RISK.balanced}) == 2
    assert RISK.quadrature_error.__name__ == "quadrature_error"
    assert RISK.quadrature_error.__doc__ == lj.PopulationRisk.quadrature_error.__doc__


def test_jit_compiles_for_each_risk_and_filter_jit_for_all_of_one_shape():
    traces = []

    class Scaled(lj.AbstractObjective):
        factor: jax.Array

        def __call__(self, x):
            traces.append("call")
            return jnp.sum(self.factor * x)

        def twice(self, x):
            traces.append("twice")
            return 2 * self(x)

    one, other, x = Scaled(jnp.array([1.0, 1])), Scaled(jnp.array([3.0, 3])), jnp.ones(2)
    assert [float(jax.jit(r)(x)) for r in (one, one, other)] == [2, 2, 6]
    assert traces == ["call"] * 2
    call = eqx.filter_jit(lambda risk, x: risk(x))
    method = eqx.filter_jit(lambda method, x: method(x))
    assert [float(call(r, x)) for r in (one, other)] == [2, 6]
    assert [float(method(r.twice, x)) for r in (one, other)] == [4, 12]
    assert traces == ["call"] * 3 + ["twice", "call"]


def copies(thing: Any) -> dict[str, Any]:
    """The same thing, copied and stored in every way."""
    buffer = io.BytesIO()
    joblib.dump(thing, buffer)
    buffer.seek(0)
    found = {
        "copy": copy.copy(thing),
        "deepcopy": copy.deepcopy(thing),
        "pickle": pickle.loads(pickle.dumps(thing)),
        "joblib": joblib.load(buffer),
    }
    try:
        import cloudpickle
    except ImportError:
        return found
    return found | {"cloudpickle": cloudpickle.loads(cloudpickle.dumps(thing))}


def serialised(thing: Any) -> Any:
    """The same thing by Equinox's serialisation."""
    buffer = io.BytesIO()
    eqx.tree_serialise_leaves(buffer, thing)
    buffer.seek(0)
    return eqx.tree_deserialise_leaves(buffer, thing)


LABELS = {"squared": Y, "cross_entropy": CLASSES, "logistic": jnp.sign(Y), "hinge^3": jnp.sign(Y)}
PYTREES = {
    **{f"network of {name}": partial(
        lj.starts.network(lj.TwoLayer, (2, 2, 1), activation=name), KEY)
       for name in activations.NAMES},
    **{f"risk of {name}": partial(lj.PopulationRisk, W, activation=name)
       for name in activations.NAMES},
    **{f"data with {name}": partial(lj.EmpiricalRisk,
        X, y, criterion=criteria.hinge(3) if name == "hinge^3" else name)
       for name, y in LABELS.items()},
    "one's own criterion": lambda: lj.EmpiricalRisk(X, Y, criterion=quartic),
    "a function of JAX": lambda: lj.Mlp([np.eye(2)] * 2, activation=jax.nn.silu),
    "batches": lambda: DATA.batches(3),
    "fresh samples": lambda: lj.fresh_samples(RISK, 8),
    "samples": lambda: lj.MonteCarloRisk(TEACHER, samples=8, key=jax.random.key(1, impl="rbg")),
    "added neurons": lambda: lj.NeuronAugmented(DATA),
    "frozen": lambda: lj.freeze(DATA, NET, trainable=FIRST),
    "a start near a network": lambda: lj.starts.near(NET),
    "runs": lambda: lj.Runs(NET, jnp.ones(1), jnp.ones(1), jnp.ones(1, int), lj.Status.converged,
                            jnp.zeros(1, int), key=KEY),
}  # fmt: skip


@pytest.mark.parametrize("name", PYTREES)
def test_copies_have_the_same_structure_and_the_same_leaves(name):
    thing = PYTREES[name]()
    for way, again in (copies(thing) | {"equinox": serialised(thing)}).items():
        assert jax.tree.structure(again) == jax.tree.structure(thing), way
        assert eqx.tree_equal(again, thing), way


def test_copies_of_a_certificate_are_verified():
    certificate = lj.prove_minimum(lj.PopulationRisk(jnp.eye(2)), jnp.eye(2))
    assert isinstance(certificate, lj.Certificate)
    for way, again in (copies(certificate) | {"equinox": serialised(certificate)}).items():
        assert again.radius == certificate.radius, way
        np.testing.assert_array_equal(again.point, certificate.point)
    assert lj.verify(copy.deepcopy(certificate)).holds


STATIC = {
    **{name: lambda name=name: activations.named(name) for name in activations.NAMES},
    **{name: lambda name=name: criteria.named(name) for name in criteria.NAMES},
    "leaky": lambda: activations.leaky(1, 0.5),
    "monomial": lambda: activations.monomial(3),
    "silu": lambda: activations.named(jax.nn.silu),
    "hinge": lambda: criteria.hinge(3),
    "gaussian": lambda: lj.starts.gaussian([3, np.int64(3)]),
    "sphere": lambda: lj.starts.sphere((3, 3)),
    "network": lambda: lj.starts.network(lj.Mlp, [2, np.int32(3), 1], activation="tanh"),
    "augmented": lambda: lj.starts.augmented(START, 1, 2),
}


@pytest.mark.parametrize("name", STATIC)
def test_static_parts_are_equal_with_one_hash_after_copying_and_between_makings(name):
    thing = STATIC[name]()
    for way, again in (copies(thing) | {"made again": STATIC[name]()}).items():
        assert again == thing, way
        assert hash(again) == hash(thing), way


def test_a_copy_compiles_nothing_again():
    traces = []

    @eqx.filter_jit
    def value(risk, w):
        traces.append(risk)
        return risk(w)

    values = {float(value(risk, W)) for risk in (SMOOTH, *copies(SMOOTH).values())}
    assert len(values) == len(traces) == 1


def test_without_kernels_a_program_is_exported_for_cpus():
    function = jax.jit(jax.value_and_grad(RISK))
    function(W)  # Traced with the kernel, if there is one.
    with without_kernels():
        program = jax.export.export(function, platforms=["cpu"])(W)
    value, slope = program.call(W)
    assert float(value) == pytest.approx(VALUE, rel=1e-13)
    np.testing.assert_allclose(slope, jax.grad(RISK)(W), atol=1e-15)
    assert "custom_call" not in program.mlir_module()
