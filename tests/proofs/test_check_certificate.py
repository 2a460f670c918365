"""The stand-alone checker: one page, nothing of ours, and of one mind with `verify`."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import landscape_jax as lj
from landscape_jax.proofs import PointCertificate, check_certificate
from landscape_jax.proofs.check_certificate import Refused, check
from tests.proofs.helpers import certified, make_risk, pattern
from tests.proofs.symmetric_points import POINTS, proven

FILE = Path(check_certificate.__file__)


def test_it_is_one_page_that_imports_nothing_of_ours():
    source = FILE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 300
    imported = {
        alias.name.split(".")[0] if isinstance(node, ast.Import) else (node.module or "")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert imported == {"json", "sys", "functools", "flint"}


def test_it_runs_alone_and_says_what_holds(tmp_path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    proven("one flipped, k = 5").save(good)
    forged = json.loads(good.read_text()) | {"index": 2}
    bad.write_text(json.dumps(forged))
    damaged = tmp_path / "damaged.json"
    damaged.write_text(good.read_text()[:-40])
    copy = tmp_path / "checker.py"
    copy.write_text(FILE.read_text(encoding="utf-8"))

    def run(*paths):
        command = [sys.executable, "-I", str(copy), *map(str, paths)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    done = run(good)
    assert (done.returncode, done.stdout) == (0, f"holds: {good}\n")
    done = run(good, bad, damaged, tmp_path / "none.json")
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[1] == f"does not hold: {bad}: the index is another one."
    assert lines[2].startswith(f"does not hold: {damaged}: ")
    assert lines[3].startswith(f"does not hold: {tmp_path / 'none.json'}: ")


@pytest.mark.parametrize("name", POINTS)
def test_it_confirms_symmetric_certificates(name):
    proof = proven(name)
    check(json.loads(json.dumps(proof.written(proof.statement))))


def _minima():
    """Certificates of strict minima: orthonormal, scaled, rotated and weighted teachers."""
    base = certified(make_risk(np.eye(6)), pattern(6), max_move=1.0)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0]
    yield base
    yield certified(make_risk(np.eye(6)), np.eye(6))
    yield certified(make_risk(0.25 * np.eye(6)), 0.25 * base.point)
    yield certified(make_risk(rotation), base.point @ rotation)
    a = np.array([1.0, 8.0, 0.25, 1.0, 1.0, 2.0])
    yield certified(make_risk(np.eye(6), student_weights=a), base.point / a[:, None])


def test_it_confirms_certificates_of_strict_minima_by_the_whole_matrix():
    for proof in _minima():
        found = json.loads(json.dumps(proof.written(proof.statement)))
        check(found)
        least = found["min_eigenvalue_lower"]
        forgeries = [
            {"min_eigenvalue_lower": least * 1.1}, {"index": 1}, {"kind": "saddle"},
            {"value_upper": -1e-9}, {"value_lower": found["value_upper"] + 1e-9},
        ]  # fmt: skip
        if proof.kind == "spurious":
            # The point of a global minimum is exact: it may be claimed to be as near as one likes.
            forgeries += [{"kind": "global"}, {"witness": None}, {"radius": found["radius"] / 1e6}]
        for forgery in forgeries:
            with pytest.raises(Refused):
                check(found | forgery)


def _saddle():
    """A saddle without symmetry: between the minima of four random teachers."""
    risk = lj.PopulationRisk(jax.random.normal(jax.random.key(3), (3, 3)))
    found = lj.critical_points(risk, lj.starts.gaussian((3, 3)), 40, key=jax.random.key(1))
    proofs = (lj.prove_critical_point(risk, np.asarray(W)) for W in found.params)
    return risk, next(p for p in proofs if p and p.kind == "saddle")


def test_saddles_without_symmetry_are_proven_and_confirmed():
    risk, proof = _saddle()
    assert isinstance(proof, PointCertificate)
    spectrum = lj.spectrum(risk, jnp.asarray(proof.point))
    assert (spectrum < 0).sum() == proof.index
    assert 0 <= spectrum[0] - proof.min_eigenvalue_lower < 1e-9
    assert float(risk(jnp.asarray(proof.witness))) < proof.value_lower
    check_holds = lj.verify(proof, risk)
    assert check_holds, check_holds.reason
    found = json.loads(json.dumps(proof.written(proof.statement)))
    check(found)
    for forgery in (
        {"index": proof.index + 1}, {"radius": proof.radius * 0.9},
        {"min_eigenvalue_lower": proof.min_eigenvalue_lower * 0.9},
        {"witness": found["point"]}, {"value_lower": proof.value_upper + 1e-12},
        {"value_upper": proof.value_lower - 1e-12}, {"kind": "minimum"},
    ):  # fmt: skip
        with pytest.raises(Refused):
            check(found | forgery)


def test_an_exhibited_global_minimum_is_confirmed_in_exact_arithmetic():
    teacher = np.array([[0.6, 0.8, 0.0], [0.0, 0.3, 0.1]])
    risk = make_risk(teacher, teacher_weights=[0.7, 0.3], student_weights=np.array([0.1, 1, 3, 2]))
    W = np.array([3.0, 0.4, 0.1, 0.0])[:, None] * teacher[[0, 0, 1, 0]]
    proof = lj.prove_critical_point(risk, W + 1e-9)
    assert isinstance(proof, PointCertificate)
    assert (proof.kind, proof.index, proof.assignment) == ("global", 0, (0, 0, 1, -1))
    assert proof.shares is not None
    shares = [float(s.p) / float(s.q) for s in proof.shares]
    assert np.allclose(shares, [3.0, 0.4, 0.1, 0.0], atol=1e-8)
    assert lj.verify(proof, risk)
    found = json.loads(json.dumps(proof.written(proof.statement)))
    check(found)
    first, *rest = found["shares"]
    top, bottom = first.split("/")
    for forgery in (
        {"shares": [f"{int(top) + 1}/{bottom}", *rest]}, {"moved": proof.moved / 2},
        {"assignment": [0, 0, -1, -1]}, {"index": 1}, {"kind": "saddle"}, {"kind": "minimum"},
        {"value_lower": 1e-300}, {"min_eigenvalue_lower": 1e-300},
        {"teacher_weights": [(0.7).hex(), (0.31).hex()]},
    ):  # fmt: skip
        with pytest.raises(Refused):
            check(found | forgery)
