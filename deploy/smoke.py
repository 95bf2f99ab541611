"""Asks a running service what a deploy needs to know: is it ready, does it read, do its metrics count, does it drain.

    python deploy/smoke.py http://127.0.0.1:3000 [--key KEY] [--end "docker stop --time 40 legible"]

Draws ten words, has them read, and exits 1 with the reasons where fewer than nine are right, or something is missing.
With --end that command is run, and until the service is gone `/readyz` has to say 503 while words are still read.
"""

import argparse
import contextlib
import io
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
from PIL import Image, ImageDraw, ImageFont

from legible.client import Client

WORDS = ("Hamburg", "reading", "letters", "station", "quickly", "margins", "another", "printed", "January", "2026")
LEAST_RIGHT = 9
READY_SECONDS = 60
LEAST_DRAIN_SECONDS = 1.0


def drawn(word: str) -> bytes:
    font = ImageFont.load_default(size=36)
    image = Image.new("L", (round(font.getlength(word)) + 40, 72), 255)
    ImageDraw.Draw(image).text((20, 12), word, font=font, fill=0)
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def wait_until_ready(address: str) -> bool:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{address}/readyz", timeout=5).status_code == httpx.codes.OK:
                return True
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    return False


def faults(address: str, key: str) -> Iterator[str]:
    if not wait_until_ready(address):
        yield f"{address}/readyz did not answer 200 within {READY_SECONDS} s"
        return
    with Client(address, key=key) as client:
        texts = [client.read(drawn(word)).text for word in WORDS]
    right = sum(text == word for text, word in zip(texts, WORDS, strict=True))
    print(f"{right} of {len(WORDS)} words right: {' '.join(texts)}")
    if right < LEAST_RIGHT:
        yield f"{right} of {len(WORDS)} words are right, fewer than {LEAST_RIGHT}"
    metrics = httpx.get(f"{address}/metrics", timeout=10)
    if metrics.status_code == httpx.codes.OK and "legible_readings_total" not in metrics.text:
        yield "/metrics does not count readings"
    if metrics.status_code not in (httpx.codes.OK, httpx.codes.UNAUTHORIZED):
        yield f"/metrics answers {metrics.status_code}"


def drain_faults(address: str, key: str, command: str) -> Iterator[str]:
    """What is wrong with the end of the service that the command brings."""
    with subprocess.Popen(shlex.split(command), stdout=subprocess.DEVNULL) as ending:
        seconds = seconds_of_draining(address, key)
    print(f"words were read for {seconds:.1f} s after readiness ended")
    if ending.returncode != 0:
        yield f"{command!r} ended with {ending.returncode}"
    if seconds < LEAST_DRAIN_SECONDS:
        yield f"words were read for {seconds:.1f} s after readiness ended, less than {LEAST_DRAIN_SECONDS}"


def seconds_of_draining(address: str, key: str) -> float:
    """From the end of readiness to the last word that is read."""
    content, seconds = drawn(WORDS[0]), 0.0
    with Client(address, key=key, tries=1) as client, contextlib.suppress(httpx.TransportError):
        while httpx.get(f"{address}/readyz", timeout=5).status_code == httpx.codes.OK:
            time.sleep(0.05)
        start = time.monotonic()
        while True:
            client.read(content)
            seconds = time.monotonic() - start
            time.sleep(0.05)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--key", default="")
    parser.add_argument("--end", default="")
    asked = parser.parse_args()
    address = asked.address.rstrip("/")
    found = list(faults(address, asked.key))
    if asked.end and not found:
        found = list(drain_faults(address, asked.key, asked.end))
    for fault in found:
        print(f"smoke: {fault}", file=sys.stderr)
    raise SystemExit(1 if found else 0)


main()
