"""The OpenAPI description of the routes, and a page that shows it without anything from outside."""

from typing import Any

import legible
from legible.config import ServiceSettings

ERRORS = {
    400: "not an image, a damaged one, or a wrong request",
    401: "no key, or a wrong one, where the service has keys",
    408: "the body did not arrive in time",
    413: "too many bytes or pixels",
    415: "a format outside PNG, JPEG, WebP, TIFF and BMP",
    429: "too many requests at a time; Retry-After says when to come again",
}
MOST_ALTERNATIVES = 10
MOST_CORRECTED = 1000
"""Characters of a correction."""
READING = {
    "type": "object",
    "required": ["text", "confidence", "accepted", "characters", "reading_id", "bundle"],
    "properties": {
        "text": {"type": "string"},
        "confidence": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "chance that all of the text is right",
        },
        "accepted": {"type": "boolean", "description": "whether the confidence reaches `accept`"},
        "characters": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Character"},
        },
        "alternatives": {
            "type": "array",
            "description": "where they were asked for",
            "items": {"$ref": "#/components/schemas/Character"},
        },
        "reading_id": {"type": "string"},
        "bundle": {"type": "string", "description": "twelve digits that name the model"},
        "statistics": {"type": "object", "additionalProperties": {"type": "number"}},
    },
    "example": {
        "text": "Hamburg",
        "confidence": 0.97,
        "accepted": True,
        "characters": [{"text": "H", "confidence": 0.99}],
        "reading_id": "20261121T08-4711-9f3c52d0a1b4",
        "bundle": "0123456789ab",
    },
}
CHARACTER = {
    "type": "object",
    "required": ["text", "confidence"],
    "properties": {"text": {"type": "string"}, "confidence": {"type": "number"}},
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
        }
    },
}
DOCS_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>legible: calls</title>
<style>body{font:16px/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}pre{overflow:auto}</style>
<h1>Calls</h1>
<p><code>POST /read</code>: one image in the multipart field <code>image</code>.
<pre>curl -F image=@word.png localhost:3000/read</pre>
<p><code>POST /read_batch</code>: several in <code>images</code>; a reading or an error for each, in order.
<pre>curl -F images=@a.png -F images=@b.png localhost:3000/read_batch</pre>
<p>Both take the field <code>channel</code>, and in the query <code>accept=0.95</code>, the confidence from which a
reading is accepted, <code>lexicon=english</code> to prefer words, <code>alternatives=3</code> for other texts.
All of it, errors included: <a href="/openapi.json">OpenAPI</a>. Also <code>GET /</code>, the page;
<code>/metrics</code>, <code>/livez</code>, <code>/readyz</code>.
</html>"""


def describe(settings: ServiceSettings) -> dict[str, Any]:
    """OpenAPI 3.1 of what is served under these settings."""
    one = {"type": "string", "format": "binary"}
    many = {"type": "array", "items": one, "minItems": 1, "maxItems": settings.max_batch_images}
    batch = {
        "type": "object",
        "required": ["readings"],
        "properties": {"readings": {"type": "array", "items": {"anyOf": [_schema("Reading"), _schema("Error")]}}},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "legible", "version": legible.__version__, "description": legible.__doc__},
        "paths": {
            "/read": {"post": _read("Read one image", "image", one, _schema("Reading"), settings)},
            "/read_batch": {"post": _read("Read several images", "images", many, batch, settings)},
            "/feedback": {"post": _feedback()},
            "/livez": {"get": {"responses": {"200": {"description": "the process lives"}}}},
            "/readyz": {"get": {"responses": {"200": {"description": "it reads"}, "503": {"description": "not yet"}}}},
        },
        "components": {
            "schemas": {"Reading": READING, "Character": CHARACTER, "Error": ERROR},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{"bearer": []}, {"header": []}] if settings.keys or settings.keys_file else [],
    }


def _read(
    summary: str, field: str, files: dict[str, Any], answer: dict[str, Any], settings: ServiceSettings
) -> dict[str, Any]:
    body = {
        "type": "object",
        "required": [field],
        "properties": {field: files, "channel": {"type": "string", "description": "where the image comes from"}},
    }
    accept = {"type": "number", "minimum": 0, "maximum": 1, "default": settings.accept}
    return {
        "summary": summary,
        "parameters": [
            {"name": "accept", "in": "query", "schema": accept},
            {"name": "statistics", "in": "query", "schema": {"enum": ["0", "1"]}},
            {
                "name": "lexicon",
                "in": "query",
                "description": "a lexicon of the bundle, such as `english`, whose words are preferred",
                "schema": {"type": "string"},
            },
            {
                "name": "alternatives",
                "in": "query",
                "description": "how many other texts to send, likeliest first",
                "schema": {"type": "integer", "minimum": 0, "maximum": MOST_ALTERNATIVES, "default": 0},
            },
        ],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": body}}},
        "responses": {"200": _content("the reading", answer)}
        | {str(status): _content(meaning, _schema("Error")) for status, meaning in ERRORS.items()},
    }


def _feedback() -> dict[str, Any]:
    body = {
        "type": "object",
        "required": ["reading_id", "text"],
        "properties": {"reading_id": {"type": "string"}, "text": {"type": "string", "maxLength": MOST_CORRECTED}},
    }
    kept = {"type": "object", "required": ["reading_id"], "properties": {"reading_id": {"type": "string"}}}
    errors = {**ERRORS, 404: "no such reading, or corrections are switched off"}
    return {
        "summary": "Say what a reading should have been",
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"202": _content("kept", kept)}
        | {str(status): _content(meaning, _schema("Error")) for status, meaning in sorted(errors.items())},
    }


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
