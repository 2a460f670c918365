"""F h = f on samples: it is ∂L/∂h = 0, always solvable, and its solutions are genuine or not."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from landscape_jax.objectives import EmpiricalRisk
from landscape_jax.theory.parallel_weights import parallel_network, sample_minimum, sample_system


def problem(seed, samples, width):
    rng = np.random.default_rng(seed)
    y = rng.choice([-1.0, 1.0], samples)
    x, h = rng.normal(size=samples) + y, rng.uniform(-2.5, 2.5, width)
    return (
        jnp.asarray(x),
        jnp.asarray(y),
        jnp.asarray(h),
        tuple(rng.choice([-1, 1], width).tolist()),
    )


def active(x, h, n):
    return np.asarray(n) * (np.asarray(x)[:, None] - np.asarray(h)) > 0


@eqx.filter_jit
def gradient(network, x, y):
    """The gradient of the mean of squares, by the network itself."""
    return eqx.filter_grad(EmpiricalRisk(x[:, None], y[:, None]))(network)


@pytest.mark.parametrize("n", list(itertools.product([1, -1], repeat=3)))
def test_the_system_is_the_gradient_of_the_networks_loss(n):
    x, y, h, _ = problem(3, 25, 3)
    F, f = sample_system(x, y, h, n)
    slope = gradient(parallel_network(h, n), x, y)
    # b₁ = −n h; and (20) is the sum.
    np.testing.assert_allclose(-len(x) * np.array(n) * slope.b1, 2 * (F @ h - f), atol=1e-12)


def test_two_weights_apart_are_at_the_averages_of_equation_23():
    x, y, _, _ = problem(0, 40, 2)
    found = sample_minimum(x, y, jnp.array([0.3, -0.2]), (1, -1))
    right, left = np.asarray(x) > 0.3, np.asarray(x) < -0.2
    means = [np.mean(np.asarray(x - y)[side]) for side in (right, left)]
    np.testing.assert_allclose(found.positions, means, atol=1e-14)
    assert found.unique


@pytest.mark.parametrize("samples", [3, pytest.param(30, marks=pytest.mark.slow)])
@pytest.mark.parametrize("width", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_of_all_solutions_the_nearest_is_returned(samples, width):
    for seed in range(6):
        x, y, h, n = problem(seed, samples, width)
        found = sample_minimum(x, y, h, n)
        on = active(x, h, n).astype(float)
        move, _, rank, _ = np.linalg.lstsq(on, on.sum(1) * x - y - on @ h)
        np.testing.assert_allclose(found.positions, h + move, atol=1e-12)
        assert found.rank == rank
        assert found.unique == (rank == width)


def inside(x, y, h, n):
    """Whether some solution moves no sample to another side, by a linear program."""
    on, sides = active(x, h, n), np.asarray(n)
    best = np.linalg.lstsq(on * 1.0, on.sum(1) * x - y)[0]
    # Every sample keeps a distance t from every weight; t is largest.
    rows, heights = [], []
    for i, k in itertools.product(range(len(x)), range(len(n))):
        side = 1 if on[i, k] else -1
        rows.append(np.append(side * sides[k] * np.eye(len(n))[k], 1))
        heights.append(side * sides[k] * x[i])
    equal = np.column_stack([on, np.zeros(len(x))])
    bounds = [*[(-1e3, 1e3)] * len(n), (None, 1)]
    aim = -np.eye(len(n) + 1)[-1]
    return linprog(aim, rows, heights, equal, on @ best, bounds=bounds).x[-1] > 1e-9


@pytest.mark.slow
def test_genuine_agrees_with_a_linear_program_over_all_solutions():
    said = []
    for seed in range(60):
        x, y, h, n = problem(seed, 2 + seed % 4, 2)
        if active(x, h, n).all() and n[0] != n[1]:
            continue  # active at every sample, both of them: the third scenario
        said.append(bool(sample_minimum(x, y, h, n).genuine))
        assert said[-1] == inside(np.asarray(x), np.asarray(y), h, n), seed
    assert 15 < sum(said) < len(said) - 15


def test_the_scenarios_of_appendix_e1_lose_rank():
    x, y = jnp.array([-1.0, 0.0, 1.0]), jnp.array([-1.0, -1.0, 1.0])

    def of(h, n):
        return sample_minimum(x, y, jnp.array(h), n)

    together = of([0.5, 0.6], (1, 1))  # no sample between two of the same normal
    assert together.rank == 1
    np.testing.assert_allclose(together.positions, [0.45, 0.55], atol=1e-14)
    outside = of([2.0, -0.5], (1, -1))  # no sample on the positive side
    assert outside.rank == 1
    np.testing.assert_allclose(outside.positions, [2.0, 0.0], atol=1e-14)
    plateau = of([2.0, -3.0], (1, -1))
    assert plateau.rank == 0
    assert plateau.genuine


def test_two_pairs_of_opposite_normals_lose_rank_too():
    x, y = jnp.array([-1.0, 0.0, 1.0, 2.0]), jnp.array([-1.0, 1.0, 1.0, -1.0])
    h, n = jnp.array([-0.6, -0.4, 0.4, 0.6]), (1, -1, 1, -1)
    assert sample_minimum(x, y, h, n).rank == 3
    assert sample_minimum(x, y, h[:3], n[:3]).rank == 3
    beyond = sample_minimum(x, y, jnp.array([-0.6, -0.4, -2.0]), (1, -1, 1))
    assert beyond.rank == 2


def test_the_solution_follows_the_positions_only_where_it_is_free():
    x, y = jnp.array([-1.0, 0.0, 1.0]), jnp.array([-1.0, -1.0, 1.0])

    def best(h):
        return sample_minimum(x, y, h, (1, -1)).positions

    slope = jax.jit(jax.jacobian(best))(jnp.array([2.0, -0.5]))
    np.testing.assert_allclose(slope, [[1, 0], [0, 0]], atol=1e-14)


@pytest.mark.slow
def test_float32_is_enough_and_many_positions_are_solved_at_once():
    x, y, _, _ = problem(1, 30, 2)
    h = jnp.asarray(np.random.default_rng(2).uniform(-2, 2, (20, 2)))

    def best(x, y, h):
        return jax.vmap(lambda one: sample_minimum(x, y, one, (1, -1)))(h)

    double, single = best(x, y, h), best(*(a.astype(jnp.float32) for a in (x, y, h)))
    assert single.positions.dtype == jnp.float32
    np.testing.assert_allclose(single.positions, double.positions, atol=1e-4)
    np.testing.assert_array_equal(single.rank, double.rank)


def test_bad_samples_and_normals_are_refused():
    x, y, h, _ = problem(0, 5, 2)
    for solve in (sample_system, sample_minimum):
        with pytest.raises(ValueError, match=r"x and y have shapes \(5,\) and \(4,\); give one"):
            solve(x, y[:4], h, (1, 1))
        with pytest.raises(ValueError, match=r"x and y have shapes \(0,\) and \(0,\)"):
            solve(x[:0], y[:0], h, (1, 1))
        for n in [(1,), (1, 0), (), (1, 1, 1)]:
            with pytest.raises(ValueError, match="give 1 or -1 for each of at least one weight"):
                solve(x, y, h, n)
    with pytest.raises(ValueError, match="give 1 or -1"):
        parallel_network(h[:0], ())


def test_a_position_that_is_nan_gives_nan():
    x, y, _, _ = problem(0, 5, 2)
    assert jnp.isnan(sample_minimum(x, y, jnp.array([jnp.nan, 0.0]), (1, -1)).positions).any()
