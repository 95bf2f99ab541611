"""The model zoo: the sizes of the network as data, and the one way to build any of them.

A convolutional trunk halves the width twice, so that a time step is STRIDE columns of the input. Temporal blocks let
each step see its neighbours. A pointwise layer gives the logits. Shapes: B batch, H height, W width, T = W / STRIDE
steps.
"""

from dataclasses import dataclass

import keras
from keras import layers

from legible.errors import SettingsError
from legible.network import blocks
from legible.network.blocks import MaskedFeatures
from legible.network.loss import CTCModel
from legible.network.normalization import Tensor

STRIDE = 4
MIN_HEIGHT = 8
"""The fewest rows of input, which the trunk halves three times."""


@dataclass(frozen=True)
class NetworkSize:
    """The sizes of a network: channels of the trunk's five convolutions, features of a column, and temporal blocks."""

    trunk: tuple[int, int, int, int, int]
    units: int
    """Features of a column."""
    temporal_blocks: int
    kernel: int
    """Columns that a temporal block sees."""
    expansion: int
    parameters: int
    """The number of parameters with 97 labels and 32 rows of input, moving averages included; a test counts them."""


ZOO = {
    "micro": NetworkSize((4, 8, 12, 16, 16), units=20, temporal_blocks=1, kernel=5, expansion=1, parameters=9_861),
    "mini": NetworkSize((16, 32, 48, 64, 64), 64, temporal_blocks=2, kernel=5, expansion=1, parameters=124_721),
    "small": NetworkSize((12, 24, 48, 64, 80), 128, temporal_blocks=3, kernel=7, expansion=1, parameters=244_989),
    "base": NetworkSize((24, 48, 96, 128, 192), 256, temporal_blocks=4, kernel=9, expansion=1, parameters=1_147_993),
}


def size_named(name: str) -> NetworkSize:
    """Return a size of the zoo. Raise SettingsError for a name that it does not hold."""
    if name not in ZOO:
        raise SettingsError(f"train.size is {name!r}; sizes: {', '.join(ZOO)}")
    return ZOO[name]


def build_network(size: NetworkSize, *, labels: int, height: int, dropout: float = 0.0) -> CTCModel:
    """Build the network for training: {"image": (B, height, W, 1), "mask": (B, 1, W)} -> logits (B, T, labels)."""
    image = keras.Input((height, None, 1), name="image")
    mask = keras.Input((1, None), name="mask")
    logits = _logits(MaskedFeatures(image, mask), size, labels=labels, dropout=dropout)
    return CTCModel({"image": image, "mask": mask}, logits, stride=STRIDE)


def build_inference_network(network: keras.Model, size: NetworkSize, *, labels: int, height: int) -> keras.Model:
    """Build the network for inference: the same layers and weights without masks, for one image at its own width.

    (1, height, W, 1) with W a multiple of STRIDE -> logits (1, T, labels).
    """
    image = keras.Input((height, None, 1), batch_size=1, name="image")
    twin = keras.Model(image, _logits(MaskedFeatures(image, None), size, labels=labels, dropout=0.0), name="twin")
    twin.set_weights(network.get_weights())
    return twin


def column_features(x: MaskedFeatures, size: NetworkSize, *, dropout: float) -> MaskedFeatures:
    """Return the features of each time step: (B, height, W, 1) -> (B, 1, T, units)."""
    x = blocks.convolve(x, filters=size.trunk[0], name="trunk1")
    x = blocks.pool(x, stride=(2, 2), name="pool1")
    x = blocks.convolve(x, filters=size.trunk[1], name="trunk2")
    x = blocks.pool(x, stride=(2, 2), name="pool2")
    x = blocks.convolve(x, filters=size.trunk[2], name="trunk3")
    x = blocks.convolve(x, filters=size.trunk[3], name="trunk4")
    x = blocks.pool(x, stride=(2, 1), name="pool3")
    x = blocks.convolve(x, filters=size.trunk[4], name="trunk5")
    x = blocks.columns(x, units=size.units, name="columns")
    for number in range(1, size.temporal_blocks + 1):
        x = blocks.mix_columns(
            x, kernel=size.kernel, expansion=size.expansion, dropout=dropout, name=f"temporal{number}"
        )
    return x


def _logits(x: MaskedFeatures, size: NetworkSize, *, labels: int, dropout: float) -> Tensor:
    features = column_features(x, size, dropout=dropout).features
    logits = layers.Conv2D(labels, 1, name="logits")(features)
    return layers.Reshape((-1, labels), name="steps")(logits)
