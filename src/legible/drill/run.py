"""A drill: clean images, then corrupted ones, and after how many of them, and when, each detector noticed."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice

import httpx

from legible.arrays import GreyImage
from legible.client import Client, ServiceError
from legible.drill.detectors import NO_CAUSE, DriftDetector, UnavailableError
from legible.drill.images import png
from legible.errors import LegibleError

BATCH = 10
"""The number of images between two looks."""
PAUSE_SECONDS = 1.0
"""The time between two looks after all images are sent."""
CHANNEL = "drill"


@dataclass(frozen=True)
class Detection:
    """After how many corrupted images and seconds a detector noticed; None where it did not, or was alarmed before."""

    detector: str
    images: int | None = None
    seconds: float | None = None
    cause: str = NO_CAUSE
    before: bool = False
    blind: str = ""
    """Why it could not look, where it could not."""

    def line(self, corruption: str) -> str:
        if self.images is not None:
            named = f"  named: {self.cause} ({'right' if self.cause == corruption else 'wrong'})" if self.cause else ""
            return f"  {self.detector:10}{self.images:8}{self.seconds:9.1f}{named}"
        reason = self.blind or ("had noticed before the first corrupted image" if self.before else "did not notice")
        return f"  {self.detector:10}  {reason}"


@dataclass(frozen=True)
class Drill:
    """The outcome of a drill."""

    corruption: str
    severity: int
    clean: int
    sent: int
    refused: int
    seconds: float
    detections: tuple[Detection, ...]
    unasked: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Tell whether each that was asked noticed, and whoever named a cause named the right one."""
        return all(one.images is not None and one.cause in (NO_CAUSE, self.corruption) for one in self.detections)

    def screen(self) -> str:
        head = (
            f"{self.corruption}, severity {self.severity}: {self.sent} images in {self.seconds:.0f} s, "
            f"{self.refused} refused, after {self.clean} clean ones"
        )
        lines = [head, f"  {'noticed by':10}{'images':>8}{'seconds':>9}"]
        lines += [one.line(self.corruption) for one in self.detections]
        if not any(one.cause for one in self.detections):
            lines.append("no cause named")
        lines += [f"not asked: {', '.join(self.unasked)}"] if self.unasked else []
        return "\n".join(lines)

    def to_json(self) -> str:
        return json.dumps({"passed": self.passed, **asdict(self)})


@dataclass(frozen=True)
class Plan:
    """The plan of a drill; `patience_seconds` is how long detectors may take when all images are sent."""

    corruption: str
    severity: int
    clean: int
    images: int
    patience_seconds: float
    unasked: tuple[str, ...] = ()


class DetectorState:
    """A detector, and its detection so far."""

    def __init__(self, detector: DriftDetector) -> None:
        self._detector = detector
        self._lame = False
        self.seen = Detection(detector.name)

    @property
    def is_open(self) -> bool:
        """Tell whether it may yet notice."""
        return self.seen.images is None and not self.seen.before and not self._lame

    def start(self, at: float) -> None:
        try:
            self._detector.start(at)
        except UnavailableError as error:
            self._lame = True
            self.seen = replace(self.seen, blind=str(error))

    def look_before(self) -> None:
        self.seen = replace(self.seen, before=self._notices())

    def look(self, *, images: int, seconds: float) -> None:
        if self.is_open and self._notices():
            self.seen = replace(self.seen, images=images, seconds=round(seconds, 1), cause=self._detector.cause())

    def _notices(self) -> bool:
        try:
            noticed = self._detector.notices()
        except UnavailableError as error:
            self.seen = replace(self.seen, blind=str(error))
            return False
        self.seen = replace(self.seen, blind="")
        return noticed


def drill(
    plan: Plan,
    client: Client,
    *,
    clean: Iterator[GreyImage],
    corrupted: Iterator[GreyImage],
    detectors: Sequence[DriftDetector],
    clock: Callable[[], float],
    pause: Callable[[float], None],
) -> Drill:
    """Send, look, and look again until all have noticed or patience is over; `clock` in Unix seconds."""
    states = [DetectorState(detector) for detector in detectors]
    _start(states, clock())
    send(client, islice(clean, plan.clean))
    pause(PAUSE_SECONDS)  # the last are counted after their answer
    for one in states:
        one.look_before()
    began = last = clock()
    _start(states, began)
    sent = refused = 0
    while _wait_for(states) and (sent < plan.images or clock() - last < plan.patience_seconds):
        if sent < plan.images:
            count = min(BATCH, plan.images - sent)
            refused += send(client, islice(corrupted, count))
            sent, last = sent + count, clock()
        else:
            pause(PAUSE_SECONDS)
        for one in states:
            one.look(images=sent, seconds=clock() - began)
    detections = tuple(one.seen for one in states)
    return Drill(
        plan.corruption, plan.severity, plan.clean, sent, refused, round(clock() - began, 1), detections, plan.unasked
    )


def _start(states: Sequence[DetectorState], at: float) -> None:
    for one in states:
        one.start(at)


def _wait_for(states: Sequence[DetectorState]) -> bool:
    return any(one.is_open for one in states)


def send(client: Client, images: Iterator[GreyImage]) -> int:
    """Send images, and count those refused. Raise LegibleError where there is no service to refuse them."""
    try:
        answers = list(client.read_many(map(png, images), batch=BATCH, channel=CHANNEL))
    except ServiceError as error:
        raise LegibleError(f"the service refuses to read: {error}") from error
    except httpx.HTTPError as error:
        raise LegibleError(f"the service does not answer ({error}); name another with --url") from error
    return sum(isinstance(answer, ServiceError) for answer in answers)
