from dataclasses import dataclass, field

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from landscape_jax.critical.families import families
from landscape_jax.objectives.base import AbstractObjective, Known
from landscape_jax.objectives.population import PopulationRisk
from tests.critical.groups import CASES

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


@dataclass
class Runs:
    """What `families` reads of a search's runs."""

    params: Array
    value: Array
    gradient_norm: Array
    status: list[str]
    restart_index: Array = field(default_factory=lambda: jnp.arange(100, 105))

    @property
    def is_finite(self) -> np.ndarray:
        return np.array([s != "nonfinite" for s in self.status])

    @property
    def is_converged(self) -> np.ndarray:
        return np.array([s == "converged" for s in self.status])

    @property
    def is_below_value(self) -> np.ndarray:
        return np.array([s == "below_value" for s in self.status])


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
    trap = spurious_minimum(risk)
    points = np.stack([trap, np.eye(6), trap[::-1], np.eye(6)[::-1]])
    first, second = families(risk, points)
    assert (first.kind, first.count) == ("global", 2)
    assert (second.kind, second.count) == ("spurious", 2)
    assert second.value == pytest.approx(0.02508, abs=1e-4)
    assert second.min_eigenvalue == pytest.approx(0.0047, abs=1e-4)


def spurious_minimum(risk: PopulationRisk) -> np.ndarray:
    """Polish SS18's example 1 by Newton steps; one neuron is known from the scan's other five."""
    W = np.full((6, 6), -0.05) + np.diag(np.full(6, 1.037))
    W[:5, 5], W[5] = 0.308, [0.225] * 5 + [-0.602]

    @jax.jit
    def newton(w):
        slope, H = jax.grad(risk)(w), jax.hessian(risk)(w)
        return w - jnp.linalg.solve(H.reshape(36, 36), slope.ravel()).reshape(6, 6)

    w = jnp.array(W)
    for _ in range(12):
        w = newton(w)
    return np.asarray(w)


def test_runs_below_the_threshold_are_one_global_family_and_nonfinite_ones_none():
    risk = PopulationRisk(jnp.eye(2))
    W = jnp.eye(2)
    params = jnp.stack([W, 1.01 * W, W * jnp.nan, 3 * W, 0.99 * W])
    status = ["below_value", "below_value", "nonfinite", "max_steps", "below_value"]
    runs = Runs(params, jax.vmap(risk)(params), jnp.array([1e-3, 1e-2, jnp.nan, 1.0, 1e-4]), status)
    first, second = families(risk, runs)
    assert (first.kind, first.members.tolist()) == ("global", [4, 0, 1])
    assert first.restart_index.tolist() == [104, 100, 101]
    assert np.isnan(first.min_eigenvalue)
    assert first.alignments == ()
    assert (second.kind, second.members.tolist()) == ("undecided", [3])


def test_runs_that_are_all_nonfinite_are_no_family():
    nan = jnp.full((5, 2, 2), jnp.nan)
    runs = Runs(nan, nan[:, 0, 0], nan[:, 0, 0], ["nonfinite"] * 5)
    assert families(PopulationRisk(jnp.eye(2)), runs) == ()


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
