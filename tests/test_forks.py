"""A forked child is told in one line where it would hang; before JAX has started it works."""

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys, warnings
warnings.simplefilter("ignore")
import jax, jax.numpy as jnp, landscape_jax as lj
if sys.argv[1] == "started":
    jnp.ones(1)
child = os.fork()
if child == 0:
    try:
        start = lj.starts.gaussian((2, 2))
        lj.restart(lj.PopulationRisk(jnp.eye(2)), start, 2, key=jax.random.key(0), max_steps=1)
        print("ran", flush=True)
    except RuntimeError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("started", "this process was forked from one in which JAX had started, and would hang; "
         "spawn it, as by multiprocessing.get_context('spawn')\n"),
        ("not yet", "ran\n"),
    ],
)  # fmt: skip
def test_a_child_forked_after_jax_has_started_is_told(state, told):
    command = [sys.executable, "-c", CODE, state]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == told
