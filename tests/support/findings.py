"""Findings of drift checks, made without observations."""

from dataclasses import replace
from pathlib import Path

from legible.drift.decide import Outcome, Verdict
from legible.drift.found import ChannelDrift, SignalDrift, UnusualDrift
from legible.drift.labelled import LabelledEstimate
from legible.drift.quality import Estimate
from legible.drift.signatures import Cause
from legible.monitoring.finding import Check, LabelFinding
from legible.observations.window import WindowTally

START = 1_763_703_600.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
SIGNALS = (
    SignalDrift("sharpness", "image", 0.42, 0.12, -0.31),
    SignalDrift("brightness", "image", 0.15, 0.12, 0.11),
    SignalDrift("confidence", "prediction", 0.18, 0.13, -0.16),
    SignalDrift("ink_fraction", "image", 0.05, 0.12, 0.02),
)


def drifted(at: float = START, *, pictures: tuple[Path, ...] = (), channel: str = "mobile") -> Check:
    """A drift of one channel of two, blurred images in a third of them, with labels."""
    verdict = Verdict(
        Outcome.DRIFT,
        1000,
        50,
        {"image": 0.12, "prediction": 0.13},
        SIGNALS,
        (ChannelDrift(channel, 300, 3.5), ChannelDrift("scanner", 700, 0.6)),
        documents=60.0,
        unusual=UnusualDrift(0.14, 0.05),
    )
    labels = LabelFinding(LabelledEstimate(0.613, 0.55, 0.68, 100, 0.7), 100, 3, 0)
    return Check(
        verdict,
        at,
        WindowTally(),
        None,
        cause=Cause("blur", 3, 0.32, 0.8),
        estimate=Estimate(0.66, 0.6, 0.72, "unlike training, partly blur, severity 3", 0, 0),
        unusual=tuple(path.stem for path in pictures),
        pictures=pictures,
        against="baseline",
        labels=labels,
        bundle="0123456789ab",
    )


def usual(at: float = START) -> Check:
    """A window in which nothing has changed."""
    signals = tuple(replace(signal, ks=0.04, shift=0.01) for signal in SIGNALS)
    verdict = replace(
        drifted().verdict,
        outcome=Outcome.NO_DRIFT,
        signals=signals,
        channels=(),
        unusual=UnusualDrift(0.02, 0.05),
    )
    estimate = Estimate(0.83, 0.81, 0.85, "", 0, 0)
    return replace(drifted(at), verdict=verdict, cause=None, estimate=estimate, labels=None)


def too_few(at: float = START) -> Check:
    """A window with too few images."""
    verdict = Verdict(Outcome.NOT_ENOUGH_DATA, 9, 50, {}, ())
    return Check(verdict, at, WindowTally(), None)
