"""The OpenAPI description of the routes, and a page that shows it without anything from outside."""

import json
from typing import Any

from pydantic import TypeAdapter

import legible
from legible.config import ServiceSettings
from legible.service.answers import (
    BatchAnswer,
    CorrectionAnswer,
    ErrorAnswer,
    ModelsAnswer,
    ReadingAnswer,
    ReloadAnswer,
)
from legible.service.openapi_pages import read_page
from legible.service.openapi_parts import ERRORS, NO_MODEL, PUBLISHED, content, error_example, errors, option, refusal
from legible.service.page_types import DocumentAnswer
from legible.service.requests import MAX_ALTERNATIVES, MAX_CORRECTION_LENGTH

ANSWERS = (ReadingAnswer, BatchAnswer, DocumentAnswer, CorrectionAnswer, ModelsAnswer, ReloadAnswer, ErrorAnswer)
EXAMPLE: dict[str, Any] = {
    "text": "Hamburg",
    "confidence": 0.97,
    "accepted": True,
    "characters": [{"text": "H", "confidence": 0.99}],
    "reading_id": "20261121T08-4711-9f3c52d0a1b4",
    "bundle": "0123456789ab",
}


def describe(settings: ServiceSettings) -> dict[str, Any]:
    """Return OpenAPI 3.1 of what is served under these settings."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "legible", "version": legible.__version__, "description": legible.__doc__},
        "paths": {
            "/read": {"post": _read_one(settings)},
            "/read_batch": {"post": _read_many(settings)},
            "/read_page": {"post": read_page(settings)},
            "/feedback": {"post": _feedback()},
            "/models": {"get": _models()},
            **({"/models/{name}/reload": {"post": _reload()}} if settings.reload_keys else {}),
            "/metrics": {"get": _metrics(settings)},
            "/livez": {"get": _health("livez", "Does the process live?", {"200": "it does"})},
            "/readyz": {"get": _health("readyz", "Does it read?", {"200": "it does", "503": "not yet, or draining"})},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": _security(needed=bool(settings.keys or settings.keys_file)),
    }


def _read_one(settings: ServiceSettings) -> dict[str, Any]:
    return {
        "operationId": "read",
        "summary": "Read one image",
        **_upload("image", _image(settings), settings),
        "responses": {"200": content("the reading", "ReadingAnswer", EXAMPLE)} | errors(NO_MODEL),
    }


def _read_many(settings: ServiceSettings) -> dict[str, Any]:
    most = settings.max_batch_images
    images = {"type": "array", "items": _image(settings), "minItems": 1, "maxItems": most}
    damaged = error_example("damaged_image", "the PNG image is damaged; save it anew and send it again")
    example = {"readings": [EXAMPLE, damaged]}
    return {
        "operationId": "read_batch",
        "summary": f"Read up to {most} images",
        **_upload("images", images, settings),
        "responses": {"200": content("a reading or an error for each image, in order", "BatchAnswer", example)}
        | errors(NO_MODEL),
    }


def _image(settings: ServiceSettings) -> dict[str, Any]:
    return {
        "type": "string",
        "format": "binary",
        "description": f"PNG, JPEG, WebP, TIFF or BMP; at most {settings.max_image_bytes} bytes and "
        f"{settings.max_pixels} pixels",
    }


def _upload(field: str, files: dict[str, Any], settings: ServiceSettings) -> dict[str, Any]:
    channel = {
        "type": "string",
        "maxLength": 1000,
        "description": f"where the image comes from: {', '.join(settings.channels)}; others count as `other`",
    }
    document = {
        "type": "string",
        "maxLength": 1000,
        "description": "a name for what images come from together, such as a page or a form; only a digest is kept",
    }
    sender = {"type": "string", "maxLength": 1000, "description": "a name for who sends it; only a digest is kept"}
    fields = {field: files, "channel": channel, "document": document, "sender": sender}
    body = {"type": "object", "required": [field], "properties": fields}
    kinds = "image/png, image/jpeg, image/webp, image/tiff, image/bmp"
    form = {"schema": body, "encoding": {field: {"contentType": kinds}}}
    return {
        "description": f"The request may have {settings.max_body_bytes} bytes, which have to arrive within "
        f"{settings.body_seconds:g} seconds. Addresses of images are not fetched.",
        "parameters": _options(settings),
        "requestBody": {"required": True, "content": {"multipart/form-data": form}},
    }


def _options(settings: ServiceSettings) -> list[dict[str, Any]]:
    accept = {"type": "number", "minimum": 0, "maximum": 1, "default": settings.accept}
    alternatives = {"type": "integer", "minimum": 0, "maximum": MAX_ALTERNATIVES, "default": 0}
    flag = {"enum": ["0", "1"], "default": "0"}
    return [
        option("accept", "from which confidence on a reading is accepted", accept),
        option("statistics", "whether to send the statistics of the image", flag),
        option("lexicon", "one of the bundle, such as `english`, whose words are preferred", {"type": "string"}),
        option(
            "model",
            "the name of the bundle that reads (`/models`), `a+b` for several that vote; else the first one",
            {"type": "string"},
        ),
        option("plain", "whether to send plain signs for curly quotes, dashes and the like", flag),
        option("alternatives", "how many other texts to send, likeliest first", alternatives),
    ]


def _feedback() -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["reading_id", "text"],
        "properties": {
            "reading_id": {"type": "string"},
            "text": {"type": "string", "maxLength": MAX_CORRECTION_LENGTH},
        },
        "example": {"reading_id": EXAMPLE["reading_id"], "text": "Homburg"},
    }
    kept = content("kept", "CorrectionAnswer", {"reading_id": EXAMPLE["reading_id"]})
    refused = {404: "no such reading, or corrections are switched off", 507: "no room for corrections"}
    return {
        "operationId": "feedback",
        "summary": "Say what a reading should have been",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"202": kept} | errors(refused),
    }


def _models() -> dict[str, Any]:
    example = {
        "name": "english", "default": True, "bundle": EXAMPLE["bundle"], "charset": "latin-96", "characters": "abc",
        "lexicons": ["english"], "exact_match": {"print": 0.97}, "card": "/card?model=english", "is_open": True,
    }  # fmt: skip
    return {
        "operationId": "models",
        "summary": "List the bundles that are served",
        "responses": {
            "200": content("the bundles, the default first", "ModelsAnswer", {"models": [example]}),
            "401": refusal(401, ERRORS[401]),
        },
    }


def _reload() -> dict[str, Any]:
    name = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
    refusals = {
        401: "a key of its own is needed",
        404: NO_MODEL[404],
        409: "the bundle in its folder cannot be served; the former one goes on",
    }
    return {
        "operationId": "reload",
        "summary": "Replace a model by the bundle that its folder holds now",
        "parameters": [name],
        "security": _security(needed=True),
        "responses": {
            "200": content("replaced", "ReloadAnswer", {"name": "english", "bundle": EXAMPLE["bundle"]}),
            **{str(status): refusal(status, meaning) for status, meaning in refusals.items()},
        },
    }


def _metrics(settings: ServiceSettings) -> dict[str, Any]:
    text = {"description": "in Prometheus' format", "content": {"text/plain": {"schema": {"type": "string"}}}}
    refused = {"401": refusal(401, "a key of its own is needed")} if settings.metrics_keys else {}
    return {
        "operationId": "metrics",
        "summary": "What the service counts",
        "security": _security(needed=bool(settings.metrics_keys)),
        "responses": {"200": text, **refused},
    }


def _security(*, needed: bool) -> list[dict[str, list[str]]]:
    """Return the two ways to show a key, where one is needed."""
    return [{"bearer": []}, {"header": []}] if needed else []


def _health(name: str, summary: str, answers: dict[str, str]) -> dict[str, Any]:
    responses = {status: {"description": meaning} for status, meaning in answers.items()}
    return {"operationId": name, "summary": summary, "security": [], "responses": responses}


def _schemas() -> dict[str, Any]:
    """Return the schemas of the types that the handlers answer with, and of their parts, by their published names."""
    schemas: dict[str, Any] = {}
    for answer in (
        ReadingAnswer,
        BatchAnswer,
        DocumentAnswer,
        CorrectionAnswer,
        ModelsAnswer,
        ReloadAnswer,
        ErrorAnswer,
    ):
        schema = TypeAdapter(answer).json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        schemas |= schema.pop("$defs", {}) | {answer.__name__: schema}
    text = json.dumps(schemas)
    for name, published in PUBLISHED.items():
        text = text.replace(f'"{name}"', f'"{published}"').replace(f'/{name}"', f'/{published}"')
    named: dict[str, Any] = json.loads(text)
    return named
