"""One image on its way through a worker: its bytes, its pixels, its reading; and which work is quick."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from legible.arrays import GreyImage
from legible.errors import ImageError, ImageTooLargeError
from legible.image.decode import Limits, decode_opened, decoding_work, open_image, upright_size
from legible.reading import Reading  # noqa: TC001  # beside the other types
from legible.recognition.decoding import Decoding

QUICK_PIXELS = 100_000
"""The most pixels of a batch in the event loop."""
QUICK_SEARCHED_PIXELS = 25_000
"""The same with a lexicon or alternatives, whose search takes longer than reading."""
QUICK_BYTES, QUICK_SHAPE = 100_000, 8
"""An image of at most this many bytes, at most this many times as wide as high, is read in milliseconds."""
LIGHT_PIXELS, LIGHT_BYTES, LIGHT_SEARCHED_SHAPE = 1_000_000, 1_000_000, 20
"""An image of at most so many pixels and bytes is read in tenths of a second; with a lexicon or alternatives it is at
most so many times as wide as high.
"""
MAX_HEIGHT, MAX_SLENDERNESS = 1000, 20
"""A higher image that is more than this many times as high as wide holds no line; its preprocessing would fill the
memory.
"""


PLAIN = Decoding()


@dataclass
class PixelAllowance:
    """The pixels that the images of one request may still hold."""

    left: int

    def take(self, pixels: int) -> None:
        """Raise ImageTooLargeError where there is no room for them."""
        if pixels > self.left:
            raise ImageTooLargeError(
                f"the image has {pixels} pixels, and those of one request only {self.left} left; send fewer at a time"
            )
        self.left -= pixels


@dataclass(frozen=True)
class Origin:
    """The origin of an image: its channel, and digests of its document and sender, empty where none was told."""

    channel: str = ""
    document: str = ""
    sender: str = ""


NOWHERE = Origin()


class ReadJob:
    """An image of a request, how it is to be read, and in the end its reading or the error in its place.

    The worker decodes and reads it, telemetry observes it after the answer was sent; then it holds no image any more.
    """

    def __init__(
        self,
        data: bytes,
        limits: Limits,
        *,
        decoding: Decoding | None = None,
        origin: Origin = NOWHERE,
        allowance: PixelAllowance | None = None,
    ) -> None:
        self.decoding = decoding or PLAIN
        self.origin = origin
        self.image: GreyImage | None = None
        self.reading: Reading | None = None
        self.reading_id = ""
        self.at = 0.0
        """When it was read, in Unix seconds."""
        self.bundle = self.voters = ""
        """The ids and the names of the bundles that voted on it; empty where one bundle read it."""
        self.seconds = 0.0
        """How long reading it took, an equal part of the time of those that were read with it."""
        self.is_page = False
        """Whether it is plainly a page, and hardly readable as a line."""
        self.error: ImageError | None = None
        self._is_plain = self.decoding == PLAIN
        self._data = data
        self._size_bytes = len(data)
        self._limits = limits
        self._allowance = allowance or PixelAllowance(limits.max_pixels)

    @cached_property
    def pixels(self) -> int:
        """The pixels that the header states."""
        width, height = self._size
        return width * height

    @cached_property
    def is_quick(self) -> bool:
        """Whether the header promises so little work that the event loop does it: a thread would cost more."""
        if self._size_bytes > QUICK_BYTES:
            return False
        width, height = self._size
        most = QUICK_PIXELS if self._is_plain else QUICK_SEARCHED_PIXELS
        return self._decoding_work <= most and width <= QUICK_SHAPE * height

    @cached_property
    def is_light(self) -> bool:
        """Whether the header promises that reading takes tenths of a second; all that is quick is light too."""
        if self._size_bytes > LIGHT_BYTES or self._decoding_work > LIGHT_PIXELS:
            return False
        width, height = self._size
        return self._is_plain or width <= LIGHT_SEARCHED_SHAPE * height

    @property
    def cost(self) -> int:
        """The cost that counts towards QUICK_PIXELS: all of it with a lexicon or alternatives, which take longer."""
        return self.pixels if self._is_plain else QUICK_PIXELS

    def decode(self) -> GreyImage | None:
        """Return the picture, or None and keep the error why there is none; the bytes are let go."""
        if self.image is not None or self.error is not None:
            return self.image
        try:
            self.image = self._decoded()
        except ImageError as error:
            # in the tracebacks the image would live on, in a cycle
            error.__cause__ = error.__context__ = None
            self.error = error.with_traceback(None)
        self._data = b""
        return self.image

    def take_image(self) -> GreyImage | None:
        """Return the picture and let it go."""
        image, self.image = self.image, None
        return image

    def _decoded(self) -> GreyImage:
        opened = self._opened
        del self._opened  # else its pixels would be held as long as the job
        width, height = upright_size(opened)
        check_shape(width, height)
        self._allowance.take(width * height)
        return decode_opened(opened)

    @cached_property
    def _size(self) -> tuple[int, int]:
        """The size in pixels, (0, 0) for what is no image; decoding says why."""
        try:
            return upright_size(self._opened)
        except ImageError:
            return 0, 0

    @cached_property
    def _decoding_work(self) -> int:
        try:
            return decoding_work(self._opened)
        except ImageError:
            return 0

    @cached_property
    def _opened(self) -> Image.Image:
        """The image of which only the header was read. It holds what it needs of the bytes; they are let go."""
        opened = open_image(self._data, limits=self._limits)
        self._data = b""
        return opened


def jobs_of(
    images: Iterable[bytes], limits: Limits, *, decoding: Decoding = PLAIN, origin: Origin = NOWHERE
) -> list[ReadJob]:
    """Return the jobs of one request, which have the pixels of one image together."""
    allowance = PixelAllowance(limits.max_pixels)
    return [ReadJob(data, limits, decoding=decoding, origin=origin, allowance=allowance) for data in images]


def sum_of_pixels(jobs: Iterable[ReadJob]) -> int:
    """Return the pixels that all headers state; reading the header of a large file takes its time."""
    return sum(job.pixels for job in jobs)


def check_shape(width: int, height: int) -> None:
    """Raise ImageTooLargeError for an image that is too slender to hold a line."""
    if height > max(MAX_HEIGHT, MAX_SLENDERNESS * width):
        raise ImageTooLargeError(
            f"the image is {width} pixels wide and {height} high; lines are at most {MAX_SLENDERNESS} times as high as "
            "wide"
        )
