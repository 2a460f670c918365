"""A sweep works where there is no fcntl and no directory can be opened, as on Windows."""

import os
import subprocess
import sys

CODE = """
import asyncio, os, sys, warnings  # Python's own modules ask this system once.
for name in ("fcntl", "resource"):
    sys.modules[name] = None
for name in ("sysconf", "geteuid", "fork", "register_at_fork", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
plain = os.open
def refusing(path, flags, *rest, **named):
    if os.path.isdir(path):
        raise PermissionError(13, "Permission denied", str(path))
    return plain(path, flags, *rest, **named)
os.open = refusing
# Its own lock of a file's existence takes over, and says so.
warnings.filterwarnings("ignore", message="only soft file lock is available")

import jax, jax.numpy as jnp, landscape_jax as lj
from landscape_jax.files import StorageError
from landscape_jax.sweeps.store import open_store
risk, start, key = lj.PopulationRisk(jnp.eye(2)), lj.starts.gaussian((2, 2)), jax.random.key(0)
for restarts in (4, 6):
    runs = lj.sweep(risk, start, restarts, key=key, out=sys.argv[1], chunk=2, max_steps=5)
how = dict(what="numbers", settings={}, made_by={"lanes": 1})
with open_store(sys.argv[2], **how):
    try:
        with open_store(sys.argv[2], **how):
            pass
    except StorageError as error:
        print(error)
print(len(runs), jax.device_count())
"""


def test_a_sweep_is_made_and_extended_without_what_only_posix_has(tmp_path):
    places = [str(tmp_path / "sweep"), str(tmp_path / "other")]
    command = [sys.executable, "-c", CODE, *places]
    # There the kernels are not compiled either.
    environment = os.environ | {"LANDSCAPE_JAX_NATIVE": "0"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    told, counts = done.stdout.splitlines()
    assert told == f"{places[1]} is in use by another process"
    assert counts.startswith("6 ")
    assert len(list((tmp_path / "sweep" / "runs").iterdir())) == 3
