"""The exported line detector: small, of any page size, and near to the network that it came from."""

from pathlib import Path

import keras
import numpy as np
import pytest

from legible.detection.detector import LineDetector
from legible.errors import BundleError, SettingsError
from legible.network.detector import DETECTORS, build_detector
from legible.training.detector_export import converted, export_detector

MICRO = DETECTORS["micro"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_the_exported_model_answers_as_the_network_on_pages_of_any_size(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    network = build_detector(MICRO)
    pages = [rng.random((1, 64, 64, 1)).astype(np.float32) for _ in range(4)]
    export_detector(network, MICRO, pages, target=tmp_path / "detector.tflite")
    detector = LineDetector(tmp_path / "detector.tflite")
    for rows, columns in ((64, 64), (70, 130)):
        image = rng.integers(0, 256, (rows, columns)).astype(np.uint8)
        maps = detector.maps(image)
        assert maps.core.shape == maps.above.shape == (-(-rows // 4), -(-columns // 4))
        if (rows, columns) == (64, 64):
            logits = network((255 - image[None, :, :, None]) / np.float32(255), training=False)["probabilities"]
            expected = 1 / (1 + np.exp(-keras.ops.convert_to_numpy(logits)[0, :, :, 0]))
            assert np.abs(maps.core - expected).mean() < 0.05


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"detector\.tflite: no line detector here"):
        LineDetector(tmp_path / "detector.tflite")


def test_export_wants_pages_to_find_ranges_on() -> None:
    with pytest.raises(SettingsError, match="no pages to find the ranges of int8 on"):
        converted(build_detector(MICRO), MICRO, [])
