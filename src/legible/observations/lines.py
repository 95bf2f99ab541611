"""Rows as lines of JSON, and as log records of OpenTelemetry: OTLP in JSON, one export request a line.

That is what `POST /v1/logs` of a collector takes, and what its file exporter writes.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import IO, Any

from legible.observations.row import Observation

LONGEST_REQUEST = 64_000_000
"""A longer line of OpenTelemetry's, in bytes, is not held in memory."""
EVENT = "legible.observation"
"""The name of the event of our records; a collector may mix them with others."""
NANOSECONDS = 10**9


def lines(file: IO[bytes], *, max_bytes: int) -> Iterator[str]:
    """Yield the lines of a file that are not empty; a longer one in pieces, none of which is a row."""
    for line in iter(partial(file.readline, max_bytes), b""):
        if not line.isspace():
            yield line.decode("utf-8", errors="replace")


def to_request(observations: Sequence[Observation]) -> bytes:
    """Return an export request whose records hold a row as their body, and beside it what one filters by."""
    scope = {"scope": {"name": "legible"}, "logRecords": list(map(_record, observations))}
    resource = {"attributes": [_attribute("service.name", "legible")]}
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}, ensure_ascii=False).encode()


def bodies(file: IO[bytes]) -> Iterator[str]:
    """Yield the rows, still as JSON, of a file of export requests; a line that is none is handed on as it is."""
    for line in lines(file, max_bytes=LONGEST_REQUEST):
        try:
            found = [record for record in _records(json.loads(line)) if _is_ours(record)]
            texts = [record["body"]["stringValue"] for record in found]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield line[:1]  # no row: it is counted as torn
        else:
            yield from texts


def _record(row: Observation) -> dict[str, Any]:
    return {
        "timeUnixNano": str(round(row.at * NANOSECONDS)),
        "severityNumber": 9,
        "severityText": "INFO",
        "eventName": EVENT,
        "body": {"stringValue": row.to_json()},
        "attributes": [
            _attribute("event.name", EVENT),
            _attribute("legible.channel", row.channel),
            _attribute("legible.bundle", row.bundle),
        ],
    }


def _attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}


def _records(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in request["resourceLogs"]:
        for scope in resource["scopeLogs"]:
            yield from scope["logRecords"]


def _is_ours(record: dict[str, Any]) -> bool:
    """Tell whether a record is an observation; older collectors drop the event's name, and keep the attribute."""
    names = [record.get("eventName"), *(one["value"].get("stringValue") for one in record.get("attributes", ()))]
    return EVENT in names
