"""The HTML of the page, with the part that several of its files share: `head.html`."""

from functools import cache
from pathlib import Path

PAGE = Path(__file__).parent / "page"
INCLUDE = '<!--#include file="head.html" -->\n'
"""The line that stands for the shared part of a head, as web servers have it."""


@cache
def html_of(name: str) -> str:
    """Return a file of the page, with the shared part of its head put in."""
    shared = (PAGE / "head.html").read_text(encoding="utf-8")
    return (PAGE / name).read_text(encoding="utf-8").replace(INCLUDE, shared)
