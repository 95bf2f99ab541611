"""Private parts of prometheus_client."""

from bisect import bisect_left
from collections import Counter as CountOf
from collections.abc import Sequence

from prometheus_client import Histogram


class ManyHistogram(Histogram):
    """A histogram that takes many values at once, at the price of few: a worker writes each count to a shared file."""

    def observe_all(self, values: Sequence[float]) -> None:
        """Do the same as `observe` of each."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        self._sum.inc(sum(values))
        for bucket, count in CountOf(bisect_left(self._upper_bounds, value) for value in values).items():
            self._buckets[bucket].inc(count)
