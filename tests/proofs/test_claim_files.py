"""Files of claims in rational numbers: malformed, forged and hostile ones are refused."""

import json
import time
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from landscape_jax.proofs import (
    CertificateError,
    MinimumOnData,
    SpuriousOnData,
    prove_minimum_on_data,
    verify,
)
from tests.proofs.claim_problems import EVERY, ONE, constructed, simple


def numbers(content):
    """List the places of all rational numbers of a file."""
    for name, field in content.items():
        if name in ("format", "version", "kind", "statement", "versions"):
            continue
        if isinstance(field, str):
            yield (name,)
        for i, row in enumerate(field if isinstance(field, list) else []):
            if isinstance(row, list):
                yield from ((name, i, k) for k in range(len(row)))
            elif row is not None:
                yield (name, i)


@pytest.mark.parametrize("name", EVERY)
def test_every_number_that_is_changed_by_1e_12_is_noticed(tmp_path, name):
    path = EVERY[name]().save(tmp_path / "claim.json")
    content = json.loads(path.read_text())
    assert verify(path)
    for place in numbers(content):
        changed = json.loads(path.read_text())
        *outer, last = place
        target = changed
        for key in outer:
            target = target[key]
        old = Fraction(target[last])
        target[last] = str(old * (1 + Fraction(1, 10**12)) if old else Fraction(1, 10**12))
        other = tmp_path / "changed.json"
        other.write_text(json.dumps(changed))
        assert not verify(other), place


FORGERIES = [
    ({"format": "other"}, "its format is not 'landscape_jax certificate' or"),
    ({"format": None}, "its format is not"),
    ({"format": "landscape_jax certificate"}, "version 1, where 3 is read"),
    ({"kind": "local minimum on data"}, "is missing"),
    ({"kind": "theorem"}, "'kind' must be one of 'spurious minimum on data', "),
    ({"kind": ["spurious minimum on data"]}, "'kind' must be one of"),
    ({"version": 2}, "version 2, where 1 is read"),
    ({"version": True}, "version True"),
    ({"statement": 3}, "'statement' must be a sentence"),
    ({"extra": 1}, "'extra' is not a field of this kind of claim"),
    ({"versions": {"numpy": 2}}, "'versions' must hold names and versions"),
    ({"versions": None}, "'versions' must hold names and versions"),
    ({"risk": 0.5}, "'risk' must hold rational numbers, as strings p/q of at most 100000 digits"),
    ({"risk": "0.5"}, "'risk' must hold rational numbers"),
    ({"risk": "1e5"}, "'risk' must hold rational numbers"),
    ({"risk": "1/0"}, "'risk' must hold rational numbers"),
    ({"risk": "-0"}, "'risk' must hold rational numbers"),
    ({"risk": "1/-3"}, "'risk' must hold rational numbers"),
    ({"risk": " 1/3"}, "'risk' must hold rational numbers"),
    ({"risk": "1/3\n"}, "'risk' must hold rational numbers"),
    ({"risk": "١/٣"}, "'risk' must hold rational numbers"),
    ({"risk": "01/3"}, "'risk' must hold rational numbers"),
    ({"risk": "9" * 100001}, "'risk' must hold rational numbers"),
    ({"risk": None}, "'risk' must hold rational numbers"),
    ({"risk": ["1/3"]}, "'risk' must hold rational numbers"),
    ({"risk": "2/6"}, "'risk' must hold fractions in lowest terms"),
    ({"risk": "3/1"}, "'risk' must hold fractions in lowest terms"),
    ({"y": "1"}, "'y' must be an array with 1 axes"),
    ({"y": ["1", None, "1"]}, "'y' must hold rational numbers"),
    ({"y": ["1", "2"]}, "'y' has a shape that does not fit the other fields"),
    ({"x": ["1", "2", "3"]}, "'x' must be an array with 2 axes"),
    ({"x": []}, "'x' has a shape that does not fit"),
    ({"x": [[], [], []]}, "'x' has a shape that does not fit"),
    ({"x": [["1"], ["1", "2"], ["1"]]}, "'x' has rows of different lengths"),
    ({"x": [["1", "2"]] * 3}, "'inner' has a shape that does not fit"),
    ({"x": [["1"] * 200001]}, "'x' has more than 200000 numbers"),
    ({"x": None}, "'x' must be an array with 2 axes"),
    ({"slopes": ["1", "0", "0"]}, "'slopes' has a shape that does not fit"),
    ({"outer": ["1"]}, "'outer' has a shape that does not fit"),
    ({"better_inner": [["1", "0"]] * 2}, "'better_inner' has a shape that does not fit"),
]


@pytest.mark.parametrize(("change", "message"), FORGERIES, ids=lambda part: str(part)[:40])
def test_malformed_files_are_unusable(tmp_path, change, message):
    path = simple().save(tmp_path / "claim.json")
    content = json.loads(path.read_text()) | change
    path.write_text(json.dumps(content))
    with pytest.raises(CertificateError, match=message) as caught:
        verify(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_without_a_field_and_truncated_ones_are_unusable(tmp_path):
    path = constructed().save(tmp_path / "claim.json")
    text = path.read_text()
    for name in SpuriousOnData.SHAPES:
        content = json.loads(text)
        del content[name]
        path.write_text(json.dumps(content))
        with pytest.raises(CertificateError, match=f"'{name}' is missing"):
            verify(path)
    for end in range(0, len(text) - 2, 97):
        path.write_text(text[:end])
        with pytest.raises(CertificateError, match="not a certificate"):
            verify(path)


@pytest.mark.parametrize(
    "change",
    [
        {"risk": 0.5}, {"risk": fmpq_mat(1, 1)}, {"y": [fmpq(1)] * 3}, {"y": (1, 0, 1)},
        {"x": np.eye(3)}, {"versions": None}, {"x": fmpq_mat(2, 1)}, {"risk": None},
    ],
    ids=str,
)  # fmt: skip
def test_what_no_file_can_hold_does_not_hold_in_memory_either(change):
    forged = object.__new__(SpuriousOnData)
    claim = simple()
    for name, entry in {**vars(claim), **change}.items():
        object.__setattr__(forged, name, entry)
    assert str(verify(forged).reason).startswith("it is no certificate: ")
    assert not verify(object.__new__(SpuriousOnData))


def test_an_edited_sentence_does_not_hold(tmp_path):
    for make in EVERY.values():
        path = make().save(tmp_path / "claim.json")
        content = json.loads(path.read_text()) | {"statement": "All minima are global."}
        path.write_text(json.dumps(content))
        assert verify(path).reason == "its sentence is not what its numbers say."


def at_zero(samples, inputs, neurons=1, digits=1):
    """Return the network 0 at its kinks, a minimum for outputs of 1 and labels below 0."""
    rng = np.random.default_rng(0)
    x = fmpq_mat([[fmpq(int(t)) for t in row] for row in rng.integers(-9, 9, (samples, inputs))])
    y = (fmpq(-1),) * (samples - 1) + (-fmpq(10**digits - 1, 10**digits),)
    loss = sum((t * t for t in y), fmpq(0)) / samples
    return MinimumOnData(x, y, fmpq_mat(neurons, inputs), (ONE,) * neurons, loss)


def primes():
    """Return a problem whose numbers have no common denominator that could be worked with."""
    y = tuple(fmpq(1, 10**60 + 2 * i + 1) for i in range(1200))
    return MinimumOnData(fmpq_mat(1200, 1, [1] * 1200), y, fmpq_mat(1, 1), (ONE,), ONE)


HOSTILE = {
    "many rays": (lambda: at_zero(40, 6), "the kinks have too many rays around them"),
    "many neurons on kinks": (lambda: at_zero(60, 3, 300), "the kinks have too many rays"),
    "many inputs": (lambda: at_zero(50, 48), "the kinks have too many rays"),
    "many kinks": (lambda: at_zero(3000, 2), "the problem is too large to be checked."),
    "wide kinks": (lambda: at_zero(300, 300), "the problem is too large to be checked."),
    "many neurons": (lambda: at_zero(2000, 1, 2500), "the problem is too large to be checked."),
    "many digits": (lambda: at_zero(3, 1, 1, 20000), "its numbers are too many, or have too many"),
    "no common denominator": (primes, "its numbers are too many, or have too many digits"),
    "as many rays as are taken": (lambda: at_zero(90, 3), None),
}
# What takes seconds to write and to read.
LONG = ("many neurons", "wide kinks")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in HOSTILE]
)
def test_hostile_sizes_are_refused_at_once(tmp_path, name):
    make, reason = HOSTILE[name]
    path = make().save(tmp_path / "claim.json")
    start = time.perf_counter()
    result = verify(path)
    assert time.perf_counter() - start < 5
    if reason is None:
        assert result, result.reason
    else:
        assert str(result.reason).startswith(reason)


def test_a_problem_that_is_too_large_is_not_proven():
    claim = at_zero(40, 6)
    outcome = prove_minimum_on_data(claim.x, claim.y, claim.weights, claim.outputs)
    assert outcome.reason == "the kinks have too many rays around them to be checked."
