"""CTC loss over the time steps that hold image (Graves et al. 2006), on any Keras backend."""

from typing import Any

import keras
from keras import ops


class CTCModel(keras.Model):
    """A functional model whose loss is CTC; x holds "image" and "mask", y the labels, padded with the blank 0."""

    def __init__(self, *args: Any, stride: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stride = stride
        self.consistency = 0.0
        """Weight of `disagreement`; above 0 the second half of a batch holds other views of the first."""

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *unused: Any, **named: Any) -> Any:
        """Negative log-likelihood of the batch's texts for each of their characters; logits: (B, T, V), labels: (B, L).

        By character, so that a batch of lines weighs no more than a batch of words.
        """
        del unused, named  # weights of samples, and whether it trains
        labels = ops.cast(y, "int32")
        steps = ops.cast(ops.sum(x["mask"][:, 0, :: self.stride], axis=-1), "int32")
        lengths = ops.sum(ops.cast(labels > 0, "int32"), axis=-1)
        losses = ops.ctc_loss(labels, ops.cast(y_pred, "float32"), lengths, steps, mask_index=0)
        total = ops.sum(losses)
        if self.consistency:
            total += self.consistency * disagreement(y_pred, steps)
        return total / ops.cast(ops.sum(lengths), losses.dtype)


def disagreement(logits: Any, steps: Any) -> Any:
    """How far two views of the same samples part, summed over both and their first `steps` (2 B,) time steps.

    Rows B to 2 B of the logits (2 B, T, V) are other views of rows 0 to B. For each step the Kullback-Leibler
    divergence of one view from the other, which is held fixed, both ways: the regularisation of CR-CTC (Yao et al.
    2024, "CR-CTC: Consistency regularization on CTC for improved speech recognition").
    """
    ours = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    first, second = ops.split(ours, 2, axis=0)
    theirs = ops.stop_gradient(ops.concatenate([second, first], axis=0))
    divergence = ops.sum(ops.exp(theirs) * (theirs - ours), axis=-1)
    counted = ops.expand_dims(ops.arange(ops.shape(logits)[1]), 0) < ops.expand_dims(steps, -1)
    return ops.sum(ops.where(counted, divergence, 0.0))
