"""Rows of benchmarks/service/service.py: how long a Lambda function that has just begun takes to its first reading."""

import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from rows import AT_MOST, IMAGES, Row, Scale
from serving import PROJECT

BOUNDARY = "boundary"
FIRST_CALL = """
import time
started = time.perf_counter()
import json, sys
from legible.service.serverless import (handler)
imported = time.perf_counter()
answer = handler(json.load(sys.stdin), None)
read = time.perf_counter()
if answer["statusCode"] != 200:
    sys.exit(str(answer))
print(json.dumps([imported - started, read - started]))
"""


def event(image: bytes) -> dict[str, Any]:
    """As API Gateway (HTTP) sends an upload."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="w.png"\r\n\r\n'
    body = head.encode() + image + f"\r\n--{BOUNDARY}--\r\n".encode()
    http = {"method": "POST", "path": "/read", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "cold"}
    return {
        "version": "2.0",
        "rawPath": "/read",
        "rawQueryString": "",
        "headers": {"host": "localhost", "content-type": f"multipart/form-data; boundary={BOUNDARY}"},
        "requestContext": {"http": http},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def cold(scale: Scale) -> Iterator[Row]:
    """Import of the handler, bundle included, and the first reading, each time in a process of its own."""
    times = [first_call() for _ in range(scale.rounds)]
    yield Row("Lambda handler, imported", statistics.median(imported for imported, _ in times), "s")
    yield Row("Lambda, import to first reading", statistics.median(read for _, read in times), "s", AT_MOST, 1)


def first_call() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "LEGIBLE_BUNDLE": str(PROJECT / "models/bundle"),
            "LEGIBLE_OBSERVATIONS_FOLDER": folder,
            "LEGIBLE_REQUEST_LOG": "0",
        }
        done = subprocess.run(
            [sys.executable, "-c", FIRST_CALL], cwd=folder, env={**os.environ, **settings},
            input=json.dumps(event(IMAGES[0])), capture_output=True, text=True, check=True,
        )  # fmt: skip
    imported, read = json.loads(done.stdout)
    return imported, read
