"""Labels that count alike where a text does not tell all of its picture: case, spaces or punctuation."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from legible.charset import Charset

UNTOLD = ("case", "spaces", "punctuation")
"""The columns of `untold` (B, 3)."""


@dataclass(frozen=True)
class LabelFolding:
    """Which labels count alike; each array holds a value for each label (V,)."""

    small: npt.NDArray[np.int32]
    """The label of the small letter of a capital, else the label itself."""
    capital: npt.NDArray[np.int32]
    """The label of the capital of a small letter, else the label itself."""
    space: npt.NDArray[np.float32]
    mark: npt.NDArray[np.float32]
    """1 for spaces, and for signs that are neither letters nor digits nor spaces."""

    @staticmethod
    def of(charset: Charset) -> "LabelFolding":
        """Return the folding of a charset: `A` as `a` where it holds both."""
        small = np.arange(charset.size, dtype=np.int32)
        capital = small.copy()
        labels = {character: label for label, character in enumerate(charset.characters, start=1)}
        for character, label in labels.items():
            other = labels.get(character.lower(), label)
            if other != label:
                small[label], capital[other] = other, label
        signs = ["", *charset.characters]
        return LabelFolding(
            small,
            capital,
            np.array([sign == " " for sign in signs], np.float32),
            np.array([bool(sign) and not sign.isalnum() and sign != " " for sign in signs], np.float32),
        )

    def labels(self, labels: Sequence[int], untold: Collection[str]) -> list[int]:
        """Return the labels of a text in small letters, without spaces and punctuation, as far as those are untold."""
        found = [int(self.small[label]) for label in labels] if "case" in untold else list(labels)
        unheard = self.space * ("spaces" in untold) + self.mark * ("punctuation" in untold)
        return [label for label in found if not unheard[label]]


def untold_columns(untold: Collection[str]) -> list[float]:
    """Return a 1.0 for each untold property, in the order of UNTOLD: `("spaces",) -> [0.0, 1.0, 0.0]`."""
    return [float(name in untold) for name in UNTOLD]
