"""Pages that Typst sets, as papers, books, letters and invoices are, and where each line of them is.

    pip install typst
    python benchmarks/drawing/typeset.py SETS                   (--pages 18 --seed 0)
    python benchmarks/reading/pages.py SETS/papers SETS/books SETS/letters SETS/news SETS/photographs

legible draws the pages that it learns from; these are set by another program, in the fonts of this machine, from the
paragraphs of `docs/`. Half of them are worn like scans, `photographs` are of sheets on a table. Each set is a folder of
PAGE.json beside its image: {"image", "lines": [{"text", "polygon"}]}, in the order of the PDF's own text.
"""

import argparse
import json
import random
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pypdfium2
import typst

FAMILIES = (
    "Nimbus Roman", "C059", "P052", "Liberation Serif", "URW Bookman", "Nimbus Sans", "Liberation Sans", "DejaVu Serif",
)  # fmt: skip
DOCS = Path(__file__).parents[2] / "docs"
POINTS = 72
Line = dict[str, Any]
Image = npt.NDArray[np.uint8]


def paragraphs() -> list[str]:
    """Return the paragraphs of the documentation that are plain prose."""
    parts = [
        " ".join(part.split())
        for path in sorted(DOCS.rglob("*.md"))
        for part in re.split(r"\n\s*\n", path.read_text(encoding="utf-8"))
    ]
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", r"\1", part) for part in parts]
    return [part for part in plain if re.fullmatch(r"[A-Za-z0-9 .,;:()'\"?!%/-]{150,900}", part)]


def escaped(text: str) -> str:
    """Return text as Typst sets it literally."""
    return re.sub(r"([^A-Za-z0-9 .,])", r"\\\1", text)


class Writer:
    """Typst documents of one seed."""

    def __init__(self, rng: random.Random, prose: list[str]) -> None:
        self.rng, self.prose = rng, prose

    def text(self, longest: int = 900) -> str:
        return escaped(self.rng.choice(self.prose)[:longest].strip())

    def setup(self, paper: str, margin: str, size: float, more: str = "") -> str:
        family = self.rng.choice(FAMILIES)
        return (
            f'#set page(paper: "{paper}", margin: {margin}{more})\n'
            f'#set text(font: "{family}", size: {size}pt, hyphenate: true, lang: "en")\n'
        )

    def paper(self, columns: int = 2) -> str:
        """Columns under a title, with headings, figures, tables and lists among them, and a bibliography."""
        rng = self.rng
        parts = [f'#text(weight: "bold")[Abstract. ] {self.text()}']
        for number in range(1, 8):
            parts += [f"= {number}. {self.text(30)}", *(self.text() for _ in range(rng.randint(2, 4)))]
            if (kind := rng.random()) < 0.3:  # noqa: PLR2004
                body = f"rect(width: 100%, height: {rng.randint(60, 140)}pt, fill: luma({rng.randint(180, 250)}))"
                parts.append(f"#figure({body}, caption: [{self.text(120)}])")
            elif kind < 0.55:  # noqa: PLR2004
                cells = ", ".join(f"[{rng.randint(1, 999) / 10}]" for _ in range(16))
                parts.append(f"#figure(table(columns: 4, {cells}), caption: [{self.text(80)}])")
            elif kind < 0.75:  # noqa: PLR2004
                parts.append("\n".join(f"+ {self.text(140)}" for _ in range(4)))
        references = "\n".join(f"+ J. Smith, {self.text(70)}, pp. {rng.randint(1, 300)}, 1994." for _ in range(12))
        running = f", header: [{self.text(40)} #h(1fr) {rng.randint(1, 20)}]" if rng.random() < 0.3 else ""  # noqa: PLR2004
        look = self.setup(
            rng.choice(["a4", "us-letter"]), f"(x: {rng.randint(45, 65)}pt, y: 62pt)", rng.choice([8.5, 9, 10]),
            f', columns: {columns}, numbering: "1"{running}',
        )  # fmt: skip
        justify = "true" if rng.random() < 0.75 else "false"  # noqa: PLR2004
        title = f'#text(size: 17pt, weight: "bold")[{self.text(60)}] \\ #v(.6em) J. Smith and M. Weber'
        return (
            f"{look}#set columns(gutter: {rng.choice([12, 16, 24])}pt)\n"
            f"#set par(justify: {justify}, leading: {rng.choice([0.5, 0.58, 0.65])}em)\n"
            f'#place(top + center, scope: "parent", float: true, clearance: 2em)[{title}]\n'
            + "\n\n".join(parts)
            + f"\n\n= References\n{references}\n"
        )

    def book(self) -> str:
        """One column with a running head, a chapter's title and a page number."""
        header = f', numbering: "1", header: [#align(center)[{self.text(30)}]]'
        look = self.setup("a5", "(x: 45pt, y: 50pt)", self.rng.choice([9, 10, 11]), header)
        title = f"#align(center)[#text(size: 15pt)[CHAPTER {self.rng.choice(['I', 'IV', 'IX'])}.]]"
        body = "\n\n".join(self.text() for _ in range(9))
        return f"{look}#set par(justify: true, first-line-indent: 14pt, leading: .6em)\n{title}\n\n{body}\n"

    def letter(self) -> str:
        """A sender's address at the right, a salutation, paragraphs and a signature."""
        look = self.setup("us-letter", "70pt", self.rng.choice([10, 11, 12]))
        sender = f"#align(right)[12 Oak Avenue \\ Springfield \\ {self.rng.randint(1, 28)} March 2021]"
        body = "\n\n".join(self.text() for _ in range(4))
        return f"{look}{sender}\nDear Ms. Novak,\n\n{body}\n\nYours sincerely,\n\n#v(2em) J. Smith \\ Director\n"


def lines_of(page: pypdfium2.PdfPage, scale: float, height: int) -> list[Line]:
    """Return the lines of a page in the order of its text, their boxes in pixels of its picture."""
    text = page.get_textpage()
    rows: list[list[Any]] = []
    for place in range(text.count_chars()):
        sign = text.get_text_range(place, 1)
        left, low, right, high = text.get_charbox(place)
        if sign in "\r\n\ufffe":
            continue
        if not sign.strip() or right <= left:
            if rows:
                rows[-1][0] += " "
            continue
        last = rows[-1] if rows else None
        joins = last is not None and (
            min(high, last[4]) - max(low, last[2]) >= 0.25 * min(high - low, last[4] - last[2])
            and last[3] - 8 <= left <= last[3] + 25
            and left >= last[1] - 5
        )
        if last is not None and joins:
            last[:] = [last[0] + sign, min(left, last[1]), min(low, last[2]), max(right, last[3]), max(high, last[4])]
        else:
            rows.append([sign, left, low, right, high])
    found = []
    for words, left, low, right, high in rows:
        x, y = (left * scale, right * scale), (height - high * scale, height - low * scale)
        corners = [[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]]
        if words.strip():
            found.append({"text": " ".join(words.split()), "polygon": corners})
    return found


def worn(image: Image, rng: np.random.Generator) -> Image:
    """Return the page a little blurred, grey and noisy."""
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 0.7) * 0.85 + 20
    return np.asarray(np.clip(soft + rng.normal(0, 7, image.shape), 0, 255), np.uint8)


def photographed(image: Image, lines: list[Line], rng: np.random.Generator) -> Image:
    """Return the page as a sheet on a dark table, seen at an angle in uneven light; the lines move with it."""
    high, wide = image.shape
    size = (int(wide * 1.25), int(high * 1.2))
    corners = np.array([[0.1, 0.08], [1.13, 0.08], [1.13, 1.1], [0.1, 1.1]]) * [wide, high]
    corners += rng.uniform(-0.04, 0.04, (4, 2)) * wide
    flat = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
    turn = cv2.getPerspectiveTransform(flat, corners.astype(np.float32))
    sheet, mask = (
        cv2.warpPerspective(part, turn, size) for part in (image.astype(np.float32), np.ones_like(image, np.float32))
    )
    coarse = rng.normal(90, 25, (size[1] // 16, size[0] // 16)).astype(np.float32)
    table = np.clip(cv2.resize(coarse, size) + rng.normal(0, 6, size[::-1]), 0, 255)
    across, down = np.linspace(rng.uniform(0.65, 1), rng.uniform(0.8, 1), size[0]), np.linspace(1, 0.85, size[1])
    seen = (sheet * mask * 0.92 + table * (1 - mask)) * across[None, :] * down[:, None]
    for line in lines:
        line["polygon"] = cv2.perspectiveTransform(np.array([line["polygon"]], np.float32), turn)[0].tolist()
    soft = cv2.GaussianBlur(seen + rng.normal(0, 4, seen.shape), (0, 0), 0.6)
    return np.asarray(np.clip(soft, 0, 255), np.uint8)


def write_set(folder: Path, kind: str, write: Callable[[Writer], str], *, pages: int, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    prose = paragraphs()
    for number in range(pages):
        rng, noise = random.Random(f"{seed} {kind} {number}"), np.random.default_rng([seed, number])
        with tempfile.TemporaryDirectory() as work:
            source = Path(work) / "page.typ"
            source.write_text(write(Writer(rng, prose)), encoding="utf-8")
            page = pypdfium2.PdfDocument(typst.compile(str(source)))[0]
        scale = rng.choice([150, 200, 200, 300]) / POINTS
        image = np.asarray(page.render(scale=scale).to_pil().convert("L"))
        lines = lines_of(page, scale, image.shape[0])
        if kind == "photographs":
            image = photographed(image, lines, noise)
        elif number % 2:
            image = worn(image, noise)
        cv2.imwrite(str(folder / f"{number:03}.png"), image)
        content = {"image": f"{number:03}.png", "lines": lines}
        (folder / f"{number:03}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


KINDS: dict[str, Callable[[Writer], str]] = {
    "papers": Writer.paper,
    "news": lambda writer: writer.paper(columns=3),
    "books": Writer.book,
    "letters": Writer.letter,
    "photographs": lambda writer: writer.rng.choice([Writer.book, Writer.letter, Writer.paper])(writer),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder of the sets")
    parser.add_argument("--pages", type=int, default=18, help="pages of each set")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for kind, write in KINDS.items():
        write_set(arguments.folder / kind, kind, write, pages=arguments.pages, seed=arguments.seed)
        print(f"{arguments.folder / kind}: {arguments.pages} pages")


if __name__ == "__main__":
    main()
