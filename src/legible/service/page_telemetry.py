"""The records of pages after their answer: their lines as observations, a row for each page, and metrics.

The lines of a page have the page as their document, as they resemble each other.
"""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from legible.batched import batched
from legible.config import ServiceSettings
from legible.observations.log import RowLog
from legible.observations.page_row import PageObservation
from legible.observations.row import Observation
from legible.service import metrics
from legible.service.page_images import kept_lines
from legible.service.page_messages import PageReply
from legible.service.service_logs import PAGE, ServiceLogs

FOLDER = "pages"
"""The folder of the rows of pages, beside those of observations."""
BYTES_FRACTION = 10
"""Rows of pages may hold a tenth of the bytes that observations may."""
LOGGED_TOGETHER = 100
KEPT_TOGETHER = 16
"""Half of the images that may wait for the disk."""
PAUSE_SECONDS = 0.05
"""The pause between two parts of a crowded page, in which the log writes."""


class PageTelemetry:
    """Records pages by way of the logs of their worker."""

    def __init__(self, logs: ServiceLogs, settings: ServiceSettings, *, worker: str) -> None:
        self._logs = logs
        self._log = RowLog(
            Path(settings.observations_folder) / FOLDER,
            worker=worker,
            queue_size=settings.observations_queue,
            retention_days=settings.observations_retention_days,
            retention_bytes=settings.observations_retention_bytes // BYTES_FRACTION,
            on_lost=metrics.observations_dropped.inc,
        )

    async def observe(self, reply: PageReply, *, model: str, document: str, sender: str) -> None:
        """Record what a page process tells of a document. `document` is the caller's name for it, or empty."""
        name = document or secrets.token_hex(8)
        by = self._logs.digest(sender)
        for line in reply.pages.splitlines():
            page = PageObservation.from_json(line)
            self._record(replace(page, document=self._document(name, page.number), sender=by))
        for rows in batched(self._lines(reply, name, by), LOGGED_TOGETHER):
            for row in rows:
                self._logs.put_row(row)
            metrics.readings.labels(PAGE, model).inc(len(rows))
            await asyncio.sleep(PAUSE_SECONDS if len(rows) == LOGGED_TOGETHER else 0)
        metrics.images_dropped.inc(reply.images_lost)
        for some in batched(kept_lines(reply.images), KEPT_TOGETHER):
            for kept in some:
                self._logs.keep_image(kept.reading_id, kept.image(), at=kept.at)
            await asyncio.sleep(PAUSE_SECONDS)

    def close(self) -> None:
        self._log.close(timeout_seconds=1.0)

    def _lines(self, reply: PageReply, name: str, sender: str) -> Iterator[Observation]:
        for line in reply.lines.splitlines():
            row = Observation.from_json(line)
            yield replace(row, channel=PAGE, document=self._document(name, row.document), sender=sender)

    def _document(self, name: str, page: int | str) -> str:
        return self._logs.digest(f"{name}\0{page}")

    def _record(self, page: PageObservation) -> None:
        self._log.put(page)
        metrics.pages.labels(page.source).inc()
        metrics.page_seconds.observe(page.seconds)
        metrics.page_lines.observe(page.lines)
        metrics.page_tilt.observe(abs(page.angle))
        if page.lines:
            metrics.page_confidence.observe(page.confidence)
        if page.turns:
            metrics.pages_turned.inc()
