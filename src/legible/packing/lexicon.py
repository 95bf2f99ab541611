"""Stage `lexicon`: the most frequent words of a language, from wordfreq, for readings that ask for them."""

import dataclasses
import math
from pathlib import Path

from wordfreq import available_languages, get_frequency_dict

from legible.charset import Charset
from legible.config import LexiconParams, Params
from legible.ctc.lexicon import APOSTROPHE, Lexicon, LexiconWeights
from legible.errors import SettingsError


def lexicon(params: Params, *, root: Path) -> None:
    """Write root/training/lexicon.gz, an empty file where `lexicon.words` is 0: a charset of digits spells no word."""
    folder = root / "training"
    folder.mkdir(parents=True, exist_ok=True)
    if not params.lexicon.words:
        (folder / "lexicon.gz").write_bytes(b"")
        return
    frequent_words(params.lexicon, params.charset.build()).save(folder / "lexicon.gz")


def frequent_words(params: LexiconParams, charset: Charset) -> Lexicon:
    """Return words of letters and apostrophes that the charset can write, lower-case, with their frequencies.

    Raise SettingsError for a language that wordfreq has no large list of, and for less than a word.
    """
    languages = available_languages(wordlist="large")
    if params.language not in languages:
        raise SettingsError(f"lexicon.language is {params.language!r}; known: {', '.join(sorted(languages))}")
    if params.words < 1:
        raise SettingsError(f"lexicon.words is {params.words!r}; it needs to be at least 1")
    frequencies = {
        word: frequency
        for word, frequency in get_frequency_dict(params.language, wordlist="large").items()
        if word.replace(APOSTROPHE, "").isalpha() and not word.startswith(APOSTROPHE) and not charset.unknown(word)
    }
    chosen = sorted(frequencies, key=lambda word: (-frequencies[word], word))[: params.words]
    weights = {field.name: getattr(params, field.name) for field in dataclasses.fields(LexiconWeights)}
    return Lexicon.of({word: math.log(frequencies[word]) for word in chosen}, LexiconWeights(**weights))
