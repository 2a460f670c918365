"""What the site needs besides its pages: offline formulas, links in code, the commands' help."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _api import write_changed
from _public import targets
from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

_LOGGER = logging.getLogger(__name__)
# Sizes of delimiters, which MathML stretches by itself.
_BIG = re.compile(r"\\[bB]igg?[lr]?(?![a-zA-Z])")
# Fractions of digits without braces, which the converter reads as one number.
_DIGITS = re.compile(r"\\[td]?frac\s?(\d)(\d)")

_PUBLIC_PATH = re.compile(r"(?:lj\.|landscape_jax\.)?([A-Za-z_][\w.]*?)(?:\(\))?")
_NOTEBOOKS = "Each notebook answers one question and runs in minutes."
_WITHOUT_OUTPUTS = """
Outputs and pictures appear when a notebook is run: `.venv/bin/pip install '.[notebooks]'`, then
`.venv/bin/jupyter lab notebooks/{name}`. `LANDSCAPE_JAX_DOCS_EXECUTE=1` before the `sphinx-build`
of this site builds it with them.
"""
# Where the sections and files that the README links to are on the site.
_README_LINKS = {
    "(notebooks/": "(",
    "(benchmarks/": "(../benchmarks/",
    "(landscape_jax/": "(../landscape_jax/",
    "(#an-objective-of-your-own)": "(questions.md#how-do-i-use-my-own-objective)",
    "(#any-width-by-symmetry)": "(any_width.md)",
    "(#what-width-buys)": "(what_width_buys.md)",
}


def _mathml(node: nodes.math | nodes.math_block, as_block: bool) -> str:
    """Return a formula in MathML, which browsers draw without a script."""
    try:
        formula = _DIGITS.sub(r"\\frac{\1}{\2}", _BIG.sub("", node.astext()))
        return tex2mathml(formula, as_block=as_block)
    except MathError as error:
        _LOGGER.warning("%s in the formula %s", error, node.astext(), location=node)
        return f"<code>{html.escape(node.astext())}</code>"


def _visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(_mathml(node, as_block=False))
    raise nodes.SkipNode


def _visit_block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f"<div>{_mathml(node, as_block=True)}</div>")
    raise nodes.SkipNode


class LinkNames(SphinxTransform):
    """Link code that is the path of a public name, such as `lj.restart`, to its description.

    A bare name is linked only if it cannot be an English word or a variable: `prove_minimum`.
    """

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Wrap each such literal of the document in a reference."""
        home = targets()
        for literal in list(self.document.findall(nodes.literal)):
            text = literal.astext()
            path = _PUBLIC_PATH.fullmatch(text)
            if path is None or isinstance(literal.parent, nodes.reference | pending_xref):
                continue
            special = "." in text or "_" in text[1:] or text[1:] != text[1:].lower()
            target = home.get(f"landscape_jax.{path[1]}") if special else None
            if target is not None:
                link = pending_xref(
                    "", refdomain="py", reftype="obj", reftarget=target, refexplicit=True,
                    refdoc=self.env.current_document.docname, refwarn=True,
                )  # fmt: skip
                literal.replace_self(link)
                link += literal


def _relink_readme(app: Sphinx, path: Path, document: str, content: list[str]) -> None:
    """Let the links of an included part of the README lead to the pages of the site."""
    del app, document
    if path.name == "README.md":
        for old, new in _README_LINKS.items():
            content[0] = content[0].replace(old, new)


def _note_outputs(app: Sphinx, document: str, content: list[str]) -> None:
    """Add a note below the title of a notebook that is not executed: how to see its outputs."""
    path = Path(app.env.doc2path(document))
    if path.suffix == ".ipynb" and app.config.nb_execution_mode == "off":
        notebook = json.loads(content[0])
        first = notebook["cells"][0]
        title, _, rest = "".join(first["source"]).partition("\n")
        note = _WITHOUT_OUTPUTS.format(name=path.name)
        first["source"] = f"{title}\n\n```{{note}}{note}```\n{rest}"
        content[0] = json.dumps(notebook)


def _helps(command: Any, path: str, context: Any = None) -> Iterator[str]:
    """Yield a section for each command of a group, and for each of a group in it."""
    for name, part in command.commands.items():
        inner = part.make_context(name, [], parent=context, resilient_parsing=True)
        inner.terminal_width = inner.max_content_width = 80
        yield f"## {path} {name}\n\n```text\n{part.get_help(inner).strip()}\n```\n"
        if hasattr(part, "commands"):
            yield from _helps(part, f"{path} {name}", inner)


def _write_commands(app: Sphinx) -> None:
    """Write the help of each command into a page."""
    import typer

    from landscape_jax.cli import app as commands

    group = typer.main.get_command(commands)
    context = group.make_context("landscape-jax", [], resilient_parsing=True)
    sections = _helps(group, "landscape-jax", context)
    text = "\n".join(["# Help of each command\n", *sections])
    write_changed(Path(app.srcdir) / "api" / "commands.md", text)


def _write_notebooks(app: Sphinx) -> None:
    """Write a page that lists the notebooks there are, the first hour first."""
    names = sorted((path.stem for path in Path(app.srcdir).glob("*.ipynb")), key=_reading_order)
    entries = "\n".join(f"/{name}" for name in names)
    note = _WITHOUT_OUTPUTS.format(name="") if app.config.nb_execution_mode == "off" else ""
    text = f"# Notebooks\n\n{_NOTEBOOKS}{note}\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    write_changed(Path(app.srcdir) / "api" / "notebooks.md", text)


def _reading_order(name: str) -> tuple[bool, str]:
    return name != "first_hour", name


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the parts to Sphinx."""
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    app.add_transform(LinkNames)
    app.connect("include-read", _relink_readme)
    app.connect("source-read", _note_outputs)
    app.connect("builder-inited", _write_commands, priority=200)
    app.connect("builder-inited", _write_notebooks, priority=200)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
