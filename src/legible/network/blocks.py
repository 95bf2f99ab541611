"""The building blocks of a network, each usable with and without a mask.

A mask (B, 1, W) is 1 where a column holds image and 0 where it is padding. With a mask, batch normalisation counts
image columns alone and every block returns zeros beyond them: exactly what an image without padding meets at its own
edge. So the masked network of training and the unmasked inference network, with the same weights, give the same logits.

Shapes: B batch, H height, W width, C channels.
"""

from dataclasses import dataclass

from keras import layers, ops

from legible.network import normalization
from legible.network.normalization import Tensor


@dataclass(frozen=True)
class MaskedFeatures:
    """Features (B, H, W, C) and the mask (B, 1, W) of their columns; the mask is None where nothing was padded."""

    features: Tensor
    mask: Tensor | None

    def replaced(self, features: Tensor) -> "MaskedFeatures":
        """Return new features of the same width, set to zero in the padding."""
        if self.mask is None:
            return MaskedFeatures(features, None)
        mask = ops.cast(ops.expand_dims(self.mask, -1), features.dtype)
        return MaskedFeatures(features * mask, self.mask)

    def halved(self, features: Tensor) -> "MaskedFeatures":
        """Return new features of half the width."""
        return MaskedFeatures(features, None if self.mask is None else self.mask[:, :, ::2])


def convolve(x: MaskedFeatures, *, filters: int, name: str) -> MaskedFeatures:
    """Apply a 3 x 3 convolution, batch normalisation and ReLU: (B, H, W, C) -> (B, H, W, filters)."""
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_convolution")(x.features)
    return normalize_batch(x, y, name=name, relu=True)


def pool(x: MaskedFeatures, *, stride: tuple[int, int], name: str) -> MaskedFeatures:
    """Apply max pooling over cells of `stride` (rows, columns); a cell has 1 or 2 columns."""
    y = layers.MaxPooling2D(stride, name=name)(x.features)
    return x.halved(y) if stride[1] == 2 else MaskedFeatures(y, x.mask)  # noqa: PLR2004


def columns(x: MaskedFeatures, *, units: int, name: str) -> MaskedFeatures:
    """Combine the height and channels of each column into one vector: (B, H, W, C) -> (B, 1, W, units)."""
    _, height, _, channels = x.features.shape
    y = layers.Conv2D(units, (height, 1), use_bias=False, name=f"{name}_height{height}x{channels}")(x.features)
    return normalize_batch(x, y, name=name, relu=True)


def mix_columns(x: MaskedFeatures, *, kernel: int, expansion: int, dropout: float, name: str) -> MaskedFeatures:
    """Apply a temporal block: (B, 1, W, C) -> (B, 1, W, C).

    A depthwise convolution over `kernel` columns, two pointwise ones with `expansion` times C features in between, and
    a residual connection.
    """
    channels = x.features.shape[-1]
    y = layers.DepthwiseConv2D((1, kernel), padding="same", use_bias=False, name=f"{name}_depthwise")(x.features)
    around = normalize_batch(x, y, name=f"{name}_around", relu=False)
    y = layers.Conv2D(channels * expansion, 1, activation="relu", name=f"{name}_expand")(around.features)
    if dropout:
        y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
    y = layers.Conv2D(channels, 1, name=f"{name}_project")(y)
    return x.replaced(layers.Add(name=f"{name}_add")([x.features, y]))


def normalize_batch(x: MaskedFeatures, y: Tensor, *, name: str, relu: bool) -> MaskedFeatures:
    """Apply batch normalisation to y over the image columns of x, then ReLU where `relu`, then zeros in the padding."""
    layer_name = f"{name}_normalization"
    if x.mask is not None:
        return MaskedFeatures(normalization.BatchNormalization(relu=relu, name=layer_name)(y, mask=x.mask), x.mask)
    y = layers.BatchNormalization(name=layer_name)(y)
    return MaskedFeatures(layers.ReLU(name=f"{name}_relu")(y) if relu else y, None)
