"""The handlers of the calls: an upload becomes jobs, the jobs are read, and their readings are answered."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from legible.config import ServiceSettings
from legible.errors import ImageError
from legible.image.statistics import measure
from legible.recognition.decoding import Decoding
from legible.service import metrics
from legible.service.answers import BatchAnswer, ErrorAnswer, ReadingAnswer, reading_answer
from legible.service.batching import batches, in_turns
from legible.service.candidate import Shadow, TrafficSplit, request_id_of
from legible.service.correction_answers import correction_response
from legible.service.hanging_up import unless_hung_up
from legible.service.held_images import Hold, HoldingResponse
from legible.service.lanes import Lanes
from legible.service.line_writer import LineWriter
from legible.service.middleware.concurrency_limit import Slots
from legible.service.middleware.request_log import RequestLog
from legible.service.models import ModelRegistry, ServedModel, folders_of
from legible.service.read_job import ReadJob, sum_of_pixels
from legible.service.refusals import count_error, error_answer, error_response
from legible.service.requests import BadRequestError, ReadOptions, correction_of, read_options
from legible.service.service_logs import Corrected, ServiceLogs
from legible.service.uploads import uploaded
from legible.service.votes import vote, voters_named
from legible.service.worker import Worker

READ, READ_BATCH, READ_PAGE, FEEDBACK = "/read", "/read_batch", "/read_page", "/feedback"
ROUTES = (READ, READ_BATCH, READ_PAGE, FEEDBACK)
PAGES = ("/", "/page/settings.json", "/openapi.json", "/docs", "/label")
PATHS = (*ROUTES, *PAGES, "/metrics", "/models", "/card", "/label/next", "/label/undo")
SECONDS_TO_OBSERVED = (0.0, 0.1, 0.3, 0.6)
"""The pauses in seconds between the looks for the observation of a reading that is corrected."""
SECONDS_TO_COUNTED = 0.2
"""The time from a reading to the metrics that count it."""
MAX_UNCOUNTED = 200
"""The number of readings after which metrics are counted at once, before that time is over."""
MAX_UNOBSERVED = 64
"""The most batches that were answered and still hold their images; while there are as many, nothing else is read."""

Follow = Callable[[Sequence[ReadJob]], Awaitable[None]]
"""A function that has the images of an answered request read in the shadow."""


class Api:
    """The handlers over the models of one worker process, which `start` sets."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.is_draining = False
        self.lines = LineWriter(1, on_lost=metrics.log_lines_dropped.inc)
        self.slots = Slots(settings.max_in_flight, level=metrics.in_flight.set)
        reloads = [f"/models/{name}/reload" for name in folders_of(settings)] if settings.reload_keys else []
        self.request_log = RequestLog(self.lines.write, paths=(*PATHS, *reloads)) if settings.request_log else None
        self._lanes = Lanes(settings.max_pixels)
        self._models: ModelRegistry | None = None
        self._uncounted: set[ServedModel] = set()
        self._counting: asyncio.TimerHandle | None = None
        self._correcting = ThreadPoolExecutor(1, thread_name_prefix="corrections")  # apart from what is read

    def start(self, models: ModelRegistry) -> None:
        metrics.prepare(routes=ROUTES)
        self._split = TrafficSplit.of(self.settings, models.names)
        self._shadow = Shadow(self.settings, worker=models.worker_name) if self.settings.shadow else None
        self._models = models

    @property
    def is_ready(self) -> bool:
        return self._models is not None and not self.is_draining

    @property
    def models(self) -> ModelRegistry:
        if self._models is None:
            raise HTTPException(503, "the model is being loaded; ask /readyz")
        return self._models

    @property
    def logs(self) -> ServiceLogs:
        return self.models.logs

    @property
    def worker(self) -> Worker:
        """The worker of the default model."""
        return self.default.worker

    @property
    def default(self) -> ServedModel:
        """The model that reads where a request names none."""
        return self.models.open(self.models.default)

    async def read(self, request: Request) -> Response:
        voters = await self._models_of(request)
        model = voters[0]
        options = self._options(request, model)
        jobs = await self._jobs(request, model, options, field="image", max_images=1)
        hold = await self._read(request, voters, jobs, options)
        (job,) = jobs
        if job.error is not None:
            hold.release()
            count_error(job.error.code)
            return error_response(job.error.status, job.error.code, str(job.error))
        answer = await self._answer(job, model, options, hold)
        return self._observed_after(answer, model, jobs, hold, follow=self._follower(request, model, options))

    async def read_batch(self, request: Request) -> Response:
        voters = await self._models_of(request)
        model = voters[0]
        options = self._options(request, model)
        jobs = await self._jobs(request, model, options, field="images", max_images=self.settings.max_batch_images)
        hold = await self._read(request, voters, jobs, options)
        answer: BatchAnswer = {"readings": [await self._answer(job, model, options, hold) for job in jobs]}
        read = [job for job in jobs if job.error is None]
        return self._observed_after(answer, model, read, hold, follow=self._follower(request, model, options))

    async def feedback(self, request: Request) -> Response:
        if not self.settings.feedback:
            raise HTTPException(404, "corrections are switched off; LEGIBLE_FEEDBACK=1 switches them on")
        reading_id, text = correction_of(await request.body())
        outcome = Corrected.UNKNOWN
        for pause in SECONDS_TO_OBSERVED:  # the observation is written after the answer to the reading
            await asyncio.sleep(pause)
            outcome = await asyncio.get_running_loop().run_in_executor(
                self._correcting, self.logs.correct, reading_id, text
            )
            if outcome is not Corrected.UNKNOWN:
                break
        return correction_response(outcome, reading_id)

    async def exposition(self, _: Request) -> Response:
        self._count()
        return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)

    async def model_of(self, request: Request) -> ServedModel:
        """Return the one model that a request names, else a canary or the default. Raise a 404 for another."""
        model, *others = await self._models_of(request)
        if others:
            raise BadRequestError("here one model reads, and none votes; name one")
        return model

    async def _models_of(self, request: Request) -> list[ServedModel]:
        """Return the models that read a request, as they are served by now: several where they vote."""
        models, said = self.models, request.query_params.get("model")
        names = voters_named(said) if said else [self._split.canary_of(request, models) or models.default]
        for name in names:
            if name not in models.names:
                raise HTTPException(404, f"no model {name[:80]!r}; there: {', '.join(models.names)}")
        if models.is_behind:
            await self.in_thread(models.catch_up)
        return [models.get(name) or await self.in_thread(models.open, name) for name in names]

    def _options(self, request: Request, model: ServedModel) -> ReadOptions:
        return read_options(request, self.settings, lexicons=model.worker.lexicons)

    async def _jobs(
        self, request: Request, model: ServedModel, options: ReadOptions, *, field: str, max_images: int
    ) -> list[ReadJob]:
        decoding = await self._decoding(model, options)
        images, fields = await uploaded(request, field=field, max_images=max_images)
        told = {name: fields.get(name, "") for name in ("channel", "document", "sender")}
        return model.worker.jobs(images, decoding=decoding, origin=self.logs.origin(**told))

    async def _read(
        self, request: Request, voters: Sequence[ServedModel], jobs: Sequence[ReadJob], options: ReadOptions
    ) -> Hold:
        """Read the jobs of a request, once there is room for all their images; return the hold on it.

        What is not quick to read is dropped where its caller hangs up.
        """
        model = voters[0]
        pixels = sum([job.pixels async for job in in_turns(jobs) if job.is_quick])
        slow = [job for job in jobs if not job.is_quick]
        if slow:
            pixels += await self.in_thread(sum_of_pixels, slow)
        hold = await self._lanes.hold(jobs, pixels=pixels)
        try:
            for batch in batches(jobs, alone=lambda job: not job.is_quick):
                await model.observing.until_at_most(MAX_UNOBSERVED)
                if batch[0].is_quick:
                    await model.reading.do(batch)
                else:
                    await unless_hung_up(request, self._lanes.run_for(batch[0], model.worker.read, batch))
            for job in jobs if len(voters) > 1 else ():  # one by one, so that others have their turn between them
                await unless_hung_up(request, self._lanes.run_for(job, vote, job, voters, options))
        except BaseException:
            hold.release()
            raise
        return hold

    async def _measured(self, job: ReadJob, hold: Hold) -> dict[str, float]:
        try:
            found: dict[str, float] = await self._lanes.run_for(job, measure, job.image)
        except BaseException:
            hold.release()
            raise
        return found

    async def _decoding(self, model: ServedModel, options: ReadOptions) -> Decoding:
        """Return how to decode; a lexicon may have to be loaded, in the thread."""
        find = partial(
            model.worker.decoding, lexicon=options.lexicon, alternatives=options.alternatives, plain=options.plain
        )
        found: Decoding = await self.in_thread(find) if options.lexicon else find()
        return found

    async def _answer(
        self, job: ReadJob, model: ServedModel, options: ReadOptions, hold: Hold
    ) -> ReadingAnswer | ErrorAnswer:
        if job.reading is None:
            error = job.error or ImageError("the image was not read")
            count_error(error.code)
            return error_answer(error.code, str(error))
        answer = reading_answer(
            model.answered(job, job.reading),
            reading_id=job.reading_id,
            bundle=job.bundle or model.worker.bundle_id,
            accept=options.accept,
            with_alternatives=options.alternatives > 0,
        )
        if len(self.models.names) > 1:
            answer["model"] = job.voters or model.name
        if job.is_page:
            answer["hint"] = "page"
        if options.statistics:
            answer["statistics"] = await self._measured(job, hold)
        return answer

    def _follower(self, request: Request, model: ServedModel, options: ReadOptions) -> Follow | None:
        """Return what has a request read in the shadow too; None for one that is not."""
        shadow = self._shadow
        is_alone = request.query_params.get("model", "") in ("", self.models.default)
        if shadow is None or model.name != self.models.default or not is_alone:
            return None
        if not self._split.is_shadowed(request_id_of(request)):
            return None
        candidate = self.models.open(self._split.candidate)
        return partial(
            shadow.follow, model=model, candidate=candidate, lexicon=options.lexicon, run=self._lanes.run_for
        )

    def _observed_after(
        self,
        answer: ReadingAnswer | ErrorAnswer | BatchAnswer,
        model: ServedModel,
        jobs: Sequence[ReadJob],
        hold: Hold,
        *,
        follow: Follow | None,
    ) -> Response:
        """Return the answer. After it is sent the jobs go where `follow` leads, and are observed and soon counted."""

        async def observe() -> None:
            if follow is not None:
                await follow(jobs)
            for batch in batches(jobs, alone=lambda job: not job.is_quick):
                if batch[0].is_quick:
                    await model.observing.do(batch)
                else:
                    await self._lanes.run_for(batch[0], model.telemetry.observe, batch)
            self._count_soon(model)

        return HoldingResponse(answer, observe=BackgroundTask(observe), hold=hold)

    def _count_soon(self, model: ServedModel) -> None:
        self._uncounted.add(model)
        if model.telemetry.uncounted >= MAX_UNCOUNTED:
            self._count()
        elif self._counting is None:
            self._counting = asyncio.get_running_loop().call_later(SECONDS_TO_COUNTED, self._count)

    def _count(self) -> None:
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        while self._uncounted:
            self._uncounted.pop().telemetry.count()

    def close(self) -> None:
        """Count what is not counted, and write what is still in the logs' queues."""
        self._count()
        self.logs.close()
        if self._shadow:
            self._shadow.close()

    async def in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return the result of a call that is soon done, and not worth the event loop's wait."""
        return await self._lanes.run(call, *arguments)
