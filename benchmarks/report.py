"""What every benchmark writes beside its results: the command, the machine and the versions."""

import json
import os
import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

_PACKAGES = ("jax", "jaxlib", "equinox", "optax", "numpy", "scipy", "python-flint")
_PACKAGES += ("torch", "clarabel", "qpax")


def write(path: Path, doc: str | None, results: dict[str, Any]) -> None:
    """Write the results as JSON, with the question that the script's docstring asks."""
    report = {
        "question": (doc or "").strip().splitlines()[0],
        "command": shlex.join(["python", *sys.argv]),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}",
        "device": jax.devices()[0].device_kind,
        "versions": {"python": platform.python_version()}
        | {name: found for name in _PACKAGES if (found := _version(name))},
    }
    path.write_text(json.dumps(report | results, indent=1) + "\n", encoding="utf-8")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
