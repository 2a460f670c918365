"""A search in other people's programs: their optimizers, dtypes, keys, modes, and mistakes."""

import functools

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

import landscape_jax as lj

pytestmark = pytest.mark.usefixtures("few_objects")

KEY = jax.random.key(0)


class Quartic(lj.AbstractObjective):
    """½ Σ hᵢ xᵢ² + Σ xᵢ⁴."""

    h: jax.Array

    def __call__(self, x):
        return jnp.sum(self.h * x**2) / 2 + jnp.sum(x**4)


class Distances(lj.AbstractObjective):
    """‖a − 1‖² + ½ ‖b + 2‖², of any arrays a and b."""

    def __call__(self, params):
        return jnp.sum((params["a"] - 1) ** 2) + jnp.sum((params["b"] + 2) ** 2) / 2


class Wide(lj.AbstractObjective):
    """‖x‖² in float64, or in float32, whatever x is."""

    dtype: jnp.dtype = eqx.field(static=True)

    def __call__(self, x):
        return jnp.sum(x.astype(self.dtype) ** 2)


QUARTIC = Quartic(jnp.array([1.0, 3.0]))
POINTS = jnp.array([[1.0, -2.0], [0.3, 0.5]])
X = jnp.array([[0.0, 1.0], [1.0, -1.0], [2.0, 0.5]])
Y = jnp.array([0.0, 1.0, 0.5])
RISK = lj.EmpiricalRisk(X, Y)
# One stage of lanes, which compiles in half the time.
SMALL = {"max_steps": 12, "check_every": 6, "lanes": 16, "finish": False}


def search(**changes):
    """The runs from the two points, or from other arguments."""
    given = {"objective": QUARTIC, "start": POINTS, "restarts": 2, **SMALL, **changes}
    return lj.restart(**given)


def record(**changes):
    """The trajectories from the two points, or from other arguments."""
    given = {"objective": QUARTIC, "start": POINTS, "restarts": 2, "steps": 4, **changes}
    return lj.trajectories(**given)


def steps_by_hand(optimizer, objective, x, steps):
    """The end of as many steps of optax's own loop."""
    if isinstance(optimizer, optax.GradientTransformation):
        optimizer = optax.with_extra_args_support(optimizer)
    refuses = optimizer is OPTIMIZERS["refuses extra arguments"]

    @jax.jit
    def step(x, memory):
        value, gradient = jax.value_and_grad(objective)(x)
        extra = {"value": value, "grad": gradient, "value_fn": lambda x: objective(x)}
        updates, memory = optimizer.update(gradient, memory, x, **({} if refuses else extra))
        return optax.apply_updates(x, updates), memory

    memory = optimizer.init(x)
    for _ in range(steps):
        x, memory = step(x, memory)
    return x


def rows(table, quick):
    """The names of a table; those that take long to compile, but for the `quick` ones, are slow."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in table]


# Transformations.

PLATEAU = optax.contrib.reduce_on_plateau(patience=1, factor=0.5)
BACKTRACKING = optax.scale_by_backtracking_linesearch(10, store_grad=True)
OPTIMIZERS = {
    "lbfgs with its line search": optax.lbfgs(),
    "backtracking line search": optax.chain(optax.sgd(1.0), BACKTRACKING),
    "polyak's rate": optax.polyak_sgd(0.1),
    "rate reduced on plateaus": optax.chain(optax.sgd(0.1), PLATEAU),
    "several steps together": optax.MultiSteps(optax.chain(optax.sgd(0.1), optax.polyak_sgd()), 2),
    "scheduled and injected": optax.inject_hyperparams(optax.adam)(
        learning_rate=optax.linear_schedule(0.1, 0.0, 10)
    ),
    "refuses extra arguments": optax.contrib.sam(optax.sgd(0.01), optax.sgd(0.01)),
}


@pytest.mark.parametrize(
    "name",
    rows(OPTIMIZERS, ("lbfgs with its line search", "polyak's rate", "refuses extra arguments")),
)
def test_a_transformation_takes_the_steps_of_its_own_loop(name):
    optimizer = OPTIMIZERS[name]
    runs = search(optimizer=optimizer, below_value=None)
    expected = [steps_by_hand(optimizer, QUARTIC, x, 12) for x in POINTS]
    np.testing.assert_allclose(runs.params, jnp.stack(expected), rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(runs.steps, 12)


@pytest.mark.parametrize(
    "name", rows(("polyak's rate", "lbfgs with its line search"), ("polyak's rate",))
)
def test_value_gradient_and_function_are_those_of_the_batch(name):
    batch, optimizer = Quartic(jnp.array([5.0, 0.5])), OPTIMIZERS[name]
    options = {"key": KEY, "batches": lambda key: batch, "optimizer": optimizer}
    runs = search(**options)
    expected = jnp.stack([steps_by_hand(optimizer, batch, x, 12) for x in POINTS])
    np.testing.assert_allclose(runs.params, expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(runs.value, jax.vmap(QUARTIC)(expected), rtol=1e-12)
    found = record(**options, steps=12, stride=6)
    np.testing.assert_allclose(found.params[:, -1], runs.params, rtol=1e-12, atol=1e-15)


def test_one_optimizer_compiles_once_and_a_traced_rate_for_all():
    traces = []

    class Counted(lj.AbstractObjective):
        h: jax.Array

        def __call__(self, x):
            traces.append(x.shape)
            return jnp.sum(self.h * x**2)

    sgd, told = optax.sgd(1e-2), []

    def count(objective, **options):
        before = len(traces)
        search(objective=objective, **options)
        return len(traces) - before

    one, two = Counted(jnp.ones(2)), Counted(2 * jnp.ones(2))
    options = {"optimizer": sgd, "callback": told.append}
    assert count(one, **options) > 0
    assert count(two, start=2 * POINTS, norm_limit=1e3, **options) == 0
    assert count(two, **{**options, "optimizer": optax.sgd(1e-2)}) > 0
    rated = jax.jit(lambda rate: search(objective=one, optimizer=optax.sgd(rate)).value)
    slow, before = rated(0.1), len(traces)
    # x ← (1 − 2·rate) x, twelve times.
    np.testing.assert_allclose(rated(0.2) / slow, (0.6 / 0.8) ** 24, rtol=1e-9)
    assert len(traces) == before


def test_settings_may_be_modules_with_arrays():
    class Below(eqx.Module):
        limit: jax.Array

        def __call__(self, x, value, norm):
            return value < self.limit

    class Scaled(eqx.Module):
        rate: jax.Array

        def init(self, x):
            return ()

        def update(self, gradient, memory, x=None):
            return jax.tree.map(lambda g: -self.rate * g, gradient), memory

    runs = search(optimizer=Scaled(jnp.array(0.1)), stop=Below(jnp.array(0.2)), below_value=None)
    assert runs.summary() == {"stopped": 2}
    plain = search(optimizer=optax.sgd(0.1), stop=lambda x, value, norm: value < 0.2)
    np.testing.assert_allclose(runs.params, plain.params, rtol=1e-14)


WRONG_OPTIMIZERS = {
    "a name": ("adam", r"optimizer is 'adam'; .* such as optax.adam\(1e-2\)"),
    "a name in capitals": ("SGD", r"optimizer is 'SGD'; .* such as optax.sgd\(1e-2\)"),
    "no name of optax": ("fast", r"optimizer is 'fast'; .* such as optax.adam\(1e-2\)"),
    "a rate": (0.1, r"optimizer is 0.1; .* such as optax.sgd\(0.1\)"),
    "not called": (optax.lion, r"optimizer is the function lion; .* optax.lion\(1e-2\)"),
    "a schedule": (optax.constant_schedule(0.1), "optimizer is the function .*schedule"),
    "a class": (optax.GradientTransformation, "optimizer is the class GradientTransformation"),
    "a state": (optax.sgd(0.1).init(POINTS), "optimizer is .*; give an optax transformation"),
    "params of its own": (optax.lookahead(optax.sgd(0.1), 5, 0.5), "optimizer does not work with"),
    "a gradient function": (
        optax.contrib.sam(optax.sgd(0.1), optax.sgd(0.1), opaque_mode=True),
        "optimizer does not work with these parameters alone",
    ),
}


@pytest.mark.parametrize("name", WRONG_OPTIMIZERS)
def test_what_is_no_optimizer_is_refused_with_the_remedy(name, untyped):
    given, message = WRONG_OPTIMIZERS[name]
    for call in (search, record):
        with pytest.raises(TypeError, match=message) as error:
            call(optimizer=given)
        assert "\n" not in str(error.value)


# Counts, indices, numbers.

COUNTS = {
    "NumPy": np.int64(2), "NumPy, 8 bits": np.uint8(2), "array": np.array(2), "JAX": jnp.array(2),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_integers_of_every_kind_are_counts(name, untyped):
    count = COUNTS[name]
    whole = search(max_steps=2, check_every=2)
    for change in ("restarts", "max_steps", "check_every"):
        runs = search(**{"max_steps": 2, "check_every": 2, change: count})
        np.testing.assert_array_equal(runs.params, whole.params)
    assert search(max_steps=2, check_every=2, lanes=count).lanes == 2
    np.testing.assert_array_equal(record(steps=count, stride=count).step, [[0, 2], [0, 2]])


WRONG_COUNTS = {
    "a float": (2.0, TypeError), "a bool": (True, TypeError), "NaN": (np.nan, TypeError),
    "a string": ("2", TypeError), "zero": (0, ValueError), "negative": (-1, ValueError),
    "beyond int32": (3_000_000_000, ValueError), "beyond int64": (2**70, ValueError),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_COUNTS)
def test_what_is_no_count_is_refused_by_the_arguments_name(name, untyped):
    count, error = WRONG_COUNTS[name]
    for change in ("restarts", "max_steps", "check_every", "lanes", "room"):
        with pytest.raises(error, match=rf"^{change} is [^\n]*$"):
            search(**{change: count})
    for change in ("restarts", "steps", "stride"):
        with pytest.raises(error, match=rf"^{change} is [^\n]*$"):
            record(**{change: count})
    if count != 0:
        with pytest.raises(error, match=r"^rounds is [^\n]*$"):
            lj.hybrid(QUARTIC, lambda key: POINTS[0], 2, key=KEY, rounds=count)


INDICES = {
    "list": [1, 0], "tuple": (1, 0), "range": range(1, -1, -1), "8 bits": np.array([1, 0], np.int8),
    "unsigned": np.array([1, 0], np.uint32), "JAX": jnp.array([1, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", INDICES)
def test_integers_of_every_kind_are_indices_and_may_repeat(name, untyped):
    runs = search(restarts=INDICES[name], max_steps=2)
    np.testing.assert_array_equal(runs.restart_index, [1, 0])
    whole = search(max_steps=2)
    np.testing.assert_array_equal(runs.params, whole.params[::-1])
    twice = search(restarts=[*INDICES[name], 1], max_steps=2)
    np.testing.assert_array_equal(twice.params, whole.params[jnp.array([1, 0, 1])])


WRONG_INDICES = {
    "negative": (np.array([0, -1]), "restarts has the index -1; give indices from 0"),
    "past the points": ([2], "restarts has the index 2; start has 2 entries"),
    "beyond int32": (np.array([2**31]), "restarts has the index 2147483648"),
    "wraps to 0": (np.array([2**32]), "restarts has the index 4294967296"),
    "unsigned": (np.array([4_000_000_000], np.uint32), "restarts has the index 4000000000"),
    "floats": (np.array([1.0]), "one-dimensional array of integer indices"),
    "a mask": (np.array([True, False]), "one-dimensional array of integer indices"),
    "none": ([], "one-dimensional array of integer indices"),
    "a table": (np.array([[0]]), "one-dimensional array of integer indices"),
    "ragged": ([[0], [0, 1]], "one-dimensional array of integer indices"),
    "beyond int64": (np.array([2**70]), "one-dimensional array of integer indices"),
}


@pytest.mark.parametrize("name", WRONG_INDICES)
def test_what_is_no_index_is_refused_also_inside_jit(name, untyped):
    index, message = WRONG_INDICES[name]
    for call in (search, record):
        with pytest.raises(ValueError, match=message):
            call(restarts=index)
        with pytest.raises(ValueError, match=message):
            jax.jit(lambda points, call=call: call(start=points, restarts=index).value)(POINTS)
    if name == "past the points":
        # Drawn ones have no end, but a count of given ones has.
        assert search(restarts=index, start=lambda key: POINTS[0], key=KEY).restart_index == 2
        with pytest.raises(ValueError, match=message):
            jax.jit(lambda points: search(start=points, restarts=3).value)(POINTS)


WRONG_NUMBERS = {
    "norm_limit": (np.nan, 0, -1.0, -np.inf, "far", True, None, 1j, np.ones(2)),
    "gradient_tolerance": (np.nan, 0, -1.0, "fine", True, 1j, np.ones(2)),
    "below_value": (np.nan, "low", True, 1j, np.ones(2)),
    "escape_limit": (np.nan, "far", True, 1j, np.ones(2)),
}


@pytest.mark.parametrize("name", WRONG_NUMBERS)
def test_what_is_no_number_is_refused_by_the_arguments_name(name, untyped):
    for number in WRONG_NUMBERS[name]:
        with pytest.raises((TypeError, ValueError), match=rf"^{name} (is|has shape) [^\n]*$"):
            search(**{name: number})
    if name == "norm_limit":
        with pytest.raises(ValueError, match="norm_limit is nan; it must be a number"):
            record(norm_limit=np.nan)


def test_numbers_may_be_traced():
    def values(limit):
        options = {"gradient_tolerance": limit, "norm_limit": 1e3 * limit, "below_value": limit}
        return search(**options, escape_limit=1 / limit).value

    limits = jnp.array([1e-3, 0.3])
    each = [values(float(limit)) for limit in limits]
    np.testing.assert_allclose(jax.vmap(values)(limits), jnp.stack(each), rtol=1e-12)


MISTAKES = {
    "a function as objective": (
        {"objective": lambda x: jnp.sum(x**2)},
        "objective is the function .*; .* a subclass of AbstractObjective",
    ),
    "a class as objective": ({"objective": Quartic}, "objective is the class Quartic"),
    "a number as objective": ({"objective": 3}, "objective is 3"),
    "a number as batches": ({"batches": 3, "key": KEY}, "batches is 3; give a function"),
    "an array of batches": (
        {"batches": lambda key: POINTS, "key": KEY}, "batches returns an array",
    ),
    "a number as stop": ({"stop": 1e-3}, "stop is 0.001; give a function"),
    "nothing from stop": ({"stop": lambda x, value, norm: None}, "stop returns None; it must"),
    "too much from stop": ({"stop": lambda x, value, norm: x > 0}, "stop returns an array of bool"),
    "a word as progress": ({"progress": "bar"}, "progress is .bar.; give True, for a bar, or a"),
    "a list as callback": ({"callback": []}, r"callback is \[\]; give a function"),
    "a count as mesh": ({"mesh": 2}, "mesh is 2; give a jax.sharding.Mesh"),
    "a word as finish": ({"finish": "no"}, "finish is 'no'; it must be True or False"),
    "no start": ({"start": None}, "start has no arrays"),
    "a name as start": ({"start": "gaussian"}, "start has no arrays"),
    "nothing drawn": ({"start": lambda key: None, "key": KEY}, "start has no arrays"),
    "an empty dict drawn": ({"start": lambda key: {}, "key": KEY}, "start has no arrays"),
    "integers": (
        {"start": {"a": POINTS, "b": jnp.ones(2, int)}},
        r"start\['b'\] has dtype int64; give floating arrays",
    ),
    "truth values": ({"start": POINTS > 0}, "start has dtype bool; give floating arrays"),
    "complex numbers": ({"start": POINTS + 0j}, "start has dtype complex128; give floating"),
    "keys": ({"start": jax.random.split(KEY, 2)}, "start has dtype key<fry>; give floating"),
    "bfloat16": ({"start": POINTS.astype(jnp.bfloat16)}, "start has dtype bfloat16, too coarse"),
    "float16": ({"start": POINTS.astype(jnp.float16)}, "start has dtype float16, too coarse"),
    "key 0": ({"start": lambda key: POINTS[0], "key": 0}, r"key is 0; .* jax.random.key\(0\)"),
    "a raw key": (
        {"start": lambda key: POINTS[0], "key": jax.random.PRNGKey(0)},
        r"key is an array of uint32 of shape \(2,\); give a typed key, e.g. jax.random.key\(0\)",
    ),
    "key 0 of batches": ({"key": 0, "batches": lambda key: QUARTIC}, "key is 0; give a typed key"),
    "an unused key 0": ({"key": 0}, "key is 0; give a typed key"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_of_type_is_one_line_that_names_the_argument(name, untyped):
    change, message = MISTAKES[name]
    with pytest.raises(TypeError, match=message) as error:
        search(**change)
    assert "\n" not in str(error.value)


VALUES = {
    "several keys": (
        {"start": lambda key: POINTS[0], "key": jax.random.split(KEY, 3)},
        r"key has shape \(3,\); give one key, or map over several by jax.vmap",
    ),
    "batches without a key": ({"batches": lambda key: QUARTIC}, "key is missing; batches need one"),
    "no entries": (
        {"start": {"a": POINTS, "b": jnp.ones((2, 0, 3))}},
        r"start\['b'\] has shape \(0, 3\) in each run; give at least one entry",
    ),
    "no points": ({"start": POINTS[:0]}, r"start has leaves of leading lengths \[0\]"),
    "one point": ({"start": jnp.ones(())}, r"start has leaves of leading lengths \[0\]"),
    "too many": ({"start": lambda key: jnp.ones(8), "key": KEY, "restarts": 2**31 - 1}, "restarts"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_mistake_of_value_is_one_line_that_names_the_argument(name, untyped):
    change, message = VALUES[name]
    with pytest.raises(ValueError, match=message) as error:
        search(**change)
    assert "\n" not in str(error.value)


class Wrong(lj.AbstractObjective):
    """Returns what is no real number."""

    what: str = eqx.field(static=True)

    def __call__(self, x):
        wrong = {
            "vector": x, "integer": jnp.sum(x).astype(int), "complex": jnp.sum(x) + 0j,
            "bfloat16": jnp.sum(x).astype(jnp.bfloat16), "none": None, "pair": (jnp.sum(x), x),
        }  # fmt: skip
        return wrong[self.what]


@pytest.mark.parametrize("what", ["vector", "integer", "complex", "bfloat16", "none", "pair"])
def test_an_objective_that_returns_no_real_scalar_is_refused(what):
    for call in (search, record):
        with pytest.raises(
            (TypeError, ValueError), match=r"objective returns .*; it must return a"
        ):
            call(objective=Wrong(what))


def test_records_that_no_memory_holds_are_refused_before_they_are_made(untyped):
    with pytest.raises(ValueError, match="steps is 1000000000: its records may need"):
        record(start=jnp.ones((2, 1000)), objective=Quartic(jnp.ones(1000)), steps=10**9)


def test_a_run_that_diverges_with_its_last_step_ends():
    # x ← −4x: it is beyond the limit when it is inspected at last, and no step is left for another.
    steep = Quartic(jnp.array([50.0, 1.0]))
    start = jnp.array([[1e-9, 0.0]])
    runs = search(objective=steep, start=start, restarts=1, norm_limit=1e-3, below_value=None)
    assert runs.summary() == {"diverged": 1}
    assert runs.steps == 12


# Keys.


class Shifted(lj.AbstractObjective):
    """½ ‖x − c‖²."""

    c: jax.Array

    def __call__(self, x):
        return jnp.sum((x - self.c) ** 2) / 2


GENERATORS = ("threefry2x32", "rbg", "unsafe_rbg")


@pytest.mark.parametrize("generator", rows(GENERATORS, ("rbg",)))
def test_initial_points_are_those_of_their_keys_whatever_the_generator(generator, tmp_path):
    key = jax.random.key(3, impl=generator)
    start = lambda key: jax.random.uniform(key, (2,))
    runs = search(start=start, restarts=[2, 0], key=key)
    alone = jnp.stack([start(jax.random.fold_in(key, i)) for i in (2, 0)])
    np.testing.assert_allclose(runs.params, search(start=alone).params, rtol=1e-14)
    runs.save(tmp_path / "a.zarr")
    assert lj.Runs.load(tmp_path / "a.zarr").key == key


@pytest.mark.slow
@pytest.mark.parametrize("generator", GENERATORS)
def test_batches_are_the_same_whatever_the_other_restarts(generator):
    key = jax.random.key(3, impl=generator)
    start = lambda key: jax.random.uniform(key, (2,))
    batches = lambda key: Shifted(jax.random.uniform(key, (2,)))
    options = {"objective": Shifted(jnp.zeros(2)), "start": start, "key": key, "batches": batches}
    whole = search(restarts=3, room=3, **options)
    some = search(restarts=[2, 0], room=3, **options)
    np.testing.assert_array_equal(some.params, whole.params[jnp.array([2, 0])])
    narrow = search(restarts=[2, 0], lanes=1, **options)
    np.testing.assert_allclose(narrow.params, some.params, rtol=1e-13)
    assert len(np.unique(np.asarray(whole.params))) == 6
    found = record(**options, restarts=[2], steps=12, stride=12)
    np.testing.assert_allclose(found.params[0, -1], some.params[0], rtol=1e-13)


# Dtypes.

HALVES = {"a": jnp.full((2, 2), 3, jnp.float32), "b": jnp.ones((2, 3))}
NETWORKS = lj.starts.network(lj.TwoLayer, (2, 2, 1), activation="tanh", dtype=jnp.float32)
PRECISIONS = {
    "float32 network, float64 data": (RISK, NETWORKS, ["float32"] * 4, "float32"),
    "leaves of two dtypes": (Distances(), HALVES, ["float32", "float64"], "float64"),
    "float32 params, float64 value": (
        Wide(jnp.float64), POINTS.astype(jnp.float32), ["float32"], "float64",
    ),
    "float64 params, float32 value": (Wide(jnp.float32), POINTS, ["float64"], "float32"),
    "numbers beside arrays": (
        Distances(), lambda key: {"a": jax.random.normal(key, (2,)), "b": 0.5},
        ["float64"] * 2, "float64",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", rows(PRECISIONS, ("leaves of two dtypes",)))
def test_each_array_keeps_its_dtype_and_numbers_have_that_of_the_value(name):
    objective, start, dtypes, dtype = PRECISIONS[name]
    given = {"objective": objective, "start": start, "key": KEY if callable(start) else None}
    runs = search(**given, finish=True, max_steps=2000, below_value=None, check_every=32)
    assert [str(leaf.dtype) for leaf in jax.tree.leaves(runs.params)] == dtypes
    assert str(runs.value.dtype) == str(runs.gradient_norm.dtype) == dtype
    tolerance = 1e-5 if "float32" in (*dtypes, dtype) else 1e-9
    if objective is not RISK:
        assert runs.summary() == {"converged": 2}
        assert np.all(np.asarray(runs.gradient_norm) <= tolerance)
    found = record(**given)
    assert [str(leaf.dtype) for leaf in jax.tree.leaves(found.params)] == dtypes
    assert str(found.value.dtype) == str(found.gradient_norm.dtype) == dtype
    each = jax.vmap(lambda params: objective(params))(runs.params)
    np.testing.assert_allclose(runs.value, each, rtol=1e-6, atol=1e-12)


def test_the_tolerance_is_that_of_the_least_precise_array():
    with pytest.raises(ValueError, match="gradient_tolerance is 1e-09, which float32 cannot"):
        search(objective=Distances(), start=HALVES, gradient_tolerance=1e-9)


@pytest.mark.slow
def test_optimizers_may_compute_in_another_precision():
    runs = search(objective=Distances(), start=HALVES, optimizer=optax.lbfgs(), below_value=None)
    assert str(runs.params["a"].dtype) == "float32"
    np.testing.assert_allclose(runs.value, 0, atol=1e-10)


# Modules with other leaves than arrays.


def mlp(key):
    return eqx.nn.MLP(2, "scalar", 2, 1, activation=jnp.tanh, key=key)


@pytest.fixture(scope="module")
def of_modules() -> lj.Runs:
    return search(objective=RISK, start=mlp, key=KEY)


def test_modules_with_functions_are_searched_and_come_back_whole(of_modules):
    assert of_modules.params.activation is mlp(KEY).activation
    for i in range(2):
        network = of_modules[i].params
        assert jax.tree.structure(network) == jax.tree.structure(mlp(KEY))
        np.testing.assert_allclose(RISK(network), of_modules.value[i], rtol=1e-12)
    best = of_modules.best()
    np.testing.assert_allclose(RISK(best.params), of_modules.value.min(), rtol=1e-12)
    assert of_modules.is_finite.all()
    joined = lj.Runs.concatenate([of_modules[1:], of_modules[:1]])
    np.testing.assert_array_equal(joined.value, of_modules.value)


def test_a_module_descends_as_its_arrays_alone(of_modules):
    first = mlp(jax.random.fold_in(KEY, 0))
    arrays, fixed = eqx.partition(first, eqx.is_array)
    value = lambda arrays: RISK(eqx.combine(arrays, fixed))
    expected = steps_by_hand(optax.sgd(0.1), value, arrays, 12)
    found = eqx.filter(of_modules[0].params, eqx.is_array)
    chex.assert_trees_all_close(found, expected, atol=1e-14)


def test_saved_modules_are_loaded_with_like(of_modules, tmp_path):
    of_modules.save(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match="give like="):
        lj.Runs.load(tmp_path / "a.zarr")
    for like in (mlp(KEY), eqx.filter_eval_shape(mlp, KEY)):
        loaded = lj.Runs.load(tmp_path / "a.zarr", like=like)
        assert eqx.tree_equal(loaded.params, of_modules.params)


@pytest.mark.slow
def test_a_sweep_of_modules_is_resumed(of_modules, tmp_path):
    for _ in range(2):
        runs = lj.sweep(RISK, mlp, 2, key=KEY, out=tmp_path / "s", **SMALL)
        np.testing.assert_allclose(runs.value, of_modules.value, rtol=1e-12)


def test_every_setting_takes_whole_modules():
    told = []
    functions = {
        "batches": lambda key: RISK, "callback": told.append,
        "stop": lambda network, value, norm: network(X[0]) > -100,
    }  # fmt: skip
    runs = search(objective=RISK, start=mlp, key=KEY, optimizer=optax.sgd(0.1), **functions)
    assert runs.summary() == {"stopped": 2}
    assert told[0].params.activation is mlp(KEY).activation
    values = [float(RISK(run.params)) for run in runs]
    np.testing.assert_allclose(runs.value, values, rtol=1e-12)


@pytest.mark.slow
def test_trajectories_and_hybrid_searches_return_whole_modules(of_modules):
    found = record(objective=RISK, start=mlp, key=KEY, steps=12, stride=12)
    np.testing.assert_allclose(found.value[:, -1], of_modules.value, rtol=1e-12)
    assert found.params.layers[0].weight.shape == (2, 2, 2, 2)
    given = eqx.filter_vmap(mlp)(jax.random.split(KEY, 2))
    alike = record(objective=RISK, start=given, steps=1)
    np.testing.assert_array_equal(alike.params.layers[0].weight[:, 0], given.layers[0].weight)
    both = lj.hybrid(RISK, mlp, 2, key=KEY, **SMALL)
    np.testing.assert_array_equal(both.runs.value, of_modules.value)


# Derivatives.


def _differentiated(transform, function, x):
    with pytest.raises(TypeError, match=r"sensitivity\(objective, point, tangent\)") as error:
        transform(function)(x)
    assert "\n" not in str(error.value)


TRANSFORMS = {
    "grad": jax.grad,
    "jvp": lambda f: lambda x: jax.jvp(f, (x,), (x,)),
    "grad of jit": lambda f: jax.grad(jax.jit(f)),
    "jit of grad": lambda f: jax.jit(jax.grad(f)),
    "hessian": jax.hessian,
    "linearize": lambda f: functools.partial(jax.linearize, f),
    "vmap of grad": lambda f: lambda x: jax.vmap(jax.grad(f))(x[None]),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_search_has_no_derivative_by_its_objective(name):
    _differentiated(TRANSFORMS[name], lambda h: search(objective=Quartic(h)).value.sum(), Y[:2])


@pytest.mark.slow
@pytest.mark.parametrize("name", rows(TRANSFORMS, ("grad",)))
def test_nor_has_one_that_kernels_carry_out(name):
    start = lj.starts.gaussian((2, 2))
    by_kernel = lambda T: lj.restart(lj.PopulationRisk(T), start, 2, key=KEY, **SMALL).value.sum()
    _differentiated(TRANSFORMS[name], by_kernel, jnp.eye(2))


ARGUMENTS = {
    "start": (lambda x: search(start=x).params.sum(), POINTS),
    "drawn start": (lambda x: search(start=lambda key: x, key=KEY).value.sum(), POINTS[0]),
    "rate": (lambda x: search(optimizer=optax.sgd(x)).value.sum(), 0.1),
    "batches": (lambda x: search(batches=lambda key: Quartic(x), key=KEY).value.sum(), Y[:2]),
    "norm_limit": (lambda x: search(norm_limit=x).value.sum(), 1e4),
    "gradient_tolerance": (lambda x: search(gradient_tolerance=x).value.sum(), 1e-4),
    "below_value": (lambda x: search(below_value=x).value.sum(), 1e-4),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_search_has_no_derivative_by_any_argument(name):
    function, x = ARGUMENTS[name]
    _differentiated(jax.grad, function, x)


def test_a_search_whose_arguments_are_constants_may_be_inside_a_derivative():
    fixed = lambda h: search(objective=Quartic(jax.lax.stop_gradient(h))).value.sum() * h.sum()
    np.testing.assert_allclose(jax.grad(fixed)(jnp.ones(2)), fixed(jnp.ones(2)) / 2, rtol=1e-12)


@pytest.mark.slow
def test_trajectories_have_a_derivative_but_by_a_kernel():
    end = lambda h: record(objective=Quartic(h)).value[:, -1].sum()
    step = 1e-6
    h, along = jnp.array([1.0, 3.0]), jnp.array([1.0, 0.5])
    change = (end(h + step * along) - end(h - step * along)) / (2 * step)
    np.testing.assert_allclose(jax.grad(end)(h) @ along, change, rtol=1e-7)

    def by_kernel(T):
        start = lj.starts.gaussian((2, 2))
        return record(objective=lj.PopulationRisk(T), start=start, key=KEY).value.sum()

    with pytest.raises(TypeError, match=r"give optimizer=optax.sgd\(0.1\)"):
        jax.grad(by_kernel)(jnp.eye(2))


# What functions of the user raise.


class OwnError(Exception):
    """An error of the user's."""


def _raise(error):
    def function(*_):
        raise error

    return function


@pytest.mark.parametrize("error", [OwnError("own"), KeyboardInterrupt()], ids=["error", "ctrl-c"])
def test_what_a_function_raises_surfaces_as_itself_and_ends_the_search(error):
    # At rest, so that only the error ends it.
    options = {"optimizer": optax.sgd(0.0), "max_steps": 10**9, "below_value": None}
    with pytest.raises(type(error)) as raised:
        search(callback=_raise(error), **options)
    assert raised.value is error
    raises = {"progress": _raise(error), "stop": lambda x, value, norm: x[0] > 0.5}
    with pytest.raises(type(error)) as raised:
        search(**raises, **options)
    assert raised.value is error


def test_a_function_that_raised_once_may_be_used_again():
    told = []

    def once(*_):
        told.append(None)
        if len(told) == 1:
            raise OwnError("once")

    with pytest.raises(OwnError, match="once"):
        search(callback=once)
    assert search(callback=once).summary() == {"max_steps": 2}


def test_what_stop_raises_surfaces_as_itself():
    with pytest.raises(OwnError, match="own"):
        search(stop=_raise(OwnError("own")))


# Inside of the user's program.

ROWS = jnp.stack([POINTS, POINTS / 2])
ONE = Mesh(np.array(jax.devices()[:1]), ("restarts",))
INSIDE = {
    "vmap": lambda ends: jax.vmap(ends)(ROWS),
    "lax.map": lambda ends: jax.lax.map(ends, ROWS),
    "scan": lambda ends: jax.lax.scan(lambda c, points: (c, ends(points)), 0, ROWS)[1],
    "shard_map": lambda ends: jax.shard_map(
        jax.vmap(ends), mesh=ONE, in_specs=P("restarts"), out_specs=P("restarts"), check_vma=False
    )(ROWS),
    "checkpoint": lambda ends: jnp.stack([jax.checkpoint(ends)(points) for points in ROWS]),
}


@pytest.mark.parametrize("name", rows(INSIDE, ("scan", "shard_map")))
def test_a_search_inside_a_program_is_the_search_outside(name):
    ends = lambda points: search(start=points, restarts=jnp.array([1, 0])).params
    expected = jnp.stack([ends(points) for points in ROWS])
    np.testing.assert_allclose(INSIDE[name](ends), expected, rtol=1e-15)


def test_a_hybrid_search_says_that_it_cannot_be_traced(untyped):
    start = lambda key: jax.random.normal(key, (2,))
    with pytest.raises(TypeError, match="outside of jit, vmap and grad"):
        jax.jit(lambda key: lj.hybrid(QUARTIC, start, 2, key=key, **SMALL).runs.value)(KEY)
    with pytest.raises(TypeError, match=r"start is an array .*; give a function"):
        lj.hybrid(QUARTIC, POINTS, 2, key=KEY)  # pyright: ignore[reportArgumentType]


# Strict modes.

ADAM = optax.adam(0.1)
MODES = {
    "rank promotion": lambda: jax.numpy_rank_promotion("raise"),
    "dtype promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "leaks": jax.checking_leaks,
    "NaNs": lambda: jax.debug_nans(True),
    "transfers": lambda: jax.transfer_guard("disallow"),
    "no jit": jax.disable_jit,
}


def _plain():
    return search(finish=True, max_steps=6)


def _adam():
    limits = {"gradient_tolerance": 1e-3, "norm_limit": 100, "escape_limit": 3.0}
    return search(optimizer=ADAM, room=3, max_steps=2, check_every=2, **limits)


def _recorded():
    return record(steps=2)


@pytest.mark.parametrize("call", [_plain, pytest.param(_adam, marks=pytest.mark.slow), _recorded])
@pytest.mark.parametrize("mode", MODES)
def test_a_strict_mode_changes_nothing(mode, call):
    expected = call()
    with MODES[mode]():
        found = call()
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-13, atol=1e-15)


AUGMENTED = lj.NeuronAugmented(RISK)
FRESH = lj.fresh_samples(lj.PopulationRisk(jnp.eye(2)), 4)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [name for name in MODES if name != "no jit"])
@pytest.mark.parametrize("name", ["relu", "network", "augmented", "fresh samples", "lbfgs"])
def test_strict_modes_change_nothing_on_other_objectives(mode, name):
    nets = lj.starts.network(lj.TwoLayer, (2, 2, 1), activation="tanh")
    relu, gaussian = lj.PopulationRisk(jnp.eye(2)), lj.starts.gaussian((2, 2))
    lbfgs = OPTIMIZERS["lbfgs with its line search"]
    calls = {
        "relu": (relu, gaussian, {"max_steps": 3000}),
        "network": (RISK, nets, {"batches": None}),
        "augmented": (AUGMENTED, lj.starts.augmented(nets, 1, 2), {"max_steps": 1500}),
        "fresh samples": (relu, gaussian, {"batches": FRESH}),
        "lbfgs": (RISK, nets, {"optimizer": lbfgs}),
    }
    objective, start, options = calls[name]
    call = lambda: search(objective=objective, start=start, key=KEY, finish=True, **options).value
    expected = call()
    with MODES[mode]():
        found = call()
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_search_without_float64_is_one_in_float32():
    with jax.enable_x64(False):
        points = jnp.asarray(np.asarray(POINTS, np.float32))
        runs = search(objective=Quartic(jnp.ones(2)), start=points, finish=True, max_steps=500)
        assert runs.value.dtype == runs.params.dtype == jnp.float32
        assert runs.summary() == {"converged": 2}
        with pytest.raises(ValueError, match="restarts has the index 4294967296"):
            search(start=points, restarts=np.array([2**32]))
