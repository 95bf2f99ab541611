"""Logits for labels that do not tell all: what counts alike is joined, its probabilities summed, before the loss.

Where a label does not tell case, a capital counts as its small letter; where it does not tell spaces or punctuation,
they count as the blank.
"""

from typing import Any

import numpy as np
from keras import ops

from legible.charset import BLANK
from legible.ctc.folding import LabelFolding

NEVER = -1e9
"""The logit of a label that no path may take."""


def joined(logits: Any, untold: Any, folding: LabelFolding) -> Any:
    """Return logits (B, T, V) in which labels that count as equal are joined, by row.

    untold: (B, 3), 1 where the labels do not tell case, spaces or punctuation.
    """
    logits = _without_case(logits, ops.reshape(untold[:, 0], (-1, 1, 1)), folding)
    space, mark = ops.convert_to_tensor(folding.space), ops.convert_to_tensor(folding.mark)
    silent = untold[:, 1:2] * space + untold[:, 2:3] * mark  # (B, V)
    silent = ops.expand_dims(silent, 1) > 0
    as_blank = ops.logsumexp(ops.where(silent, logits, NEVER), axis=-1, keepdims=True)
    blank = ops.logaddexp(logits[:, :, BLANK : BLANK + 1], as_blank)
    return ops.concatenate([blank, ops.where(silent, NEVER, logits)[:, :, BLANK + 1 :]], axis=-1)


def _without_case(logits: Any, flags: Any, folding: LabelFolding) -> Any:
    """Add the probabilities of capitals to their small letters, in the rows whose flag (B, 1, 1) is 1."""
    own = np.arange(len(folding.small))
    has_capital, is_capital = (ops.convert_to_tensor(other != own) for other in (folding.capital, folding.small))
    both = ops.logaddexp(logits, ops.take(logits, ops.convert_to_tensor(folding.capital), axis=-1))
    folded = ops.where(has_capital, both, ops.where(is_capital, NEVER, logits))
    return ops.where(flags > 0, folded, logits)
