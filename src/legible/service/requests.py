"""The requests of callers: options of a query, corrections in JSON (images: `uploads`). Whatever is wrong is a 400."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request

from legible.config import ServiceSettings
from legible.pages.result import PageFormat

CORNERS = 4
MAX_ALTERNATIVES = 10
MAX_CORRECTION_LENGTH = 1000
"""The most characters of a correction."""
Number = TypeVar("Number", int, float)


class BadRequestError(HTTPException):
    """A request that is answered with 400; the message says what to send instead."""

    def __init__(self, message: str) -> None:
        super().__init__(400, message)


@dataclass(frozen=True)
class ReadOptions:
    """The query of a request to read."""

    accept: float
    """The confidence from which on a reading is accepted."""
    statistics: bool
    """Whether image statistics are sent."""
    lexicon: str
    """The lexicon whose words are preferred; empty for none."""
    alternatives: int
    """The number of alternatives that are sent."""
    plain: bool
    """Whether typographic signs are sent in their plain forms."""


QUERY = ("accept", "alternatives", "lexicon", "model", "plain", "statistics")
FLAGS = ("plain", "statistics")


def read_options(request: Request, settings: ServiceSettings, *, lexicons: Sequence[str]) -> ReadOptions:
    """Return the options; raises BadRequestError for one that is unknown or out of its range."""
    query = _query(request, QUERY)
    for name in FLAGS:
        if query.get(name, "0") not in ("0", "1"):
            raise BadRequestError(f"{name} is {query[name]!r}; it needs 1 or 0")
    lexicon = query.get("lexicon", "")
    if lexicon and lexicon not in lexicons:
        raise BadRequestError(f"no lexicon {lexicon!r}; there: {', '.join(lexicons) or 'none'}")
    return ReadOptions(
        accept=_number(query.get("accept"), "accept", default=float(settings.accept), maximum=1.0),
        statistics=query.get("statistics") == "1",
        lexicon=lexicon,
        alternatives=_number(query.get("alternatives"), "alternatives", default=0, maximum=MAX_ALTERNATIVES),
        plain=query.get("plain") == "1",
    )


@dataclass(frozen=True)
class DocumentOptions:
    """The query of a request to read pages."""

    form: PageFormat
    accept: float
    """The confidence from which on a line is accepted."""
    pictures: bool
    """Whether the JSON holds a picture of each page."""
    corners: tuple[tuple[float, float], ...]
    """The corners of the sheet in a photograph; empty where they are to be found."""


DOCUMENT_QUERY = ("accept", "corners", "format", "model", "pictures")


def document_options(request: Request, settings: ServiceSettings) -> DocumentOptions:
    """Return the options; raises BadRequestError for one that is unknown or out of its range."""
    query = _query(request, DOCUMENT_QUERY)
    if query.get("pictures", "0") not in ("0", "1"):
        raise BadRequestError(f"pictures is {query['pictures']!r}; it needs 1 or 0")
    form = query.get("format", "json")
    if form not in list(PageFormat):
        raise BadRequestError(f"format is {form!r}; there: {', '.join(PageFormat)}")
    accept = _number(query.get("accept"), "accept", default=float(settings.accept), maximum=1.0)
    corners = _corners(query.get("corners", ""))
    return DocumentOptions(PageFormat(form), accept, pictures=query.get("pictures") == "1", corners=corners)


def _query(request: Request, known: Sequence[str]) -> QueryParams:
    """Return the query. Raise BadRequestError for an option that is unknown, or sent more than once."""
    query = request.query_params
    unknown = sorted(set(query) - set(known))
    if unknown:
        raise BadRequestError(f"unknown option {', '.join(unknown)}; known: {', '.join(known)}")
    refuse_repeated([name for name, _ in query.multi_items()], what="the option")
    return query


def refuse_repeated(names: Sequence[str], *, what: str) -> None:
    """Raise BadRequestError for a name that is there more than once: which of its values is meant is not known."""
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise BadRequestError(f"{what} {', '.join(repeated)[:80]} is sent more than once; send it once")


def _corners(said: str) -> tuple[tuple[float, float], ...]:
    """Return the points of `x,y,x,y,x,y,x,y`."""
    if not said:
        return ()
    with suppress(ValueError):
        numbers = [float(number) for number in said.split(",")]
        if len(numbers) == 2 * CORNERS and all(map(math.isfinite, numbers)):
            return tuple(zip(numbers[::2], numbers[1::2], strict=True))
    raise BadRequestError(f"corners is {said[:80]!r}; it needs eight numbers, x and y of each: 10,10,90,12,88,99,9,98")


def _number(said: str | None, name: str, *, default: Number, maximum: Number) -> Number:
    """Return the number that was sent, of the default's type, or the default where none was."""
    if said is None:
        return default
    with suppress(ValueError):
        value = type(default)(said)
        if 0 <= value <= maximum:
            return value
    kind = "whole number" if isinstance(default, int) else "number"
    raise BadRequestError(f"{name} is {said!r}; it needs a {kind} from 0 to {maximum}")


def correction_of(body: bytes) -> tuple[str, str]:
    """Return the reading id and the text of a correction; 400 for another shape."""
    content: Any = None
    with suppress(ValueError, RecursionError):
        content = json.loads(body)
    reading_id, text = (content.get(name) for name in ("reading_id", "text")) if isinstance(content, dict) else (0, 0)
    if (
        not isinstance(reading_id, str)
        or not isinstance(text, str)
        or len(text) > MAX_CORRECTION_LENGTH
        or not _is_unicode(text)
    ):
        raise BadRequestError(
            f'send JSON such as {{"reading_id": "...", "text": "Hamburg"}}; '
            f"at most {MAX_CORRECTION_LENGTH} characters of text"
        )
    return reading_id, text


def _is_unicode(text: str) -> bool:
    """Return False for half of a surrogate pair, which JSON can spell and a file cannot hold."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
