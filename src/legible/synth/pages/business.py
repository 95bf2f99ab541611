"""Pages of cells: receipts, forms and tables, in which a row holds several lines side by side."""

from dataclasses import dataclass

from legible.synth.pages.marks import draw_figure, draw_stamp
from legible.synth.pages.materials import Materials, amount, chance, chosen
from legible.synth.pages.sheet import DrawnPage, Face, Rng, Sheet

CELL_GAP = 1.5
"""Words further apart than this, in heights of the font, are lines of their own."""


SHORT = ("count", "number", "mark")
"""Kinds of columns whose cells are a few characters, close to their rules."""


@dataclass(frozen=True)
class TableColumn:
    """What the cells of a column of a table hold, how wide it is, and where they stand: 0 left, 0.5 middle, 1 right."""

    kind: str
    width: float
    align: float

    def text(self, rng: Rng, materials: Materials, row: int) -> str:
        """Return the text of a cell in a row."""
        if self.kind == "amount":
            return amount(rng)
        if self.kind == "count":
            return str(int(rng.integers(0, 10 ** int(rng.integers(1, 4)))))
        if self.kind == "number":
            return str(row)
        if self.kind == "code":
            return str(int(rng.integers(10**2, 10**6)))
        if self.kind == "mark":
            return str(rng.choice(list("XYNABCDMF123")))
        return materials.phrase(rng, 1, 3)


def draw_receipt(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw a shop's head, items with amounts at the right, a total and thanks, with rows of signs between them."""
    size = int(rng.integers(14, 26))
    sheet = Sheet(int(size * rng.uniform(18, 32)), int(size * rng.uniform(28, 80)))
    face = materials.till_face(rng, size) if chance(rng, 0.7) else materials.print_face(rng, size)
    pitch, margin = size * rng.uniform(1.02, 1.6), sheet.width * rng.uniform(0.02, 0.1)
    y = pitch * rng.uniform(1.2, 2.5)
    if chance(rng, 0.3):
        high = size * rng.uniform(2, 5)
        draw_figure(sheet, rng, left=sheet.width * 0.3, top=4, width=sheet.width * 0.4, height=high)
        y += high
    for _ in range(int(rng.integers(2, 7))):
        big = face.resized(rng.uniform(1.0, 1.5) if chance(rng, 0.3) else 1.0)
        _centred(sheet, _cased(materials.phrase(rng, 1, 4), rng), big, base=y)
        y += pitch * big.size / size
    capitals = chance(rng, 0.6)
    while y < sheet.height - pitch * rng.uniform(2, 6):
        kind = chosen(rng, {"rule": 0.1, "item": 0.55, "text": 0.15, "centred": 0.1, "nothing": 0.1})
        if kind == "rule":
            y += _rule(sheet, rng, face, margin=margin, base=y) * pitch
            continue
        if kind == "item":
            _row(sheet, rng, materials, face, margin=margin, base=y, capitals=capitals)
        elif kind == "text":
            text = materials.phrase(rng, 1, 4)
            sheet.write(text.upper() if capitals else text, face, x=margin, base=y)
        elif kind == "centred":
            _centred(sheet, _cased(materials.phrase(rng, 1, 5), rng), face, base=y)
        y += pitch
    _centred(sheet, _cased(materials.phrase(rng, 2, 4), rng), face, base=min(y + pitch, sheet.height - size * 0.5))
    return sheet.finished("receipt")


def draw_form(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw labels with rules or boxes to write in, partly filled in by print or hand; check boxes, a stamp."""
    size = int(rng.integers(12, 20))
    sheet = Sheet(int(size * rng.uniform(42, 62)), int(size * rng.uniform(40, 80)))
    face, pitch = materials.print_face(rng, size), size * rng.uniform(1.3, 2.4)
    entry = materials.hand_face(rng, int(size * 1.3)) if chance(rng, 0.4) else materials.till_face(rng, size)
    _centred(sheet, _cased(materials.phrase(rng, 1, 4), rng), face.resized(rng.uniform(1.2, 1.9)), base=pitch * 2)
    fields = int(rng.integers(1, 4))
    margin = sheet.width * 0.06
    width = (sheet.width - 2 * margin) / fields
    y = pitch * 4
    while y < sheet.height - 2 * pitch:
        if chance(rng, 0.2):
            _sentence(sheet, rng, materials, face, margin=margin, base=y)
        else:
            for number in range(fields):
                _field(sheet, rng, materials, face, entry, left=margin + number * width, width=width, base=y)
        if chance(rng, 0.3):
            sheet.pen.line([(margin, y + size * 0.5), (sheet.width - margin, y + size * 0.5)], fill=40, width=1)
        y += pitch
    if chance(rng, 0.3):
        draw_stamp(sheet, rng, size=size * rng.uniform(3, 6))
    return sheet.finished("form")


def draw_table(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw rows of cells, with or without rules around them, and a line of text above."""
    size = int(rng.integers(12, 24))
    rows = int(rng.integers(5, 36))
    face, pitch = materials.print_face(rng, size), size * rng.uniform(1.15, 2.2)
    columns = [_column(rng, size=size) for _ in range(int(rng.integers(2, 8)))]
    margin, wide = size * rng.uniform(1, 5), sum(column.width for column in columns)
    sheet = Sheet(int(wide + 2 * margin), int(pitch * (rows + 6)))
    title = materials.phrase(rng, 2, 5)
    if face.resized(1.2).width(title) < wide:
        sheet.write(title, face.resized(1.2), x=margin, base=pitch * 2)
    across, down, ink = chance(rng, 0.5), chance(rng, 0.5), int(rng.integers(0, 130))
    thick, empty = (int(size / 12) + 1 if chance(rng, 0.3) else 1), 0.25 if chance(rng, 0.2) else 0.04
    top = pitch * 3.5
    for row in range(rows):
        x, base = margin, top + row * pitch
        for column in columns:
            if not chance(rng, empty):
                text = column.text(rng, materials, row) if row else materials.phrase(rng, 1, 2)
                _cell(sheet, face, text, column, left=x, base=base)
            x += column.width
        if across:
            line = base + (pitch - size * 0.8) / 2
            sheet.pen.line([(margin, line), (sheet.width - margin, line)], fill=ink, width=thick)
    if down:
        x = margin
        for width in [0.0, *(column.width for column in columns)]:
            x += width
            sheet.pen.line([(x - size * 0.3, top - pitch), (x - size * 0.3, top + rows * pitch)], fill=ink, width=thick)
    return sheet.finished("table")


def _row(
    sheet: Sheet, rng: Rng, materials: Materials, face: Face, *, margin: float, base: float, capitals: bool
) -> None:
    """Draw an item and its price, sometimes with a quantity between or before them."""
    price = amount(rng)
    at = sheet.width - margin - face.width(price)
    x = margin
    if chance(rng, 0.25):
        x = sheet.write(f"{int(rng.integers(1, 12))}", face, x=x, base=base) + face.size * CELL_GAP
    text = materials.phrase(rng, 1, 4)
    text = text.upper() if capitals else text
    while text and x + face.width(text) > at - face.size * CELL_GAP:
        text = text.rpartition(" ")[0]
    if text:
        x = sheet.write(text, face, x=x, base=base)
    unit = amount(rng)
    if chance(rng, 0.3) and x + 2 * face.size * CELL_GAP + face.width(unit) < at:
        middle = (x + at - face.width(unit)) / 2
        sheet.write(unit, face, x=middle, base=base)
    sheet.write(price, face, x=at, base=base)


def _rule(sheet: Sheet, rng: Rng, face: Face, *, margin: float, base: float) -> float:
    """Draw a rule, or a row of signs that readers may or may not take for a line; return the rows it takes."""
    if chance(rng, 0.5):
        y = base - face.size / 2
        sheet.pen.line([(margin, y), (sheet.width - margin, y)], fill=30, width=int(rng.integers(1, 4)))
        return 0.6
    sign = str(rng.choice(["-", "=", "*", "_", "- ", "."]))
    text = (sign * 200)[: int((sheet.width - 2 * margin) / max(face.width(sign) / len(sign), 1))]
    sheet.pen.text((margin, base), text, font=face.pillow, fill=0, anchor="ls")
    sheet.ignore(margin, base - face.size, sheet.width - margin, base + face.size * 0.3)
    return 1.0


def _centred(sheet: Sheet, text: str, face: Face, *, base: float) -> None:
    x = (sheet.width - face.width(text)) / 2
    if x > 0:
        sheet.write(text, face, x=x, base=base)


def _cased(text: str, rng: Rng) -> str:
    return text.upper() if chance(rng, 0.5) else text


def _sentence(sheet: Sheet, rng: Rng, materials: Materials, face: Face, *, margin: float, base: float) -> None:
    words = materials.words(rng, 14)
    while words and margin + face.width(" ".join(words)) > sheet.width - margin:
        words.pop()
    if words:
        sheet.write(" ".join(words), face, x=margin, base=base)


def _field(
    sheet: Sheet, rng: Rng, materials: Materials, face: Face, entry: Face, *, left: float, width: float, base: float
) -> None:
    x, size = left, face.size
    if chance(rng, 0.15):
        sheet.pen.rectangle([x, base - size * 0.8, x + size * 0.8, base], outline=0, width=1)
        x += size * 1.6
    label = materials.phrase(rng, 1, 2) + str(rng.choice([":", ":", ""]))
    if x + face.width(label) > left + width - size:
        return
    x = sheet.write(label, face, x=x, base=base)
    right = left + width - size
    if chance(rng, 0.4):
        sheet.pen.line([(x + size * 0.4, base + 2), (right, base + 2)], fill=50, width=1)
    value = amount(rng) if chance(rng, 0.4) else materials.phrase(rng, 1, 3)
    start = x + size * rng.uniform(CELL_GAP, 3)
    if chance(rng, 0.7) and start + entry.width(value) < right:
        sheet.write(value, entry, x=start, base=base + rng.normal(0, 0.1) * size, grey=int(rng.integers(0, 80)))


def _column(rng: Rng, *, size: int) -> TableColumn:
    kind = chosen(rng, {"words": 0.4, "amount": 0.25, "count": 0.15, "number": 0.05, "code": 0.09, "mark": 0.06})
    low, high = {"words": (3.5, 15.0), "amount": (3.5, 8.0), "code": (3.5, 9.0)}.get(kind, (1.8, 4.5))
    left, middle = (0.85, 0.1) if kind == "words" else (0.35, 0.2)
    align = rng.choice([0.0, 0.5, 1.0], p=[left, middle, 1 - left - middle])
    return TableColumn(kind, size * rng.uniform(low, high), float(align))


def _cell(sheet: Sheet, face: Face, text: str, column: TableColumn, *, left: float, base: float) -> None:
    room = column.width - face.size * (0.6 if column.kind in SHORT else CELL_GAP)
    while text and face.width(text) > room:
        text = text.rpartition(" ")[0]
    if text:
        sheet.write(text, face, x=left + (room - face.width(text)) * column.align, base=base)
