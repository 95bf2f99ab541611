"""An attention decoder over the zoo's features of columns: the reader that CTC is compared with.

A transformer decoder (Vaswani et al. 2017, "Attention is all you need") writes a text character by character: each
position attends to the characters before it and to all columns of the image. It is trained by cross-entropy with the
true characters before each position. Nothing is served with it: what it gives beside CTC is in docs/recipe.md.

Shapes: B batch, W width, T time steps, C features of a column, L positions, V labels.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from legible.charset import BLANK
from legible.network.blocks import MaskedFeatures
from legible.network.normalization import Tensor
from legible.network.zoo import STRIDE, NetworkSize, column_features

END = BLANK
"""The label that ends a text: CTC's blank, which no text holds."""
HEADS = 4
LAYERS = 2
PADDED = 16
"""Positions are decoded in arrays of a multiple of this length, so that there are few shapes to compile."""
LONGEST_WAVE = 10_000.0
"""The wavelength of the slowest of the sinusoids that stand for positions, as in Vaswani et al."""


class AttentionModel(keras.Model):
    """A functional Keras model trained by cross-entropy.

    x holds "image" (B, H, W, 1), "mask" (B, 1, W) and "previous" (B, L + 1), the labels moved on by one; y holds the
    labels (B, L), padded with END.
    """

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *unused: Any, **named: Any) -> Any:
        """Return the cross-entropy of each text and its end, divided by the number of their labels.

        y_pred: logits (B, L + 1, V).
        """
        del x, unused, named
        labels = ops.cast(y, "int32")
        lengths = ops.sum(ops.cast(labels != END, "int32"), axis=-1, keepdims=True)  # (B, 1)
        targets = ops.pad(labels, ((0, 0), (0, 1)), constant_values=END)
        counted = ops.cast(ops.expand_dims(ops.arange(ops.shape(targets)[1]), 0) <= lengths, "float32")
        logits = ops.cast(y_pred, "float32")
        losses = keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)
        return ops.sum(losses * counted) / ops.sum(counted)


@dataclass(frozen=True)
class AttentionReader:
    """The network for training, and its two halves for reading, which share its weights."""

    model: AttentionModel
    encoder: keras.Model
    """{"image": (B, H, W, 1), "mask": (B, 1, W)} -> features (B, T, C)"""
    decoder: keras.Model
    """{"features": (B, T, C), "steps": (B, T), "previous": (B, L)} -> logits (B, L, V)"""
    labels: int

    def texts(
        self, image: npt.NDArray[np.float32], mask: npt.NDArray[np.float32], *, max_length: int
    ) -> list[list[int]]:
        """Return the likeliest label at each position of each text, until END or the longest text allowed.

        image: (B, H, W, 1); mask: (B, 1, W), 1 where there is image.
        """
        features = self.encoder.predict_on_batch({"image": image, "mask": mask})
        steps = mask[:, 0, ::STRIDE]
        previous = np.full((len(image), _padded(max_length + 1)), END, np.int32)
        previous[:, 0] = start_label(self.labels)
        has_ended = np.zeros(len(image), np.bool_)
        for place in range(max_length):
            x = {"features": features, "steps": steps, "previous": previous[:, : _padded(place + 1)]}
            best = np.asarray(self.decoder.predict_on_batch(x))[:, place].argmax(axis=-1)
            has_ended |= best == END
            if has_ended.all():
                break
            previous[:, place + 1] = np.where(has_ended, END, best)
        return [[int(label) for label in row[1:] if label != END] for row in previous]


def _padded(length: int) -> int:
    """Return the next multiple of PADDED."""
    return -(-length // PADDED) * PADDED


def start_label(labels: int) -> int:
    """Return the label that stands before the first character: one more than the last."""
    return labels


def moved_on(labels: npt.NDArray[np.int32], *, count: int) -> npt.NDArray[np.int32]:
    """Return labels (B, L) as the decoder sees them, (B, L + 1): the start, then each label one position later."""
    start = np.full((len(labels), 1), start_label(count), np.int32)
    return np.concatenate([start, labels], axis=1)


def build_attention_reader(size: NetworkSize, *, labels: int, height: int, dropout: float = 0.0) -> AttentionReader:
    """Build a reader with the columns' features of `size` and a decoder of LAYERS layers."""
    image = keras.Input((height, None, 1), name="image")
    mask = keras.Input((1, None), name="mask")
    found = column_features(MaskedFeatures(image, mask), size, dropout=dropout)
    encoder = keras.Model(
        {"image": image, "mask": mask}, layers.Reshape((-1, size.units), name="columns_in_order")(found.features)
    )
    decoder = _decoder(size.units, labels=labels)
    previous = keras.Input((None,), name="previous", dtype="int32")
    features = encoder({"image": image, "mask": mask})
    logits = decoder({"features": features, "steps": mask[:, 0, ::STRIDE], "previous": previous})
    model = AttentionModel({"image": image, "mask": mask, "previous": previous}, logits)
    return AttentionReader(model, encoder, decoder, labels)


def _decoder(units: int, *, labels: int) -> keras.Model:
    features = keras.Input((None, units), name="features")
    steps = keras.Input((None,), name="steps")
    previous = keras.Input((None,), name="previous", dtype="int32")
    memory = Positions(name="column_positions")(features)
    x = layers.Embedding(labels + 1, units, name="characters")(previous)
    x = Positions(name="character_positions")(x)
    is_image = ops.expand_dims(steps, 1) > 0  # (B, 1, T)
    for number in range(1, LAYERS + 1):
        x = _decoder_layer(x, memory, is_image, units=units, name=f"decoder{number}")
    logits = layers.Dense(labels, name="next_character")(x)
    return keras.Model({"features": features, "steps": steps, "previous": previous}, logits, name="decoder")


def _decoder_layer(x: Tensor, memory: Tensor, is_image: Tensor, *, units: int, name: str) -> Tensor:
    """Attend to the characters before, then to the columns, then transform each position; each sum is residual."""
    own = layers.LayerNormalization(name=f"{name}_own_normalization")(x)
    own = layers.MultiHeadAttention(HEADS, units // HEADS, name=f"{name}_own")(own, own, use_causal_mask=True)
    x = layers.Add(name=f"{name}_own_add")([x, own])
    seen = layers.LayerNormalization(name=f"{name}_seen_normalization")(x)
    attend = layers.MultiHeadAttention(HEADS, units // HEADS, name=f"{name}_seen")
    x = layers.Add(name=f"{name}_seen_add")([x, attend(seen, memory, attention_mask=is_image)])
    y = layers.LayerNormalization(name=f"{name}_wide_normalization")(x)
    y = layers.Dense(2 * units, activation="relu", name=f"{name}_wide")(y)
    y = layers.Dense(units, name=f"{name}_narrow")(y)
    return layers.Add(name=f"{name}_wide_add")([x, y])


class Positions(layers.Layer):
    """Adds sinusoids of the position to features (B, N, C), as in Vaswani et al. 2017."""

    def call(self, x: Tensor) -> Tensor:
        channels = x.shape[-1]
        rates = LONGEST_WAVE ** (-np.arange(0, channels, 2, dtype=np.float32) / channels)
        angles = ops.expand_dims(ops.cast(ops.arange(ops.shape(x)[1]), "float32"), -1) * rates
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)[:, :channels]
        return x + ops.cast(ops.expand_dims(waves, 0), x.dtype)
