"""Observations sent away in batches, from a thread of its own: to a store as Parquet by the hour, or to a collector.

A batch that fails is sent again, later and later, until it gets there; what comes meanwhile waits, up to a limit, and
beyond it is counted as lost. Neither a request nor the log on disk waits for any of it.
"""

import http.client
import logging
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from legible.errors import LegibleError, SettingsError
from legible.files import DAMAGE, parse_row
from legible.observations.columns import arrow, to_parquet
from legible.observations.layout import FOLDER, HOUR_FOLDER, hour
from legible.observations.lines import to_request
from legible.observations.row import Observation
from legible.stores import is_store_error, store_of

BATCH_ROWS = 5000
"""A batch is sent as soon as it has this many rows."""
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 1.0, 60.0
"""The pause after a batch that failed; each that follows is twice as long, up to the second."""
MAX_DOUBLINGS = 30
"""No pause is doubled more often: after a day of failures the factor would be more than a float holds."""
TIMEOUT_SECONDS = 30.0
"""The time in which a collector has to answer."""
LOGS_PATH = "/v1/logs"
NEVER_TAKEN = frozenset({400, 413, 422})
"""The statuses of a request that a collector takes as little when it comes again."""
MAX_ANSWER_BYTES = 65_536
"""The most bytes of a collector's answer that are read."""

log = logging.getLogger(__name__)


class RefusedRowsError(LegibleError):
    """A destination refused this many rows of a batch for good; it has the others."""

    def __init__(self, rows: int, reason: str) -> None:
        super().__init__(f"{rows} observations were refused ({reason})")
        self.rows = rows


class Destination(Protocol):
    """A place that batches are sent to."""

    def send(self, observations: Sequence[Observation], *, number: int) -> None:
        """Send a batch; the same batch and number again replaces it.

        Raise an OSError or a client's error, and RefusedRowsError where sending again would not help.
        """
        ...


class ParquetDestination:
    """Writes `<address>/v1/hour=<hour>/<worker>-<number>.parquet`, a file for each hour of a batch."""

    def __init__(self, address: str, *, worker: str) -> None:
        """Raise SettingsError where the address names no store, or what it needs is not installed."""
        arrow()
        self._store = store_of(address)
        self._folder = f"{address.rstrip('/')}/{FOLDER}"
        self._worker = worker

    def send(self, observations: Sequence[Observation], *, number: int) -> None:
        by_hour = defaultdict(list)
        for row in observations:
            by_hour[hour(row.at)].append(row)
        for name, rows in by_hour.items():
            file = f"{self._folder}/{HOUR_FOLDER}{name}/{self._worker}-{number:06}.parquet"
            self._store.write(file, to_parquet(rows))


class CollectorDestination:
    """Posts log records to an OpenTelemetry collector, as JSON over HTTP, and follows it nowhere else."""

    def __init__(self, address: str) -> None:
        """Raise SettingsError for an address that is no http:// or https:// one."""
        if not address.startswith(("http://", "https://")):
            raise SettingsError(f"{address!r} is no collector; name it as http://collector:4318")
        if not _is_whole(address):
            raise SettingsError(f"{address!r} names no host, or no port that can be; name it as http://collector:4318")
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._url = address.rstrip("/") if address.endswith(LOGS_PATH) else address.rstrip("/") + LOGS_PATH

    def send(self, observations: Sequence[Observation], *, number: int) -> None:
        del number
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, to_request(observations), headers)  # noqa: S310  # checked above
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                refused = refused_rows(answer.read(MAX_ANSWER_BYTES))
        except urllib.error.HTTPError as error:
            if error.code in NEVER_TAKEN:
                raise RefusedRowsError(len(observations), f"status {error.code}") from error
            raise
        except http.client.HTTPException as error:  # no answer of HTTP, as of a proxy that is going down
            raise OSError(f"{self._url}: {error!r}") from error
        if refused:
            raise RefusedRowsError(min(refused, len(observations)), "partial success")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect for an error: followed, a POST becomes a GET without its rows, whose answer looks like taken."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _is_whole(address: str) -> bool:
    """Tell whether an address has a host, and a port that can be where it names one."""
    try:
        parts = urllib.parse.urlsplit(address)
        return bool(parts.hostname) and parts.port != 0 and not any(map(str.isspace, address))
    except ValueError:
        return False


def refused_rows(answer: bytes) -> int:
    """Return how many records an export answer says were refused; none where it says nothing that is understood.

    `{"partialSuccess": {"rejectedLogRecords": "2"}}` -> 2: OTLP's JSON writes whole numbers as texts.
    """
    try:
        return max(int(parse_row(answer)["partialSuccess"]["rejectedLogRecords"]), 0)
    except DAMAGE:
        return 0


class BatchSender:
    """Sends rows to a destination; `put` never blocks and never raises.

    Rows are sent when BATCH_ROWS of them wait, or the first has waited for `every_seconds`. What is lost, because more
    than `max_waiting` wait or time is over at the end, is counted in `lost` and told to `on_lost`.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        every_seconds: float,
        max_waiting: int,
        on_lost: Callable[[int], None] = lambda _: None,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
    ) -> None:
        self._destination = destination
        self._every_seconds = every_seconds
        self._max_waiting = max_waiting
        self._on_lost = on_lost
        self._first_pause_seconds = first_pause_seconds
        self._waiting: deque[Observation] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failures = 0
        self.sent = 0
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="observations-sender", daemon=True)
        self._thread.start()

    def put(self, row: Observation) -> bool:
        """Add one row to those that wait, or count it as lost where they are too many; tell which."""
        with self._changed:
            has_room = len(self._waiting) < self._max_waiting and not self._closing
            if has_room:
                self._waiting.append(row)
                if len(self._waiting) in (1, BATCH_ROWS):
                    self._changed.notify_all()
        if not has_room:
            self._lose(1)
        return has_room

    def close(self, *, timeout_seconds: float) -> None:
        """Send what waits, for at most this long; what is left is lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_seconds)
        with self._changed:
            left = len(self._waiting)
            self._waiting.clear()
        if left:
            self._lose(left)

    def _run(self) -> None:
        number = 0
        while batch := self._next_batch():
            number += 1
            self._deliver(batch, number)

    def _next_batch(self) -> list[Observation]:
        """Wait for the rows of the next batch; none where all is sent, and nothing comes any more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: len(self._waiting) >= BATCH_ROWS or self._closing, self._every_seconds)
            return [self._waiting[i] for i in range(min(len(self._waiting), BATCH_ROWS))]

    def _deliver(self, batch: Sequence[Observation], number: int) -> None:
        """Send a batch until it is there, or time is over."""
        while not self._is_done(batch, number):
            with self._changed:
                if self._closing and not self._waiting:
                    return
                self._changed.wait(self._pause_seconds())

    def _pause_seconds(self) -> float:
        if self._closing:
            return self._first_pause_seconds
        doublings = min(self._failures - 1, MAX_DOUBLINGS)
        return float(min(self._first_pause_seconds * 2**doublings, MAX_PAUSE_SECONDS))

    def _is_done(self, batch: Sequence[Observation], number: int) -> bool:
        """Send a batch; tell whether it is there, or can never be: then it is lost."""
        try:
            self._destination.send(batch, number=number)
        except RefusedRowsError as error:
            log.error("%s, and are lost", error)  # noqa: TRY400  # the answer says why, not the way to it
            self._take_out(batch)
            self._lose(error.rows)
            self.sent += len(batch) - error.rows
            self._failures = 0
            return True
        except Exception as error:
            if is_store_error(error):
                self._note_failure(error)
                return False
            log.exception("a batch of %d observations cannot be sent, and is lost", len(batch))
            self._take_out(batch)
            self._lose(len(batch))
            return True
        self._take_out(batch)
        self.sent += len(batch)
        if self._failures:
            log.warning("observations are sent again, after %d failures", self._failures)
        self._failures = 0
        return True

    def _note_failure(self, error: Exception) -> None:
        if self._failures == 0:
            log.warning("observations cannot be sent, and are tried again: %s", error)
        self._failures += 1

    def _take_out(self, batch: Sequence[Observation]) -> None:
        with self._changed:
            for _ in range(min(len(batch), len(self._waiting))):
                self._waiting.popleft()

    def _lose(self, rows: int) -> None:
        with self._changed:
            self.lost += rows
        self._on_lost(rows)
