"""The bounds of the Hessian and of its rate of change hold at sampled points and directions."""

import flint
import numpy as np
import pytest
from flint import arb

from landscape_jax.proofs.estimates import float_hessian
from landscape_jax.proofs.lipschitz import Sizes, hessian_lipschitz, hessian_norm
from landscape_jax.proofs.problem import Problem, sizes


def bounds(problem, point, radius):
    with flint.ctx.workprec(128):
        size = sizes(problem.pairs(point))
        return float(hessian_lipschitz(size, arb(radius))), float(hessian_norm(size, arb(radius)))


@pytest.mark.parametrize("seed", range(60))
def test_hessian_changes_no_faster_than_the_bound_near_parallel_pairs_too(seed):
    rng = np.random.default_rng(seed)
    n, k, d = rng.integers(1, 5), rng.integers(1, 5), rng.integers(1, 5)
    point, teacher = rng.normal(size=(n, d)), rng.normal(size=(k, d))
    if n > 1 and seed % 2:
        point[1] = 1.5 * point[0] + 10.0 ** -rng.integers(1, 5) * rng.normal(size=d)
    if seed % 3 == 0:
        teacher[0] = -point[0] + 10.0 ** -rng.integers(1, 5) * rng.normal(size=d)
    problem = Problem(teacher, rng.normal(size=k), rng.normal(size=n))
    radius = 0.3 * np.min(np.linalg.norm(point, axis=1))
    lipschitz, norm = bounds(problem, point, radius)
    for _ in range(20):
        x, y = (point + _in_ball(rng, point.shape, radius) for _ in range(2))
        if rng.random() < 0.5:
            y = x + (y - x) * 1e-4
        change = np.linalg.norm(float_hessian(problem, x) - float_hessian(problem, y), 2)
        assert change <= lipschitz * np.linalg.norm(x - y) + 1e-9
        assert np.linalg.norm(float_hessian(problem, x), 2) <= norm * (1 + 1e-12)


def _in_ball(rng, shape, radius):
    step = rng.normal(size=shape)
    return radius * rng.random() * step / np.linalg.norm(step)


def test_third_derivative_of_one_pair_reaches_its_bound():
    """At p = αw̄ + βn̄ with β² = ¾ and sin t : cos t as 9α·2β² : 2β³ the bound κ is attained."""
    teacher, alpha, beta = np.array([[0.0, 1.0]]), 0.5, np.sqrt(0.75)
    along, across = 6 * alpha * beta**2, 2 * beta**3
    t = np.arctan2(along, across)
    point = np.array([[np.sin(t), np.cos(t)]])
    normal = np.array([[-np.cos(t), np.sin(t)]])
    direction = alpha * point + beta * normal
    problem = Problem(teacher, np.ones(1), np.ones(1))
    step = 1e-5
    ahead, behind = (float_hessian(problem, point + s * direction) for s in (step, -step))
    third = direction.ravel() @ (ahead - behind) @ direction.ravel() / (2 * step)
    kappa = 3 * np.sqrt(3) / (4 * np.pi)
    assert abs(abs(third) - kappa) < 1e-8
    assert abs(bounds(problem, point, 0.0)[0] - kappa) < 1e-12


def test_bound_is_sharper_than_the_published_program():
    """B = n(√2(n − 1)(w_max + w_min) + k v_max)/(π w_min²) there, for all weights 1."""
    rng = np.random.default_rng(0)
    for size in (2, 6, 10):
        point = rng.normal(size=(size, size)) / np.sqrt(size)
        norms = np.linalg.norm(point, axis=1)
        radius = 0.1 * norms.min()
        high, low = norms.max() + radius, norms.min() - radius
        published = size * (np.sqrt(2) * (size - 1) * (high + low) + size) / (np.pi * low**2)
        ones = np.ones(size)
        assert bounds(Problem(np.eye(size), ones, ones), point, radius)[0] < published


def test_no_bound_is_given_where_a_neuron_may_be_zero():
    size = Sizes([arb(1), arb(1)], [arb(2), arb(1)], arb(1))
    assert hessian_lipschitz(size, arb(1)).is_nan()
    assert hessian_norm(size, arb(1)).is_nan()
    assert hessian_lipschitz(size, arb(0.5)).is_finite()


@pytest.mark.parametrize("seed", range(20))
def test_steepest_change_of_the_hessian_stays_below_the_bound(seed):
    """Climb |D³F[p, p, p]| from a random p, by eigenvectors of the derivative along p."""
    rng = np.random.default_rng(seed)
    n, k, d = rng.integers(1, 5), rng.integers(1, 5), rng.integers(1, 6)
    point = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-1, 1, (n, 1))
    teacher = rng.normal(size=(k, d)) * 10.0 ** rng.uniform(-1, 1, (k, 1))
    teacher[0] = rng.choice([-1, 1]) * point[0] + 10.0 ** -rng.uniform(0, 3) * rng.normal(size=d)
    problem = Problem(teacher, rng.normal(size=k), rng.normal(size=n))
    lipschitz = bounds(problem, point, 0.0)[0]
    step = 1e-5 * np.min(np.linalg.norm(point, axis=1))
    direction = rng.normal(size=(n, d))
    direction /= np.linalg.norm(direction)
    for _ in range(12):
        ahead, behind = (float_hessian(problem, point + s * direction) for s in (step, -step))
        change, vectors = np.linalg.eigh((ahead - behind) / (2 * step))
        steepest = np.argmax(np.abs(change))
        assert np.abs(change[steepest]) <= lipschitz * (1 + 1e-4)
        direction = vectors[:, steepest].reshape(n, d)
