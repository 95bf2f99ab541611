"""An extension of Griffe for the reference: examples with `>>>` in docstrings become blocks of code."""

from typing import Any

import griffe

PROMPT = ">>>"


class DoctestBlocks(griffe.Extension):
    """Fences each paragraph of a docstring that begins with `>>>`."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change the docstring of an object."""
        if obj.docstring:
            paragraphs = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join(map(fenced, paragraphs))

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Change the docstring of the package itself."""
        self.on_object(obj=pkg)


def fenced(paragraph: str) -> str:
    """Return a paragraph as a block of Python where it is an example."""
    return f"```python\n{paragraph}\n```" if paragraph.lstrip().startswith(PROMPT) else paragraph
