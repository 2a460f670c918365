"""Families of symmetric critical points, followed in k, and searches of fixed spaces."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.proofs import SymmetricCertificate
from landscape_jax.proofs.estimates import float_hessian
from landscape_jax.proofs.problem import Problem, read_problem
from landscape_jax.symmetric.block_spectrum import block_spectrum
from tests.proofs.symmetric_points import POINTS

ONE_FLIPPED = POINTS["one flipped, k = 6"][2]
# k·F of the family with one flipped neuron, from a computation with 60 digits of other code.
SCALED_VALUES = {
    17: 0.2175361734, 25: 0.2354336232, 40: 0.25262583, 75: 0.2688247582, 140: 0.279140487,
    300: 0.2866927235, 1000: 0.2925528214,
}  # fmt: skip


@pytest.fixture(scope="module")
def one_flipped():
    return lj.symmetric_family([1, 5], ONE_FLIPPED)


def _proof(family, k) -> SymmetricCertificate:
    """Prove a point that is known to have a proof."""
    proof = family.prove(k)
    assert isinstance(proof, SymmetricCertificate), proof.reason
    return proof


def _family(name, grows=None):
    blocks, teachers, values, *_ = POINTS[name]
    return lj.symmetric_family(blocks, values, teacher_blocks=teachers, grows=grows)


def test_one_flipped_neuron_has_the_published_values(one_flipped):
    for k, value in SCALED_VALUES.items():
        # `value` is printed with nine or ten digits.
        assert abs(k * one_flipped.value(k) / value - 1) < 1e-9


def test_one_flipped_neuron_is_a_minimum_from_six_on_and_a_saddle_at_five(one_flipped):
    five = _proof(one_flipped, 5)
    assert (five.kind, five.index) == ("saddle", 3)
    for k in (6, 7, 12, 30, 100, 200, 500, 1000, 5000, 10_000):
        proof = _proof(one_flipped, k)
        assert (proof.kind, proof.index, proof.k) == ("spurious", 0, k)
        assert abs(proof.value_upper / one_flipped.value(k) - 1) < 1e-12
    assert lj.verify(proof)


@pytest.mark.slow
def test_one_flipped_neuron_is_proven_at_every_k_up_to_200(one_flipped):
    for k in range(6, 201):
        assert _proof(one_flipped, k).kind == "spurious"


def test_example_2_of_ss18_belongs_to_a_family_of_one_more_neuron():
    # k − 1 aligned neurons, and two against teacher k; SS18's example 2 is its k = 8.
    values = [[0.998, 0.037, 0.054, -0.006], [0.111, -0.633, -0.182, 0]]
    family = lj.symmetric_family([16, 1, 1], values, teacher_blocks=[16, 1])
    assert abs(family.value(8) - 0.0205608) < 5e-8
    saddle = _proof(family, 6)
    assert (saddle.kind, saddle.n, saddle.k) == ("saddle", 7, 6)
    seven = _proof(family, 7)
    assert seven.kind == "spurious"
    assert seven.min_eigenvalue_lower >= 0.0026
    for k in (8, 9, 20, 50, 100, 200, 400, 1000):
        proof = _proof(family, k)
        assert proof.kind == "spurious"
        assert proof.min_eigenvalue_lower >= 0.004


BIRTH = {
    17: (0.01915718, 3.81e-5, 0), 16: (0.01972070, -0.001188, 2), 15: (0.02031497, -0.002702, 2),
    14: (0.02093999, -0.004547, 2),
}  # fmt: skip


def test_three_flipped_and_their_mean_become_a_minimum_between_16_and_17():
    family = _family("three flipped and their mean, k = 17")
    for k, (value, eigenvalue, index) in BIRTH.items():
        proof = _proof(family, k)
        assert (proof.index, proof.kind) == (index, "saddle" if index else "spurious")
        assert abs(family.value(k) - value) < 5e-9
        assert abs(proof.min_eigenvalue_lower - eigenvalue) < 5e-7
    low, high = 16.0, 17.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if family.min_eigenvalue(middle) < 0 else (low, middle)
    assert abs(low - 16.9653) < 1e-4


def test_two_flipped_and_their_mean_are_a_saddle_of_index_1():
    proof = _proof(_family("two flipped and their mean, k = 17"), 17)
    assert (proof.kind, proof.index) == ("saddle", 1)
    assert abs(proof.value_upper - 0.01169891) < 5e-9
    assert abs(proof.min_eigenvalue_lower + 0.020415) < 1e-6


def test_following_there_and_back_returns_to_the_same_point(one_flipped):
    start = one_flipped.values_at(6)
    one_flipped.values_at(300.5)
    other = lj.symmetric_family([1, 299], one_flipped.values_at(300))
    assert np.abs(other.values_at(6) - start).max() < 1e-14
    assert np.abs(other.values_at(41) - one_flipped.values_at(41)).max() < 1e-14


@pytest.mark.parametrize("name", POINTS)
def test_spectrum_has_the_dense_eigenvalues_with_multiplicities(name):
    family = _family(name)
    pairs = family.spectrum(family.k)
    assert sum(count for _, count in pairs) == family.n * family.k
    expanded = np.concatenate([np.full(int(count), e) for e, count in pairs])
    problem = Problem(np.eye(family.k), np.ones(family.k), np.ones(family.n))
    dense = np.linalg.eigvalsh(float_hessian(problem, family.point(family.k)))
    assert np.abs(np.sort(expanded) - dense).max() < 1e-11 * dense[-1]
    risk = lj.PopulationRisk(jnp.eye(family.k))
    assert abs(float(risk(jnp.asarray(family.point(family.k)))) - family.value(family.k)) < 1e-12
    assert family.gradient_norm(family.k) < 1e-14


def test_spectrum_at_real_k_lies_between_those_at_integers(one_flipped):
    low, middle, high = (one_flipped.min_eigenvalue(k) for k in (20, 20.5, 21))
    assert low < middle < high


def test_the_family_of_a_point_has_its_blocks_and_value():
    risk = lj.PopulationRisk(jnp.eye(8))
    runs = lj.restart(risk, lj.starts.gaussian((8, 8)), 60, key=jax.random.key(0))
    spurious = next(f for f in lj.families(risk, runs) if f.kind == "spurious")
    family = lj.SymmetricFamily.of(risk, spurious.representative)
    assert sorted(family.blocks) == [1, 7]
    assert abs(family.value(8) - spurious.value) < 1e-12
    assert repr(family) == "SymmetricFamily(blocks ['k - 1', 1] by ['k - 1', 1], from k = 8)"
    assert _proof(family, 50).kind == "spurious"


@pytest.mark.parametrize("k", [18, 20])
def test_large_spectra_are_taken_by_components_and_agree(k, one_flipped):
    rng = np.random.default_rng(0)
    W = one_flipped.point(k)[rng.permutation(k)][:, rng.permutation(k)]
    risk = lj.PopulationRisk(jnp.eye(k))
    blocks = block_spectrum(read_problem(risk, W), W)
    assert blocks is not None
    dense = np.linalg.eigvalsh(float_hessian(read_problem(risk, W), W))
    assert np.abs(blocks - dense).max() < 1e-11 * dense[-1]
    assert np.array_equal(lj.spectrum(risk, W), blocks)
    noisy = W + 1e-6 * rng.normal(size=W.shape)
    assert block_spectrum(read_problem(risk, noisy), noisy) is None
    padded = lj.PopulationRisk(jnp.eye(k, k + 2))
    far = lj.spectrum(padded, np.pad(W, ((0, 0), (0, 2))))
    assert len(far) == k * (k + 2)
    assert np.abs(far[0] - dense[0]) < 1e-11


def test_a_family_of_too_many_blocks_has_no_proof_that_could_not_be_read():
    from landscape_jax.proofs.symmetric_proof import prove_symmetric

    proof = prove_symmetric([1] * 8, [1] * 8, np.eye(8, 9) + 0.1)
    assert proof.reason == "its blocks leave more than 60 unknowns."


def test_fixed_points_finds_saddles_that_descent_never_sees():
    found = lj.fixed_points([1, 5], starts=300, key=jax.random.key(0))
    proofs = [_proof(family, 6) for family in found]
    assert all(proofs)
    assert (proofs[0].kind, round(proofs[0].value_upper, 6)) == ("spurious", 0.025081)
    assert {proof.index for proof in proofs} > {0, 1}
    values = [family.value(6) for family in found]
    assert values == sorted(values)


def test_fixed_points_of_one_block_have_exactly_its_symmetry():
    (family,) = lj.fixed_points([6], starts=100, key=jax.random.key(1))
    assert lj.isotropy(lj.PopulationRisk(jnp.eye(6)), family.point(6)).sizes == ((6,), (6,))
    assert _proof(family, 6).kind == "spurious"


HALF: Any = 6.5  # No integer.
MISTAKES = [
    (
        lambda: lj.symmetric_family([0, 5], np.zeros((2, 3))),
        "blocks is \\[0, 5\\]; give sizes of at most 12 blocks",
    ),
    (
        lambda: lj.symmetric_family([2], np.zeros((1, 2)), teacher_blocks=[0]),
        "teacher_blocks is \\[0\\]; give sizes of at most 12 blocks",
    ),
    (
        lambda: lj.symmetric_family([1, 5], np.zeros((2, 2))),
        "values must be finite numbers of shape",
    ),
    (lambda: lj.symmetric_family([1, 5], np.zeros((2, 3)), grows=2), "grows must be the number of"),
    (
        lambda: lj.symmetric_family([3, 5], np.ones((2, 3)), teacher_blocks=[2, 5]),
        "blocks: one of several students is matched to no teachers",
    ),
    (
        lambda: lj.fixed_points([3], teacher_blocks=[2], key=jax.random.key(0)),
        "blocks: one of several students is matched to no teachers",
    ),
    (lambda: lj.symmetric_family([1, 5], 9 * np.ones((2, 3))), "values: Newton's method finds no"),
    (lambda: lj.symmetric_family([1, 5], ONE_FLIPPED).value(3.5), "the growing block has then 2.5"),
    (lambda: lj.symmetric_family([1, 5], ONE_FLIPPED).value(2), "a block of 1 has other unknowns"),
    (
        lambda: lj.symmetric_family([1, 5], ONE_FLIPPED, grows=0).value(7),
        "a block of 1 has other unknowns",
    ),
    (lambda: lj.symmetric_family([1, 5], ONE_FLIPPED).value(1), "the growing block has then 0"),
    (
        lambda: lj.symmetric_family([1, 5], ONE_FLIPPED).point(HALF),
        "k is 6.5; give an integer",
    ),
    (lambda: lj.symmetric_family([1, 5], ONE_FLIPPED).value(np.nan), "k must be finite"),
    (
        lambda: lj.SymmetricFamily.of(
            lj.PopulationRisk(jnp.eye(3)), np.random.default_rng(0).normal(size=(3, 3))
        ),
        "W has no symmetry that is used here",
    ),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_mistakes_are_refused_by_name(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
