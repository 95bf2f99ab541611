"""The line detector's network: a page scaled to small letters in, maps at a quarter of its size out.

A depthwise-separable encoder halves the page five times (Howard et al. 2017, MobileNets); a feature pyramid (Lin et al.
2017) brings what the coarse stages saw back to a quarter of the page. Only the weights and the loss live here; how
maps become lines is in `detection`.
"""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from legible.network import blocks
from legible.network.blocks import MaskedFeatures
from legible.network.normalization import Tensor

WIDE_FROM = 3
"""The first stage that looks at 5 x 5 places instead of 3 x 3."""
PROBABILITY_MAPS = ("core", "gap", "page")
"""Channels of the first output: the middle of a line, the room between two cells of a row, the sheet of paper."""
HEIGHT_MAPS = ("above", "below")
"""Channels of the second output: how far it is from a cell of a line's core to the line's upper and lower edge."""


@dataclass(frozen=True)
class DetectorSize:
    """Channels of the stem, of the stages at 1/4, 1/8, 1/16 and 1/32 of the page, and of the pyramid."""

    stem: int
    stages: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    """Separable blocks in each stage."""
    pyramid: int
    parameters: int
    """Moving averages included; a test counts them."""


DETECTORS = {
    "micro": DetectorSize(8, (8, 12, 16, 16), depths=(1, 1, 1, 1), pyramid=8, parameters=3_993),
    "base": DetectorSize(20, (40, 72, 136, 200), depths=(2, 3, 4, 3), pyramid=40, parameters=272_069),
}


def build_detector(size: DetectorSize) -> keras.Model:
    """Build the detector for training: pages (B, H, W, 1) -> {"probabilities": (B, H/4, W/4, 3), "heights": (..., 2)}.

    Pages have ink 1 on paper 0. The probabilities are logits here, for the loss.
    """
    image = keras.Input((None, None, 1), name="image")
    mask = ops.ones_like(image[:, :1, :, 0])
    logits, heights = _maps(MaskedFeatures(image, mask), size)
    return keras.Model(image, {"probabilities": logits, "heights": heights}, name="detector")


def build_inference_detector(
    network: keras.Model, size: DetectorSize, *, shape: tuple[int | None, int | None] = (None, None)
) -> keras.Model:
    """Build the detector for inference, with the same layers and weights, for one page (1, H, W, 1).

    Its probabilities are between 0 and 1.
    """
    image = keras.Input((*shape, 1), batch_size=1, name="image")
    logits, heights = _maps(MaskedFeatures(image, None), size)
    probabilities = layers.Activation("sigmoid", name="probabilities")(logits)
    twin = keras.Model(image, {"probabilities": probabilities, "heights": heights}, name="detector_twin")
    for layer in twin.layers:
        if layer.weights:  # by name: without masks the layers come in another order
            layer.set_weights(network.get_layer(layer.name).get_weights())
    return twin


def _maps(x: MaskedFeatures, size: DetectorSize) -> tuple[Tensor, Tensor]:
    """Return the logits of the probability maps and heights in units of HEIGHT_UNIT, both at a quarter of the page."""
    x = _convolved(x, filters=size.stem, name="stem")
    stages: list[MaskedFeatures] = []
    for number, (channels, depth) in enumerate(zip(size.stages, size.depths, strict=True), start=1):
        kernel = 5 if number >= WIDE_FROM else 3
        x = _separable(x, filters=channels, kernel=kernel, stride=2, name=f"stage{number}_halve")
        for place in range(1, depth):
            x = _separable(x, filters=channels, kernel=kernel, name=f"stage{number}_block{place}")
        stages.append(x)
    merged = _pyramid(stages, size.pyramid)
    logits = layers.Conv2D(len(PROBABILITY_MAPS), 1, dtype="float32", name="logits")(merged.features)
    heights = layers.Conv2D(len(HEIGHT_MAPS), 1, activation="relu", dtype="float32", name="heights")(merged.features)
    return logits, heights


def _pyramid(stages: list[MaskedFeatures], channels: int) -> MaskedFeatures:
    """Return the finest stage plus the coarser ones, each scaled up by two at a time."""
    merged = _pointwise(stages[-1], filters=channels, name="lateral4")
    for number in (3, 2, 1):
        lateral = _pointwise(stages[number - 1], filters=channels, name=f"lateral{number}")
        added = layers.Add(name=f"merge{number}")([lateral.features, _doubled(merged, channels, name=f"rise{number}")])
        merged = _separable(MaskedFeatures(added, lateral.mask), filters=channels, kernel=3, name=f"smooth{number}")
    return merged


def _convolved(x: MaskedFeatures, *, filters: int, name: str) -> MaskedFeatures:
    """Apply a 3 x 3 convolution of stride 2, batch normalisation and ReLU."""
    y = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"{name}_convolution")(x.features)
    return blocks.normalize_batch(x.halved(y), y, name=name, relu=True)


def _separable(x: MaskedFeatures, *, filters: int, kernel: int, stride: int = 1, name: str) -> MaskedFeatures:
    """Apply a depthwise and a pointwise convolution, each normalised; with a residual connection where shapes agree."""
    depthwise = layers.DepthwiseConv2D(kernel, strides=stride, padding="same", use_bias=False, name=f"{name}_depthwise")
    y = depthwise(x.features)
    around = x.halved(y) if stride > 1 else MaskedFeatures(y, x.mask)
    around = blocks.normalize_batch(around, y, name=f"{name}_around", relu=True)
    mixed = _pointwise(around, filters=filters, name=f"{name}_mix")
    if stride > 1 or x.features.shape[-1] != filters:
        return mixed
    return MaskedFeatures(layers.Add(name=f"{name}_add")([x.features, mixed.features]), x.mask)


def _pointwise(x: MaskedFeatures, *, filters: int, name: str) -> MaskedFeatures:
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_pointwise")(x.features)
    return blocks.normalize_batch(x, y, name=name, relu=True)


def _doubled(x: MaskedFeatures, channels: int, *, name: str) -> Tensor:
    """Apply a sub-pixel convolution (Shi et al. 2016): twice the height and width, by an operation LiteRT has in
    int8.
    """
    y = layers.Conv2D(4 * channels, 1, name=f"{name}_pointwise")(x.features)
    return ops.depth_to_space(y, 2)


def detector_loss(truth: Any, predicted: dict[str, Tensor]) -> Tensor:
    """Return the mean loss of a batch: balanced cross-entropy and dice of the core, cross-entropy of gap and page, L1
    of heights.

    truth: (B, H/4, W/4, 8): core, gap, page, above, below, and the weights of core, of heights and of page (0 where a
    page does not say). Heights count on the core alone, as a fraction of the line's height, so that small lines weigh
    as much as large ones.
    """
    core, gap, page, above, below, known, measured, mapped = ops.unstack(truth, 8, axis=-1)
    logits = ops.cast(predicted["probabilities"], "float32")
    heights = ops.cast(predicted["heights"], "float32")
    near_text = known * (1.0 + 2.0 * gap)
    return (
        _balanced(core, logits[..., 0], near_text)
        + _dice(core, ops.sigmoid(logits[..., 0]), known)
        + _balanced(gap, logits[..., 1], known)
        + _mean(_cross_entropy(page, logits[..., 2]), mapped)
        + 2.0 * _heights(above, below, heights, core * measured)
    )


def _cross_entropy(truth: Tensor, logits: Tensor) -> Tensor:
    return ops.relu(logits) - logits * truth + ops.softplus(-ops.abs(logits))


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return ops.sum(values * weights) / ops.maximum(ops.sum(weights), 1.0)


def _balanced(truth: Tensor, logits: Tensor, weights: Tensor) -> Tensor:
    """Return the cross-entropy of positives and negatives, half and half unless a batch holds few positives."""
    loss = _cross_entropy(truth, logits)
    positive, negative = weights * truth, weights * (1.0 - truth)
    focal = ops.stop_gradient(ops.sigmoid(logits))  # the easy background would drown the rest
    return _mean(loss, positive) + _mean(loss * (0.1 + focal), negative) * 3.0


def _dice(truth: Tensor, probability: Tensor, weights: Tensor) -> Tensor:
    common = ops.sum(weights * truth * probability)
    return 1.0 - (2.0 * common + 1.0) / (ops.sum(weights * (truth + probability)) + 1.0)


def _heights(above: Tensor, below: Tensor, heights: Tensor, weights: Tensor) -> Tensor:
    off = ops.abs(heights[..., 0] - above) + ops.abs(heights[..., 1] - below)
    return _mean(off / ops.maximum(above + below, 0.25), weights)
