"""SIGKILL at random moments loses nothing, and changes nothing in the end.

A part of `benchmarks/kills.py`, which kills a hundred times.  That the same holds on workers of
Dask, of which one is killed and then the client, is shown in `test_executors.py`.
"""

import pytest
from kills import campaign


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kills"), [("table", 2), ("sweep", 1)])
def test_killed_works_end_with_the_results_of_whole_ones(tmp_path, name, kills):
    # The moments of this seed are late, when there is something to lose.
    assert campaign(name, kills, tmp_path, seed=28, steps=3000)["kills"] == kills
    left = [p.name for p in tmp_path.rglob("out/**/.*")]
    assert set(left) <= {".landscape-jax-lock"}
