"""Parts of the OpenAPI description that all calls share: options, answers, and errors."""

from collections.abc import Mapping
from typing import Any

from legible.service.answers import CODES

ERRORS = {
    400: "not an image, a damaged one, or a wrong request",
    401: "no key, or a wrong one, where the service has keys",
    408: "the body did not arrive in time",
    413: "too many bytes or pixels",
    415: "a format outside PNG, JPEG, WebP, TIFF and BMP",
    429: "too many requests at a time; Retry-After says when to come again",
    431: "too many bytes of address and headers",
}
NO_MODEL = {
    404: "no such model; the message lists those that are served",
    503: "the folder of the model does not hold the bundle that is in service; Retry-After says when to come again",
}
HEADERS = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}},
    503: {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}},
}

PUBLISHED = {
    "ReadingAnswer": "Reading",
    "TextChance": "Character",
    "ErrorAnswer": "Error",
    "BatchAnswer": "Batch",
    "CorrectionAnswer": "Correction",
    "ServedModelAnswer": "Model",
    "ModelsAnswer": "Models",
    "ReloadAnswer": "Reload",
    "DocumentAnswer": "Document",
    "PageAnswer": "Page",
}
"""The names of the schemas, from which clients in other languages name their types."""


def option(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def errors(
    more: Mapping[int, str] | None = None, *, codes: Mapping[int, tuple[str, ...]] | None = None
) -> dict[str, Any]:
    """Return the errors that a call answers with: those of all, and more. codes: more codes of a status."""
    meanings = sorted({**ERRORS, **(more or {})}.items())
    return {str(status): refusal(status, meaning, (codes or {}).get(status, ())) for status, meaning in meanings}


def refusal(status: int, meaning: str, codes: tuple[str, ...] = ()) -> dict[str, Any]:
    examples = {code: {"value": error_example(code, meaning)} for code in (*CODES.get(status, ()), *codes)}
    answer = {"application/json": {"schema": reference_to("ErrorAnswer"), "examples": examples}}
    headers = {"headers": HEADERS[status]} if status in HEADERS else {}
    return {"description": meaning, "content": answer, **headers}


def error_example(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def reference_to(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{PUBLISHED.get(name, name)}"}


def content(description: str, schema: str, example: dict[str, Any]) -> dict[str, Any]:
    answer = {"schema": reference_to(schema), "example": example}
    return {"description": description, "content": {"application/json": answer}}
