"""Row of benchmarks/service.py: what a request costs on its way, part by part, in CPU time.

CPU time and not the clock's, so that what else the machine does hardly matters. A worker's is all of its threads'; that
of the parts is measured in this process, each part alone and warm, so their sum is less than the whole.
"""

import asyncio
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from load import upload
from rows import IMAGES, READS, SERVING, Row, Scale, serving
from serving import PROJECT, Service
from starlette.types import ASGIApp, Message
from steady import counted_load

from legible.config import ServiceSettings
from legible.image.decode import Limits, decode
from legible.image.statistics import measure
from legible.recognition.bundle import load_bundle
from legible.recognition.decoding import Decoding, interpret
from legible.recognition.recognizer import TOGETHER, Recognizer
from legible.service.api import Api, build_app
from legible.service.worker import Answer, Observed, Upload, Wanted, Worker

MILLISECONDS = 1000.0


def path(scale: Scale) -> Iterator[Row]:
    count = max(scale.readings // 50, 100)
    one = {"LEGIBLE_WORKERS": "1", "cores": str(SERVING[0])}
    with serving(**one) as service:
        yield _row("a /read in a worker, all of it", worker_milliseconds(service, READS, count))
    with serving(target="benchmarks.noop:Noop", **one) as nothing:
        yield _row("the framework's no-op in a worker, all of it", worker_milliseconds(nothing, READS, count))
    with tempfile.TemporaryDirectory() as folder:
        for name, milliseconds in parts(Path(folder), count):
            yield _row(f"  {name}", milliseconds)


def _row(name: str, milliseconds: float) -> Row:
    return Row(name, milliseconds, "ms of CPU time")


def worker_milliseconds(service: Service, requests: Sequence[bytes], count: int) -> float:
    (worker,) = service.workers
    asyncio.run(counted_load(service.address, requests, count=count // 5))
    before = worker.cpu_times()
    asyncio.run(counted_load(service.address, requests, count=count))
    time.sleep(1.0)  # for what is done after the answers
    after = worker.cpu_times()
    return (after.user + after.system - before.user - before.system) / count * MILLISECONDS


def parts(folder: Path, count: int) -> Iterator[tuple[str, float]]:
    settings = ServiceSettings(observations_folder=str(folder / "observations"), request_log=False)
    bundle = load_bundle(PROJECT / "models/bundle")
    reader, recognizer = Worker(bundle, settings, worker=str(os.getpid())), Recognizer.from_bundle(bundle)
    images = [decode(image) for image in IMAGES]
    columns = [recognizer.preprocess(image) for image in images]
    logits = [recognizer.logits(column) for column in columns]
    uploads = reader.uploads(IMAGES)
    answers = [answer for answer in reader.read(uploads, Decoding()) if isinstance(answer, Answer)]
    some = [Observed(answer, "default") for answer in answers]

    def interpreted(one: Any) -> None:
        interpret(one, bundle.charset, bundle.calibration, Decoding())

    yield "decode the image", milliseconds_of(decode, IMAGES, count)
    yield "normalise it", milliseconds_of(recognizer.normalized, images, count)
    yield "run the network", milliseconds_of(recognizer.logits, columns, count)
    yield "find the text and its confidence", milliseconds_of(interpreted, logits, count)
    for together in (1, TOGETHER):
        firsts = range(0, len(IMAGES) * together, together)
        each = milliseconds_of(partial(read_some, reader, together), firsts, count // together) / together
        yield f"all of the reading, {together} at a time", each
    yield "application around it: middleware, form, answer", around(settings, answers[0], count)
    yield "after the answer: image statistics", milliseconds_of(measure, images, count)
    yield (
        f"  all of the observation, {len(some)} at a time, without metrics",
        milliseconds_of(lambda _: reader.observe(some), IMAGES, count // len(some)) / len(some),
    )
    yield "  metrics of it, of those that come in 0.2 s", milliseconds_of(lambda _: reader.count(), answers, 1) / count
    reader.close()


def read_some(reader: Worker, count: int, first: int) -> None:
    images = [IMAGES[(first + number) % len(IMAGES)] for number in range(count)]
    reader.read(reader.uploads(images), Decoding())


def milliseconds_of(call: Callable[[Any], Any], items: Sequence[Any], count: int) -> float:
    """CPU time of this thread for one call."""
    started = time.thread_time()
    for number in range(count):
        call(items[number % len(items)])
    return (time.thread_time() - started) / count * MILLISECONDS


class _Still:
    """A reader that has its answer already."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.bundle_id, self.lexicons, self.uncounted = "", (), 0

    def channel(self, named: str) -> str:
        return named

    def decoding(self, **_: Any) -> Decoding:
        return Decoding()

    def uploads(self, images: Iterable[bytes]) -> deque[Upload]:
        return deque(Upload(data, Limits()) for data in images)

    def read(self, uploads: Sequence[Upload], decoding: Decoding) -> list[Answer]:
        del decoding
        return [self.answer for _ in uploads]

    def read_singly(self, wanted: Sequence[Wanted]) -> list[Answer]:
        return [self.answer for _ in wanted]

    def observe(self, observed: Sequence[Observed]) -> list[None]:
        return [None for _ in observed]

    def count(self) -> None: ...


def around(settings: ServiceSettings, answer: Answer, count: int) -> float:
    """Of the ASGI application, for a request that is there."""
    api = Api(settings)
    api.start(_Still(answer))  # type: ignore[arg-type]
    app = build_app(api)
    bodies = [upload("/read", [image]).partition(b"\r\n\r\n")[2] for image in IMAGES]

    async def ask_all() -> float:
        started = time.thread_time()
        for number in range(count):
            await ask(app, bodies[number % len(bodies)])
        return (time.thread_time() - started) / count * MILLISECONDS

    return asyncio.run(ask_all())


async def ask(app: ASGIApp, body: bytes) -> None:
    headers = [(b"content-type", b"multipart/form-data; boundary=legible-benchmark"),
               (b"content-length", str(len(body)).encode())]  # fmt: skip
    scope = {"type": "http", "method": "POST", "path": "/read", "query_string": b"", "headers": headers}

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def send(message: Message) -> None:
        if message.get("status", 200) != 200:  # noqa: PLR2004
            raise RuntimeError(message)

    await app(scope, receive, send)
