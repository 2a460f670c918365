"""Certificates on disk: exact, atomic, and never believed."""

import hashlib
import json
import os
import platform
from dataclasses import fields, replace

import numpy as np
import pytest

from landscape_jax.objectives import PopulationRisk
from landscape_jax.proofs import Certificate, CertificateError, verify
from landscape_jax.proofs.certificate_file import NAMES
from landscape_jax.proofs.teacher_rays import digest, gram_bounds
from tests.proofs.helpers import certified, make_risk, spurious


@pytest.fixture
def saved(tmp_path):
    _, _, proof = spurious(6)
    return proof.save(tmp_path / "proof.json")


def named(proof):
    """Set the digest and the Gram bounds of another teacher right."""
    least, most = gram_bounds(proof.teacher)
    name = digest(proof.teacher, proof.teacher_weights, proof.student_weights)
    return replace(proof, teacher_digest=name, teacher_gram_lower=least, teacher_gram_upper=most)


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
    "another digest": {"teacher_digest": "0" * 64},
    "digest of other bytes": {"teacher_digest": hashlib.sha256(np.eye(6).tobytes()).hexdigest()},
    "Gram bound too large": {"teacher_gram_lower": 1.0000001},
    "Gram bound too small": {"teacher_gram_upper": 0.9999999},
    "Gram bounds that a float cannot tell": {"teacher_gram_lower": 1.0},
    "units that are no powers of two": {"units": np.full(6, 3.0)},
    "units that are not positive": {"units": -np.ones(6)},
    "zero units": {"units": np.zeros(6)},
    "other units": {"units": np.full(6, 2.0)},
    "units beyond the floats": {"units": np.full(6, 2.0**-1060)},
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


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("another digest", "its 'teacher_digest' is not that of its teacher and second layers."),
        ("Gram bound too large", "the teacher's Gram matrix is not proven to have the claimed"),
        ("Gram bounds that a float cannot tell", "the teacher's Gram matrix is not proven"),
        ("units that are no powers of two", "its units are not positive powers of two."),
        ("zero units", "its units are not positive powers of two."),
        ("units beyond the floats", "scaling its neurons by its units is not exact in float64."),
        ("no witness", "a spurious minimum needs a witness and its value."),
    ],
)
def test_forgeries_are_refused_with_their_reason(name, reason):
    assert str(verify(replace(spurious(6)[2], **FORGERIES[name])).reason).startswith(reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"kind": "minimum", "witness": None, "witness_value_upper": None,
             "value_lower": np.float32("nan")},
            "'value_lower' must be a float, not float32.",
        ),
        ({"radius": np.float64(1e-9)}, "'radius' must be a float, not float64."),
        ({"radius": 1}, "'radius' must be a float, not int."),
        ({"moved": None}, "'moved' must be a float, not NoneType."),
        ({"moved": float("nan")}, "Out of range float values are not JSON compliant"),
        ({"seconds": float("inf")}, "Out of range float values are not JSON compliant"),
        ({"point": [[1.0]]}, "'point' must be an array of float64."),
        ({"point": [["0x1.0000000000000p+0"]]}, "'point' must be an array of float64."),
        ({"point": None}, "'point' must be an array of float64."),
        ({"point": np.eye(6, dtype=np.float32)}, "'point' must be an array of float64."),
        ({"point": np.eye(6, dtype=np.longdouble)}, "'point' must be an array of float64."),
        ({"point": np.eye(6, dtype=">f8")}, "'point' must be an array of float64."),
        ({"point": np.float64(1)}, "'point' must be an array of float64."),
        ({"point": np.array(1.0)}, "'point' must be an array with 2 axes."),
        ({"point": np.ones(36)}, "'point' must be an array with 2 axes."),
        ({"point": np.full((6, 6), np.nan)}, "'point' must hold finite hexadecimal floats."),
        ({"witness": np.eye(7)}, "'witness' has shape (7, 7), where (6, 6) is needed."),
        ({"kind": object()}, "Object of type object is not JSON serializable"),
        ({"kind": np.array(["minimum"])}, "Object of type ndarray is not JSON serializable"),
        ({"every_higher_dimension": np.bool_(True)}, "Object of type bool"),
        ({"versions": {"numpy": 2}}, "'versions' must hold names and versions."),
        ({"versions": None}, "'versions' must hold names and versions."),
    ],
)  # fmt: skip
def test_what_no_file_can_hold_does_not_hold_in_memory_either(changes, reason):
    forged = object.__new__(Certificate)
    for field, entry in {**vars(spurious(6)[2]), **changes}.items():
        object.__setattr__(forged, field, entry)
    result = verify(forged)
    assert not result.holds
    assert str(result.reason).startswith(f"it is no certificate: {reason}")


def test_certificate_without_a_field_does_not_hold():
    reason = verify(object.__new__(Certificate)).reason
    assert str(reason).startswith("it is no certificate: ")


def test_file_has_every_field_of_a_certificate_and_no_other():
    assert {f.name for f in fields(Certificate)} == NAMES


def test_certificate_names_its_versions_and_precision():
    versions = spurious(6)[2].versions
    assert set(versions) == {
        "landscape_jax", "python", "precision", "python-flint", "numpy", "scipy"
    }  # fmt: skip
    assert versions["precision"] == "128"
    assert versions["python"] == platform.python_version()
    risk, point, _ = spurious(6)
    assert certified(risk, point, precision=96).versions["precision"] == "96"


def test_sentence_says_that_the_teacher_is_orthonormal_where_it_is():
    sentence = spurious(6)[2].statement
    start = "The population risk of 6 ReLU students and 6 orthonormal teachers in R^6 "
    assert sentence.startswith(start + "(all second-layer weights 1) has in R^(6x6), and padded ")
    assert "SHA-256" not in sentence


@pytest.mark.parametrize(
    ("teacher", "outer", "inner", "words"),
    [
        (np.eye(2), [2.0, 2.0], [2.0, 2.0], "2 orthonormal teachers in R^2 (SHA-256 of "),
        (np.eye(2), [1.0, 1.0], [2.0, 2.0], "2 orthonormal teachers in R^2 (SHA-256 of "),
        (2 * np.eye(2), [1.0, 1.0], [1.0, 1.0], "2 teachers in R^2 (all second-layer weights 1, "),
        (np.eye(2) * (1 + 2e-16), [1.0, 1.0], [1.0, 1.0], "2 teachers in R^2 (all second-"),
        (np.array([[0.6, 0.8], [-0.8, 0.6]]), [1.0, 1.0], [1.0, 1.0], "2 teachers in R^2 (all"),
    ],
)
def test_sentence_names_any_other_teacher(teacher, outer, inner, words):
    """0.6² + 0.8² is not 1 in float64, so that teacher is not orthonormal."""
    inner, outer = np.array(inner), np.array(outer)
    proof = certified(make_risk(teacher, outer, inner), outer[0] / inner[0] * teacher)
    assert f"2 ReLU students and {words}" in proof.statement
    assert f"SHA-256 of teacher and second layers {proof.teacher_digest})" in proof.statement
    assert proof.teacher_digest == digest(teacher, outer, inner)
    spectrum = np.linalg.eigvalsh(teacher @ teacher.T)
    assert proof.teacher_gram_lower <= spectrum[0] + 1e-15
    assert proof.teacher_gram_upper >= spectrum[-1] - 1e-15
    assert proof.teacher_gram_upper - proof.teacher_gram_lower < 1e-10
    assert ("the eigenvalues of V V^T in [" in proof.statement) == ("orthonormal" not in words)
    assert verify(proof), verify(proof).reason


def test_certificate_is_about_the_given_risk_or_does_not_hold(saved):
    risk, _, proof = spurious(6)
    for claim in (proof, saved):
        assert verify(claim, risk)
        assert verify(claim, make_risk(np.eye(6, dtype=np.float32)))
        assert verify(claim, PopulationRisk(np.eye(6)))
        for name, other in {
            "teacher": make_risk(np.eye(6) * (1 + 3e-16)),
            "teacher_weights": make_risk(np.eye(6), np.full(6, 1 + 3e-16)),
            "student_weights": make_risk(np.eye(6), None, np.full(6, 2.0)),
        }.items():
            assert verify(claim, other).reason == f"its '{name}' is not that of the given risk."
    for other in (np.eye(6)[:5], np.eye(7), np.eye(5)):
        reason = verify(proof, make_risk(other)).reason
        assert reason == "its 'teacher' is not that of the given risk."
    reason = verify(proof, make_risk(np.eye(6), None, np.ones(7))).reason
    assert reason == "its 'student_weights' is not that of the given risk."
    with pytest.raises(TypeError, match="activation 'relu', not of 'tanh'"):
        verify(proof, make_risk(np.eye(6), activation="tanh"))
    with pytest.raises(TypeError, match="risk is a ndarray"):
        verify(proof, np.eye(6))


def test_certificate_of_the_transposed_teacher_is_another_problems():
    """Equal sizes, Gram eigenvalues and F = 0 at the teacher: only the arrays tell them apart."""
    teacher = np.array([[1.0, 0.5], [0.0, 1.0]])
    proof = certified(make_risk(teacher), teacher)
    assert verify(proof, make_risk(teacher))
    assert not verify(proof, make_risk(teacher.T))


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
        ({"version": 1}, "version 1, where 3 is read"),
        ({"version": True}, "version True"),
        ({"extra": 1}, "'extra' is not a field"),
        ({"\ud800": 1}, r"'\\ud800' is not a field"),
        ({"statement": 3}, "'statement' must be a sentence"),
        ({"kind": "spectacular"}, "'kind' must be one of"),
        ({"kind": ["spurious"]}, "'kind' must be one of"),
        ({"argument": "trust me"}, "'argument' must be one of"),
        ({"every_higher_dimension": 1}, "must be true or false"),
        ({"versions": {"numpy": 2}}, "'versions' must hold"),
        ({"teacher_digest": 3}, "'teacher_digest' must be hexadecimal digits"),
        ({"teacher_gram_lower": None}, "'teacher_gram_lower' must be a number"),
        ({"units": ["0x1.0000000000000p+0"]}, "'units' has shape"),
        ({"units": None}, "'units' must be an array with 1 axes"),
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
    # A device has no end.
    for large in (path, "/dev/zero") if os.path.exists("/dev/zero") else (path,):
        with pytest.raises(CertificateError, match="larger than any certificate"):
            verify(large)
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "missing.json")


def test_problems_too_large_to_check_do_not_hold():
    proof = spurious(6)[2]
    tall = np.ones((3000, 6))
    huge = replace(
        proof, point=tall, given=tall, student_weights=np.ones(3000), units=np.ones(3000),
        kind="minimum", witness=None, witness_value_upper=None,
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
        "student_weights": np.array([1.0, -1.0]), "units": np.ones(2),
        "gradient_norm_upper": 1.0, "min_eigenvalue_lower": 100.0,
        "padding_min_eigenvalue_lower": 100.0, "lipschitz_upper": 10.0,
        "value_lower": 0.0, "value_upper": 1.0,
        "radius": 0.1, "uniqueness_radius": 1.0, "ball_radius": 2.0,
    }  # fmt: skip
    reason = verify(named(replace(proof, **changes))).reason
    assert reason == "the Hessian's smallest eigenvalue is not proven as large as claimed."


def test_many_neurons_on_a_line_are_too_many_pairs_to_check():
    proof = spurious(6)[2]
    column = np.ones((4000, 1))
    long = replace(
        proof, point=column, given=column, student_weights=np.ones(4000), units=np.ones(4000),
        teacher=np.ones((1, 1)), teacher_weights=np.ones(1), kind="minimum",
        witness=None, witness_value_upper=None,
    )  # fmt: skip
    assert verify(long).reason == "the problem is too large to be checked."
