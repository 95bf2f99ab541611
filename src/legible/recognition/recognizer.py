"""Image -> Reading: the one way from an image to text, for the service, evaluation, benchmarks and command line alike.

Each image is read alone, at its own width, so no reading depends on the other images of a batch. A batch is a loop over
worker threads, each with its own interpreter. A thread takes a few images through each step together (preprocessing,
network, decoding), because the network evicts the other steps' data from the processor's caches.
"""

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from legible.batched import batched
from legible.charset import Charset
from legible.ctc.decode import log_probability
from legible.ctc.lexicon import Lexicon, LexiconPrior
from legible.errors import BundleError
from legible.image.decode import GreyImage
from legible.image.normalize import DEFAULT, normalize
from legible.reading import Reading
from legible.recognition.bundle import CHARSET, DESCRIPTION, MODEL, Bundle
from legible.recognition.calibration import Calibration
from legible.recognition.decoding import Decoding, interpret

PROBE_WIDTH = 64
"""Columns of the blank input from which the stride of a model is measured."""
TOGETHER = 4
"""Images that a worker takes through each step together; measured, more gain nothing."""
NOTHING = Reading("", 0.0, ())
"""The reading of a blank image: without ink there is nothing that a confidence could rest on."""
SPECK = 8
"""Pixels. An image smaller than this in both directions may be a full stop cut out at its ink, without any paper."""


class Recognizer:
    """Reads grey images with a LiteRT model. It is safe to call from several threads.

    >>> recognizer = Recognizer.from_bundle(load_bundle(find_bundle()))
    >>> recognizer.read([decode(Path("word.png").read_bytes())])[0].text
    'Hamburg'
    """

    def __init__(
        self,
        model: Path,
        charset: Charset,
        *,
        calibration: Calibration | None = None,
        normalization: int = DEFAULT,
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
        """Make a recognizer of an opened bundle, with its charset and calibration."""
        normalization = bundle.manifest.normalization
        return Recognizer(
            bundle.model, bundle.charset, calibration=bundle.calibration, normalization=normalization, workers=workers
        )

    def read(self, images: Sequence[GreyImage], *, decoding: Decoding | None = None) -> list[Reading]:
        """Return one reading for each image, in order."""
        return list(self.read_each(images, decoding=decoding))

    def read_each(self, images: Iterable[GreyImage], *, decoding: Decoding | None = None) -> Iterator[Reading]:
        """Yield one reading for each image, in order. Memory does not grow with the number of images."""
        read_some = partial(self._read_some, decoding=decoding or Decoding())
        some = batched(images, TOGETHER)
        return chain.from_iterable(map(read_some, some) if self._pool is None else self._pool.map(read_some, some))

    def prior(self, lexicon: Lexicon) -> LexiconPrior:
        """Return the prior of a lexicon over the labels of this model.

        Make it once and reuse it: it caches what it weighed.
        """
        return LexiconPrior(lexicon, self.charset)

    def preprocess(self, image: GreyImage) -> npt.NDArray[np.float32]:
        """Return the model input (height, W) of an image, by the normalisation that this model was trained with."""
        return normalize(image, height=self.height, stride=self.stride, version=self._normalization)

    def logits(self, model_input: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the logits (T, V) of a model input (height, W)."""
        output: dict[str, Any] = self._runner()(image=model_input[None, :, :, None])
        (logits,) = output.values()
        return np.asarray(logits[0], np.float32)

    def log_probability(self, image: GreyImage, text: str) -> float:
        """Return the log-probability that the model gives a text, summed over all paths that spell it.

        It is minus infinity where the image has too few time steps for the text.
        """
        logits = self.logits(self.preprocess(image))
        return log_probability(logits, self.charset.encode(text))

    def _read_some(self, images: Sequence[GreyImage], decoding: Decoding) -> list[Reading]:
        inputs = [self.preprocess(image) for image in images]
        pairs = zip(images, inputs, strict=True)
        logits = [None if is_blank(image, own) else self.logits(own) for image, own in pairs]
        return [NOTHING if own is None else interpret(own, self.charset, self._calibration, decoding) for own in logits]

    def _runner(self) -> Any:
        """Return this thread's interpreter; the first call in a thread makes it."""
        if not hasattr(self._threads, "runner"):
            interpreter = Interpreter(str(self._model), num_threads=1)
            self._threads.runner = interpreter.get_signature_runner()
        return self._threads.runner


def artefact_recognizer(folder: Path, *, calibration: Calibration | None = None, workers: int = 1) -> Recognizer:
    """Make a recognizer of an exported artefact that is not packed into a bundle yet."""
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


def is_blank(image: GreyImage, model_input: npt.NDArray[np.float32]) -> bool:
    """Return whether preprocessing found no ink in an image that is large enough to show paper beside ink."""
    return max(image.shape) >= SPECK and not model_input.any()
