"""The line detector's network: its size, its outputs, its loss, and the twin that is served."""

import keras
import numpy as np
import pytest

from legible.detection.maps import STRIDE
from legible.network.detector import DETECTORS, build_detector, build_inference_detector, detector_loss
from legible.network.normalization import BatchNormalization

MICRO = DETECTORS["micro"]


def truth(*, core: float = 0.0, known: float = 1.0, height: float = 0.5) -> np.ndarray:
    """Maps (1, 8, 8, 8) that say the same everywhere."""
    channels = (core, 0.0, 1.0, height, height, known, 1.0, 1.0)
    return np.broadcast_to(np.array(channels, np.float32), (1, 8, 8, 8)).copy()


def answer(*, core: float, heights: float = 0.5) -> dict[str, np.ndarray]:
    """What a network would answer: logits and heights (1, 8, 8, ...)."""
    logits = np.broadcast_to(np.array((core, -9.0, 9.0), np.float32), (1, 8, 8, 3)).copy()
    return {"probabilities": logits, "heights": np.full((1, 8, 8, 2), heights, np.float32)}


def loss(truth_: np.ndarray, answer_: dict[str, np.ndarray]) -> float:
    return float(keras.ops.convert_to_numpy(detector_loss(truth_, answer_)))


@pytest.mark.parametrize("name", DETECTORS)
def test_the_sizes_state_their_parameters(name: str) -> None:
    assert build_detector(DETECTORS[name]).count_params() == DETECTORS[name].parameters


def test_a_cell_of_the_maps_is_a_stride_of_pixels_each_way() -> None:
    maps = build_detector(MICRO)(np.zeros((2, 64, 96, 1), np.float32))
    assert maps["probabilities"].shape == (2, 64 // STRIDE, 96 // STRIDE, 3)
    assert maps["heights"].shape == (2, 64 // STRIDE, 96 // STRIDE, 2)


@pytest.mark.slow
def test_the_twin_answers_as_the_network_with_probabilities_for_logits() -> None:
    rng = np.random.default_rng(1)
    network = build_detector(MICRO)
    for layer in network.layers:
        if isinstance(layer, BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    page = rng.random((1, 96, 64, 1)).astype(np.float32)
    trained = network(page, training=False)
    served = build_inference_detector(network, MICRO)(page)
    logits = keras.ops.convert_to_numpy(trained["probabilities"])
    assert np.allclose(served["probabilities"], 1 / (1 + np.exp(-logits)), atol=1e-4)
    assert np.allclose(served["heights"], trained["heights"], atol=1e-4)


def test_a_right_answer_costs_less_than_a_wrong_one() -> None:
    assert loss(truth(core=1.0), answer(core=9.0)) < 0.1
    assert loss(truth(core=1.0), answer(core=-9.0)) > 5
    assert loss(truth(core=0.0), answer(core=9.0)) > 5


def test_what_nobody_listed_is_no_background() -> None:
    assert loss(truth(core=0.0, known=0.0), answer(core=9.0)) < 1.1  # the dice of nothing with something


def test_heights_count_as_fractions_of_the_line() -> None:
    right = loss(truth(core=1.0), answer(core=9.0))
    low = loss(truth(core=1.0, height=0.5), answer(core=9.0, heights=0.6)) - right
    high = loss(truth(core=1.0, height=5.0), answer(core=9.0, heights=6.0)) - right
    assert low == pytest.approx(high, rel=0.01)
    assert low > 0.3
