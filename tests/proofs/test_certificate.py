"""Certificates on disk: exact, atomic, and never believed."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from landscape_jax.proofs import Certificate, CertificateError, verify
from tests.proofs.helpers import spurious


@pytest.fixture
def saved(tmp_path):
    _, _, proof = spurious(6)
    return proof.save(tmp_path / "proof.json")


def edit(path, **changes):
    content = json.loads(path.read_text())
    content.update(changes)
    path.write_text(json.dumps(content))
    return path


def test_file_holds_the_certificate_exactly(saved):
    proof, again = spurious(6)[2], Certificate.load(saved)
    for name in vars(proof):
        assert np.array_equal(getattr(again, name), getattr(proof, name)), name
    assert verify(saved), verify(saved).reason
    assert "strict local minimum" in json.loads(saved.read_text())["statement"]


def test_save_replaces_whole_files_or_nothing(saved, monkeypatch):
    before = saved.read_text()
    with pytest.raises(ValueError, match="Out of range float"):
        replace(spurious(6)[2], radius=np.nan).save(saved)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        spurious(6)[2].save(saved)
    assert saved.read_text() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


@pytest.mark.parametrize(
    ("field", "factor"),
    [
        ("moved", 0.99),
        ("value_lower", 1.0000001),
        ("value_upper", 0.9999999),
        ("witness_value_upper", 1e-60),
        ("gradient_norm_upper", 0.5),
        ("min_eigenvalue_lower", 1.000001),
        ("padding_min_eigenvalue_lower", 1.000001),
        ("lipschitz_upper", 0.999),
        ("radius", 0.4),
        ("uniqueness_radius", 1.01),
        ("ball_radius", 1.01),
    ],
)
def test_stronger_claim_is_refused_with_and_without_its_sentence(saved, field, factor):
    proof = spurious(6)[2]
    stronger = replace(proof, **{field: getattr(proof, field) * factor})
    assert not verify(stronger)
    assert verify(stronger).reason
    edit(saved, **{field: getattr(stronger, field)})
    assert not verify(saved)


def test_weaker_claims_hold():
    proof = spurious(6)[2]
    assert verify(replace(proof, value_lower=0.02, value_upper=0.03, moved=1.0))
    assert verify(replace(proof, radius=proof.radius * 2, witness_value_upper=0.01))


FORGERIES = {
    "teacher": {"teacher": 1.1 * np.eye(6)},
    "teacher weights": {"teacher_weights": np.full(6, 1.5)},
    "student weights": {"student_weights": np.full(6, -1.0)},
    "zero weight": {"student_weights": np.array([0.0, 1, 1, 1, 1, 1])},
    "global": {"kind": "global", "value_lower": 0.0, "value_upper": 0.0},
    "global with its value": {"kind": "global"},
    "no witness": {"witness": None},
    "no witness value": {"witness_value_upper": None},
    "witness of no lower value": {"witness": np.ones((6, 6))},
    "witness of another shape": {"witness": np.eye(7)},
    "infinite witness": {"witness": np.full((6, 6), np.inf)},
    "another point": {"point": np.eye(6)},
    "zero neuron": {"point": np.zeros((6, 6))},
    "not finite": {"point": np.full((6, 6), np.nan)},
    "dimensions claimed without a bound": {"padding_min_eigenvalue_lower": None},
    "negative bound of dimensions": {"padding_min_eigenvalue_lower": -1.0},
    "bound without dimensions": {"every_higher_dimension": False},
    "negative radius": {"radius": -1.0},
    "huge ball": {"ball_radius": 1e300, "uniqueness_radius": 1e299},
    "negative eigenvalue": {"min_eigenvalue_lower": -1.0},
    "infinite constant": {"lipschitz_upper": np.inf},
    "nan": {"gradient_norm_upper": np.nan},
    "nan that no inequality needs": {"kind": "minimum", "value_lower": np.nan},
    "infinite value": {"value_upper": np.inf},
    "witness of a minimum that is not called spurious": {"kind": "minimum"},
    "witness value without a witness": {"kind": "minimum", "witness": None},
    "unknown kind": {"kind": "spectacular"},
    "unknown argument": {"argument": "trust me"},
    "finer floats": {"point": np.eye(6, dtype=np.longdouble)},
    "flat point": {"point": np.ones(36)},
}


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_certificates_never_hold(name):
    proof = spurious(6)[2]
    changes = FORGERIES[name]
    forged = object.__new__(Certificate)
    for field, entry in {**vars(proof), **changes}.items():
        object.__setattr__(forged, field, entry)
    result = verify(forged)
    assert not result.holds
    assert result.reason


def test_edited_sentence_is_refused(saved):
    edit(saved, statement="Every minimum is global.")
    assert verify(saved).reason == "its sentence is not what its numbers say."


def test_truncated_files_are_unusable(saved):
    text = saved.read_text()
    for end in range(0, len(text) - 2, 97):
        saved.write_text(text[:end])
        with pytest.raises(CertificateError, match="not a certificate"):
            verify(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "its format is not"),
        ({"version": 2}, "version 2, where 1 is read"),
        ({"version": True}, "version True"),
        ({"extra": 1}, "'extra' is not a field"),
        ({"\ud800": 1}, r"'\\ud800' is not a field"),
        ({"statement": 3}, "'statement' must be a sentence"),
        ({"kind": "spectacular"}, "'kind' must be one of"),
        ({"kind": ["spurious"]}, "'kind' must be one of"),
        ({"argument": "trust me"}, "'argument' must be one of"),
        ({"every_higher_dimension": 1}, "must be true or false"),
        ({"versions": {"numpy": 2}}, "'versions' must hold"),
        ({"radius": "1e-9"}, "'radius' must be a number"),
        ({"radius": True}, "'radius' must be a number"),
        ({"radius": None}, "'radius' must be a number"),
        ({"radius": 10**400}, "'radius' must be finite"),
        ({"teacher": [["0x1.0p+0"]]}, "'teacher' must hold finite hexadecimal floats"),
        ({"teacher": [["nan"]]}, "'teacher' must hold finite"),
        ({"teacher": [[1.0]]}, "'teacher' must hold finite"),
        ({"teacher": [["0x1.0000000000000p+5000"]]}, "'teacher' must hold finite"),
        ({"teacher": [["0x1.00000000000001p+0"]]}, "'teacher' must hold finite"),
        ({"teacher": [["0x0.0p+0"]]}, "'teacher' has shape"),
        ({"teacher": [[], ["0x0.0p+0"]]}, "rows of different lengths"),
        ({"teacher": "0x0.0p+0"}, "'teacher' must be an array with 2 axes"),
        ({"teacher": []}, "'teacher' has shape"),
        ({"teacher": [], "teacher_weights": []}, "is empty"),
    ],
)
def test_malformed_files_are_unusable(saved, changes, message):
    with pytest.raises(CertificateError, match=message):
        verify(edit(saved, **changes))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"kind": "spurious"', '"kind": "spurious", "kind": "spurious"', "a key stands twice"),
        ('"radius":', '"radius": NaN, "radius_":', "NaN is not a number"),
        ('"radius":', '"radius": 1e999, "unknown":', "'unknown' is not a field"),
        ('"radius":', '"radios":', "'radius' is missing"),
        ("{", "[" * 100000 + "{", "not a certificate"),
        ("{", "\ufeff{", "not a certificate"),
    ],
)
def test_broken_json_is_unusable(saved, old, new, message):
    saved.write_text(saved.read_text().replace(old, new, 1))
    with pytest.raises(CertificateError, match=message):
        verify(saved)


def test_foreign_files_are_unusable(tmp_path):
    path = tmp_path / "foreign.json"
    for content in (b"", b"\xff\xfe\x00", b"[]", b"3", b"PNG"):
        path.write_bytes(content)
        with pytest.raises(CertificateError, match="not a certificate"):
            verify(path)
    with open(path, "wb") as stream:
        stream.truncate(2**26 + 1)
    with pytest.raises(CertificateError, match="larger than any certificate"):
        verify(path)
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "missing.json")


def test_problems_too_large_to_check_do_not_hold():
    proof = spurious(6)[2]
    tall = np.ones((3000, 6))
    huge = replace(
        proof, point=tall, given=tall, student_weights=np.ones(3000), kind="minimum",
        witness=None, witness_value_upper=None,
    )  # fmt: skip
    assert verify(huge).reason == "the problem is too large to be checked."


def test_wide_certificate_without_a_living_teacher_does_not_hold():
    """No teacher, so no span to work in: the gradient is small enough, the Hessian is not."""
    proof = spurious(6)[2]
    point = np.ones((2, 300)) + 0.1 * np.eye(2, 300)
    changes = {
        "kind": "minimum", "witness": None, "witness_value_upper": None,
        "point": point, "given": point,
        "teacher": np.zeros((1, 300)), "teacher_weights": np.ones(1),
        "student_weights": np.array([1.0, -1.0]),
        "gradient_norm_upper": 1.0, "min_eigenvalue_lower": 100.0,
        "padding_min_eigenvalue_lower": 100.0, "lipschitz_upper": 10.0,
        "value_lower": 0.0, "value_upper": 1.0,
        "radius": 0.1, "uniqueness_radius": 1.0, "ball_radius": 2.0,
    }  # fmt: skip
    reason = verify(replace(proof, **changes)).reason
    assert reason == "the Hessian's smallest eigenvalue is not proven as large as claimed."


def test_many_neurons_on_a_line_are_too_many_pairs_to_check():
    proof = spurious(6)[2]
    column = np.ones((4000, 1))
    long = replace(
        proof, point=column, given=column, student_weights=np.ones(4000), teacher=np.ones((1, 1)),
        teacher_weights=np.ones(1), witness=None, witness_value_upper=None, kind="minimum",
    )  # fmt: skip
    assert verify(long).reason == "the problem is too large to be checked."
