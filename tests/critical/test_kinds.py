"""Kinds and statuses hold for every teacher, at every scale: findings as tests, and invariances."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import ortho_group

import landscape_jax as lj
from landscape_jax.critical.first_order import least_growth
from landscape_jax.networks import activations
from tests.critical.points import spurious_minimum

KEY = jax.random.key(0)
SLOW = pytest.mark.slow


def risk_of(V, b=None, a=None, **options) -> lj.PopulationRisk:
    layers = {"teacher_weights": b, "student_weights": a}
    arrays = {name: jnp.array(x, float) for name, x in layers.items() if x is not None}
    return lj.PopulationRisk(jnp.array(V, float), **arrays, **options)


def kinds(risk, points) -> list[str]:
    return [kind for kind, *_ in summary(risk, points)]


def summary(risk, given) -> list[tuple[str, int]]:
    points = given if isinstance(given, lj.Runs) else jnp.asarray(given)
    return [(family.kind, family.count) for family in lj.families(risk, points)]


@pytest.fixture(scope="module")
def uneven():
    """Return ten orthogonal teachers of lengths 0.27 to 2.47, and 100 runs."""
    V = np.diag(np.exp(np.random.default_rng(1).normal(size=10)))
    risk = risk_of(V)
    return risk, lj.restart(risk, lj.starts.gaussian((10, 10)), 100, key=KEY)


def test_spurious_minima_among_small_neurons_are_not_called_global(uneven):
    risk, runs = uneven
    assert risk.known(jnp.zeros((10, 10))).below_value is None
    assert runs.summary() == {"converged": 100}
    best, spurious = lj.families(risk, runs)
    assert [(best.kind, best.count), (spurious.kind, spurious.count)] == [
        ("global", 75),
        ("spurious", 25),
    ]
    assert spurious.value == pytest.approx(0.0019348, abs=1e-7)
    assert spurious.min_eigenvalue == pytest.approx(0.050, abs=1e-3)
    proof = lj.prove_minimum(risk, spurious.representative)
    assert isinstance(proof, lj.Certificate)
    assert (proof.kind, bool(lj.verify(proof))) == ("spurious", True)


def test_a_threshold_of_the_user_does_not_make_them_global(uneven):
    risk, runs = uneven
    found = lj.families(risk, runs, below_value=0.0021848)
    assert [(f.kind, f.count) for f in found] == [("global", 75), ("undecided", 25)]


def test_runs_that_end_below_no_threshold_and_unconverged_are_no_family(uneven):
    risk, _ = uneven
    runs = lj.restart(risk, lj.starts.gaussian((10, 10)), 8, key=KEY, max_steps=64)
    found = lj.families(risk, runs)
    assert (len(found), len(found.unconverged)) == (0, 8)
    assert found.unconverged.summary() == {"max_steps": 8}


@pytest.mark.parametrize("scale", [1e-9, 1e-8, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9])
def test_kinds_of_given_points_do_not_depend_on_the_scale(scale):
    noise = np.random.default_rng(0).normal(size=(6, 6))
    points = scale * np.stack(
        [spurious_minimum(), noise, 0.5 * np.eye(6), np.eye(6) + 1e-9 * noise]
    )
    risk = risk_of(scale * np.eye(6))
    assert kinds(risk, points[:1]) == ["spurious"]
    assert kinds(risk, points[1:2]) == ["undecided"]
    assert kinds(risk, points[2:3]) == ["undecided"]
    assert kinds(risk, points[3:]) == ["global"]


@pytest.fixture(scope="module")
def starts_of_8() -> np.ndarray:
    return np.asarray(jax.vmap(lj.starts.gaussian((8, 8)))(jax.random.split(KEY, 200)))


@pytest.mark.parametrize("scale", [2.0**-30, 1e-10, 1e-8, 1.0, 1e6, 1e9, 2.0**30])
def test_statuses_and_families_of_runs_do_not_depend_on_the_scale(scale, starts_of_8):
    risk = risk_of(scale * np.eye(8))
    runs = lj.restart(risk, jnp.array(scale * starts_of_8), 200)
    assert runs.summary() == {"below_value": 176, "converged": 24}
    assert summary(risk, runs) == [("global", 176), ("spurious", 24)]


@pytest.mark.slow
def test_rotations_orders_duplicates_and_zeros_of_the_teacher_change_no_run(starts_of_8):
    start, turn = starts_of_8[:40], ortho_group.rvs(8, random_state=0)
    V, order = np.eye(8), np.random.default_rng(0).permutation(8)
    plain = lj.restart(risk_of(V), jnp.array(start), 40)
    split = np.concatenate([0.25 * V[:1], V[1:], np.zeros((1, 8)), 0.75 * V[:1]])
    for other, moved in (
        (risk_of(V[order]), start[:, order]),
        (risk_of(V @ turn.T), start @ turn.T),
        (risk_of(split), start),
    ):
        runs = lj.restart(other, jnp.array(moved), 40)
        np.testing.assert_array_equal(runs.status_names, plain.status_names)
        assert summary(other, runs) == summary(risk_of(V), plain)


def test_a_run_that_grows_is_diverged_at_every_scale():
    class Slope(lj.AbstractObjective):
        """−x, with x in any unit."""

        unit: float

        def __call__(self, params):
            return -params.sum() * self.unit

        def known(self, params):
            del params
            return lj.Known(units=lj.Units(value=self.unit**2, length=self.unit))

    for unit in (1e-6, 1.0, 1e6):
        start = jnp.full((2, 3), unit)
        runs = lj.restart(Slope(unit), start, 2, max_steps=10**6, norm_limit=10.0, finish=False)
        assert runs.summary() == {"diverged": 2}


OVER = [pytest.param(1, 3, marks=SLOW), (2, 4), pytest.param(3, 5, marks=SLOW)]


@pytest.mark.parametrize(("k", "n"), OVER)
def test_overparameterised_students_end_on_manifolds_of_global_minima(k, n):
    risk = risk_of(np.diag(np.linspace(1, 2, k)))
    runs = lj.restart(risk, lj.starts.gaussian((n, k)), 20, key=KEY, below_value=None)
    found = lj.families(risk, runs)
    assert sum(family.count for family in found) + len(found.unconverged) == 20
    assert {family.kind for family in found} == {"global"}
    assert len(found.unconverged) == 0


@pytest.mark.parametrize(("k", "n"), OVER)
def test_exact_splits_of_the_teacher_are_global_and_no_more_than_that(k, n):
    rng = np.random.default_rng(0)
    risk = risk_of(np.eye(k))
    for _ in range(20):
        owner = np.concatenate([np.arange(k), rng.integers(k, size=n - k)])
        shares = rng.uniform(0.1, 1, n)
        W = (shares / np.bincount(owner, shares)[owner])[:, None] * np.eye(k)[owner]
        assert kinds(risk, [W]) == ["global"]
        assert kinds(risk, [W + 0.1]) != ["global"]


def test_duplicated_teachers_and_split_students_are_global_in_plain_sight():
    risk = risk_of([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert kinds(risk, [[[2.0, 0.0], [0.0, 1.0]]]) == ["global"]
    proof = lj.prove_minimum(risk, np.array([[2.0, 0.0], [0.0, 1.0]]))
    assert proof.kind == "global"


def test_a_spurious_minimum_beside_far_larger_neurons_is_spurious_or_undecided():
    """Its value, 1e-6 of a small one squared, is about what F rounds by: never "global"."""
    for size in (1e1, 1e3):
        V = np.eye(7)
        V[6] *= size
        point = np.zeros((7, 7))
        point[:6, :6], point[6, 6] = spurious_minimum(), size
        risk = risk_of(V)
        polished = lj.restart(risk, jnp.array(point)[None], 1, max_steps=10**6)
        assert set(kinds(risk, polished.params)) <= {"spurious", "undecided", "saddle"}
        small = risk_of(1e-3 * V)
        assert kinds(small, 1e-3 * polished.params) == kinds(risk, polished.params)


def test_nearly_parallel_teachers_are_not_replaced_by_one_between_them():
    angle = 1e-6
    V = np.array([[np.cos(angle), np.sin(angle)], [np.cos(angle), -np.sin(angle)], [0.0, 2.0]])
    halfway = np.array([[np.cos(angle), 0.0], [np.cos(angle), 0.0], [0.0, 2.0]])
    assert kinds(risk_of(V), [halfway]) != ["global"]
    assert kinds(risk_of(V), [V]) == ["global"]


def test_growing_a_zero_neuron_at_a_spurious_minimum_lowers_the_risk():
    W = np.vstack([spurious_minimum(), np.zeros(6)])
    risk = risk_of(np.eye(6))
    (family,) = lj.families(risk, jnp.array(W)[None])
    assert family.kind == "saddle"
    assert np.isnan(family.min_eigenvalue)
    assert np.isnan(lj.spectrum(risk, jnp.array(W))).all()
    assert len(family.spectrum) == 42
    # The rate is exhibited: a short neuron in the best of many directions lowers the risk by it.
    rate = least_growth(risk, jnp.array(W), jnp.array([False] * 6 + [True]))
    u = np.random.default_rng(0).normal(size=(20_000, 6))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    grown = jax.vmap(lambda u: risk(jnp.array(W).at[6].set(1e-6 * u)))(jnp.array(u))
    slopes = (np.asarray(grown) - float(risk(jnp.array(W)))) / 1e-6
    assert rate < -0.01
    assert rate - 1e-6 <= slopes.min() < 0.9 * rate


def test_zero_neurons_beside_the_teacher_are_global():
    risk = risk_of(np.eye(3))
    assert kinds(risk, [np.vstack([np.eye(3), np.zeros((2, 3))])]) == ["global"]


def test_a_zero_student_against_teachers_of_the_other_sign_is_a_minimum():
    risk = risk_of(np.eye(3), b=[-1.0, -1, -2])
    (family,) = lj.families(risk, jnp.zeros((1, 2, 3)))
    assert family.kind == "minimum"
    assert np.isnan(family.min_eigenvalue)
    assert kinds(risk_of(np.eye(3), b=[-1.0, 1, -2]), np.zeros((1, 2, 3))) == ["saddle"]


@pytest.mark.parametrize("activation", [pytest.param("leaky", marks=SLOW), "abs"])
def test_other_kinks_have_no_hessian_at_a_zero_neuron_either(activation):
    risk = lj.PopulationRisk(jnp.eye(2), activation=activation)
    (family,) = lj.families(risk, jnp.array([[[0.9, 0.1], [0.0, 0.0]]]))
    assert np.isnan(family.min_eigenvalue)
    linear = lj.PopulationRisk(jnp.eye(2), activation="linear")
    assert np.isfinite(lj.spectrum(linear, jnp.zeros((2, 2)))).all()


def test_critical_points_with_zero_neurons_have_no_index():
    points = jnp.stack([jnp.vstack([jnp.eye(2), jnp.zeros((1, 2))]), jnp.ones((3, 2))])
    found = lj.critical_points(risk_of(np.eye(2)), points, 1)
    assert np.isnan(found.eigenvalues).all()
    assert (int(found.index[0]), int(found.nullity[0])) == (-1, -1)


SHAPES = [pytest.param((3, 3, 3), marks=SLOW), pytest.param((4, 3, 5), marks=SLOW), (6, 6, 6)]
ALL_SLOW = [pytest.param(shape, marks=SLOW) for shape in ((3, 3, 3), (4, 3, 5), (6, 6, 6))]


def cases(shape, count):
    """Yield random teachers with second layers, and points of several kinds."""
    k, d, n = shape
    for seed in range(count):
        rng = np.random.default_rng([seed, *shape])
        V = rng.normal(size=(k, d)) * 10 ** rng.uniform(-1, 1, (k, 1))
        if shape == (6, 6, 6) and seed % 2:
            V = np.eye(6)
        start = rng.normal(size=(n, d))
        exact = risk_of(V).nearest_minimizer(jnp.array(start))
        assert exact is not None
        point = [exact.point, exact.point + 1e-8 * start, start, spurious_minimum()][seed % 4]
        if np.shape(point) != (n, d) or (seed % 4 == 3 and seed % 2 == 0):
            point = exact.point + 1e-12 * start
        yield rng, V, np.asarray(point)


@pytest.mark.parametrize("shape", SHAPES)
def test_kinds_do_not_depend_on_units_order_or_coordinates(shape):
    k, d, n = shape
    found = set()
    for rng, V, W in cases(shape, 70):
        kind = kinds(risk_of(V), [W])
        s, turn = 10 ** rng.uniform(-9, 9), ortho_group.rvs(d, random_state=rng)
        students, teachers = rng.permutation(n), rng.permutation(k)
        moved = risk_of(s * V[teachers] @ turn.T)
        assert kinds(moved, [s * W[students] @ turn.T]) == kind
        wider = risk_of(np.pad(V, ((0, 0), (0, 3))))
        padded = kinds(wider, [np.pad(W, ((0, 0), (0, 3)))])
        assert padded == kind
        found |= set(kind)
    assert len(found) > 1


@pytest.mark.parametrize("shape", ALL_SLOW)
def test_kinds_do_not_depend_on_how_sizes_are_shared_between_the_layers(shape):
    k, _, n = shape
    for rng, V, W in cases(shape, 70):
        kind = kinds(risk_of(V), [W])
        c, e = 10 ** rng.uniform(-3, 3, n), 10 ** rng.uniform(-3, 3, k)
        other = risk_of(e[:, None] * V, b=1 / e, a=1 / c)
        assert kinds(other, [c[:, None] * W]) == kind


@pytest.mark.parametrize("shape", ALL_SLOW)
def test_duplicated_and_zero_teachers_change_no_kind(shape):
    for rng, V, W in cases(shape, 70):
        share = rng.choice([0.25, 0.5, 0.75])
        split = np.concatenate(
            [V[1:], share * V[:1], np.zeros((1, V.shape[1])), (1 - share) * V[:1]]
        )
        assert kinds(risk_of(split), [W]) == kinds(risk_of(V), [W])


@pytest.mark.parametrize("name", ["quadratic", pytest.param("tanh", marks=SLOW), "cosine", "abs"])
def test_the_teacher_is_global_for_other_activations_at_every_scale(name):
    degree = activations.named(name).degree
    for scale in (1e-6, 1.0, 1e6) if degree else (1.0,):
        V = scale * np.array([[1.0, 0.2, 0.0], [0.0, 1.0, 0.5], [0.3, 0.0, 1.0]])
        risk = risk_of(V, activation=name)
        assert kinds(risk, [V[[1, 2, 0]]]) == ["global"]
        assert kinds(risk, [1.5 * V]) != ["global"]
        assert risk.known(jnp.array(V)).below_value is None


def test_the_threshold_is_that_of_ss18_and_off_elsewhere():
    def threshold(n, *args):
        risk = risk_of(*args)
        return risk.known(jnp.zeros((n, risk.teacher.shape[1]))).below_value

    turn = ortho_group.rvs(4, random_state=0)
    assert threshold(4, np.eye(4)) == pytest.approx(1e-3)
    assert threshold(6, 3 * turn) == pytest.approx(9e-3)
    assert threshold(4, np.vstack([0.5 * turn, np.zeros(4), 0.5 * turn])) == pytest.approx(1e-3)
    assert threshold(4, 0.5 * turn, [2.0] * 4) == pytest.approx(1e-3)
    for n, *args in (
        (3, np.eye(4)),  # Fewer students than teachers.
        (4, np.diag([1.0, 1, 1, 2])),
        (4, np.eye(4) + 1e-6),
        (4, np.eye(4), [1.0, 1, 1, -1]),
        (4, np.eye(4), None, [1.0, 1, 1, 2]),
    ):
        assert threshold(n, *args) is None


def test_the_threshold_of_a_traced_teacher_is_the_same():
    start = jnp.zeros((4, 4))
    traced = jax.jit(lambda V: lj.PopulationRisk(V).known(start).below_value)
    assert traced(2 * jnp.eye(4)) == pytest.approx(4e-3)
    assert traced(jnp.diag(jnp.arange(1.0, 5.0))) == -np.inf
