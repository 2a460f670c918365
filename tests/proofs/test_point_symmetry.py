"""The isotropy of a point: by inner products, in any coordinates, order and scale."""

import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.proofs.blocks import Blocks, dense, matched
from tests.proofs.helpers import make_risk

GROUPS = [
    ((1, 6), (1, 6)), ((2, 3), (2, 3)), ((2, 2), (2, 2)), ((3, 4, 1), (3, 4)), ((2, 1), (2, 5)),
    ((1, 1), (3, 4)), ((5, 5, 10), (5, 5, 10)), ((1, 1, 1), (1, 1, 1)), ((1, 1, 1), (1, 1)),
]  # fmt: skip


def _point(students, teachers, seed=0):
    blocks = Blocks(
        students,
        teachers,
        matched(students, teachers),
        (1.0,) * len(students),
        (1.0,) * len(teachers),
    )
    return dense(blocks, np.random.default_rng(seed).normal(size=len(blocks.unknowns)).tolist())


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_blocks_are_found_in_any_order_rotation_and_scale(group, scale):
    W = _point(*group)
    n, k = W.shape
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(n), rng.permutation(k)
    rotation = np.linalg.qr(rng.normal(size=(k + 2, k + 2)))[0][:k]
    found = lj.isotropy(make_risk(scale * rotation), scale * W[rows][:, columns] @ rotation)
    assert [sorted(sizes) for sizes in found.sizes] == [sorted(sizes) for sizes in group]
    assert found.moved < 1e-12 * scale * np.linalg.norm(W)
    orbit_of = {i: o for o, orbit in enumerate(found.blocks) for i in orbit}
    assert sorted(orbit_of) == list(range(n))


def test_a_representative_is_exactly_symmetric_and_close():
    W = _point((2, 4), (2, 4))
    noise = 1e-9 * np.random.default_rng(2).normal(size=W.shape)
    found = lj.isotropy(make_risk(np.eye(6)), W + noise)
    assert np.abs(found.representative - W).max() < 3e-9
    assert 0 < found.moved <= np.linalg.norm(noise)
    again = lj.isotropy(make_risk(np.eye(6)), found.representative)
    assert again.moved < 1e-15


def test_neurons_of_other_second_layers_share_no_orbit():
    W = _point((5,), (5,))
    a = np.array([1.0, 1.0, 1.0, 2.0, 2.0])
    found = lj.isotropy(make_risk(np.eye(5), student_weights=a), W)
    assert [sorted(sizes) for sizes in found.sizes] == [[2, 3], [2, 3]]
    b = np.array([1.0, 1.0, 3.0, 3.0, 3.0])
    found = lj.isotropy(make_risk(np.eye(5), teacher_weights=b), W)
    assert [sorted(sizes) for sizes in found.sizes] == [[2, 3], [2, 3]]


def test_teachers_of_equal_norms_and_angles_are_permuted_like_orthonormal_ones():
    # V = I + c 11ᵀ has equal norms and angles; W = x V inherits the symmetry of x.
    x = _point((2, 4), (2, 4))
    teacher = np.eye(6) + 0.3
    assert sorted(lj.isotropy(make_risk(teacher), x @ teacher).sizes[0]) == [2, 4]
    uneven = np.diag([1.0, 1.0, 1.0, 1.0, 1.0, 2.0])
    assert sorted(lj.isotropy(make_risk(uneven), x @ uneven).sizes[0]) == [1, 2, 3]


def test_equal_students_are_an_orbit_alone_and_degenerate():
    W = np.array([[0.3, 0.3, 0.3], [0.3, 0.3, 0.3], [1.0, 0.1, 0.1]])
    found = lj.isotropy(make_risk(np.eye(3)), W)
    assert found.degenerate
    assert found.blocks[found.match.index(None)] == (0, 1)
    assert not lj.isotropy(make_risk(np.eye(3)), _point((1, 2), (1, 2))).degenerate


def test_a_cyclic_symmetry_is_no_product_of_symmetric_groups():
    first = np.array([0.9, 0.3, -0.2, 0.1, 0.5])
    W = np.array([np.roll(first, i) for i in range(5)])
    assert lj.isotropy(make_risk(np.eye(5)), W).sizes == ((1,) * 5, (1,) * 5)


MISTAKES = [
    ({"W": [[1, 2]]}, TypeError, "W has dtype int64"),
    ({"W": [[np.nan, 1.0]]}, ValueError, "W must be finite, and tolerance between 0 and 1"),
    ({"W": [[1.0, 1.0]], "tolerance": 2.0}, ValueError, "tolerance between 0 and 1"),
    ({"W": [[1.0, 1.0, 1.0]]}, ValueError, "W has neurons in R\\^3"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), MISTAKES)
def test_what_does_not_fit_is_refused_by_name(arguments, error, message):
    with pytest.raises(error, match=message):
        lj.isotropy(make_risk(np.eye(2)), **arguments)
