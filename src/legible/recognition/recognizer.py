"""Image -> Reading: the one way from an image to text, for the service, evaluation, benchmarks and command line alike.

Each image is read alone, at its own width, so no reading depends on the other images of a batch. A batch is a loop over
worker threads, each with its own interpreter. A thread takes a few images through each step together (preprocessing,
network, decoding), because the network evicts the other steps' data from the processor's caches.
"""

import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

from legible.arrays import GreyImage
from legible.batched import batched, map_ahead
from legible.charset import Charset
from legible.ctc.decode import log_probability
from legible.ctc.lexicon import Lexicon, LexiconPrior
from legible.errors import BundleError, ImageError
from legible.image.inputs import grey_image
from legible.image.normalize import DEFAULT, normalize
from legible.image.page_hint import looks_like_page
from legible.image_input import ImageInput
from legible.reading import Reading
from legible.recognition.bundle import CHARSET, DESCRIPTION, MODEL, Bundle, find_bundle, load_bundle
from legible.recognition.calibration import Calibration
from legible.recognition.decoding import Decoding, interpret

PROBE_WIDTH = 64
"""Columns of the blank input from which the stride of a model is measured."""
STEP_IMAGES = 4
"""The number of images that a worker takes through each step together; measured, more gain nothing."""
MODEL_FAULTS = (ValueError, RuntimeError, KeyError, IndexError, TypeError, ZeroDivisionError)
"""What LiteRT raises for no model, and what a model of another kind makes of an image."""
AHEAD = 2
"""The number of batches of STEP_IMAGES images that wait for each worker."""
NOTHING = Reading("", 0.0, ())
"""The reading of a blank image, without ink that a confidence could rest on, and of a page that is read as no text."""
SPECK = 8
"""Pixels. An image smaller than this in both directions may be a full stop cut out at its ink, without any paper."""


class Recognizer:
    """Reads images with a LiteRT model. It is safe to call from several threads, and after a fork.

    >>> recognizer = Recognizer.open(workers=4)
    >>> [reading.text for reading in recognizer.read(["examples/word.png", "examples/line.png"])]
    ['Hamburg', 'the ship sails at noon']
    """

    def __init__(
        self,
        model: Path | bytes,
        charset: Charset,
        *,
        calibration: Calibration | None = None,
        normalization: int = DEFAULT,
        workers: int = 1,
    ) -> None:
        # the file may be replaced before another thread opens it
        self._model = model if isinstance(model, bytes) else model.read_bytes()
        self.charset = charset
        self._calibration = calibration or Calibration()
        self._normalization = normalization
        self._workers = workers
        self._threads = _Threads(workers)
        cv2.setNumThreads(1)  # images are shared out among workers, and OpenCV's own threads hang after a fork
        try:
            self.height = int(self._runner().get_input_details()["image"]["shape"][1])
            steps, labels = self.logits(np.zeros((self.height, PROBE_WIDTH), np.float32)).shape
            self.stride = PROBE_WIDTH // steps
        except MODEL_FAULTS as error:
            raise BundleError(
                f"{MODEL}: damaged, or no model that reads text ({error}); fetch its bundle anew"
            ) from error
        if labels != charset.size:
            raise BundleError(f"{MODEL} has {labels} labels, and {CHARSET} {charset.size}; pack both of one training")

    @staticmethod
    def from_bundle(bundle: Bundle, *, workers: int = 1) -> "Recognizer":
        """Make a recognizer of an opened bundle, with its charset and calibration.

        Raise BundleError where the folder holds another bundle by now, or a model that reads no text.
        """
        normalization = bundle.manifest.normalization
        return Recognizer(
            bundle.content(MODEL),
            bundle.charset,
            calibration=bundle.calibration,
            normalization=normalization,
            workers=workers,
        )

    @staticmethod
    def open(bundle: str | os.PathLike[str] | None = None, *, workers: int = 1) -> "Recognizer":
        """Make a recognizer of a bundle's folder; of the one that `find_bundle` finds where none is named."""
        return Recognizer.from_bundle(load_bundle(Path(bundle) if bundle else find_bundle()), workers=workers)

    def read(self, images: Sequence[ImageInput], *, decoding: Decoding | None = None) -> list[Reading]:
        """Return one reading for each image, in order: paths, bytes, open files, PIL images or arrays.

        Raise ImageError, or OSError for a path, for the first image that cannot be read.
        """
        return list(self.read_each(images, decoding=decoding))

    def read_each(self, images: Iterable[ImageInput], *, decoding: Decoding | None = None) -> Iterator[Reading]:
        """Yield one reading for each image, in order. Memory does not grow with the number of images."""
        for outcome in self.try_each(images, decoding=decoding):
            if isinstance(outcome, Exception):
                raise outcome
            yield outcome

    def try_each(
        self, images: Iterable[ImageInput], *, decoding: Decoding | None = None
    ) -> Iterator[Reading | ImageError | OSError]:
        """Yield for each image, in order, its reading or the error that it met; the others are read all the same."""
        try_some = partial(self._try_some, decoding=decoding or Decoding())
        some = batched(images, STEP_IMAGES)
        pool = self._here().pool
        if pool is None:
            return chain.from_iterable(map(try_some, some))
        return chain.from_iterable(map_ahead(pool, try_some, some, ahead=AHEAD * self._workers))

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

    def _try_some(self, images: Sequence[ImageInput], decoding: Decoding) -> list[Reading | ImageError | OSError]:
        opened = [_try_to_open(image) for image in images]
        readings = iter(self._read_some([one for one in opened if not isinstance(one, Exception)], decoding))
        return [one if isinstance(one, Exception) else next(readings) for one in opened]

    def _read_some(self, images: Sequence[GreyImage], decoding: Decoding) -> list[Reading]:
        inputs = [self.preprocess(image) for image in images]
        pairs = zip(images, inputs, strict=True)
        logits = [None if is_blank(image, own) else self.logits(own) for image, own in pairs]
        return [
            NOTHING if own is None else self._read_one(own, image, decoding)
            for image, own in zip(images, logits, strict=True)
        ]

    def _read_one(self, logits: npt.NDArray[np.float32], image: GreyImage, decoding: Decoding) -> Reading:
        """Return what logits (T, V) say of an image: nothing to rest on, where no text is read of a page of lines."""
        reading = interpret(logits, self.charset, self._calibration, decoding)
        return reading if reading.text or not looks_like_page(image) else NOTHING

    def _runner(self) -> Any:
        """Return this thread's interpreter; the first call in a thread makes it."""
        own = self._here().local
        if not hasattr(own, "runner"):
            interpreter = Interpreter(model_content=self._model, num_threads=1)
            own.runner = interpreter.get_signature_runner()
        return own.runner

    def _here(self) -> "_Threads":
        """Return the threads of this process: a fork has none of those that its parent started."""
        if self._threads.process != os.getpid():
            self._threads = _Threads(self._workers)
        return self._threads


class _Threads:
    """The worker threads of a recognizer in one process, and what each thread has for itself."""

    def __init__(self, workers: int) -> None:
        self.process = os.getpid()
        self.local = threading.local()
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix="recognizer") if workers > 1 else None


def _try_to_open(image: ImageInput) -> GreyImage | ImageError | OSError:
    try:
        return grey_image(image)
    except (ImageError, OSError) as error:
        return error


MakeRecognizer = Callable[..., Recognizer]
"""`Recognizer`, or what takes its place, with its arguments."""


def artefact_recognizer(
    folder: Path, *, calibration: Calibration | None = None, workers: int = 1, make: MakeRecognizer = Recognizer
) -> Recognizer:
    """Make a recognizer of an exported artefact that is not packed into a bundle yet."""
    if not (folder / MODEL).is_file():
        raise BundleError(f"{folder}: no {MODEL} here; run legible export (or dvc repro export)")
    described = folder / DESCRIPTION  # the first artefacts had none
    normalization = json.loads(described.read_text(encoding="utf-8"))["normalization"] if described.is_file() else 1
    return make(
        folder / MODEL,
        Charset.load(folder / CHARSET),
        calibration=calibration,
        normalization=normalization,
        workers=workers,
    )


def is_blank(image: GreyImage, model_input: npt.NDArray[np.float32]) -> bool:
    """Return whether preprocessing found no ink in an image that is large enough to show paper beside ink."""
    return max(image.shape) >= SPECK and not model_input.any()
