"""What one request may make a worker decode."""

import io
import re

from PIL import Image

from legible.errors import DamagedImageError, ImageTooLargeError
from legible.image.decode import Limits
from legible.service.read_job import ReadJob, jobs_of

LIMITS = Limits(max_bytes=10_000, max_pixels=1000)


def png(width: int, height: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (width, height), 255).save(content, "PNG")
    return content.getvalue()


def test_images_of_a_request_have_the_pixels_of_one_together() -> None:
    first, second, third = jobs_of([png(40, 20), png(15, 20), png(10, 20)], LIMITS)
    for job in (first, second, third):
        job.decode()
    assert first.image is not None
    assert first.image.shape == (20, 40)
    assert isinstance(second.error, ImageTooLargeError)
    assert re.search(r"300 pixels, and those of one request only 200 left; send fewer", str(second.error))
    assert third.image is not None


def test_an_error_that_is_answered_holds_no_image() -> None:
    job = ReadJob(png(40, 20)[:-30], LIMITS)
    assert job.decode() is None
    assert isinstance(job.error, DamagedImageError)
    assert job.error.__traceback__ is None
    assert job.error.__cause__ is None
    assert job.error.__context__ is None


def test_what_was_decoded_once_is_not_decoded_again() -> None:
    job = ReadJob(png(40, 20), LIMITS)
    assert job.decode() is job.decode()


def test_the_header_says_what_is_quick() -> None:
    assert ReadJob(png(300, 100), Limits()).is_quick
    assert not ReadJob(png(1000, 101), Limits()).is_quick
    assert not ReadJob(png(900, 100), Limits()).is_quick  # nine times as wide as high
    assert ReadJob(b"no image", Limits()).is_quick  # as quickly refused
