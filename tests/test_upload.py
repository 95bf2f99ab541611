"""What one request may make a worker decode."""

import io

import pytest
from PIL import Image

from legible.errors import DamagedImageError, ImageTooLargeError
from legible.image.decode import Limits
from legible.service.worker import Room, Upload, Worker

LIMITS = Limits(max_bytes=10_000, max_pixels=1000)


def png(width: int, height: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height), 255).save(content, "PNG")
    return content.getvalue()


def test_images_of_a_request_have_the_pixels_of_one_together() -> None:
    room = Room(LIMITS.max_pixels)
    first, second, third = (Upload(png(*size), LIMITS, room) for size in ((40, 20), (15, 20), (10, 20)))
    assert first.decode().shape == (20, 40)
    with pytest.raises(ImageTooLargeError, match=r"300 pixels, and those of one request only 200 left; send fewer"):
        second.decode()
    assert third.decode().shape == (20, 10)


def test_an_error_that_is_answered_holds_no_image() -> None:
    error = Worker.decoded(Upload(png(40, 20)[:-30], LIMITS))
    assert isinstance(error, DamagedImageError)
    assert error.__traceback__ is None
    assert error.__cause__ is None
    assert error.__context__ is None


def test_the_header_says_what_is_quick() -> None:
    assert Upload(png(300, 100), Limits()).is_quick
    assert not Upload(png(1000, 101), Limits()).is_quick
    assert not Upload(png(900, 100), Limits()).is_quick  # nine times as wide as high
    assert Upload(b"no image", Limits()).is_quick  # as quickly refused
