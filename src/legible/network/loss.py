"""The CTC loss over the time steps that hold image (Graves et al. 2006), on any Keras backend.

Shapes: B batch, T time steps, V labels with the blank, L labels of the longest text.
"""

from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from legible.network.untold import joined

if TYPE_CHECKING:
    from legible.ctc.folding import LabelFolding


class CTCModel(keras.Model):
    """A functional Keras model trained with CTC.

    x holds "image" (B, H, W, 1) and "mask" (B, 1, W); y holds the labels (B, L), padded with the blank 0.
    """

    def __init__(self, *args: Any, stride: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stride = stride
        self.consistency = 0.0
        """The weight of `consistency_loss`. Above 0 the second half of a batch holds other views of the first half."""
        self.folding: LabelFolding | None = None
        """Set where some labels do not tell everything: y is then `{"labels": (B, L), "untold": (B, 3)}`."""

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *unused: Any, **named: Any) -> Any:
        """Return the negative log-likelihood of the batch's texts, divided by the number of their characters.

        y_pred: logits (B, T, V). The mean is over characters so that a batch of lines has the weight of a batch of
        words.
        """
        del unused, named  # the weights of samples, and whether the model trains
        labels = ops.cast(y if self.folding is None else y["labels"], "int32")
        steps = ops.cast(ops.sum(x["mask"][:, 0, :: self.stride], axis=-1), "int32")
        lengths = ops.sum(ops.cast(labels > 0, "int32"), axis=-1)
        logits = ops.cast(y_pred, "float32")
        if self.folding is not None:
            logits = joined(logits, ops.cast(y["untold"], "float32"), self.folding)
        losses = ops.ctc_loss(labels, logits, lengths, steps, mask_index=0)
        total = ops.sum(losses)
        if self.consistency:
            total += self.consistency * consistency_loss(y_pred, steps)
        return total / ops.cast(ops.maximum(ops.sum(lengths), 1), losses.dtype)


def consistency_loss(logits: Any, steps: Any) -> Any:
    """Return how much the readings of two views of the same samples differ, summed over all time steps with image.

    logits: (2 B, T, V), where rows B to 2 B are other views of rows 0 to B; steps: (2 B,), the time steps with image.
    In each step it is the Kullback-Leibler divergence of one view from the other, which is held constant, both ways:
    the regularisation of CR-CTC (Yao et al. 2024, "CR-CTC: Consistency regularization on CTC for improved speech
    recognition").
    """
    ours = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    first, second = ops.split(ours, 2, axis=0)
    theirs = ops.stop_gradient(ops.concatenate([second, first], axis=0))
    divergence = ops.sum(ops.exp(theirs) * (theirs - ours), axis=-1)
    counted = ops.expand_dims(ops.arange(ops.shape(logits)[1]), 0) < ops.expand_dims(steps, -1)
    return ops.sum(ops.where(counted, divergence, 0.0))
