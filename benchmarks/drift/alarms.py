"""How often do the drift alerts of monitoring/rules/drift.yml fire by chance, as their windows slide by the minute?

Simulates ranks of independent images like the reference's for thirty days, and counts how often each window is above
the threshold at a look, and how often the alert fires as it is written. Prints a table, writes alarms.json.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from legible.drift.reference import EDGES
from legible.observations.row import SIGNALS

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "monitoring/rules/drift.yml"
MINUTES_A_DAY = 1440
DAYS = 30
SMALLEST_WINDOW = 50
REFERENCE_IMAGES = 8000
CALIBRATION_IMAGES = 200
BUDGET = 0.001
MINUTES = {"m": 1, "h": 60, "d": MINUTES_A_DAY}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Alert:
    """Fires where the ratio of a window of so many minutes is above the limit for `lasting` minutes."""

    window: str
    minutes: int
    limit: float
    lasting: int


def alerts() -> list[Alert]:
    """ImageDrift, as the rules have it."""
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    return [alert_of(rule["expr"], rule["for"]) for rule in rules if rule.get("alert") == "ImageDrift"]


def alert_of(expression: str, lasting: str) -> Alert:
    found = re.search(r'window="(\w+)"} > ([\d.]+)', expression)
    if found is None:
        raise SystemExit(f"{RULES}: ImageDrift is no longer a window's ratio above a limit: {expression}")
    return Alert(found[1], minutes_of(found[1]), float(found[2]), minutes_of(lasting))


def minutes_of(duration: str) -> int:
    return int(duration[:-1]) * MINUTES[duration[-1]]


def calibrated(rng: np.random.Generator, *, windows: int = 100_000) -> float:
    """c for one false alarm in a thousand windows that are looked at once."""
    highest = np.zeros(windows)
    for _ in SIGNALS:
        deciles = rng.multinomial(CALIBRATION_IMAGES, np.full(10, 0.1), windows)
        highest = np.maximum(highest, ks(np.cumsum(deciles, axis=1)[:, :-1] / CALIBRATION_IMAGES))
    return float(np.quantile(highest, 1 - BUDGET) / np.sqrt(1 / CALIBRATION_IMAGES + 1 / REFERENCE_IMAGES))


def ks(shares: Floats) -> Floats:
    return np.abs(shares - np.asarray(EDGES)).max(axis=-1)


def ratios(windows: Sequence[int], rate: float, c: float, rng: np.random.Generator) -> list[Floats]:
    """`legible:drift:ratio` of windows of so many minutes, each minute of thirty days of `rate` images a minute."""
    images = rng.poisson(rate, DAYS * MINUTES_A_DAY)
    counts = [within(images, minutes) for minutes in windows]
    highest = [np.zeros(len(n)) for n in counts]
    for _ in SIGNALS:
        below = np.cumsum(rng.multinomial(images, np.full(10, 0.1)), axis=1)[:, :-1]
        for i, (minutes, n) in enumerate(zip(windows, counts, strict=True)):
            highest[i] = np.maximum(highest[i], ks(within(below, minutes) / np.maximum(n, 1)[:, None]))
    thresholds = [c * np.sqrt(1 / np.maximum(n, 1) + 1 / REFERENCE_IMAGES) for n in counts]
    return [
        np.where(n >= SMALLEST_WINDOW, most / threshold, 0)
        for most, threshold, n in zip(highest, thresholds, counts, strict=True)
    ]


def within(counts: npt.NDArray[np.int_], minutes: int) -> npt.NDArray[np.int_]:
    """Sums over each run of so many minutes."""
    summed = np.concatenate([np.zeros_like(counts[:1]), np.cumsum(counts, axis=0)])
    return summed[minutes:] - summed[:-minutes]


def alarms(ratio: Floats, *, limit: float, lasting: int) -> int:
    """How often the ratio stays above the limit for so many minutes."""
    edges = np.diff(np.concatenate([[0], (ratio > limit).astype(int), [0]]))
    return int((np.flatnonzero(edges < 0) - np.flatnonzero(edges > 0) > lasting).sum())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--months", type=int, default=20)
    options.add_argument("--images-a-minute", type=float, default=10)
    chosen = options.parse_args()
    rng = np.random.default_rng(1)
    c, watched = calibrated(rng), alerts()
    looks, fired = np.zeros(len(watched)), np.zeros(len(watched))
    for _ in range(chosen.months):
        months = ratios([alert.minutes for alert in watched], chosen.images_a_minute, c, rng)
        looks += [alarms(ratio, limit=1.0, lasting=0) for ratio in months]
        fired += [alarms(r, limit=a.limit, lasting=a.lasting) for r, a in zip(months, watched, strict=True)]
    rows = [
        {"window": alert.window, "above_at_a_look": looks[i] / chosen.months, "alerts": fired[i] / chosen.months}
        for i, alert in enumerate(watched)
    ]
    (HERE / "alarms.json").write_text(json.dumps({"c": c, **vars(chosen), "rows": rows}, indent=1) + "\n")
    print(f"by chance in {DAYS} days, mean of {chosen.months}, c {c:.2f}, {chosen.images_a_minute:g} images a minute:")
    for row in rows:
        looks, fires = row["above_at_a_look"], row["alerts"]
        print(f"{row['window']:4} above the threshold at a look {looks:6.2f}   alert {fires:6.2f}")


main()
