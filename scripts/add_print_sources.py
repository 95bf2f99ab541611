"""List the sources that params.yaml trains on: python scripts/add_print_sources.py FOLDER [--root ROOT]

FOLDER holds pages/NAME.tar, words/NAME.tar and stanford/lines.tar; a source that is not there is said and left out.
What each is, and under which terms, stands in SOURCES; IAM is added by `legible data add iam`.
"""

import argparse
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from legible.data import second_readings, sources
from legible.data.options import SourceOptions
from legible.data.pages import open_pages
from legible.data.transcribed import open_transcribed

RESEARCH, CC_BY, UNSTATED = "research", "CC-BY 4.0", "none stated; research"
STRUCK = "[⟦⟧]"
"""Around what the writer struck out."""
LATIN: Mapping[str, str] = {
    "\N{CYRILLIC SMALL LETTER A WITH DIAERESIS}": "ä",
    "\N{CYRILLIC CAPITAL LETTER A WITH DIAERESIS}": "Ä",
    "\N{CYRILLIC SMALL LETTER O WITH DIAERESIS}": "ö",
    "\N{CANADIAN SYLLABICS CARRIER GHO}": "A",
    "\N{CANADIAN SYLLABICS CARRIER THE}": "D",
    "\N{CANADIAN SYLLABICS TA}": "C",
}
"""Signs of other scripts that transcribers typed for the Latin letters they look like."""


@dataclass(frozen=True)
class PrintSource:
    """One source: its kind, its file in the folder, its terms, and how it is taken."""

    kind: str
    path: str
    terms: str
    is_open: bool = False
    options: SourceOptions = field(default_factory=SourceOptions)

    @property
    def name(self) -> str:
        return "stanford" if self.path.startswith("stanford/") else PurePosixPath(self.path).stem


SOURCES = (
    PrintSource("pages", "pages/sroie.tar", f"{RESEARCH} (ICDAR 2019)", options=SourceOptions(untold=("case",))),
    PrintSource("pages", "pages/wildreceipt.tar", UNSTATED),
    PrintSource("pages", "pages/funsd.tar", "non-commercial research"),
    PrintSource("pages", "pages/ehri-german.tar", CC_BY, True, SourceOptions(replace=LATIN)),
    PrintSource("pages", "pages/ehri-czech.tar", CC_BY, True),
    PrintSource("pages", "pages/ehri-danish.tar", CC_BY, True),
    PrintSource("pages", "pages/tapuscorpus.tar", CC_BY, True, SourceOptions(leave_out=f"_|~~~|{STRUCK}")),
    PrintSource("pages", "pages/oldbooks.tar", "public domain", True),
    PrintSource("pages", "pages/fondue-french.tar", CC_BY, True, SourceOptions(replace={"¬": "-"})),
    PrintSource(
        "pages", "pages/fondue-italian.tar", CC_BY, True, SourceOptions(leave_out="⬪", replace={"¬": "-", **LATIN})
    ),
    PrintSource(
        "pages", "pages/icdar2003.tar", RESEARCH, options=SourceOptions(untold=("punctuation",), leave_out="ï¿½")
    ),
    PrintSource(
        "transcribed",
        "words/icdar2003-train.tar",
        RESEARCH,
        options=SourceOptions(leave_out="ï¿½", page=r"(\d+_\d+)_\d+\."),
    ),
    PrintSource(
        "transcribed",
        "words/iiit5k-train.tar",
        RESEARCH,
        options=SourceOptions(untold=("punctuation",), page=r"(\d+)_\d+\."),
    ),
    PrintSource(
        "transcribed",
        "words/plates-us.tar",
        UNSTATED,
        options=SourceOptions(untold=("spaces", "punctuation"), leave_out="0", band=(0.22, 0.8)),
    ),
    PrintSource("transcribed", "words/letters.tar", UNSTATED),
    PrintSource("transcribed", "words/cursive-letters.tar", UNSTATED),
    PrintSource("transcribed", "words/meter-digits.tar", UNSTATED),
    PrintSource("transcribed", "stanford/lines.tar", CC_BY, True, SourceOptions(leave_out=STRUCK, replace=LATIN)),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--root", type=Path, default=Path(), help="The project's folder.")
    parser.add_argument("--readings", type=Path, help="A folder of NAME.tsv, another reader's readings of pages.")
    parser.add_argument("--reader", default="another recognizer", help="Who read, for the card.")
    given = parser.parse_args()
    for source in SOURCES:
        path = given.folder / source.path
        if not path.is_file():
            print(f"{source.name}: not in {given.folder}, left out")
            continue
        options, terms = source.options, source.terms
        if source.name == "icdar2003-train":
            options = replace(options, leave_out_paths=photos_of_pages(given.folder))
        with tempfile.TemporaryDirectory() as folder:
            readings = given.readings / f"{source.name}.tsv" if given.readings else None
            if readings and readings.is_file():
                path = joined(path, readings, Path(folder))
                terms += f"; second readings by {given.reader}"
            added = sources.add(
                given.root,
                kind=source.kind,
                path=path,
                name=source.name,
                terms=terms,
                is_open=source.is_open,
                options=options,
            )
        print(f"{added.name}: {', '.join(f'{count} {what}' for what, count in added.counts.items())}", flush=True)


def joined(archive: Path, readings: Path, folder: Path) -> Path:
    """A folder with a source's archive and another reader's readings of it."""
    shutil.copyfile(archive, folder / archive.name)
    shutil.copyfile(readings, folder / second_readings.FILE)
    return folder


def photos_of_pages(folder: Path) -> str:
    """The photographs of icdar2003-train whose words are the words of a page of icdar2003: the pages hold them too."""
    pages = open_pages(folder / "pages/icdar2003.tar").pages
    known = {tuple(sorted(text.text for text in page.texts)) for page in pages}
    words: dict[str, list[str]] = {}
    for row in open_transcribed(folder / "words/icdar2003-train.tar").rows:
        photo = re.search(r"(\d+_\d+)_\d+\.", row.path)
        words.setdefault(photo.group(1) if photo else row.path, []).append(row.text)
    twice = sorted(photo for photo, own in words.items() if tuple(sorted(own)) in known)
    return f"({'|'.join(twice)})_" if twice else ""


if __name__ == "__main__":
    main()
