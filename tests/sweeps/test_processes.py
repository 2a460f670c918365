"""Several processes make one table together, and one that dies costs its unfinished chunk."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from landscape_jax.studies import ss18
from landscape_jax.sweeps.processes import ALONE, Processes

# Chunks of 10 runs; otherwise the command as it is.
PROGRAM = """
import sys
from landscape_jax.sweeps import chunks
chunks.CHUNK = 10
from landscape_jax.cli import app
app(sys.argv[1:])
"""
TABLE = ["table", "6:6", "8:8", "--restarts", "40"]


def _start(out: Path, process: int, port: int) -> subprocess.Popen:
    place = ["--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--process", str(process)]
    told = ["--out", str(out), "--json", str(out.with_suffix(f".{process}.json"))]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *TABLE, *told, "--distributed", *place],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _together(out: Path) -> list[subprocess.Popen]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [_start(out, process, port) for process in range(2)]


def _numbers(rows: list[dict]) -> list[dict]:
    return [{name: x for name, x in row.items() if name != "seconds"} for row in rows]


def test_shares_are_disjoint_and_complete():
    items = list(range(11))
    shares = [Processes(i, 3).share(items) for i in range(3)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert ALONE.share(items) == items
    ALONE.wait("for nobody")


@pytest.mark.slow
def test_two_processes_make_the_table_that_one_makes_also_when_one_was_killed(tmp_path):
    alone = ss18.table([(6, 6), (8, 8)], 40).to_json()
    out = tmp_path / "sweep"
    first = _together(out)
    while len(list(out.glob("runs/*/*.zarr"))) < 2:
        assert all(process.poll() is None for process in first)
        time.sleep(0.02)
    for process in first[::-1]:
        process.kill()
        process.communicate()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/*.zarr")}
    assert 2 <= len(kept) < 8
    second = _together(out)
    said = [process.communicate(timeout=240) for process in second]
    assert [process.returncode for process in second] == [0, 0], said
    # Nothing that was finished is run again, and every chunk is there once.
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert len(list(out.glob("runs/*/*.zarr"))) == 8
    assert "6:6" in said[0][0]
    assert "6:6" not in said[1][0]
    found = json.loads(out.with_suffix(".0.json").read_text())
    assert _numbers(found["rows"]) == _numbers(alone["rows"])
    assert not out.with_suffix(".1.json").exists()
