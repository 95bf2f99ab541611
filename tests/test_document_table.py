"""Workers of one service count the images of a document together."""

from pathlib import Path

from legible.service.document_table import BUCKETS, SLOTS, DocumentTable

HOUR = 3600.0
RECEIPT, FORM = "00000001aaaaaaaa", "00000002bbbbbbbb"


def test_pairs_of_images_of_one_document_are_counted_in_both_orders() -> None:
    table = DocumentTable(None)
    first = table.add([RECEIPT, RECEIPT, FORM, ""], at=0.0)
    assert (first.begun, first.pairs) == (2, 2)
    later = table.add([RECEIPT], at=1.0)
    assert (later.begun, later.pairs) == (0, 4)


def test_two_workers_know_of_each_others_images(tmp_path: Path) -> None:
    one, other = DocumentTable(tmp_path), DocumentTable(tmp_path)
    one.add([RECEIPT] * 3, at=0.0)
    assert other.add([RECEIPT], at=0.0).pairs == 6


def test_counts_of_before_the_last_hour_are_forgotten() -> None:
    table = DocumentTable(None)
    table.add([RECEIPT], at=0.5 * HOUR)
    assert table.add([RECEIPT], at=1.5 * HOUR).pairs == 2
    assert table.add([RECEIPT], at=2.5 * HOUR).pairs == 2
    assert table.add([RECEIPT], at=9.5 * HOUR).pairs == 0


def test_a_file_from_before_is_mapped_as_it_is_and_has_one_size(tmp_path: Path) -> None:
    DocumentTable(tmp_path).add([RECEIPT], at=0.0)
    assert DocumentTable(tmp_path).add([RECEIPT], at=0.0).pairs == 2
    (path,) = tmp_path.glob("*.bin")
    assert path.stat().st_size == 4 * (SLOTS + SLOTS * BUCKETS)


def test_models_of_one_service_have_tables_of_their_own(tmp_path: Path) -> None:
    DocumentTable(tmp_path, model="english").add([RECEIPT], at=0.0)
    assert DocumentTable(tmp_path, model="digits").add([RECEIPT], at=0.0).pairs == 0
