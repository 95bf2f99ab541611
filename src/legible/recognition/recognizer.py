"""Image -> Reading: the only way from an image to text, for the service, evaluation, benchmarks and command line alike.

Each image is read alone, at its own width, so that no reading depends on its neighbours. A batch is a loop over
workers, each with an interpreter of its own on one thread, that takes a few images through each step together: the
network fills the processor's caches, and what comes after it, image by image, would start cold each time.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from legible.batched import batched
from legible.charset import Charset
from legible.ctc.beam import UNIFORM, Candidate, prefix_beam_search
from legible.ctc.decode import Probabilities, align, best_path, log_probability, softmax
from legible.ctc.lexicon import Lexicon, LexiconPrior
from legible.errors import BundleError
from legible.image.decode import GreyImage
from legible.image.normalize import NEWEST, normalize
from legible.reading import Alternative, Character, Reading
from legible.recognition.bundle import CHARSET, DESCRIPTION, MODEL, Bundle
from legible.recognition.calibration import Calibration

PROBE_WIDTH = 64
TOGETHER = 4
"""Images whose steps are done together; measured, more gain nothing."""
NARROW, WIDE = 4, 12
"""Widths of the beam; measured on `tune`, a wider narrow one changes no text."""

NOTHING = Reading("", 0.0, ())
"""Of a blank image: nothing was seen that a confidence could rest on."""
SPECK = 8
"""Pixels; an image smaller than this each way may be a full stop cut out at its ink, without any paper."""


@dataclass(frozen=True)
class Decoding:
    """How logits become text: what is preferred, and how many other texts are wanted beside the best."""

    prior: LexiconPrior | None = None
    alternatives: int = 0

    @property
    def width(self) -> int:
        """Prefixes in the beam: few suffice for the best text alone."""
        return WIDE if self.prior else NARROW

    @property
    def width_of_others(self) -> int:
        """In the beam in which alternatives are looked for; they change neither the reading nor its confidence."""
        return max(WIDE, self.alternatives + 1)


class Recognizer:
    """Reads grey images with a LiteRT model; safe to call from several threads."""

    def __init__(
        self,
        model: Path,
        charset: Charset,
        *,
        calibration: Calibration | None = None,
        normalization: int = NEWEST,
        workers: int = 1,
    ) -> None:
        self._model = model
        self.charset = charset
        self._calibration = calibration or Calibration()
        self._normalization = normalization
        self._threads = threading.local()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="recognizer") if workers > 1 else None
        self.height = int(self._runner().get_input_details()["image"]["shape"][1])
        probe = np.zeros((self.height, PROBE_WIDTH), np.float32)
        self.stride = PROBE_WIDTH // len(self.logits(probe))

    @staticmethod
    def from_bundle(bundle: Bundle, *, workers: int = 1) -> "Recognizer":
        normalization = bundle.manifest.normalization
        return Recognizer(
            bundle.model, bundle.charset, calibration=bundle.calibration, normalization=normalization, workers=workers
        )

    def read(self, images: Sequence[GreyImage], *, decoding: Decoding | None = None) -> list[Reading]:
        """A reading for each image, in order."""
        return list(self.read_each(images, decoding=decoding))

    def read_each(self, images: Iterable[GreyImage], *, decoding: Decoding | None = None) -> Iterator[Reading]:
        """As `read`, handing over the readings of a few images as they are there."""
        read_some = partial(self._read_some, decoding=decoding or Decoding())
        some = batched(images, TOGETHER)
        return chain.from_iterable(map(read_some, some) if self._pool is None else self._pool.map(read_some, some))

    def prior(self, lexicon: Lexicon) -> LexiconPrior:
        """The prior of a lexicon over the labels of this model; make it once, it remembers what it weighed."""
        return LexiconPrior(lexicon, self.charset)

    def normalized(self, image: GreyImage) -> npt.NDArray[np.float32]:
        """Model input (height, W), as this model was trained on."""
        return normalize(image, height=self.height, stride=self.stride, version=self._normalization)

    def logits(self, columns: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Logits (T, V) of a normalised image (height, W)."""
        output: dict[str, Any] = self._runner()(image=columns[None, :, :, None])
        (logits,) = output.values()
        return np.asarray(logits[0], np.float32)

    def log_probability(self, image: GreyImage, text: str) -> float:
        """Of the text, summed over all paths that spell it; minus infinity where the image has too few steps for it."""
        logits = self.logits(self.normalized(image))
        return log_probability(logits, self.charset.encode(text))

    def _read_some(self, images: Sequence[GreyImage], decoding: Decoding) -> list[Reading]:
        columns = [self.normalized(image) for image in images]
        both = zip(images, columns, strict=True)
        logits = [None if is_blank(image, own) else self.logits(own) for image, own in both]
        return [NOTHING if own is None else interpret(own, self.charset, self._calibration, decoding) for own in logits]

    def _runner(self) -> Any:
        if not hasattr(self._threads, "runner"):
            interpreter = Interpreter(str(self._model), num_threads=1)
            self._threads.runner = interpreter.get_signature_runner()
        return self._threads.runner


def artefact_recognizer(folder: Path, *, calibration: Calibration | None = None, workers: int = 1) -> Recognizer:
    """Of an exported artefact that is not packed yet."""
    if not (folder / MODEL).is_file():
        raise BundleError(f"{folder}: no {MODEL} here; run legible export (or dvc repro export)")
    described = folder / DESCRIPTION  # the first artefacts had none
    normalization = json.loads(described.read_text(encoding="utf-8"))["normalization"] if described.is_file() else 1
    return Recognizer(
        folder / MODEL,
        Charset.load(folder / CHARSET),
        calibration=calibration,
        normalization=normalization,
        workers=workers,
    )


def is_blank(image: GreyImage, columns: npt.NDArray[np.float32]) -> bool:
    """Whether normalisation found no ink in an image that is large enough to show paper beside it."""
    return max(image.shape) >= SPECK and not columns.any()


def interpret(
    logits: npt.NDArray[np.float32], charset: Charset, calibration: Calibration, decoding: Decoding
) -> Reading:
    """Return the likeliest text of logits (T, V) by prefix beam search, with calibrated probabilities."""
    steps = softmax(logits)
    candidates = search(steps, decoding)
    weights = calibration.lexicon if decoding.prior else calibration.plain
    text, shares = charset.decode(candidates[0].labels), character_probabilities(steps, candidates[0].labels)
    characters = (
        Character(character, weights.character.confidence(share)) for character, share in zip(text, shares, strict=True)
    )
    confidence = weights.reading.confidence(candidates, shares, text)
    others = search_others(steps, decoding, candidates) if decoding.alternatives else []
    alternatives = (
        Alternative(charset.decode(other.labels), likely)
        for other, likely in zip(others, weights.reading.of_others(confidence, candidates, others), strict=True)
    )
    return Reading(text, confidence, tuple(characters), tuple(alternatives)[: decoding.alternatives])


def search(shares: Probabilities, decoding: Decoding) -> list[Candidate]:
    """The candidates of the probabilities of each step's labels (T, V), best first.

    Where there is ink, something is written: no text at all is a candidate only where it is the only one.
    """
    candidates = prefix_beam_search(shares, width=decoding.width, prior=decoding.prior or UNIFORM)
    return [candidate for candidate in candidates if candidate.labels] or candidates


def search_others(shares: Probabilities, decoding: Decoding, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The texts of a wide beam beside the best of the candidates that are there, best first."""
    if decoding.width_of_others > decoding.width:
        candidates = [
            candidates[0],
            *prefix_beam_search(shares, width=decoding.width_of_others, prior=decoding.prior or UNIFORM),
        ]
    return [candidate for candidate in candidates if candidate.labels not in ((), candidates[0].labels)]


def character_probabilities(shares: Probabilities, labels: Sequence[int]) -> list[float]:
    """The greatest share of each label in the steps that spell it; probabilities of each step's labels (T, V)."""
    runs = best_path(shares)
    if tuple(run.label for run in runs) != tuple(labels):
        runs = align(np.log(np.maximum(shares, np.finfo(shares.dtype).tiny)), labels)
    return [float(shares[run.start : run.stop, run.label].max()) for run in runs]
