"""Thousands of descents: each ends where it alone would, and says how."""

import subprocess
import sys

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import landscape_jax as lj

KEY = jax.random.key(0)


class Bowl(lj.AbstractObjective):
    """½ Σ hᵢ xᵢ², with a known end for every step size."""

    h: jax.Array

    def __call__(self, params):
        return jnp.sum(self.h * params**2) / 2


def _six() -> lj.PopulationRisk:
    return lj.PopulationRisk(jnp.eye(6))


def _search(restarts, risk=None, shape=(6, 6), **options) -> lj.Runs:
    risk = _six() if risk is None else risk
    return lj.restart(risk, lj.starts.gaussian(shape), restarts, key=KEY, **options)


def _same(one: lj.Runs, two: lj.Runs) -> None:
    np.testing.assert_array_equal(one.restart_index, two.restart_index)
    np.testing.assert_array_equal(one.status._value, two.status._value)
    np.testing.assert_array_equal(one.steps, two.steps)
    np.testing.assert_allclose(one.params, two.params, rtol=0, atol=1e-12)


def _eight(restarts, **options) -> lj.Runs:
    return _search(restarts, lj.PopulationRisk(jnp.eye(8)), (8, 8), **options)


@pytest.fixture(scope="module")
def eight() -> lj.Runs:
    """120 runs at (8, 8), some of which end at a spurious minimum."""
    return _eight(120)


def test_some_runs_end_below_the_threshold_and_the_rest_at_the_spurious_minimum(eight):
    assert set(eight.summary()) == {"below_value", "converged"}
    trapped = np.asarray(eight.value)[eight.is_converged]
    # SS18, table 1: mean objective 0.021; there is one family at this size.
    np.testing.assert_allclose(trapped, 0.02150804, atol=1e-8)
    assert np.all(np.asarray(eight.gradient_norm)[eight.is_converged] < 1e-13)
    assert np.all(np.asarray(eight.value)[eight.is_below_value] < 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 7, 64])
def test_runs_are_the_same_whatever_the_lanes(lanes):
    _same(_search(40, lanes=lanes), _search(40, lanes=1000))


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2, 8])
def test_runs_are_the_same_whatever_the_devices(devices, eight, tmp_path):
    code = f"""
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_num_cpu_devices", {devices})
import landscape_jax as lj
mesh = jax.make_mesh(({devices},), ("restarts",))
ended = []
runs = lj.restart(
    lj.PopulationRisk(jnp.eye(8)), lj.starts.gaussian((8, 8)), 115, key=jax.random.key(0),
    mesh=mesh, progress=lambda new, total: ended.append((new, total)),
)
assert len(runs) == 115 and {{total for _, total in ended}} == {{115}}
np.savez(
    r"{tmp_path / "runs.npz"}", params=runs.params, steps=runs.steps, status=runs.status._value
)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    found = np.load(tmp_path / "runs.npz")
    np.testing.assert_array_equal(found["status"], eight.status._value[:115])
    np.testing.assert_array_equal(found["steps"], eight.steps[:115])
    np.testing.assert_allclose(found["params"], eight.params[:115], rtol=0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("lanes", [1, 7, 64, 1000])
def test_runs_that_end_at_spurious_minima_are_the_same_whatever_the_lanes(eight, lanes):
    risk = lj.PopulationRisk(jnp.eye(8))
    other = _search(120, risk, (8, 8), lanes=lanes)
    _same(eight, other)
    one, two = lj.families(risk, eight), lj.families(risk, other)
    assert [f.kind for f in one] == [f.kind for f in two] == ["global", "spurious"]
    for mine, theirs in zip(one, two, strict=True):
        assert set(mine.restart_index.tolist()) == set(theirs.restart_index.tolist())


def test_runs_are_the_same_whatever_the_chunks(eight):
    parts = [_eight(jnp.arange(i, i + 10)) for i in (0, 10, 20)]
    for name in ("value", "steps", "restart_index", "params"):
        joined = np.concatenate([getattr(p, name) for p in parts])
        np.testing.assert_array_equal(joined, getattr(eight, name)[:30])


@pytest.mark.slow
def test_starts_are_bit_equal_whatever_the_other_restarts_and_the_lanes():
    # A gradient tolerance that every start meets returns the starts themselves.
    options = {"gradient_tolerance": 1e9, "finish": False}
    whole = _search(12, **options)
    np.testing.assert_array_equal(whole.steps, 0)
    some = _search(jnp.array([5, 3]), lanes=1, **options)
    np.testing.assert_array_equal(some.params, whole.params[jnp.array([5, 3])])
    start = lj.starts.gaussian((6, 6))
    expected = [start(jax.random.fold_in(KEY, i)) for i in (5, 3)]
    np.testing.assert_allclose(some.params, jnp.stack(expected), rtol=4e-16)


def test_the_finish_ends_where_plain_descent_ends(eight):
    trapped = np.flatnonzero(eight.is_converged)[:4]
    plain = _eight(jnp.asarray(trapped), finish=False)
    assert plain.is_converged.all()
    # ‖x − x*‖ ≤ √n · 1e-9 / λ with λ = 0.02; both ends are within it.
    np.testing.assert_allclose(plain.params, eight.params[trapped], atol=np.sqrt(8) * 1e-9 / 0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("k", "n", "restarts"), [(8, 8, 250), (10, 10, 150), (13, 13, 40)])
def test_the_finish_and_plain_descent_end_in_the_same_family(k, n, restarts):
    risk = lj.PopulationRisk(jnp.eye(k))
    fast = _search(restarts, risk, (n, k))
    plain = _search(restarts, risk, (n, k), finish=False, max_steps=2_000_000)
    np.testing.assert_array_equal(fast.status._value, plain.status._value)
    ends = np.flatnonzero(fast.is_converged)
    assert len(ends) > 0.05 * restarts
    points = np.concatenate([np.asarray(fast.params)[ends], np.asarray(plain.params)[ends]])
    # Plain descent stops within √n · 1e-9 / λ of its minimum, and λ > 1e-4; families are 0.1 apart.
    for family in lj.families(risk, points, tolerance=1e-4):
        # Saddles are the exception that `restart` names: there rounding decides.
        if family.kind != "saddle":
            members = {int(m) % len(ends) for m in family.members}
            assert family.count == 2 * len(members)


def test_a_run_is_plain_gradient_descent():
    risk, start = lj.PopulationRisk(jnp.eye(8)), lj.starts.gaussian((8, 8))
    slope = jax.jit(jax.grad(risk))
    runs = _eight(4, max_steps=100, finish=False)
    assert runs.summary() == {"max_steps": 4}
    np.testing.assert_array_equal(runs.steps, 100)
    for i in range(4):
        W = np.asarray(start(jax.random.fold_in(KEY, i)))
        for _ in range(100):
            W = W - 0.1 * np.asarray(slope(W))
        np.testing.assert_allclose(runs.params[i], W, rtol=0, atol=1e-13)


def test_any_optax_transformation_descends_with_its_own_memory():
    optimizer = optax.adam(0.01)
    bowl, start = Bowl(jnp.array([1.0, 3.0])), jnp.array([[1.0, -2.0], [3.0, 0.5]])
    runs = lj.restart(bowl, start, 2, optimizer=optimizer, max_steps=50, finish=False)

    @jax.jit
    def step(x, memory):
        updates, memory = optimizer.update(jax.grad(bowl)(x), memory, x)
        return x + updates, memory

    for i in range(2):
        x, memory = start[i], optimizer.init(start[i])
        for _ in range(50):
            x, memory = step(x, memory)
        np.testing.assert_allclose(runs.params[i], x, rtol=1e-13)


def test_params_may_be_any_pytree():
    class Two(lj.AbstractObjective):
        def __call__(self, params):
            return jnp.sum((params["a"] - 1) ** 2) + (params["b"] + 2) ** 2

    start = {"a": jnp.ones((3, 2)) * jnp.arange(3.0)[:, None], "b": jnp.arange(3.0)}
    runs = lj.restart(Two(), start, 3)
    assert runs.summary() == {"converged": 3}
    np.testing.assert_allclose(runs.params["a"], 1, atol=1e-12)
    np.testing.assert_allclose(runs.params["b"], -2, atol=1e-12)


def test_a_run_that_diverges_begins_again_with_half_the_step():
    # Step 0.1 · h must be below 2: h = 50 diverges, a step halved twice does not (0.025 · 50).
    start = jnp.array([[1.0, 1.0]])
    runs = lj.restart(Bowl(jnp.array([1.0, 50.0])), start, 1, finish=False)
    assert runs.summary() == {"converged": 1}
    np.testing.assert_allclose(runs.params, 0, atol=1e-8)


def test_a_run_that_always_diverges_says_so_and_a_nan_spoils_no_other():
    class Falling(lj.AbstractObjective):
        def __call__(self, params):
            return jnp.where(params[0] > 0, -jnp.exp(params[0]), jnp.sum(params**2))

    start = jnp.array([[1.0, 0.0], [jnp.nan, 0.0], [-1.0, 1.0], [-2.0, jnp.inf]])
    runs = lj.restart(Falling(), start, 4, max_steps=100_000)
    names = [list(lj.Status._name_to_item)[int(code)] for code in runs.status._value]
    assert names[0] in ("diverged", "nonfinite")
    assert names[1:] == ["nonfinite", "converged", "nonfinite"]
    np.testing.assert_array_equal(runs.is_finite[1:], [False, True, False])


def test_a_point_is_not_converged_because_its_step_is_small():
    bowl, start = Bowl(jnp.array([1.0, 3.0])), jnp.array([[1.0, -2.0], [3.0, 0.5]])
    runs = lj.restart(bowl, start, 2, optimizer=optax.sgd(1e-12), max_steps=64, finish=False)
    assert runs.summary() == {"max_steps": 2}


def test_a_saddle_is_never_polished():
    class Saddle(lj.AbstractObjective):
        def __call__(self, params):
            return params[0] ** 2 - params[1] ** 2 + params[1] ** 4

    start = jnp.array([[1e-5, 1e-6], [0.3, -1e-7]])
    runs = lj.restart(Saddle(), start, 2)
    assert runs.summary() == {"converged": 2}
    np.testing.assert_allclose(abs(runs.params[:, 1]), np.sqrt(0.5), atol=1e-10)


@pytest.mark.slow
def test_restart_is_pure_under_jit():
    risk = _six()
    direct = _search(8, risk)
    inside = jax.jit(lambda r, key: lj.restart(r, lj.starts.gaussian((6, 6)), 8, key=key).params)(
        risk, KEY
    )
    np.testing.assert_allclose(inside, direct.params, rtol=0, atol=1e-12)


def test_it_traces_and_compiles_once_for_a_shape():
    traces = []

    class Counted(lj.AbstractObjective):
        def __call__(self, params):
            traces.append(params.shape)
            return jnp.sum(params**2)

    # Drawing the initial points is traced once.
    start = chex.assert_max_traces(lambda key: jax.random.normal(key, (2, 2)), n=1)
    lj.restart(Counted(), start, 4, key=KEY, finish=False)
    first = len(traces)
    assert first > 0
    for seed in (1, 2):
        lj.restart(Counted(), start, 4, key=jax.random.key(seed), finish=False)
    assert len(traces) == first


@pytest.mark.slow
def test_progress_is_told_of_every_run_and_absent_from_the_program_otherwise():
    told = []
    runs = _search(20, progress=lambda ended, total: told.append((ended, total)))
    jax.effects_barrier()
    assert sum(ended for ended, _ in told) == 20
    assert {total for _, total in told} == {20}
    _same(runs, _search(20))
    program = str(jax.make_jaxpr(lambda k: _search(20).value)(KEY))
    assert "callback" not in program


@pytest.mark.slow
def test_float32_descends_with_its_own_tolerance():
    start = lj.starts.gaussian((3, 3), dtype=jnp.float32)
    runs = lj.restart(lj.PopulationRisk(jnp.eye(3, dtype=jnp.float32)), start, 10, key=KEY)
    assert runs.params.dtype == runs.value.dtype == jnp.float32
    assert runs.summary() == {"below_value": 10}
    minima = lj.restart(
        lj.PopulationRisk(jnp.eye(3)), start, 10, key=KEY, below_value=None, max_steps=100_000
    )
    assert minima.summary() == {"converged": 10}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"restarts": 0}, ValueError, "restarts is 0; give at least 1"),
        ({"restarts": jnp.ones(3)}, ValueError, "one-dimensional array of integer indices"),
        ({"key": None}, ValueError, "key is missing"),
        (
            {"start": jnp.ones((2, 2, 2)), "restarts": 3},
            ValueError,
            "restarts has the index 2; start has 2",
        ),
        ({"start": {"a": jnp.ones(2), "b": jnp.ones(3)}}, ValueError, "leading lengths"),
        ({"start": jnp.ones((4, 2, 2), int)}, TypeError, "give floating arrays"),
        ({"gradient_tolerance": 0.0}, ValueError, "gradient_tolerance is 0.0; it must be positive"),
        ({"below_value": "auto"}, ValueError, "give a number, None or"),
        ({"max_steps": 0}, ValueError, "max_steps is 0; it must be at least 1"),
        ({"check_every": 0}, ValueError, "check_every is 0"),
        ({"lanes": 0}, ValueError, "lanes is 0"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, error, message):
    arguments = {"start": lj.starts.gaussian((2, 2)), "restarts": 4, "key": KEY, **change}
    with pytest.raises(error, match=message):
        lj.restart(
            lj.PopulationRisk(jnp.eye(2)),
            arguments.pop("start"),
            arguments.pop("restarts"),
            **arguments,
        )


def test_float32_with_a_tolerance_below_its_resolution_names_the_line_to_add():
    start = lj.starts.gaussian((2, 2), dtype=jnp.float32)
    with pytest.raises(ValueError, match="jax_enable_x64"):
        lj.restart(lj.PopulationRisk(jnp.eye(2)), start, 4, key=KEY, gradient_tolerance=1e-9)


def test_a_rule_of_ones_own_stops_a_run_and_says_so():
    risk, start = lj.PopulationRisk(jnp.eye(4)), lj.starts.gaussian((4, 4))
    shrink = lambda params, value, norm: (value < 0.2) & (norm < 1.0)
    runs = lj.restart(risk, start, 12, key=jax.random.key(0), stop=shrink, check_every=4)
    assert runs.summary() == {"stopped": 12}
    assert bool((runs.value < 0.2).all())
    assert bool((runs.value > 1e-3).all())


def test_a_callback_is_told_of_every_run_that_is_inspected():
    risk, start = lj.PopulationRisk(jnp.eye(4)), lj.starts.gaussian((4, 4))
    told = []
    settings = {"max_steps": 96, "finish": False, "below_value": None}
    runs = lj.restart(risk, start, 6, key=jax.random.key(0), callback=told.append, **settings)
    jax.effects_barrier()
    steps = {i: [] for i in range(6)}
    for look in told:
        assert look.params.shape == (len(look.restart_index), 4, 4)
        for i, at in zip(look.restart_index.tolist(), look.steps.tolist(), strict=True):
            steps[i].append(at)
    assert all(sorted(found) == [0, 32, 64, 96] for found in steps.values()), steps
    last = {
        int(i): float(v)
        for look in told
        for i, v in zip(look.restart_index, look.value, strict=True)
    }
    np.testing.assert_array_equal([last[i] for i in range(6)], runs.value)


def test_calls_of_different_counts_share_a_program_and_give_the_same_runs():
    risk, start = lj.PopulationRisk(jnp.eye(4)), lj.starts.gaussian((4, 4))
    whole = lj.restart(risk, start, 9, key=jax.random.key(0))
    some = lj.restart(risk, start, jnp.array([4, 7]), key=jax.random.key(0), room=9)
    assert some.restart_index.tolist() == [4, 7]
    np.testing.assert_array_equal(some.params, whole.params[jnp.array([4, 7])])
    with pytest.raises(ValueError, match="room is 3; it must be at least the 9 restarts"):
        lj.restart(risk, start, 9, key=jax.random.key(0), room=3)


@pytest.mark.slow
def test_rates_have_an_axis_under_vmap():
    risk, start = lj.PopulationRisk(jnp.eye(3)), lj.starts.gaussian((3, 3))

    def ends(rate):
        settings = {"optimizer": optax.sgd(rate), "max_steps": 64, "finish": False}
        return lj.restart(risk, start, 5, key=jax.random.key(0), **settings).value

    rates = jnp.array([0.03, 0.3])
    np.testing.assert_allclose(
        jax.vmap(ends)(rates), jnp.stack([ends(r) for r in rates]), rtol=1e-12
    )
