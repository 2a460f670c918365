"""Arguments of SS16's data and bounds that are out of range are refused before any work."""

import jax
import numpy as np
import pytest

from landscape_jax.theory.overspecification import (
    cap_probability,
    clustered_data,
    copies,
    initial_weights,
    realizable_data,
    relu_pair,
    share_of_minima,
    singleton_data,
    sphere_network,
    surrogate_loss,
    theorem_5_union_bound,
    value_distribution,
)

KEY, PAIR, MANY = jax.random.key(0), relu_pair(0.1), 2**30


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: value_distribution(PAIR, 10_001), ValueError, "dim is 10001; it must be at most"),
        (lambda: value_distribution(PAIR, 2**63), ValueError, "dim is 9223372036854775808"),
        (lambda: share_of_minima(PAIR, 0.1, 100_001), ValueError, "dims is 100001; give whole"),
        (lambda: cap_probability(np.array("a"), 2), TypeError, "distance is .*; give real numbers"),
        (lambda: theorem_5_union_bound(1, 2, np.ones(2, bool)), TypeError, "p is .*; give real"),
        (lambda: copies(PAIR, MANY), ValueError, "dim 1073741824 may need .* GiB of memory"),
        (
            lambda: initial_weights(KEY, MANY, MANY, 1),
            ValueError,
            "starts × width × inputs may need",
        ),
        (lambda: clustered_data(KEY, 2, MANY, MANY), ValueError, "clusters × per_cluster × inputs"),
        (lambda: realizable_data(KEY, MANY, MANY, 1), ValueError, "samples × inputs may need"),
        (lambda: singleton_data(KEY, MANY, 1), ValueError, "dim² × per_side may need"),
        (
            lambda: sphere_network(KEY, (MANY, MANY, 1)),
            ValueError,
            "a layer of these sizes may need",
        ),
    ],
)
def test_what_is_out_of_range_or_too_large_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_counts_of_the_values_are_binomial_coefficients_and_add_up():
    found = value_distribution(PAIR, 60)
    assert sum(found.counts) == 2**60
    assert found.counts[:3] == (1, 60, 60 * 59 // 2)
    assert found.counts == found.counts[::-1]


def test_a_level_below_the_good_value_has_no_minima_and_one_above_the_bad_value_all():
    assert share_of_minima(PAIR, PAIR.good_value - 1, 7) == 0
    assert share_of_minima(PAIR, PAIR.bad_value + 1, 7) == 1


def test_the_surrogate_of_a_weight_beyond_all_bounds_is_infinite():
    assert surrogate_loss(0.1, 1e200) == float("inf")
