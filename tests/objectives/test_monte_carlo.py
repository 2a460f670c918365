"""Monte Carlo agrees with the closed form, and its error falls as it must."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from tests.objectives.problems import random_problem


def _risks(seed: int, **options):
    W, V, a, b, risk = random_problem(seed)
    sampled = lj.MonteCarloRisk(V, teacher_weights=b, student_weights=a, **options)
    return jnp.asarray(W), risk, sampled


@pytest.mark.parametrize("seed", range(20))
def test_the_estimate_is_within_five_standard_errors_of_the_closed_form(seed):
    W, risk, sampled = _risks(seed, samples=50_000, key=jax.random.key(seed))
    value, error, samples = sampled.estimate(W)
    assert samples == 50_000
    assert abs(value - risk(W)) <= 5 * error


@pytest.mark.slow
def test_the_error_falls_as_the_root_of_the_number_of_samples():
    # 40 estimates each at 1,000 and 64,000 samples: the root mean squares' ratio is 8 within the
    # spread of a χ² of 40 degrees on either side (a factor 1.5 is beyond five deviations).
    W, risk, _ = _risks(4, samples=2, key=jax.random.key(0))
    truth, keys = risk(W), jax.random.split(jax.random.key(1), 40)
    rms = []
    for count in (1_000, 64_000):
        _, _, sampled = _risks(4, samples=count, key=jax.random.key(0))
        values = jax.vmap(lambda k, s=sampled: s.estimate(W, key=k))(keys)
        rms.append(float(jnp.sqrt(jnp.mean((values.value - truth) ** 2))))
        # The standard error that it states is the spread that it has, within the same factor.
        assert 1 / 1.5 < rms[-1] / float(values.standard_error.mean()) < 1.5
    assert 8 / 1.5 < rms[0] / rms[1] < 8 * 1.5


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000])
def test_fixed_samples_give_the_same_mean_and_error_in_every_chunk(chunk):
    x = np.random.default_rng(0).normal(size=(100, 5))
    W, V = np.random.default_rng(1).normal(size=(2, 3, 5))
    sampled = lj.MonteCarloRisk(V, samples=x, chunk=chunk)
    losses = (np.maximum(x @ W.T, 0).sum(1) - np.maximum(x @ V.T, 0).sum(1)) ** 2 / 2
    value, error, _ = sampled.estimate(jnp.asarray(W))
    assert float(value) == pytest.approx(losses.mean(), rel=1e-12)
    assert float(error) == pytest.approx(losses.std(ddof=1) / 10, rel=1e-12)
    assert float(sampled(jnp.asarray(W))) == pytest.approx(losses.mean(), rel=1e-12)


def test_the_gradient_on_samples_agrees_with_differences():
    x = np.random.default_rng(0).normal(size=(50, 4))
    W = jnp.asarray(np.random.default_rng(1).normal(size=(3, 4)))
    sampled = lj.MonteCarloRisk(np.eye(4), samples=x, chunk=16)
    direction = jnp.asarray(np.random.default_rng(2).normal(size=W.shape))
    difference = (sampled(W + 1e-6 * direction) - sampled(W - 1e-6 * direction)) / 2e-6
    ours = float(jnp.vdot(lj.gradient(sampled, W), direction))
    assert ours == pytest.approx(float(difference), rel=1e-6)


def test_only_the_students_group_is_known_of_the_mean_over_samples():
    options = {"samples": 100, "key": jax.random.key(0)}
    risk = lj.MonteCarloRisk(jnp.eye(3), **options)
    known = risk.known(jnp.ones((4, 3)))
    assert isinstance(known.symmetry, lj.HiddenNeurons)
    assert known.infimum == 0
    assert risk.known(jnp.ones((2, 3))).infimum is None
    traced = jax.jit(lambda V: jnp.array(lj.MonteCarloRisk(V, **options).known(V).symmetry is None))
    assert traced(jnp.eye(3))


def test_memory_does_not_grow_with_the_number_of_samples():
    W = jnp.ones((3, 4))

    def temporary(count: int) -> int:
        risk = lj.MonteCarloRisk(jnp.eye(4), samples=count, key=jax.random.key(0), chunk=1024)
        compiled = jax.jit(jax.grad(risk)).lower(W).compile()
        memory = compiled.memory_analysis()
        assert memory is not None
        return memory.temp_size_in_bytes

    # A carry is kept for each chunk, three numbers, and nothing for each sample.
    assert temporary(1_024_000) - temporary(10_240) < 1000 * 16 * 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 100}, "key is missing"),
        ({"samples": np.ones((9, 3)), "key": jax.random.key(0)}, "key is given with fixed"),
        ({"samples": np.ones((9, 2))}, "samples have dimension 2; the teacher's is 3"),
        ({"samples": np.ones(9)}, "samples has shape"),
        ({"samples": 1, "key": jax.random.key(0)}, "samples is 1; it must be at least 2"),
        ({"samples": np.ones((1, 3))}, "samples has 1 row; give at least 2"),
        (
            {"samples": 10, "key": jax.random.key(0), "chunk": 0},
            "chunk is 0; it must be at least 1",
        ),
    ],
)
def test_samples_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        lj.MonteCarloRisk(np.eye(3), **options)


def test_another_key_is_refused_where_the_samples_are_fixed():
    sampled = lj.MonteCarloRisk(np.eye(3), samples=np.ones((9, 3)))
    with pytest.raises(ValueError, match="the samples are fixed"):
        sampled.estimate(jnp.eye(3), key=jax.random.key(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 10, "key": 0}, r"key is 0; give a PRNG key, e.g. jax.random.key\(0\)"),
        ({"samples": 10, "key": jnp.ones(2)}, "key is an array of float64"),
        ({"samples": 2.5, "key": jax.random.key(0)}, "samples is 2.5; give an integer of at"),
        ({"samples": 1j * np.ones((9, 3))}, "samples has dtype complex128; give real numbers"),
    ],
)
def test_samples_and_keys_of_another_kind_are_refused(options, message):
    with pytest.raises(TypeError, match=message):
        lj.MonteCarloRisk(np.eye(3), **options)


def test_any_function_is_averaged_over_the_samples():
    x = np.random.default_rng(0).normal(size=(100, 3))
    W, V = np.random.default_rng(1).normal(size=(2, 3, 3))
    sampled = lj.MonteCarloRisk(V, samples=x, activation=lambda t: jnp.cos(t) + t**2)
    losses = np.sum(np.cos(x @ W.T) + (x @ W.T) ** 2 - np.cos(x @ V.T) - (x @ V.T) ** 2, 1) ** 2 / 2
    assert float(sampled(jnp.asarray(W))) == pytest.approx(losses.mean(), rel=1e-12)


def test_fresh_batches_have_the_risk_as_their_mean():
    risk = lj.PopulationRisk(jnp.eye(3), teacher_weights=jnp.array([1.0, -1.0, 2.0]))
    W = 0.3 * jnp.ones((2, 3)) + jnp.eye(2, 3)
    draw = lj.fresh_samples(risk, 8)
    values = jax.jit(jax.vmap(lambda k: draw(k)(W)))(jax.random.split(jax.random.key(0), 20_000))
    error = float(values.std()) / 20_000**0.5
    assert abs(float(values.mean()) - float(risk(W))) < 4 * error
    with pytest.raises(ValueError, match="size is 1; it must be at least 2"):
        lj.fresh_samples(risk, 1)
