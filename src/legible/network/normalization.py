"""Batch normalisation over the image alone, in one step with the ReLU and the mask around it.

Keras' own layer gives the same numbers from some twenty passes over the features, forth and back; most of the time of
a training went there. This one takes half as many, on every backend.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

Tensor = Any
"""A symbolic or real tensor of whichever backend runs."""
MAX_SCALE = 3.0
MAX_SHIFT = 5.0
"""How far a batch of images of one width is brought to where the moving averages would have it."""


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation (Ioffe and Szegedy 2015), ReLU where `active`, zeros beyond the mask.

    (B, H, W, C) and a mask (B, 1, W) -> (B, H, W, C). Its weights are those of Keras' layer, in files too, which name
    them after the class.
    """

    def __init__(self, *, active: bool, **named: Any) -> None:
        super().__init__(**named)
        self.active = active
        self.renormalized = False
        """Whether a training normalises by the moving averages, as a reading does (Ioffe 2017, batch renormalisation).

        A batch holds images of one width: short words and lone signs, whose features differ from those of all images.
        """

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> None:
        """None for the layers behind: the blocks hand it on themselves."""

    def call(self, inputs: Tensor, training: Any = None, mask: Tensor = None) -> Tensor:
        cut, count = _places(inputs, mask)
        gamma, beta = self.gamma.value, self.beta.value
        if training:
            mean, variance = moments(ops.stop_gradient(inputs), cut, count)
            gamma, beta = self._renormalized(mean, variance) if self.renormalized else (gamma, beta)
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value

        def normalized(*passed: Tensor) -> tuple[Tensor, Any]:
            return _normalized(*passed, active=self.active, epsilon=self.epsilon)

        apply = ops.custom_gradient(normalized)
        return apply(inputs, cut, ops.stack([gamma, beta, mean, variance]), count)

    def update_moving_averages(self, met: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Moving averages as the mean of the moments of features and their mask, each by its places of image."""
        counts: list[float] = []
        found: list[npt.NDArray[np.float32]] = []
        for features, mask in met:
            exact = ops.cast(features, "float32")
            cut, count = _places(exact, mask)
            counts.append(float(count))
            found.append(ops.convert_to_numpy(ops.stack(moments(exact, cut, count))))
        mean, variance = np.average(found, axis=0, weights=counts)
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance)

    def _renormalized(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Gamma and beta (C,) by which a batch of these moments comes out as by the moving averages, within limits."""
        deviation = ops.sqrt(self.moving_variance.value + self.epsilon)
        scaled = ops.sqrt(variance + self.epsilon) / deviation
        shifted = (mean - self.moving_mean.value) / deviation
        scaled = ops.stop_gradient(ops.clip(scaled, 1 / MAX_SCALE, MAX_SCALE))
        shifted = ops.stop_gradient(ops.clip(shifted, -MAX_SHIFT, MAX_SHIFT))
        return self.gamma.value * scaled, self.beta.value + self.gamma.value * shifted


def _normalized(
    y: Tensor, cut: Tensor, channels: Tensor, count: Tensor, *, active: bool, epsilon: float
) -> tuple[Tensor, Any]:
    """The output, and its gradient, which counts mean and variance as functions of y.

    channels: gamma, beta, mean and variance, (4, C).
    """
    gamma, beta, mean, variance = ops.unstack(channels, 4)
    root = ops.rsqrt(variance + epsilon)
    scale = gamma * root
    scaled = y * ops.cast(scale, y.dtype) + ops.cast(beta - mean * scale, y.dtype)
    out = (ops.relu(scaled) if active else scaled) * cut

    def gradient(*passed: Tensor, upstream: Tensor = None) -> tuple[Tensor, ...]:
        above = passed[-1] if upstream is None else upstream  # PyTorch names it, the others pass it alone
        above = ops.where(out > 0, above, ops.zeros_like(above)) if active else above * cut
        to_beta = total(above)
        to_gamma = root * (total(above * y) - mean * to_beta)
        slope = scale * root * to_gamma / count
        offset = scale * to_beta / count - mean * slope
        by_moments = cut * (y * ops.cast(slope, y.dtype) + ops.cast(offset, y.dtype))
        to_channels = ops.stack([to_gamma, to_beta, *[ops.zeros_like(mean)] * 2])
        return above * ops.cast(scale, y.dtype) - by_moments, ops.zeros_like(cut), to_channels, ops.zeros_like(count)

    return out, gradient


def update_batch_norm(model: keras.Model, inputs: Sequence[Mapping[str, Tensor]]) -> None:
    """Moving averages of a network from batches of inputs, in whatever order, and whatever they were before.

    Layer after layer, each from what a reading hands it, as the layers before it are settled by then.
    """
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            before = keras.Model(model.input, layer.input)
            layer.update_moving_averages(before(batch, training=False) for batch in inputs)


def _places(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The mask (B, 1, W) over features (B, H, W, C), (B, 1, W, 1), and how many places of each channel it leaves."""
    cut = ops.expand_dims(ops.cast(mask, y.dtype), -1)
    return cut, ops.sum(ops.cast(mask, "float32")) * y.shape[1]


def moments(y: Tensor, cut: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, (C,) and (C,), over the `count` places of y (B, H, W, C) that cut leaves."""
    kept = y * cut
    mean = total(kept) / count
    return mean, ops.maximum(total(kept * y) / count - mean * mean, 0.0)


def total(x: Tensor) -> Tensor:
    """Sum of each channel, (B, H, W, C) -> (C,), as a product with ones, which backends take fastest."""
    rows = ops.cast(ops.reshape(x, (-1, x.shape[-1])), "float32")
    return ops.matmul(ops.ones((1, ops.shape(rows)[0]), "float32"), rows)[0]
