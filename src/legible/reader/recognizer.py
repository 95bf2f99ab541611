"""Image -> Reading: the only way from an image to text, for the service, evaluation, benchmarks and command line alike.

Each image is read alone, at its own width, so that no reading depends on its neighbours. A batch is a loop over
workers, each with an interpreter of its own on one thread.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from legible.charset import Charset
from legible.ctc.decode import Run, best_path, log_softmax
from legible.errors import BundleError
from legible.image.decode import GreyImage
from legible.image.normalize import normalize
from legible.reader.bundle import CHARSET, MODEL, Bundle
from legible.reading import Character, Reading

PROBE_WIDTH = 64


class Recognizer:
    """Reads grey images with a LiteRT model; safe to call from several threads."""

    def __init__(self, model: Path, charset: Charset, *, temperature: float = 1.0, workers: int = 1) -> None:
        self._model = model
        self.charset = charset
        self._temperature = temperature
        self._threads = threading.local()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="recognizer") if workers > 1 else None
        self.height = int(self._runner().get_input_details()["image"]["shape"][1])
        probe = np.zeros((self.height, PROBE_WIDTH), np.float32)
        self.stride = PROBE_WIDTH // len(self.logits(probe))

    @staticmethod
    def from_bundle(bundle: Bundle, *, workers: int = 1) -> "Recognizer":
        return Recognizer(bundle.model, bundle.charset, temperature=bundle.temperature, workers=workers)

    def read(self, images: Sequence[GreyImage]) -> list[Reading]:
        """A reading for each image, in order."""
        return list(self.read_each(images))

    def read_each(self, images: Iterable[GreyImage]) -> Iterator[Reading]:
        """As `read`, handing over each reading as it is there."""
        return map(self._read_one, images) if self._pool is None else self._pool.map(self._read_one, images)

    def logits(self, columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Logits (T, V) of a normalised image (height, W)."""
        output: dict[str, Any] = self._runner()(image=columns[None, :, :, None])
        (logits,) = output.values()
        return np.asarray(logits[0], np.float32)

    def _read_one(self, image: GreyImage) -> Reading:
        logits = self.logits(normalize(image, height=self.height, stride=self.stride))
        return interpret(logits, self.charset, temperature=self._temperature)

    def _runner(self) -> Any:
        if not hasattr(self._threads, "runner"):
            interpreter = Interpreter(str(self._model), num_threads=1)
            self._threads.runner = interpreter.get_signature_runner()
        return self._threads.runner


def artefact_recognizer(folder: Path, *, temperature: float = 1.0, workers: int = 1) -> Recognizer:
    """Of an exported artefact that is not packed yet."""
    if not (folder / MODEL).is_file():
        raise BundleError(f"{folder}: no {MODEL} here; run legible export (or dvc repro export)")
    return Recognizer(folder / MODEL, Charset.load(folder / CHARSET), temperature=temperature, workers=workers)


def interpret(logits: npt.NDArray[np.float32], charset: Charset, *, temperature: float) -> Reading:
    """Best-path reading of logits (T, V).

    Its confidence is the probability of the best path, the product over all steps of the likeliest label's share after
    the temperature (Guo et al. 2017, section 4); a character's is the best share within its run.
    """
    shares = log_softmax(logits / temperature).max(axis=-1)
    characters = tuple(_character(run, shares, charset) for run in best_path(logits))
    text = "".join(character.text for character in characters)
    return Reading(text, confidence=float(np.exp(shares.sum())), characters=characters)


def _character(run: Run, shares: npt.NDArray[np.float64], charset: Charset) -> Character:
    return Character(charset.decode([run.label]), confidence=float(np.exp(shares[run.start : run.stop].max())))
