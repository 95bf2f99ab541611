"""A worker and its page process in the memory that the manifest grants, under costly images and documents at a time.

Nothing here measures what is measured elsewhere: a group of the kernel kills what goes beyond the bound.
"""

import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import numpy as np
import pytest
from memory_cgroup import MemoryCgroup, at_once, memory_cgroup
from page_documents import drawn_page, encoded_page, pages_as_pdf, pages_as_tiff, pdf_of
from serving import Service, started
from test_memory_limit import DEPLOYMENT, FILES, MIB, granted_mib

pytestmark = pytest.mark.slow
CONTAINER = DEPLOYMENT["spec"]["template"]["spec"]["containers"][0]
SETTING = "LEGIBLE_MAX_PAGE_MEMORY_BYTES"
GRANTED_PAGES = next(variable["value"] for variable in CONTAINER["env"] if variable["name"] == SETTING)


def large_page(face: Path) -> np.ndarray:
    texts = [f"line {number} of a page of 39 megapixels" for number in range(20)]
    return drawn_page(face, *texts, size=(6240, 6240), letters=90)


def greedy_pdf() -> bytes:
    """A PDF of half a megabyte whose picture takes more than half a gigabyte."""
    side = 24_000
    data = zlib.compress(bytes(side * side), 9)
    drawn = b"q 200 0 0 200 0 0 cm /I Do Q"
    return pdf_of(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</XObject<</I 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
        b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8"
        b"/Filter/FlateDecode/Length %d>>stream\n%s\nendstream" % (side, side, len(data), data),
    )


DOCUMENTS: Mapping[str, Callable[[Path], bytes]] = {
    "PNG of 39 megapixels": lambda face: encoded_page(large_page(face)),
    "TIFF of three such pages": lambda face: pages_as_tiff(*[large_page(face)] * 3),
    "PDF of such a page": lambda face: pages_as_pdf(large_page(face)),
    "PDF of half a gigabyte": lambda _: greedy_pdf(),
}


@pytest.fixture(scope="module")
def group() -> Iterator[MemoryCgroup]:
    with memory_cgroup(granted_mib() * MIB) as found:
        yield found


@pytest.fixture(scope="module")
def service(group: MemoryCgroup, tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[Service]:
    """The times are long: what is held against its limit is memory."""
    settings = {"LEGIBLE_BUNDLE": str(bundle_folder), SETTING: GRANTED_PAGES, "LEGIBLE_PAGE_SECONDS": "120"}
    times = {"LEGIBLE_REQUEST_SECONDS": "300", "LEGIBLE_DOCUMENT_SECONDS": "290"}
    with started(tmp_path_factory.mktemp("limited"), before=group.command, **settings, **times) as found:
        yield found


def test_costly_documents_beside_costly_images_fit_into_a_pod(
    service: Service, group: MemoryCgroup, print_face: Path
) -> None:
    codes, workers = list[tuple[str, int]](), [one.pid for one in service.workers]

    def send(name: str, path: str, content: bytes) -> None:
        answer = httpx.post(f"{service.address}{path}", files={"image": ("a", content)}, timeout=300)
        codes.append((name, answer.status_code))

    asked = [(name, "/read_page", make(print_face)) for name, make in DOCUMENTS.items()]
    asked += [(name, "/read", make()) for name, make in FILES.items()]
    callers = [threading.Thread(target=send, args=one) for one in asked]
    at_once(callers)
    assert group.killed == 0
    assert [worker.pid for worker in service.workers] == workers
    assert len(codes) == len(asked)  # none broke off
    assert {code for _, code in codes} <= {200, 413, 422, 429}, codes
    assert any(code == 200 for name, code in codes if name in DOCUMENTS), codes
