"""Checks of a source's labels before any image is read: blank labels, blanks at the edges, unknown characters."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from legible.charset import Charset, named
from legible.data.emnist import open_emnist
from legible.data.iam import join_handwritten, open_iam
from legible.data.pages import open_pages
from legible.data.sources import Source
from legible.data.transcribed import open_transcribed

EXAMPLES = 5
"""The number of labels that are named for each fault."""


def check_labels(source: Source, folder: Path, charset: Charset) -> list[str]:
    """Return one line for each kind of fault in the labels of a source; an empty list where there is none."""
    return faults_of(list(texts_of(source, folder)), charset)


def texts_of(source: Source, folder: Path) -> Iterator[str]:
    """Yield every label that the source's options let in, as it will be trained on."""
    if source.kind == "iam":
        yield from (entry.text for entry in open_iam(folder, join_tokens=join_handwritten).entries.values())
    elif source.kind == "emnist":
        yield from (text for file in open_emnist(folder) for text in file.texts)
    elif source.kind == "pages":
        pages = open_pages(folder, source.options).pages
        yield from (t.text for page in pages for t in page.texts if not source.options.leaves_out(t.text, page.path))
    else:
        rows = open_transcribed(folder, source.options).rows
        yield from (row.text for row in rows if not source.options.leaves_out(row.text, row.path))


def faults_of(texts: Sequence[str], charset: Charset) -> list[str]:
    """Return lines for blank labels, labels with blanks at an edge, and characters outside the charset with their code
    points.

    An empty label is no fault: its image waits for a transcription.
    """
    blank = sum(bool(text) and not text.strip() for text in texts)
    edges = [text for text in texts if text.strip() and text != text.strip()]
    strange = Counter(sign for text in texts for sign in charset.unknown(text))
    lines = [f"{_labels(blank)} of blanks alone"] if blank else []
    if edges:
        lines.append(f"{_labels(len(edges))} with blanks at an edge, such as {', '.join(map(repr, edges[:EXAMPLES]))}")
    if strange:
        counted = ", ".join(f"{named([sign])} in {count}" for sign, count in strange.most_common())
        what = "read as the reject sign" if charset.rejects else "left out with their labels"
        lines.append(f"signs outside the charset {charset.name!r}, {what}: {counted}")
    return lines


def _labels(count: int) -> str:
    return f"{count} label{'' if count == 1 else 's'}"
