"""Makers of the texts of screens, signs, packages and displays, and of single and repeated characters."""

import numpy as np

from legible.charset import REJECT
from legible.synth.texts import figures
from legible.synth.texts.figures import digits, pick, price
from legible.synth.texts.makers import Sources, count, phrases
from legible.synth.texts.vocabulary import capitalized, in_capitals

Rng = np.random.Generator


def program(sources: Sources, rng: Rng) -> str:
    """Return a line of code or of a terminal."""
    a, b, n = sources.words.word(rng), sources.words.word(rng), count(rng, 0, 100)
    forms = (
        f"{pick(rng, phrases('keywords'))} {a}",
        f"{a} = {n};",
        f"if ({a}[i] != {n}) {{",
        f"def {a}_{b}(self):",
        f"return {a}({b}, {n})",
        f"{a}.{b}()",
        f'<{a} {b}="{n}">',
        f"$ {a} --{b}={n}",
        f"#include <{a}.h>",
        f"// {a} {b}",
        f"{a} += {n};",
        f'{{"{a}": {n}}}',
        f"for {a[0]} in range({n}):",
        f"{a}@{b}:~$",
        f"[{n:02}:{count(rng, 0, 59):02}:{count(rng, 0, 59):02}] {a} {b}",
        f"{a}::{b}",
        f"{a} | {b}",
        f"ERROR: {a} {b}",
        f"import {a}",
    )
    return pick(rng, forms)


def on_screen(sources: Sources, rng: Rng) -> str:
    chance = rng.random()
    if chance < 0.3:
        return pick(rng, phrases("menus"))
    if chance < 0.5:
        return figures.address(rng, sources.words.word(rng), sources.words.word(rng))
    return sources.words.cased(rng, count(rng, 1, 5))


def sign(sources: Sources, rng: Rng) -> str:
    """Return what shops, plates and posters say: mostly one word, often in capitals."""
    chance = rng.random()
    if chance < 0.5:
        return sources.words.capitals(rng, 1)
    if chance < 0.85:
        return sources.words.title(rng, 1) if chance < 0.72 else sources.words.word(rng)
    word = sources.words.cased(rng, 1)
    forms = (
        digits(rng, count(rng, 1, 5)),
        f"{word}!",
        f"{word}'s",
        f"{count(rng, 1, 99)}%",
        f"{word}.",
        f"{price(rng)}",
        f"{word}:",
        f"{word}&{word[:1]}",
        f"{digits(rng, 1)}{pick(rng, ('st', 'nd', 'rd', 'th'))}",
        f"“{word}”",
        f"{word},",
        figures.code(rng),
        f"{word}?",
        f"({word})",
        f"{word}-{word[:3]}",
    )
    return pick(rng, forms)


def sign_line(sources: Sources, rng: Rng) -> str:
    return (
        sources.words.cased(rng, count(rng, 2, 4))
        if rng.random() < 0.8
        else f"{sources.words.capitals(rng, 1)} {figures.figure(rng)}"
    )


def plate(_: Sources, rng: Rng) -> str:
    """Return a licence plate."""
    letters, more = (figures.some("ABCDEFGHIJKLMNOPQRSTUVWXYZ", rng, n) for n in (count(rng, 1, 3), count(rng, 1, 3)))
    forms = (
        f"{letters} {more} {digits(rng, 3)}",
        f"{letters}-{digits(rng, 4)}",
        f"{letters}{digits(rng, 4)}",
        f"{digits(rng, 3)} {letters}",
        f"{digits(rng, 1)}{letters} {digits(rng, 4)}",
        f"{letters}{digits(rng, 2)} {more}",
        f"{letters} {digits(rng, 4)}",
    )
    return pick(rng, forms)


def dotted(sources: Sources, rng: Rng) -> str:
    """Return what ink-jets print on packages."""
    month, year = count(rng, 1, 12), count(rng, 2020, 2031)
    forms = (
        f"EXP {month:02}/{year}",
        f"LOT {figures.code(rng)}",
        f"BEST BEFORE {month:02} {year}",
        f"{count(rng, 0, 23):02}:{count(rng, 0, 59):02} L{count(rng, 1, 9)}",
        f"L{digits(rng, 5)}",
        f"MFG {count(rng, 1, 28):02}.{month:02}.{year % 100:02}",
        f"{count(rng, 1, 28):02}.{month:02}.{year}",
        f"B.B. {month:02}/{year % 100:02}",
        figures.code(rng),
        sources.words.capitals(rng, count(rng, 1, 2)),
        figures.date(rng),
        f"PRD {figures.date(rng)}",
        sources.words.cased(rng, 1),
        figures.time(rng),
        f"NO. {digits(rng, 6)}",
    )
    return pick(rng, forms)


def reading(_: Sources, rng: Rng) -> str:
    """Return what a segment display or a counter shows."""
    forms = (
        f"{10 ** rng.uniform(0, 3):.1f}",
        f"{10 ** rng.uniform(0, 2):.2f}",
        digits(rng, count(rng, 1, 8)),
        f"{count(rng, 0, 23):02}:{count(rng, 0, 59):02}",
        f"-{10 ** rng.uniform(0, 2):.1f}",
        f"{count(rng, 0, 23)}:{count(rng, 0, 59):02}",
        f"{count(rng, 0, 99)}.{digits(rng, 3)}",
        digits(rng, count(rng, 1, 3)),
        f"{count(rng, 1, 12)}:{count(rng, 0, 59):02}:{count(rng, 0, 59):02}",
    )
    return pick(rng, forms)


def segment_word(sources: Sources, rng: Rng) -> str:
    """Return what a display of fourteen segments shows: capitals."""
    word = sources.words.capitals(rng, count(rng, 1, 2))
    return pick(rng, (word, word, f"{word} {count(rng, 0, 99)}", f"{word[:4]} {count(rng, 0, 999)}"))


def alone(sources: Sources, rng: Rng) -> str:
    """Return one character: each of the charset is equally frequent, but letters and digits more so."""
    common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    chance = rng.random()
    if chance < 0.7:
        return common[int(rng.integers(len(common)))]
    if chance < 0.8:
        return pick(rng, tuple("cCoOsSvVwWxXzZuUpPkKiIlL1jJ0Oyt-.,:;'\"_=+*~^"))
    every = sources.words.charset.characters.replace(" ", "").replace(REJECT, "")
    return every[int(rng.integers(len(every)))]


def repeated(sources: Sources, rng: Rng) -> str:
    """Return a character several times, alone or in a number or word: `llll`, `1111`, `5000,000,00`, `bookkeeper`."""
    character = alone(sources, rng)
    times = count(rng, 2, 8)
    digit = str(rng.integers(10))
    word = sources.words.word(rng)
    at = int(rng.integers(len(word)))
    forms = (
        character * times,
        digit * times,
        f"{digits(rng, count(rng, 1, 5))}{digit * times}{digits(rng, count(rng, 0, 4))}",
        f"{digit * 3},{digit * 3}.{digit * 2}",
        f"{digit}{'0' * times}",
        word[:at] + word[at] * 2 + word[at + 1 :],
        f"{digit * 3},{digit * 2}",
        in_capitals(word[:at] + word[at] * 2 + word[at + 1 :]),
        f"{digit}000,{'0' * 3},{'0' * 2}",
    )
    return pick(rng, forms)


def look_alikes(_: Sources, rng: Rng) -> str:
    """Return a mix of characters that look alike."""
    alike = "".join(
        phrases("look-alikes")[int(n)] for n in rng.integers(0, len(phrases("look-alikes")), count(rng, 1, 2))
    )
    return figures.some(alike, rng, count(rng, 2, 6))


def small_words(_: Sources, rng: Rng) -> str:
    """Return words of letters that look alike in both cases, so that size alone tells which: `cow`, `Zoos`, `VOX`."""
    letters = figures.some("ccoossvvwwxxzzuu", rng, count(rng, 2, 6))
    return pick(rng, (letters, capitalized(letters), in_capitals(letters)))
