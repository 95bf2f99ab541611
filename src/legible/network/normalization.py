"""Batch normalisation over image columns alone, fused with the ReLU and the mask that follow it.

Keras' own masked layer computes the same numbers in about twenty passes over the features, forward and backward, and
took most of the training time. This one needs half as many, on every backend.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

Tensor = Any
"""A symbolic or concrete tensor of the backend in use."""
MAX_SCALE = 3.0
MAX_SHIFT = 5.0
"""The limits r_max and d_max of batch renormalisation (Ioffe 2017, section 3)."""


class BatchNormalization(layers.BatchNormalization):
    """Batch normalisation (Ioffe and Szegedy 2015), then ReLU where `relu`, then zeros in the padding.

    (B, H, W, C) and a mask (B, 1, W) -> (B, H, W, C). It has the weights and the name of Keras' layer, because weight
    files name them after the class.
    """

    def __init__(self, *, relu: bool, **named: Any) -> None:
        super().__init__(**named)
        self.relu = relu
        self.renormalized = False
        """Whether training normalises by the moving averages, as inference does (batch renormalisation, Ioffe 2017).

        A batch holds images of one width, such as short words, whose moments differ from those of all images.
        """

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor) -> None:
        """Return no mask for the layers behind: the blocks pass it on themselves."""

    def call(self, inputs: Tensor, training: Any = None, mask: Tensor = None) -> Tensor:
        cells, count = _mask_and_count(inputs, mask)
        gamma, beta = self.gamma.value, self.beta.value
        if training:
            mean, variance = moments(ops.stop_gradient(inputs), cells, count)
            gamma, beta = self._renormalized(mean, variance) if self.renormalized else (gamma, beta)
            for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + new * (1.0 - self.momentum))
        else:
            mean, variance = self.moving_mean.value, self.moving_variance.value

        def normalized(*passed: Tensor) -> tuple[Tensor, Any]:
            return _normalized(*passed, relu=self.relu, epsilon=self.epsilon)

        apply = ops.custom_gradient(normalized)
        return apply(inputs, cells, ops.stack([gamma, beta, mean, variance]), count)

    def update_moving_averages(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Set the moving averages to the mean moments of batches of (features, mask), weighted by their image cells."""
        counts: list[float] = []
        found: list[npt.NDArray[np.float32]] = []
        for features, mask in batches:
            exact = ops.cast(features, "float32")
            cells, count = _mask_and_count(exact, mask)
            counts.append(float(count))
            found.append(ops.convert_to_numpy(ops.stack(moments(exact, cells, count))))
        mean, variance = np.average(found, axis=0, weights=counts)
        self.moving_mean.assign(mean)
        self.moving_variance.assign(variance)

    def _renormalized(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Return gamma and beta (C,) that correct a batch of these moments, within limits, to the moving averages."""
        deviation = ops.sqrt(self.moving_variance.value + self.epsilon)
        scale = ops.sqrt(variance + self.epsilon) / deviation
        shift = (mean - self.moving_mean.value) / deviation
        scale = ops.stop_gradient(ops.clip(scale, 1 / MAX_SCALE, MAX_SCALE))
        shift = ops.stop_gradient(ops.clip(shift, -MAX_SHIFT, MAX_SHIFT))
        return self.gamma.value * scale, self.beta.value + self.gamma.value * shift


def _normalized(
    y: Tensor, cells: Tensor, channels: Tensor, count: Tensor, *, relu: bool, epsilon: float
) -> tuple[Tensor, Any]:
    """Return the output and its gradient, in which mean and variance are functions of y.

    y: (B, H, W, C); cells: 1 where image is, (B, 1, W, 1); channels: gamma, beta, mean and variance, (4, C); count: the
    image cells.
    """
    gamma, beta, mean, variance = ops.unstack(channels, 4)
    root = ops.rsqrt(variance + epsilon)
    scale = gamma * root
    scaled = y * ops.cast(scale, y.dtype) + ops.cast(beta - mean * scale, y.dtype)
    out = (ops.relu(scaled) if relu else scaled) * cells

    def gradient(*passed: Tensor, upstream: Tensor = None) -> tuple[Tensor, ...]:
        above = passed[-1] if upstream is None else upstream  # PyTorch names it, the others pass it alone
        above = ops.where(out > 0, above, ops.zeros_like(above)) if relu else above * cells
        to_beta = total(above)
        to_gamma = root * (total(above * y) - mean * to_beta)
        slope = scale * root * to_gamma / count
        offset = scale * to_beta / count - mean * slope
        by_moments = cells * (y * ops.cast(slope, y.dtype) + ops.cast(offset, y.dtype))
        to_channels = ops.stack([to_gamma, to_beta, *[ops.zeros_like(mean)] * 2])
        return above * ops.cast(scale, y.dtype) - by_moments, ops.zeros_like(cells), to_channels, ops.zeros_like(count)

    return out, gradient


def update_batch_norm(model: keras.Model, inputs: Sequence[Mapping[str, Tensor]]) -> None:
    """Recompute the moving averages of all batch normalisations from batches of inputs, in any order.

    One layer after the other, each from its inputs at inference, for which the layers before it are up to date by then.
    The former averages do not matter.
    """
    for layer in model.layers:
        if isinstance(layer, BatchNormalization):
            before = keras.Model(model.input, layer.input)
            layer.update_moving_averages(before(batch, training=False) for batch in inputs)


def _mask_and_count(y: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mask (B, 1, W) as cells (B, 1, W, 1) in the type of y (B, H, W, C), and how many are image."""
    cells = ops.expand_dims(ops.cast(mask, y.dtype), -1)
    return cells, ops.sum(ops.cast(mask, "float32")) * y.shape[1]


def moments(y: Tensor, cells: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean (C,) and variance (C,) of each channel of y (B, H, W, C) over its `count` cells of image."""
    kept = y * cells
    mean = total(kept) / count
    return mean, ops.maximum(total(kept * y) / count - mean * mean, 0.0)


def total(x: Tensor) -> Tensor:
    """Return the sum of each channel, (B, H, W, C) -> (C,), as a matrix product with ones: backends do that fastest."""
    rows = ops.cast(ops.reshape(x, (-1, x.shape[-1])), "float32")
    return ops.matmul(ops.ones((1, ops.shape(rows)[0]), "float32"), rows)[0]
