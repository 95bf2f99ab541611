"""The pieces of a network, each with and without a mask.

A mask (B, 1, W) is 1 where a column holds image and 0 where it is padding. With it, batch normalisation counts image
alone and every block hands on zeros beyond it, which is what an image without padding meets at its own edge: so the
masked network in training and its unmasked twin in service, with the same weights, answer alike.
"""

from dataclasses import dataclass

from keras import layers, ops

from legible.network import normalization
from legible.network.normalization import Tensor


@dataclass(frozen=True)
class Masked:
    """Features and the mask that goes with their width; no mask where nothing was padded."""

    features: Tensor
    mask: Tensor | None

    def cut(self, features: Tensor) -> "Masked":
        """New features of the same width, zero beyond the image."""
        if self.mask is None:
            return Masked(features, None)
        return Masked(features * self._over_channels(features), self.mask)

    def halved(self, features: Tensor) -> "Masked":
        """New features of half the width."""
        return Masked(features, None if self.mask is None else self.mask[:, :, ::2])

    def _over_channels(self, features: Tensor) -> Tensor:
        mask = ops.expand_dims(self.mask, -1)
        return ops.cast(mask, features.dtype)


def convolve(x: Masked, *, filters: int, name: str) -> Masked:
    """3 x 3 convolution, batch normalisation, ReLU. (B, H, W, C) -> (B, H, W, filters)."""
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_convolution")(x.features)
    return normalize_batch(x, y, name=name, active=True)


def pool(x: Masked, *, stride: tuple[int, int], name: str) -> Masked:
    """Greatest of (rows, columns) cells; columns are 1 or 2."""
    y = layers.MaxPooling2D(stride, name=name)(x.features)
    return x.halved(y) if stride[1] == 2 else Masked(y, x.mask)  # noqa: PLR2004


def columns(x: Masked, *, units: int, name: str) -> Masked:
    """Height and channels become one feature of each column. (B, H, W, C) -> (B, 1, W, units)."""
    _, height, _, channels = x.features.shape
    y = layers.Conv2D(units, (height, 1), use_bias=False, name=f"{name}_height{height}x{channels}")(x.features)
    return normalize_batch(x, y, name=name, active=True)


def mix_columns(x: Masked, *, kernel: int, expansion: int, dropout: float, name: str) -> Masked:
    """Temporal block: each column looks at `kernel` columns around it, then at its own features; added to its input.

    Depthwise and pointwise convolutions, (B, 1, W, C) -> (B, 1, W, C).
    """
    channels = x.features.shape[-1]
    y = layers.DepthwiseConv2D((1, kernel), padding="same", use_bias=False, name=f"{name}_depthwise")(x.features)
    around = normalize_batch(x, y, name=f"{name}_around", active=False)
    y = layers.Conv2D(channels * expansion, 1, activation="relu", name=f"{name}_expand")(around.features)
    if dropout:
        y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    y = layers.Conv2D(channels, 1, name=f"{name}_project")(y)
    return x.cut(layers.Add(name=f"{name}_add")([x.features, y]))


def normalize_batch(x: Masked, y: Tensor, *, name: str, active: bool) -> Masked:
    """Batch normalisation of y over the image alone, then zeros beyond it."""
    named = f"{name}_normalization"
    if x.mask is not None:
        return Masked(normalization.BatchNormalization(active=active, name=named)(y, mask=x.mask), x.mask)
    y = layers.BatchNormalization(name=named)(y)
    return Masked(layers.ReLU(name=f"{name}_relu")(y) if active else y, None)
