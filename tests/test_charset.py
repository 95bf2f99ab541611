import json
from pathlib import Path

import pytest

from legible.charset import REJECT, Charset, composed, plain_forms
from legible.config import load_params
from legible.errors import CharsetError

PROJECT = Path(__file__).parents[1]
ABC = Charset("abc", "abc")


def test_labels_start_after_the_blank_and_come_back_as_text() -> None:
    assert ABC.encode("cab") == [3, 1, 2]
    assert ABC.decode([3, 1, 2]) == "cab"
    assert ABC.size == 4


def test_the_charset_holds_ascii_letters_with_marks_signs_and_a_reject_sign() -> None:
    charset = load_params(PROJECT / "params.yaml").charset.build()
    assert charset.unknown("".join(map(chr, range(32, 127))) + "£") == []
    assert charset.unknown("café Łódź Übergröße říjen Århus Œuvre € § ° \u201c \u2014") == []
    assert charset.rejects
    assert len(charset.characters) == 231
    assert all(composed(character) == character for character in charset.characters)


def test_the_rehearsal_reads_printable_ascii_and_the_pound() -> None:
    characters = load_params(PROJECT / "params.yaml", PROJECT / "params/tiny.yaml").charset.characters
    assert set(characters) == {chr(code) for code in range(32, 127)} | {"£"}


def test_unknown_characters_are_refused_by_name_with_a_way_out() -> None:
    with pytest.raises(
        CharsetError,
        match=r"'β' \(U\+03B2\) and '€' \(U\+20AC\) not in charset 'abc'; add to params\.yaml: charset, or",
    ):
        ABC.check(["aβ", "b", "€"])


def test_a_charset_with_a_reject_sign_has_a_label_for_every_sign() -> None:
    charset = Charset("abc", f"abc{REJECT}")
    assert charset.rejects
    assert charset.encode("aβ€") == [1, 4, 4]
    assert charset.decode([1, 4, 4]) == f"a{REJECT}{REJECT}"
    assert charset.unknown("aβ€") == ["β", "€"]
    charset.check(["a"])


def test_typographic_forms_have_plain_ones() -> None:
    typed = '"It\'s - well... - so" naïve €5'
    assert plain_forms("\u201cIt\u2019s \u2013 well\u2026 \u2014 so\u201d naïve €5") == typed


def test_letters_and_their_marks_are_composed() -> None:
    assert composed("cafe\u0301") == "café"


def test_a_character_twice_is_refused() -> None:
    with pytest.raises(CharsetError, match="holds 'a' more than once"):
        Charset("double", "aba")


def test_an_empty_charset_is_refused() -> None:
    with pytest.raises(CharsetError, match="is empty"):
        Charset("none", "")


def test_a_charset_survives_its_file(tmp_path: Path) -> None:
    charset = Charset("signs", 'a"\\£ ')
    charset.save(tmp_path / "charset.json")
    assert Charset.load(tmp_path / "charset.json") == charset


@pytest.mark.parametrize("content", ["nope", "[]", '{"version": 1}', '{"version": 1, "name": "a", "characters": 3}'])
def test_a_damaged_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "charset.json"
    path.write_text(content)
    with pytest.raises(CharsetError, match="export again or fetch it anew"):
        Charset.load(path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "charset.json"
    path.write_text(json.dumps({"version": 2, "name": "abc", "characters": "abc"}))
    with pytest.raises(CharsetError, match="format 2 is not 1"):
        Charset.load(path)
