"""The detectors of a drill: the service's metrics, Prometheus' rules, Alertmanager, the report on observations."""

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from legible.drift.decide import Outcome
from legible.drift.documents import effective_images
from legible.drift.reference import EDGES
from legible.errors import LegibleError
from legible.monitoring.check import Standard, check
from legible.monitoring.finding import Check
from legible.observations.window import Selection

ALERTS = ("ImageDrift", "PredictionDrift", "UnusualImages", "ChannelDrift", "DriftFound", "EstimatedHarm")
HISTOGRAMS = {
    "legible_image_statistic": ("image", "statistic"),
    "legible_prediction_signal": ("prediction", "signal"),
}
"""The histograms of ranks, each with the kind of its signals and the label that names a signal."""
PAIRS = "legible_document_pairs_total"
"""Counted as a bucket of its model, of no kind and no signal."""
TIMEOUT_SECONDS = 10.0
NO_CAUSE = ""

Judged = tuple[str, str]
"""What a drift rule is of: a kind of signals, and the model whose reference decides."""
RankBucket = tuple[Judged, str, str]
"""A bucket: what its rule is of, signal and edge."""


class UnavailableError(LegibleError):
    """A detector that cannot look; the message says why."""


class DriftDetector(ABC):
    """Something that may notice a drift."""

    name: str

    def start(self, at: float) -> None:  # noqa: B027 - what some hold, they hold
        """Forget what was before, where it can; `at` in Unix seconds."""

    @abstractmethod
    def notices(self) -> bool:
        """Tell whether it has noticed by now. Raise UnavailableError."""

    def cause(self) -> str:
        """Return the corruption it names; most name none."""
        return NO_CAUSE


class MetricsDetector(DriftDetector):
    """The drift rule, on what the service has counted since the start."""

    name = "metrics"

    def __init__(self, address: str, *, key: str = "") -> None:
        self._address = address
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._before: Counter[RankBucket] = Counter()

    def start(self, at: float) -> None:
        del at
        self._before = self._read()[0]

    def notices(self) -> bool:
        counts, gauges = self._read()
        ranks = Counter({sample: counts[sample] - self._before[sample] for sample in counts})
        try:
            return any(_drifts(judged, ranks, gauges) for judged in {bucket[0] for bucket in ranks if bucket[0][0]})
        except KeyError as error:
            raise UnavailableError(f"{self._address}/metrics lacks {error}; use the service's own legible") from error

    def _read(self) -> tuple[Counter[RankBucket], dict[tuple[str, Judged], float]]:
        """Return cumulated counts of ranks, and the constants of the rules by name, kind and model."""
        answer = _get(f"{self._address}/metrics", headers=self._headers)
        counts: Counter[RankBucket] = Counter()
        gauges = {}
        for family in text_string_to_metric_families(answer.text):
            kind, label = HISTOGRAMS.get(family.name, ("", ""))
            for sample in family.samples:
                if kind and sample.name.endswith("_bucket"):
                    counts[(kind, sample.labels["model"]), sample.labels[label], sample.labels["le"]] += int(
                        sample.value
                    )
                elif sample.name == PAIRS:
                    counts[("", sample.labels["model"]), "", ""] += int(sample.value)
                elif "kind" in sample.labels:
                    gauges[sample.name, (sample.labels["kind"], sample.labels["model"])] = sample.value
        if not counts:
            raise UnavailableError(f"{self._address}/metrics counts no ranks; is it legible that answers?")
        return counts, gauges


def _drifts(judged: Judged, ranks: Counter[RankBucket], gauges: dict[tuple[str, Judged], float]) -> bool:
    """Tell whether a signal's KS is above c * sqrt(1/n + 1/m), n the independent images that documents are worth, and
    the images are not fewer than the smallest window.
    """
    names = ("constant", "reference_size", "smallest_window", "correlation")
    c, m, smallest, correlation = (gauges[f"legible_drift_{name}", judged] for name in names)
    pairs = ranks[("", judged[1]), "", ""]
    for signal in {signal for own, signal, _ in ranks if own == judged}:
        n = ranks[judged, signal, "+Inf"]
        if n < smallest:
            continue
        ks = max(abs(ranks[judged, signal, str(edge)] / n - edge) for edge in EDGES)
        worth = effective_images(n, bunching=1 + pairs / n, correlation=correlation)
        if ks > c * math.sqrt(1 / worth + 1 / m):
            return True
    return False


class RuleDetector(DriftDetector):
    """Prometheus: a drift alert is pending or fires."""

    name = "rule"

    def __init__(self, address: str) -> None:
        self._address = address

    def notices(self) -> bool:
        query = f'ALERTS{{alertname=~"{"|".join(ALERTS)}"}}'
        answer = _json(f"{self._address}/api/v1/query", query=query)
        try:
            return bool(answer["data"]["result"])
        except (KeyError, TypeError) as error:
            raise UnavailableError(f"{self._address} answers no query; is it Prometheus?") from error


class AlertDetector(DriftDetector):
    """Alertmanager: a drift alert has arrived."""

    name = "alert"

    def __init__(self, address: str) -> None:
        self._address = address

    def notices(self) -> bool:
        alerts = _json(f"{self._address}/api/v2/alerts", active="true")
        try:
            return any(alert["labels"]["alertname"] in ALERTS for alert in alerts)
        except (KeyError, TypeError) as error:
            raise UnavailableError(f"{self._address} lists no alerts; is it Alertmanager?") from error


class ReportDetector(DriftDetector):
    """`legible drift` on the observations since the start."""

    name = "report"

    def __init__(
        self, observations: Path, bundle: Path, *, baseline: Path | None, last: int, clock: Callable[[], float]
    ) -> None:
        self._observations = observations
        self._bundle = bundle
        self._baseline = baseline
        self._last = last
        self._clock = clock
        self._since = -math.inf
        self._made: Check | None = None

    def start(self, at: float) -> None:
        self._since = at

    def notices(self) -> bool:
        try:
            self._made = check(
                self._observations,
                Standard(self._bundle, self._baseline),
                at=self._clock(),
                selection=Selection(since=self._since),
                last=self._last,
            )
        except LegibleError as error:
            raise UnavailableError(str(error)) from error
        return self._made.verdict.outcome is Outcome.DRIFT

    def cause(self) -> str:
        return NO_CAUSE if self._made is None else cause_of(self._made)


def detectors_of(
    *,
    url: str,
    metrics_key: str,
    prometheus: str,
    alertmanager: str,
    observations: Path | None,
    bundle: Path | None,
    baseline: Path | None,
    last: int,
    clock: Callable[[], float],
) -> tuple[tuple[DriftDetector, ...], tuple[str, ...]]:
    """Return the detectors there are addresses for, and the options that would ask the others."""
    detectors: list[DriftDetector] = [MetricsDetector(url.rstrip("/"), key=metrics_key)]
    if prometheus:
        detectors.append(RuleDetector(prometheus.rstrip("/")))
    if alertmanager:
        detectors.append(AlertDetector(alertmanager.rstrip("/")))
    if observations and bundle:
        detectors.append(ReportDetector(observations, bundle, baseline=baseline, last=last, clock=clock))
    asked = {"--prometheus": prometheus, "--alertmanager": alertmanager, "--observations": observations}
    return tuple(detectors), tuple(option for option, value in asked.items() if not value)


def cause_of(made: Check) -> str:
    """Return the corruption that a check names."""
    return made.cause.corruption if made.cause else NO_CAUSE


def _json(address: str, **params: str) -> Any:
    try:
        return _get(address, params=params).json()
    except ValueError as error:
        raise UnavailableError(f"{address} answers no JSON") from error


def _get(
    address: str, *, params: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    try:
        return httpx.get(address, params=params, headers=headers, timeout=TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPStatusError as error:
        raise UnavailableError(f"{address} answers {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise UnavailableError(f"{address} does not answer ({error})") from error
