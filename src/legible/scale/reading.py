"""Reading on a Ray cluster: a recognizer whose images the cluster's cores read, for the stage `evaluate`."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from legible.batched import batched
from legible.charset import Charset
from legible.errors import ImageError
from legible.image.normalize import DEFAULT
from legible.image_input import ImageInput
from legible.reading import Reading
from legible.recognition.calibration import Calibration
from legible.recognition.decoding import Decoding
from legible.recognition.recognizer import Recognizer
from legible.scale.cluster import RayPool, connect

CALL_IMAGES = 64
"""The number of images that a core reads at a time."""

Outcome = Reading | ImageError | OSError


class RayRecognizer(Recognizer):
    """A recognizer whose `read` and all that is built on it go to a cluster; the rest stays on this machine."""

    def __init__(
        self,
        model: Path | bytes,
        charset: Charset,
        *,
        calibration: Calibration | None = None,
        normalization: int = DEFAULT,
        workers: int = 1,
        address: str = "",
    ) -> None:
        super().__init__(model, charset, calibration=calibration, normalization=normalization, workers=workers)
        self._pool = RayPool(address)
        self._parts = self._pool.keep((self._model, charset, calibration, normalization))
        self._name = uuid.uuid4().hex

    def try_each(self, images: Iterable[ImageInput], *, decoding: Decoding | None = None) -> Iterator[Outcome]:
        kept, name = self._pool.keep(decoding or Decoding()), uuid.uuid4().hex
        some = batched(images, CALL_IMAGES)  # references in lists are fetched once by a process, not with each call
        return chain.from_iterable(self._pool.map(_read, ((self._name, [self._parts], name, [kept], s) for s in some)))


_known: dict[str, Any] = {}
"""In a worker process: its recognizer and decodings, by their names."""


def _read(
    name: str, parts: Sequence[Any], decoding_name: str, decoding: Sequence[Any], images: Sequence[ImageInput]
) -> list[Outcome]:
    if name not in _known:
        model, charset, calibration, normalization = _fetched(parts)
        _known[name] = Recognizer(model, charset, calibration=calibration, normalization=normalization)
    if decoding_name not in _known:
        _known[decoding_name] = _fetched(decoding)
    return list(_known[name].try_each(images, decoding=_known[decoding_name]))


def _fetched(references: Sequence[Any]) -> Any:
    return connect("").get(references[0])
