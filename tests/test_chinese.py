"""Chinese texts within a charset, and the recipe that draws them."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from conftest import PROJECT

from legible.charset import Charset
from legible.config import load_params
from legible.errors import DataError, SettingsError
from legible.synth.fonts import MAX_NAMED, find_fonts
from legible.synth.samples import texts_within
from legible.synth.texts.chinese import MAX_LINE, ChineseTexts, is_chinese

FEW = Charset("few", " 0123456789.,年月日，。的是在了我有和不人这中大为上个国")  # noqa: RUF001


@pytest.fixture(scope="module")
def texts() -> ChineseTexts:
    return ChineseTexts(FEW, names=False, flattening=0.6)


@pytest.mark.slow
def test_texts_are_within_the_charset_and_lines_have_no_spaces(texts: ChineseTexts) -> None:
    rng = np.random.default_rng(1)
    lines = [texts.line(rng, words=int(rng.integers(2, 13))) for _ in range(300)]
    words = [texts.word(rng) for _ in range(300)]
    assert not FEW.unknown("".join([*lines, *words]))
    assert all(line and " " not in line and len(line) <= MAX_LINE + 2 for line in lines)
    assert sum(any(map(is_chinese, line)) for line in lines) > 290
    assert all(texts.running_word(rng, shortest=2)[1:] for _ in range(50))
    assert any("，" in line[:-1] for line in lines)  # noqa: RUF001


@pytest.mark.slow
def test_every_character_is_seen_however_rare(texts: ChineseTexts) -> None:
    rng = np.random.default_rng(2)
    seen = set("".join(texts.word(rng) for _ in range(1500)))
    assert seen >= set(filter(is_chinese, FEW.characters))


@pytest.mark.slow
def test_the_same_state_draws_the_same_texts_and_frequent_words_are_drawn_more(texts: ChineseTexts) -> None:
    drawn = [[texts.word(rng) for _ in range(400)] for rng in (np.random.default_rng(3), np.random.default_rng(3))]
    assert drawn[0] == drawn[1]
    text = "".join(drawn[0])
    assert text.count("的") > text.count("国")


@pytest.mark.slow
def test_a_charset_without_a_chinese_word_is_refused() -> None:
    with pytest.raises(DataError, match=r"charset 'ascii' holds no Chinese word; widen it"):
        texts_within(Charset("ascii", " abc"), names=False, flattening=0.6, language="zh")


def test_the_recipe_has_the_characters_it_says() -> None:
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/chinese.yaml")
    charset = params.charset.build()
    chinese = "".join(filter(is_chinese, charset.characters))
    assert len(chinese) == 3500
    assert params.charset.name == f"chinese-{len(charset.characters)}"
    assert not charset.unknown("Hamburg 2026: 100%，“汉堡”。")  # noqa: RUF001
    assert params.generate.language == "zh"
    assert {name for name, weight in params.generate.shares.items() if weight} == {"print", "handwriting"}


@pytest.mark.slow
def test_its_characters_are_those_that_the_script_prints() -> None:
    characters = load_params(PROJECT / "params.yaml", PROJECT / "params/chinese.yaml").charset.characters
    script = runpy.run_path(str(PROJECT / "scripts/frequent_characters.py"))
    assert script["frequent_characters"]("zh", 3500) in characters


def test_the_fonts_of_the_recipe_are_locked_and_two_of_them_are_kept_for_the_test() -> None:
    params = load_params(PROJECT / "params.yaml", PROJECT / "params/chinese.yaml")
    assert params.fonts.folders == ("fonts/chinese/files",)
    locked = (PROJECT / "fonts/chinese/package-lock.json").read_text(encoding="utf-8")
    families = set(re.findall(r'"node_modules/@expo-google-fonts/([a-z-]+)"', locked))
    assert set(params.fonts.unseen) < families
    assert "registry" not in locked


@pytest.mark.slow
def test_a_charset_that_no_font_draws_is_refused_in_one_line_that_is_not_endless(tmp_path: Path) -> None:
    fonts = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml").fonts
    wanted = load_params(PROJECT / "params.yaml", PROJECT / "params/chinese.yaml").charset.characters
    with pytest.raises(
        DataError, match=r"^no font draws .* and \d+ more; add one to fonts\.folders that does$"
    ) as caught:
        find_fonts(fonts, root=tmp_path, characters=wanted)
    assert len(str(caught.value)) < 3 * MAX_NAMED


def test_another_language_is_refused_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("generate: {language: tlh}")
    with pytest.raises(SettingsError, match=r"params\.generate\.language is 'tlh'; it needs to be 'en' or 'zh'"):
        load_params(PROJECT / "params.yaml", tmp_path / "over.yaml")
