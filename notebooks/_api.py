"""The API reference: one MyST page for each package, made from signatures and docstrings.

Docstrings are Markdown, so each becomes the body of a directive of Sphinx's Python domain.  A name
that several packages export is described once, under its shortest path; the others link to it.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from _public import class_path, class_paths, described, members, pages, public_names
from equinox import Enumeration
from sphinx.application import Sphinx

_DOCTEST = re.compile(r"```python\n(?=>>>)")
_TYPE = re.compile(r"\b((?:\w+\.)+)(\w+)")
_BLANK_BEFORE_END = re.compile(r"\n\n```$", re.MULTILINE)
_CODE = re.compile(r"(```.*?```|`[^`]*`|^ {4}[^\n]*)", re.DOTALL | re.MULTILINE)
_STAR = re.compile(r"(?<=\w)\*(?=\w)")
_WORD = re.compile(r"(?<![\w.'\"])[A-Z]\w+\b(?![\w'\"])")


def _written(function: Callable) -> str:
    """Return the signature of a function as its source has it, without `self`."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    node = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef))
    node.args.args = [a for a in node.args.args if a.arg not in ("self", "cls")]
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"({ast.unparse(node.args)}){returned}"


def _by_path(found: re.Match[str]) -> str:
    """Return the path of a documented class, and of any other type its name."""
    module = found[1].removesuffix(".")
    return class_path(found[2], module) or found[2] if module in sys.modules else found[2]


def _of_fields(kind: type) -> str:
    """Return the signature of an `__init__` that was made from the fields of a class."""
    parts = []
    try:
        parameters = inspect.signature(kind).parameters.values()
    except ValueError:  # Exceptions, which have that of their base, in C.
        return ""
    for parameter in parameters:
        text = _TYPE.sub(_by_path, str(parameter.replace(default=parameter.empty)))
        default = "..." if "<" in repr(parameter.default) else repr(parameter.default)
        parts.append(text if parameter.default is parameter.empty else f"{text} = {default}")
    return f"({', '.join(parts)})"


def signature(thing: Any) -> str:
    """Return the signature of a function or class, with the classes of this package by path."""
    function = thing.__init__ if inspect.isclass(thing) else thing
    try:
        text = _written(function)
    except (OSError, TypeError):  # There is no source of what was made from fields.
        return _of_fields(thing)
    module = inspect.unwrap(function).__module__
    return _WORD.sub(lambda word: class_path(word[0], module) or word[0], text)


def docstring(thing: Any) -> str:
    """Return the docstring, with doctests marked as such and h*ₖ kept from being emphasis."""
    if isinstance(thing, tuple | dict):
        entries = ", ".join(f"`{entry}`" for entry in thing)
        return f"A {type(thing).__name__} of {entries}."
    if isinstance(thing, str | int | float):
        return f"`{thing!r}`"
    text = _DOCTEST.sub("```pycon\n", inspect.getdoc(thing) or "").strip()
    text = _BLANK_BEFORE_END.sub("\n```", text)
    parts = _CODE.split(text)
    parts[::2] = [_STAR.sub(r"\*", part) for part in parts[::2]]
    return "".join(parts)


def directive(kind: str, heading: str, body: str, options: str = "", ticks: str = "`" * 5) -> str:
    """Return a directive of the Python domain."""
    return f"{ticks}{{py:{kind}}} {heading}\n{options}\n\n{body}\n{ticks}\n"


def _members(kind: type) -> Iterator[str]:
    """Yield the statuses, methods and properties that a class defines itself."""
    if issubclass(kind, Enumeration):
        for name, item in kind._name_to_item.items():
            yield directive("attribute", name, kind[item])
    for name, member in members(kind):
        if isinstance(member, property):
            yield directive("property", name, docstring(member))
        else:
            option = ":classmethod:" if inspect.ismethod(member) else ""
            yield directive("method", name + signature(member), docstring(member), option)


def description(path: str, thing: Any) -> str:
    """Return the description of a public object."""
    name = path.rsplit(".", 1)[1]
    if inspect.isclass(thing):
        bases = [base.__name__ for base in thing.__bases__ if base.__name__ in class_paths()]
        body = [docstring(thing), *(f"Base: {{py:class}}`~{class_paths()[b]}`" for b in bases)]
        body += _members(thing)
        return directive("class", name + signature(thing), "\n\n".join(body), ticks="`" * 7)
    if callable(thing):
        return directive("function", name + signature(thing), docstring(thing))
    return directive("data", name, docstring(thing))


def page(path: str, module: ModuleType) -> str:
    """Return the page of a module: its docstring, a table of its names, and descriptions."""
    home, rows, bodies = described(), [], []
    for name in public_names(module):
        thing, at = getattr(module, name), home[f"{path}.{name}"]
        first = docstring(thing).split("\n")[0].replace("|", "\\|")
        rows.append(f"| {{py:obj}}`{name} <{at}>` | {first} |")
        if at == f"{path}.{name}" and not isinstance(thing, ModuleType):
            bodies.append(description(at, thing))
    table = "\n".join(["| name | what it is for |", "| --- | --- |", *rows]) if rows else ""
    head = f"# {path}\n\n```{{py:module}} {path}\n```\n\n{docstring(module)}"
    return "\n\n".join([head, table, f"```{{py:currentmodule}} {path}\n```", *bodies]) + "\n"


def write(app: Sphinx) -> None:
    """Write the pages into `api/` below the sources; leave those that have not changed."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    texts = {f"{path}.md": page(path, module) for path, module in pages().items()}
    for stale in {file.name for file in folder.glob("landscape_jax*.md")} - set(texts):
        (folder / stale).unlink()
    for name, text in texts.items():
        write_changed(folder / name, text)


def write_changed(file: Path, text: str) -> None:
    """Write a generated source, unless it is there already, so that Sphinx reads it once."""
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        file.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the pages before Sphinx lists its sources."""
    app.connect("builder-inited", lambda app: write(app), priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
