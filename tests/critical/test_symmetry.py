import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.critical.symmetry import Group, align, default_tolerance
from landscape_jax.networks.activations import named
from landscape_jax.objectives.base import Symmetry
from landscape_jax.objectives.isometries import population_symmetry
from landscape_jax.objectives.population import PopulationRisk
from tests.critical.groups import CASES, Case

ALL = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
SCALE = 1e-6


def orthonormal(n: int) -> Symmetry:
    return Symmetry(np.ones(n), np.eye(n), np.ones(n), np.ones(n))


def graph(*cycles: int) -> np.ndarray:
    """Return the adjacency matrix of disjoint cycles: regular graphs, alike under refinement."""
    size, start = sum(cycles), 0
    A = np.zeros((size, size))
    for length in cycles:
        ring = start + np.arange(length)
        A[ring, np.roll(ring, 1)] = A[np.roll(ring, 1), ring] = 1
        start += length
    return A


def relabelled(W: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return W[rng.permutation(len(W))][:, rng.permutation(W.shape[1])]


@ALL
def test_a_random_element_of_the_group_is_found(case: Case):
    rng = np.random.default_rng(0)
    W = case.point(rng)
    group = Group.of(case.symmetry)
    for member in case.orbit(W, 200, rng):
        found = group.align(W, member, SCALE)
        assert found is not None
        assert found.residual < 1e-12
        np.testing.assert_allclose(found(member), W, atol=1e-12)
        np.testing.assert_allclose(found.isometry @ found.isometry.T, np.eye(case.dim), atol=1e-12)


@ALL
def test_every_element_found_leaves_the_value_alone(case: Case):
    rng = np.random.default_rng(1)
    W, other = case.point(rng), case.point(rng)
    group = Group.of(case.symmetry)
    found = [group.align(W, member, SCALE) for member in case.orbit(W, 50, rng)]
    moved = np.stack([g(other) for g in found if g is not None])
    first, *values = jax.jit(jax.vmap(case.risk))(jnp.array([other, *moved])).tolist()
    np.testing.assert_allclose(values, first, rtol=1e-12)
    labels = case.symmetry.labels
    assert all(np.array_equal(labels[g.permutation], labels) for g in found if g is not None)


@ALL
def test_points_ten_tolerances_apart_are_never_the_same(case: Case):
    rng = np.random.default_rng(2)
    W = case.point(rng)
    for member in case.orbit(W, 50, rng):
        away = rng.standard_normal(W.shape)
        away *= 10 * SCALE * np.linalg.norm(W) / np.linalg.norm(away)
        if case is CASES["less than the whole space"]:
            away[:, 3:] = 0
        assert align(case.symmetry, W, member + away, tolerance=SCALE) is None


@ALL
def test_points_half_a_tolerance_apart_are_always_the_same(case: Case):
    rng = np.random.default_rng(3)
    W = np.round(case.point(rng))
    for member in case.orbit(W, 200, rng):
        away = rng.standard_normal(W.shape)
        away *= 0.5 * SCALE * np.linalg.norm(W) / np.linalg.norm(away)
        assert align(case.symmetry, W, member + away, tolerance=SCALE) is not None


@ALL
def test_maps_outside_the_group_are_refused(case: Case):
    rng = np.random.default_rng(4)
    W = case.point(rng)
    turn = np.linalg.qr(rng.standard_normal((case.dim, case.dim)))[0]
    assert align(case.symmetry, W, W @ turn.T) is None
    assert align(case.symmetry, W, 1.01 * W) is None
    assert align(case.symmetry, W, np.abs(W)) is None


def test_teachers_of_different_norm_are_not_exchanged():
    risk = PopulationRisk(jnp.diag(jnp.array([1.0, 1.0, 2.0])))
    W = np.random.default_rng(0).standard_normal((3, 3))
    symmetry = risk.known(jnp.array(W)).symmetry
    assert isinstance(symmetry, Symmetry)
    assert align(symmetry, W, W[:, [1, 0, 2]]) is not None
    assert align(symmetry, W, W[:, [0, 2, 1]]) is None


def test_a_flipped_sign_is_refused_for_an_orthonormal_teacher():
    W = np.random.default_rng(0).standard_normal((4, 4))
    assert align(orthonormal(4), W, W @ np.diag([-1.0, 1, 1, 1])) is None
    assert align(orthonormal(4), W, -W) is None


def test_three_teachers_at_120_degrees_do_not_tell_a_point_from_its_negative():
    case = CASES["three at 120 degrees"]
    W = case.point(np.random.default_rng(0))
    found = align(case.symmetry, W, -W)
    assert found is not None
    np.testing.assert_allclose(found.isometry, -np.eye(2), atol=1e-12)
    np.testing.assert_allclose(case.risk(jnp.array(W)), case.risk(jnp.array(-W)), rtol=1e-12)


def test_neurons_of_different_second_layer_weight_are_not_exchanged():
    symmetry = Symmetry(np.array([1.0, 1, -1]), np.eye(3), np.ones(3), np.ones(3))
    W = np.random.default_rng(0).standard_normal((3, 3))
    assert align(symmetry, W, W[[1, 0, 2]]) is not None
    assert align(symmetry, W, W[[0, 2, 1]]) is None


@pytest.mark.parametrize(
    "W",
    [
        np.ones((12, 12)),
        np.zeros((12, 12)),
        np.eye(12),
        0.3 + np.eye(12),
        np.pad(np.ones((5, 5)), (0, 7)) + np.diag(np.repeat([0.1, 1.0], 6)),
    ],
    ids=["ones", "zeros", "identity", "identity and constant", "blocks"],
)
def test_a_symmetric_point_is_found_under_any_relabelling(W: np.ndarray):
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert align(orthonormal(12), W, relabelled(W, rng)) is not None


@pytest.mark.parametrize(
    ("first", "second"),
    [((6,), (3, 3)), ((8,), (3, 5)), ((4, 4), (3, 5)), ((20,), (10, 10)), ((3, 3, 4), (10,))],
)
def test_regular_graphs_are_the_same_point_exactly_when_isomorphic(first, second):
    rng = np.random.default_rng(0)
    # The diagonal ties each neuron to its line, so that the group acts by relabelling the graph.
    A, B = (graph(*cycles) + 5 * np.eye(sum(cycles)) for cycles in (first, second))
    for _ in range(10):
        assert align(orthonormal(len(A)), A, relabelled(A, rng)) is not None
        assert align(orthonormal(len(A)), B, relabelled(B, rng)) is not None
        assert align(orthonormal(len(A)), A, relabelled(B, rng)) is None


def test_a_6_cycle_and_two_triangles_are_one_point_when_rows_and_columns_move_apart():
    # Both matrices are the biadjacency of two 6-cycles.
    assert align(orthonormal(6), graph(6), graph(3, 3)) is not None


def test_values_on_a_rounding_boundary_do_not_split_a_family():
    W = np.full((6, 6), 0.5) + np.diag(np.arange(6.0))
    noise = 1e-10 * np.random.default_rng(0).choice([-1.0, 1.0], size=(20, 6, 6))
    assert all(align(orthonormal(6), W + up, W - up) is not None for up in noise)


def test_a_member_in_single_precision_is_aligned_at_its_own_accuracy():
    W = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    noise = 1e-4 * np.random.default_rng(1).standard_normal((8, 8)).astype(np.float32)
    member = (W + noise)[::-1, ::-1]
    assert align(orthonormal(8), W, member) is not None
    assert align(orthonormal(8), W.astype(np.float64), member.astype(np.float64)) is None
    assert default_tolerance(np.dtype(np.float32)) == pytest.approx(2.5e-3, rel=0.05)


def test_a_group_without_lines_contains_all_rotations():
    rng = np.random.default_rng(0)
    symmetry = Symmetry(np.ones(4), np.zeros((0, 3)), np.zeros(0), np.zeros(3))
    W = rng.standard_normal((4, 3))
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert align(symmetry, W, W[::-1] @ turn.T) is not None
    assert align(symmetry, W, 1.1 * W) is None


def test_fifty_neurons_are_aligned():
    rng = np.random.default_rng(0)
    W = 0.02 + np.eye(50)
    W[:10, :10] += 0.3
    assert align(orthonormal(50), W, relabelled(W, rng)) is not None


@pytest.mark.parametrize(
    ("representative", "member", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 3)), r"representative has shape \(2, 3\).*\(3, 3\)"),
        (np.zeros((3, 3)), np.zeros((3, 2)), r"member has shape \(3, 2\).*\(3, 3\)"),
        (np.zeros((3, 3)), np.full((3, 3), np.nan), "member has entries that are not finite"),
    ],
)
def test_points_that_do_not_fit_are_refused_in_words(representative, member, message):
    with pytest.raises(ValueError, match=message):
        align(orthonormal(3), representative, member)


def near_parallel(gap: float) -> Symmetry:
    """Return the group of three teachers around one axis, at a triangle's corners `gap` wide."""
    corners = gap * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]])
    teacher = np.concatenate([np.ones((3, 1)), corners], axis=1)
    teacher /= np.linalg.norm(teacher, axis=1, keepdims=True)
    symmetry = population_symmetry(named("relu"), teacher, np.ones(3), np.ones(1))
    assert isinstance(symmetry, Symmetry)
    return symmetry


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-8, 1e-10, 1e-12])
def test_nearly_parallel_teachers_do_not_part_a_point_from_itself(gap: float):
    W = np.random.default_rng(0).normal(size=(1, 3))
    found = align(near_parallel(gap), W, W)
    assert found is not None
    assert found.residual < 1e-14


@pytest.mark.parametrize("gap", [1e-6, 1e-8, 3e-9])
def test_nearly_parallel_teachers_have_no_shear_for_a_symmetry(gap: float):
    """A linear map permutes the triangle's corners and W to −W, but it is no isometry."""
    shear = np.array([[-1.0, 0.0], [-1 / 3, 1.0]])
    stretched, axes = np.linalg.eigh(shear.T @ shear - np.eye(2))
    for sign in (1, -1):
        w = axes @ (np.sqrt(np.abs(stretched[::-1])) * [1, sign])
        W, W_ = np.array([[0.0, *(shear @ w)]]), np.array([[0.0, *w]])
        np.testing.assert_allclose(np.linalg.norm(W), np.linalg.norm(W_))
        assert (align(near_parallel(gap), W, W_) is None) == (np.linalg.norm(W - W_) > 1e-6)
