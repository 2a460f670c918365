from itertools import permutations

import numpy as np
import pytest

from landscape_jax.critical.refinement import clusters, refine, scramble, search


def pair(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the edges and uniform vertex colours of two graphs."""
    return scramble(np.stack([A, B])), np.zeros((2, len(A)), np.int64)


def forced(A: np.ndarray, B: np.ndarray):
    """Accept exactly the isomorphisms, at leaves alone, so that the search has to backtrack."""
    graphs = A, B

    def accept(sides, colours):
        if len(np.unique(colours[0])) < len(A):
            return None
        match = np.argsort(colours[1])[np.argsort(np.argsort(colours[0]))]
        first, second = (graphs[side] for side in sides)
        return match if np.array_equal(second[np.ix_(match, match)], first) else None

    return accept


def isomorphic(A: np.ndarray, B: np.ndarray) -> bool:
    return any(np.array_equal(B[np.ix_(p, p)], A) for p in map(list, permutations(range(len(A)))))


def test_clusters_are_parted_by_gaps_alone():
    values = np.array([[3.0, 1.0 + 1e-9], [1.0, 1.0 + 2e-9]])
    assert clusters(values, 1.1e-9).tolist() == [[1, 0], [0, 0]]
    assert clusters(values, 0.9e-9).tolist() == [[3, 1], [0, 2]]
    assert clusters(np.zeros((0, 2)), 1.0).shape == (0, 2)


def test_refinement_tells_degrees_apart():
    path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    colours = refine(*pair(path, path[[1, 0, 2]][:, [1, 0, 2]]))
    assert colours is not None
    assert colours[0, 0] == colours[0, 2] == colours[1, 1] != colours[0, 1] == colours[1, 0]
    triangle = 1 - np.eye(3, dtype=np.int64)
    assert refine(*pair(path, triangle)) is None


@pytest.mark.parametrize("seed", range(40))
def test_the_search_finds_an_isomorphism_exactly_where_there_is_one(seed: int):
    rng = np.random.default_rng(seed)
    A = np.triu(rng.integers(0, 2, (6, 6)), 1)
    order = rng.permutation(6)
    A = A + A.T
    B = A[np.ix_(order, order)]
    if seed % 2:
        i, j = rng.choice(6, 2, replace=False)
        B[i, j] = B[j, i] = 1 - B[i, j]
    found = search(*pair(A, B), forced(A, B))
    assert (found is not None) == isomorphic(A, B)


def test_backtracking_parts_a_6_cycle_from_two_triangles():
    cycle = np.roll(np.eye(6, dtype=np.int64), 1, 0)
    cycle = cycle + cycle.T
    triangles = np.kron(np.eye(2, dtype=np.int64), 1 - np.eye(3, dtype=np.int64))
    assert refine(*pair(cycle, triangles)) is not None
    assert search(*pair(cycle, triangles), forced(cycle, triangles)) is None
    assert search(*pair(triangles, triangles), forced(triangles, triangles)) is not None


def test_many_interchangeable_vertices_do_not_multiply_the_search():
    cycle = np.roll(np.eye(6, dtype=np.int64), 1, 0)
    triangles = np.kron(np.eye(2, dtype=np.int64), 1 - np.eye(3, dtype=np.int64))
    A, B = (np.pad(x, (0, 5)) for x in (cycle + cycle.T, triangles))
    assert search(*pair(A, B), forced(A, B)) is None
