"""Critical points with split neurons: the index on the complement of the flat directions."""

import json

import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.proofs import CertificateError, NotProven, SplitCertificate
from landscape_jax.proofs.claim_file import parse
from landscape_jax.proofs.estimates import float_hessian
from landscape_jax.proofs.problem import Problem
from tests.proofs.helpers import make_risk
from tests.proofs.symmetric_points import proven

POINT = proven("one flipped, k = 6").point


def _split(parts):
    """Split neurons of the point: `parts` holds neurons and the shares that they are split into."""
    rows = [POINT[i : i + 1] for i in range(6) if i not in parts]
    rows += [share * POINT[i : i + 1] for i, shares in parts.items() for share in shares]
    return np.concatenate(rows)


@pytest.mark.parametrize(
    "parts",
    [{0: (0.3, 0.7)}, {3: (0.5, 0.5)}, {0: (0.2, 0.3, 0.5)}, {0: (0.9, 0.1), 5: (0.4, 0.6)}],
)
def test_index_and_nullity_are_those_of_the_dense_hessian(parts):
    W, risk = _split(parts), make_risk(np.eye(6))
    proof = lj.prove_critical_point(risk, W)
    assert isinstance(proof, SplitCertificate)
    spectrum = np.linalg.eigvalsh(float_hessian(Problem(np.eye(6), np.ones(6), np.ones(len(W))), W))
    assert (spectrum < -1e-9).sum() == proof.index == 5 * (len(W) - 6)
    assert (np.abs(spectrum) < 1e-9).sum() == proof.nullity == len(W) - 6
    assert proof.kind == "saddle"
    assert proof.moved < 1e-15
    assert abs(proof.value_upper - proven("one flipped, k = 6").value_upper) < 1e-15
    check = lj.verify(proof, risk)
    assert check, check.reason


def _saved():
    proof = lj.prove_critical_point(make_risk(np.eye(6)), _split({0: (0.25, 0.75)}))
    assert isinstance(proof, SplitCertificate)
    return json.loads(json.dumps(proof.written(proof.statement)))


FALSE = [
    ({"index": 4}, "the index is another one."),
    ({"index": 10}, "the index is another one."),
    ({"shares": ["1/1"] * 6 + ["1/4"]}, "the shares of a merged neuron are not positive"),
    ({"assignment": [0, 1, 2, 3, 4, 5, 4]}, "the shares of a merged neuron are not positive"),
    ({"nullity": 2}, "its 'nullity' is not the number of students more than merged ones."),
]


@pytest.mark.parametrize(("change", "reason"), FALSE)
def test_forged_claims_do_not_hold(change, reason):
    claim, _ = parse(json.dumps(_saved() | change))
    assert reason in (lj.verify(claim).reason or "")


def test_a_forged_merged_point_does_not_hold():
    found = _saved()
    found["merged"]["min_eigenvalue_lower"] *= 1.5
    assert (lj.verify(parse(json.dumps(found))[0]).reason or "").startswith("the merged point: ")
    other = make_risk(np.eye(6), teacher_weights=np.full(6, 2.0))
    claim, _ = parse(json.dumps(_saved()))
    assert lj.verify(claim, other).reason == "its 'teacher_weights' is not that of the given risk."


MALFORMED = [
    ({"version": 2}, "version 2, where 1 is read"),
    ({"statement": 3}, "'statement' must be a sentence"),
    ({"kind": "minimum"}, "'kind' must be saddle if 'index' is positive"),
    ({"index": -1}, "'index' and 'nullity' must be counts"),
    ({"assignment": [9] * 7}, "'assignment' must hold numbers of merged neurons"),
    ({"shares": ["1/2"]}, "'shares' must have a fraction for each student"),
    ({"shares": ["2/4"] * 7}, "'shares' must hold fractions in lowest terms"),
    ({"versions": []}, "'versions' must hold names and versions"),
    ({"merged": None}, "it is not a JSON object"),
    ({"extra": 1}, "'extra' is not a field of a certificate"),
]


@pytest.mark.parametrize(("change", "message"), MALFORMED)
def test_malformed_files_are_unusable(change, message):
    with pytest.raises(CertificateError, match=message):
        parse(json.dumps(_saved() | change))


def test_a_missing_field_is_named():
    found = _saved()
    del found["shares"]
    with pytest.raises(CertificateError, match="'shares' is missing"):
        parse(json.dumps(found))


def test_what_is_no_critical_point_when_merged_is_not_proven():
    W = np.concatenate([POINT + 0.1, 0.5 * (POINT + 0.1)[:1]])
    assert isinstance(lj.prove_critical_point(make_risk(np.eye(6)), W), NotProven)
