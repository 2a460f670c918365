"""The hybrid search begins again what escapes, keeps the rest, and says how often it acted."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.search import hybrid

KEY = jax.random.key(4)
OPTIONS = {"escape_limit": 50.0, "finish": False}


class Slope(lj.AbstractObjective):
    """(x − 1)², and left of −2 a slope without end."""

    def __call__(self, params):
        return jnp.where(params < -2, 11 + params, (params - 1) ** 2)[0]

    def escape(self, params):
        return jnp.abs(params[0])


def start(key):
    return 8 * jax.random.normal(key, (1,))


@pytest.fixture(scope="module")
def found():
    return hybrid(Slope(), start, 16, key=KEY, **OPTIONS)


def test_every_run_ends_in_the_valley_and_those_that_escaped_began_again(found):
    plain = lj.restart(Slope(), start, 16, key=KEY, **OPTIONS)
    assert plain.is_escaping.sum() >= 5
    np.testing.assert_array_equal(found.begun_again > 0, plain.is_escaping)
    assert found.runs.summary() == {"converged": 16}
    np.testing.assert_array_equal(found.runs.restart_index, np.arange(16))
    kept = ~plain.is_escaping
    np.testing.assert_array_equal(
        np.asarray(found.runs.params)[kept], np.asarray(plain.params)[kept]
    )


def test_a_restart_ends_the_same_whatever_the_others(found):
    some = np.array([15, 3, *np.flatnonzero(found.begun_again > 1)[:2]])
    alone = hybrid(Slope(), start, some, key=KEY, **OPTIONS)
    np.testing.assert_array_equal(alone.begun_again, found.begun_again[some])
    np.testing.assert_array_equal(alone.runs.restart_index, some)
    np.testing.assert_allclose(alone.runs.params, np.asarray(found.runs.params)[some], atol=1e-12)


def test_what_still_escapes_after_the_last_round_says_so(found):
    once = hybrid(Slope(), start, 16, key=KEY, rounds=1, **OPTIONS)
    assert once.begun_again.max() == 1
    np.testing.assert_array_equal(once.runs.is_escaping, found.begun_again > 1)
    none = hybrid(Slope(), start, 16, key=KEY, rounds=0, **OPTIONS)
    assert none.begun_again.sum() == 0
    assert none.runs.is_escaping.any()


def test_rounds_must_not_be_negative():
    with pytest.raises(ValueError, match="rounds is -1; it must be at least 0"):
        hybrid(Slope(), start, 3, key=KEY, rounds=-1)


def test_starts_with_added_neurons_are_equal_where_their_parts_are():
    nets = lj.starts.network(lj.TwoLayer, (3, 4, 2))
    one, two = (lj.starts.augmented(nets, 2, 3, scale=0.3) for _ in range(2))
    assert one == two
    # One after another: a batch of so many compiles for long.
    drawn = jax.lax.map(one, jax.random.split(KEY, 2000))
    assert drawn.network.W1.shape == (2000, 4, 3)
    for part, shape in ((drawn.a, (2,)), (drawn.b, (2,)), (drawn.w, (2, 3))):
        assert part.shape == (2000, *shape)
        # 4,000 numbers or more: the deviation's standard error is 0.3/√8000.
        assert abs(float(part.std()) - 0.3) < 5 * 0.3 / np.sqrt(8000)
    assert lj.starts.augmented(None, 2, 3)(KEY).network is None
    with pytest.raises(ValueError, match="outputs is 0; it must be at least 1"):
        lj.starts.augmented(nets, 0, 3)
    with pytest.raises(ValueError, match="scale is 0; it must be a positive number"):
        lj.starts.augmented(nets, 2, 3, scale=0)
