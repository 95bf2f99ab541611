"""Stage `export`: from float weights to the artefact that is served, a LiteRT model of free width, and its charset.

It needs TensorFlow, whatever backend trained the weights.
"""

import os
from pathlib import Path

import keras

from legible.config import Params
from legible.errors import SettingsError
from legible.files import replace_folder
from legible.network.zoo import build_inference_network, size_named
from legible.training.weights import load_network

QUANTIZATIONS = ("dynamic", "none")


def export(params: Params, *, root: Path, weights: Path | None = None) -> None:
    """Write root/training/artefact/{model.tflite, charset.json, description.json}.

    weights: the folder of the float weights; root/models/weights where none is named.
    """
    network, description, charset = load_network(weights or root / "models/weights")
    twin = build_inference_network(
        network, size_named(description.size), labels=charset.size, height=description.height
    )
    content = convert(twin, quantization=params.export.quantization)
    with replace_folder(root / "training/artefact") as fresh:  # a model with the charset of another reads wrong
        charset.save(fresh / "charset.json")
        description.save(fresh)
        (fresh / "model.tflite").write_bytes(content)


def convert(twin: keras.Model, *, quantization: str) -> bytes:
    """Return the bytes of a LiteRT model. `dynamic`: weights in int8, the scales of activations found at inference."""
    if quantization not in QUANTIZATIONS:
        raise SettingsError(f"export.quantization is {quantization!r}; known: {', '.join(QUANTIZATIONS)}")
    if keras.backend.backend() != "tensorflow":
        raise SettingsError(
            f"export runs on TensorFlow, not on {keras.backend.backend()}; set KERAS_BACKEND=tensorflow for it"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf  # five seconds that only export should pay  # noqa: PLC0415

    converter = tf.lite.TFLiteConverter.from_keras_model(twin)
    if quantization == "dynamic":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert())
