"""SIGKILL at random moments loses nothing, and changes nothing in the end."""

import pytest
from kills import WORKS, campaign


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kills"), list(zip(WORKS, (4, 3, 3), strict=True)))
def test_killed_works_end_with_the_results_of_whole_ones(tmp_path, name, kills):
    assert campaign(name, kills, tmp_path, steps=6000)["kills"] == kills
