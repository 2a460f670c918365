"""Clopper–Pearson intervals against scipy's and against their definition."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from landscape_jax.theory.overspecification import clopper_pearson


def test_interval_is_scipys():
    for s, t, level in [(0, 7, 0.95), (3, 7, 0.9), (7, 7, 0.95), (4321, 10_000, 0.99), (0, 1, 0.5)]:
        low, high = binomtest(s, t).proportion_ci(level, "exact")
        found = clopper_pearson(s, t, confidence=level)
        # scipy solves for the ends to about 1e-12.
        assert np.allclose([found.low, found.high], [low, high], rtol=1e-9, atol=1e-12)
        assert found.estimate == s / t


def test_interval_misses_in_at_most_the_stated_share():
    t = 40
    found = clopper_pearson(np.arange(t + 1), t)
    for p in np.linspace(0, 1, 101):
        missed = (found.low > p) | (found.high < p)
        assert binom.pmf(np.arange(t + 1), t, p)[missed].sum() <= 0.05 + 1e-12


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((3, 2, 0.95), "0 ≤ successes ≤ trials"),
        ((-1, 2, 0.95), "0 ≤ successes ≤ trials"),
        ((0, 0, 0.95), "trials ≥ 1"),
        ((np.array([0.5]), 2, 0.95), "whole numbers"),
        ((1, 2, 1.0), "between 0 and 1"),
        ((1, 2, np.array(np.nan)), "between 0 and 1"),
    ],
)
def test_nonsense_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        clopper_pearson(*given[:2], confidence=given[2])
