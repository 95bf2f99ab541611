"""Words of justified lines are put together; cells of tables, receipts and columns are not."""

import time

import numpy as np

from legible.detection.justified import RowPieces, close_rows, justified_rows

PITCH = 28.0
HEIGHT = 20.0


def page(*rows: list[tuple[float, float]]) -> RowPieces:
    """Return the pieces of rows from the top, each piece its left and right end."""
    ends = np.array([end for row in rows for end in row], float)
    middle = np.array([PITCH * number for number, row in enumerate(rows) for _ in row])
    return RowPieces(ends[:, 0], ends[:, 1], middle, np.full(len(ends), HEIGHT))


FULL = [(100.0, 500.0)]


def test_words_that_the_next_rows_close_are_one_line() -> None:
    assert justified_rows(page(FULL, [(100, 180), (250, 330), (420, 500)], FULL)) == [(1, 2, 3)]


def test_two_rows_of_wide_gaps_at_other_places_are_two_lines() -> None:
    loose = page(FULL, [(100, 180), (250, 330), (400, 500)], [(100, 240), (330, 500)], FULL)
    assert sorted(justified_rows(loose)) == [(1, 2, 3), (4, 5)]


def test_the_first_row_of_a_paragraph_may_be_indented() -> None:
    assert justified_rows(page([(140, 260), (380, 500)], FULL, FULL)) == [(0, 1)]


def test_gaps_under_each_other_are_of_a_table() -> None:
    cells = [(100.0, 180.0), (300.0, 360.0), (440.0, 500.0)]
    assert justified_rows(page(FULL, *[cells] * 3, FULL)) == []


def test_a_price_between_full_lines_is_a_cell_where_other_prices_stand_above() -> None:
    price = [(100.0, 250.0), (440.0, 500.0)]
    assert justified_rows(page(*[price] * 6, FULL, price, FULL)) == []


def test_a_row_that_ends_elsewhere_than_its_neighbours_is_left_as_it_is() -> None:
    assert justified_rows(page(FULL, [(200, 260), (340, 400)], FULL)) == []


def test_columns_stay_apart_while_the_words_of_each_are_joined() -> None:
    both = [(100.0, 500.0), (560.0, 960.0)]
    words = [(100.0, 180.0), (250.0, 330.0), (420.0, 500.0), (560.0, 700.0), (820.0, 960.0)]
    rows = justified_rows(page(both, both, words, both, both))
    assert sorted(rows) == [(4, 5, 6), (7, 8)]


def test_a_long_channel_through_even_gaps_is_of_a_narrow_column() -> None:
    """Four rows whose wide gaps overlap by chance: as wide as each other in each row, at other places in each."""
    rows = [
        FULL,
        [(100.0, 150.0), (250.0, 300.0), (400.0, 500.0)],
        [(100.0, 190.0), (280.0, 360.0), (450.0, 500.0)],
        [(100.0, 130.0), (270.0, 330.0), (470.0, 500.0)],
        FULL,
    ]
    assert sorted(justified_rows(page(*rows))) == [(1, 2, 3), (4, 5, 6), (7, 8, 9)]


def test_pieces_a_letter_apart_are_one_line_wherever_they_stand() -> None:
    assert close_rows(page([(100, 200), (215, 300), (312, 360)])) == [(0, 1, 2)]
    assert close_rows(page([(100, 200), (240, 300)], [(100, 180)])) == []


def test_narrow_columns_stay_apart_however_close() -> None:
    assert close_rows(page(*[[(100.0, 200.0), (215.0, 300.0)]] * 8)) == []


def test_lines_without_neighbours_are_left_as_they_are() -> None:
    nothing = np.zeros(0)
    assert justified_rows(RowPieces(nothing, nothing, nothing, nothing)) == []
    assert justified_rows(page([(100, 200), (400, 500)])) == []


def test_a_page_of_specks_takes_no_long_time() -> None:
    rng = np.random.default_rng(1)
    left = rng.uniform(0, 2000, 3000)
    specks = RowPieces(left, left + 6, rng.uniform(0, 3000, 3000), np.full(3000, 8.0))
    started = time.process_time()
    justified_rows(specks)
    assert time.process_time() - started < 5
