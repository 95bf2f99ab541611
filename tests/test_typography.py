"""Plain forms of typographic signs, in readings and where they are asked for."""
# ruff: noqa: RUF001

import numpy as np
import pytest
from starlette.datastructures import QueryParams

from legible.charset import Charset
from legible.config import ServiceSettings
from legible.reading import Alternative, Character, Reading
from legible.recognition.calibration import Calibration
from legible.recognition.decoding import Decoding, interpret
from legible.service.requests import BadRequestError, read_options
from legible.typography import plain_reading, plain_text


def test_quotes_dashes_and_dots_become_plain_and_letters_stay() -> None:
    assert plain_text("“Café” – ‘no’ — wait…") == "\"Café\" - 'no' - wait..."


def test_characters_keep_their_confidence_and_alternatives_that_are_the_same_now_go() -> None:
    shown = Reading(
        "a…",
        0.9,
        (Character("a", 0.99), Character("…", 0.95)),
        (Alternative("a...", 0.05), Alternative("b–", 0.02), Alternative("b—", 0.01)),
    )
    plain = plain_reading(shown)
    assert (plain.text, plain.confidence) == ("a...", 0.9)
    assert plain.characters == (Character("a", 0.99), Character("...", 0.95))
    assert plain.alternatives == (Alternative("b-", 0.02),)


def test_a_decoding_gives_plain_signs_where_asked_for() -> None:
    charset = Charset("signs", "a–")
    logits = np.log(np.array([[0.01, 0.98, 0.01], [0.01, 0.01, 0.98]], np.float32))
    seen, plain = (interpret(logits, charset, Calibration(), Decoding(plain=wanted)) for wanted in (False, True))
    assert (seen.text, plain.text) == ("a–", "a-")
    assert plain.confidence == seen.confidence


class Asked:
    """A request with a query."""

    def __init__(self, query: str) -> None:
        self.query_params = QueryParams(query)


@pytest.mark.parametrize(("query", "plain"), [("", False), ("plain=0", False), ("plain=1", True)])
def test_a_request_asks_by_a_flag(query: str, plain: bool) -> None:  # noqa: FBT001
    assert read_options(Asked(query), ServiceSettings(), lexicons=()).plain is plain  # type: ignore[arg-type]


def test_another_value_of_the_flag_is_refused() -> None:
    with pytest.raises(BadRequestError, match="plain is 'yes'; it needs 1 or 0"):
        read_options(Asked("plain=yes"), ServiceSettings(), lexicons=())  # type: ignore[arg-type]
