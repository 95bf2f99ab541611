import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from legible.config import Params, load_params
from legible.data.dataset import Tally
from legible.data.iam import open_iam
from legible.errors import DataError
from legible.synth.draw import draw_style
from legible.synth.fonts import find_fonts
from legible.synth.generate import draw_some, generate, print_recipe

PROJECT = Path(__file__).parents[1]
PARAMS = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")


def params(**changes: object) -> Params:
    shares = {"print": 0.5, "handwriting": 0.25, "strokes": 0.25}
    values = {"words": 80, "lines": 12, "styles": 9, "shares": shares, **changes}
    return dataclasses.replace(PARAMS, generate=dataclasses.replace(PARAMS.generate, **values))  # type: ignore[arg-type]


def digest(folder: Path) -> str:
    content = b"".join(p.name.encode() + p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())
    return hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_the_same_bytes_on_one_two_and_three_processes(tmp_path: Path) -> None:
    digests = set()
    for processes in (1, 2, 3):
        generate(params(), root=tmp_path / str(processes), processes=processes)
        digests.add(digest(tmp_path / str(processes)))
    assert len(digests) == 1


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    wanted = tmp_path / "whole"
    generate(params(words=600), root=wanted)
    code = (
        "import dataclasses, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from test_generate import params; from legible.synth.generate import generate;"
        "generate(params(words=600), root=Path(sys.argv[1]), processes=2)"
    )
    command = [
        sys.executable,
        "-c",
        f"if __name__ == '__main__': {code}",
        str(tmp_path / "cut"),
        str(PROJECT / "tests"),
    ]
    tar = tmp_path / "cut/data/generated.new/strokes/words.tar"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        for _ in range(3000):
            if tar.is_file() and tar.stat().st_size > 60_000:
                break
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert tar.is_file()
    before = (tmp_path / "cut/data/generated.new/print/words.tar").stat().st_mtime_ns
    generate(params(words=600), root=tmp_path / "cut")
    assert digest(tmp_path / "cut") == digest(wanted)
    assert before < (tmp_path / "cut/data/generated/strokes/lines.tar").stat().st_mtime_ns


@pytest.mark.slow
def test_a_run_left_by_other_parameters_is_not_gone_on_with(tmp_path: Path) -> None:
    left = tmp_path / "data/generated.new/print"
    left.mkdir(parents=True)
    (left.parent / "fingerprint").write_text("of others")
    (left / "words.txt").write_text("# words of another run\nx\n")
    generate(params(), root=tmp_path)
    generate(params(), root=tmp_path / "fresh")
    assert digest(tmp_path / "data") == digest(tmp_path / "fresh/data")


def test_generated_samples_read_back_through_the_iam_layout(tmp_path: Path) -> None:
    generate(params(), root=tmp_path)
    for kind, words, lines in (("print", 40, 6), ("handwriting", 20, 3), ("strokes", 20, 3)):
        tally = Tally()
        found = [entry for entry, _ in open_iam(tmp_path / "data/generated" / kind).images(tally)]
        assert sum(entry.kind == "word" for entry in found) == words
        assert sum(entry.kind == "line" for entry in found) == lines
        assert tally.damaged == []
        assert all(" " in entry.text for entry in found if entry.kind == "line")
        PARAMS.charset.build().check(entry.text for entry in found)


@pytest.mark.slow
def test_boxes_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    generate(params(boxes=True), root=tmp_path)
    for unit, count in (("words", 20), ("lines", 3)):
        table = tmp_path / f"data/generated/strokes/{unit}-boxes.jsonl"
        rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == count
        for row in rows:
            assert [box is None for box in row["boxes"]] == [character == " " for character in row["text"]]
    generate(params(), root=tmp_path / "without")
    assert not list((tmp_path / "without").rglob("*-boxes.jsonl"))


@pytest.mark.slow
def test_another_seed_draws_something_else(tmp_path: Path) -> None:
    generate(params(), root=tmp_path / "a")
    generate(dataclasses.replace(params(), seed=2), root=tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"print": 1.0, "pens": 1.0}, "generate.shares names pens; the kinds are print, handwriting, strokes"),
        ({"print": 0.0}, "one of them above 0"),
        ({"print": 2.0, "strokes": -1.0}, "shares of 0 and more"),
        ({}, "one of them above 0"),
    ],
)
def test_shares_that_make_no_sense_are_refused(tmp_path: Path, shares: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate(params(shares=shares), root=tmp_path)
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(DataError, match="data cannot be written"):
        generate(params(), root=tmp_path)


class Listed:
    """Texts in a given order."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)

    def word(self, _: np.random.Generator) -> str:
        return self.texts.pop(0)


def test_a_text_that_leaves_no_ink_is_passed_over() -> None:
    rng = np.random.default_rng(1)
    fonts = find_fonts(PARAMS.fonts, root=PROJECT, characters="ink ")
    style = draw_style(fonts, rng, strength=0.0)
    text, drawing = draw_some(Listed(" ", " ", "ink"), rng, unit="words", style=style)  # type: ignore[arg-type]
    assert text == "ink"
    assert drawing.image.min() < 128
    with pytest.raises(DataError, match="hardly any text"):
        draw_some(Listed(*" " * 50), rng, unit="words", style=style)  # type: ignore[arg-type]


def test_the_print_recipe_is_fixed_half_plain_and_in_unseen_families() -> None:
    recipe = PARAMS.evaluate.print
    once, again = (list(print_recipe(recipe, PARAMS, root=PROJECT)) for _ in range(2))
    assert [word.text for word in once] == [word.text for word in again]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(once, again, strict=True))
    assert {word.family for word in once} == {"Caladea"}
    assert sum(word.noisy for word in once) == recipe.words // 2


def test_the_print_recipe_needs_an_unseen_family() -> None:
    none = dataclasses.replace(PARAMS, fonts=dataclasses.replace(PARAMS.fonts, unseen=()))
    with pytest.raises(DataError, match="names no printed family that is here: it is empty"):
        list(print_recipe(PARAMS.evaluate.print, none, root=PROJECT))
