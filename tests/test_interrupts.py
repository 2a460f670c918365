"""Ctrl-C ends a command at any moment in one line and with 130."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.usefixtures("ctrl_c")

# The command, interrupted where it first looks for a module.
AT_IMPORT = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, *_):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)

module = sys.argv.pop(1)
sys.meta_path.insert(0, Interrupt())
from landscape_jax.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["typer", "landscape_jax.cli.verify", "numpy", "jax"])
def test_an_import_is_interrupted(module):
    command = [sys.executable, "-c", AT_IMPORT, module, "table", "2:2", "--restarts", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="needs /proc")
@pytest.mark.parametrize("seconds", [0, 0.3, 1, 3])
def test_a_command_is_interrupted_at_any_time(tmp_path, seconds):
    command = [sys.executable, "-m", "landscape_jax", "table", "18:18", "--json", "t.json"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        # Python itself takes a moment to begin, in which nothing of ours can listen.
        while len(os.listdir(f"/proc/{process.pid}/task")) < 2:
            time.sleep(0.001)
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, "")
    assert stderr in ("interrupted\n", "interrupted: with --out DIR it could be resumed\n")
    assert os.listdir(tmp_path) == []
