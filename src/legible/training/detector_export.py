"""Weights of the line detector -> the LiteRT model that is served: all of it in int8, pages of any size.

Needs TensorFlow, whatever backend trained the weights.
"""

from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from legible.errors import SettingsError
from legible.files import replace_file
from legible.network.detector import DetectorSize, build_inference_detector


def export_detector(
    network: keras.Model, size: DetectorSize, pages: Iterable[npt.NDArray[np.float32]], *, target: Path
) -> None:
    """Write the model; `pages` (1, H, W, 1), ink 1 on paper 0, are what the ranges of its numbers are found on."""
    content = converted(network, size, list(pages))
    target.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(target) as fresh:
        fresh.write_bytes(content)


def converted(network: keras.Model, size: DetectorSize, pages: list[npt.NDArray[np.float32]]) -> bytes:
    """Return the bytes of the LiteRT model.

    Measured at 1024 x 768: 6.7 ms in int8, 11 ms in float, 19 ms with dynamic ranges.
    """
    if keras.backend.backend() != "tensorflow":
        raise SettingsError(
            f"export runs on TensorFlow, not on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow for it"
        )
    if not pages:
        raise SettingsError("no pages to find the ranges of int8 on; hand over some from training")
    import tensorflow as tf  # five seconds that only export should pay  # noqa: PLC0415

    converter = tf.lite.TFLiteConverter.from_keras_model(build_inference_detector(network, size))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([page] for page in pages)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    return bytes(converter.convert())
