"""Pages of running text: books, papers in columns, letters by typewriter or by hand, ruled paper."""

from dataclasses import dataclass

from legible.synth.hand import Hand, draw_hand
from legible.synth.pages.marks import draw_figure, rule_sheet
from legible.synth.pages.materials import Materials, chance, chosen
from legible.synth.pages.sheet import DrawnPage, Face, Rng, Sheet

LAST_LINE = 0.3
"""The fraction of lines of a paragraph that are its last one."""
WIDE_SPACE, MAX_SPACE = 0.6, 1.3
"""Spaces of justified text, in heights of the font: a line that needs wider ones than the first ends in a part of the
next word, as compositors break it; one that needs wider ones than the second stays ragged.
"""
MIN_PART = 2
"""The fewest letters of a word before a hyphen."""


@dataclass(frozen=True)
class Column:
    """Where text runs: from left to right, and from top down to bottom."""

    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True)
class ParagraphSetting:
    """How paragraphs are set: line pitch and first indent in pixels."""

    face: Face
    pitch: float
    indent: float
    justified: bool


def draw_book(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw one column with a heading, sometimes a running head and page number, notes at the foot or in the margin."""
    size = int(rng.integers(14, 30))
    sheet = Sheet(int(size * rng.uniform(26, 44)), int(size * rng.uniform(30, 58)))
    setting = _setting(materials.print_face(rng, size), rng)
    margin = sheet.width * rng.uniform(0.05, 0.16)
    noted = chance(rng, 0.15)
    room = sheet.width * 0.16 if noted else 0
    column = Column(margin + room, sheet.width - margin, sheet.height * 0.1, sheet.height * rng.uniform(0.75, 0.93))
    _head(sheet, column, setting.face, rng, materials)
    top = _heading(sheet, column, setting, rng, materials) if chance(rng, 0.4) else column.top
    end = fill(sheet, Column(column.left, column.right, top, column.bottom), setting, rng, materials)
    if noted:
        _margin_notes(sheet, column, setting, rng, materials, right=column.left - size * 0.8)
    if chance(rng, 0.2):
        note = _setting(setting.face.resized(0.75), rng)
        foot = Column(column.left, column.right, end + setting.pitch, sheet.height * 0.97)
        if chance(rng, 0.5):
            sheet.pen.line([(foot.left, foot.top - size / 2), (foot.left + 120, foot.top - size / 2)], fill=60, width=2)
        fill(sheet, foot, note, rng, materials, paragraphs=int(rng.integers(1, 3)))
    if chance(rng, 0.5):
        _page_number(sheet, setting.face, rng)
    return sheet.finished("book")


def draw_columns(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw two or three columns under a title, with figures and captions among them."""
    size = int(rng.integers(12, 22))
    count = int(rng.choice([2, 2, 2, 3]))
    sheet = Sheet(int(size * rng.uniform(24, 34) * count * 0.75), int(size * rng.uniform(50, 78)))
    setting = _setting(materials.print_face(rng, size), rng)
    margin, gutter = sheet.width * rng.uniform(0.04, 0.1), size * rng.uniform(1.0, 2.6)
    whole = Column(margin, sheet.width - margin, sheet.height * 0.06, sheet.height * 0.95)
    _head(sheet, whole, setting.face, rng, materials)
    top = _title(sheet, whole, setting, rng, materials) if chance(rng, 0.5) else whole.top
    width = (whole.right - whole.left - gutter * (count - 1)) / count
    for number in range(count):
        left = whole.left + number * (width + gutter)
        bottom = whole.bottom - (rng.uniform(0, 0.3) * sheet.height if number == count - 1 else 0)
        _column(sheet, Column(left, left + width, top, bottom), setting, rng, materials)
        if number and chance(rng, 0.1):
            sheet.pen.line([(left - gutter / 2, top), (left - gutter / 2, whole.bottom)], fill=90, width=1)
    if chance(rng, 0.4):
        _page_number(sheet, setting.face, rng)
    return sheet.finished("columns")


def draw_letter(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw an address, a date at the right, paragraphs and a signature; by typewriter, printer or hand."""
    size = int(rng.integers(14, 26))
    by_hand = chance(rng, 0.4)
    face = materials.hand_face(rng, int(size * 1.3)) if by_hand else materials.till_face(rng, size)
    sheet = Sheet(int(size * rng.uniform(38, 52)), int(size * rng.uniform(50, 70)))
    setting = _setting(face, rng, loose=True)
    left, right = sheet.width * rng.uniform(0.08, 0.16), sheet.width * rng.uniform(0.84, 0.95)
    if chance(rng, 0.4):
        draw_figure(sheet, rng, left=left, top=size, width=size * 4, height=size * 3)
    y = sheet.height * rng.uniform(0.06, 0.12)
    for _ in range(int(rng.integers(2, 6))):
        sheet.write(materials.phrase(rng, 2, 4), face, x=left, base=y)
        y += setting.pitch
    date = materials.phrase(rng, 2, 4)
    sheet.write(date, face, x=max(right - face.width(date), left), base=y)
    y = fill(sheet, Column(left, right, y + setting.pitch, sheet.height * 0.8), setting, rng, materials)
    sheet.write(
        materials.phrase(rng, 2, 3), face, x=left + rng.uniform(0, 0.4) * (right - left), base=y + setting.pitch
    )
    if chance(rng, 0.6):
        _signature(sheet, rng, left=left, top=y + setting.pitch * 1.5, size=size)
    return sheet.finished("letter")


def draw_handwritten(rng: Rng, materials: Materials) -> DrawnPage:
    """Draw lines by one hand's pen strokes, on plain or ruled paper, each a little off its base line."""
    high = float(rng.uniform(20, 40))
    sheet = Sheet(int(high * rng.uniform(20, 36)), int(high * rng.uniform(14, 40)))
    pitch = high * rng.uniform(1.15, 2.0)
    if chance(rng, 0.45):
        rule_sheet(sheet, rng, pitch=pitch)
    hand, left = draw_hand(rng), sheet.width * rng.uniform(0.03, 0.15)
    y = pitch * rng.uniform(1.2, 3)
    while y < sheet.height - high / 2:
        start = left + rng.normal(0, 0.3) * high + (high * 2 if chance(rng, 0.08) else 0)
        _hand_line(sheet, hand, rng, materials, x=max(start, 2), base=y + rng.normal(0, 0.06) * high, high=high)
        y += pitch * (2 if chance(rng, 0.04) else 1) * float(rng.normal(1, 0.04))
    return sheet.finished("handwritten")


def fill(
    sheet: Sheet, column: Column, setting: ParagraphSetting, rng: Rng, materials: Materials, *, paragraphs: int = 99
) -> float:
    """Draw paragraphs down a column, and return the base line after the last one."""
    y, first = column.top + setting.pitch, True
    while y < column.bottom and paragraphs > 0:
        last = chance(rng, LAST_LINE * 0.5)
        start = column.left + (setting.indent if first else 0)
        stop = start + (column.right - start) * (rng.uniform(0.15, 0.9) if last else 1.0)
        _line(sheet, setting, rng, materials, left=start, right=stop, base=y, justified=setting.justified and not last)
        y += setting.pitch * (1.6 if last and chance(rng, 0.3) else 1.0)
        first, paragraphs = last, paragraphs - int(last)
    return y


def _line(
    sheet: Sheet,
    setting: ParagraphSetting,
    rng: Rng,
    materials: Materials,
    *,
    left: float,
    right: float,
    base: float,
    justified: bool,
) -> None:
    space, x = setting.face.width(" "), left
    placed: list[tuple[str, float]] = []
    for word in materials.words(rng, int((right - left) / (space * 8)) + 3):
        wide = setting.face.width(word)
        if x + wide > right:
            needed = (right - x + space) / max(len(placed) - 1, 1) + space
            part = _broken(word, setting.face, room=right - x) if needed > WIDE_SPACE * setting.face.size else ""
            if not part or not justified:
                break
            word, wide = part, setting.face.width(part)  # noqa: PLW2901
        placed.append((word, x))
        x += wide + space
    if not placed:
        return
    stretch = (right - (x - space)) / max(len(placed) - 1, 1)
    if justified and stretch + space < MAX_SPACE * setting.face.size:
        placed = [(word, at + stretch * place) for place, (word, at) in enumerate(placed)]
    sheet.write_words(placed, setting.face, base=base)


def _broken(word: str, face: Face, *, room: float) -> str:
    """Return the longest part of a word that fits with a hyphen; empty for words that are not broken."""
    lengths = range(len(word) - MIN_PART, MIN_PART - 1, -1) if word.isalpha() else ()
    parts = (word[:length] + "-" for length in lengths)
    return next((part for part in parts if face.width(part) <= room), "")


def _hand_line(sheet: Sheet, hand: Hand, rng: Rng, materials: Materials, *, x: float, base: float, high: float) -> None:
    stop = sheet.width * (rng.uniform(0.3, 0.9) if chance(rng, 0.15) else 0.94)
    count = max(int((stop - x) / (high * 3.2)), 1)
    sheet.write_by_hand(" ".join(materials.pen_words(rng, count)), hand, rng, x=x, base=base, high=high)


def _setting(face: Face, rng: Rng, *, loose: bool = False) -> ParagraphSetting:
    pitch = face.size * (rng.uniform(1.2, 2.2) if loose else rng.uniform(1.08, 1.6))
    indent = face.size * float(rng.choice([0.0, 1.0, 2.0]))
    return ParagraphSetting(face, pitch, indent, justified=chance(rng, 0.3 if loose else 0.7))


def _column(sheet: Sheet, column: Column, setting: ParagraphSetting, rng: Rng, materials: Materials) -> None:
    """Draw text, and among it a heading, a figure with its caption, or a block with its own leading."""
    y = column.top
    while y < column.bottom - 4 * setting.pitch:
        part = Column(column.left, column.right, y, min(column.bottom, y + rng.uniform(6, 30) * setting.pitch))
        y = fill(sheet, part, setting, rng, materials)
        kind = chosen(rng, {"figure": 0.25, "heading": 0.35, "text": 0.4})
        if kind == "figure":
            high = min(rng.uniform(5, 14) * setting.pitch, column.bottom - y - 3 * setting.pitch)
            if high > 2 * setting.pitch:
                wide = column.right - column.left
                draw_figure(sheet, rng, left=column.left, top=y, width=wide, height=high)
                caption = _setting(setting.face.resized(0.85), rng)
                y += high
                y = fill(sheet, Column(column.left, column.right, y, y + 2 * caption.pitch), caption, rng, materials)
        elif kind == "heading":
            bold = setting.face.resized(rng.uniform(1.0, 1.3))
            sheet.write(materials.phrase(rng, 1, 3), bold, x=column.left, base=y + setting.pitch)
            y += setting.pitch * 1.4
    fill(sheet, Column(column.left, column.right, y, column.bottom), setting, rng, materials)


def _head(sheet: Sheet, column: Column, face: Face, rng: Rng, materials: Materials) -> None:
    if chance(rng, 0.5):
        return
    base = max(column.top - face.size * rng.uniform(0.5, 1.5), face.size * 1.5)
    text = materials.phrase(rng, 1, 4)
    text = text.upper() if chance(rng, 0.5) else text
    middle = (column.left + column.right - face.width(text)) / 2
    sheet.write(text, face, x=middle if chance(rng, 0.7) else column.left, base=base)
    if chance(rng, 0.5):
        number = str(int(rng.integers(1, 600)))
        sheet.write(number, face, x=column.right - face.width(number), base=base)


def _heading(sheet: Sheet, column: Column, setting: ParagraphSetting, rng: Rng, materials: Materials) -> float:
    face = setting.face.resized(rng.uniform(1.1, 2.2))
    text = materials.phrase(rng, 1, 4)
    x = max((column.left + column.right - face.width(text)) / 2, column.left)
    sheet.write(text, face, x=x, base=column.top + face.size * 1.2)
    return column.top + face.size * 1.8


def _title(sheet: Sheet, column: Column, setting: ParagraphSetting, rng: Rng, materials: Materials) -> float:
    """Draw a title, authors and an abstract over all columns, and return where the columns begin."""
    top = _heading(
        sheet, column, ParagraphSetting(setting.face.resized(1.3), setting.pitch, 0, justified=False), rng, materials
    )
    inset = (column.right - column.left) * rng.uniform(0, 0.15)
    body = Column(column.left + inset, column.right - inset, top, top + rng.uniform(2, 9) * setting.pitch)
    return fill(sheet, body, setting, rng, materials) + setting.pitch * 0.6


def _margin_notes(
    sheet: Sheet, column: Column, setting: ParagraphSetting, rng: Rng, materials: Materials, *, right: float
) -> None:
    note = ParagraphSetting(setting.face.resized(0.7), setting.pitch * 0.75, 0, justified=False)
    before = len(sheet.lines)
    for _ in range(int(rng.integers(1, 4))):
        top = rng.uniform(column.top, column.bottom * 0.9)
        taken = [line.shape.box for line in sheet.lines if line.shape.box[2] < column.left]
        if all(top > box[3] or top + 5 * note.pitch < box[1] for box in taken):
            fill(sheet, Column(sheet.width * 0.02, right, top, top + 3 * note.pitch), note, rng, materials)
    sheet.lines[before:] = sorted(sheet.lines[before:], key=lambda line: line.shape.box[1])


def _page_number(sheet: Sheet, face: Face, rng: Rng) -> None:
    number = str(int(rng.integers(1, 900)))
    text = str(rng.choice([number, f"- {number} -", f"[{number}]"]))
    if any(line.shape.box[3] > sheet.height * 0.975 - 2 * face.size for line in sheet.lines):
        return  # it would stand in the text
    sheet.write(text, face, x=(sheet.width - face.width(text)) / 2, base=sheet.height * 0.975)


def _signature(sheet: Sheet, rng: Rng, *, left: float, top: float, size: int) -> None:
    """Draw a scribble, which some count as a line and others do not."""
    wide, high = size * rng.uniform(5, 11), size * rng.uniform(1.5, 3)
    steps = int(rng.integers(8, 22))
    points = [
        (left + wide * place / steps + rng.normal(0, size / 2), top + high * rng.random()) for place in range(steps)
    ]
    sheet.pen.line(points, fill=int(rng.integers(0, 90)), width=2, joint="curve")
    sheet.ignore(left - size, top - size / 2, left + wide + size, top + high + size / 2)
