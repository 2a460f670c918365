"""Files and directories that the commands write: refused before the work, or written whole."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from .test_cli import call, refused


@pytest.fixture
def points(tmp_path):
    np.save(tmp_path / "points.npy", np.eye(3))
    return tmp_path / "points.npy"


def test_a_bound_that_is_not_known_is_null_in_json(tmp_path):
    target = tmp_path / "proofs.json"
    np.save(tmp_path / "huge.npy", 1e200 * np.eye(3))
    result = call("prove", tmp_path / "huge.npy", "--json", target)
    assert result.exit_code == 0, result.output
    entry = json.loads(target.read_text(), parse_constant=pytest.fail)[0]
    assert entry["proven"] is False
    assert entry["value_upper"] is None


def test_a_file_that_may_not_be_written_is_refused_before_the_work(tmp_path, points, monkeypatch):
    target = tmp_path / "proofs.json"
    target.touch()
    for locked in (target, tmp_path):
        # As root everything may be written.
        monkeypatch.setattr(os, "access", lambda path, mode, locked=locked: Path(path) != locked)
        assert f"{locked} may not be written to" in refused("prove", points, "--json", target)
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
    assert "may not be written to" in refused("prove", points, "--out", tmp_path)


def test_a_directory_of_certificates_is_left_alone_where_the_input_is_refused(tmp_path):
    out = tmp_path / "out"
    refused("prove", tmp_path / "missing.npy", "--out", out)
    (tmp_path / "d.csv").write_text("a,y\n1,x\n")
    for line in (["construct"], ["cells", "--width", 1]):
        refused(*line, tmp_path / "d.csv", "--target", "y", "--out", out)
    assert not out.exists()


def test_certificates_are_not_mixed_with_earlier_ones(tmp_path, points):
    assert call("prove", points, "--out", tmp_path / "out").exit_code == 0
    assert "point-0000.json is there already" in refused("prove", points, "--out", tmp_path / "out")
