"""HEIF: read where `pillow-heif` is installed, within the limits of every image, and named clearly where it is not."""

import io
from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from legible.errors import DamagedImageError, ImageError, ImageTooLargeError, UnsupportedFormatError
from legible.image import heif
from legible.image.decode import Limits, decode, decoding_work, open_image
from legible.pages.open import Document

HEADER = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def heic(image: np.ndarray, **options: object) -> bytes:
    module = pytest.importorskip("pillow_heif", reason="pillow-heif is not installed (the extra heif)")
    module.register_heif_opener()
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "HEIF", quality=95, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Dark in its upper left."""
    image = np.full((48, 96), 240, np.uint8)
    image[:16, :32] = 20
    return image


def test_a_heif_picture_is_read(picture: np.ndarray) -> None:
    found = decode(heic(picture))
    assert found.shape == picture.shape
    assert np.abs(found.astype(int) - picture).mean() < 4


def test_a_colour_picture_is_read_as_grey(picture: np.ndarray) -> None:
    assert np.abs(decode(heic(np.stack([picture] * 3, axis=-1))).astype(int) - picture).mean() < 5


def test_a_picture_that_a_telephone_stored_on_its_side_is_upright(picture: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.ascontiguousarray(np.rot90(picture))
    found = decode(heic(np.stack([stored] * 3, axis=-1), exif=exif.tobytes()))
    assert found.shape == picture.shape
    assert found[:12, :24].mean() < 60 < found[24:, 48:].mean()


def test_its_header_decides_about_its_limits(picture: np.ndarray) -> None:
    data = heic(picture)
    with pytest.raises(ImageTooLargeError, match="96 x 48"):
        open_image(data, limits=Limits(max_pixels=1000))
    with pytest.raises(ImageTooLargeError, match="takes 0 MB"):
        open_image(data, limits=Limits(max_memory_bytes=10_000))
    assert decoding_work(open_image(data)) > 1_000_000  # a thread reads it, not the event loop


def test_a_damaged_one_is_named(picture: np.ndarray) -> None:
    data = heic(picture)
    for damaged in (data[: len(data) // 2], HEADER, HEADER + bytes(1000)):
        with pytest.raises(DamagedImageError, match="HEIF"):
            decode(damaged)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_changed_in_it_only_our_errors_come(picture: np.ndarray, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = np.frombuffer(heic(picture), np.uint8).copy()
    places = random.integers(len(data), size=6)
    data[places] = random.integers(256, size=6)
    with suppress(ImageError):
        assert decode(data.tobytes()).ndim == 2


def test_a_page_in_heif_is_opened(picture: np.ndarray) -> None:
    (page,) = Document(heic(picture)).pages()
    assert page.image.shape == picture.shape


def test_without_its_library_it_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "is_readable", lambda: False)
    with pytest.raises(UnsupportedFormatError, match=r"legible-ocr\[heif\]"):
        decode(HEADER)


def test_avif_is_not_taken_for_it() -> None:
    with pytest.raises(UnsupportedFormatError, match="AVIF"):
        decode(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif")
