"""Samples -> examples, ahead of the network, by worker processes that share the images in one mapped file.

The examples depend on the seed, the epoch and the position in the plan alone, never on the number of workers.
"""

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from legible.data.dataset import Sample
from legible.pool_processes import end_with_starter
from legible.training.batches import Example, PreprocessingConfig, prepare_sample

CHUNK = 32
"""The number of samples that a worker gets at a time."""
CHUNKS_AHEAD = 8
"""The number of chunks that each worker may be ahead."""


NO_PIXELS = np.zeros((0, 0), np.uint8)


@dataclass(frozen=True)
class Stored:
    """Images one after the other in a file of bytes, and the samples' other fields.

    A worker maps it instead of copying it.
    """

    path: Path
    starts: npt.NDArray[np.int64]
    shapes: npt.NDArray[np.int64]
    facts: tuple[Sample, ...]
    """The samples without their images."""

    @staticmethod
    def write(path: Path, samples: Sequence[Sample]) -> "Stored":
        with path.open("wb") as file:
            for sample in samples:
                file.write(np.ascontiguousarray(sample.image).data)
        sizes = np.array([sample.image.size for sample in samples], np.int64)
        shapes = np.array([sample.image.shape for sample in samples], np.int64)
        facts = tuple(replace(sample, image=NO_PIXELS) for sample in samples)
        return Stored(path, np.cumsum(sizes) - sizes, shapes, facts)

    def opened(self) -> "Opened":
        return Opened(np.memmap(self.path, np.uint8, mode="r"), self)


@dataclass(frozen=True)
class Opened:
    """The stored images, mapped into memory."""

    pixels: npt.NDArray[np.uint8]
    stored: Stored

    def sample(self, number: int) -> Sample:
        start, (height, width) = int(self.stored.starts[number]), self.stored.shapes[number]
        pixels = self.pixels[start : start + height * width].reshape(height, width)
        return replace(self.stored.facts[number], image=pixels)


class PreprocessingPool:
    """An ExampleSource of worker processes; a single worker is this process itself.

    A context: its processes end with it.
    """

    def __init__(self, samples: Sequence[Sample], preprocessing: PreprocessingConfig, *, workers: int) -> None:
        self._samples = samples
        self._preparation = preprocessing
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        if self._workers > 1:
            self._folder = tempfile.TemporaryDirectory()
            stored = Stored.write(Path(self._folder.name) / "pixels", self._samples)
            self._pool = ProcessPoolExecutor(
                self._workers, get_context("spawn"), initializer=_open, initargs=(stored, self._preparation)
            )  # spawn: a fork of a process in which TensorFlow runs hangs
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if self._folder is not None:
            self._folder.cleanup()

    def prepared(self, plan: npt.NDArray[np.int64], *, epoch: int) -> Iterator[Example]:
        """Yield the example of each sample of a plan, in its order."""
        if self._pool is None:
            for place, number in enumerate(plan):
                yield _prepare_one(self._samples[number], self._preparation, epoch=epoch, place=place)
            return
        chunks = ((start, plan[start : start + CHUNK]) for start in range(0, len(plan), CHUNK))
        waiting: deque[Future[list[Example]]] = deque()
        for start, numbers in islice(chunks, CHUNKS_AHEAD * self._workers):
            waiting.append(self._pool.submit(_prepare_chunk, numbers, epoch, start))
        while waiting:
            done = waiting.popleft().result()
            waiting.extend(
                self._pool.submit(_prepare_chunk, numbers, epoch, start) for start, numbers in islice(chunks, 1)
            )
            yield from done


_reach: list[tuple[Opened, PreprocessingConfig]] = []
"""In a worker process: the images, and how to prepare them."""


def _open(stored: Stored, preprocessing: PreprocessingConfig) -> None:
    cv2.setNumThreads(1)
    end_with_starter(partial(stored.path.unlink, missing_ok=True))
    _reach[:] = [(stored.opened(), preprocessing)]


def _prepare_chunk(numbers: npt.NDArray[np.int64], epoch: int, start: int) -> list[Example]:
    opened, preprocessing = _reach[0]
    return [
        _prepare_one(opened.sample(int(number)), preprocessing, epoch=epoch, place=start + offset)
        for offset, number in enumerate(numbers)
    ]


def _prepare_one(sample: Sample, preprocessing: PreprocessingConfig, *, epoch: int, place: int) -> Example:
    return prepare_sample(sample, preprocessing, np.random.default_rng([preprocessing.seed, epoch, place]))
