"""The closed forms hold, to rounding, at every angle, and stay finite where F has kinks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical.spectra import padding_matrix
from landscape_jax.networks import activations
from landscape_jax.objectives.population import PopulationRisk
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


@jax.jit
def _value_and_slope(risk, W):
    return jax.value_and_grad(risk)(W)


@pytest.mark.parametrize(("dtype", "bound"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@pytest.mark.parametrize("seed", range(12))
def test_value_and_gradient_agree_with_fifty_digits(seed, dtype, bound):
    W, V, a, b, risk = random_problem(seed, dtype)
    value, slope = _value_and_slope(risk, jnp.asarray(W))
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


@pytest.mark.slow
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
        value, slope = risk(point), jax.grad(risk)(point)
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
        ({"teacher": 1j * np.eye(3)}, TypeError, "teacher has dtype complex128; give real numbers"),
        ({"teacher": "identity"}, TypeError, "teacher has dtype <U8; give real numbers"),
        ({"teacher": [[1.0], [2.0, 3.0]]}, ValueError, "teacher is not an array: its rows differ"),
        ({"teacher": np.ones(3)}, ValueError, r"teacher has shape \(3,\); it must be \(teachers"),
        ({"teacher": np.ones((0, 3))}, ValueError, "none of them 0"),
        ({"teacher": np.full((2, 2), np.nan)}, ValueError, "NaN or infinite"),
        ({"teacher_weights": np.ones(2)}, ValueError, "teacher_weights has 2 entries; there are 3"),
        ({"student_weights": np.ones((2, 2))}, ValueError, "student_weights has shape"),
        ({"activation": "tan"}, ValueError, "activation is 'tan'; it must be a function or one of"),
        ({"order": 0}, ValueError, "order is 0; it must be at least 1"),
        (
            {"activation": eqx.nn.PReLU(0.2)},
            TypeError,
            "activation has a part that cannot be hashed .* write a network of your own",
        ),
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


def _other(activation, **options):
    """Give a risk with n ≠ k and weights of both signs, and a point."""
    W, V, a, b, _ = random_problem(3)
    W, V = W / np.linalg.norm(W, axis=1)[:, None], V / np.linalg.norm(V, axis=1)[:, None]
    weights = {"teacher_weights": b, "student_weights": a}
    return lj.PopulationRisk(V, activation=activation, **weights, **options), jnp.asarray(W)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["leaky", "step", "tanh"])
def test_the_risk_of_any_activation_is_that_of_samples(activation):
    risk, W = _other(activation)
    sampled = lj.MonteCarloRisk(
        risk.teacher,
        teacher_weights=risk.teacher_weights,
        student_weights=risk.student_weights,
        activation=activation,
        samples=200_000,
        key=jax.random.key(0),
    )
    value, error, _ = sampled.estimate(W)
    assert abs(value - risk(W)) <= 4 * error


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["abs", "sigmoid"])
def test_gradient_and_hessian_of_other_activations_agree_with_differences(activation):
    risk, W = _other(activation)
    direction = jnp.asarray(np.random.default_rng(0).normal(size=W.shape))
    value, slope = jax.jit(lambda W: risk(W)), jax.jit(jax.grad(risk))
    here, H = slope(W), lj.hessian(risk, W)
    difference = (value(W + 1e-6 * direction) - value(W - 1e-6 * direction)) / 2e-6
    assert float(jnp.vdot(here, direction)) == pytest.approx(float(difference), rel=1e-7, abs=1e-8)
    turned = (slope(W + 1e-6 * direction) - slope(W - 1e-6 * direction)) / 2e-6
    np.testing.assert_allclose(H @ direction.ravel(), turned.ravel(), rtol=1e-6, atol=1e-7)


def test_relu_by_its_slopes_is_relu():
    W, V, a, b, risk = random_problem(1)
    twin = lj.PopulationRisk(
        V, teacher_weights=b, student_weights=a, activation=activations.leaky(1.0, 0.0)
    )
    assert float(twin(jnp.asarray(W))) == float(risk(jnp.asarray(W)))


@pytest.mark.slow
def test_other_activations_descend_and_curve_by_their_own_gradient():
    risk, W = _other("sine")
    rate, steps = jnp.asarray(0.1), jnp.asarray(2)
    end, value, slope = jax.jit(lambda W: risk.descend(W, rate, steps, most=3))(W)
    of = jax.jit(jax.value_and_grad(risk))
    expected = W
    for _ in range(2):
        expected = expected - 0.1 * of(expected)[1]
    np.testing.assert_allclose(end, expected, atol=1e-14)
    np.testing.assert_allclose(value, of(expected)[0], rtol=1e-12)
    np.testing.assert_allclose(slope, of(expected)[1], atol=1e-13)

    def curved(W):
        _, at, product = risk.hessian_products(W)
        return at, product(jnp.ones_like(W))

    at, ours = jax.jit(curved)(W)
    np.testing.assert_allclose(at, of(W)[1], atol=1e-14)
    theirs = lj.hessian(risk, W) @ jnp.ones(W.size)
    np.testing.assert_allclose(ours.ravel(), theirs, atol=1e-12)


@pytest.mark.slow
def test_the_quadrature_error_bounds_the_error_and_is_0_for_closed_forms():
    closed, W = _other("sine")
    assert float(closed.quadrature_error(W)) == 0.0
    by_quadrature, _ = _other(lambda t: jnp.sin(t), order=8)
    error = abs(by_quadrature(W) - closed(W))
    assert 1e-9 < error <= by_quadrature.quadrature_error(W)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("activation", "b", "a", "reachable"),
    [
        ("leaky", [1.0, 2.0], [1.0, 3.0, -1.0], True),
        ("tanh", [1.0, 2.0], [2.0, 5.0, 1.0], True),
        ("tanh", [1.0, 2.0], [1.0, 3.0], False),
        ("tanh", [1.0, 1.0], [1.0], False),
        ("tanh", [1.0, 0.0], [1.0], True),
        ("quadratic", [1.0, 2.0], [3.0, 4.0], True),
        ("quadratic", [1.0, -2.0], [3.0, 4.0], False),
        # sigmoid(0) = ½: a neuron too many cannot be switched off, two of opposite weights can.
        ("sigmoid", [1.0, 2.0], [2.0, 1.0], True),
        ("sigmoid", [1.0, 2.0], [2.0, 1.0, 1.0], False),
        ("sigmoid", [1.0, 2.0], [2.0, 1.0, 3.0, -3.0], True),
    ],
)
def test_the_infimum_is_0_where_the_teacher_can_be_copied(activation, b, a, reachable):
    risk = PopulationRisk(
        jnp.eye(2), teacher_weights=b, student_weights=a, activation=activation, order=32
    )
    known = risk.known(jnp.zeros((len(a), 2)))
    assert known.infimum == (0.0 if reachable else None)
    assert known.below_value is None


@pytest.mark.slow
def test_the_symmetry_of_another_activation_permutes_equal_teachers_and_keeps_the_risk():
    teacher = jnp.asarray([[1.0, 0.2, 0.0], [0.2, 1.0, 0.0]])
    risk = lj.PopulationRisk(teacher, activation="sigmoid")
    W = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3)))
    # Coordinates 0 and 1 change places, the third its sign, the neurons their order.
    Q = jnp.asarray([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    turned = W[::-1] @ Q.T
    assert float(risk(turned)) == pytest.approx(float(risk(W)), rel=1e-13)
    assert len(lj.families(risk, jnp.stack([W, turned, W @ -jnp.eye(3), 2 * W]))) == 3


@pytest.mark.parametrize(
    ("activation", "teacher"),
    [
        ("tanh", [[1.0, 0.0], [-2.0, 0.0]]),
        ("sigmoid", [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        ("cosine", [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]),
    ],
)
def test_no_isometry_is_claimed_where_teachers_are_dependent(activation, teacher):
    risk = lj.PopulationRisk(jnp.asarray(teacher), activation=activation, order=32)
    assert isinstance(risk.known(jnp.ones((3, 2))).symmetry, lj.HiddenNeurons)


def test_what_is_for_relu_alone_refuses_other_activations():
    with pytest.raises(ValueError, match="the padding matrix is that of 'relu', not of 'erf'"):
        padding_matrix(lj.PopulationRisk(jnp.eye(2), activation="erf"), jnp.eye(2))
