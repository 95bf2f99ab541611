"""Captions of contact sheets: every character is drawn, or named by its code point."""

import pytest

from legible.image.contact_sheet import caption, caption_fonts, has_glyph

OWN = caption_fonts()[:1]
"""Pillow's own font, which lacks the pound sign."""


def test_pillow_s_own_font_lacks_the_pound_sign() -> None:
    (font,) = OWN
    assert has_glyph(font, "a")
    assert not has_glyph(font, "£")


@pytest.mark.parametrize("line", ["£5", "Übermut", "15 €"])
def test_a_caption_is_drawn_in_a_font_that_has_its_characters(line: str) -> None:
    font, text = caption(line, caption_fonts())
    assert text == line
    assert all(has_glyph(font, character) for character in line)


def test_a_caption_that_pillow_s_own_font_has_stays_in_it() -> None:
    fonts = caption_fonts()
    assert caption("Hamburg 1842", fonts)[0] is fonts[0]


def test_a_character_that_no_font_has_is_named_by_its_code_point() -> None:
    assert caption("5 £ a", OWN)[1] == "5 <U+00A3> a"
