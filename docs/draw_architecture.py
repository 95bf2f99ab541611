"""Draws docs/architecture.svg from the code: its floors and imports (tests/test_architecture.py), and its docstrings.

python docs/draw_architecture.py
"""

import ast
import sys
import textwrap
from html import escape
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent / "tests"))

from test_architecture import FLOORS, MODULES, PACKAGE, imported, room_of  # noqa: E402

from legible.batched import batched  # noqa: E402

WIDTH, MARGIN, GAP, PAD, LINE = 760, 30, 10, 8, 15
MAX_IN_ROW = 4
CHARACTER = 6.5
"""Pixels: the mean width of a character in a description, whose font size is 12."""
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #263238; }
.name { font-size: 14px; font-weight: 600; }
.uses { fill: #607d8b; font-style: italic; }
.floor { fill: #90a4ae; }
rect { fill: #ffffff; stroke: #78909c; }
.base { fill: #eceff1; }
"""


def purpose(room: str) -> str:
    """Return the first sentence of a package's or module's docstring."""
    path = PACKAGE / room / "__init__.py" if (PACKAGE / room).is_dir() else PACKAGE / f"{room}.py"
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first = " ".join(docstring.split("\n\n")[0].split())
    return first.split(". ")[0].removesuffix(".")


def uses(room: str) -> list[str]:
    """Return the rooms above the lowest floor that a room imports from, in the order of the floors."""
    names = {name for path in MODULES if room_of(path) == room for name in imported(path)}
    found = {name.split(".")[1] for name in names if name.startswith("legible.")}
    return [other for floor in FLOORS[1:] for other in floor if other in found and other != room]


def lines_of(room: str, width: float) -> list[tuple[str, str]]:
    """Return the lines of a room's box, each with its class: its name, its purpose, and what it uses."""
    columns = int((width - 2 * PAD) / CHARACTER)
    lines = [("name", f"{room}/" if (PACKAGE / room).is_dir() else room)]
    lines += [("", line) for line in textwrap.wrap(purpose(room), columns)]
    used = ", ".join(uses(room))
    return lines + [("uses", line) for line in textwrap.wrap(f"uses {used}" if used else "", columns)]


def box(lines: list[tuple[str, str]], *, left: float, top: float, width: float, height: float, base: bool) -> str:
    """Return the SVG of one room."""
    kind = ' class="base"' if base else ""
    parts = [
        f'<rect{kind} x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}" rx="6"/>',
        *(
            f'<text class="{kind}" x="{left + PAD:.0f}" y="{top + PAD + LINE * number + 11:.0f}">{escape(line)}</text>'
            for number, (kind, line) in enumerate(lines)
        ),
    ]
    return "\n".join(parts)


def picture() -> str:
    """Return the SVG: the floors from the highest to the lowest, each in rows of up to four rooms."""
    top, parts = 8.0, []
    for number in reversed(range(len(FLOORS))):
        parts.append(f'<text class="floor" x="8" y="{top + PAD + 11:.0f}">{number}</text>')
        for row in batched([room for room in FLOORS[number] if exists(room)], MAX_IN_ROW):
            width = min((WIDTH - MARGIN - GAP * (len(row) - 1)) / len(row), WIDTH / 2)
            lines = [lines_of(room, width) for room in row]
            height = LINE * max(map(len, lines)) + 2 * PAD
            for place, own in enumerate(lines):
                left = MARGIN + place * (width + GAP)
                parts.append(box(own, left=left, top=top, width=width, height=height, base=number == 0))
            top += height + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + 8} {top:.0f}" role="img">'
    title = "<title>The packages of legible by floor: each imports only from floors below its own</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"


def exists(room: str) -> bool:
    """Return whether the code has this room already."""
    return (PACKAGE / room / "__init__.py").is_file() or (PACKAGE / f"{room}.py").is_file()


if __name__ == "__main__":
    (DOCS / "architecture.svg").write_text(picture(), encoding="utf-8")
