"""Readers of pages from a bundle, and `legible.read_page`: one document with the bundle that is here, opened once."""

import os
from functools import cache
from pathlib import Path

from legible.detection.detector import LineDetector
from legible.image_input import file_bytes
from legible.pages.read import ObserveLine, PageOptions, PageReader
from legible.pages.result import DocumentResult
from legible.pages.trust import UNFITTED, LineTrust
from legible.recognition.bundle import DETECTOR, PAGE_CONFIDENCE, Bundle, find_bundle, load_bundle
from legible.recognition.recognizer import Recognizer
from legible.recognition.shipped import opening_of


def read_page(document: str | Path | bytes) -> DocumentResult:
    """Read a picture, TIFF or PDF of whole pages, from a path or its bytes. For many documents make a `PageReader`.

    Raise BundleError for a bundle without a line detector, and ImageError for what is no document.
    """
    data = document if isinstance(document, bytes) else file_bytes(Path(document))
    with opening_of(os.getpid()):
        reader = _reader()
    return reader.read(data)


def open_reader(
    bundle: Bundle,
    *,
    detector: Path | None = None,
    options: PageOptions | None = None,
    observe: ObserveLine = lambda *_: "",
) -> PageReader:
    """Return a reader of pages with a bundle's models. detector: the model of another line detector, for which the
    bundle's page confidence does not hold.

    Raise BundleError for a bundle without a line detector, and where its folder holds another bundle by now.
    """
    model = detector or bundle.detector
    if bundle.has_detector and model.resolve() == bundle.detector.resolve():
        found, trust = LineDetector(bundle.content(DETECTOR)), _trust_of(bundle)
    else:
        found, trust = LineDetector(model), UNFITTED
    return PageReader(Recognizer.from_bundle(bundle), found, options=options, observe=observe, trust=trust)


def _trust_of(bundle: Bundle) -> LineTrust:
    if PAGE_CONFIDENCE not in bundle.manifest.files:
        return UNFITTED
    return LineTrust.load(bundle.folder / PAGE_CONFIDENCE, read=lambda path: bundle.content(path.name))


@cache
def _reader() -> PageReader:
    return open_reader(load_bundle(find_bundle()))
