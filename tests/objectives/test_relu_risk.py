"""The CPU's kernel gives what XLA's code gives, for each student alone, and is never missed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.objectives import relu_risk
from landscape_jax.objectives.gaussian import angle_coefficients
from landscape_jax.objectives.population import _students, _students_in_xla
from tests.compiler import needs_compiler

SHAPES = [(1, 1, 1), (2, 1, 3), (6, 6, 6), (7, 5, 9), (13, 11, 12), (20, 20, 20), (3, 40, 41)]


def _problem(n, k, d, dtype, runs=11):
    """Give students of one teacher, some of them with zero, parallel and opposite neurons."""
    rng = np.random.default_rng(n + 100 * k)
    V, a, b = (rng.normal(size=s).astype(dtype) for s in ((k, d), (n,), (k,)))
    W = rng.normal(size=(runs, n, d)).astype(dtype)
    W[0, 0] = 0
    W[1, -1] = 3 * V[0]
    W[2, 0] = -2 * W[2, -1] if n > 1 else -V[0]
    W[3] = V[-1]
    return tuple(map(jnp.asarray, (W, V, a, b)))


def _both(W, V, a, b):
    """Value and slope of the students by the kernel and by XLA's code."""
    name = relu_risk.target(W.dtype, W.shape[1:], V.shape, angle_coefficients(W.dtype))
    assert name is not None
    kernel = lambda w: relu_risk.students_part(name, w, V, a, b)
    in_xla = lambda w: _students_in_xla(w, V, a, b)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(lambda w: (kernel(w), in_xla(w))))(W))


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_kernel_and_xla_agree_to_rounding(shape, dtype):
    n, k, d = shape
    problem = _problem(n, k, d, dtype)
    ours, theirs = _both(*problem)
    W, V, a, b = map(np.asarray, problem)
    # Each entry is a sum of n + k products over sums of d; the sizes of its terms bound its error.
    c = np.abs(np.concatenate([a, b]))
    size = c @ np.concatenate([np.linalg.norm(W, axis=2).max(0), np.linalg.norm(V, axis=1)])
    bound = (n + k + 4 * d) * np.finfo(dtype).eps * float(size) * float(np.abs(a).max())
    assert np.abs(ours[1] - theirs[1]).max() <= bound
    assert np.abs(ours[0] - theirs[0]).max() <= bound * float(np.abs(W).max()) * n * d


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_student_gets_the_same_bits_alone_and_among_any_others(dtype):
    W, V, a, b = _problem(7, 5, 9, dtype, runs=37)
    together = jax.vmap(_students, (0, None, None, None))(W, V, a, b)
    for i in (0, 1, 8, 36):
        alone = _students(W[i], V, a, b)
        reverse = jax.vmap(_students, (0, None, None, None))(W[i::-1], V, a, b)
        for whole, one, other in zip(together, alone, reverse, strict=True):
            np.testing.assert_array_equal(whole[i], one)
            np.testing.assert_array_equal(whole[i], other[0])


@needs_compiler
def test_work_shared_among_threads_gives_the_same_bits():
    W, V, a, b = _problem(20, 20, 20, np.float64, runs=200)
    together = jax.vmap(_students, (0, None, None, None))(W, V, a, b)[1]
    for i in (0, 57, 199):
        np.testing.assert_array_equal(together[i], _students(W[i], V, a, b)[1])


@needs_compiler
def test_a_student_that_is_not_finite_spoils_no_other():
    W, V, a, b = _problem(6, 6, 6, np.float64)
    value, slope = jax.vmap(_students, (0, None, None, None))(W, V, a, b)
    for bad in (np.nan, np.inf):
        spoilt = jax.vmap(_students, (0, None, None, None))(W.at[5, 2, 3].set(bad), V, a, b)
        assert not jnp.isfinite(spoilt[0][5])
        assert not jnp.isfinite(spoilt[1][5]).all()
        others = np.delete(np.arange(len(W)), 5)
        np.testing.assert_array_equal(spoilt[0][others], value[others])
        np.testing.assert_array_equal(spoilt[1][others], slope[others])


@needs_compiler
def test_any_nesting_of_vmap_over_any_operand_is_the_loop():
    W, V, a, b = _problem(4, 3, 5, np.float64, runs=5)
    Vs, As, Bs = (jnp.stack([x, 2 * x, -x]) for x in (V, a, b))
    loop = jnp.stack([jnp.stack([_students(w, v, a, b)[1] for w in W]) for v in Vs])
    inner = jax.vmap(_students, (0, None, None, None))
    np.testing.assert_array_equal(jax.vmap(inner, (None, 0, None, None))(W, Vs, a, b)[1], loop)
    other = jax.vmap(jax.vmap(_students, (None, 0, None, None)), (0, None, None, None))
    np.testing.assert_array_equal(other(W, Vs, a, b)[1], loop.swapaxes(0, 1))
    each = jax.vmap(_students)(W[:3], Vs, As, Bs)[1]
    expected = [_students(W[i], Vs[i], As[i], Bs[i])[1] for i in range(3)]
    np.testing.assert_array_equal(each, jnp.stack(expected))


@needs_compiler
def test_the_kernel_works_inside_shard_map():
    W, V, a, b = _problem(4, 3, 5, np.float64, runs=4)
    risk = lj.PopulationRisk(V, teacher_weights=b, student_weights=a)
    mesh = jax.make_mesh((1,), ("runs",), axis_types=(jax.sharding.AxisType.Auto,))
    spec = jax.P("runs")
    slope = jax.vmap(jax.grad(risk))
    sharded = jax.jit(jax.shard_map(slope, mesh=mesh, in_specs=spec, out_specs=spec))
    np.testing.assert_array_equal(sharded(W), slope(W))


@needs_compiler
def test_networks_too_large_for_the_cache_go_to_xla():
    assert relu_risk.target(np.float64, (200, 200), (200, 200), ()) is None
    assert relu_risk.target(np.float16, (6, 6), (6, 6), ()) is None


def _risk(W, V, a, b):
    """Give the risk, and a batch of directions."""
    D = jnp.asarray(np.random.default_rng(5).normal(size=W.shape).astype(W.dtype))
    return lj.PopulationRisk(V, teacher_weights=b, student_weights=a), D


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_hessians_product_is_the_derivative_of_xlas_slope(shape, dtype):
    n, k, d = shape
    W, V, a, b = _problem(n, k, d, dtype)
    W = jnp.asarray(np.asarray(W)[1:])  # At a zero neuron there is no Hessian.
    risk, D = _risk(W, V, a, b)

    @jax.jit
    @jax.vmap
    def both(w, x):
        in_xla = jax.jvp(lambda w: _students_in_xla(w, V, a, b)[1], [w], [x])[1]
        return risk.hessian_products(w)[2](x), in_xla

    ours, expected = map(np.asarray, both(W, D))
    # Entry by entry sums of 3(n + k) d terms; near parallel neurons XLA's own code loses some
    # digits in sin θ, of which an entry depends with a factor of a norm's ratio.
    norms = np.linalg.norm(np.asarray(W), axis=2)
    ratio = float((norms.max() + np.linalg.norm(np.asarray(V), axis=1).max()) / norms.min())
    first, second = np.abs(np.asarray(a)), np.abs(np.asarray(b))
    weights = float(first.max() * max(first.max(), second.max()))
    largest = float(np.abs(np.asarray(D)).max())
    bound = 3 * (n + k) * d * np.finfo(dtype).eps * weights * ratio * largest
    assert np.abs(ours - expected).max() <= bound


@needs_compiler
def test_the_hessians_product_is_the_slopes_difference_quotient():
    W, V, a, b = _problem(6, 5, 7, np.float64)
    W = W[4:]  # Away from parallel neurons, where the third derivative jumps.
    risk, D = _risk(W, V, a, b)
    step = 1e-5
    slope = jax.jit(jax.vmap(jax.grad(risk)))
    quotient = (slope(W + step * D) - slope(W - step * D)) / (2 * step)
    product = jax.vmap(lambda w, x: risk.hessian_products(w)[2](x))(W, D)
    # The quotient's error: step² times a third derivative, about 10, and rounding over the step.
    np.testing.assert_allclose(product, quotient, atol=1e-8)


@needs_compiler
def test_the_hessians_product_is_the_same_alone_and_in_any_nesting():
    W, V, a, b = _problem(7, 5, 9, np.float64)
    risk, D = _risk(W, V, a, b)
    each = jax.vmap(lambda w: jax.vmap(risk.hessian_products(w)[2])(D))(W)
    for i, j in ((1, 0), (4, 10), (10, 3)):
        np.testing.assert_array_equal(each[i, j], risk.hessian_products(W[i])[2](D[j]))
    np.testing.assert_array_equal(risk.hessian_products(W[4])[1], jax.grad(risk)(W[4]))
    assert risk.hessian_products(W[4])[0] == risk(W[4])


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_each_run_goes_its_own_number_of_steps_at_its_own_rate(dtype):
    W, V, a, b = _problem(7, 5, 9, dtype, runs=37)
    risk, _ = _risk(W, V, a, b)
    steps, rate = jnp.arange(37) % 6, jnp.linspace(0, 0.1, 37).astype(dtype)
    go = jax.vmap(lambda w, r, s: risk.descend(w, r, s, most=4))
    together = go(W, rate, steps)
    np.testing.assert_array_equal(together[0][steps == 0], W[steps == 0])
    for i in (1, 8, 17, 36):
        alone = risk.descend(W[i], rate[i], steps[i], most=4)
        for whole, one in zip(together, alone, strict=True):
            np.testing.assert_array_equal(whole[i], one)
        w = W[i]
        for _ in range(min(int(steps[i]), 4)):
            w = w - rate[i] * lj.gradient(risk, w)
        # Four steps, each rounded differently at most in the last digits of its terms.
        scale = float(jnp.abs(W[i]).max()) + 1
        np.testing.assert_allclose(together[0][i], w, atol=200 * np.finfo(dtype).eps * scale)
        np.testing.assert_array_equal(together[1][i], risk(together[0][i]))
        np.testing.assert_array_equal(together[2][i], jax.grad(risk)(together[0][i]))


@needs_compiler
def test_a_run_that_is_lost_on_its_way_spoils_no_other():
    W, V, a, b = _problem(6, 6, 6, np.float64)
    risk, _ = _risk(W, V, a, b)
    go = jax.vmap(lambda w, s: risk.descend(w, jnp.asarray(0.1), s, most=8))
    steps = jnp.arange(len(W)) % 5
    usual, spoilt = go(W, steps), go(W.at[7, 1, 1].set(np.inf), steps)
    others = np.delete(np.arange(len(W)), 7)
    for one, other in zip(usual, spoilt, strict=True):
        np.testing.assert_array_equal(one[others], other[others])
    assert not jnp.isfinite(spoilt[1][7])
