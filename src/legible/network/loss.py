"""CTC loss over the time steps that hold image (Graves et al. 2006), on any Keras backend."""

from typing import Any

import keras
from keras import ops


class CTCModel(keras.Model):
    """A functional model whose loss is CTC; x holds "image" and "mask", y the labels, padded with the blank 0."""

    def __init__(self, *args: Any, stride: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stride = stride

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *unused: Any, **named: Any) -> Any:
        """Negative log-likelihood of the batch's texts for each of their characters; logits: (B, T, V), labels: (B, L).

        By character, so that a batch of lines weighs no more than a batch of words.
        """
        del unused, named  # weights of samples, and whether it trains
        labels = ops.cast(y, "int32")
        steps = ops.cast(ops.sum(x["mask"][:, 0, :: self.stride], axis=-1), "int32")
        lengths = ops.sum(ops.cast(labels > 0, "int32"), axis=-1)
        losses = ops.ctc_loss(labels, ops.cast(y_pred, "float32"), lengths, steps, mask_index=0)
        return ops.sum(losses) / ops.cast(ops.sum(lengths), losses.dtype)
