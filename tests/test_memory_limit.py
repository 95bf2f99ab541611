"""A service in the memory that its container is granted, under the costliest files that it accepts.

Nothing here measures what is measured elsewhere: a group of the kernel kills what goes beyond the bound.
"""

import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
import yaml
from conftest import PROJECT
from hostile_files import encoded, grey_tiff, many_scans, png, tiff, word
from memory_cgroup import MemoryCgroup, at_once, memory_cgroup
from PIL import Image
from serving import Service, started

MIB = 2**20
DOCS = (PROJECT / "docs/deploy.md").read_text(encoding="utf-8")
DEPLOYMENT = next(yaml.safe_load_all((PROJECT / "deploy/kubernetes/deployment.yaml").read_text(encoding="utf-8")))
GRANTED = DEPLOYMENT["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]


def stated_mib() -> int:
    """The bound of a pod that docs/deploy.md states."""
    found = re.search(r"a pod takes at most (\d+) MiB", " ".join(DOCS.split()))
    assert found is not None
    return int(found[1])


def granted_mib() -> int:
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", GRANTED).groups()  # type: ignore[union-attr]
    return int(number) * (1024 if unit == "Gi" else 1)


def test_the_bound_is_below_what_the_manifest_grants() -> None:
    assert stated_mib() < granted_mib()


def large_tiff() -> bytes:
    """16 bits a pixel, in one strip, near the limits of bytes of memory."""
    width = height = 6320
    data = zlib.compress(bytes(2 * width * height), 9)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 16), (259, 3, 1, 8), (262, 3, 1, 1),
            (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(data))]  # fmt: skip
    return tiff({tag[0]: tag for tag in tags}, data)


def filled_tiff() -> bytes:
    """Nearly ten megabytes that are held while it waits, of which a picture needs few."""
    return grey_tiff([], bytes(9_900_000))


FILES: Mapping[str, Callable[[], bytes]] = {
    "PNG, 40 megapixels, transparent": lambda: png(6320, 6320, mode=(8, 6)),
    "PNG, 40 megapixels, 16 bits, transparent": lambda: png(6320, 6320, mode=(16, 6)),
    "PNG, 40 megapixels, 16 bits": lambda: png(6320, 6320, mode=(16, 0)),
    "PNG, one row of 40 megapixels": lambda: png(40_000_000, 1),
    "JPEG, 40 megapixels in colour": lambda: encoded(Image.new("RGB", (6320, 6320)), "JPEG", subsampling=0),
    "JPEG, 40 megapixels, progressive": lambda: many_scans((6320, 6320), 2),
    "WebP, 14 megapixels": lambda: encoded(Image.new("RGBA", (3700, 3700)), "WEBP", lossless=True, quality=0),
    "WebP, 14 megapixels, animated": lambda: encoded(
        Image.new("RGBA", (3700, 3700)),
        "WEBP",
        save_all=True,
        append_images=[Image.new("RGBA", (3700, 3700), "red")],
        lossless=True,
        quality=0,
    ),
    "TIFF, 40 megapixels, 16 bits": large_tiff,
    "TIFF, 10 MB": filled_tiff,
    "BMP, 40 megapixels, black and white": lambda: encoded(Image.new("1", (6320, 6320)), "BMP"),
    "JPEG, 10 MB of Exif": lambda: exif_jpeg(9_900_000),
}


def exif_jpeg(size: int) -> bytes:
    base = encoded(word(), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 60_000) + b"Exif\0\0" + bytes(60_000 - 8)
    return base[:2] + segment * (size // len(segment)) + base[2:]


@pytest.fixture(scope="module")
def group() -> Iterator[MemoryCgroup]:
    with memory_cgroup(stated_mib() * MIB) as found:
        yield found


@pytest.fixture(scope="module")
def service(group: MemoryCgroup, tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("limited")
    settings = {"LEGIBLE_BUNDLE": str(bundle_folder), "LEGIBLE_KEEP_IMAGES": "0.05", "LEGIBLE_REQUEST_SECONDS": "300"}
    with started(folder, before=group.command, **settings) as found:
        yield found


@pytest.mark.slow
def test_the_costliest_files_of_many_callers_fit_into_the_bound(service: Service, group: MemoryCgroup) -> None:
    """One caller for each file, and each again in a batch of four, all at a time."""
    files, codes, workers = [make() for make in FILES.values()], list[int](), [one.pid for one in service.workers]

    def send(path: str, field: str, images: list[bytes]) -> None:
        sent = [(field, ("a", image)) for image in images]
        codes.append(httpx.post(f"{service.address}{path}", files=sent, timeout=300).status_code)

    callers = [threading.Thread(target=send, args=("/read?statistics=1", "image", [file])) for file in files]
    together = [files[number : number + 4] for number in range(0, len(files), 4)]
    callers += [threading.Thread(target=send, args=("/read_batch", "images", images)) for images in together]
    at_once(callers)
    assert group.killed == 0
    assert [worker.pid for worker in service.workers] == workers
    assert len(codes) == len(files) + len(together)  # none broke off
    assert set(codes) <= {200, 413, 429}
    assert codes.count(200) > len(files) // 2
