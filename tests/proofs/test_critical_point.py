"""Critical points of any kind are proven, by the argument that fits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.proofs import (
    Certificate,
    NotProven,
    PointCertificate,
    SymmetricCertificate,
)
from tests.proofs.helpers import make_risk, pattern
from tests.proofs.symmetric_points import proven


def _shuffled(W, seed=0):
    rng = np.random.default_rng(seed)
    return W[rng.permutation(W.shape[0])][:, rng.permutation(W.shape[1])]


@pytest.mark.parametrize("name", ["one flipped, k = 6", "two flipped and their mean, k = 17"])
def test_symmetric_points_are_proven_in_any_order(name):
    known = proven(name)
    risk = lj.PopulationRisk(jnp.eye(known.k))
    W = _shuffled(known.point) + 1e-10
    proof = lj.prove_critical_point(risk, W)
    assert isinstance(proof, SymmetricCertificate)
    assert (proof.kind, proof.index) == (known.kind, known.index)
    assert abs(proof.value_upper - known.value_upper) < 1e-15
    assert 0 < proof.moved < 1e-8
    assert lj.verify(proof, risk)
    other = lj.PopulationRisk(jnp.eye(known.k), teacher_weights=jnp.full(known.k, 2.0))
    check = lj.verify(proof, other)
    assert check.reason == "its 'teacher_weights' are not those of the given risk, in any order."
    rotated = lj.PopulationRisk(jnp.eye(known.k) + 0.1)
    assert lj.verify(proof, rotated).reason == "the given risk's teachers are not orthonormal."


def test_minima_without_symmetry_are_proven_as_before():
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    risk = make_risk(rotation)
    W = lj.prove_minimum(make_risk(np.eye(6)), pattern(6), max_move=1.0).point @ rotation
    proof = lj.prove_critical_point(risk, W)
    assert isinstance(proof, Certificate)
    assert (proof.kind, proof.index) == ("spurious", 0)


def test_a_global_minimum_with_a_split_neuron_is_exhibited():
    risk = make_risk(np.eye(3))
    W = np.array([[0.3, 0, 0], [0.7, 0, 0], [0, 1.0, 0], [0, 0, 1.0], [0, 0, 0]])
    proof = lj.prove_critical_point(risk, W)
    assert isinstance(proof, PointCertificate)
    assert (proof.kind, proof.assignment) == ("global", (0, 0, 1, 2, -1))
    # 0.3 + 0.7 of doubles is not 1: the exhibited point is another one, and no claim is made of W.
    assert proof.shares is not None
    assert sum(proof.shares[:2]) == 1
    assert proof.moved < 1e-15
    assert lj.verify(proof, risk)
    assert lj.verify(proof, make_risk(2 * np.eye(3))).reason == (
        "its 'teacher' is not that of the given risk."
    )


def test_a_witness_makes_a_minimum_spurious_where_the_infimum_is_not_known():
    risk = lj.PopulationRisk(jnp.eye(3))
    runs = lj.restart(risk, lj.starts.gaussian((2, 3)), 40, key=jax.random.key(0))
    lowest = lj.families(risk, runs)[0].representative
    assert lj.prove_critical_point(risk, lowest).kind == "minimum"
    assert lj.prove_critical_point(risk, lowest, witness=lowest).kind == "minimum"


def test_of_no_critical_point_the_reason_is_given():
    risk = make_risk(np.eye(3))
    proof = lj.prove_critical_point(risk, np.ones((3, 3)) + np.eye(3))
    assert isinstance(proof, NotProven)
    assert (proof.kind, proof.index) == (None, None)
    assert "finds no critical point" in proof.reason or "no critical point lies" in proof.reason
    assert (
        lj.prove_critical_point(risk, np.full((3, 3), np.nan)).reason == "the point is not finite."
    )


@pytest.mark.parametrize("W", [np.zeros((3, 3)), np.diag([1.0, 0.5, 0.0])])
def test_a_zero_neuron_is_named(W):
    reason = lj.prove_critical_point(make_risk(np.eye(3)), W).reason or ""
    assert reason.endswith("is zero, where the risk is not differentiable twice.")


@pytest.mark.parametrize("precision", [1, 63, 193])
def test_a_precision_that_verify_could_not_confirm_is_refused(precision):
    with pytest.raises(ValueError, match="precision must be an integer from 64 to 192"):
        lj.prove_critical_point(make_risk(np.eye(2)), np.eye(2), precision=precision)


@pytest.mark.parametrize("max_move", [-1.0, np.inf, np.nan])
def test_a_move_that_is_no_length_is_refused(max_move):
    with pytest.raises(ValueError, match="max_move must be finite and not negative"):
        lj.prove_critical_point(make_risk(np.eye(2)), np.eye(2), max_move=max_move)
