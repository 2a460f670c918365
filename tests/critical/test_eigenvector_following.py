"""The search for critical points of any index: what it finds is critical, and its index is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical.eigenvector_following import CriticalPoints, critical_points
from landscape_jax.critical.index import indices

KEY = jax.random.key(0)


class Wells(lj.AbstractObjective):
    """Σ (xᵢ² − 1)²: critical where each xᵢ is −1, 0 or 1, with as many negative as zeros."""

    def __call__(self, params):
        return jnp.sum((params**2 - 1) ** 2)


class Ridge(lj.AbstractObjective):
    """x² y² − y²: the line y = 0 is critical, and of index 1 where |x| < 1."""

    def __call__(self, params):
        x, y = params
        return x**2 * y**2 - y**2


def _population(k: int, restarts: int, **options) -> tuple[lj.PopulationRisk, CriticalPoints]:
    risk = lj.PopulationRisk(jnp.eye(k))
    return risk, critical_points(risk, lj.starts.gaussian((k, k)), restarts, key=KEY, **options)


def _confirm(objective: lj.AbstractObjective, found: CriticalPoints) -> None:
    """Compute gradient and spectrum anew, and compare."""
    sure = np.flatnonzero(found.is_converged)
    points = jax.tree.map(lambda leaf: leaf[sure], found.params)
    anew = indices(objective, points)
    unit = float(objective.known(jax.tree.map(lambda leaf: leaf[0], points)).units.gradient)
    # A hundredth for the rounding of the gradient in another program than the search's.
    assert np.all(anew.gradient_norm <= 1.01e-12 * unit)
    np.testing.assert_array_equal(found.index[sure], anew.negative)
    np.testing.assert_array_equal(found.nullity[sure], anew.zero)
    scale = np.abs(anew.eigenvalues).max(axis=1, keepdims=True)
    np.testing.assert_allclose(
        found.eigenvalues[sure] / scale, anew.eigenvalues / scale, rtol=0, atol=1e-12
    )


@pytest.fixture(scope="module")
def four() -> tuple[lj.PopulationRisk, CriticalPoints]:
    return _population(4, 40)


def test_a_few_starts_find_saddles_of_several_indices(four):
    _confirm(*four)
    assert four[1].is_converged.mean() > 0.8
    assert set(four[1].counts()) >= {1, 3, 5}


@pytest.mark.slow
@pytest.mark.parametrize("k", [4, 5, 6])
def test_the_population_risk_has_saddles_of_many_indices(k):
    risk, found = _population(k, 300)
    _confirm(risk, found)
    assert found.is_converged.mean() > 0.8
    assert set(found.counts()) >= set(range(10))


@pytest.mark.parametrize("restarts", [16, pytest.param(200, marks=pytest.mark.slow)])
def test_a_deep_linear_network_has_saddles_of_several_indices_on_manifolds(restarts):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    y = x @ rng.standard_normal((3, 2))
    risk = lj.EmpiricalRisk(jnp.asarray(x), jnp.asarray(y))
    start = lj.starts.network(lj.DeepLinear, (3, 2, 2, 2))
    found = critical_points(risk, start, restarts, key=KEY)
    _confirm(risk, found)
    assert found.is_converged.mean() > 0.8
    assert len(found.counts()) >= (4 if restarts == 200 else 2)
    assert np.all(np.asarray(found.nullity)[found.is_converged] > 0)
    # Baldi and Hornik (1989): a critical point fits some of the principal components of y, which x
    # spans here, and its value is the sum of the others.
    a, b = np.linalg.svd(y, compute_uv=False) ** 2 / 50
    value = np.asarray(found.value)[found.is_converged]
    assert np.all(np.abs(value[:, None] - [0, a, b, a + b]).min(axis=1) < 1e-10)


def test_every_critical_point_of_separate_wells_is_found_with_its_index():
    start = jax.random.uniform(KEY, (300, 3), minval=-1.5, maxval=1.5)
    found = critical_points(Wells(), start, 300)
    assert found.is_converged.all()
    np.testing.assert_allclose(found.params, np.round(found.params), atol=1e-12)
    np.testing.assert_array_equal(found.index, (np.round(found.params) == 0).sum(axis=1))
    assert len(np.unique(np.round(found.params), axis=0)) == 27
    # Each curvature is 8 in a well and −4 between two.
    expected = np.where(np.round(found.params) == 0, -4.0, 8.0)
    np.testing.assert_allclose(found.eigenvalues, np.sort(expected, axis=1), atol=1e-10)


def test_the_index_sought_is_found_where_the_way_is_clear():
    # Between the points of inflection at ±1/√3 uphill leads to 0, and downhill to a well.
    start = jax.random.uniform(KEY, (40, 3), minval=-0.5, maxval=0.5)
    each = 3 * (np.arange(40) % 2)
    np.testing.assert_array_equal(critical_points(Wells(), start, 40, seek=each).index, each)


def test_a_line_of_critical_points_is_reached_and_its_nullity_told():
    start = jnp.array([[0.1, 0.3], [-0.4, 0.2], [0.5, -0.1]])
    found = critical_points(Ridge(), start, 3)
    assert found.is_converged.all()
    np.testing.assert_allclose(found.params[:, 1], 0, atol=1e-12)
    np.testing.assert_array_equal(found.index, 1)
    np.testing.assert_array_equal(found.nullity, 1)


@pytest.mark.slow
def test_the_search_is_the_same_whatever_the_lanes_and_the_chunks():
    options = {"max_steps": 60}
    start = lj.starts.gaussian((3, 1), scale=1.0)
    whole = critical_points(Wells(), start, 12, key=KEY, **options)
    narrow = critical_points(Wells(), start, 12, key=KEY, lanes=5, **options)
    part = critical_points(Wells(), start, jnp.array([7, 2]), key=KEY, **options)
    np.testing.assert_array_equal(part.restart_index, [7, 2])
    for other, these in ((narrow, np.arange(12)), (part, np.array([7, 2]))):
        np.testing.assert_array_equal(other.status._value, whole.status._value[these])
        sure = other.is_converged
        np.testing.assert_array_equal(other.index[sure], whole.index[these][sure])
        np.testing.assert_allclose(other.params[sure], whole.params[these][sure], atol=1e-10)


def test_one_bad_start_spoils_no_other_and_is_called_by_its_name():
    start = jnp.array([[jnp.nan, 0.0, 0.0], [1e5, 0.0, 0.0], [0.9, 0.1, 0.1], [1.0, 0.0, -1.0]])
    found = critical_points(Wells(), start, 4)
    names = [list(lj.Status._name_to_item)[int(code)] for code in found.status._value]
    assert names == ["nonfinite", "max_steps", "converged", "converged"]
    np.testing.assert_array_equal(found.index, [-1, -1, 2, 1])
    assert int(found.steps[3]) == 0
    assert found.counts() == {1: 1, 2: 1}
    assert found.runs.summary() == {"converged": 2, "nonfinite": 1, "max_steps": 1}


def test_a_search_that_runs_out_of_steps_is_no_critical_point():
    found = critical_points(Wells(), 0.5 * jnp.ones((4, 3)), 4, max_steps=2)
    assert found.runs.summary() == {"max_steps": 4}
    np.testing.assert_array_equal(found.index, -1)
    np.testing.assert_array_equal(found.nullity, -1)
    assert found.counts() == {}


def test_an_objective_without_a_critical_point_gives_none():
    class Slope(lj.AbstractObjective):
        def __call__(self, params):
            return jnp.sum(params)

    found = critical_points(Slope(), jnp.ones((2, 3)), 2, max_steps=20)
    assert found.runs.summary() == {"max_steps": 2}


def test_families_groups_what_is_found(four):
    risk, found = four
    families = lj.families(risk, found.runs)
    assert sum(family.count for family in families) == int(found.is_converged.sum())
    assert len(families.unconverged) == 40 - int(found.is_converged.sum())
    saddles = [family for family in families if family.kind == "saddle"]
    assert {int(found.index[family.members[0]]) for family in saddles} >= {1, 3, 5}


def test_float32_has_its_own_tolerance():
    start = jnp.array([[0.9, 0.1], [0.8, 1.2]], jnp.float32)
    found = critical_points(Wells(), start, 2)
    assert found.eigenvalues.dtype == jnp.float32
    np.testing.assert_array_equal(found.index, [1, 0])
    with pytest.raises(ValueError, match="jax_enable_x64"):
        critical_points(Wells(), start, 2, tolerance=1e-9)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"tolerance": 0.0}, ValueError, "tolerance is 0.0; it must be positive"),
        ({"max_steps": 0}, ValueError, "max_steps is 0; it must be at least 1"),
        ({"lanes": 0}, ValueError, "lanes is 0; it must be at least 1"),
        ({"radius": 0.0}, ValueError, "radius is 0.0; it must be a positive"),
        ({"seek": 3}, ValueError, "seek has an index of 3; give indices between 0 and the 2"),
        ({"seek": np.array([1])}, ValueError, "an integer, or one for each of the 2 restarts"),
        ({"seek": np.ones(2)}, ValueError, "seek is an array of float64 of shape .2,.; give"),
        ({"restarts": 0}, ValueError, "restarts is 0; give at least 1"),
        ({"start": jnp.ones((2, 2), int)}, TypeError, "give floating arrays"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, error, message):
    arguments = {"start": jnp.ones((2, 2)), "restarts": 2, **change}
    with pytest.raises(error, match=message):
        critical_points(Wells(), arguments.pop("start"), arguments.pop("restarts"), **arguments)
