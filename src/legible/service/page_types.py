"""The JSON of a read document as types, from which OpenAPI's schemas are derived; `page_files` builds it."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic wants it from here before Python 3.12

from legible.service.answers import Chance

Point = Annotated[list[float], Field(min_length=2, max_length=2)]
Place = Annotated[list[Point], Field(description="x and y of each corner, in pixels of the page as it was sent")]


class PageWord(TypedDict):
    text: str
    confidence: Chance
    polygon: Place


class PageLine(TypedDict):
    """A line: its polygon goes along its upper edge and back along the lower one."""

    text: str
    confidence: Annotated[float, Field(ge=0, le=1, description="chance that all of the text is right")]
    accepted: Annotated[bool, Field(description="whether the confidence reaches `accept`")]
    reading_id: NotRequired[Annotated[str, Field(description="for `/feedback`; none for text that a PDF brought")]]
    row: Annotated[int, Field(ge=0, description="lines side by side have the same number")]
    polygon: Place
    words: list[PageWord]


class PageBlock(TypedDict):
    lines: list[PageLine]


class PageAnswer(TypedDict):
    """One page; its blocks and lines are in reading order. A page without text has no blocks."""

    number: Annotated[int, Field(ge=1)]
    size: Annotated[list[int], Field(min_length=2, max_length=2, description="width and height in pixels")]
    outline: Annotated[list[Point], Field(description="the corners of the sheet in a photograph; empty for a scan")]
    angle: Annotated[float, Field(description="degrees, clockwise, by which the text leans")]
    turns: Annotated[int, Field(ge=0, le=3, description="quarter turns, counter-clockwise, that make it upright")]
    source: Annotated[Literal["image", "text layer"], Field(description="a PDF's own text is kept, not read")]
    blocks: list[PageBlock]
    picture: NotRequired[Annotated[str, Field(description="where `pictures=1`: a data URL of a JPEG")]]


class DocumentAnswer(TypedDict):
    """The pages of a document."""

    pages: list[PageAnswer]
    bundle: Annotated[str, Field(description="twelve digits that name the model")]
