"""Reading order: columns one after the other, receipts row by row, whatever the tilt."""

import tracemalloc

import numpy as np
import pytest

from legible.detection.geometry import LineShape, rotation
from legible.detection.leveling import leveled
from legible.detection.order import Block, reading_order


def column(left: float, right: float, *, top: float = 100, count: int = 10, pitch: float = 22) -> list[LineShape]:
    return [LineShape.from_box(left, top + pitch * n, right, top + pitch * n + 16) for n in range(count)]


def order_of(lines: list[LineShape]) -> list[int]:
    """Where the lines come, given in their true order, when they are found in another one."""
    shuffled = np.random.default_rng(0).permutation(len(lines))
    blocks = reading_order([lines[place] for place in shuffled])
    return [int(shuffled[number]) for block in blocks for number in block.lines]


def test_one_column_is_read_from_the_top() -> None:
    assert order_of(column(50, 500)) == list(range(10))


def test_two_columns_are_read_one_after_the_other() -> None:
    assert order_of(column(50, 280) + column(310, 540)) == list(range(20))


def test_the_last_short_line_of_a_paragraph_does_not_join_the_other_column() -> None:
    left = column(50, 280)
    left[4] = LineShape.from_box(50, left[4].box[1], 100, left[4].box[3])
    assert order_of(left + column(310, 540)) == list(range(20))


def test_a_title_over_both_columns_comes_first_and_a_number_under_them_last() -> None:
    title = [LineShape.from_box(150, 40, 440, 70)]
    number = [LineShape.from_box(280, 360, 310, 376)]
    assert order_of(title + column(50, 280) + column(310, 540) + number) == list(range(22))


def test_a_heading_in_the_middle_parts_what_is_above_from_what_is_below() -> None:
    above = column(50, 280, count=4) + column(310, 540, count=4)
    heading = [LineShape.from_box(120, 200, 470, 222)]
    below = column(50, 280, top=240, count=4) + column(310, 540, top=240, count=4)
    assert order_of(above + heading + below) == list(range(17))


def box(left: float, top: float, width: float) -> LineShape:
    return LineShape.from_box(left, top, left + width, top + 16)


def test_what_stands_to_the_left_under_an_address_at_the_right_comes_after_it() -> None:
    address = [box(420, 40 + 20 * n, 90) for n in range(3)]
    letter = [box(50, 130, 120), *column(50, 510, top=170), box(50, 410, 130), box(50, 470, 60), box(50, 490, 70)]
    assert order_of(address + letter) == list(range(17))


def test_signatures_side_by_side_at_the_end_part_nothing_above() -> None:
    """The body across the page lies between the columns below it and the address."""
    address, salutation, body = [box(420, 40, 90), box(420, 60, 80)], [box(50, 110, 120)], column(50, 510, top=150)
    signed = [box(50, 420 + 20 * n, 110) for n in range(3)] + [box(380, 420 + 20 * n, 110) for n in range(3)]
    lines = address + salutation + body + signed
    assert sorted(order_of(lines)[:13]) == list(range(13))
    assert order_of(lines)[:3] == [0, 1, 2]


def test_a_column_whose_lines_begin_lower_is_still_read_first() -> None:
    """A picture above the left column leaves it without lines there; further down the two stand side by side."""
    assert order_of(column(50, 280, top=210, count=8) + column(310, 540, count=13)) == list(range(21))


def listed(column_of: list[LineShape], *, marked: int) -> list[LineShape]:
    """The lines of a column, before some of which stands the mark of an item."""
    return [
        one
        for number, line in enumerate(column_of)
        for one in ([box(line.box[0] - 24, line.box[1], 12)] if number % marked == 0 else []) + [line]
    ]


@pytest.mark.parametrize("shift", [0, 9, 11])
def test_marks_of_a_list_belong_to_their_items_and_part_no_columns(shift: float) -> None:
    """Items of two lines, and the last lines of paragraphs beside them are short; rows are on one level or not."""
    left = column(50, 280, count=12)
    for short in (1, 4, 7, 10):
        left[short] = LineShape.from_box(50, left[short].box[1], 130, left[short].box[3])
    right = listed(column(330, 540, top=100 + shift, count=12), marked=2)
    assert order_of(left + right) == list(range(30))


def test_the_last_word_of_a_line_found_alone_is_no_mark_of_the_next_column() -> None:
    left = column(50, 280)
    at = left[5].box
    split = [LineShape.from_box(50, at[1], 240, at[3]), LineShape.from_box(256, at[1], 280, at[3])]
    assert order_of(left[:5] + split + left[6:] + column(300, 530)) == list(range(21))


def test_a_running_head_and_a_page_number_make_no_table_of_the_columns_under_them() -> None:
    head = [box(50, 60, 120), box(520, 60, 20)]
    lines = column(50, 280) + column(310, 540)
    lines[10] = LineShape.from_box(310, 100, 500, 122)
    assert order_of(head + lines) == list(range(22))


def test_notes_in_the_margin_come_after_the_text_and_join_none_of_its_rows() -> None:
    notes = [LineShape.from_box(20, top, 120, top + 11) for top in (143, 158, 173, 256, 271)]
    assert order_of(column(150, 500) + notes) == list(range(15))
    right = [LineShape.from_box(line.box[0] + 380, line.box[1], line.box[2] + 380, line.box[3]) for line in notes]
    assert order_of(column(20, 370) + right) == list(range(15))


def test_small_prices_beside_long_items_are_cells_and_no_notes() -> None:
    items = column(50, 400)
    prices = [LineShape.from_box(430, item.box[1] + 4, 470, item.box[3]) for item in items]
    assert order_of([line for pair in zip(items, prices, strict=True) for line in pair]) == list(range(20))


def test_fields_of_a_form_are_read_row_by_row_though_some_are_long() -> None:
    lengths = np.random.default_rng(3).uniform(40, 190, (12, 3))
    fields = [box(50 + 210 * n, 100 + 26 * row, lengths[row, n]) for row in range(12) for n in range(3)]
    assert order_of(fields) == list(range(36))


def test_a_table_in_a_column_of_text_joins_nothing_of_the_column_beside_it() -> None:
    above, below = column(50, 280, count=9), column(50, 280, top=584, count=9)
    cells = [box(100 + 32 * n, 298 + 22 * row, 26) for row in range(13) for n in range(4)]
    assert order_of(above + cells + below + column(310, 540, count=31)) == list(range(101))


def test_the_last_line_of_the_middle_column_is_no_foot_of_the_page() -> None:
    columns = [column(50, 200), column(220, 370, count=11), column(390, 540)]
    assert order_of([line for part in columns for line in part]) == list(range(31))


def test_a_page_number_beside_a_running_head_off_the_middle_comes_with_it() -> None:
    head = [box(300, 70, 60), box(516, 70, 24)]
    assert order_of(head + column(50, 280) + column(310, 540)) == list(range(22))


def receipt() -> list[LineShape]:
    lines = [LineShape.from_box(120, 20, 300, 36)]
    for n in range(8):
        top = 60 + 22 * n
        lines += [LineShape.from_box(20, top, 180 + 10 * (n % 3), top + 16)]
        lines += [LineShape.from_box(340, top + 2, 390, top + 17)]
    return [*lines, LineShape.from_box(100, 260, 300, 276)]


def test_a_receipt_is_read_row_by_row() -> None:
    assert order_of(receipt()) == list(range(18))


def test_a_lone_cell_stays_in_the_row_that_lacks_the_others() -> None:
    lines = receipt()
    lacking = [line for number, line in enumerate(lines) if number not in (3, 6)]
    assert order_of(lacking) == list(range(16))


def test_the_longer_column_is_read_to_its_end() -> None:
    assert order_of(column(50, 280, count=13) + column(310, 540)) == list(range(23))


def test_the_cells_of_a_row_are_in_one_row_of_a_block() -> None:
    blocks = reading_order(receipt())
    assert (1, 2) in [row for block in blocks for row in block.rows]


@pytest.mark.parametrize("degrees", [-8, 4])
def test_a_tilted_page_is_read_in_the_same_order(degrees: float) -> None:
    turn = rotation(np.deg2rad(degrees), center=(300, 300))
    for lines in (receipt(), column(50, 280) + column(310, 540)):
        assert order_of([line.moved(turn) for line in lines]) == list(range(len(lines)))


def test_a_wide_gap_begins_a_block() -> None:
    blocks = reading_order(column(50, 500, count=3) + column(50, 500, top=220, count=3))
    assert blocks == [Block(((0,), (1,), (2,))), Block(((3,), (4,), (5,)))]


def test_no_lines_are_no_blocks() -> None:
    assert reading_order([]) == []


def test_thousands_of_lines_are_ordered_in_rows() -> None:
    lines = [LineShape.from_box(60 * n, 20 * row, 60 * n + 50, 20 * row + 16) for row in range(40) for n in range(25)]
    wide = [LineShape.from_box(x.box[0] * 9, x.box[1], x.box[2] * 9, x.box[3]) for x in lines]
    assert order_of(wide) == list(range(1000))


def test_every_line_comes_once_wherever_lines_lie() -> None:
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 500, (60, 2))
    lines = [LineShape.from_box(x, y, x + 10 + 200 * rng.random(), y + 12) for x, y in corners]
    assert sorted(order_of(lines)) == list(range(60))


def test_lines_without_height_are_put_in_order_too() -> None:
    thin = [LineShape.from_box(left, top, left + 30, top) for left, top in ((0, 40), (50, 0), (0, 0), (0, 90))]
    blocks = reading_order(thin)
    assert sorted(number for block in blocks for number in block.lines) == [0, 1, 2, 3]


@pytest.mark.parametrize("seed", range(40))
def test_lines_of_any_shape_are_put_in_order_each_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    corners = rng.uniform(0, 300, (count, 2))
    sizes = np.exp(rng.uniform(-4, 5, (count, 2)))
    lines = [LineShape.from_box(x, y, x + w, y + h) for (x, y), (w, h) in zip(corners, sizes, strict=True)]
    assert sorted(number for block in reading_order(lines) for number in block.lines) == list(range(count))


def bent(line: LineShape, *, bend: float = 0.0, lean: float = 0.0) -> LineShape:
    """A line on a sheet that curves towards the right, or whose columns lean as seen from the side."""

    def moved(edge: np.ndarray) -> np.ndarray:
        x = np.linspace(*edge[[0, -1], 0], 9)
        y = np.interp(x, edge[:, 0], edge[:, 1])
        return np.stack([x + lean * (y - 300), y + bend * (x / 600) ** 2], axis=1)

    return LineShape(moved(line.upper), moved(line.lower))


@pytest.mark.parametrize("bend", [-120.0, 60.0, 120.0])
def test_columns_of_a_sheet_that_curves_are_read_one_after_the_other(bend: float) -> None:
    lines = column(50, 290, count=24) + column(310, 550, count=24)
    assert order_of([bent(line, bend=bend) for line in lines]) == list(range(48))


@pytest.mark.parametrize("bend", [-120.0, 60.0, 120.0])
def test_rows_of_a_receipt_that_curves_are_read_across(bend: float) -> None:
    lines = [line for row in zip(column(50, 190, count=20), column(480, 560, count=20), strict=True) for line in row]
    assert order_of([bent(line, bend=bend) for line in lines]) == list(range(40))


@pytest.mark.parametrize("lean", [-0.15, 0.15])
def test_columns_that_lean_are_read_one_after_the_other(lean: float) -> None:
    lines = column(50, 290, count=24) + column(310, 550, count=24)
    assert order_of([bent(line, lean=lean) for line in lines]) == list(range(48))


def test_a_level_page_is_ordered_where_it_stands() -> None:
    """Paragraphs begin further right, and lines end where they end: that is no bend."""
    lines = column(50, 280) + column(310, 540)
    lines[4] = LineShape.from_box(74, lines[4].box[1], 280, lines[4].box[3])
    assert [line.box for line in leveled(lines)] == [line.box for line in lines]


def test_thousands_of_lines_are_made_level_in_little_memory() -> None:
    places = [(400.0 * (number % 4), 15.0 * (number // 4)) for number in range(3000)]
    lines = [LineShape.from_box(left, top, left + 350, top + 12) for left, top in places]
    tracemalloc.start()
    leveled(lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6
