"""SS16: the basin values of random starts, and the shares of good ones."""

import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.studies import ss16
from landscape_jax.studies.ss16 import start_basins as basins
from landscape_jax.theory.overspecification import clopper_pearson, singleton_basin_values

# One shape for all quick tests: it compiles once.
X, Y = np.array([[1.0, 1.0], [0.5, 1.0]]), np.array([1.0, -2.0])


def test_a_share_counts_what_is_certain_and_its_interval_allows_for_the_rest():
    value, gap = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.5, 1.5, 0.0])
    found = ss16.share_at_most(value, gap, 1.5)
    assert (found.below, found.undecided) == (1, 2)
    assert float(found.share.estimate) == 0.25
    assert float(found.share.low) == float(clopper_pearson(1, 4).low)
    assert float(found.share.high) == float(clopper_pearson(3, 4).high)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_bounds_that_are_nan_are_refused(at):
    given = [np.ones(2), np.zeros(2), 1.0]
    given[at] = given[at] * np.nan
    with pytest.raises(ValueError, match="value, gap or level has NaN; give bounds that hold"):
        ss16.share_at_most(*given)


def test_levels_left_out_are_rounded_shares_of_the_value_at_zero_each_once():
    assert ss16.default_levels(Y) == (0.025, 0.25, 1.25)
    assert ss16.default_levels(np.array([1.0, 0.12345])) == (0.005076, 0.05076, 0.2538)
    assert ss16.default_levels(np.zeros(3)) == (0.0,)


def test_a_start_whose_solver_fails_is_on_neither_side(monkeypatch):
    solve = basins.basin_values

    def failing(*arguments, **options):
        found = solve(*arguments, **options)
        return found._replace(value=found.value.at[1].set(np.nan))

    monkeypatch.setattr(basins, "basin_values", failing)
    found = ss16.distribution(X, Y, [1], 3, eps=[2.4, 2.6])
    assert found.solved.values.tolist() == [[True, False, True]]
    assert (found.value[0, 1], found.gap[0, 1]) == (2.5, 2.5)
    assert found.undecided.values.tolist() == [[1, 0]]
    assert float(found.worst_gap[0]) == 2.5


def test_more_starts_do_not_change_a_start(monkeypatch):
    monkeypatch.setattr(basins, "_CHUNK", 3)
    few, many = (ss16.basins_of_starts(X, Y, 1, count, seed=7) for count in (3, 6))
    np.testing.assert_array_equal(few.W, many.W[:3])
    np.testing.assert_array_equal(few.v, many.v[:3])


def test_chunks_are_of_one_shape_and_hold_every_start_once(monkeypatch):
    monkeypatch.setattr(basins, "_CHUNK", 3)
    seen = []
    whole = ss16.basins_of_starts(X, Y, 1, 3)
    twice = jnp.array([0, 0, 1, 1, 2])
    monkeypatch.setattr(basins, "initial_weights", lambda *a, **k: (whole.W[twice], whole.v[twice]))
    found = ss16.basins_of_starts(X, Y, 1, 5, progress=lambda *done: seen.append(done))
    np.testing.assert_array_equal(found.value, np.repeat(whole.value, [2, 2, 1]))
    assert seen == [(3, 5), (5, 5)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "widths is \\[\\]; give one or more different whole numbers of at least 1"),
        (([2, 2],), "widths is \\[2, 2\\]; give one or more different"),
        (([0],), "widths is \\[0\\]; give one or more"),
        (([10**15], 3), "3 starts of 1000000000000000 neurons may need .* GiB of memory"),
        (([1], 0), "width, starts, seed are 1, 0, 0; give at least 1, 1 and 0"),
    ],
)
def test_sizes_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ss16.distribution(X, Y, *arguments)


@pytest.mark.parametrize("eps", [[], [-0.1], [np.nan], [np.inf], [1.0, 1.0]])
def test_levels_that_are_none_are_refused(eps):
    with pytest.raises(ValueError, match="give one or more different finite numbers of at least 0"):
        ss16.distribution(X, Y, [1], 3, eps=eps)


def test_labels_whose_squares_are_infinite_are_refused():
    with pytest.raises(ValueError, match="mean square that is not finite; scale the labels down"):
        ss16.distribution(X, Y * 1e200, [1], 3)
    with pytest.raises(ValueError, match="mean square that is not finite"):
        ss16.value_at_zero(np.full(3, 1e154))


@pytest.mark.slow
def test_basin_values_of_singletons_are_those_in_closed_form():
    import jax

    from landscape_jax.theory.overspecification import singleton_data

    x, y = singleton_data(jax.random.key(3), 2, 3)
    for width in (5, 7):
        found = ss16.basins_of_starts(x, y, width, 300, seed=1)
        exact = np.asarray(singleton_basin_values(x, y, found.W, found.v))
        rounding = 1e-13 * float(np.mean(np.asarray(y) ** 2))
        assert (found.solved | found.bounded).all()
        assert (exact <= found.value + rounding).all()
        assert (exact >= found.value - found.gap - rounding).all()
