import dataclasses
import hashlib
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from legible.charset import REJECT, Charset
from legible.config import Params, load_params
from legible.config.params import PrintRecipe
from legible.data.dataset import Tally
from legible.data.iam import open_iam
from legible.errors import DataError, SettingsError
from legible.synth import samples
from legible.synth.composition import Crop, Surroundings, compose, crop_of
from legible.synth.faults import FAULTS, Fault, Faults, draw_faults
from legible.synth.font_roles import ONLY, draw_font, families_by_role, fonts_of
from legible.synth.fonts import Font, find_fonts
from legible.synth.generate import generate
from legible.synth.glyphs import Setting, set_line
from legible.synth.kinds.kind import MIN_LIKENESS, likeness
from legible.synth.kinds.registry import SAMPLE_KINDS
from legible.synth.print_recipes import print_recipe
from legible.synth.samples import Job, draw_one, draw_sample, sources_of
from legible.synth.texts.makers import Sources
from legible.synth.texts.rare import FOREIGN, forms_by_sign

PROJECT = Path(__file__).parents[1]
PARAMS = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
PRINT = load_params(PROJECT / "params.yaml").charset.build()
LATIN = PARAMS.charset.build()
TEXTED = [name for name, kind in SAMPLE_KINDS.items() if kind.says_anything]


@lru_cache(maxsize=1)
def fonts() -> tuple[Font, ...]:
    return tuple(find_fonts(PARAMS.fonts, root=PROJECT, characters=LATIN.characters))


@lru_cache(maxsize=2)
def sources(charset: Charset) -> Sources:
    return sources_of(charset)


def roles(name: str) -> dict[str, tuple[Font, ...]]:
    return {role: fonts_of(role, fonts()) for role in SAMPLE_KINDS[name].roles}


def drawn(name: str, seed: int, unit: str = "words") -> tuple[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return draw_one(name, SAMPLE_KINDS[name].look(roles(name), rng), sources(LATIN), rng, unit=unit)


def recipe(**changes: object) -> PrintRecipe:
    kinds = {"receipts": 2.0, "documents": 1.0}
    return PrintRecipe(**{"name": "own", "seed": 5, "words": 8, "strength": 0.3, "kinds": kinds, **changes})  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_recipe_of_kinds_is_fixed_and_in_unseen_families() -> None:
    once, again = (list(print_recipe(recipe(), PARAMS, root=PROJECT)) for _ in range(2))
    assert [word.text for word in once] == [word.text for word in again]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(once, again, strict=True))
    assert {word.family for word in once} == {"Caladea"}
    assert {word.part for word in once} == {"receipts", "documents"}


def test_a_recipe_with_families_and_characters_of_its_own_stays_whatever_else_is_chosen() -> None:
    own = recipe(kinds={}, families=("Caladea",), characters=LATIN.characters)
    wide = dataclasses.replace(PARAMS.charset, name=PRINT.name, characters=LATIN.characters + "é" + REJECT)
    other = dataclasses.replace(PARAMS, charset=wide, fonts=dataclasses.replace(PARAMS.fonts, unseen=("Roboto",)))
    once, again = (list(print_recipe(own, params, root=PROJECT)) for params in (PARAMS, other))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(once, again, strict=True))


def test_a_recipe_whose_families_are_not_here_says_so() -> None:
    with pytest.raises(DataError, match=r"own\.families names no printed family that is here: Garamond"):
        list(print_recipe(recipe(families=("Garamond",)), PARAMS, root=PROJECT))


def face() -> Font:
    return next(font for font in fonts() if font.family == "Roboto")


@pytest.mark.parametrize("unit", ["words", "lines"])
@pytest.mark.parametrize("name", SAMPLE_KINDS)
def test_a_kind_draws_the_same_sample_from_the_same_numbers(name: str, unit: str) -> None:
    for seed in range(3):
        text, image = drawn(name, seed, unit)
        again, same = drawn(name, seed, unit)
        assert text == again
        assert image.dtype == np.uint8
        assert image.ndim == 2
        assert min(image.shape) >= 4
        assert np.array_equal(image, same)


@pytest.mark.parametrize("name", TEXTED)
def test_the_text_of_a_kind_stands_in_its_picture(name: str) -> None:
    for seed in range(5):
        text, image = drawn(name, seed)
        assert text.strip() == text
        assert not LATIN.unknown(text)
        assert np.ptp(image) > 15


def test_a_picture_without_text_has_the_empty_text() -> None:
    assert {drawn("blanks", seed)[0] for seed in range(20)} == {""}


def asked(**changes: object) -> Params:
    shares = dict.fromkeys(SAMPLE_KINDS, 1.0)
    values = {"words": 48, "lines": 24, "styles": 24, "shares": shares, **changes}
    return dataclasses.replace(PARAMS, generate=dataclasses.replace(PARAMS.generate, **values))  # type: ignore[arg-type]


def digest(folder: Path) -> str:
    content = b"".join(p.name.encode() + p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file())
    return hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_all_kinds_are_the_same_bytes_on_one_and_two_processes_and_read_back(tmp_path: Path) -> None:
    for processes in (1, 2):
        generate(asked(), root=tmp_path / str(processes), processes=processes)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")
    for name in SAMPLE_KINDS:
        tally = Tally()
        found = [entry for entry, _ in open_iam(tmp_path / "1/data/generated" / name).images(tally)]
        assert len(found) == 6
        assert tally.damaged == []
        assert all(bool(entry.text) == (name != "blanks") for entry in found)


@pytest.mark.slow
@pytest.mark.parametrize("other", [{"OPENCV_IPP": "disabled"}, {"OPENCV_CPU_DISABLE": "AVX2,FP16,AVX"}], ids=str)
def test_all_kinds_are_the_same_bytes_whatever_the_processor_can_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, str]
) -> None:
    generate(asked(words=240), root=tmp_path / "here")
    for name, value in other.items():
        monkeypatch.setenv(name, value)
    generate(asked(words=240), root=tmp_path / "there")
    assert digest(tmp_path / "here") == digest(tmp_path / "there")


def test_a_style_that_leaves_no_ink_is_passed_over_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    styles = 3
    job = Job(1, "blanks", "words", styles, 0.5, 0.2, False, True, False, 1.0, LATIN, fonts())
    before = draw_sample(job, 0)
    inkless, original = samples.look_of(job, before.style), samples.draw_one

    def draw(name: str, look: object, *rest: object, **more: object) -> object:
        if look is inkless:
            raise DataError("hardly any text of this charset is drawn by a thin face")
        return original(name, look, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(samples, "draw_one", draw)
    assert draw_sample(job, 0).style == (before.style + 1) % styles
    monkeypatch.setattr(samples, "look_of", lambda *_: inkless)
    with pytest.raises(DataError, match="by a thin face"):
        draw_sample(job, 0)


def test_boxes_of_characters_are_refused_for_kinds_that_know_none(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="boxes is not known for blanks, receipts; leave them out"):
        generate(asked(boxes=True, shares={"print": 1.0, "receipts": 1.0, "blanks": 1.0}), root=tmp_path)


def test_signs_outside_of_the_charset_need_a_label_for_them(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"foreign is 0\.1; charset 'latin-96' lacks the replacement character"):
        generate(asked(foreign=0.1), root=tmp_path)


def test_each_sign_outside_of_the_charset_is_labelled_as_rejected() -> None:
    charset = Charset("latin", LATIN.characters + REJECT)
    greek = find_fonts(PARAMS.fonts, root=PROJECT, characters=charset.characters, more=FOREIGN)
    known = [font for font in greek if font.draws("αβγδ")]
    assert known
    kind = SAMPLE_KINDS["documents"]
    labels = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        look = kind.look({role: tuple(known) for role in kind.roles}, rng)
        label, _ = draw_one("documents", look, sources(charset), rng, unit="words", foreign=1.0)
        assert not charset.unknown(label)
        labels.add(label)
    assert sum(REJECT in label for label in labels) > 5


def test_every_character_of_the_wide_charset_is_drawn_around() -> None:
    rare = sources(PRINT).rare
    rng = np.random.default_rng(1)
    for character in PRINT.characters.replace(REJECT, ""):
        if not character.isascii():
            assert any(character in rare.around(character, rng) for _ in range(40)), character


def test_rare_characters_come_about_equally_often() -> None:
    rng = np.random.default_rng(1)
    letters = frozenset(PRINT.characters)
    text = "".join(sources(PRINT).rare.text(rng, letters) for _ in range(6000))
    wanted = [c for c in PRINT.characters.replace(REJECT, "") if not c.isascii()]
    assert min(text.count(character) for character in wanted) > 10


def test_each_form_of_a_sign_holds_it() -> None:
    assert [form for sign, forms in forms_by_sign().items() for form in forms if sign not in form] == []


def packages(folder: str) -> set[str]:
    content = json.loads((PROJECT / folder / "package.json").read_text())
    return {name.split("/")[-1] for name in content["dependencies"]}


def test_each_family_of_a_role_is_installed() -> None:
    families = frozenset().union(*families_by_role().values())
    lacking = {f for f in families if not f.startswith("dseg")} - packages("fonts") - packages("fonts/more")
    assert not lacking


def test_no_family_that_print_was_always_drawn_in_is_left_to_other_kinds() -> None:
    assert not families_by_role()[ONLY] & packages("fonts")


def test_a_kind_without_fonts_is_told_how_to_get_them() -> None:
    with pytest.raises(DataError, match="no font of the roles dots, pixel is here; add fonts/more/files"):
        draw_font({"dots": 1.0, "pixel": 1.0}, {"dots": (), "pixel": ()}, np.random.default_rng(1))


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_the_picture_and_the_same_numbers_the_same_way(name: str) -> None:
    light = np.full((40, 160), 220, np.float32)
    light[12:28, 20:140:3] = 30
    changed = [FAULTS[name](light.copy(), np.random.default_rng(seed), 0.9) for seed in (1, 1, 2, 3, 4)]
    assert np.array_equal(changed[0], changed[1])
    assert all(one.dtype == np.float32 and np.isfinite(one).all() for one in changed)
    assert any(one.shape != light.shape or not np.array_equal(one, light) for one in changed)


def test_a_fault_that_letters_would_be_lost_in_is_left_out() -> None:
    line = set_line("word", Setting(face(), 30), np.random.default_rng(1)).coverage
    light = 255 - line.astype(np.float32)
    assert likeness(line, light) > 0.9
    assert likeness(line, np.random.default_rng(1).uniform(0, 255, light.shape).astype(np.float32)) < MIN_LIKENESS


def test_faults_happen_in_the_order_of_the_list_and_by_their_chance() -> None:
    always = draw_faults((Fault("jpeg", 1.0), Fault("blur", 1.0), Fault("noise", 0.0)), np.random.default_rng(1))
    assert [name for name, _ in always.chosen] == ["blur", "jpeg"]
    light = np.zeros((9, 9), np.float32)
    assert Faults().apply(light, np.random.default_rng(1), height=20) is light


def test_a_line_keeps_the_size_of_its_letters_in_view() -> None:
    """A crop by the font's rows is as high for `x` as for `X`, one by the ink is not."""
    rng = np.random.default_rng(1)
    rows = {}
    for tight in (0.0, 1.0):
        for text in "xX":
            line = set_line(text, Setting(face(), 40), rng)
            canvas = compose(line, Surroundings(), lambda line=line: line, rng)  # type: ignore[misc]
            crop = Crop(tight=tight, margins=(0.0, 0.0), loose=0.0, degrees=0.0, stretch=0.0)
            rows[tight, text] = crop_of(canvas, crop, 1.0, rng).shape[0]
    assert rows[0.0, "x"] == rows[0.0, "X"]
    assert rows[1.0, "x"] < rows[1.0, "X"]


def test_neighbouring_lines_reach_into_the_crop() -> None:
    rng = np.random.default_rng(1)
    line = set_line("Mpqj", Setting(face(), 40), rng)
    crop = Crop(tight=0.0, margins=(0.6, 0.6), loose=0.0, degrees=0.0, stretch=0.0)
    alone = crop_of(compose(line, Surroundings(), lambda: line, rng), crop, 1.0, rng)
    between = crop_of(compose(line, Surroundings(above=1.0, below=1.0), lambda: line, rng), crop, 1.0, rng)
    assert (between > 0).sum() > (alone > 0).sum()


def test_ligatures_are_set_as_one_glyph_where_the_font_has_them() -> None:
    font = dataclasses.replace(face(), characters=face().characters | {"ﬁ"})
    assert Setting(font, 20, ligatures=True).drawn("final flow") == "ﬁnal flow"
    assert Setting(font, 20).drawn("final flow") == "final flow"
