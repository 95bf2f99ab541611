"""The Lambda handler on events as API Gateway sends them: REST (1.0) and HTTP (2.0), bodies in base64."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_service import word

from legible.config import ServiceSettings
from legible.service.serverless import Handler, make_handler

BOUNDARY = "----boundary"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handler]:
    folder = tmp_path_factory.mktemp("lambda")
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield make_handler(ServiceSettings(observations_folder=str(folder / "observations"), request_log=False))
    asyncio.set_event_loop(None)
    loop.close()


def form(image: bytes, *, field: str = "image") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="w.png"\r\n\r\n'
    return head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()


def rest_event(method: str, path: str, body: bytes = b"", **query: str) -> dict[str, Any]:
    headers = {"Host": "api.example.org", "Content-Type": CONTENT_TYPE, "Accept": "*/*"}
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "httpMethod": method,
            "identity": {"sourceIp": "192.0.2.1", "userAgent": "test"},
            "path": f"/prod{path}",
            "protocol": "HTTP/1.1",
            "requestId": "c6af9ac6",
            "stage": "prod",
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def http_event(method: str, path: str, body: bytes = b"", **query: str) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in query.items()),
        "headers": {"host": "api.example.org", "content-type": CONTENT_TYPE, "content-length": str(len(body))},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abc",
            "domainName": "api.example.org",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "t"},
            "requestId": "id",
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 1763700000000,
        },
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@pytest.mark.parametrize("event", [rest_event, http_event])
def test_an_event_of_either_kind_is_read(handle: Handler, print_face: Path, event: Any) -> None:
    answer = handle(event("POST", "/read", form(word("Hamburg", print_face)), alternatives="2"), None)
    assert answer["statusCode"] == 200
    reading = json.loads(answer["body"])
    assert reading["text"] == "Hamburg"
    assert len(reading["alternatives"]) == 2
    assert not answer["isBase64Encoded"]


@pytest.mark.parametrize("event", [rest_event, http_event])
def test_a_mistake_is_answered_in_the_one_shape(handle: Handler, event: Any) -> None:
    answer = handle(event("POST", "/read", form(b"no image")), None)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"])["error"]["code"]


def test_a_batch_and_the_metrics_are_there_too(handle: Handler, print_face: Path) -> None:
    answer = handle(http_event("POST", "/read_batch", form(word("reading", print_face), field="images")), None)
    assert [one["text"] for one in json.loads(answer["body"])["readings"]] == ["reading"]
    exposed = handle(http_event("GET", "/metrics"), None)
    assert "legible_" in exposed["body"]


@pytest.mark.parametrize("event", [rest_event, http_event])
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_answered_as_elsewhere(handle: Handler, event: Any, path: str) -> None:
    assert handle(event("GET", path), None)["statusCode"] == 200


def test_a_route_that_is_none_is_told_in_the_one_shape(handle: Handler) -> None:
    answer = handle(http_event("GET", "/nowhere"), None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (404, "not_found")


def test_one_call_after_the_other_gives_the_same(handle: Handler, print_face: Path) -> None:
    event = rest_event("POST", "/read", form(word("station", print_face)))
    texts = [json.loads(handle(event, None)["body"])["text"] for _ in range(3)]
    assert texts == ["station"] * 3


@pytest.mark.slow
def test_it_starts_without_bentoml(tmp_path: Path, bundle_folder: Path) -> None:
    code = "import sys; from legible.service.serverless import handler; print('bentoml' in sys.modules)"
    environment = {**os.environ, "LEGIBLE_BUNDLE": str(bundle_folder)}
    outcome = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert outcome.stdout == "False\n"
