"""Reads a picture of a word or a line and answers with its text and a confidence that means something.

>>> import legible
>>> legible.read("examples/word.png").text
'Hamburg'
>>> recognizer = legible.Recognizer.open(workers=4)
>>> [reading.text for reading in recognizer.read(["examples/word.png", "examples/line.png"])]
['Hamburg', 'the ship sails at noon']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from legible.pages.shipped import read_page
    from legible.reading import Alternative, Character, Reading
    from legible.recognition.recognizer import Recognizer
    from legible.recognition.shipped import read

__version__ = "0.1.0"
__all__ = ["Alternative", "Character", "Reading", "Recognizer", "__version__", "read", "read_page"]

_HOMES = {
    "Alternative": "legible.reading",
    "Character": "legible.reading",
    "Reading": "legible.reading",
    "Recognizer": "legible.recognition.recognizer",
    "read": "legible.recognition.shipped",
    "read_page": "legible.pages.shipped",
}
"""Where the names come from; they are imported when they are first used, so that `import legible` takes no time."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'legible' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
