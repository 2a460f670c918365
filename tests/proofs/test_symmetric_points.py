"""Symmetric points: values, spectra by isotypic components, and proofs, beside the dense ones."""

import itertools

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from flint import arb

import landscape_jax as lj
from landscape_jax.exact.working_precision import working_precision
from landscape_jax.proofs import Certificate, NotProven, SymmetricCertificate
from landscape_jax.proofs.balls import midpoints
from landscape_jax.proofs.blocks import Blocks, dense, matched
from landscape_jax.proofs.estimates import float_hessian
from landscape_jax.proofs.isotypic import components
from landscape_jax.proofs.problem import Problem
from landscape_jax.proofs.reduced_risk import ReducedRisk
from landscape_jax.proofs.symmetric_proof import prove_symmetric
from tests.proofs.symmetric_points import POINTS, proven

# Students, teachers; blocks of 1, 2, 3, 4 and more, single neurons, teachers alone.
GROUPS = [
    ((1, 6), (1, 6)), ((2, 3), (2, 3)), ((4, 5, 1), (4, 5)), ((2, 3, 4), (2, 3, 4)),
    ((4, 1, 1), (4, 1, 3)), ((5, 1), (5, 3)), ((3,), (3,)), ((2,), (2,)), ((1, 1), (3, 2)),
    ((2, 2), (2, 2)), ((1, 1, 1), (1, 1, 1)), ((3, 3), (3, 3)), ((6,), (6,)), ((1, 4), (2, 4)),
    ((1, 1, 2, 3), (1, 1, 2, 3)),
]  # fmt: skip


def _random(students, teachers, seed, weights=True):
    """A random point of a fixed space, with weights, and the risk of the dense point."""
    rng = np.random.default_rng(seed)
    a = rng.choice([1.0, -1.5, 0.5], len(students)) if weights else np.ones(len(students))
    b = rng.choice([1.0, 2.0, -0.75], len(teachers)) if weights else np.ones(len(teachers))
    match = matched(students, teachers)
    blocks = Blocks(students, teachers, match, tuple(map(arb, a)), tuple(map(arb, b)))
    x = rng.normal(size=len(blocks.unknowns))
    risk = lj.PopulationRisk(
        jnp.eye(sum(teachers)),
        teacher_weights=jnp.repeat(jnp.array(b), jnp.array(teachers)),
        student_weights=jnp.repeat(jnp.array(a), jnp.array(students)),
    )
    return blocks, x, risk, dense(blocks, x.tolist())


def _matrix(blocks, direction):
    return dense(blocks, [float(direction.get(u, 0)) for u in range(len(blocks.unknowns))])


@pytest.mark.parametrize("group", GROUPS, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_components_are_those_of_the_dense_hessian(group, seed):
    blocks, x, risk, W = _random(group[0], group[1], seed)
    problem = Problem(
        np.asarray(risk.teacher), np.asarray(risk.teacher_weights), np.asarray(risk.student_weights)
    )
    H = float_hessian(problem, W)
    G = np.asarray(lj.gradient(risk, jnp.asarray(W)))
    size = np.abs(H).max()
    found: list[float] = []
    with working_precision(96):
        balls = [arb(value) for value in x]
        assert abs(float(ReducedRisk(blocks, balls).value()) - float(risk(W))) < 1e-11 * size
        for component in components(blocks):
            cut = component.cut
            at = ReducedRisk(cut.fine, cut.lift(balls))
            flat = np.stack([_matrix(cut.fine, e).ravel() for e in component.directions])
            matrix = midpoints(at.hessian(component.directions))
            assert np.abs(flat @ flat.T - np.eye(len(flat))).max() < 1e-12
            assert np.abs(matrix - flat @ H @ flat.T).max() < 1e-11 * size, component.name
            slopes = [float(g) for g in at.gradient(component.directions)]
            assert np.abs(slopes - flat @ G.ravel()).max() < 1e-11 * size
            found += np.repeat(np.linalg.eigvalsh(matrix), component.dimension).tolist()
    assert len(found) == W.size
    assert np.abs(np.sort(found) - np.linalg.eigvalsh(H)).max() < 1e-11 * size


@pytest.mark.slow
def test_thirty_points_have_the_block_spectrum_of_their_dense_hessian():
    count = 0
    for p, q, extra in itertools.product((1, 2, 4, 7), (2, 3, 5, 8), (0, 2)):
        students, teachers = (p, q) + (1,) * extra, (p, q)
        if p != q:
            blocks, x, _, W = _random(students, teachers, count, weights=False)
            n, k = W.shape
            H = float_hessian(Problem(np.eye(k), np.ones(k), np.ones(n)), W)
            with working_precision(96):
                parts = [
                    np.repeat(
                        np.linalg.eigvalsh(
                            midpoints(
                                ReducedRisk(c.cut.fine, c.cut.lift([arb(v) for v in x])).hessian(
                                    c.directions
                                )
                            )
                        ),
                        c.dimension,
                    )
                    for c in components(blocks)
                ]
            dense_spectrum = np.linalg.eigvalsh(H)
            error = np.abs(np.sort(np.concatenate(parts)) - dense_spectrum).max()
            assert error < 1e-11 * np.abs(dense_spectrum).max()
            count += 1
    assert count == 30


@pytest.mark.parametrize("name", POINTS)
def test_points_are_proven_with_their_index_and_verified(name):
    *_, kind, index = POINTS[name]
    proof = proven(name)
    assert (proof.kind, proof.index) == (kind, index)
    check = lj.verify(proof)
    assert check, check.reason
    dense_spectrum = lj.spectrum(_risk(proof), proof.point)
    assert (dense_spectrum < 0).sum() == index
    assert 0 <= dense_spectrum[0] - proof.min_eigenvalue_lower < 1e-9
    assert proof.value_lower <= proof.value_upper
    assert abs(float(_risk(proof)(proof.point)) - proof.value_upper) < 1e-12
    assert np.linalg.norm(lj.gradient(_risk(proof), jnp.asarray(proof.point))) < 1e-14


def _risk(proof):
    return lj.PopulationRisk(jnp.eye(proof.k))


WIDE = [pytest.param(k, marks=pytest.mark.slow) for k in (20, 25, 30)]


@pytest.mark.parametrize("k", [6, 8, 11, 15, *WIDE])
def test_block_proof_and_full_proof_agree(k):
    family = lj.symmetric_family([1, 5], POINTS["one flipped, k = 6"][2])
    block = family.prove(k)
    full = lj.prove_minimum(_risk(block), block.point)
    assert isinstance(block, SymmetricCertificate)
    assert isinstance(full, Certificate)
    assert block.kind == full.kind == "spurious"
    assert block.index == full.index == 0
    assert abs(block.min_eigenvalue_lower - full.min_eigenvalue_lower) < 1e-9
    assert block.value_lower <= full.value_upper
    assert full.value_lower <= block.value_upper


def test_value_is_that_of_fifty_digits():
    # The formula of one flipped neuron, written out by hand for its five unknowns.
    proof = proven("one flipped, k = 6")
    a, c, _ = proof.values[0]
    b, d, e = proof.values[1]
    k, m = 6, 5
    with mpmath.workdps(50):

        def f(p, q, inner):
            t = mpmath.acos(inner / (p * q))
            return p * q * (mpmath.sin(t) + (mpmath.pi - t) * mpmath.cos(t)) / (2 * mpmath.pi)

        a, b, c, d, e = map(mpmath.mpf, (a, b, c, d, e))
        p, q = mpmath.sqrt(a * a + m * b * b), mpmath.sqrt(c * c + d * d + (m - 1) * e * e)
        F = p * p / 4 + m * q * q / 4 + m * f(p, q, a * c + b * d + (m - 1) * b * e)
        F += m * (m - 1) / 2 * f(q, q, c * c + 2 * d * e + (m - 2) * e * e)
        F -= f(p, 1, a) + m * f(p, 1, b) + m * (f(q, 1, c) + f(q, 1, d) + (m - 1) * f(q, 1, e))
        F += k / mpmath.mpf(4) + k * m / (4 * mpmath.pi)
        # The point in floats is off the critical point by less than `radius`.
        assert abs(F - proof.value_lower) < 1e-17


def test_other_second_layers_are_proven_too():
    # F with all weights multiplied by t is t² F; scaling a and w oppositely leaves it.
    blocks, teachers, values, *_ = POINTS["one flipped, k = 6"]
    plain = proven("one flipped, k = 6")
    scaled = prove_symmetric(
        blocks, teachers, np.array(values), [2.0, 2.0], [2.0, 2.0], max_move=1.0
    )
    assert isinstance(scaled, SymmetricCertificate)
    assert scaled.kind == "spurious"
    assert abs(scaled.value_upper - 4 * plain.value_upper) < 1e-15
    assert lj.verify(scaled)
    mixed = prove_symmetric(
        blocks, teachers, np.array(values) / [2.0, 1.0, 1.0], [2.0, 1.0], [1.0, 1.0], max_move=1.0
    )
    assert isinstance(mixed, SymmetricCertificate)
    assert abs(mixed.value_upper - plain.value_upper) < 1e-15
    assert lj.verify(mixed)


def test_the_teacher_itself_is_global_exactly():
    proof = prove_symmetric([5], [5], np.array([[1.0, 0.0]]))
    assert isinstance(proof, SymmetricCertificate)
    assert (proof.kind, proof.index, proof.value_upper) == ("global", 0, 0.0)
    assert lj.verify(proof)
    near = prove_symmetric([5], [5], np.array([[1.0 + 2**-50, 0.0]]))
    assert isinstance(near, NotProven)


def test_equal_students_are_degenerate_and_the_reason_says_so():
    reason = prove_symmetric([2, 3], [3], np.full((1, 3), 0.3)).reason
    assert reason == (
        "several students are equal: how they share their weight leaves the risk as it is, so the "
        "Hessian is singular."
    )


REFUSALS = [
    ([[np.nan, 0.0, 0], [0.2, 1.0, 0]], "the point or a second-layer weight is not finite."),
    ([[0.0, 0.1, 0], [0.0, 1.0, 0]], "a student neuron is zero, or has second-layer weight 0."),
    ([[2.0, 0.1, 0], [0.2, -1.0, 0]], "Newton's method in the fixed space finds no critical"),
]


@pytest.mark.parametrize(("values", "reason"), REFUSALS)
def test_what_is_no_critical_point_is_refused_with_the_reason(values, reason):
    proof = prove_symmetric([1, 5], [1, 5], np.array(values))
    assert isinstance(proof, NotProven)
    assert proof.reason.startswith(reason)


def test_a_point_that_may_not_be_moved_is_certified_as_it_is():
    good = proven("one flipped, k = 6")
    same = prove_symmetric([1, 5], [1, 5], good.values, max_move=0)
    assert isinstance(same, SymmetricCertificate)
    assert np.array_equal(same.values, good.values)
    assert (same.moved, same.radius < 1e-15) == (0.0, True)
    rough = prove_symmetric([1, 5], [1, 5], np.round(good.values, 6), max_move=0)
    assert isinstance(rough, SymmetricCertificate)
    assert rough.moved == 0 < rough.radius
    distance = np.linalg.norm(rough.point - good.point)
    # `good` is itself rounded.
    assert distance * (1 - 1e-9) <= rough.radius < 1.0001 * distance
    assert lj.verify(rough)
