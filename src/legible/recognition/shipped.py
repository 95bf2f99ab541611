"""`legible.read`: one image with the bundle that is here, opened once."""

import os
import threading
from functools import cache

from legible.ctc.lexicon import LexiconPrior
from legible.image_input import ImageInput
from legible.reading import Reading
from legible.recognition.bundle import Bundle, find_bundle, load_bundle
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import Recognizer


def read(image: ImageInput, *, lexicon: str = "", alternatives: int = 0, plain: bool = False) -> Reading:
    """Read one image of a word or a line. For many images make a `Recognizer`.

    lexicon: prefer the words of this lexicon of the bundle, such as `english`.
    alternatives: how many other texts the reading names.
    plain: straight quotes for curly ones, hyphens for dashes, three dots for an ellipsis.

    >>> legible.read("examples/word.png").text
    'Hamburg'
    """
    with opening_of(os.getpid()):
        recognizer = _recognizer()
        prior = _prior(lexicon) if lexicon else None
    return recognizer.read([image], decoding=Decoding(prior, alternatives, plain))[0]


@cache
def opening_of(_process: int) -> threading.Lock:
    """Return the lock of a process for what is opened once: one that was held at a fork stays locked in the child."""
    return threading.Lock()


@cache
def _bundle() -> Bundle:
    return load_bundle(find_bundle())


@cache
def _recognizer() -> Recognizer:
    return Recognizer.from_bundle(_bundle())


@cache
def _prior(lexicon: str) -> LexiconPrior:
    return _recognizer().prior(_bundle().lexicon(lexicon))
