"""Descents end at listed losses, on data with repeated labels too: smooth kinks are listed."""

import jax.numpy as jnp
import numpy as np
import pytest
from flint import fmpq

import landscape_jax as lj
from landscape_jax.theory.cells import descend_exactly, examine, landscape


def with_bias(*columns):
    return np.column_stack([*columns, np.ones(len(columns[0]), int)])


def test_a_spurious_minimum_on_a_smooth_kink_is_listed():
    x, y = with_bias(np.arange(-2, 3)), np.array([0, 0, 1, 0, 2])
    found = landscape(x, y, 1)
    others = {m.loss for m in (*found.differentiable_minima, *found.nondifferentiable_minima)}
    assert others == {0.2, 1.0}
    (smooth,) = found.smooth_kinks
    # Output ½ [t + 1]₊, with the sample −1 on its hyperplane and no error there.
    assert (smooth.loss, smooth.kinks, smooth.differentiable) == (0.3, ((1,),), True)
    assert smooth.R.entries() == [fmpq(1, 2)] * 2
    seen = examine(x, y, lj.TwoLayer(jnp.array([[0.5, 0.5]]), jnp.array([[1.0]])))
    assert (seen.kind, seen.kinks) == ("minimum", ((1,),))
    assert seen.loss == pytest.approx(0.3, rel=1e-15)


def check(x, y, width, rng, starts=12):
    """All ends of descents are at listed losses, and smooth kinks are minima of other losses."""
    found = landscape(x, y, width)
    minima = *found.differentiable_minima, *found.nondifferentiable_minima
    listed = [m.loss for m in (*minima, *found.smooth_kinks)]
    z, w = rng.normal(size=(starts, width)), rng.normal(size=(starts, width, x.shape[1]))
    ends = descend_exactly(x.astype(float), y.astype(float), z, w, max_steps=500)
    every = [*listed, *(s.loss for s in found.saddles)]
    for value, status in zip(ends.value, ends.status, strict=True):
        # A descent that rounding ends is near a listed point too.
        losses = np.array(listed if status == "minimum" else every)
        level = 1e-6 if status == "unfinished" else 1e-9
        assert np.min(np.abs(losses - value)) < level * np.mean(y**2 + 1)
        assert value >= found.global_loss - 1e-12
    for smooth in found.smooth_kinks:
        assert smooth.differentiable
        assert any(smooth.kinks)
        assert smooth.loss not in [m.loss for m in minima]
        seen = examine(x, y, smooth.network, perturbations=0)
        assert (seen.kind, seen.differentiable) == ("minimum", True)
    smooth_losses = [m.loss for m in found.smooth_kinks]
    assert len(set(smooth_losses)) == len(smooth_losses)
    return bool(smooth_losses)


def draw(kind, seed):
    """A line, or a grid of two inputs, with a bias, and labels 0, 1 and 2."""
    rng = np.random.default_rng([kind, seed])
    line = np.arange(-2, 3)
    grid = [np.array(column) for column in ((0, 1, 2, 0, 1), (0, 0, 0, 1, 1))]
    x = with_bias(line) if kind < 2 else with_bias(*grid)
    return x, rng.integers(0, 3, 5), 2 if kind == 1 else 1, rng


def test_descents_on_a_line_end_at_listed_losses():
    assert sum(check(*draw(0, seed)) for seed in range(6)) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "problems", "least"), [(0, 100, 2), (1, 6, 0), (2, 40, 1)])
def test_descents_on_many_grids_end_at_listed_losses(kind, problems, least):
    assert sum(check(*draw(kind, seed)) for seed in range(6, problems + 6)) >= least
