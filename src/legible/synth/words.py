"""The texts to draw: words by frequency, and numbers, dates, amounts, addresses and codes among them."""

import string
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate

import numpy as np
import wordfreq

from legible.charset import Charset
from legible.config import DEFAULT_FLATTENING
from legible.errors import DataError

Rng = np.random.Generator

VOCABULARY = 40_000
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December", "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sept", "Oct", "Nov", "Dec")  # fmt: skip
DOMAINS = ("com", "org", "net", "co.uk", "edu", "de", "io")
SIGNS_ALONE = 0.5
"""The fraction of random strings that consist of signs: the rarest signs of a charset are in no word."""
MARKS = ".......,,,,,,,\"\"--'':;!?()"
"""The punctuation that is drawn; half of it are full stops and commas, which are even more frequent in running text."""
TRIES = 500
"""How often a text is drawn again where the charset, or a style, lacks a character of it."""
CLOSING = ("", "", "", "", "", "", ",", ",", ".", ".", ";", ":", "!", "?", "'s", "-")


@lru_cache(maxsize=4)
def _vocabulary(flattening: float) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the words and their cumulative frequencies."""
    words = wordfreq.top_n_list("en", VOCABULARY)
    frequencies = np.array([wordfreq.word_frequency(word, "en") for word in words]) ** flattening
    return tuple(words), tuple(accumulate(frequencies / frequencies.sum()))


class Texts:
    """Draws words and lines within a charset, with people's names and addresses where asked for.

    Words are drawn by their frequency to the power of `flattening`: below 1 rare ones are seen, common ones stay
    common.
    """

    def __init__(self, charset: Charset, *, names: bool = False, flattening: float = DEFAULT_FLATTENING) -> None:
        self._charset = charset
        self._names = names
        words, cumulated = _vocabulary(flattening)
        kept = [i for i, word in enumerate(words) if not charset.unknown(word)]
        self._words = [words[i] for i in kept]
        frequencies = np.diff(np.array(cumulated), prepend=0)[kept]
        self._cumulated = np.cumsum(frequencies / frequencies.sum()) if kept else np.zeros(0)
        if not kept and not any(c.isdigit() for c in charset.characters):
            raise DataError(f"charset {charset.name!r} has neither letters of a word nor digits; widen it")

    def word(self, rng: Rng) -> str:
        """Return a word as it stands alone in an image, sometimes with its punctuation."""
        return self._within(lambda: self._kinds(rng))

    def line(self, rng: Rng, *, words: int) -> str:
        """Return words with single spaces; the first often has a capital, the last is often followed by a full stop."""
        parts: list[str] = []
        while len(parts) < words:
            parts += self._within(lambda: self._in_line(rng)).split(" ")[: words - len(parts)]
        if rng.random() < 0.4:  # noqa: PLR2004
            parts[0] = _capitalized(parts[0])
        text = " ".join(parts)
        quoted = f'"{text}"' if rng.random() < 0.05 else text  # noqa: PLR2004
        return text if self._charset.unknown(quoted) else quoted

    def running_word(self, rng: Rng, *, shortest: int = 2) -> str:
        """Return a word as it stands in running text: no lone signs or random strings."""
        return self._within(lambda: text if len(text := self._running(rng)) >= shortest else "")

    def _within(self, draw: Callable[[], str]) -> str:
        for _ in range(TRIES):
            text = draw()
            if text and not self._charset.unknown(text):
                return text
        raise DataError(f"charset {self._charset.name!r} allows hardly any text; widen it")

    def _kinds(self, rng: Rng) -> str:
        kinds: Sequence[tuple[float, Callable[[Rng], str]]] = (
            (0.60, self._dressed), (0.12, _mark), (0.07, _number), (0.04, _amount), (0.03, _date), (0.02, _time),
            (0.03, self._address), (0.05, _code), (0.05, self._letters), (0.05, self._joined),
        )  # fmt: skip
        return self._choose(rng, (*kinds, (0.03, _name)) if self._names else kinds)

    def _in_line(self, rng: Rng) -> str:
        if not self._names:
            return self._running(rng)
        kinds: Sequence[tuple[float, Callable[[Rng], str]]] = (
            (0.92, self._running), (0.03, _titled), (0.03, _name), (0.02, self._address),
        )  # fmt: skip
        return self._choose(rng, kinds)

    def _running(self, rng: Rng) -> str:
        kinds: Sequence[tuple[float, Callable[[Rng], str]]] = (
            (0.84, self._dressed), (0.05, _number), (0.03, _amount), (0.02, _date), (0.01, _time), (0.02, _code),
            (0.03, self._joined),
        )  # fmt: skip
        return self._choose(rng, kinds)

    @staticmethod
    def _choose(rng: Rng, kinds: Sequence[tuple[float, Callable[[Rng], str]]]) -> str:
        chances = np.cumsum([chance for chance, _ in kinds])
        place = int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))
        return kinds[min(place, len(kinds) - 1)][1](rng)

    def _plain(self, rng: Rng) -> str:
        if not self._words:
            return _number(rng)
        return self._words[min(int(np.searchsorted(self._cumulated, rng.random())), len(self._words) - 1)]

    def _dressed(self, rng: Rng) -> str:
        word = _cased(self._plain(rng), rng)
        if rng.random() < 0.05:  # noqa: PLR2004
            opening, closing = [("(", ")"), ('"', '"'), ("'", "'"), ("[", "]")][int(rng.integers(4))]
            return f"{opening}{word}{closing}"
        return word + CLOSING[int(rng.integers(len(CLOSING)))] if rng.random() < 0.3 else word  # noqa: PLR2004

    def _joined(self, rng: Rng) -> str:
        sign = "-/&_"[int(rng.choice(4, p=[0.7, 0.12, 0.1, 0.08]))]
        return _cased(self._plain(rng), rng) + sign + _cased(self._plain(rng), rng)

    def _address(self, rng: Rng) -> str:
        name, place = self._plain(rng), self._plain(rng)
        domain = DOMAINS[int(rng.integers(len(DOMAINS)))]
        if rng.random() < 0.5:  # noqa: PLR2004
            return f"{name}{'._-'[int(rng.integers(3))]}{place}@{self._plain(rng)}.{domain}"
        return f"www.{place}.{domain}" if rng.random() < 0.6 else f"{place}.{domain}/{name}"  # noqa: PLR2004

    def _letters(self, rng: Rng) -> str:
        """Return random characters of the charset, sometimes its signs alone, so that each is seen often."""
        every = self._charset.characters.replace(" ", "") or self._charset.characters
        signs = "".join(character for character in every if not character.isalnum()) or every
        return _some(signs if rng.random() < SIGNS_ALONE else every, rng, int(rng.integers(1, 7)))


def _some(alphabet: str, rng: Rng, length: int) -> str:
    return "".join(alphabet[int(place)] for place in rng.integers(0, len(alphabet), length))


def _capitalized(word: str) -> str:
    return word[:1].upper() + word[1:]


def _cased(word: str, rng: Rng) -> str:
    chance = rng.random()
    if chance < 0.7:  # noqa: PLR2004
        return "I" + word[1:] if word == "i" or word.startswith("i'") else word
    return _capitalized(word) if chance < 0.9 else word.upper()  # noqa: PLR2004


@lru_cache(maxsize=1)
def _names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return first and last names of Great Britain and the United States."""
    from faker.providers.person.en_GB import Provider as British  # noqa: PLC0415
    from faker.providers.person.en_US import Provider as American  # noqa: PLC0415

    first, last = ({*British.first_names, *American.first_names}, {*British.last_names, *American.last_names})
    return tuple(sorted(first)), tuple(sorted(last))


def _name(rng: Rng) -> str:
    """Return a first or last name, sometimes in capitals or another's."""
    names = _names()[int(rng.integers(2))]
    name = names[int(rng.integers(len(names)))]
    return str(rng.choice([name, name.upper(), f"{name}'s", f"{name},"], p=[0.6, 0.15, 0.1, 0.15]))


def _titled(rng: Rng) -> str:
    """Return a person as a line names one: by title, initials or all names."""
    first, last = (names[int(rng.integers(len(names)))] for names in _names())
    title = str(rng.choice(["Mr", "Mr.", "Mrs", "Mrs.", "Miss", "Ms", "Dr", "Dr.", "Sir", "Lord", "Lady", "Prof."]))
    return str(rng.choice([f"{title} {last}", f"{title} {first} {last}", f"{first[0]}. {last}", f"{first} {last}"]))


def _mark(rng: Rng) -> str:
    return MARKS[int(rng.integers(len(MARKS)))]


def _number(rng: Rng) -> str:
    value = int(10 ** rng.uniform(0, 6))
    forms = [f"{value}", f"{value:,}", f"{value / 10:.1f}", f"{value / 100:.2f}", f"{value}%", f"+{value}"]
    return str(rng.choice(forms, p=[0.55, 0.15, 0.1, 0.1, 0.06, 0.04]))


def _amount(rng: Rng) -> str:
    value = 10 ** rng.uniform(0, 5)
    sign = "$" if rng.random() < 0.5 else "£"  # noqa: PLR2004
    return f"{sign}{value:,.2f}" if rng.random() < 0.6 else f"{sign}{int(value)}"  # noqa: PLR2004


def _date(rng: Rng) -> str:
    day, month, year = int(rng.integers(1, 29)), int(rng.integers(1, 13)), int(rng.integers(1900, 2030))
    forms = (f"{day:02}/{month:02}/{year}", f"{day}.{month}.{year}", f"{year}-{month:02}-{day:02}",
             f"{day}/{month}/{year % 100:02}", MONTHS[int(rng.integers(len(MONTHS)))], str(year),
             f"{day}th")  # fmt: skip
    return forms[int(rng.integers(len(forms)))]


def _time(rng: Rng) -> str:
    hour, minute = int(rng.integers(0, 24)), int(rng.integers(0, 60))
    return f"{hour:02}:{minute:02}" if rng.random() < 0.7 else f"{hour % 12 + 1}.{minute:02}pm"  # noqa: PLR2004


def _code(rng: Rng) -> str:
    """Return letters and digits as on parcels and tickets."""
    alphabet = string.ascii_uppercase + string.digits
    if rng.random() < 0.3:  # noqa: PLR2004
        alphabet += string.ascii_lowercase
    blocks = [_some(alphabet, rng, int(rng.integers(2, 6))) for _ in range(int(rng.integers(1, 4)))]
    return "-#/ "[int(rng.integers(3))].join(blocks)[:14]
