"""Basin values: bounds that hold in exact arithmetic, and problems that do not touch each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flint import fmpq

from landscape_jax.exact.rationals import matrix, rational, squares
from landscape_jax.theory.basins import BasinValues, basin_values, region_patterns, values
from landscape_jax.theory.basins.bounds import lower_bound, upper_bound
from landscape_jax.theory.basins.heights import basis
from landscape_jax.theory.basins.primal_dual import kernel_prefix
from tests.theory.basins.exact import exact_minimum, near_minimum

# One shape for all quick tests, so that they compile once.
PROBLEMS, SAMPLES, INPUTS, NEURONS = 32, 5, 2, 2
DEGENERATE = np.array([[1.0, 2.0], [1.0, 2.0], [-2.0, -4.0], [0.0, 0.0], [3.0, -1.0]])


def _starts(seed, x, neurons=NEURONS, problems=PROBLEMS):
    random = np.random.default_rng(seed)
    v = random.choice([-1.0, 1.0], (problems, neurons))
    W = random.standard_normal((problems, neurons, x.shape[1]))
    return np.asarray(region_patterns(x, W)), v


def _case(seed):
    random = np.random.default_rng(seed)
    x = random.integers(-3, 4, (SAMPLES, INPUTS)).astype(float) if seed else DEGENERATE
    return x, random.integers(-4, 5, SAMPLES).astype(float), *_starts(seed, x)


def _assert_inside(found: BasinValues, k, x, y, pattern, v):
    """W is in the closed cones exactly, and its loss is at most the value."""
    heights = matrix(x) * matrix(np.asarray(found.W[k], np.float64)).transpose()
    output = [fmpq(0)] * len(x)
    for t in range(len(x)):
        for i in range(pattern.shape[1]):
            h = heights[t, i]
            # Neurons active nowhere rest at 0.
            assert h >= 0 if pattern[t, i] else h <= 0
            if pattern[t, i]:
                output[t] += h * int(v[i])
    errors = matrix(np.array(y)[:, None])
    for t in range(len(x)):
        errors[t, 0] = output[t] - errors[t, 0]
    assert squares(errors) / len(x) <= rational(float(found.value[k]))


@pytest.mark.parametrize("seed", range(3))
def test_the_bounds_enclose_the_exact_minimum(seed):
    x, y, patterns, v = _case(seed)
    found = basin_values(x, y, patterns, v)
    assert np.asarray(found.solved | found.bounded).all()
    seen = {}
    for k in range(PROBLEMS):
        key = patterns[k].tobytes() + v[k].tobytes()
        if key not in seen:
            seen[key] = exact_minimum(x, y, patterns[k], v[k])
            _assert_inside(found, k, x, y, patterns[k], v[k])
        exact = seen[key]
        assert exact <= rational(float(found.value[k]))
        assert rational(float(found.value[k])) - rational(float(found.gap[k])) <= exact
    assert len(seen) > 5
    assert float(jnp.max(found.gap)) <= 1e-8 * np.mean(y**2)


def test_the_dual_point_shows_the_lower_bound():
    x, y, patterns, v = _case(1)
    found = basin_values(x, y, patterns, v)
    r, multipliers = np.asarray(found.errors), np.asarray(found.multipliers)
    assert np.all(multipliers >= 0)
    c = np.where(patterns, v[:, None], 0) * r[:, :, None] - np.where(patterns, 1, -1) * multipliers
    assert np.abs(np.einsum("ktn,td->knd", c, x)).max() < 1e-13 * np.linalg.norm(y)
    bound = (-2 * r @ y - np.sum(r**2, axis=1)) / SAMPLES
    np.testing.assert_allclose(found.value - found.gap, np.maximum(bound, 0), atol=1e-9)


def test_the_bounds_hold_for_any_primal_and_dual_point():
    """Points spoilt a little or much: the bounds get worse, but stay bounds."""
    x, y, patterns, v = _case(1)
    found = basin_values(x, y, patterns, v)
    random = np.random.default_rng(0)
    spoilt = 10.0 ** -random.integers(0, 13, PROBLEMS)
    noise = spoilt * random.standard_normal((SAMPLES, PROBLEMS))
    shifts = spoilt * random.standard_normal((SAMPLES, NEURONS, PROBLEMS))
    there = np.any(patterns, axis=1)[:, None] & np.any(x != 0, axis=1)[:, None]
    b = np.where(there, np.where(patterns, 1.0, -1.0), 0.0).transpose(1, 2, 0)
    a = np.where(there & patterns, v[:, None], 0.0).transpose(1, 2, 0)
    W = np.asarray(found.W).transpose(2, 1, 0)
    pushed = spoilt * random.standard_normal(W.shape)
    data = basis(jnp.asarray(x), jnp.asarray(y))
    cones = jnp.asarray(a), jnp.asarray(b)
    above = jax.jit(upper_bound)(data, *cones, jnp.asarray(W + pushed), jnp.asarray(W))
    multipliers = np.abs(np.asarray(found.multipliers).transpose(1, 2, 0) + shifts) * np.abs(b)
    errors = np.asarray(found.errors).T + noise
    dual = jnp.asarray(errors), jnp.asarray(multipliers)
    below = jax.jit(lower_bound)(data, *cones, above.sizes, *dual)
    for k in range(PROBLEMS):
        exact = exact_minimum(x, y, patterns[k], v[k])
        assert rational(float(below.value[k])) <= exact <= rational(float(above.value[k]))
    assert np.any(np.asarray(below.value) > 0)


def test_negative_multipliers_show_nothing():
    """One neuron fits one sample; with λ = −1 the formula of the bound would say 1."""
    one = jnp.ones((1, 1, 1))
    data = basis(jnp.ones((1, 1)), jnp.ones(1))
    below = lower_bound(data, one, one, jnp.ones((1, 1)), -jnp.ones((1, 1)), -one)
    assert below.value == 0
    assert not below.multipliers.any()


def test_whole_numbers_are_as_good_as_floats():
    x, y, patterns, v = _case(1)
    whole = basin_values(x.astype(int), y.astype(int), patterns, v.astype(int))
    for one, two in zip(whole, basin_values(x, y, patterns, v), strict=True):
        np.testing.assert_array_equal(one, two)


def test_labels_zero_have_value_zero():
    x, y, patterns, v = _case(1)
    found = basin_values(x, 0 * y, patterns, v)
    assert not np.any(found.value)
    assert not np.any(found.gap)
    assert np.all(np.asarray(found.solved))


@pytest.mark.parametrize("seed", range(3))
def test_solved_is_what_is_bounded_for_all_weights(seed):
    x, y, patterns, v = _case(seed)
    found = basin_values(x, y, patterns, v)
    for_all = np.isinf(np.asarray(found.reach)).all(axis=1)
    close = np.asarray(found.gap) <= 1e-8 * np.mean(y**2)
    np.testing.assert_array_equal(found.solved, close & for_all)
    np.testing.assert_array_equal(found.bounded, close & ~for_all)
    assert np.any(np.asarray(found.solved))


# Samples that are all but equal, or not; the basin values by rays in rational numbers.
@pytest.mark.parametrize(
    "near",
    [1e-9, pytest.param(1e-6, marks=pytest.mark.slow), pytest.param(0.1, marks=pytest.mark.slow)],
)
def test_what_is_solved_is_the_basin_value_where_samples_are_all_but_equal(near):
    better = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        x, y = random.standard_normal((SAMPLES, INPUTS)), random.standard_normal(SAMPLES)
        x[1] = x[0] + near * random.standard_normal(INPUTS)
        x[3] = x[2] * (1 + near * random.standard_normal(INPUTS))
        # Every other problem has the two samples on different sides of a neuron.
        patterns, v = _starts(seed, x)
        patterns = patterns.copy()
        patterns[::2, 0] = ~patterns[::2, 1]
        found = basin_values(x, y, patterns, v)
        for k in range(0, PROBLEMS, 4):
            exact = exact_minimum(x, y, patterns[k], v[k])
            assert exact <= rational(float(found.value[k]))
            if rational(float(found.value[k])) - rational(float(found.gap[k])) > exact:
                # Weights beyond reach are better.
                assert not found.solved[k]
                assert not np.isinf(np.asarray(found.reach[k])).all()
                better += 1
    # Where samples are that near, weights beyond reach are wanted to tell them apart.
    assert better > 0 or near > 1e-9


def test_a_tolerance_out_of_reach_leaves_problems_unsolved():
    x, y, patterns, v = _case(1)
    found = basin_values(x, y, patterns, v, tolerance=1e-18)
    share = np.asarray(found.gap) / np.mean(y**2)
    assert not np.any(np.asarray(found.solved | found.bounded)[share > 1e-18])
    assert np.any(share > 1e-18)
    for k in range(0, PROBLEMS, 4):
        exact = exact_minimum(x, y, patterns[k], v[k])
        assert rational(float(found.value[k])) - rational(float(found.gap[k])) <= exact


def test_a_region_that_is_empty_inside_is_bounded_or_not_solved():
    """The first two samples are equal, but are asked to be on different sides."""
    x, y, patterns, v = _case(0)
    patterns = patterns.copy()
    patterns[:, 0] = True
    patterns[:, 1] = False
    found = basin_values(x, y, patterns, v)
    for k in range(0, PROBLEMS, 4):
        exact = exact_minimum(x, y, patterns[k], v[k])
        assert rational(float(found.value[k])) - rational(float(found.gap[k])) <= exact
        assert exact <= rational(float(found.value[k]))
    solved = np.asarray(found.gap) <= 1e-8 * np.mean(y**2)
    np.testing.assert_array_equal(found.solved | found.bounded, solved)


@pytest.mark.parametrize("native", [False, True])
def test_a_lane_of_nan_spoils_no_other(native):
    kernel = kernel_prefix(np.float64) if native else None
    x, y, patterns, v = map(jnp.asarray, _case(2))
    share = jnp.asarray(1e-8)
    whole = values._solve(x, y, patterns, v, share, kernel)
    spoilt = values._solve(x, y, patterns, v.at[3].set(jnp.nan), share, kernel)
    others = np.arange(PROBLEMS) != 3
    for one, two in zip(whole, spoilt, strict=True):
        np.testing.assert_array_equal(np.asarray(one)[others], np.asarray(two)[others])
    assert not spoilt.solved[3]
    assert not spoilt.bounded[3]
    assert np.isnan(spoilt.gap[3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.ones(4)}, "x, y and patterns have shapes"),
        ({"patterns": np.ones((PROBLEMS, 4, NEURONS), bool)}, "x, y and patterns have shapes"),
        ({"x": np.ones((0, 2)), "y": np.ones(0)}, "x, y and patterns have shapes"),
        (
            {"patterns": np.ones((3, SAMPLES, 0), bool), "v": np.ones(0)},
            "with samples, inputs and neurons",
        ),
        ({"v": np.ones(3)}, "v has shape"),
        ({"v": np.full(NEURONS, 0.5)}, "v has entries other"),
        ({"v": np.full(NEURONS, np.nan)}, "v has entries other"),
        ({"x": np.full((SAMPLES, INPUTS), np.nan)}, "x or y has NaN"),
        ({"y": np.full(SAMPLES, np.inf)}, "x or y has NaN"),
        ({"tolerance": 0.0}, "tolerance is 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
    ],
)
def test_nonsense_is_refused(change, message):
    x, y, patterns, v = _case(1)
    arguments = {"x": x, "y": y, "patterns": patterns, "v": v} | change
    with pytest.raises(ValueError, match=message):
        basin_values(**arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("samples", "inputs", "neurons"), [(14, 4, 3), (12, 2, 4), (10, 3, 8), (16, 3, 20), (4, 4, 3)]
)
def test_values_are_those_of_another_solver(samples, inputs, neurons):
    """Fewer and more unknowns than samples, one system and Woodbury's."""
    random = np.random.default_rng(samples)
    x, y = random.standard_normal((samples, inputs)), random.standard_normal(samples)
    patterns, v = _starts(1, x, neurons, problems=40)
    found = basin_values(x, y, patterns, v)
    scale = np.mean(y**2)
    assert np.all(np.asarray(found.solved | found.bounded))
    for k in range(40):
        other = near_minimum(x, y, patterns[k], v[k])
        assert abs(float(found.value[k]) - other) <= 1e-8 * scale
        assert float(found.value[k] - found.gap[k]) <= other + 1e-12 * scale


@pytest.mark.slow
def test_single_precision_is_honest():
    for seed in range(3):
        x, y, patterns, v = _case(seed)
        found = basin_values(x.astype(np.float32), y.astype(np.float32), patterns, v)
        assert found.value.dtype == jnp.float32
        assert np.all(np.asarray(found.solved | found.bounded))
        for k in range(PROBLEMS):
            exact = exact_minimum(x, y, patterns[k], v[k])
            _assert_inside(found, k, x, y, patterns[k], v[k])
            assert rational(float(found.value[k])) - rational(float(found.gap[k])) <= exact


@pytest.mark.slow
def test_inputs_of_lower_rank_and_scale_do_not_matter():
    """Heights alone matter: maps of the inputs that are one to one change nothing."""
    random = np.random.default_rng(5)
    x, y = random.standard_normal((12, 3)), random.standard_normal(12)
    patterns, v = _starts(6, x, 4)
    few = basin_values(x, y, patterns, v)
    more = basin_values(x @ random.standard_normal((3, 7)), y, patterns, v)
    uneven = basin_values(x * np.array([1e-3, 1.0, 1e4]), 1e5 * y, patterns, v)
    assert np.all(np.asarray((few.solved | few.bounded) & (more.solved | more.bounded)))
    scale = float(np.mean(y**2))
    np.testing.assert_allclose(more.value, few.value, atol=1e-8 * scale)
    # Condition numbers enter the rounding that is counted, and the gap says so.
    off = np.abs(np.asarray(uneven.value) / 1e10 - np.asarray(few.value))
    assert np.all(off <= np.asarray(uneven.gap) / 1e10 + np.asarray(few.gap))


@pytest.mark.slow
def test_neurons_of_opposite_sign_in_one_region_leave_a_ray_on_which_nothing_changes():
    random = np.random.default_rng(7)
    x, y = random.standard_normal((8, 2)), random.standard_normal(8)
    patterns, _ = _starts(8, x, 1)
    v = np.array([1.0, -1.0])
    found = basin_values(x, y, np.repeat(patterns, 2, axis=2), v)
    assert np.all(np.asarray(found.solved | found.bounded))
    for k in range(PROBLEMS):
        # Their difference is any linear function of the active samples.
        A = x * patterns[k]
        free = np.linalg.lstsq(A, y, rcond=None)[0]
        least = np.mean((A @ free - y) ** 2)
        assert abs(float(found.value[k]) - least) <= 1e-8 * np.mean(y**2)
        assert float(found.value[k] - found.gap[k]) <= least * (1 + 1e-14)


@pytest.mark.slow
def test_no_problems_and_many_blocks():
    x, y, patterns, v = _case(1)
    assert basin_values(x, y, patterns[:0], v[0]).value.shape == (0,)
    once = basin_values(x, y, patterns, v)
    many = basin_values(x, y, np.tile(patterns, (5, 1, 1)), np.tile(v, (5, 1)))
    np.testing.assert_allclose(many.value, np.tile(once.value, 5), rtol=1e-12, atol=1e-12)
    assert np.all(np.asarray(many.solved | many.bounded))
