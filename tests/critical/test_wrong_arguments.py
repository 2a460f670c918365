"""What finds and judges critical points, called with wrong and with unusual arguments."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.critical import align, classify, lowest_nearby, padding_matrix, padding_spectrum
from landscape_jax.objectives.base import Known, Symmetry

RISK, KEY, EYE = lj.PopulationRisk(jnp.eye(2)), jax.random.key(0), jnp.eye(2)
DATA = lj.EmpiricalRisk(jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([1.0, -1.0]))
NET = lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2)), activation="tanh")
START = lj.starts.gaussian((2, 2))
LINE = jnp.arange(3.0)


def untyped(value: Any) -> Any:
    """A value whose type is none that the function takes."""
    return value


def plain(W: Any) -> Any:
    return jnp.sum(W**2)


class Pair(lj.AbstractObjective):
    """An objective whose value is no scalar."""

    def __call__(self, x):
        return x[:2]


class Half(lj.AbstractObjective):
    """½ |x|², and complex numbers where x is longer than 3."""

    def __call__(self, x):
        return jnp.sum(x**2) / 2


OBJECTIVES = {
    "spectrum": lambda f: lj.spectrum(f, EYE),
    "index": lambda f: lj.index(f, EYE),
    "indices": lambda f: lj.indices(f, EYE[None]),
    "families": lambda f: lj.families(f, EYE[None]),
    "critical_points": lambda f: lj.critical_points(f, START, 2, key=KEY),
    "extreme_eigenvalues": lambda f: lj.extreme_eigenvalues(f, EYE, key=KEY),
    "spectral_density": lambda f: lj.spectral_density(f, EYE, key=KEY),
    "lowest_nearby": lambda f: lowest_nearby(f, EYE, radius=0.1, key=KEY),
    "sensitivity": lambda f: lj.sensitivity(f, EYE, {}),
    "slices.line": lambda f: lj.slices.line(f, EYE, 2 * EYE),
}


@pytest.mark.parametrize(
    "given", [plain, lj.PopulationRisk, None], ids=["function", "class", "None"]
)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_what_is_no_objective_is_named(name, given):
    with pytest.raises(TypeError, match=r"objective is .*; give an?"):
        OBJECTIVES[name](given)


POINTS = {
    "spectrum": ("params", lambda W: lj.spectrum(RISK, W)),
    "index": ("params", lambda W: lj.index(RISK, W)),
    "indices": ("points", lambda W: lj.indices(RISK, W[None])),
    "families": ("runs_or_points", lambda W: lj.families(RISK, W[None])),
    "critical_points": ("start", lambda W: lj.critical_points(RISK, W[None], 1)),
    "extreme_eigenvalues": ("params", lambda W: lj.extreme_eigenvalues(RISK, W, 1, key=KEY)),
    "spectral_density": ("params", lambda W: lj.spectral_density(RISK, W, key=KEY)),
    "lowest_nearby": ("params", lambda W: lowest_nearby(RISK, W, radius=0.1, key=KEY)),
    "sensitivity": ("point", lambda W: lj.sensitivity(RISK, W, {})),
    "slices.line": ("start", lambda W: lj.slices.line(RISK, W, W)),
    "slices.plane": ("origin", lambda W: lj.slices.plane(RISK, W, W, W)),
    "slices.along": ("origin", lambda W: lj.slices.along(RISK, W, W)),
}


@pytest.mark.parametrize("name", POINTS)
def test_a_point_of_another_shape_or_dtype_is_named(name):
    argument, call = POINTS[name]
    with pytest.raises(ValueError, match=rf"{argument} is no point at which .*: W has shape"):
        call(jnp.ones((2, 3)))
    with pytest.raises(TypeError, match=rf"{argument} has dtype int64; give"):
        call(np.eye(2, dtype=int))
    with pytest.raises(ValueError, match=rf"{argument} has .*(without|at least one)|no point"):
        call(jnp.ones((0, 2)))


def test_an_objective_whose_value_is_no_scalar_is_named_by_its_shape():
    with pytest.raises(
        ValueError, match=r"params is no point .* Pair, .*objective returns shape .2"
    ):
        lj.extreme_eigenvalues(Pair(), LINE, 1, key=KEY)


def test_families_name_runs_of_another_problem():
    runs = lj.restart(RISK, START, 2, key=KEY, max_steps=32)
    with pytest.raises((TypeError, ValueError), match="runs_or_points is no point at which"):
        lj.families(DATA, runs)
    with pytest.raises(ValueError, match="runs_or_points is no point at which"):
        lj.families(lj.PopulationRisk(jnp.eye(3)), runs, below_value=10.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: lj.families(RISK, 3.0), ValueError, "runs_or_points has leaves of shapes"),
        (lambda: lj.families(RISK, [["a"]]), TypeError, "runs_or_points has no arrays"),
        (lambda: lj.families(RISK, np.array([["a"]])), TypeError, "runs_or_points is an array of"),
        (lambda: lj.indices(RISK, 10**30), TypeError, "points is 10000.*; give a pytree of floati"),
        (lambda: lj.families(RISK, EYE[None], tolerance=-1.0), ValueError, "tolerance is -1.0"),
        (
            lambda: lj.families(RISK, EYE[None], eigenvalue_tolerance=-1),
            ValueError,
            "eigenvalue_tolerance is -1; it must be at least 0",
        ),
        (lambda: lj.critical_points(RISK, START, 2), ValueError, "key is missing"),
        (lambda: lj.critical_points(RISK, START, 2, key=untyped(0)), TypeError, "key is 0|'key'"),
        (
            lambda: lj.critical_points(RISK, START, 2, key=KEY, norm_limit=0.0),
            ValueError,
            "norm_limit is 0.0; it must be a positive number",
        ),
        (
            lambda: lj.critical_points(RISK, START, 2, key=KEY, seek=True),
            ValueError,
            "seek is True; give an integer",
        ),
        (
            lambda: lj.extreme_eigenvalues(RISK, EYE, 1, key=jax.random.split(KEY)),
            (TypeError, ValueError),
            "key has shape .2,.; give one key|parameter 'key'|key is an array",
        ),
        (lambda: lj.spectral_density(RISK, EYE, grid=[], key=KEY), ValueError, "grid has shape .0"),
        (
            lambda: lj.spectral_density(RISK, EYE, grid=[np.nan], key=KEY),
            ValueError,
            "grid has NaN or infinite entries",
        ),
        (lambda: lowest_nearby(RISK, EYE, radius=-1, key=KEY), ValueError, "radius is -1; it must"),
        (lambda: padding_matrix(RISK, jnp.ones((2, 3))), ValueError, r"W has shape \(2, 3\)"),
        (lambda: padding_spectrum(untyped(DATA), EYE), TypeError, "risk is|parameter 'risk'"),
        (lambda: classify(Known(), 0.0, np.zeros(0), 0.0), ValueError, "eigenvalues has shape .0,"),
        (lambda: lj.slices.line(RISK, EYE, 1j * EYE), TypeError, "end has dtype complex128"),
        (
            lambda: lj.slices.along(RISK, EYE, EYE, points=untyped(2.5)),
            TypeError,
            "points is 2.5|'po",
        ),
        (
            lambda: lj.slices.plane(RISK, EYE, EYE, EYE, points=untyped((2, 3, 4))),
            (TypeError, ValueError),
            "p",
        ),
        (
            lambda: lj.slices.line(RISK, EYE, EYE, reach=(0.0, np.nan)),
            ValueError,
            "reach is nan; it must be a number",
        ),
    ],
)
def test_arguments_out_of_range_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_alignments_name_points_that_are_none():
    group = Symmetry(np.ones(2), np.eye(2), np.ones(2), np.ones(2))
    W: Any = np.eye(2)
    with pytest.raises(TypeError, match=r"member (has dtype|is an array of) int64"):
        align(group, W, np.eye(2, dtype=int))
    with pytest.raises(ValueError, match=r"tolerance is 0\.0; give a positive relative"):
        align(group, W, W, tolerance=0.0)


def test_what_works_on_values_says_so_under_jit():
    for call in (lambda W: lj.spectrum(RISK, W), lambda W: lj.families(RISK, W[None])):
        with pytest.raises(TypeError, match=r"traced, but .*: call .* outside of jit"):
            jax.jit(call)(EYE)


def test_directions_where_points_are_meant_are_refused_with_the_remedy():
    top = lj.extreme_eigenvalues(RISK, 0.5 * EYE, 2, key=KEY)
    with pytest.raises(ValueError, match=r"first and second are orthonormal.*slices\.along"):
        lj.slices.plane(RISK, 0.5 * EYE, *top.vectors)
    with pytest.raises(ValueError, match="first must have the structure and shapes"):
        lj.slices.plane(RISK, EYE, top.vectors, top.vectors)
    # From the origin points and directions are the same.
    there = lj.slices.plane(RISK, 0 * EYE, *top.vectors, points=3)
    along = lj.slices.along(RISK, 0 * EYE, *top.vectors, points=3, reach=(0, 1))
    np.testing.assert_array_equal(there.value, along.value)


TANGENTS = {
    "unknown field": ({"teachers": EYE}, ValueError, r"tangent names 'teachers'; .* are teacher"),
    "static field": ({"activation": EYE}, ValueError, "tangent names 'activation'"),
    "shape": ({"teacher": jnp.ones(2)}, ValueError, r"tangent\.teacher has shape \(2,\); the obj"),
    "complex": ({"teacher": 1j * EYE}, TypeError, r"tangent\.teacher has dtype complex128"),
    "NaN": ({"teacher": jnp.nan * EYE}, ValueError, r"tangent\.teacher has NaN"),
    "None in the risk": ({"student_weights": LINE}, ValueError, "where the objective has None"),
    "an array": (EYE, ValueError, "tangent is an array .*, where the objective has a Population"),
    "another risk": (DATA, ValueError, "tangent is not like the objective, a PopulationRisk"),
    "another activation": (
        lj.PopulationRisk(EYE, activation="erf"), ValueError, "with the same static fields"),
}  # fmt: skip


@pytest.mark.parametrize("name", TANGENTS)
def test_a_tangent_that_is_not_like_the_objective_is_named(name):
    tangent, error, message = TANGENTS[name]
    with pytest.raises(error, match=message):
        lj.sensitivity(RISK, EYE, tangent)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gradient_tolerance": 0.0}, "gradient_tolerance is 0.0; it must be positive"),
        ({"eigenvalue_tolerance": -1.0}, "eigenvalue_tolerance is -1.0; it must be at least 0"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
    ],
)
def test_options_of_a_sensitivity_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        lj.sensitivity(RISK, EYE, {}, **options)


def test_integers_of_numpy_and_arrays_without_axes_are_counts():
    one, two = np.int64(1), np.array(2)
    found = lj.critical_points(RISK, START, two, key=KEY, seek=one, max_steps=two, lanes=one)
    assert len(found) == 2
    assert len(lj.extreme_eigenvalues(Half(), LINE, one, steps=two, key=KEY).values) == 1
    density = lj.spectral_density(Half(), LINE, points=two, steps=two, probes=two, key=KEY)
    assert density.grid.shape == (2,)
    assert lowest_nearby(Half(), LINE, radius=1, count=two, key=KEY).tried == 2
    assert lj.slices.plane(Half(), LINE, LINE, LINE, points=(two, 3)).value.shape == (2, 3)
    assert lj.slices.along(Half(), LINE, LINE, points=two, reach=(0, 1)).value.shape == (2,)


def test_an_index_sought_is_used_and_checked_inside_of_jit():
    sought, starts = jnp.array([0, 1, 1]), jnp.arange(1.0, 10.0).reshape(3, 3)

    def find(starts: Any, seek: Any = sought) -> Any:
        return lj.critical_points(Half(), starts, 3, seek=seek, max_steps=4)

    alone = find(starts)
    for found in (jax.jit(find)(starts), jax.jit(find)(starts, sought)):
        np.testing.assert_allclose(found.params, alone.params, atol=1e-12)
    with pytest.raises(ValueError, match="seek has an index of 5; give indices between"):
        jax.jit(lambda starts: find(starts, np.array([0, 1, 5])))(starts)


class Free(eqx.Module):
    """A network of one's own with a function among its leaves."""

    weight: jax.Array
    function: Any

    def __call__(self, x):
        return self.function(x @ self.weight.T)


FREE, SAME = Free(jnp.array([[0.3, -0.2]]), jnp.tanh), lj.DeepLinear([[[0.3, -0.2]]])
FITTED = lj.EmpiricalRisk(jnp.eye(2), jnp.array([0.5, -0.5]))


class Tanh(lj.AbstractObjective):
    """The risk of `FREE` as that of its matrix."""

    def __call__(self, linear):
        return FITTED(lambda x: jnp.tanh(linear(x)))


SLOW = pytest.mark.slow
EVERYWHERE = [
    lj.spectrum,
    lambda f, p: lj.index(f, p).eigenvalues,
    lambda f, p: lj.slices.along(f, p, p, points=3).value,
    pytest.param(lambda f, p: lj.extreme_eigenvalues(f, p, 1, key=KEY).values, marks=SLOW),
    pytest.param(lambda f, p: lj.spectral_density(f, p, points=3, key=KEY).density, marks=SLOW),
    pytest.param(lambda f, p: lowest_nearby(f, p, radius=0.1, count=5, key=KEY).lowest, marks=SLOW),
]


@pytest.mark.parametrize("call", EVERYWHERE)
def test_a_module_with_a_function_among_its_leaves_is_a_point(call):
    np.testing.assert_allclose(call(FITTED, FREE), call(Tanh(), SAME), rtol=1e-10)


def test_critical_points_of_modules_with_functions_among_their_leaves_are_found_and_judged():
    stacked = eqx.tree_at(lambda net: net.weight, FREE, FREE.weight[None])
    found = lj.critical_points(FITTED, stacked, 1)
    assert found.status_names.tolist() == ["converged"]
    assert found.params.function is jnp.tanh
    np.testing.assert_allclose(np.tanh(found.params.weight[0, 0]), [0.5, -0.5], rtol=1e-9)
    family = lj.families(FITTED, found)[0]
    assert family.representative.function is jnp.tanh
    assert family.count == 1
    moved = lj.sensitivity(FITTED, family.representative, {"y": jnp.ones((2, 1))}).tangent
    assert moved.function is None
    # tanh(w) = y: dw = dy/(1 − y²).
    np.testing.assert_allclose(moved.weight, [[4 / 3, 4 / 3]], rtol=1e-8)
