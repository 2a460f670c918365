"""Objectives of a script or a notebook travel to workers by value, with their fields."""

import pickle
import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import landscape_jax as lj
from landscape_jax.sweeps.by_value import dumps

# As in the README and its notebooks; and all that a class may have.
SCRIPT = """
import equinox as eqx, jax, jax.numpy as jnp, landscape_jax as lj
from landscape_jax.sweeps.by_value import dumps

class Quartic(lj.AbstractObjective):
    slope: jax.Array

    def __call__(self, x):
        return jnp.sum((x**2 - 1) ** 2 + self.slope * x)

class Part(eqx.Module):
    weight: jax.Array
    scale: float = eqx.field(static=True, default=2.0)

class Made(lj.AbstractObjective):
    part: Part
    twice: jax.Array
    name: str = eqx.field(static=True)

    def __init__(self, weight):
        self.part, self.twice, self.name = Part(weight), 2 * weight, "made"

    def __call__(self, x):
        return self.like(x) * self.part.scale

    def like(self, x):
        return jnp.sum(self.part.weight * x**2) + isinstance(self, Made)

class Child(Quartic):
    shift: jax.Array

    def __call__(self, x):
        return super().__call__(x - self.shift)

tilt = jnp.array([0.1, 0.2])
things = (Quartic(tilt), Made(jnp.array([1.0, 3.0])), Child(tilt, jnp.ones(2)),
          lambda key: jax.random.normal(key, (2,)))
x = jnp.array([0.5, 2.0])
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The bytes of a script's objects, and their values there."""
    path = tmp_path_factory.mktemp("bytes") / "things"
    code = f"{SCRIPT}\nopen({str(path)!r}, 'wb').write(dumps(things))\n"
    code += "print([float(thing(x)) for thing in things[:3]])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return path, done.stdout


@pytest.mark.parametrize("again", [1, 2])
def test_classes_of_a_script_are_the_same_in_another_process(written, again):
    path, values = written
    code = "import pickle, jax, jax.numpy as jnp\nfrom landscape_jax.sweeps.by_value import dumps\n"
    code += f"things = pickle.load(open({str(path)!r}, 'rb'))\n"
    code += "things = pickle.loads(dumps(things))\n" * (again - 1)
    code += (
        "x = jnp.array([0.5, 2.0])\n"
        "print([float(jax.jit(lambda t, x: t(x))(thing, x)) for thing in things[:3]])\n"
        "print([len(jax.tree.leaves(thing)) for thing in things[:3]], things[1].name)\n"
        "print(things[3](jax.random.key(0)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{values}[1, 2, 2] made\n(2,)\n"


def test_what_a_module_holds_travels_by_name():
    risk = lj.PopulationRisk(jnp.eye(2))
    assert len(dumps(type(risk))) < 200
    again = pickle.loads(dumps(risk))
    assert eqx.tree_equal(again, risk)
    assert jax.tree.structure(again) == jax.tree.structure(risk)
