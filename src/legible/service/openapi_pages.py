"""The OpenAPI description of `/read_page`."""

from typing import Any

from legible.config import ServiceSettings
from legible.pages.result import MEDIA_TYPES, ZIP, PageFormat
from legible.service.answers import PAGE_CODES
from legible.service.openapi_parts import NO_MODEL, content, errors, option

ERRORS = {
    400: "no picture or document, a damaged or a locked one, corners that make no sheet, or a wrong request",
    404: "the bundle holds no line detector, or there is no such model",
    413: "too many bytes, pages or pixels, or too much to read in the time that is given",
    415: "a format outside PDF, PNG, JPEG, WebP, TIFF and BMP",
    422: "more marks that look like lines than a page has, or a document that ends the process which reads it",
    503: NO_MODEL[503],
}
LINE: dict[str, Any] = {
    "text": "Hamburg, 4 May",
    "confidence": 0.97,
    "reading_id": "20261121T08-4711-9f3c52d0a1b4",
    "row": 0,
    "polygon": [[100, 80], [420, 80], [420, 110], [100, 110]],
    "words": [{"text": "Hamburg,", "confidence": 0.99, "polygon": [[100, 80], [290, 80], [290, 110], [100, 110]]}],
    "accepted": True,
}
EXAMPLE: dict[str, Any] = {
    "pages": [
        {
            "number": 1,
            "size": [1654, 2339],
            "outline": [],
            "angle": 0.3,
            "turns": 0,
            "source": "image",
            "blocks": [{"lines": [LINE]}],
        }
    ],
    "bundle": "0123456789ab",
}


def read_page(settings: ServiceSettings) -> dict[str, Any]:
    """Return the description of the call."""
    answer = content("the pages, their lines in reading order; a file in the other formats", "DocumentAnswer", EXAMPLE)
    types = dict.fromkeys((*(MEDIA_TYPES[form] for form in PageFormat if form is not PageFormat.json), ZIP))
    answer["content"] |= {kind: {"schema": {"type": "string"}} for kind in types}
    return {
        "operationId": "read_page",
        "summary": "Read the pages of a document",
        "description": f"A document may have {settings.max_document_bytes} bytes, {settings.max_document_pages} pages "
        f"and {settings.max_page_pixels} pixels a page, and is read within {settings.document_seconds:g} seconds.",
        "parameters": _options(settings),
        "requestBody": {"required": True, "content": {"multipart/form-data": _body()}},
        "responses": {"200": answer} | errors(ERRORS, codes=PAGE_CODES),
    }


def _options(settings: ServiceSettings) -> list[dict[str, Any]]:
    accept = {"type": "number", "minimum": 0, "maximum": 1, "default": settings.accept}
    corners = {"type": "string", "pattern": r"^[0-9]{1,4}(,[0-9]{1,4}){7}$"}
    return [
        option("format", "the format of the answer", {"enum": [form.value for form in PageFormat], "default": "json"}),
        option("accept", "from which confidence on a line is accepted", accept),
        option("model", "the name of the bundle that reads (`/models`); else the first one", {"type": "string"}),
        option("pictures", "whether the JSON holds a picture of each page", {"enum": ["0", "1"], "default": "0"}),
        option("corners", "the corners of the sheet in a photograph, as `x,y,x,y,x,y,x,y` in its pixels", corners),
    ]


def _body() -> dict[str, Any]:
    image = {"type": "string", "format": "binary", "description": "PDF, TIFF, PNG, JPEG, WebP or BMP"}
    document = {
        "type": "string",
        "maxLength": 1000,
        "description": "a name for the document, the same when it is sent again; only a digest is kept",
    }
    sender = {"type": "string", "maxLength": 1000, "description": "a name for who sends it; only a digest is kept"}
    reading = {
        "type": "string",
        "format": "binary",
        "description": "a file with the JSON of an earlier answer, its texts perhaps corrected: it is written in the "
        "format that is asked for, and nothing is read",
    }
    properties = {"image": image, "document": document, "sender": sender, "reading": reading}
    kinds = "application/pdf, image/tiff, image/png, image/jpeg, image/webp, image/bmp"
    schema = {"type": "object", "required": ["image"], "properties": properties}
    return {"schema": schema, "encoding": {"image": {"contentType": kinds}}}
