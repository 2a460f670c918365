"""The house stands: a room imports only from floors below its own, and size stays in bounds."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import landscape_jax

HOUSE = Path(landscape_jax.__file__).parent
FLOORS = {
    "__main__": 10, "__init__": 10,
    "cli": 9,
    "studies": 8,
    "plots": 7, "sweeps": 7,
    "theory": 6,
    "critical": 5,
    "symmetric": 4,
    "search": 3,
    "proofs": 2, "objectives": 2,
    "networks": 1, "exact": 1, "native": 1,
    "arrays": 0, "precision": 0, "public_names": 0, "files": 0, "interrupts": 0,
    "progress": 0, "summary": 0, "mistakes": -1, "machine": -1,
    "forks": -2,
}  # fmt: skip
FILES = sorted(HOUSE.rglob("*.py"))


def _room(path: Path) -> str:
    return path.relative_to(HOUSE).with_suffix("").parts[0]


def _imports(path: Path) -> set[str]:
    """All modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_a_room_imports_only_from_floors_below(path):
    room = _room(path)
    for name in _imports(path):
        parts = name.split(".")
        if parts[0] == "landscape_jax" and len(parts) > 1 and parts[1] != room:
            floor = FLOORS.get(parts[1], 0 if parts[1] == "__version__" else None)
            assert floor is not None, f"{room} imports a name of the package itself: {name}"
            assert floor < FLOORS[room], f"{room} (floor {FLOORS[room]}) imports {name}"


def test_proofs_do_not_use_jax():
    for path in (HOUSE / "proofs").glob("*.py"):
        assert not any(name.split(".")[0] in ("jax", "equinox", "optax") for name in _imports(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(HOUSE)))
def test_a_file_holds_one_idea(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_importing_the_package_changes_no_setting_of_jax():
    code = "import jax; before = dict(jax.config.values); import landscape_jax; "
    code += "assert dict(jax.config.values) == before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_two_modules_and_no_two_classes_bear_one_name():
    modules = [path.stem for path in FILES if not path.stem.startswith("__")]
    classes = [
        node.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    for names in (modules, classes):
        assert sorted(names) == sorted(set(names))
