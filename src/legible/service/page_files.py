"""A read document as the body of an answer: JSON with everything, or a file of one of the formats."""

import base64
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from legible.arrays import GreyImage
from legible.pages.formats import page_as_dict
from legible.pages.open import PageLimits, jpeg
from legible.pages.result import MEDIA_TYPES, ZIP, DocumentResult, PageFormat
from legible.pages.write import files_of

STEM = "document"
"""The name of the files that are answered, without its end."""
MAX_PICTURE_SIDE = 1600
"""The longer side of a page's picture as it is sent, in pixels."""
PICTURE_QUALITY = 75


@dataclass(frozen=True)
class PageFile:
    """A body, its type and its name."""

    body: bytes
    media_type: str
    file_name: str


def file_of(result: DocumentResult, form: PageFormat, *, data: bytes, limits: PageLimits) -> PageFile:
    """Return the file of a format, or a ZIP of one for each page where the format describes a page."""
    files = files_of(result, form, stem=STEM, data=data, limits=limits)
    if len(files) == 1:
        ((name, content),) = files.items()
        return PageFile(content, MEDIA_TYPES[form], name)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return PageFile(buffer.getvalue(), ZIP, f"{STEM}.zip")


def json_of(result: DocumentResult, *, accept: float, bundle: str, pictures: Sequence[str] = ()) -> PageFile:
    """Return the JSON of a document: `accepted` with each line, and each page's picture where there are some."""
    pages = [page_as_dict(page) for page in result.pages]
    for page in pages:
        for line in lines_of(page):
            line["accepted"] = line["confidence"] >= accept
    for page, picture in zip(pages, pictures, strict=False):
        page["picture"] = picture
    body = json.dumps({"pages": pages, "bundle": bundle}, ensure_ascii=False)
    return PageFile(body.encode(), MEDIA_TYPES[PageFormat.json], f"{STEM}.json")


def lines_of(page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the lines of a page as it is in the JSON."""
    return [line for block in page["blocks"] for line in block["lines"]]


def picture_of(image: GreyImage) -> str:
    """Return a page's image as the URL of a JPEG, small enough to be looked at."""
    factor = MAX_PICTURE_SIDE / max(image.shape)
    if factor < 1:
        image = np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(image, quality=PICTURE_QUALITY)).decode()
