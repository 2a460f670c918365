"""The CPU's kernel gives what XLA's code gives, to each problem as if it were alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.theory.basins import basin_values, region_patterns, values
from landscape_jax.theory.basins.interior import MOST_STEPS
from landscape_jax.theory.basins.primal_dual import kernel_prefix, points_by_kernel
from tests.compiler import needs_compiler

pytestmark = needs_compiler
SHAPE = (6, 2, 3)


def _case(seed, shape, problems):
    samples, inputs, neurons = shape
    random = np.random.default_rng(seed)
    x, y = random.standard_normal((samples, inputs)), random.standard_normal(samples)
    v = random.choice([-1.0, 1.0], (problems, neurons))
    W = random.standard_normal((problems, neurons, inputs))
    return x, y, np.asarray(region_patterns(x, W)), v


# The third and the fourth are for Woodbury's formula.
@pytest.mark.parametrize(
    "shape",
    [
        (5, 2, 2),
        pytest.param((20, 5, 4), marks=pytest.mark.slow),
        pytest.param((4, 3, 20), marks=pytest.mark.slow),
        pytest.param((12, 9, 7), marks=pytest.mark.slow),
        pytest.param((1, 1, 1), marks=pytest.mark.slow),
    ],
)
def test_the_kernel_and_xla_end_at_the_same_values_with_the_same_bounds(shape):
    x, y, patterns, v = _case(1, shape, 32)
    ours = basin_values(x, y, patterns, v)
    arguments = map(jnp.asarray, (x, y, patterns, v, 1e-8))
    theirs = values._solve(*arguments, kernel=None)
    assert np.all(np.asarray(ours.solved | ours.bounded))
    assert np.all(np.asarray(theirs.solved | theirs.bounded))
    # The basin value is between both bounds of each.
    off = np.abs(np.asarray(ours.value - theirs.value))
    assert np.all(off <= np.maximum(ours.gap, theirs.gap))
    # The method is the same: but for those that rounding stops earlier or later, so are the steps.
    assert np.median(np.abs(np.asarray(ours.steps - theirs.steps))) == 0


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_problem_gets_the_same_bits_alone_and_among_any_others(dtype):
    x, y, patterns, v = _case(2, SHAPE, 700)
    # Some have no end, and stop where patience does.
    x[1], patterns = x[0], patterns.copy()
    patterns[::3, 0], patterns[::3, 1] = True, False
    v = v.astype(dtype)
    x, y = jnp.asarray(x, dtype), jnp.asarray(y, dtype)
    unit, prefix = y / jnp.linalg.norm(y), kernel_prefix(dtype)
    assert prefix is not None
    u = x / jnp.linalg.norm(x, axis=1, keepdims=True)
    a = jnp.where(patterns, v[:, None], 0).astype(dtype)
    b = jnp.where(patterns, 1, -1).astype(dtype)
    whole = points_by_kernel(prefix, u, unit, a, b)
    backwards = points_by_kernel(prefix, u, unit, a[::-1], b[::-1])
    for one, two in zip(whole, backwards, strict=True):
        np.testing.assert_array_equal(one, two[::-1])
    for k in (0, 63, 699):
        alone = points_by_kernel(prefix, u, unit, a[k : k + 1], b[k : k + 1])
        for one, two in zip(whole, alone, strict=True):
            np.testing.assert_array_equal(one[k], two[0])
    assert len(np.unique(whole.steps)) > 3


def test_a_problem_that_is_not_finite_stops_and_spoils_no_other():
    x, y, patterns, v = _case(3, SHAPE, 100)
    prefix = kernel_prefix(np.float64)
    assert prefix is not None
    a, b = jnp.where(patterns, v[:, None], 0), jnp.where(patterns, 1.0, -1.0)
    operands = prefix, jnp.asarray(x), jnp.asarray(y)
    whole = points_by_kernel(*operands, a, b)
    others = np.arange(100) != 17
    for bad in (np.nan, np.inf):
        spoilt = points_by_kernel(*operands, a.at[17, 2, 1].set(bad), b)
        assert spoilt.steps[17] == 0
        for one, two in zip(whole, spoilt, strict=True):
            np.testing.assert_array_equal(np.asarray(one)[others], np.asarray(two)[others])


def test_a_problem_without_an_end_stops():
    """A region that is empty inside: slacks and multipliers go to infinity or 0 for ever."""
    x, _, patterns, v = _case(4, SHAPE, 40)
    x[1] = x[0]
    patterns = patterns.copy()
    patterns[:20, 0], patterns[:20, 1] = True, False
    patterns[20:, 1] = patterns[20:, 0]
    prefix = kernel_prefix(np.float64)
    assert prefix is not None
    a, b = jnp.where(patterns, v[:, None], 0), jnp.where(patterns, 1.0, -1.0)
    found = points_by_kernel(prefix, jnp.asarray(x), jnp.eye(SHAPE[0])[0], a, b)
    # They come no closer, and patience ends before all steps are gone.
    assert np.max(found.steps) < MOST_STEPS
    assert np.max(found.steps[:20]) > np.max(found.steps[20:])
    assert all(np.all(np.isfinite(part)) for part in found)


def test_batches_of_batches_are_solved_one_by_one():
    x, y, patterns, v = _case(5, SHAPE, 30)
    prefix = kernel_prefix(np.float64)
    assert prefix is not None
    a, b = jnp.where(patterns, v[:, None], 0), jnp.where(patterns, 1.0, -1.0)
    solve = lambda a, b: points_by_kernel(prefix, jnp.asarray(x), jnp.asarray(y), a, b)
    split = [t.reshape(3, 10, *t.shape[1:]) for t in (a, b)]
    for one, two in zip(solve(a, b), jax.vmap(solve)(*split), strict=True):
        np.testing.assert_array_equal(one, two.reshape(one.shape))
