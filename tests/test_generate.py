import dataclasses
import hashlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from legible.charset import Charset
from legible.config import Params, load_params
from legible.data.dataset import Tally
from legible.data.iam import open_iam
from legible.errors import DataError, SettingsError
from legible.synth import generate as generating
from legible.synth.archive import Archive
from legible.synth.checks import check_characters, check_texts
from legible.synth.determinism import NUMPY_WITHOUT, plain_numpy
from legible.synth.fonts import find_fonts
from legible.synth.generate import generate
from legible.synth.print_recipes import print_recipe
from legible.synth.samples import draw_some
from legible.synth.style import draw_style
from legible.synth.words import Texts

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
@pytest.mark.parametrize("other", [{"OPENCV_IPP": "disabled"}, {"OPENCV_CPU_DISABLE": "AVX2,FP16,AVX"}], ids=str)
def test_the_same_bytes_whatever_the_processor_can_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    asked = params(words=200, lines=0, shares={"print": 1.0}, strength=0.8)
    generate(asked, root=tmp_path / "here")
    for name, value in other.items():
        monkeypatch.setenv(name, value)
    generate(asked, root=tmp_path / "there")
    assert digest(tmp_path / "here") == digest(tmp_path / "there")


def test_numpy_is_left_as_it_was_by_a_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NUMPY_WITHOUT, "")
    with plain_numpy():
        script = "import numpy; print(numpy.show_config(mode='dicts')['SIMD Extensions'].get('found', []))"
        started = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert started.stdout.strip() == "[]"
    assert os.environ[NUMPY_WITHOUT] == ""


@pytest.mark.slow
def test_flattening_decides_how_often_common_words_come(tmp_path: Path) -> None:
    found = []
    for flattening in (0.0, 1.0):
        root = tmp_path / str(flattening)
        generate(params(words=300, lines=0, flattening=flattening, shares={"strokes": 1.0}), root=root)
        rows = (root / "data/generated/strokes/words.txt").read_text().splitlines()
        texts = [row.split()[-1].lower() for row in rows if not row.startswith("#")]
        found.append(sum(text in {"the", "of", "and", "to", "a", "in"} for text in texts))
    assert found[0] + 10 < found[1]


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
def test_of_two_runs_at_once_each_draws_all_of_its_samples_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(params(**FEW), root=tmp_path / "whole")
    has_begun, goes_on = threading.Event(), threading.Event()

    class SlowArchive(Archive):
        def recover(self) -> int:
            start = super().recover()
            has_begun.set()
            goes_on.wait(10)
            return start

    monkeypatch.setattr(generating, "Archive", SlowArchive)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(generate, params(**FEW), root=tmp_path)
        assert has_begun.wait(30)
        second = pool.submit(generate, params(**FEW), root=tmp_path)
        wait([second], timeout=3)
        goes_on.set()
        assert first.exception() is None
        assert second.exception() is None
    assert digest(tmp_path / "data/generated") == digest(tmp_path / "whole/data/generated")


@pytest.mark.slow
def test_a_run_left_by_other_parameters_is_not_gone_on_with(tmp_path: Path) -> None:
    left = tmp_path / "data/generated.new/print"
    left.mkdir(parents=True)
    (left.parent / "fingerprint").write_text("of others")
    (left / "words.txt").write_text("# words of another run\nx\n")
    generate(params(), root=tmp_path)
    generate(params(), root=tmp_path / "fresh")
    assert digest(tmp_path / "data") == digest(tmp_path / "fresh/data")


@pytest.mark.slow
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
        (
            {"print": 1.0, "pens": 1.0},
            "generate.shares names pens; the kinds are print, handwriting, strokes, receipts",
        ),
        ({"print": 0.0}, "one of them above 0"),
        ({"print": 2.0, "strokes": -1.0}, "weights of 0 and more"),
        ({}, "one of them above 0"),
    ],
)
def test_weights_that_make_no_sense_are_refused(tmp_path: Path, shares: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate(params(shares=shares), root=tmp_path)
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    with pytest.raises(DataError, match="data cannot be written"):
        generate(params(), root=tmp_path)


@pytest.mark.parametrize("left", ["generated", "generated.new"])
def test_a_file_where_the_samples_belong_is_told_before_one_is_drawn(tmp_path: Path, left: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / left).write_text("somebody's")
    with pytest.raises(DataError, match=r"generated is no folder of its own; move it away|cannot be written \(File ex"):
        generate(params(), root=tmp_path)
    assert {path.name for path in (tmp_path / "data").iterdir()} == {left, ".generated.lock"}


def test_a_link_where_the_samples_belong_is_told_before_one_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "data/elsewhere").mkdir(parents=True)
    (tmp_path / "data/generated").symlink_to("elsewhere")
    with pytest.raises(DataError, match="generated is no folder of its own"):
        generate(params(), root=tmp_path)


def with_charset(characters: str, **changes: object) -> Params:
    charset = dataclasses.replace(PARAMS.charset, name="own", characters=characters)
    return dataclasses.replace(params(**changes), charset=charset)


GREEK = "".join(map(chr, range(0x3B1, 0x3CA)))
NOTHING_DRAWN = [
    (params(words=-5, styles=0), "words is -5; it needs 0 or more; generate.styles is 0; it needs 1 or more"),
    (params(strength=1.5, effects=-0.1), "strength is 1.5; it needs 0 to 1; generate.effects is -0.1"),
    (params(flattening=1.1), "flattening is 1.1; it needs 0 to 1"),
    (params(words=0, lines=0), "give no sample of any kind"),
    (with_charset("!?"), "charset 'own' lacks the space"),
    (with_charset("!?", lines=0), "neither letters of a word nor digits"),
    (with_charset("xzqj", shares={"print": 1.0}), "lacks the space between words; add it, or set generate.lines to 0"),
    (with_charset(f" 0123456789{GREEK}", shares={"strokes": 1.0}), r"\w( \w){24} not drawn by strokes; add a font"),
]


@pytest.mark.parametrize(("asked", "message"), NOTHING_DRAWN, ids=[message[:20] for _, message in NOTHING_DRAWN])
def test_what_cannot_be_drawn_is_told_before_anything_is_written(tmp_path: Path, asked: Params, message: str) -> None:
    with pytest.raises((DataError, SettingsError), match=message):
        generate(asked, root=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_kind_whose_fonts_are_all_unseen_is_refused(tmp_path: Path) -> None:
    unseen = dataclasses.replace(PARAMS.fonts, unseen=("Caladea", "Amatic SC"))
    with pytest.raises(DataError, match="leaves no handwriting font that is here; add one, or set its weight to 0"):
        generate(dataclasses.replace(params(), fonts=unseen), root=tmp_path)


@pytest.mark.parametrize(
    ("name", "way_out"),
    [("fonts/signs.ttf", "take it out of fonts.folders"), ("pen paths", "set generate.shares.strokes to 0")],
)
def test_what_draws_hardly_any_text_is_named_with_the_way_out(name: str, way_out: str) -> None:
    charset = PARAMS.charset.build()
    letters = {"a kind": {name: frozenset("!?.%"), "fonts/whole.ttf": frozenset(charset.characters)}}
    with pytest.raises(DataError, match=f"by {name}; {way_out}$"):
        check_texts(letters, Texts(charset), units=("words",), seed=1)


def test_what_one_kind_leaves_to_the_others_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    check_characters({"print": {"a": frozenset("ab")}, "strokes": {"pen paths": frozenset("a")}}, Charset("own", "ab"))
    assert capsys.readouterr().err == "generate strokes: b left to the other kinds\n"


FEW = {"words": 8, "lines": 0, "shares": {"strokes": 1.0}}


def test_words_alone_are_drawn_where_no_lines_are_asked_for(tmp_path: Path) -> None:
    generate(params(**FEW), root=tmp_path)
    drawn = sorted(path.name for path in (tmp_path / "data/generated/strokes").iterdir())
    assert drawn == ["forms.txt", "words.tar", "words.txt"]


class KilledError(BaseException):
    """As a signal."""


@pytest.mark.slow
@pytest.mark.parametrize("step", ["rmtree", "rename", "unlink"])
def test_a_run_killed_at_its_end_draws_nothing_again(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(params(**FEW), root=tmp_path / "whole")
    (tmp_path / "data/generated/old").mkdir(parents=True)

    def kill(path: Path, *_: object, **__: object) -> None:
        if step != "rmtree" or path == tmp_path / "data/generated":
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(shutil if step == "rmtree" else Path, step, kill)
        with pytest.raises(KilledError):
            generate(params(**FEW), root=tmp_path)

    def none_left(_: object, start: int, count: int, __: object) -> Iterator[None]:
        assert start == count
        return iter(())

    monkeypatch.setattr(generating, "_draw_all", none_left)
    generate(params(**FEW), root=tmp_path)
    assert digest(tmp_path / "data") == digest(tmp_path / "whole/data")


@pytest.mark.slow
def test_a_full_disk_is_one_clear_error_and_the_next_run_goes_on(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DataError, match=r"data cannot be written \(File too large\); make room, .* goes on"):
            generate(params(**{**FEW, "words": 60}), root=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "data/generated.new/fingerprint").is_file()
    generate(params(**{**FEW, "words": 60}), root=tmp_path)
    found = list(open_iam(tmp_path / "data/generated/strokes").images(Tally()))
    assert len(found) == 60


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
        draw_some(Listed(*" " * 50), rng, unit="words", style=style, tries=50)  # type: ignore[arg-type]


def test_the_print_recipe_is_fixed_half_plain_and_in_unseen_families() -> None:
    recipe = PARAMS.evaluate.print
    once, again = (list(print_recipe(recipe, PARAMS, root=PROJECT)) for _ in range(2))
    assert [word.text for word in once] == [word.text for word in again]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(once, again, strict=True))
    assert {word.family for word in once} == {"Caladea"}
    assert sum(word.part == "noisy" for word in once) == recipe.words // 2


def test_the_print_recipe_needs_an_unseen_family() -> None:
    none = dataclasses.replace(PARAMS, fonts=dataclasses.replace(PARAMS.fonts, unseen=()))
    with pytest.raises(DataError, match="names no printed family that is here: it is empty"):
        list(print_recipe(PARAMS.evaluate.print, none, root=PROJECT))
