"""Batches for the line detector: pages drawn or opened by processes, pieces cut of them, in an order that a seed fixes.

Page n of an epoch and its pieces come from (seed, epoch, n) alone, so any number of processes gives the same batches.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import cv2
import numpy as np
import numpy.typing as npt

from legible.pool_processes import end_with_starter
from legible.synth.pages.draw import draw_page
from legible.synth.pages.materials import Materials
from legible.training.detector_pieces import TrainingPiece, cut_piece
from legible.training.detector_sources import LabelledPage, true_page
from legible.training.detector_truth import Maps, TruePage

SHUFFLED_PAGES = 16
"""Pages whose pieces are mixed with each other."""
UNTOUCHED = 2**31
"""Epochs from this number on are of no training: for what is measured between epochs."""


@dataclass(frozen=True)
class PieceBatch:
    """Images (B, side, side, 1), ink 1 on paper 0, and their maps (B, side / 4, side / 4, 8)."""

    images: npt.NDArray[np.float32]
    maps: Maps


@dataclass(frozen=True)
class PieceSource:
    """All that decides the pieces: labelled pages by the weight of their source, drawn ones, and how they are cut."""

    seed: int
    materials: Materials
    labelled: tuple[tuple[tuple[LabelledPage, ...], float], ...]
    """The pages of each source, and the source's weight among the labelled ones."""
    drawn: float
    """The fraction of pages that are drawn."""
    pieces: int
    """The number of pieces of each page."""
    side: int

    def page(self, rng: np.random.Generator) -> TruePage:
        if not self.labelled or rng.random() < self.drawn:
            return true_page(draw_page(rng, self.materials))
        weights = np.array([weight for _, weight in self.labelled])
        pages = self.labelled[int(rng.choice(len(weights), p=weights / weights.sum()))][0]
        return pages[int(rng.integers(len(pages)))].opened()

    def cut(self, epoch: int, number: int) -> list[TrainingPiece]:
        """Return the pieces of page `number` of an epoch."""
        rng = np.random.default_rng([self.seed, epoch, number])
        page = self.page(rng)
        return [cut_piece(page, rng, side=self.side) for _ in range(self.pieces)]


class PiecePool:
    """Cuts pieces in processes of its own, or in this one where `workers` is 0."""

    def __init__(self, source: PieceSource, executor: ProcessPoolExecutor | None) -> None:
        self._source = source
        self._executor = executor
        self.pieces = source.pieces
        """The number of pieces of each page."""

    def batches(self, epoch: int, *, pages: int, size: int) -> Iterator[PieceBatch]:
        """Yield the batches of an epoch, in an order drawn from (seed, epoch); a rest that fills no batch is left
        out.
        """
        rng = np.random.default_rng([self._source.seed, epoch, pages, 1])
        waiting: list[TrainingPiece] = []
        for number, pieces in enumerate(self._cut(epoch, pages), start=1):
            waiting += pieces
            if number % SHUFFLED_PAGES and number < pages:
                continue
            waiting = [waiting[place] for place in rng.permutation(len(waiting))]
            while len(waiting) >= size:
                yield batch_of(waiting[:size])
                waiting = waiting[size:]

    def _cut(self, epoch: int, pages: int) -> Iterator[list[TrainingPiece]]:
        if self._executor is None:
            return (self._source.cut(epoch, number) for number in range(pages))
        return self._ahead(self._executor, epoch, pages)

    @staticmethod
    def _ahead(executor: ProcessPoolExecutor, epoch: int, pages: int) -> Iterator[list[TrainingPiece]]:
        """Yield a few pages ahead of the training, so that neither waits and memory stays flat."""
        tasks = [executor.submit(_cut_here, epoch, number) for number in range(min(SHUFFLED_PAGES, pages))]
        for number in range(pages):
            yield tasks.pop(0).result()
            following = number + SHUFFLED_PAGES
            if following < pages:
                tasks.append(executor.submit(_cut_here, epoch, following))


@contextmanager
def piece_pool(source: PieceSource, *, workers: int) -> Iterator[PiecePool]:
    if workers == 0:
        yield PiecePool(source, None)
        return
    fresh = get_context("spawn")  # a fork after TensorFlow or OpenCV have threads hangs
    with ProcessPoolExecutor(workers, fresh, initializer=_begin, initargs=(source,)) as executor:
        yield PiecePool(source, executor)


def batch_of(pieces: Sequence[TrainingPiece]) -> PieceBatch:
    images = np.stack([piece.image for piece in pieces]).astype(np.float32)[..., None] / np.float32(255)
    return PieceBatch(images, np.stack([piece.maps for piece in pieces]))


_here: list[PieceSource] = []
"""The source of this process."""


def _begin(source: PieceSource) -> None:
    cv2.setNumThreads(1)
    end_with_starter()
    _here.append(source)


def _cut_here(epoch: int, number: int) -> list[TrainingPiece]:
    return _here[-1].cut(epoch, number)
