"""The messages between a worker and its page process: frames of bytes with their length before them, JSON in some.

No pickle: the page process opens what strangers sent, and a worker must not run what it answers.
"""

import asyncio
import json
import struct
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

LENGTH = struct.Struct(">I")
MAX_ANSWER_BYTES = 50_000_000
"""The most bytes of a document's answer, which a worker holds until its caller has read it: a file of a few kilobytes
may hold thousands of pictures or words.
"""
READY = b"ready"
"""The first frame of a page process that can read. Another first frame says why it cannot."""
MAX_FRAME_BYTES = 2 * MAX_ANSWER_BYTES
"""The most bytes of a frame that a worker takes."""


@dataclass(frozen=True)
class PageSetup:
    """What a page process is started with: a bundle's folder, a detector's model, and the limits of its life."""

    bundle: str
    bundle_id: str
    """The bundle that is in service; its folder may hold another one by now."""
    detector: str
    worker: str
    """The name of the worker, which reading ids hold."""
    max_bytes: int
    max_pages: int
    max_pixels: int
    page_seconds: float
    max_memory_bytes: int
    keep_images: float = 0.0
    """The fraction of the images of lines that is kept for labelling."""


@dataclass(frozen=True)
class PageJob:
    """One document to be read: the format of its answer, and the seconds that are left for it when it is sent.

    Two frames follow it: the document, and the JSON of an earlier answer that is only to be written, else nothing.
    """

    form: str
    accept: float
    seconds: float = 0.0
    with_pictures: bool = False
    corners: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class PageReply:
    """The answer for a document, in the words of HTTP. An error has a code; its body is the message."""

    status: int
    body: bytes
    code: str = ""
    media_type: str = ""
    file_name: str = ""
    pages: str = ""
    """A line of JSON for each page, a `PageObservation`."""
    lines: str = ""
    """A line of JSON for each line, an `Observation` whose document is the number of its page."""
    images: str = ""
    """A line of JSON for each image of a line that is kept, a `KeptLine`."""
    images_lost: int = 0
    """The number of images that were to be kept, and could not."""


def framed(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content


def sent(message: PageSetup | PageJob | PageReply) -> bytes:
    """Return a message as frames: its fields, and its body where it has one."""
    fields = asdict(message)
    body = fields.pop("body", None)
    frames = framed(json.dumps(fields).encode())
    return frames if body is None else frames + framed(body)


def setup_of(fields: bytes) -> PageSetup:
    return PageSetup(**json.loads(fields))


def job_of(fields: bytes) -> PageJob:
    content: dict[str, Any] = json.loads(fields)
    return PageJob(**{**content, "corners": tuple((float(x), float(y)) for x, y in content["corners"])})


def reply_of(fields: bytes, body: bytes) -> PageReply:
    return PageReply(**json.loads(fields), body=body)


def read_frame(file: BinaryIO) -> bytes:
    """Return the next frame. Raise EOFError where there is none."""
    return _exactly(file, LENGTH.unpack(_exactly(file, LENGTH.size))[0])


async def receive_frame(stream: asyncio.StreamReader) -> bytes:
    """Return the next frame. Raise EOFError where there is none, or one that is too large."""
    (length,) = LENGTH.unpack(await stream.readexactly(LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise EOFError(f"a frame of {length} bytes")
    return await stream.readexactly(length)


def _exactly(file: BinaryIO, count: int) -> bytes:
    content = file.read(count)
    if len(content) < count:
        raise EOFError
    return content
