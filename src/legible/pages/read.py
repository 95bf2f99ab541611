"""From a page to a PageResult: the only way from a page to its text.

Its lines are found, straightened and read by the same recognizer as single words and lines. The readings are put in
order, and their places are those in the image as it was sent.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from legible.arrays import GreyImage, Matrix
from legible.batched import batched
from legible.detection.geometry import LineShape, moved_points, rotation
from legible.detection.lines import FoundLine, find_lines
from legible.detection.maps import Detector
from legible.detection.order import reading_order
from legible.detection.orientation import Evidence, best_turn, evidence_of, skew_degrees, turned, turned_back
from legible.detection.outline import find_outline, flattened
from legible.detection.straighten import cut_line, page_polygons
from legible.errors import ImageError
from legible.pages.clock import PageClock, naming_page
from legible.pages.corners import sheet_corners
from legible.pages.open import Document, OpenedPage, PageLimits
from legible.pages.result import BlockResult, DocumentResult, LineResult, PageResult, Polygon, WordResult
from legible.pages.square_pixels import with_square_pixels
from legible.pages.text_layer import LayerLine
from legible.pages.trust import UNFITTED, LineTrust, mean_confidence, usual_height
from legible.pages.words import word_spans
from legible.reading import Reading
from legible.recognition.recognizer import Recognizer

ASKED_LINES = 6
"""The number of a page's longest lines that decide whether it is upright."""
MAX_LINES = 3000
"""The most lines of a page; thousands of specks would take minutes and hold no text."""
MIN_TILT_DEGREES = 1.0
"""A smaller tilt of the page is left to the straightening of each line."""
READ_TOGETHER = 16
"""The number of lines that are read between two looks at the clock."""
ObserveLine = Callable[[GreyImage, Reading], str]
"""A function that is called with the straightened image and the reading of each line, and returns the reading's id."""


class CrowdedPageError(ImageError):
    """The page has more marks that look like lines than MAX_LINES."""

    code = "crowded_page"
    status = 422


@dataclass(frozen=True)
class PageOptions:
    """The options of reading pages. seconds: for each page, 0 for no limit. keep_text: keep the text of born-digital
    pages.
    """

    limits: PageLimits = field(default_factory=PageLimits)
    seconds: float = 60.0
    keep_text: bool = True
    find_sheet: bool = True


@dataclass(frozen=True)
class Upright:
    """A page made upright, level and flat, and the matrix from it to the image."""

    image: GreyImage
    back: Matrix
    turns: int
    angle: float
    outline: Polygon
    lines: tuple[FoundLine, ...]
    read: Mapping[int, Reading] = field(default_factory=dict)
    """Readings of its longest lines, by the line's place in `lines`."""


class PageReader:
    """Reads documents with a line detector and a recognizer. It is safe to call from several threads."""

    def __init__(
        self,
        recognizer: Recognizer,
        detector: Detector,
        *,
        options: PageOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
        observe: ObserveLine = lambda *_: "",
        trust: LineTrust = UNFITTED,
    ) -> None:
        self._recognizer = recognizer
        self._detector = detector
        self._options = options or PageOptions()
        self._clock = clock
        self._observe = observe
        self._trust = trust

    def read(self, data: bytes) -> DocumentResult:
        """Return the text of a file. Raise ImageError, or the subclass that says why."""
        return DocumentResult(tuple(self.read_each(data)))

    def read_each(self, data: bytes) -> Iterator[PageResult]:
        """Yield each page of a file as soon as it is read."""
        document = Document(data, limits=self._options.limits)
        for page in document.pages():
            with naming_page(page.number, of=document.page_count):
                result = self.read_opened(page)
            yield result

    def read_opened(self, page: OpenedPage, *, corners: Polygon = (), seconds: float | None = None) -> PageResult:
        """Return the text of one page.

        corners: the four of the sheet, where they are known. seconds: where less time is left than the options give.
        """
        height, width = page.image.shape
        if page.layer and self._options.keep_text and not corners:
            check_count(len(page.layer), "lines")
            blocks = layer_blocks(page.layer)
            return PageResult(page.number, width, height, blocks, source="text layer", dpi=page.dpi)
        clock = PageClock(self._options.seconds if seconds is None else seconds, self._clock)
        image, back = with_square_pixels(page, max_pixels=self._options.limits.max_pixels)
        if corners:
            corners = _polygon(moved_points(np.array(corners, np.float64), np.asarray(np.linalg.inv(back), np.float64)))
        upright, blocks = self._read_image(image, corners, clock, back)
        return PageResult(
            page.number,
            width,
            height,
            blocks,
            angle=upright.angle,
            turns=upright.turns,
            outline=upright.outline,
            dpi=page.dpi,
        )

    def _read_image(
        self, image: GreyImage, corners: Polygon, clock: PageClock, back: Matrix
    ) -> tuple[Upright, tuple[BlockResult, ...]]:
        """Return the page upright and its blocks. back: from the image to the page as it was sent."""
        upright = self._flat(image, corners, clock) if corners else self._upright(image, clock)
        outline = _polygon(moved_points(np.array(upright.outline), back)) if upright.outline else ()
        upright = dataclasses.replace(upright, back=back @ upright.back, outline=outline)
        usual = usual_height(upright.lines)
        lines = self._trust.text_of(list(self._read_lines(upright, clock)), usual_height=usual)
        blocks = []
        for block in reading_order([line.shape for line, _ in lines]):
            rows = [tuple(self._line_result(upright, *lines[number], usual) for number in row) for row in block.rows]
            blocks.append(BlockResult(tuple(rows)))
        return upright, tuple(blocks)

    def candidates(self, image: GreyImage) -> tuple[Upright, list[tuple[FoundLine, Reading]]]:
        """Return the upright page and every line that was found on it with its reading, also what may be no text."""
        clock = PageClock(self._options.seconds, self._clock)
        upright = self._upright(image, clock)
        return upright, list(self._read_lines(upright, clock))

    def _flat(self, image: GreyImage, corners: Polygon, clock: PageClock) -> Upright:
        """Return the sheet between four known corners, upright and level."""
        ring = sheet_corners(corners, image)
        sheet, back = flattened(image, ring)
        upright = self._upright(sheet, clock, find_sheet=False)
        return dataclasses.replace(upright, back=back @ upright.back, outline=_polygon(ring))

    def _upright(self, image: GreyImage, clock: PageClock, *, find_sheet: bool = True) -> Upright:
        """Return the page upright and level, and flat where its corners are certain."""
        looks: dict[int, Upright] = {}

        def evidence(turn: int) -> Evidence:
            clock.check()
            look = self._look(image, turn, find_sheet=find_sheet and self._options.find_sheet)
            looks[turn] = dataclasses.replace(look, read=self._longest_read(look))
            return _evidence(looks[turn])

        best = looks[best_turn(evidence)]
        check_count(len(best.lines), "marks that look like lines")
        return best

    def _look(self, image: GreyImage, turn: int, *, find_sheet: bool) -> Upright:
        sheet, back = turned(image, turn), turned_back(turn, shape=(image.shape[0], image.shape[1]))
        outline: Polygon = ()
        if find_sheet:
            found = find_outline(self._detector, sheet)
            if found is not None and found.is_sure:
                outline = _polygon(moved_points(found.corners, back))
                sheet, flat_back = flattened(sheet, found.corners)
                back = back @ flat_back
        angle = skew_degrees(sheet)
        if abs(angle) >= MIN_TILT_DEGREES:
            sheet, level_back = leveled(sheet, angle)
            back = back @ level_back
        return Upright(sheet, back, turn, angle, outline, tuple(find_lines(self._detector, sheet)))

    def _longest_read(self, look: Upright) -> dict[int, Reading]:
        """Return the readings of the longest lines; a page on its side may have more of them than can be lines."""
        asked = 0 if len(look.lines) > MAX_LINES else ASKED_LINES
        longest = sorted(range(len(look.lines)), key=lambda place: -look.lines[place].shape.length)[:asked]
        return dict(zip(longest, self._readings(look, longest), strict=True))

    def _readings(self, upright: Upright, places: Sequence[int]) -> list[Reading]:
        return self._recognizer.read([cut_line(upright.image, upright.lines[place].shape) for place in places])

    def _read_lines(self, upright: Upright, clock: PageClock) -> Iterator[tuple[FoundLine, Reading]]:
        """Yield the lines with their readings."""
        for places in batched(range(len(upright.lines)), READ_TOGETHER):
            clock.check()
            wanted = [place for place in places if place not in upright.read]
            readings = {**upright.read, **dict(zip(wanted, self._readings(upright, wanted), strict=True))}
            yield from ((upright.lines[place], readings[place]) for place in places)

    def _line_result(self, upright: Upright, line: FoundLine, reading: Reading, usual: float) -> LineResult:
        image = cut_line(upright.image, line.shape)
        places = page_polygons(line.shape, word_spans(image, reading.text))
        words = [
            WordResult(text, sure, _polygon(moved_points(place, upright.back)))
            for text, place, sure in zip(reading.text.split(), places, _word_confidences(reading), strict=True)
        ]
        polygon = _polygon(moved_points(line.shape.polygon, upright.back))
        reading_id = self._observe(image, reading)
        confidence = self._trust.confidence(line, reading, usual_height=usual)
        return LineResult(reading.text.strip(), confidence, polygon, tuple(words), reading_id)


def _evidence(look: Upright) -> Evidence:
    """Return how well the longest lines read."""
    sure = [mean_confidence(reading) for reading in look.read.values()]
    elongations = [line.shape.length / line.shape.height for line in look.lines]
    return evidence_of(sure, [len(reading.text) for reading in look.read.values()], elongations)


def check_count(count: int, what: str) -> None:
    """Raise CrowdedPageError for more lines than MAX_LINES: to order them takes a time that grows with their square."""
    if count > MAX_LINES:
        raise CrowdedPageError(f"the page has {count} {what}; at most {MAX_LINES} are read: send it in parts")


def leveled(image: GreyImage, degrees: float) -> tuple[GreyImage, Matrix]:
    """Return the page rotated so that text which falls by `degrees` is level, and the matrix back; nothing is cut
    off.
    """
    height, width = image.shape
    turn = rotation(-np.deg2rad(degrees), center=(width / 2, height / 2))
    corners = moved_points(np.array([[0, 0], [width, 0], [width, height], [0, height]], float), turn)
    low = corners.min(axis=0)
    size = np.ceil(np.ptp(corners, axis=0)).astype(int)
    matrix = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ turn
    border = int(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))
    level = cv2.warpAffine(image, matrix[:2], (int(size[0]), int(size[1])), flags=cv2.INTER_LINEAR, borderValue=border)
    return np.asarray(level, np.uint8), np.asarray(np.linalg.inv(matrix))


def layer_blocks(lines: Sequence[LayerLine]) -> tuple[BlockResult, ...]:
    """Return the text layer of a page as blocks; it is taken to be right."""
    shapes = [LineShape.from_box(*line.box) for line in lines]
    rows = [[tuple(_layer_line(lines[n]) for n in row) for row in block.rows] for block in reading_order(shapes)]
    return tuple(BlockResult(tuple(block)) for block in rows)


def _layer_line(line: LayerLine) -> LineResult:
    words = tuple(WordResult(word.text, 1.0, _box_polygon(word.box)) for word in line.words)
    return LineResult(line.text, 1.0, _box_polygon(line.box), words)


def _word_confidences(reading: Reading) -> list[float]:
    """Return the product of the confidences of each word's characters."""
    found: list[float] = []
    inside = False
    for character in reading.characters:
        if character.text.isspace():
            inside = False
            continue
        if inside:
            found[-1] *= character.confidence
        else:
            found.append(character.confidence)
        inside = True
    return found


def _polygon(points: np.ndarray) -> Polygon:
    return tuple((float(x), float(y)) for x, y in points)


def _box_polygon(box: tuple[float, float, float, float]) -> Polygon:
    left, top, right, bottom = box
    return ((left, top), (right, top), (right, bottom), (left, bottom))
