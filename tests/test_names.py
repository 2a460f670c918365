"""Every documented path is reached from `landscape_jax`, lazily, and nothing else is on show."""

import importlib
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import landscape_jax as lj
from landscape_jax.cli.names import PACKAGES as LISTED
from landscape_jax.networks import criteria
from landscape_jax.public_names import exported

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for path in (ROOT / "landscape_jax").rglob("__init__.py")
    if path.parent.name != "cli"
)
HEAVY = ("scipy.optimize", "xarray", "zarr", "matplotlib", "typer")


def reached(path: str):
    """Follow a dotted path from `landscape_jax`, or from a room of theory or a study."""
    *parts, last = path.split(".")
    homes = [lj, lj.theory, *(getattr(lj.theory, room) for room in dir(lj.theory))]
    for home in homes:
        try:
            thing = home
            for part in (*parts, last):
                thing = getattr(thing, part)
        except AttributeError:
            continue
        return thing
    raise AttributeError(path)


def test_the_command_names_lists_every_package():
    listed = {name if name == "landscape_jax" else f"landscape_jax.{name}" for name in LISTED}
    assert listed == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_shows_the_public_names_alone_and_each_is_there_and_documented(package):
    module = importlib.import_module(package)
    assert dir(module) == sorted(exported(package))
    for name in dir(module):
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing) or inspect.ismodule(thing):
            assert inspect.getdoc(thing), f"{package}.{name} has no docstring"


def test_dir_of_a_module_shows_what_it_defines_and_no_constant_that_it_imports():
    assert dir(lj.slices) == ["Slice", "along", "line", "plane", "random_directions"]
    assert dir(criteria) == ["Criterion", "Hinge", "NAMES", "hinge", "named"]


def test_no_subpackage_bears_the_name_of_a_public_function():
    packages = {name for path in PACKAGES for name in path.split(".")[1:]}
    public = {
        name
        for package in PACKAGES
        for name in exported(package)
        if callable(getattr(importlib.import_module(package), name))
    }
    # `theory.cells.cells` lists the cells of the room that is named after them.
    assert packages & public <= {"cells"}


def test_every_path_that_the_readme_names_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = set(re.findall(r"`(?:lj|landscape_jax)\.([A-Za-z_][\w.]*)", text))
    found |= set(re.findall(r"`((?:theory|studies|sweeps|critical|plots|exact)\.[\w.]+)`", text))
    assert len(found) >= 20
    for path in sorted(found):
        reached(path)


def test_importing_the_package_imports_what_is_used_alone():
    code = "import sys, landscape_jax as lj; first = set(sys.modules); "
    code += "lj.restart, lj.families, lj.PopulationRisk, lj.sweep; "
    code += f"print('jax' in first, [m for m in {HEAVY} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "False []"


def test_a_name_that_is_not_there_is_an_attribute_error():
    for package in (lj, lj.theory, lj.studies):
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            package.nothing  # noqa: B018


def test_classes_pickle_by_their_defining_module():
    net = lj.TwoLayer(jnp.eye(2), jnp.ones((1, 2)))
    again = pickle.loads(pickle.dumps(net))
    assert jax.tree.structure(again) == jax.tree.structure(net)
    assert lj.TwoLayer.__module__ == "landscape_jax.networks.models"


def test_the_version_is_that_of_the_distribution():
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", lj.__version__)
