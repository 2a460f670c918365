"""What the commands write with --json."""

import math
from pathlib import Path
from typing import Any


def write_json(path: Path | None, content: Any) -> None:
    """Write a result as JSON, with null for numbers that are not finite; without a path, nothing.

    JSON has no infinity, which results have where a bound is not known.
    """
    if path is None:
        return
    from landscape_jax import files

    files.write_json(path, _known(content))


def _known(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _known(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_known(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
