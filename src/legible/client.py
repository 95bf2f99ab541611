"""A client of the service over HTTP: it retries where the service says so, and sends many images in batches.

It stands alone: besides the standard library it needs httpx (`pip install legible-ocr[client]`), and tqdm for progress.

    with Client("http://localhost:3000") as client:
        print(client.read("word.png").text)
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any, Literal, Self, overload

from legible.batched import batched
from legible.extras import missing_extra
from legible.image_input import ImageInput, image_file
from legible.remote_pages import RemoteDocument, number_of, remote_document, text_of

try:
    import httpx
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(missing_extra(error), name=error.name) from error

RETRIED = frozenset({429, 502, 503, 504})
"""The status codes after which the same request may succeed."""
LONGEST_PAUSE_SECONDS = 30.0
KEPT_HEADERS = frozenset({b"retry-after"})
MAX_ANSWER_BYTES = 50_000_000
"""The most bytes of an answer: readings of a batch hold kilobytes each."""
ORIGIN = ("channel", "document", "sender")
"""Options that say where images come from; they are sent as fields of the form."""
ImageFile = tuple[str, bytes]
"""A name and the bytes of an image file."""


class ServiceError(Exception):
    """The service refused an image or a request; `code` is one of those in docs/service.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Guess:
    """A character of a reading, or another text, and the probability that it is right."""

    text: str
    confidence: float


@dataclass(frozen=True)
class RemoteReading:
    """The answer of the service for one image."""

    text: str
    confidence: float
    accepted: bool
    characters: tuple[Guess, ...]
    alternatives: tuple[Guess, ...]
    reading_id: str
    bundle: str
    hint: str = ""
    """`page` where the image is plainly a page of many lines."""


class Client:
    """An HTTP client of one service. Use it as a context, or close it."""

    def __init__(
        self,
        address: str,
        *,
        key: str = "",
        tries: int = 6,
        timeout_seconds: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"Accept-Encoding": "identity"}  # a compressed answer has no bound until it is unpacked
        if key:
            headers["Authorization"] = f"Bearer {key}"
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout_seconds, transport=transport)
        self._timeout_seconds = timeout_seconds
        self._tries = tries

    def read(self, image: ImageInput, **options: Any) -> RemoteReading:
        """Read one image: a path, bytes, an open file, a PIL image or an array.

        The options are accept, lexicon, alternatives, plain (1), model, channel, document and sender. Raise
        ServiceError where it is refused.
        """
        found = _one(_json(self._read("/read", [("image", image_file(image))], options)))
        if isinstance(found, ServiceError):
            raise found
        return found

    def read_many(
        self, images: Iterable[ImageInput], *, batch: int = 16, progress: bool = False, **options: Any
    ) -> Iterator[RemoteReading | ServiceError]:
        """Yield a reading or an error for each image, in order, sending `batch` images in each request.

        Images that are too large together are sent in halves, in the end one by one.
        """
        with _bar(progress) as bar:
            for some in batched(images, batch):
                for one in self._read_some([image_file(image) for image in some], options):
                    bar.update(1)
                    yield one

    def _read_some(self, images: list[ImageFile], options: dict[str, Any]) -> list[RemoteReading | ServiceError]:
        try:
            content = _json(self._read("/read_batch", [("images", image) for image in images], options))
        except ServiceError as error:
            if error.code != "too_large":
                raise
            if len(images) == 1:
                return [error]
            half = len(images) // 2
            return self._read_some(images[:half], options) + self._read_some(images[half:], options)
        rows = content.get("readings") if isinstance(content, dict) else None
        if not isinstance(rows, list) or len(rows) != len(images):
            found = len(rows) if isinstance(rows, list) else "no"
            raise _bad_answer(f"{found} readings of {len(images)} images")
        return [_one(row) for row in rows]

    @overload
    def read_page(self, file: ImageInput, *, form: Literal["json"] = ..., **options: Any) -> RemoteDocument: ...

    @overload
    def read_page(
        self, file: ImageInput, *, form: Literal["text", "hocr", "alto", "page", "pdf"], **options: Any
    ) -> bytes: ...

    def read_page(self, file: ImageInput, *, form: str = "json", **options: Any) -> RemoteDocument | bytes:
        """Read a document of whole pages: a picture, TIFF or PDF; return its pages, or the file of another format.

        The options are accept, corners (four points), document and sender. Raise ServiceError where it is refused.
        """
        if options.get("corners"):
            options["corners"] = ",".join(f"{number:g}" for corner in options["corners"] for number in corner)
        answer = self._read("/read_page", [("image", image_file(file))], {**options, "format": form})
        return _document(_json(answer)) if form == "json" else answer.content

    def correct(self, reading_id: str, text: str) -> None:
        """Say what a reading should have been."""
        self._send("/feedback", json={"reading_id": reading_id, "text": text})

    def reload(self, model: str = "default") -> str:
        """Replace a model by the bundle that its folder holds now, and return the id of that bundle."""
        content = _json(self._send(f"/models/{model}/reload"))
        try:
            return str(content["bundle"])
        except (KeyError, TypeError) as error:
            raise _bad_answer(f"{type(error).__name__} {error}") from error

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, path: str, files: list[tuple[str, ImageFile]], options: dict[str, Any]) -> httpx.Response:
        data = {name: options[name] for name in ORIGIN if options.get(name)}
        params = {name: value for name, value in options.items() if name not in ORIGIN}
        return self._send(path, files=files, data=data, params=params)

    def _send(self, path: str, **request: Any) -> httpx.Response:
        """Return the answer; retry where the service is full, draining, or gone for a moment."""
        for number in range(1, self._tries + 1):
            last = number == self._tries
            try:
                answer = self._answer(path, request)
            except httpx.TransportError:
                if last:
                    raise
                time.sleep(_pause(None, number))
                continue
            if answer.status_code not in RETRIED or last:
                break
            time.sleep(_pause(answer.headers.get("retry-after"), number))
        if not answer.is_success:
            raise _refusal(answer)
        return answer

    def _answer(self, path: str, request: dict[str, Any]) -> httpx.Response:
        """Return the answer, read within limits of bytes and time: what a server sends may never end."""
        until = time.monotonic() + self._timeout_seconds
        with self._http.stream("POST", path, **request) as answer:
            content = bytearray()
            is_compressed = answer.headers.get("content-encoding", "").strip().lower() not in ("", "identity")
            if is_compressed and answer.is_success:
                raise _bad_answer("it is compressed, and was asked for as it is")
            for part in () if is_compressed else answer.iter_bytes():
                content += part
                if len(content) > MAX_ANSWER_BYTES:
                    raise _bad_answer(f"it has more than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > until:
                    raise httpx.ReadTimeout(f"the answer took more than {self._timeout_seconds:g} s")
        headers = [(name, value) for name, value in answer.headers.raw if name.lower() in KEPT_HEADERS]
        return httpx.Response(answer.status_code, headers=headers, content=bytes(content))


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except (ValueError, RecursionError) as error:  # one that is nested without end
        raise _bad_answer("it is no JSON") from error


def _pause(said: str | None, number: int) -> float:
    """Return the seconds to wait: what the service asks for, else twice as long each time."""
    asked = _seconds(said) if said else None
    if asked is None or math.isnan(asked):
        asked = 0.25 * 2**number
    return min(max(asked, 0.0), LONGEST_PAUSE_SECONDS)


def _seconds(said: str) -> float | None:
    """Return the seconds of a Retry-After, a number or a date; None for anything else."""
    try:
        return int(said) if said.isascii() and said.isdigit() and len(said) < 10 else float(said[:20])  # noqa: PLR2004
    except ValueError:
        pass
    try:
        return parsedate_to_datetime(said).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _refusal(answer: httpx.Response) -> ServiceError:
    try:
        return _error(answer.json())
    except (ValueError, KeyError, TypeError, RecursionError):  # something before the service answered
        return ServiceError(str(answer.status_code), answer.content.decode(errors="replace")[:200])


def _bad_answer(why: str) -> ServiceError:
    return ServiceError("bad_answer", f"the service answered something else than a reading: {why}")


def _one(content: Any) -> RemoteReading | ServiceError:
    """Return the reading or the error of one image; fields that are new are left alone."""
    try:
        return _error(content) if "error" in content else _reading(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad_answer(f"{type(error).__name__} {error}") from error


def _document(content: Any) -> RemoteDocument:
    try:
        return remote_document(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad_answer(f"{type(error).__name__} {error}") from error


def _error(content: Any) -> ServiceError:
    return ServiceError(str(content["error"]["code"]), str(content["error"]["message"]))


def _reading(content: Any) -> RemoteReading:
    return RemoteReading(
        text_of(content["text"]),
        number_of(content["confidence"]),
        bool(content["accepted"]),
        _guesses(content["characters"]),
        _guesses(content.get("alternatives", ())),
        text_of(content["reading_id"]),
        text_of(content["bundle"]),
        text_of(content.get("hint", "")),
    )


def _guesses(parts: Any) -> tuple[Guess, ...]:
    return tuple(Guess(text_of(part["text"]), number_of(part["confidence"])) for part in parts)


def _bar(shown: bool) -> Any:  # noqa: FBT001
    from tqdm import tqdm  # only for those who want to see it  # noqa: PLC0415

    return tqdm(unit="image", disable=not shown)
