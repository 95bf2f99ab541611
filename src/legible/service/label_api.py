"""The calls of the labelling page: the next image, its pixels, a label, an undo. They need keys of their own."""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from legible.labelling.desk import Item, LabelDesk, LabelRefusedError, Seen
from legible.observations.layout import new_worker_name
from legible.service.api import Api
from legible.service.keys import labelling_keys
from legible.service.middleware.key import key_refusal, shown_key
from legible.service.refusals import count_error, error_response

LOOKED_AT, SECONDS_TO_LOOK = 200, 1.0
"""The most kept images that are looked at before an answer, and for how long; more are with the next ones."""
CODES = {400: "bad_request", 404: "not_found", 409: "stale"}


class LabelApi:
    """The handlers over one label desk, which is made with the first call."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ring = labelling_keys(api.settings)
        self._desk: LabelDesk | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="labels")  # apart from what is read

    async def next(self, request: Request) -> Response:
        """Answer the next image for the labeller whose key was shown, the progress, and the charset."""
        return await self._answer(request, lambda desk, who: self._state(desk, who, desk.next(who)))

    async def image(self, request: Request) -> Response:
        """Answer the pixels of a kept image, as PNG."""
        reading_id = request.path_params["reading_id"]
        return await self._answer(
            request,
            lambda desk, _: Response(
                desk.image(reading_id), media_type="image/png", headers={"Cache-Control": "private, no-store"}
            ),
        )

    async def label(self, request: Request) -> Response:
        """Keep a label, and answer the next image."""
        body = await request.body()

        def keep(desk: LabelDesk, who: str) -> Response:
            sent = _sent(body, reading_id=str, verdict=str, text=str, revision=int)
            desk.label(labeller=who, at=round(time.time(), 3), **sent)
            return self._state(desk, who, desk.next(who))

        return await self._answer(request, keep)

    async def undo(self, request: Request) -> Response:
        """Take back the labeller's last label, and answer its image."""
        body = await request.body()

        def take_back(desk: LabelDesk, who: str) -> Response:
            own = _sent(body, own=int)["own"] if b"own" in body else None
            return self._state(desk, who, desk.undo(who, at=round(time.time(), 3), own=own))

        return await self._answer(request, take_back)

    async def _answer(self, request: Request, act: Callable[[LabelDesk, str], Response]) -> Response:
        """Answer in a thread of its own, one call after the other; errors in the shape of all."""
        shown = shown_key(request.headers)
        who = self._ring.name_of(shown)
        if who is None:
            hint = "the labelling page needs a key of its own: legible key NAME makes one for LEGIBLE_LABEL_KEYS"
            return key_refusal(is_missing=not shown, count=count_error, hint=hint)
        request.scope.setdefault("state", {})["key"] = who  # for the request log
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._thread, self._act, act, who)
        except LabelRefusedError as error:
            count_error(CODES[error.status])
            return error_response(error.status, CODES[error.status], str(error))
        except OSError as error:
            count_error("internal")
            return error_response(
                507, "internal", f"the label could not be kept ({error.strerror}); make room, send it again"
            )
        return answer

    def _act(self, act: Callable[[LabelDesk, str], Response], who: str) -> Response:
        self._desk = self._desk or self._make_desk()
        self._unseen = self._desk.refresh(limit=LOOKED_AT, seconds=SECONDS_TO_LOOK)
        return act(self._desk, who)

    def _make_desk(self) -> LabelDesk:
        settings = self._api.settings
        return LabelDesk(
            images=Path(settings.images_folder),
            labels=Path(settings.labels_folder),
            worker=new_worker_name(),
            see=self._see,
            retention_days=settings.labels_retention_days,
            shadow=Path(settings.shadow_folder),
            kept=settings.keep_images,
        )

    def _see(self, path: Path) -> Seen | None:
        """Read a kept image; None where it is gone or damaged."""
        with suppress(FileNotFoundError):
            model = self._api.default
            jobs = model.worker.read(model.worker.jobs([path.read_bytes()]))
            image, reading = jobs[0].take_image(), jobs[0].reading
            if image is not None and reading is not None:
                unusual = model.telemetry.unusual(image, reading)
                return Seen(reading.text, reading.confidence, unusual, model.worker.bundle_id)
        return None

    def _state(self, desk: LabelDesk, who: str, item: Item | None) -> Response:
        progress = asdict(desk.progress(who)) | {"unseen": self._unseen}
        content = {
            "item": asdict(item) if item else None,
            "progress": progress,
            "labeller": who,
            "charset": self._api.worker.characters,
        }
        return JSONResponse(content, headers={"Cache-Control": "no-store"})


def _sent(body: bytes, **types: type) -> dict[str, Any]:
    """Return the fields of a JSON body. Raise LabelRefusedError where one is missing or of another type."""
    content: Any = None
    with suppress(ValueError, RecursionError):
        content = json.loads(body)
    fields = content if isinstance(content, dict) else {}
    faults = [name for name, kind in types.items() if type(fields.get(name)) is not kind]
    if faults:
        raise LabelRefusedError(400, f"send JSON with {', '.join(types)}; wrong here: {', '.join(faults)}")
    return {name: fields[name] for name in types}
