import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

import landscape_jax as lj
from landscape_jax.critical import SensitivityStatus
from tests.critical.points import spurious_minimum

MODULE = sys.modules["landscape_jax.critical.sensitivity"]


class Bowl(lj.AbstractObjective):
    """½ xᵀAx − bᵀx, whose critical point is A⁻¹b."""

    A: Float[Array, "size size"]
    b: Float[Array, " size"]

    def __call__(self, x):
        return x @ self.A @ x / 2 - self.b @ x


class Quartic(lj.AbstractObjective):
    """Σ x⁴/4 − bx, whose critical point is b^{1/3}."""

    b: Array

    def __call__(self, x):
        return jnp.sum(x**4 / 4 - self.b * x)


def symmetric(eigenvalues, seed: int = 0) -> np.ndarray:
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(eigenvalues),) * 2))[0]
    return (Q * np.asarray(eigenvalues)) @ Q.T


def bowl(eigenvalues) -> tuple[Bowl, Array]:
    A, b = symmetric(eigenvalues), np.arange(1.0, len(eigenvalues) + 1)
    return Bowl(jnp.asarray(A), jnp.asarray(b)), jnp.linalg.lstsq(jnp.asarray(A), jnp.asarray(b))[0]


@eqx.filter_jit
def converged(objective, point):
    """Bring a point to the critical point nearby by Newton's method."""
    flat, unravel = ravel_pytree(point)
    value = lambda x: objective(unravel(x))
    newton = lambda _, x: x - jnp.linalg.solve(jax.hessian(value)(x), jax.grad(value)(x))
    return unravel(jax.lax.fori_loop(0, 8, newton, flat))


def difference_quotient(moved, point, size):
    """Differentiate the critical point of moved(t) at t = 0, to the fourth order."""
    at = {t: ravel_pytree(converged(moved(t * size), point))[0] for t in (-2, -1, 1, 2)}
    return (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * size)


@pytest.mark.parametrize("eigenvalues", [[1.0, 2.0, 5.0], [-3.0, 0.5, 2.0], [1e-3, 1.0, 1.0]])
def test_the_critical_point_of_a_quadratic_moves_by_its_formula(eigenvalues):
    F, x = bowl(eigenvalues)
    rng = np.random.default_rng(1)
    db, dA = rng.standard_normal(3), symmetric(rng.standard_normal(3), 2)
    A_inverse, none = np.linalg.inv(np.asarray(F.A)), 0 * db
    by_b, by_A, by_both = (
        lj.sensitivity(F, x, {"A": jnp.asarray(A), "b": jnp.asarray(b)})
        for A, b in ((0 * dA, db), (dA, none), (dA, db))
    )
    np.testing.assert_allclose(by_b.tangent, A_inverse @ db, rtol=1e-11)
    np.testing.assert_allclose(by_A.tangent, -A_inverse @ dA @ np.asarray(x), rtol=1e-10)
    np.testing.assert_allclose(by_both.tangent, by_b.tangent + by_A.tangent, rtol=1e-10)
    assert by_b.status_names == by_A.status_names == "solved"


def test_a_spurious_minimum_moves_with_the_teacher_as_reconverged_ones_do():
    risk, W = lj.PopulationRisk(jnp.eye(6)), jnp.asarray(spurious_minimum())
    rng = np.random.default_rng(0)
    tangents = {"teacher": rng.standard_normal((6, 6)), "teacher_weights": rng.standard_normal(6)}
    found = lj.sensitivity(risk, W, tangents)

    def moved(t):
        V, b = (getattr(risk, name) + t * along for name, along in tangents.items())
        return lj.PopulationRisk(V, teacher_weights=b)

    expected = difference_quotient(moved, W, 2e-5)
    np.testing.assert_allclose(found.tangent.ravel(), expected, atol=1e-7 * np.abs(expected).max())
    assert found.relative_error < 1e-9


def _trained(net: lj.TwoLayer, frozen: bool):
    """Which leaves of a network are trained: all, or all but the second layer."""
    every = jax.tree.map(lambda _: True, net)
    return eqx.tree_at(lambda net: net.W2, every, False) if frozen else every


@pytest.mark.parametrize(("activation", "frozen"), [("tanh", False), ("relu", True)])
def test_the_minimum_of_a_network_moves_with_its_data_as_reconverged_ones_do(activation, frozen):
    rng = np.random.default_rng(0)
    x, dx, dy = (jnp.asarray(rng.standard_normal(shape)) for shape in ((12, 2), (12, 2), (12, 1)))
    W1, W2 = jnp.array([[1.0, 0.5], [-0.5, 1.0]]), jnp.array([[1.0, -1.0]])
    net = lj.TwoLayer(W1, W2, activation=activation)
    y = net(x) + 0.01 * jnp.asarray(rng.standard_normal((12, 1)))

    def objective(t):
        risk = lj.EmpiricalRisk(x + t * dx, y + t * dy)
        return lj.freeze(risk, net, trainable=_trained(net, frozen))

    point = converged(objective(0.0), objective(0.0).trainable)
    along = jax.tree.map(lambda a, b: (b - a) / 2, objective(-1.0), objective(1.0))
    found = lj.sensitivity(objective(0.0), point, along)
    expected = difference_quotient(objective, point, 1e-4)
    flat = ravel_pytree(found.tangent)[0]
    np.testing.assert_allclose(flat, expected, atol=1e-7 * np.abs(expected).max())


def test_a_global_minimum_moves_with_its_teacher():
    V = jnp.asarray(np.random.default_rng(0).standard_normal((3, 4)))
    dV = jnp.cos(V)
    found = lj.sensitivity(lj.PopulationRisk(V), V[::-1], {"teacher": dV})
    np.testing.assert_allclose(found.tangent, dV[::-1], atol=1e-12)


def test_a_tangent_is_a_dict_an_objective_of_tangents_or_a_difference():
    F, x = bowl([1.0, 2.0, 5.0])
    db = np.array([1.0, -1.0, 2.0])
    zeros, nothing = jax.tree.map(jnp.zeros_like, F), jax.tree.map(lambda _: None, F)
    tangents = [
        {"b": db},
        {"b": db.astype(int)},
        eqx.tree_at(lambda F: F.b, zeros, jnp.asarray(db)),
        eqx.tree_at(lambda F: F.b, nothing, db, is_leaf=lambda leaf: leaf is None),
        jax.tree.map(jnp.subtract, Bowl(F.A, F.b + db), F),
    ]
    for tangent in tangents:
        expected = np.linalg.solve(np.asarray(F.A), db)
        np.testing.assert_allclose(lj.sensitivity(F, x, tangent).tangent, expected, rtol=1e-12)
    for at_rest in (zeros, nothing, {}):
        assert not lj.sensitivity(F, x, at_rest).tangent.any()


def test_a_part_of_the_objective_that_does_not_move_is_none():
    x, y = jnp.array([[1.0], [2.0]]), jnp.array([1.0, 1.0])
    net = lj.DeepLinear([jnp.array([[1.0]]), jnp.array([[0.6]])])
    risk = lj.freeze(lj.EmpiricalRisk(x, y), net, trainable=lambda leaf: leaf[0, 0] < 1)
    # The product of both weights is Σxy/Σx² = 3/5.
    moved = eqx.tree_at(lambda net: net.weights[0], risk.fixed, jnp.array([[2.0]]))
    found = lj.sensitivity(risk, risk.trainable, {"objective": None, "fixed": moved})
    np.testing.assert_allclose(found.tangent.weights[1], [[-1.2]], rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_nothing_depends_on_units_or_on_a_rotation(scale):
    W, dV = jnp.asarray(spurious_minimum()), jnp.diag(jnp.arange(6.0))
    Q = jnp.asarray(np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0])
    plain = lj.sensitivity(lj.PopulationRisk(jnp.eye(6)), W, {"teacher": dV})
    moved = lj.sensitivity(lj.PopulationRisk(scale * Q), scale * W @ Q, {"teacher": dV @ Q})
    assert plain.status_names == moved.status_names == "solved"
    np.testing.assert_allclose(moved.tangent @ Q.T, plain.tangent, atol=1e-11)


def _rescaled():
    risk = lj.EmpiricalRisk(jnp.array([[1.0], [2.0]]), jnp.array([1.0, 2.0]))
    return risk, lj.TwoLayer(jnp.array([[2.0]]), jnp.array([[0.5]])), {"y": jnp.ones((2, 1))}


def _rotated():
    # ½ E(Σᵢ (wᵢ·x)² − (v·x)²)² depends on WᵀW alone: W ↦ QW changes nothing.
    risk = lj.PopulationRisk(jnp.eye(2), activation="quadratic")
    return risk, jnp.array([[0.6, 0.8], [-0.8, 0.6]]), {"teacher": jnp.eye(2)}


def _flat():
    F, x = bowl([0.0, 1.0, 2.0])
    return eqx.tree_at(lambda F: F.b, F, F.A @ x), x, {"b": jnp.ones(3)}


@pytest.mark.parametrize("problem", [_rescaled, _rotated, _flat])
def test_a_point_that_is_not_isolated_has_no_derivative(problem):
    found = lj.sensitivity(*problem())
    assert found.status_names == "singular"
    assert all(jnp.isnan(leaf).all() for leaf in jax.tree.leaves(found.tangent))
    assert jnp.isnan(found.relative_error)
    assert "zero to within" in SensitivityStatus[found.status]


def test_each_point_of_a_batch_is_as_alone():
    risk, W = lj.PopulationRisk(jnp.eye(6)), jnp.asarray(spurious_minimum())
    points = jnp.stack([W, 0.5 * jnp.eye(6), jnp.eye(6), jnp.zeros((6, 6)), jnp.nan * W])
    of = lambda W: lj.sensitivity(risk, W, {"teacher": jnp.eye(6)})
    many = jax.jit(jax.vmap(of))(points)
    kinds = ["solved", "not_critical", "solved", "no_hessian", "no_hessian"]
    assert many.status_names.tolist() == kinds
    for i, kind in enumerate(kinds):
        one = of(points[i])
        assert one.status_names == kind
        np.testing.assert_allclose(many.tangent[i], one.tangent, atol=1e-13)
    # F(sW; sV) = s² F(W; V): the point moves along itself.
    np.testing.assert_allclose(many.tangent[0], W, atol=1e-11)


def test_a_run_that_converged_is_critical_and_one_that_did_not_is_not():
    F = Quartic(jnp.array([1.0]))
    start = jnp.array([[0.7]])
    near = lj.restart(F, start, 1, finish=False)
    far = lj.restart(F, start, 1, finish=False, max_steps=32)
    assert near.status_names == "converged"
    assert far.status_names == "max_steps"
    one, other = (lj.sensitivity(F, runs.params[0], {"b": jnp.ones(1)}) for runs in (near, far))
    assert (one.status_names, other.status_names) == ("solved", "not_critical")
    assert jnp.isnan(other.tangent).all()


@pytest.mark.parametrize("offset", [1e-8, 1e-5])
def test_the_error_of_a_point_that_is_not_exactly_critical_is_estimated(offset):
    # Near 1 the Hessian is 3x², so that x + δ has the derivative (1 − 2δ)/3.
    found = lj.sensitivity(
        Quartic(jnp.ones(1)), jnp.array([1 + offset]), {"b": jnp.ones(1)}, gradient_tolerance=1e-3
    )
    assert found.status_names == "solved"
    error = abs(float(found.tangent[0]) - 1 / 3) * 3
    assert error <= found.relative_error <= 10 * error


def test_it_can_be_differentiated_again():
    # x = b^{1/3}: dx/db = 1/3x², and the derivative of that by x is −2/3x³.
    of = lambda x: lj.sensitivity(Quartic(x**3), x, {"b": jnp.ones(1)}).tangent[0]
    x = jnp.array([2.0])
    assert of(x) == pytest.approx(1 / 12)
    assert jax.grad(of)(x)[0] == pytest.approx(-1 / 12)
    assert jax.jvp(of, (x,), (jnp.ones(1),))[1] == pytest.approx(-1 / 12)


def test_the_lanczos_solution_is_that_of_the_dense_hessian(monkeypatch):
    F, x = bowl([-2.0, 1.0, 7.0])
    dense = lj.sensitivity(F, x, {"b": jnp.ones(3)})
    monkeypatch.setattr(MODULE, "_DENSE", 0)
    krylov, none = (lj.sensitivity(F, x, {"b": b}) for b in (jnp.ones(3), jnp.zeros(3)))
    np.testing.assert_allclose(krylov.tangent, dense.tangent, rtol=1e-12)
    assert not none.tangent.any()
    assert lj.sensitivity(*_flat()).status_names == "singular"
    few = lj.sensitivity(F, x, {"b": jnp.ones(3)}, steps=2)
    assert few.status_names == "unresolved"
    assert jnp.isnan(few.tangent).all()


def test_many_parameters_are_solved_for_without_a_dense_hessian():
    class Separate(lj.AbstractObjective):
        curvatures: Array
        b: Array

        def __call__(self, x):
            return jnp.sum(self.curvatures * x**2 / 2 - self.b * x)

    h = jnp.asarray(np.random.default_rng(0).choice([-2.0, 1.0, 3.0, 4.0, 9.0], 5000))
    F, db = Separate(h, h), jnp.cos(jnp.arange(5000.0))
    found = lj.sensitivity(F, jnp.ones(5000), {"b": db}, steps=20)
    assert found.status_names == "solved"
    np.testing.assert_allclose(found.tangent, db / h, atol=1e-12)


def test_classes_do_not_move():
    risk = lj.EmpiricalRisk(jnp.ones((2, 1)), jnp.array([0, 1]), criterion="cross_entropy")
    net = lj.DeepLinear([jnp.zeros((2, 1))])
    zeros = jax.tree.map(jnp.zeros_like, risk)
    tangent = eqx.tree_at(lambda r: r.x, zeros, jnp.ones((2, 1)))
    assert lj.sensitivity(risk, net, tangent).status_names == "singular"
    moved = eqx.tree_at(lambda r: r.y, zeros, jnp.array([0, 1]))
    with pytest.raises(TypeError, match=r"tangent\.y is of a leaf that is not floating"):
        lj.sensitivity(risk, net, moved)
