"""The closed forms hold, to rounding, at every angle, and stay finite where F has kinks."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import landscape_jax as lj
from tests.objectives import exact
from tests.objectives.problems import random_problem

mp.mp.dps = 50


def _largest_error(ours, theirs) -> float:
    theirs = np.asarray(theirs, dtype=object).ravel()
    ours = np.asarray(ours, dtype=np.float64).ravel()
    return max(float(mp.re(abs(mp.mpf(x) - y))) for x, y in zip(ours, theirs, strict=True))


def _relative(ours, theirs) -> float:
    """Largest error over the largest entry: entries that cancel are judged by the others' size."""
    return _largest_error(ours, theirs) / _largest_error(np.zeros(np.size(theirs)), theirs)


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("seed", range(12))
def test_value_and_gradient_agree_with_fifty_digits(seed, dtype, bound):
    W, V, a, b, risk = random_problem(seed, dtype)
    value, slope = jax.value_and_grad(risk)(jnp.asarray(W))
    assert value.dtype == slope.dtype == dtype
    # The terms of F cancel near its minima; a random point loses a digit at most.
    assert _relative(value, exact.risk(W, V, a, b)) <= bound
    assert _relative(slope, exact.slope(W, V, a, b)) <= bound


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("seed", range(4))
def test_hessian_agrees_with_differences_in_fifty_digits(seed, dtype, bound):
    W, V, a, b, risk = random_problem(seed, dtype)
    ours = lj.hessian(risk, jnp.asarray(W))
    assert _relative(ours, exact.curvature(W, V, a, b)) <= bound


@pytest.mark.parametrize("offset", [1e-3, 1e-6, 1e-9, 1e-12])
@pytest.mark.parametrize("side", ["parallel", "antiparallel"])
@pytest.mark.parametrize("norms", [(1.0, 1.0), (0.3, 5.0)])
def test_gradient_of_a_pair_is_exact_at_every_angle(offset, side, norms):
    rng = np.random.default_rng(5)
    frame, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    sign = 1 if side == "parallel" else -1
    direction = sign * np.cos(offset) * frame[:, 0] + np.sin(offset) * frame[:, 1]
    W = norms[0] * frame[:, :1].T
    V = norms[1] * direction[None]
    ours = jax.grad(lj.PopulationRisk(jnp.asarray(V)))(jnp.asarray(W))
    theirs = exact.slope(W, V, [1.0], [1.0])
    error = _largest_error(ours, theirs)
    assert error <= 1e-14 * max(norms)


def test_autodiff_of_the_value_the_gradient_and_the_hessian_agree():
    W, V, a, b, risk = random_problem(3)
    W = jnp.asarray(W)

    def plain(flat):
        # The formulas without any rule of ours, differentiated by JAX alone.
        u = jnp.concatenate([flat.reshape(W.shape), V])
        c = np.concatenate([a, -b])
        r = jnp.linalg.norm(u, axis=1)
        off = ~jnp.eye(len(u), dtype=bool)
        cosine = jnp.where(off, u @ u.T / (r[:, None] * r), 0)
        theta = jnp.arccos(cosine)
        kernel = r[:, None] * r * (jnp.sin(theta) + (jnp.pi - theta) * cosine) / (2 * jnp.pi)
        kernel = jnp.where(off, kernel, jnp.diag(r**2 / 2))
        return c @ kernel @ c / 2

    flat = W.ravel()
    assert float(risk(W)) == pytest.approx(float(plain(flat)), rel=1e-13)
    np.testing.assert_allclose(lj.gradient(risk, W).ravel(), jax.grad(plain)(flat), rtol=1e-11)
    ours = lj.hessian(risk, W)
    size = float(abs(ours).max())
    np.testing.assert_allclose(ours, jax.hessian(plain)(flat), rtol=0, atol=1e-11 * size)
    reverse = jax.jacrev(jax.jacrev(lambda x: risk(x.reshape(W.shape))))(flat)
    np.testing.assert_allclose(ours, reverse, rtol=0, atol=1e-12 * size)


def test_hessian_is_continuous_where_students_are_parallel():
    # F is C² there, against a common remark: f(w, v) − w·v/2 is of third order in the angle.
    rng = np.random.default_rng(0)
    w = rng.normal(size=3)
    at = jnp.asarray(np.stack([w, 2 * w, rng.normal(size=3)]))
    risk = lj.PopulationRisk(jnp.eye(3))
    H = lj.hessian(risk, at)
    assert bool(jnp.isfinite(H).all())
    for size in (1e-2, 1e-3, 1e-4):
        change = jnp.linalg.norm(lj.hessian(risk, at + size * rng.normal(size=(3, 3))) - H)
        assert change < 20 * size


@pytest.mark.parametrize("seed", range(3))
def test_hessian_is_exact_where_a_student_meets_a_teacher_or_another_student(seed):
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(3, 3))
    W = np.stack([V[0], -2 * V[1], V[2], 3 * V[2]])
    risk = lj.PopulationRisk(jnp.asarray(V))
    ours = lj.hessian(risk, jnp.asarray(W))
    # The differences see a third derivative that jumps: their error is of the order of the step.
    theirs = exact.curvature(W, V, np.ones(4), np.ones(3))
    assert _relative(ours, theirs) <= 1e-13


@pytest.mark.parametrize(
    "W",
    [np.zeros((2, 3)), np.eye(3)[:2], -np.eye(3), np.ones((3, 3)), 1e-300 * np.eye(3)],
    ids=["zero", "on teachers", "opposite teachers", "parallel", "underflow"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_gradient_and_hessian_are_finite_at_kinks(W, dtype):
    risk, W = lj.PopulationRisk(jnp.eye(3)), jnp.asarray(W, dtype)
    assert bool(jnp.isfinite(risk(W)))
    assert bool(jnp.isfinite(jax.grad(risk)(W)).all())
    assert bool(jnp.isfinite(lj.hessian(risk, W)).all())


def test_gradient_at_a_zero_neuron_is_the_mean_of_opposite_slopes():
    risk = lj.PopulationRisk(jnp.eye(3))
    W = jnp.zeros((1, 3))
    u = jnp.array([[0.6, 0.0, 0.8]])
    slopes = [(risk(s * 1e-7 * u) - risk(W)) / 1e-7 for s in (1, -1)]
    expected = (slopes[0] - slopes[1]) / 2
    assert float(jnp.vdot(jax.grad(risk)(W), u)) == pytest.approx(float(expected), abs=1e-6)


def test_vmap_and_jit_equal_the_loop():
    W, _, _, _, risk = random_problem(2)
    points = jnp.asarray(W) + jnp.asarray(np.random.default_rng(1).normal(size=(7, *W.shape)))
    together = jax.jit(jax.vmap(jax.value_and_grad(risk)))(points)
    for i, point in enumerate(points):
        value, slope = jax.value_and_grad(risk)(point)
        np.testing.assert_allclose(together[0][i], value, rtol=1e-13)
        np.testing.assert_allclose(together[1][i], slope, rtol=0, atol=1e-13)


def test_derivatives_in_teacher_and_second_layers_agree_with_differences():
    W, _, _, _, risk = random_problem(7)
    W = jnp.asarray(W)
    slopes = jax.grad(lambda r: r(W))(risk)
    for name in ("teacher", "teacher_weights", "student_weights"):
        leaf = getattr(risk, name)
        direction = jnp.asarray(np.random.default_rng(0).normal(size=leaf.shape))

        def along(t, name=name, leaf=leaf, direction=direction):
            parts = {n: getattr(risk, n) for n in ("teacher_weights", "student_weights")}
            parts |= {"teacher": risk.teacher, name: leaf + t * direction}
            return lj.PopulationRisk(parts.pop("teacher"), **parts)(W)

        difference = (along(1e-6) - along(-1e-6)) / 2e-6
        ours = float(jnp.vdot(getattr(slopes, name), direction))
        assert ours == pytest.approx(float(difference), rel=1e-7)


def test_the_risk_vanishes_exactly_where_the_student_is_the_teacher():
    risk = lj.PopulationRisk(jnp.eye(5))
    padded = jnp.zeros((7, 5)).at[jnp.array([6, 0, 3, 1, 2])].set(jnp.eye(5))
    assert abs(risk(padded)) < 1e-14
    known = risk.known(padded)
    assert known.infimum == 0.0
    assert known.below_value is not None
    assert float(known.below_value) == pytest.approx(1e-3)
    assert lj.PopulationRisk(jnp.eye(5)).known(jnp.zeros((4, 5))).infimum is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"teacher": np.eye(3, dtype=int)}, TypeError, "teacher has dtype int64; give a floating"),
        ({"teacher": np.ones(3)}, ValueError, r"teacher has shape \(3,\); it must be \(teachers"),
        ({"teacher": np.ones((0, 3))}, ValueError, "none of them 0"),
        ({"teacher": np.full((2, 2), np.nan)}, ValueError, "NaN or infinite"),
        ({"teacher_weights": np.ones(2)}, ValueError, "teacher_weights has 2 entries; there are 3"),
        ({"student_weights": np.ones((2, 2))}, ValueError, "student_weights has shape"),
        ({"activation": "tanh"}, ValueError, "activation is 'tanh'; the closed form is for 'relu'"),
    ],
)
def test_a_bad_teacher_is_refused_by_name(arguments, error, message):
    arguments = {"teacher": np.eye(3), **arguments}
    with pytest.raises(error, match=message):
        lj.PopulationRisk(arguments.pop("teacher"), **arguments)


@pytest.mark.parametrize(
    ("W", "error", "message"),
    [
        (jnp.ones((2, 4)), ValueError, r"W has shape \(2, 4\); it must be \(neurons, 3\)"),
        (jnp.ones((0, 3)), ValueError, "at least one"),
        (jnp.ones((4, 3)), ValueError, "W has 4 neurons, but student_weights has 2 entries"),
    ],
)
def test_a_student_that_does_not_fit_is_refused(W, error, message):
    risk = lj.PopulationRisk(jnp.eye(3), student_weights=jnp.ones(2))
    with pytest.raises(error, match=message):
        risk(W)
