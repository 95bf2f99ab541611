"""Print the most frequent characters of a language in order of their code points, for the charset of a recipe.

python scripts/frequent_characters.py zh 3500: by wordfreq's frequencies of words. Letters that are no ideographs are
left out.
"""

import sys
from collections import Counter

import wordfreq


def frequent_characters(language: str, count: int) -> str:
    """Return `count` ideographs of the language, the most frequent by the words that hold them."""
    found: Counter[str] = Counter()
    for word, frequency in wordfreq.get_frequency_dict(language, wordlist="large").items():
        for character in word:
            if "\u4e00" <= character <= "\u9fff":
                found[character] += frequency  # type: ignore[assignment]
    return "".join(sorted(character for character, _ in found.most_common(count)))


if __name__ == "__main__":
    print(frequent_characters(sys.argv[1], int(sys.argv[2])))
