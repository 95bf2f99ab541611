"""The pictures in examples/: drawn by the project, read as the documentation says."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT
from PIL import Image

import legible

DRAW = runpy.run_path(str(PROJECT / "scripts/draw_examples.py"))
EXAMPLES: dict[str, str] = DRAW["EXAMPLES"]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize(("name", "text"), EXAMPLES.items())
def test_an_example_is_read_as_the_docstrings_say(name: str, text: str) -> None:
    assert legible.read(PROJECT / f"examples/{name}.png").text == text
    assert f"'{text}'" in (legible.__doc__ or "")


def test_the_examples_are_those_that_are_drawn_and_all_that_are_named(tmp_path: Path) -> None:
    DRAW["main"](tmp_path)
    for path in (PROJECT / "examples").iterdir():
        assert np.array_equal(pixels(path), pixels(tmp_path / path.name))
    named = re.findall(r"examples/(\w+)\.png", (legible.__doc__ or ""))
    assert set(named) <= EXAMPLES.keys()
