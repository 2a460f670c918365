import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical.families import families
from landscape_jax.objectives.base import AbstractObjective, Known
from landscape_jax.objectives.population import PopulationRisk
from landscape_jax.search.status import Status
from tests.critical.groups import CASES
from tests.critical.points import spurious_minimum

CASE = CASES["orthonormal"]


class DoubleWell(AbstractObjective):
    """Σ (xᵢ² − 1)² + tilt·xᵢ: minima near ±1, saddles with coordinates near 0; no symmetry."""

    tilt: float = 0.0
    infimum: float | None = eqx.field(default=None, static=True)

    def __call__(self, params):
        x = params["x"]
        return jnp.sum((x**2 - 1) ** 2 + self.tilt * x)

    def known(self, params):
        del params
        return Known(infimum=self.infimum)


def runs_of(params, value, gradient_norm, status) -> lj.Runs:
    """Describe runs with the statuses of these names."""
    codes = jnp.array([[*Status._name_to_item].index(name) for name in status])
    statuses = eqx.tree_at(lambda s: s._value, Status.running, codes)
    index = jnp.arange(100, 100 + len(status))
    return lj.Runs(params, value, gradient_norm, jnp.zeros_like(index), statuses, index)


def test_200_elements_of_the_orbits_of_two_points_are_two_families():
    rng = np.random.default_rng(0)
    A, B = CASE.point(rng), CASE.point(rng)
    points = np.concatenate([CASE.orbit(A, 120, rng), CASE.orbit(B, 80, rng)])
    order = rng.permutation(200)
    found = families(CASE.risk, points[order])
    assert sorted(f.count for f in found) == [80, 120]
    assert [set(order[f.members] < 120) for f in found] in ([{True}, {False}], [{False}, {True}])
    assert found[0].value <= found[1].value
    assert all(f.max_residual < 1e-12 for f in found)


def test_each_alignment_carries_its_member_onto_the_representative():
    rng = np.random.default_rng(1)
    points = CASE.orbit(CASE.point(rng), 30, rng)
    (family,) = families(CASE.risk, points)
    assert family.members[0] == family.restart_index[0]
    np.testing.assert_array_equal(points[family.members[0]], family.representative)
    for member, g in zip(family.members, family.alignments, strict=True):
        np.testing.assert_allclose(g(points[member]), family.representative, atol=1e-12)


def test_separation_bounds_the_distance_between_orbits_from_below():
    rng = np.random.default_rng(2)
    A = CASE.point(rng)
    B = A + 0.01 * rng.standard_normal(A.shape)
    found = families(CASE.risk, np.stack([A, B]))
    assert len(found) == 2
    for family in found:
        assert 1e-3 < family.separation <= np.linalg.norm(A - B)
    (only,) = families(CASE.risk, A[None])
    assert only.separation == np.inf


def test_points_ten_tolerances_apart_are_two_families():
    rng = np.random.default_rng(3)
    A = CASE.point(rng)
    away = rng.standard_normal(A.shape)
    B = A + 1e-4 * np.linalg.norm(A) * away / np.linalg.norm(away)
    assert len(families(CASE.risk, np.stack([A, B]), tolerance=1e-5)) == 2
    assert len(families(CASE.risk, np.stack([A, B]), tolerance=2e-4)) == 1


def test_the_teacher_is_global_and_a_known_minimum_spurious():
    risk = PopulationRisk(jnp.eye(6))
    trap = spurious_minimum()
    points = np.stack([trap, np.eye(6), trap[::-1], np.eye(6)[::-1]])
    first, second = families(risk, points)
    assert (first.kind, first.count) == ("global", 2)
    assert (second.kind, second.count) == ("spurious", 2)
    assert second.value == pytest.approx(0.02508, abs=1e-4)
    assert second.min_eigenvalue == pytest.approx(0.0047, abs=1e-4)


def test_runs_below_the_threshold_that_fall_to_the_teacher_are_one_global_family():
    risk = PopulationRisk(jnp.eye(2))
    W = jnp.eye(2)
    params = jnp.stack([W, 1.01 * W, W * jnp.nan, 3 * W, 0.99 * W])
    status = ["below_value", "below_value", "nonfinite", "max_steps", "below_value"]
    norms = jnp.array([1e-3, 1e-2, jnp.nan, 1.0, 1e-4])
    found = families(risk, runs_of(params, jax.vmap(risk)(params), norms, status))
    (only,) = found
    assert (only.kind, only.members.tolist()) == ("global", [4, 0, 1])
    assert only.restart_index.tolist() == [104, 100, 101]
    assert np.isnan(only.min_eigenvalue)
    assert only.alignments == ()
    assert found.unconverged.status_names.tolist() == ["nonfinite", "max_steps"]
    assert found.unconverged.restart_index.tolist() == [102, 103]


def test_a_run_below_the_threshold_in_the_well_of_a_spurious_minimum_is_undecided():
    """A threshold is no evidence: from here the way to the teacher rises."""
    risk = PopulationRisk(jnp.eye(6))
    trap = spurious_minimum()
    params = jnp.stack([trap, 1.01 * jnp.eye(6)])
    runs = runs_of(params, jax.vmap(risk)(params), jnp.array([1e-9, 1e-2]), ["below_value"] * 2)
    assert [(f.kind, f.count) for f in families(risk, runs)] == [("global", 1), ("undecided", 1)]


def test_a_threshold_of_the_user_gathers_what_is_below_it():
    risk = PopulationRisk(jnp.eye(2))
    points = jnp.stack([1.01 * jnp.eye(2), 0.98 * jnp.eye(2), 0.3 * jnp.ones((2, 2))])
    found = families(risk, points, below_value=1e-2)
    assert [(f.kind, f.count) for f in found] == [("global", 2), ("undecided", 1)]
    assert [f.count for f in families(risk, points)] == [1, 1, 1]
    with pytest.raises(ValueError, match="below_value is nan"):
        families(risk, points, below_value=float("nan"))


def test_runs_that_are_all_nonfinite_are_no_family():
    nan = jnp.full((5, 2, 2), jnp.nan)
    runs = runs_of(nan, nan[:, 0, 0], nan[:, 0, 0], ["nonfinite"] * 5)
    found = families(PopulationRisk(jnp.eye(2)), runs)
    assert (found, len(found.unconverged)) == ((), 5)


def test_points_are_all_listed_and_undecided_where_nothing_shows_that_they_are_critical():
    rng = np.random.default_rng(7)
    found = families(PopulationRisk(jnp.eye(4)), rng.normal(size=(9, 4, 4)))
    assert [(f.kind, f.count) for f in found] == [("undecided", 1)] * 9
    assert len(found.unconverged) == 0


def test_without_a_symmetry_points_are_grouped_by_distance():
    x = jnp.array([[1.0, 1.0], [1.0 + 1e-9, 1.0], [1.0, -1.0], [0.0, 1.0]])
    found = families(DoubleWell(), {"x": x})
    assert sorted((f.count, f.kind) for f in found) == [
        (1, "minimum"),
        (1, "saddle"),
        (2, "minimum"),
    ]
    assert found[-1].kind == "saddle"
    assert found[-1].separation == pytest.approx(1.0)
    np.testing.assert_array_equal(found[-1].representative["x"], [0.0, 1.0])


def test_with_a_known_infimum_minima_are_global_or_spurious():
    tilted = DoubleWell(tilt=0.2, infimum=None)
    x = jnp.array([[-1.0], [1.0]])
    for _ in range(20):
        slopes = jax.vmap(lambda x: jax.grad(tilted)({"x": x})["x"])(x)
        x = x - slopes / (12 * x**2 - 4)
    least = float(tilted({"x": x[0]}))
    found = families(DoubleWell(tilt=0.2, infimum=least), {"x": x})
    assert [f.kind for f in found] == ["global", "spurious"]


def test_the_hessian_is_compiled_once_for_all_families():
    count = 0

    class Counted(AbstractObjective):
        def __call__(self, params):
            nonlocal count
            count += 1
            return jnp.sum(params**4)

    families(Counted(), jnp.arange(1.0, 3.0)[:, None])
    few, count = count, 0
    families(Counted(), jnp.arange(1.0, 30.0)[:, None])
    assert count <= few


@pytest.mark.parametrize(
    ("points", "tolerance", "message"),
    [
        (jnp.zeros((0, 3, 3)), None, "runs_or_points holds no point"),
        (jnp.ones((2, 3, 3)).at[1, 0, 0].set(jnp.nan), None, "not finite in point 1"),
        (jnp.ones(()), None, "one common leading axis"),
        ({"a": jnp.ones(2), "b": jnp.ones(3)}, None, r"leaves of shapes \[\(2,\), \(3,\)\]"),
        (jnp.ones((2, 3, 3)), 0.0, "tolerance is 0.0; give a positive"),
    ],
)
def test_what_holds_no_points_is_refused_in_words(points, tolerance, message):
    with pytest.raises(ValueError, match=message):
        families(PopulationRisk(jnp.eye(3)), points, tolerance=tolerance)
