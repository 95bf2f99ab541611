"""The service's own kind of histogram beside the library's."""

import random

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from legible.service.internals.of_prometheus import ManyHistogram
from legible.service.metrics import TENTHS


def exposed(values: list[float], *, together: bool) -> bytes:
    registry = CollectorRegistry()
    kind = ManyHistogram if together else Histogram
    histogram = kind("ranks", "Ranks.", ["statistic"], buckets=TENTHS, registry=registry)
    child = histogram.labels("height")
    if isinstance(child, ManyHistogram):
        child.observe_all(values)
    else:
        for value in values:
            child.observe(value)
    return b"".join(line for line in generate_latest(registry).splitlines(keepends=True) if b"_created" not in line)


def test_values_counted_together_are_those_counted_one_by_one() -> None:
    chance = random.Random(1)
    values = [0.0, 0.1, 0.3, 1.0, 1.5, *(chance.randrange(64) / 64 for _ in range(500))]
    assert exposed(values, together=True) == exposed(values, together=False)
