"""Drawing: fonts, texts, paper and augmentation."""

import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pytest
import wordfreq
from faker.providers.person.en_GB import Provider
from fontTools.ttLib import TTFont

from legible.charset import Charset
from legible.config import FontsParams, load_params
from legible.errors import DataError
from legible.synth import fonts
from legible.synth import style as style_module
from legible.synth.augment import augment
from legible.synth.font_packages import install_fonts
from legible.synth.fonts import Font, find_fonts
from legible.synth.kerning import kerning
from legible.synth.paper import KINDS, Ink, Paper, lay
from legible.synth.style import draw_hand_style, draw_style, draw_text, draw_with_boxes
from legible.synth.typesetting import draw_typesetting, set_text
from legible.synth.words import Texts

PROJECT = Path(__file__).parents[1]
PARAMS = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml")
CHARSET = PARAMS.charset.build()


def packaged(characters: str = "ab") -> list[Font]:
    return find_fonts(PARAMS.fonts, root=PROJECT, characters=characters)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def folder_params(folder: Path) -> FontsParams:
    return dataclasses.replace(PARAMS.fonts, folders=(str(folder),), packages=False)


def test_packaged_fonts_are_found_with_their_kinds() -> None:
    kinds = {font.family: font.kind for font in packaged()}
    assert kinds["Caladea"] == "print"
    assert kinds["Amatic SC"] == "handwriting"


def test_a_font_says_which_characters_it_draws() -> None:
    font = next(font for font in packaged("aЖ") if font.family == "Caladea")
    assert font.draws("a")
    assert not font.draws("Ж")


def test_a_folder_of_ones_own_fonts_is_used(tmp_path: Path) -> None:
    source = packaged()[0].path
    (tmp_path / source.name).write_bytes(source.read_bytes())
    assert len(find_fonts(folder_params(tmp_path), root=PROJECT, characters="a")) == 1


def test_a_font_that_is_none_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(DataError, match=r"broken\.ttf: no font"):
        find_fonts(folder_params(tmp_path), root=PROJECT, characters="a")


def test_no_fonts_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no fonts in .*; run legible fonts"):
        find_fonts(folder_params(tmp_path), root=PROJECT, characters="a")


def test_characters_that_no_font_draws_are_named() -> None:
    with pytest.raises(DataError, match="no font draws 漢"):
        packaged("a漢")


def test_installing_needs_no_npm_where_no_folder_is_named(tmp_path: Path) -> None:
    install_fonts(PARAMS, root=tmp_path)
    assert list((tmp_path / "fonts/files").iterdir()) == []


def test_texts_stay_within_the_charset_and_cover_it() -> None:
    texts, generator = Texts(CHARSET), rng()
    drawn = [texts.word(generator) for _ in range(6000)]
    CHARSET.check(drawn)
    assert set(CHARSET.characters) - {" "} == set("".join(drawn))


def test_most_words_are_lower_case_and_some_are_numbers() -> None:
    texts, generator = Texts(CHARSET), rng()
    drawn = [texts.word(generator) for _ in range(3000)]
    assert 0.3 < np.mean([word.islower() for word in drawn]) < 0.7
    assert 0.1 < np.mean([any(c.isdigit() for c in word) for word in drawn]) < 0.4


def test_a_line_has_so_many_words_with_single_spaces() -> None:
    texts, generator = Texts(CHARSET), rng()
    for count in (2, 7, 12):
        line = texts.line(generator, words=count)
        assert len(line.split(" ")) == count


def test_lines_hold_names_with_titles_and_addresses() -> None:
    texts, generator = Texts(CHARSET, names=True), rng()
    drawn = " ".join(texts.line(generator, words=10) for _ in range(300))
    assert re.search(r"\b(Mr|Mrs|Dr)\.? [A-Z][a-z]+", drawn)
    assert re.search(r"[a-z]+@[a-z]+\.|www\.[a-z]+\.", drawn)


def test_names_that_are_no_frequent_words_are_drawn_too() -> None:
    texts, generator = Texts(CHARSET, names=True), rng()
    drawn = {texts.word(generator).strip(",") for _ in range(12_000)}
    frequent = set(wordfreq.top_n_list("en", 40_000))
    assert {name for name in Provider.last_names if name.lower() not in frequent} & drawn


def test_common_words_come_more_often_the_less_their_frequencies_are_flattened() -> None:
    found = []
    for flattening in (0.6, 0.8, 1.0):
        texts, generator = Texts(CHARSET, flattening=flattening), rng()
        found.append(sum(texts.word(generator).lower() == "the" for _ in range(3000)))
    assert found == sorted(found)
    assert found[0] * 4 < found[2]


def test_most_lone_signs_are_full_stops_and_commas() -> None:
    texts, generator = Texts(CHARSET), rng()
    signs = [word for word in (texts.word(generator) for _ in range(9000)) if len(word) == 1 and not word.isalnum()]
    assert 0.1 * 9000 < len(signs) < 0.14 * 9000
    assert sum(sign in ".," for sign in signs) > 0.5 * len(signs)


def test_running_words_are_no_lone_signs() -> None:
    texts, generator = Texts(CHARSET), rng()
    assert min(len(texts.running_word(generator)) for _ in range(500)) >= 2


def test_a_charset_without_words_or_digits_is_refused() -> None:
    with pytest.raises(DataError, match="neither letters of a word nor digits"):
        Texts(Charset("signs", "#+"))


def test_digits_alone_are_enough() -> None:
    texts, generator = Texts(Charset("digits", "0123456789")), rng()
    assert all(texts.word(generator).isdigit() for _ in range(50))


@pytest.mark.parametrize("kind", KINDS)
def test_ink_is_darker_than_any_paper(kind: str) -> None:
    coverage = np.zeros((40, 120), np.float32)
    coverage[15:25, 20:100] = 1
    paper = Paper(next(k for k in KINDS if k == kind), level=230, strength=0.6)
    image = lay(coverage, paper, Ink(level=40, unevenness=0.2), rng())
    assert image[15:25, 20:100].mean() + 60 < np.median(image[:10])


def test_no_strength_changes_nothing() -> None:
    image = rng().integers(0, 256, (40, 90)).astype(np.uint8)
    assert augment(image, rng(), 0.0) is image


def test_augmentation_is_the_same_for_the_same_random_state() -> None:
    image = rng().integers(0, 256, (40, 90)).astype(np.uint8)
    for seed in range(30):
        assert np.array_equal(augment(image, rng(seed), 1.0), augment(image, rng(seed), 1.0))


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (64, 900)])
def test_any_shape_is_augmented(shape: tuple[int, int]) -> None:
    image = rng().integers(0, 256, shape).astype(np.uint8)
    for seed in range(40):
        changed = augment(image, rng(seed), 1.0)
        assert changed.dtype == np.uint8
        assert min(changed.shape) >= 1


def test_a_style_stays_while_each_drawing_varies() -> None:
    style = draw_style([font for font in packaged() if font.kind == "handwriting"], rng(1), strength=0.3)
    one, other = draw_text("Hamburg", style, rng(2)), draw_text("Hamburg", style, rng(3))
    assert one.shape != other.shape or not np.array_equal(one, other)
    assert np.array_equal(one, draw_text("Hamburg", style, rng(2)))


def advances(face: Path) -> list[float]:
    return [round(float(change), 3) for change in kerning(face, "AVn")]


@pytest.fixture
def packed_face(print_face: Path, tmp_path: Path) -> Path:
    """The same font as a WOFF2."""
    font = TTFont(print_face)
    font.flavor = "woff2"
    font.save(tmp_path / "same.woff2")
    return tmp_path / "same.woff2"


def test_kerning_brings_pairs_nearer_in_files_of_any_format(print_face: Path, packed_face: Path) -> None:
    assert advances(print_face)[0] < -0.02
    assert advances(print_face)[-1] == 0  # of the last letter, which has no neighbour
    assert advances(packed_face) == advances(print_face)


@pytest.mark.slow
def test_a_packed_font_draws_the_same_however_often_it_is_opened(packed_face: Path) -> None:
    drawn = []
    for _ in range(2):
        fonts.load_face.cache_clear()
        faces = [fonts.load_face(packed_face, size) for size in range(12, 42)]
        drawn.append([bytes(face.getmask("Hamburg, 1905")) for face in faces])
    assert isinstance(faces[-1].path, io.BytesIO)  # from what was unpacked by then
    assert drawn[0] == drawn[1]


@pytest.mark.slow
def test_a_font_that_is_opened_often_is_unpacked_once(packed_face: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[object] = []
    plain = fonts.woff2.decompress
    monkeypatch.setattr(fonts.woff2, "decompress", lambda *files: (unpacked.append(files), plain(*files)))
    for size in range(10, 10 + fonts.OPENINGS_WORTH_UNPACKING):
        fonts.load_face(packed_face, size)
    assert unpacked == []
    for size in range(100, 110):
        fonts.load_face(packed_face, size)
    assert len(unpacked) == 1


def test_a_kerned_style_sets_the_same_text_narrower(print_face: Path) -> None:
    fonts = [Font(print_face, "Roboto", "print", frozenset("AV"))]
    loose, kerned = (draw_typesetting(fonts, rng(3), kerned=way) for way in (False, True))
    widths = [set_text("AVAVAVAV", style, rng(4)).coverage.shape[1] for style in (loose, kerned)]
    assert widths[1] < widths[0] * 0.97


def test_drawn_text_is_ink_on_paper() -> None:
    for seed in range(20):
        style = draw_style(packaged(), rng(seed), strength=0.0)
        image = draw_text("word", style, rng(seed))
        assert image.min() < 100
        assert image.max() > 200


@pytest.mark.parametrize("text", [".", "-", "Tagus"])
def test_a_picture_cut_out_ends_where_its_characters_do(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_module, "CUT_OUT", 1.0)
    for seed in range(20):
        drawing = draw_with_boxes(text, draw_hand_style(rng(seed), strength=0.0), rng(seed))
        height, width = drawing.image.shape
        assert min(height, width) >= style_module.MIN_CUT_OUT
        edges = [*drawing.boxes[:, :2].min(axis=0), *drawing.boxes[:, 2:].max(axis=0)]
        assert np.abs(np.subtract(edges, [0, 0, width, height])).max() < style_module.MIN_CUT_OUT


def test_the_cut_follows_slant_turn_and_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_module, "CUT_OUT", 1.0)
    for seed in range(20):
        image = draw_text("Tagus", draw_hand_style(rng(seed), strength=0.3), rng(seed)).astype(int)
        far = np.abs(image - np.median(image))
        ink = far > 0.4 * np.percentile(far, 99)
        rim = 3 + round(0.05 * 0.3 * len(ink))  # as far as the elastic change moves, which the cut does not follow
        assert all(edge.any() for edge in (ink[:rim], ink[-rim:], ink[:, :rim], ink[:, -rim:])), seed


def test_some_pictures_are_cut_out_and_most_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    style = draw_hand_style(rng(), strength=0.0)
    drawn = [draw_text("Tagus", style, rng(seed)).shape for seed in range(100)]
    monkeypatch.setattr(style_module, "CUT_OUT", 0.0)
    whole = [draw_text("Tagus", style, rng(seed)).shape for seed in range(100)]
    assert 15 < sum(np.not_equal(drawn, whole).any(axis=1)) < 45


def test_pictures_with_margins_asked_for_are_not_cut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style_module, "CUT_OUT", 1.0)
    style = dataclasses.replace(draw_hand_style(rng(), strength=0.0), margins=(0.5, 0.5))
    image = draw_text(".", style, rng())
    monkeypatch.setattr(style_module, "CUT_OUT", 0.0)
    assert np.array_equal(image, draw_text(".", style, rng()))
