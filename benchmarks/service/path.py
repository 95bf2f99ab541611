"""Row of benchmarks/service/service.py: what a request costs on its way, part by part, in CPU time.

CPU time and not the clock's, so that what else the machine does hardly matters. A worker's is all of its threads'; that
of the parts is measured in this process, each part alone and warm, so their sum is less than the whole.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from load import upload
from rows import IMAGES, READS, SERVING, Row, Scale, serving
from serving import PROJECT, Service
from starlette.types import ASGIApp, Message
from steady import counted_load

from legible.arrays import GreyImage
from legible.config import ServiceSettings
from legible.image.decode import decode
from legible.image.statistics import measure
from legible.recognition.bundle import load_bundle
from legible.recognition.decoding import Decoding, interpret
from legible.recognition.named_bundles import DEFAULT
from legible.recognition.recognizer import STEP_IMAGES, Recognizer
from legible.service.api import Api
from legible.service.app import build_app
from legible.service.batching import EventLoopQueue
from legible.service.models import ServedModel
from legible.service.read_job import PLAIN, Origin, ReadJob
from legible.service.service_logs import ServiceLogs
from legible.service.telemetry import Telemetry
from legible.service.worker import Worker

MILLISECONDS = 1000.0


def path(scale: Scale) -> Iterator[Row]:
    count = max(scale.readings // 50, 100)
    one: dict[str, Any] = {"LEGIBLE_WORKERS": "1", "cores": str(SERVING[0])}
    with serving(**one) as service:
        yield _row("a /read in a worker, all of it", worker_milliseconds(service, READS, count))
    with serving(target="benchmarks.service.noop:Noop", **one) as nothing:
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
    name = str(os.getpid())
    logs = ServiceLogs(settings, worker=name)
    worker, telemetry = Worker(bundle, settings, worker=name), Telemetry(bundle, settings, logs)
    recognizer = Recognizer.from_bundle(bundle)
    images = [decode(image) for image in IMAGES]
    columns = [recognizer.preprocess(image) for image in images]
    logits = [recognizer.logits(column) for column in columns]
    jobs = read_jobs(worker, IMAGES)
    taken = [(job, job.image) for job in jobs]

    def interpreted(one: Any) -> None:
        interpret(one, bundle.charset, bundle.calibration, Decoding())

    yield "decode the image", milliseconds_of(decode, IMAGES, count)
    yield "preprocess it", milliseconds_of(recognizer.preprocess, images, count)
    yield "run the network", milliseconds_of(recognizer.logits, columns, count)
    yield "find the text and its confidence", milliseconds_of(interpreted, logits, count)
    for together in (1, STEP_IMAGES):
        firsts = range(0, len(IMAGES) * together, together)
        each = milliseconds_of(partial(read_some, worker, together), firsts, count // together) / together
        yield f"all of the reading, {together} at a time", each
    yield (
        "application around it: middleware, form, answer",
        around(settings, _DoneModels(_Done(worker, jobs[0]), logs), count),
    )
    yield "after the answer: image statistics", milliseconds_of(measure, images, count)
    yield (
        f"  all of the observation, {len(jobs)} at a time, without metrics",
        milliseconds_of(lambda _: observe_anew(telemetry, taken), IMAGES, count // len(jobs)) / len(jobs),
    )
    yield "  metrics of it, of those that come in 0.2 s", milliseconds_of(lambda _: telemetry.count(), jobs, 1) / count
    logs.close()


def read_jobs(worker: Worker, images: Sequence[bytes]) -> Sequence[ReadJob]:
    return worker.read(worker.jobs(images, origin=Origin("default")))


def read_some(worker: Worker, count: int, first: int) -> None:
    read_jobs(worker, [IMAGES[(first + number) % len(IMAGES)] for number in range(count)])


def observe_anew(telemetry: Telemetry, taken: Sequence[tuple[ReadJob, GreyImage | None]]) -> None:
    """Observe jobs that were observed before, and let their images go then."""
    for job, image in taken:
        job.image = image
    telemetry.observe([job for job, _ in taken])


def milliseconds_of(call: Callable[[Any], Any], items: Sequence[Any], count: int) -> float:
    """CPU time of this thread for one call."""
    started = time.thread_time()
    for number in range(count):
        call(items[number % len(items)])
    return (time.thread_time() - started) / count * MILLISECONDS


class _Done:
    """Worker and telemetry at once, for jobs that have their readings already."""

    bundle_id, lexicons, uncounted = "", (), 0

    def __init__(self, worker: Worker, done: ReadJob) -> None:
        self.jobs = worker.jobs
        self.done = done

    def decoding(self, **_: Any) -> Decoding:
        return PLAIN

    def read(self, jobs: Sequence[ReadJob]) -> Sequence[ReadJob]:
        for job in jobs:
            job.reading, job.reading_id, job.at = self.done.reading, self.done.reading_id, self.done.at
        return jobs

    def observe(self, jobs: Sequence[ReadJob]) -> Sequence[ReadJob]:
        return jobs

    def count(self) -> None: ...


class _DoneModels:
    """A registry of one model whose jobs are done."""

    names, default, worker_name, is_behind = (DEFAULT,), DEFAULT, "1", False

    def __init__(self, done: _Done, logs: ServiceLogs) -> None:
        self.logs = logs
        self._model = ServedModel(DEFAULT, done, done, done, EventLoopQueue())  # type: ignore[arg-type]

    def get(self, _: str) -> ServedModel:
        return self._model


def around(settings: ServiceSettings, models: _DoneModels, count: int) -> float:
    """Of the ASGI application, for a request that is there."""
    api = Api(settings)
    api.start(models)  # type: ignore[arg-type]
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
