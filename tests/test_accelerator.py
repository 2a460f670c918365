"""The script for accelerators, tried on a CPU: it measures, and goes on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "accelerator.py"


@pytest.mark.slow
def test_the_script_measures_within_its_budget_and_goes_on(tmp_path):
    place = tmp_path / "measured.json"
    command = [sys.executable, SCRIPT, "--platform", "cpu", "--json", place, "--budget"]
    subprocess.run([*command, "9"], check=True, capture_output=True)
    first = json.loads(place.read_text())
    assert first["platform"] == "cpu"
    assert 1 <= len(first["results"]) < 30
    subprocess.run([*command, "12"], check=True, capture_output=True)
    second = json.loads(place.read_text())["results"]
    assert len(second) > len(first["results"])
    assert {name: second[name] for name in first["results"]} == first["results"]
    for name, result in second.items():
        assert name.startswith("step")
        assert result["microseconds_per_run_and_step"] > 0
        assert "prediction" in "".join(result)


def test_results_of_another_device_are_not_mixed(tmp_path):
    place = tmp_path / "measured.json"
    place.write_text(json.dumps({"device": "NVIDIA H100", "results": {}}))
    command = [sys.executable, SCRIPT, "--platform", "cpu", "--json", place]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "is of NVIDIA H100, not cpu" in done.stderr
