"""`legible.read_page`: one document with the bundle that is here, opened once."""

import threading
from functools import cache
from pathlib import Path

from legible.detection.detector import LineDetector
from legible.pages.read import PageReader
from legible.pages.result import DocumentResult
from legible.recognition.bundle import find_bundle, load_bundle
from legible.recognition.recognizer import Recognizer

_opening = threading.Lock()


def read_page(document: str | Path | bytes) -> DocumentResult:
    """Read a picture, TIFF or PDF of whole pages, from a path or its bytes. For many documents make a `PageReader`.

    Raise BundleError for a bundle without a line detector, and ImageError for what is no document.
    """
    data = document if isinstance(document, bytes) else Path(document).read_bytes()
    with _opening:
        reader = _reader()
    return reader.read(data)


@cache
def _reader() -> PageReader:
    bundle = load_bundle(find_bundle())
    return PageReader(Recognizer.from_bundle(bundle), LineDetector(bundle.detector))
