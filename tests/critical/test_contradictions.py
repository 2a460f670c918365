"""No kind contradicts what is proven of the point: a part of `benchmarks/kinds.py`."""

import pytest
from kinds import SHAPES, examine


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES[2:24:8])
def test_kinds_of_random_teachers_agree_with_their_proofs(shape):
    found = examine(shape, 4, seed=1)
    assert found["contradictions"] == []
    assert sum(found["kinds"].values()) > 12
    assert {"global", "undecided"} <= set(found["kinds"])
