"""Stage `lexicon`: the most frequent words of a language, from wordfreq, to be preferred where one asks for it."""

import dataclasses
import math
from pathlib import Path

from wordfreq import get_frequency_dict

from legible.charset import Charset
from legible.config import LexiconParams, Params
from legible.ctc.lexicon import APOSTROPHE, Lexicon, LexiconWeights


def lexicon(params: Params, *, root: Path) -> None:
    """Write root/training/lexicon.gz."""
    folder = root / "training"
    folder.mkdir(parents=True, exist_ok=True)
    frequent_words(params.lexicon, params.charset.build()).save(folder / "lexicon.gz")


def frequent_words(params: LexiconParams, charset: Charset) -> Lexicon:
    """Words of letters and apostrophes that the charset can write, lower-case, with their shares of all text."""
    shares = {
        word: share
        for word, share in get_frequency_dict(params.language, wordlist="large").items()
        if word.replace(APOSTROPHE, "").isalpha() and not word.startswith(APOSTROPHE) and not charset.unknown(word)
    }
    chosen = sorted(shares, key=lambda word: (-shares[word], word))[: params.words]
    weights = {field.name: getattr(params, field.name) for field in dataclasses.fields(LexiconWeights)}
    return Lexicon({word: math.log(shares[word]) for word in chosen}, LexiconWeights(**weights))
