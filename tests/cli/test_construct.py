"""`landscape-jax construct`: from a CSV file to two networks, or one clear line."""

import json
import os
import sys
from fractions import Fraction

import numpy as np
import pytest

from landscape_jax.proofs import Claim, SpuriousOnData, rational_claim

from .test_cli import call, refused

DATA = "a, price,b\n0,1.0,0\n1,0.5,0\n0,.25,1\n\n1,3e0,1\n2,-1,+0.1\n"


@pytest.fixture
def table(tmp_path):
    """Give a function that writes a file and gives its path."""

    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def outputs(parameters, x, plus, minus):
    W1, b1, W2, b2 = (np.array(parameters[name]) for name in ("W1", "b1", "W2", "b2"))
    hidden = x @ W1.T + b1
    return np.where(hidden > 0, plus * hidden, minus * hidden) @ W2[0] + b2


@pytest.mark.parametrize(
    ("activation", "width"),
    [("relu", 2), ("1,0.01", 2), ("0.5,2", 5), ("1.001,1", 3), ("leaky", 2)],
)
def test_the_networks_of_a_file_have_the_risks_that_it_says(table, tmp_path, activation, width):
    target = tmp_path / "nets.json"
    result = call(
        "construct", table(DATA), "--target", "price", "--activation", activation,
        "--width", width, "--json", target,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout.startswith(f"5 samples of 2 inputs, width {width}, activation ")
    assert "better network    risk " in result.stdout
    x = np.array([[0, 0], [1, 0], [0, 1], [1, 1], [2, 0.1]])
    y = np.array([1, 0.5, 0.25, 3, -1])
    found = json.loads(target.read_text())
    assert list(found) == [
        "inputs", "target", "samples", "activation", "width", "least_squares_risk",
        "exact_least_squares_risk", "minimum", "better", "certificate",
    ]  # fmt: skip
    assert found["certificate"] is None
    assert (found["inputs"], found["target"], found["samples"]) == (["a", "b"], "price", 5)
    assert found["width"] == width
    assert list(found["minimum"]) == ["risk", "parameters", "exact"]
    assert list(found["better"]) == ["case", "risk", "parameters", "exact"]
    ones = np.column_stack([x, np.ones(5)])
    best = ones @ np.linalg.lstsq(ones, y, rcond=None)[0]
    np.testing.assert_allclose(found["least_squares_risk"], np.sum((best - y) ** 2) / 2, rtol=1e-12)
    np.testing.assert_allclose(found["minimum"]["risk"], found["least_squares_risk"], rtol=1e-12)
    assert found["better"]["risk"] < found["least_squares_risk"]
    names = {"relu": (1, 0), "leaky": (1, 0.01)}
    plus, minus = names.get(activation) or tuple(map(float, activation.split(",")))
    assert found["activation"] == {"name": activation, "slopes": [plus, minus]}
    for network in (found["minimum"], found["better"]):
        parameters = network["parameters"]
        assert list(parameters) == ["W1", "b1", "W2", "b2"]
        assert np.shape(parameters["W1"]) == (width, 2)
        assert np.shape(parameters["W2"]) == (1, width)
        q = outputs(parameters, x, plus, minus)
        np.testing.assert_allclose(np.sum((q - y) ** 2) / 2, network["risk"], rtol=1e-12)


def test_the_exact_networks_of_the_file_have_exactly_its_risks(table, tmp_path):
    # Labels at 1e15, of which float64 cannot hold the networks.
    text = "a,y,b\n" + "".join(
        f"{a},{10**15 + y},{b}\n"
        for a, y, b in [(0, 1, 0), (1, 0, 0), (0, 0, 1), (1, 3, 1), (2, -1, 1)]
    )
    target = tmp_path / "nets.json"
    result = call("construct", table(text), "--target", "y", "--json", target)
    assert result.exit_code == 0, result.output
    assert "float64 cannot hold these networks; --json has them as fractions" in result.stdout
    found = json.loads(target.read_text())
    risks = []
    for network in (found["minimum"], found["better"]):
        assert network["parameters"] is None
        W1, b1, W2, b2 = (network["exact"][name] for name in ("W1", "b1", "W2", "b2"))
        total = Fraction(0)
        for a, y, b in [(0, 1, 0), (1, 0, 0), (0, 0, 1), (1, 3, 1), (2, -1, 1)]:
            hidden = [
                Fraction(w[0]) * a + Fraction(w[1]) * b + Fraction(c)
                for w, c in zip(W1, b1, strict=True)
            ]
            q = sum(Fraction(v) * max(t, 0) for v, t in zip(W2[0], hidden, strict=True))
            total += (q + Fraction(b2[0]) - 10**15 - y) ** 2 / 2
        assert float(total) == network["risk"]
        risks.append(total)
    assert risks[0] == Fraction(found["exact_least_squares_risk"])
    assert risks[1] < risks[0]


def test_the_certificate_holds_and_is_named(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = table(DATA)
    result = call("construct", path, "--target", "price", "--out", "a/b", "--json", "nets.json")
    assert result.exit_code == 0, result.output
    certificate = os.path.join("a", "b", "spurious-minimum.json")
    assert result.stdout.splitlines()[-1] == f"1 certificate: {certificate}"
    found = json.loads((tmp_path / "nets.json").read_text())
    assert found["certificate"] == certificate
    claim = Claim.load(certificate)
    assert isinstance(claim, SpuriousOnData)
    assert str(claim.risk) == found["exact_least_squares_risk"]
    checked = call("verify", certificate)
    assert checked.exit_code == 0
    assert checked.stdout == f"holds: {certificate}: {claim.statement}\n"
    line = refused("construct", path, "--target", "price", "--out", "a/b")
    assert f"{certificate} is there already; give another --out" in line


def test_data_that_are_too_large_have_no_certificate_and_the_reason(table, tmp_path, monkeypatch):
    monkeypatch.setattr(rational_claim, "MOST_WORK", 10)
    result = call("construct", table(DATA), "--target", "price", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    line = "1 without a certificate: the problem is too large to be checked."
    assert result.stdout.splitlines()[-1] == line
    assert not list((tmp_path / "out").iterdir())


def test_forged_certificates_do_not_hold_or_are_unusable(table, tmp_path):
    call("construct", table(DATA), "--target", "price", "--out", tmp_path)
    path = tmp_path / "spurious-minimum.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"better_risk": "1/1000"}))
    result = call("verify", path)
    assert result.exit_code == 1
    reason = "the better network's risk is not the claimed one."
    assert result.stdout == f"does not hold: {path}: {reason}\n"
    path.write_text(json.dumps(content | {"better_risk": 0.001}))
    result = call("verify", path)
    assert result.exit_code == 2
    assert result.stdout.startswith(f"unusable: {path}: 'better_risk' must hold rational numbers")
    path.write_text(json.dumps(content))
    np.save(tmp_path / "T.npy", np.eye(2))
    result = call("verify", path, "--teacher", tmp_path / "T.npy")
    assert result.exit_code == 1
    assert "it is about samples, not about a population risk." in result.stdout


def test_repeated_samples_are_taken(table):
    result = call("construct", table("a,y\n0,1\n0,1\n1,2\n2,0\n2,5\n3,1\n"), "--target", "y")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("6 samples of 1 input")


def test_the_case_is_decided_on_the_decimals_as_they_are_written(table, tmp_path):
    # 0.1 + 0.2 - 0.3 = 0: on x = 0, 1, 2 the errors at equal predictions cancel as decimals only.
    rows = [("0", "0.1"), ("1", "-0.2"), ("2", "0.1")]
    text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in rows)
    call("construct", table(text), "--target", "y", "--json", tmp_path / "nets.json")
    assert json.loads((tmp_path / "nets.json").read_text())["better"]["case"] == "J empty"
    result = call("construct", table(text), "--target", "y")
    assert "(case J empty)" in result.stdout
    assert "3 samples of 1 input," in result.stdout


def test_its_help_has_an_example():
    result = call("construct", "--help")
    assert result.exit_code == 0
    assert "Example: landscape-jax construct data.csv " in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; give a header row"),
        ("\n\n", "is empty"),
        ("a,b\n1,2\n", "has no column 'y'; --target is one of a, b"),
        ("y\n1\n2\n3\n", "has no column but 'y'"),
        ("a,a,y\n1,2,3\n", "has two columns 'a'"),
        ("a,y\n", "has too few rows: 0 samples; give at least 3"),
        ("a,y\n1,2\n2,5\n", "has too few rows: 2 samples"),
        ("a,y\n1,2\n2\n", "line 3: 1 entries; there are 2 columns"),
        ("a,sex,y\n1,2,3\n1,F,3\n", "line 3: column 'sex' is not numeric, it has 'F'"),
        ("a,y\n1,\n", "line 2: column 'y' is not numeric, it has ''"),
        ("a,y\n1,nan\n", "column 'y' is not numeric, it has 'nan'"),
        ("a,y\n1,1/3\n", "column 'y' is not numeric, it has '1/3'"),
        ("a,y\n1,1_0\n", "column 'y' is not numeric, it has '1_0'"),
        ("a,y\n1,1e9999\n", "column 'y' is not numeric, it has '1e9999'"),
        ("a,y\n0,1\n1,2\n0,3\n", "x has the same inputs in samples 1 and 3"),
        ("a,y\n0.1,1\n0.2,2\n0.3,3\n", "y is a linear function of x, exactly"),
        ("a,y\n0,1\n1,1e999\n2,3\n", "a least-squares risk beyond float64"),
        (b"\xff\xfea,y\n", "is not UTF-8 text (invalid start byte)"),
        ('a,y\n"1,2\n', "is not a CSV file: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_data_for_theorem_1_is_refused(table, text, message):
    path = table(text)
    line = refused("construct", path, "--target", "y")
    assert message in line
    assert str(path) in line


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "No such file" in refused("construct", tmp_path / "missing.csv", "--target", "y")
    assert "Is a directory" in refused("construct", tmp_path, "--target", "y")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--activation", "tanh"], "--activation is 'tanh'; give relu, or S+,S- such as 1,0.01"),
        (["--activation", "abs"], "--activation is 'abs', with S- = -1; theorem 1 needs S- >= 0"),
        (["--activation", "1"], "--activation is '1'; give relu, or S+,S-"),
        (["--activation", "1,2,3"], "--activation is '1,2,3'; give relu, or S+,S-"),
        (["--activation", "1,1"], "'1,1'; S+ > 0 and S- >= 0 must be different numbers"),
        (["--activation", "0,1"], "'0,1'; S+ > 0"),
        (["--activation", "1,-1"], "'1,-1'; S+ > 0"),
        (["--activation", "nan,1"], "'nan,1'; S+ > 0"),
        (["--width", "1"], "'--width'"),
        (["--width", "x"], "'--width'"),
        (["--json", "missing/nets.json"], "missing is no directory"),
    ],
)
def test_a_mistake_in_the_options_is_said_in_one_line(table, arguments, message):
    assert message in refused("construct", table(DATA), "--target", "price", *arguments)


def test_a_target_is_needed(table):
    assert "Missing option '--target'" in refused("construct", table(DATA))


@pytest.mark.slow
def test_the_diabetes_data_are_read_and_solved_in_a_pipe(tmp_path):
    import subprocess

    from sklearn.datasets import load_diabetes

    path = tmp_path / "diabetes.csv"
    x, y = map(np.asarray, load_diabetes(return_X_y=True))
    table = np.column_stack([x, y])
    lines = [
        ",".join("abcdefghij") + ",target",
        *(",".join(map(repr, row)) for row in table.tolist()),
    ]
    path.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-m", "landscape_jax", "construct", str(path), "--target", "target"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert "442 samples of 10 inputs" in done.stdout
    assert "least squares     risk 631992.8928" in done.stdout
