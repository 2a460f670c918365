"""Help that names values by what they are, and has examples that can be copied."""

import re
from typing import Any

from typer.core import TyperCommand, TyperGroup

_TYPE = re.compile(r" <(path|str|list\[\w+\])>")


def _unwrapped(text: str | None) -> str | None:
    """Mark the example, by click's sign of text that is not to be wrapped."""
    return text and text.replace("\n\nExample:", "\n\n\b\nExample:")


class PlainCommand(TyperCommand):
    """Show arguments without the names of their Python types, which tell less than their own."""

    def __init__(self, *args: Any, help: str | None = None, **settings: Any):
        super().__init__(*args, help=_unwrapped(help), **settings)

    def get_help(self, ctx: Any) -> str:
        """Return the help without types."""
        return _TYPE.sub("", super().get_help(ctx))


class PlainGroup(TyperGroup):
    """A group of commands whose help has an example."""

    def __init__(self, *, help: str | None = None, **settings: Any):
        super().__init__(help=_unwrapped(help), **settings)
