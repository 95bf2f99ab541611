"""The answers of the service as types: handlers build these dictionaries, and OpenAPI's schemas are derived from
them.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic wants it from here before Python 3.12

from legible.reading import Alternative, Character, Reading

CODES = {
    400: ("bad_request", "not_an_image", "damaged_image"),
    401: ("missing_key", "wrong_key"),
    404: ("not_found",),
    408: ("too_slow",),
    409: ("bundle_refused",),
    413: ("too_large",),
    415: ("unsupported_format",),
    429: ("busy",),
    431: ("too_large",),
    503: ("bundle_replaced",),
}
"""The codes of errors by status."""
PAGE_CODES = {
    400: ("locked", "bad_corners"),
    404: ("no_detector",),
    413: ("too_many_pages", "page_timeout"),
    422: ("crowded_page", "page_failed"),
}
"""The codes of errors that only `/read_page` answers with."""
_CODES = sorted({code for codes in (*CODES.values(), *PAGE_CODES.values()) for code in codes})
Chance = Annotated[float, Field(ge=0, le=1)]


class TextChance(TypedDict):
    """A character of a reading, or another text, and the probability that it is right."""

    text: str
    confidence: Chance


class ReadingAnswer(TypedDict):
    """The reading of one image."""

    text: str
    confidence: Annotated[float, Field(ge=0, le=1, description="chance that all of the text is right")]
    accepted: Annotated[bool, Field(description="whether the confidence reaches `accept`")]
    characters: list[TextChance]
    alternatives: NotRequired[Annotated[list[TextChance], Field(description="where they were asked for")]]
    statistics: NotRequired[Annotated[dict[str, float], Field(description="where they were asked for")]]
    hint: NotRequired[
        Annotated[Literal["page"], Field(description="the image is plainly a page of lines; send it to `/read_page`")]
    ]
    reading_id: str
    bundle: Annotated[str, Field(description="twelve digits that name the bundle that read it")]
    model: NotRequired[Annotated[str, Field(description="the name of that bundle, where several are served")]]


class ErrorDetail(TypedDict):
    code: Annotated[str, Field(json_schema_extra={"enum": _CODES})]
    message: Annotated[str, Field(description="what is wrong, and what to send instead")]


class ErrorAnswer(TypedDict):
    """Why there is no reading."""

    error: ErrorDetail


class BatchAnswer(TypedDict):
    """A reading or an error for each image, in order."""

    readings: list[ReadingAnswer | ErrorAnswer]


class ServedModelAnswer(TypedDict):
    """A bundle that is served."""

    name: str
    default: Annotated[bool, Field(description="whether it reads where a request names no model")]
    bundle: str
    charset: Annotated[str, Field(description="the name of its charset")]
    characters: str
    lexicons: list[str]
    exact_match: Annotated[dict[str, float], Field(description="of each slice of its own evaluation")]
    card: Annotated[str, Field(description="where its card is")]
    is_open: Annotated[bool, Field(description="whether it is opened; else the first request opens it")]


class ModelsAnswer(TypedDict):
    """The bundles that are served, the default first."""

    models: list[ServedModelAnswer]


class ReloadAnswer(TypedDict):
    """A model after its bundle was loaded again."""

    name: str
    bundle: str


class CorrectionAnswer(TypedDict):
    """A correction that was kept."""

    reading_id: str


def reading_answer(
    reading: Reading, *, reading_id: str, bundle: str, accept: float, with_alternatives: bool
) -> ReadingAnswer:
    """Return a reading as it is sent."""
    answer: ReadingAnswer = {
        "text": reading.text,
        "confidence": round(reading.confidence, 4),
        "accepted": reading.confidence >= accept,
        "characters": _chances(reading.characters),
        "reading_id": reading_id,
        "bundle": bundle,
    }
    if with_alternatives:
        answer["alternatives"] = _chances(reading.alternatives)
    return answer


def _chances(parts: Sequence[Character | Alternative]) -> list[TextChance]:
    return [{"text": part.text, "confidence": round(part.confidence, 4)} for part in parts]
