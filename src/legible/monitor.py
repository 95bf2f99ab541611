"""The drift check: decide on the last observations, draw the report; once by `legible drift`, or on a schedule.

On a schedule the last verdict stands at /metrics of a port of its own, beside the service's.
"""

import json
import logging
import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from legible.drift.decide import Outcome, Verdict, decide
from legible.drift.reference import Reference
from legible.observations import read_back

LAST = 1000
PORT = 3001

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """A verdict, when it was made (Unix seconds), and what else its reader should know."""

    verdict: Verdict
    at: float
    torn: int
    report: Path | None

    @property
    def exit_code(self) -> int:
        """0 no drift, 1 drift, 2 not enough data."""
        return self.verdict.exit_code

    def screen(self) -> str:
        lines = [self.verdict.screen()]
        lines += [f"{self.torn} torn lines were skipped"] if self.torn else []
        lines += [f"report: {self.report}"] if self.report else []
        return "\n".join(lines)

    def to_json(self) -> str:
        report = str(self.report) if self.report else None
        return json.dumps({"at": self.at, "torn": self.torn, "report": report, **asdict(self.verdict)})


def check(
    *,
    observations: Path,
    bundle: Path,
    at: float,
    last: int = LAST,
    since: float = -math.inf,
    report: Path | None = None,
    workspace: Path | None = None,
) -> Check:
    """Decide on the last observations (a log's folder, or a file) by the rule of a bundle (or the folder drift).

    `report` and `workspace` say where the Evidently report goes; none is drawn of a window that is too small.
    """
    window = read_back(observations, last=last, since=since)
    verdict = decide(Reference.load(bundle), window.observations)
    drawn = bool(verdict.signals) and (report or workspace) is not None
    if drawn:
        from legible.report import write_report  # the lean installation decides, and draws nothing  # noqa: PLC0415

        write_report(verdict, window.observations, bundle=bundle, path=report, at=at, workspace=workspace)
    return Check(verdict, at, window.torn, report if drawn else None)


class Exporter:
    """The last check as Prometheus gauges, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._outcome = self._gauge("outcome", "1 for the outcome of the last check.", "outcome")
        self._ks = self._gauge("ks", "KS of each signal against the reference.", "signal")
        self._threshold = self._gauge("threshold", "KS above which the last check calls drift, by kind.", "kind")
        self._images = self._gauge("images", "Images in the window of the last check.")
        self._time = self._gauge("time_seconds", "When the last check was made, in Unix seconds.")
        self._failures = Counter("legible_drift_check_failures", "Checks that failed.", registry=self.registry)

    def _gauge(self, name: str, help_text: str, *labels: str) -> Gauge:
        return Gauge(f"legible_drift_check_{name}", help_text, labels, registry=self.registry)

    def publish(self, check: Check) -> None:
        verdict = check.verdict
        for outcome in Outcome:
            self._outcome.labels(outcome.value).set(outcome is verdict.outcome)
        self._ks.clear()
        for signal in verdict.signals:
            self._ks.labels(signal.name).set(signal.ks)
        for kind, threshold in verdict.thresholds.items():
            self._threshold.labels(kind).set(threshold)
        self._images.set(verdict.images)
        self._time.set(check.at)

    def count_failure(self) -> None:
        self._failures.inc()

    def serve(self, *, port: int = PORT, host: str = "127.0.0.1") -> Callable[[], None]:
        """Answer at /metrics; returns what ends it."""
        server, _ = start_http_server(port, addr=host, registry=self.registry)

        def close() -> None:
            server.shutdown()
            server.server_close()

        return close


def watch(
    make_check: Callable[[float], Check],
    exporter: Exporter,
    *,
    every_seconds: float,
    clock: Callable[[], float],
    stop: threading.Event,
) -> None:
    """Check and publish until stopped. A check that fails is counted and logged, and the next one is made."""
    while not stop.is_set():
        try:
            exporter.publish(make_check(clock()))
        except Exception:  # whatever it is: the job outlives a full disk and a damaged file
            log.exception("drift check failed")
            exporter.count_failure()
        stop.wait(every_seconds)
