"""The CPU's kernel solves each pattern as numpy and rationals do, whatever is beside it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from landscape_jax.proofs.rationals import nearest, nearest_matrix
from landscape_jax.theory.cells import cell_solutions, exact_cell_solution, least_squares
from landscape_jax.theory.cells.solutions import _solve_in_kernel, _solve_in_xla
from tests.compiler import needs_compiler

pytestmark = needs_compiler
# The last two have fewer samples than columns; some numbers of columns are no multiple of a panel.
SHAPES = [
    (12, 2, 3),
    (50, 5, 4),
    (9, 3, 3),
    (7, 1, 1),
    (1, 1, 1),
    (30, 11, 2),
    (4, 3, 3),
    (1, 2, 3),
]


def problem(shape, count, dtype=float):
    """Give samples, labels, and patterns of all kinds of rank."""
    n, d, width = shape
    rng = np.random.default_rng(n + 10 * d)
    x, y = rng.normal(size=(n, d)).astype(dtype), rng.normal(size=n).astype(dtype)
    patterns = rng.random((count, n, width)) < rng.random((count, 1, width))
    patterns[0] = False
    patterns[1] = True
    patterns[2, :, -1] = patterns[2, :, 0]
    patterns[3, 1:, 0] = False
    patterns[4, :, -1] = False
    return x, y, patterns


in_kernel = jax.jit(_solve_in_kernel, static_argnums=0)


def by_kernel(x, y, patterns, free=None):
    """Give what the kernel finds, for however few patterns."""
    (count, n, width), d = patterns.shape, x.shape[1]
    name = least_squares.target(x.dtype, n, d, width)
    assert name is not None
    free = np.zeros((count, width, d), x.dtype) if free is None else free
    return jax.tree.map(np.asarray, in_kernel(name, x, y, patterns, free))


def table(x, pattern):
    """The matrix A of equation 6."""
    return (pattern[:, :, None] * x[:, None, :]).reshape(len(x), -1)


def agree_with_numpy(x, y, patterns, found):
    """Compare with singular values in float64 of the same data; give the ranks."""
    epsilon, ranks = float(np.finfo(x.dtype).eps), []
    for i, pattern in enumerate(patterns):
        A, labels = table(x, pattern).astype(float), y.astype(float)
        n, columns = A.shape
        U, s, Vt = np.linalg.svd(A, full_matrices=False)
        rank = int(np.sum(s > max(n, columns) * epsilon * s[0]))
        ranks.append(rank)
        assert (int(found.rank[i]), bool(found.unique[i])) == (rank, rank == columns)
        along = U[:, :rank].T @ labels
        R, left = Vt[:rank].T @ (along / s[:rank]), labels - U[:, :rank] @ along
        size = np.linalg.norm(labels)
        if rank == 0:
            assert np.all(found.R[i] == 0)
            assert found.smallest[i] == 0
        else:
            # Factors are those of A and y off by (N + Kd) ε at most; then R is off by κ ‖R‖ and
            # κ² times the residual, relative to ‖A‖ (Björck 1996, theorem 1.4.6).
            off, condition = 2 * (n + columns) * epsilon, s[0] / s[rank - 1]
            terms = condition * np.linalg.norm(R) + condition**2 * np.linalg.norm(left) / s[0]
            terms += size / s[rank - 1]
            assert np.linalg.norm(np.ravel(found.R[i]) - R) <= off * terms
            # An estimate from below of each norm, from its largest column.
            assert 1 - off <= found.smallest[i] * condition <= 3
        # ‖left‖² has the slope 2 ‖left‖; y moves by its own share and A R by that of ‖A‖ ‖R‖.
        moved = 2 * (n + columns) * epsilon * (size + s[0] * np.linalg.norm(R))
        bound = moved * (2 * np.linalg.norm(left) + moved) / n
        np.testing.assert_allclose(found.loss[i], left @ left / n, atol=bound, rtol=0)
    return np.array(ranks)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", SHAPES)
def test_solutions_and_ranks_are_those_of_singular_values(shape, dtype):
    x, y, patterns = problem(shape, 40, dtype)
    found = by_kernel(x, y, patterns)
    assert found.R.dtype == found.loss.dtype == found.smallest.dtype == dtype
    ranks = agree_with_numpy(x, y, patterns, found)
    n, d, width = shape
    assert len(set(ranks)) >= min(n, d * width) / 2


@pytest.mark.parametrize("shape", [(8, 2, 2), (5, 2, 3)])
def test_solutions_and_ranks_are_the_exact_ones_on_data_with_repetitions(shape):
    n, d, width = shape
    rng = np.random.default_rng(3)
    x, y = rng.integers(-3, 4, (n, d)).astype(float), rng.integers(-3, 4, n).astype(float)
    # The same sample three times, and one that is 0.
    x[1] = x[2] = x[0]
    x[3] = 0
    patterns = rng.random((40, n, width)) < rng.random((40, 1, width))
    found, ranks = by_kernel(x, y, patterns), set()
    for i, pattern in enumerate(patterns):
        exact = exact_cell_solution(x, y, pattern)
        ranks.add(exact.rank)
        assert (int(found.rank[i]), bool(found.unique[i])) == (exact.rank, exact.unique)
        # Condition numbers of small whole numbers are at most some hundreds.
        np.testing.assert_allclose(found.R[i], nearest_matrix(exact.R), atol=1e-11)
        np.testing.assert_allclose(found.loss[i], nearest(exact.loss), atol=1e-13)
    assert len(ranks) >= 4


def test_inputs_that_depend_on_one_another_leave_the_rank_of_the_others():
    x, y, patterns = problem((20, 4, 2), 60)
    x[:, 3] = x[:, 0] - 2 * x[:, 1]
    found = by_kernel(x, y, patterns)
    assert np.max(agree_with_numpy(x, y, patterns, found)) == 6
    assert not np.any(found.unique)


@pytest.mark.parametrize("least", [1e-10, 1e-13, 3e-15])
def test_singular_values_near_the_tolerance_are_found_by_rotations(least):
    # One neuron, always active: A = x has the singular values that are put in.
    rng = np.random.default_rng(4)
    U, V = (np.linalg.qr(rng.normal(size=(n, 6)))[0] for n in (30, 6))
    s = np.array([1, 0.3, 1e-3, 1e-3, 1e-8, least])
    x, y, c = (U * s) @ V.T, rng.normal(size=30), rng.normal(size=(3, 1, 6))
    patterns = np.ones((3, 30, 1), bool)
    found, moved = by_kernel(x, y, patterns), by_kernel(x, y, patterns, c)
    tolerance = 30 * np.finfo(float).eps
    rank = 6 if least > tolerance else 5
    np.testing.assert_array_equal(found.rank, rank)
    # Directions of a singular value are off by rounding relative to it.
    off = 2 * tolerance / s[rank - 1]
    left = y - U[:, :rank] @ (U[:, :rank].T @ y)
    np.testing.assert_allclose(found.loss, left @ left / 30, rtol=off)
    expected = c[:, 0] - c[:, 0] @ V[:, :rank] @ V[:, :rank].T
    size = np.max(np.abs(found.R))
    np.testing.assert_allclose((moved.R - found.R)[:, 0], expected, atol=off + 1e-15 * size)
    # Off by the tolerance at most, relative to the largest one; far above it, an estimate.
    expected = least if least > tolerance else 1e-8
    if expected < 1e-11:
        np.testing.assert_allclose(found.smallest, expected, atol=tolerance)
    else:
        assert np.all((found.smallest >= 0.9 * expected) & (found.smallest <= 2 * expected))


@pytest.mark.parametrize("shape", [(12, 2, 3), (4, 3, 3)])
def test_the_free_part_is_projected_on_the_null_space(shape):
    x, y, patterns = problem(shape, 40)
    _, d, width = shape
    c = np.random.default_rng(5).normal(size=(40, width, d))
    plain, moved = by_kernel(x, y, patterns), by_kernel(x, y, patterns, c)
    for i, pattern in enumerate(patterns):
        A = table(x, pattern)
        expected = (np.eye(d * width) - np.linalg.pinv(A, rcond=1e-12) @ A) @ c[i].ravel()
        # κ is some thousands at most.
        np.testing.assert_allclose(np.ravel(moved.R[i] - plain.R[i]), expected, atol=1e-10)
    np.testing.assert_array_equal(moved.R[0], c[0])
    np.testing.assert_array_equal(plain.loss, moved.loss)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((50, 5, 4), np.float64), ((12, 2, 3), np.float32), ((4, 3, 3), np.float64)],
)
def test_a_pattern_gets_the_same_bits_alone_and_among_any_others(shape, dtype):
    x, y, patterns = problem(shape, 700, dtype)
    # Rotations too, of a few: a nearly dependent input.
    x[:, -1] = x[:, 0] * (1 + 4 * np.finfo(dtype).eps * np.arange(len(x)))
    c = np.random.default_rng(6).normal(size=(700, shape[2], shape[1])).astype(dtype)
    together = by_kernel(x, y, patterns, c)
    for some in ([1], [2], [57], [699], list(range(100, 0, -1))):
        apart = by_kernel(x, y, patterns[some], c[some])
        for whole, part in zip(together, apart, strict=True):
            np.testing.assert_array_equal(whole[some], part)


def test_what_is_not_finite_spoils_nothing_but_its_own():
    x, y, patterns = problem((12, 2, 3), 40)
    c = np.zeros((40, 3, 2))
    usual = by_kernel(x, y, patterns, c)
    c[2, 1, 1], c[4, 0, 0] = np.nan, np.inf
    spoilt, others = by_kernel(x, y, patterns, c), np.delete(np.arange(40), [2, 4])
    assert not np.isfinite(spoilt.R[2]).all()
    assert not np.isfinite(spoilt.R[4]).all()
    np.testing.assert_array_equal(spoilt.R[others], usual.R[others])
    np.testing.assert_array_equal(spoilt.loss, usual.loss)
    for bad in (np.nan, np.inf):
        for lost in (by_kernel(x * [1, bad], y, patterns), by_kernel(x, y * bad, patterns)):
            assert np.all(np.isnan(lost.R))
            assert np.all(np.isnan(lost.loss))
            assert np.all(np.isnan(lost.smallest))
            assert not np.any(lost.rank)


@pytest.mark.parametrize(("of_x", "of_y"), [(300, 300), (-330, -330), (150, -150), (-150, 150)])
def test_data_of_any_size_are_solved_as_their_multiples_are(of_x, of_y):
    x, y, patterns = problem((12, 2, 3), 40)
    usual = by_kernel(x, y, patterns)
    by_x, by_y = 2.0 ** (3 * of_x), 2.0 ** (3 * of_y)
    scaled = by_kernel(x * by_x, y * by_y, patterns)
    # Powers of two change no digit.
    np.testing.assert_array_equal(scaled.R, usual.R * (by_y / by_x))
    np.testing.assert_array_equal(scaled.rank, usual.rank)
    np.testing.assert_array_equal(scaled.smallest, usual.smallest)


def test_a_pattern_of_tiny_samples_is_solved_beside_one_of_large_ones():
    x, y, patterns = problem((12, 2, 3), 40)
    x[6:] *= 2.0**-700
    patterns[:20, 6:], patterns[20:, :6] = False, False
    agree_with_numpy(x, y, patterns[:20], by_kernel(x, y, patterns[:20]))
    tiny, usual = by_kernel(x, y, patterns[20:]), by_kernel(x * 2.0**700, y, patterns[20:])
    np.testing.assert_array_equal(tiny.R, usual.R * 2.0**700)
    np.testing.assert_array_equal(tiny.rank, usual.rank)


def test_many_patterns_go_to_the_kernel():
    x, y, patterns = problem((9, 2, 3), 600)
    for one, other in zip(cell_solutions(x, y, patterns), by_kernel(x, y, patterns), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(9, 2, 3), (4, 3, 3)])
def test_xla_finds_what_the_kernel_finds(shape):
    x, y, patterns = problem(shape, 600)
    c = np.random.default_rng(7).normal(size=(600, shape[2], shape[1]))
    found, others = by_kernel(x, y, patterns, c), jax.jit(_solve_in_xla)(x, y, patterns, c)
    for one, other in zip(found, others, strict=True):
        assert one.dtype == other.dtype
    np.testing.assert_array_equal(found.rank, others.rank)
    np.testing.assert_array_equal(found.unique, others.unique)
    # κ² ε, with κ of at most some hundreds.
    np.testing.assert_allclose(found.R, others.R, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.loss, others.loss, atol=1e-13)


def test_a_batch_of_problems_is_solved_one_by_one():
    x, y, patterns = problem((9, 2, 3), 40)
    xs, ys = np.stack([x, 2 * x[::-1]]), np.stack([y, -y])
    name = least_squares.target(x.dtype, 9, 2, 3)
    given = jnp.asarray(patterns), jnp.zeros((40, 3, 2))
    batch = jax.vmap(lambda x, y: in_kernel(name, x, y, *given))(xs, ys)
    for i in range(2):
        for whole, one in zip(batch, by_kernel(xs[i], ys[i], patterns), strict=True):
            np.testing.assert_array_equal(whole[i], one)


def test_shapes_too_large_for_the_cache_and_other_types_go_to_xla():
    assert least_squares.target(np.float64, 1000, 10, 10) is None
    assert least_squares.target(np.float64, 10, 100, 10) is None
    assert least_squares.target(np.float64, 0, 2, 2) is None
    assert least_squares.target(np.float64, 5, 2, 0) is None
    assert least_squares.target(np.float16, 5, 2, 2) is None
