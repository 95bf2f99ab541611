"""Benchmarks measure what is trained and shipped now."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import quantization
import seeds
from conftest import PROJECT

from legible.charset import Charset
from legible.config import load_params
from legible.image.normalize import NEWEST, normalize
from legible.network.zoo import ZOO, build_network
from legible.training.phases import phases_of
from legible.training.weights import save_weights

pytestmark = pytest.mark.slow


def test_seeds_trains_as_the_last_training_of_the_recipe_normalises() -> None:
    asked = seeds.settings(7, epochs=5).train
    last = phases_of(load_params(PROJECT / "params.yaml"))[-1].train
    assert (asked.renormalized, asked.batch_columns) == (last.renormalized, last.batch_columns)


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
def test_quantization_reads_images_by_the_normalisation_that_the_weights_were_trained_on(
    version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = Charset("digits", "0123456789")
    trained = dataclasses.replace(load_params(PROJECT / "params.yaml").train, size="micro", normalization=version)
    network = build_network(ZOO["micro"], labels=digits.size, height=trained.height)
    save_weights(network, tmp_path / "models/weights", trained, charset=digits)
    monkeypatch.setattr(quantization, "PROJECT", tmp_path)
    image = np.full((61, 93), 240, np.uint8)
    image[13:48, 9:80:7] = 20
    for recognizer in quantization.recognizers(tmp_path, workers=1).values():
        expected = normalize(image, height=trained.height, stride=recognizer.stride, version=version)
        assert np.array_equal(recognizer.preprocess(image), expected)
