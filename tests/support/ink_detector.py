"""A line detector that was never trained: where there is ink in a row, there is a line. For large letters on white.

Once in Python, once as a model that the page process can open.
"""

from pathlib import Path

import cv2
import numpy as np

from legible.detection.maps import HEIGHT_UNIT, STRIDE, PageMaps

REACH = 5
"""Cells of a row over which ink is gathered."""
STEEPNESS, THRESHOLD = 40.0, 0.08
HALF_LINE = 8.0
"""Pixels from the middle of a line to its edges, at the height that `find_lines` scales to."""


class InkDetector:
    def maps(self, image: np.ndarray) -> PageMaps:
        rows, columns = image.shape
        size = (-(-columns // STRIDE), -(-rows // STRIDE))
        ink = cv2.resize((255 - image).astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)
        gathered = cv2.blur(ink, (REACH, 1), borderType=cv2.BORDER_CONSTANT)
        core = 1 / (1 + np.exp(-STEEPNESS * (gathered - THRESHOLD)))
        height = np.full_like(core, HALF_LINE)
        return PageMaps(core, np.zeros_like(core), np.ones_like(core), height, height)


def write_ink_detector(target: Path) -> Path:
    """Write the same as a model of LiteRT; needs TensorFlow, and some seconds."""
    import keras  # noqa: PLC0415
    import tensorflow as tf  # noqa: PLC0415
    from keras import layers, ops  # noqa: PLC0415

    image = keras.Input((None, None, 1), batch_size=1, name="image")
    ink = layers.AveragePooling2D(STRIDE)(image)
    kernel = np.full((1, REACH, 1, 1), 1 / REACH, np.float32)
    blur = layers.Conv2D(1, (1, REACH), padding="same", use_bias=False)
    gathered = blur(ink)
    blur.set_weights([kernel])
    core = ops.sigmoid(STEEPNESS * (gathered - THRESHOLD))
    nothing = 0.0 * core
    probabilities = ops.concatenate([core, nothing, nothing + 1.0], axis=-1)
    heights = ops.concatenate([nothing + HALF_LINE / HEIGHT_UNIT] * 2, axis=-1)
    network = keras.Model(image, {"probabilities": probabilities, "heights": heights})
    target.write_bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())
    return target
