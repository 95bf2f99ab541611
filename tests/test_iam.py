from pathlib import Path

import pytest
from iam_layout import WORD_IDS, as_archives, as_distributed, pack, unpacked

from legible.data.dataset import Tally
from legible.data.iam import join_handwritten, open_iam
from legible.errors import DataError


@pytest.mark.parametrize("lay_out", [as_archives, as_distributed, unpacked])
def test_every_form_of_the_database_gives_the_same(lay_out: object, tmp_path: Path) -> None:
    layout = open_iam(lay_out(tmp_path / "iam"), join_tokens=join_handwritten)  # type: ignore[operator]
    tally = Tally()
    found = {entry.id: entry for entry, _ in layout.images(tally)}
    assert len(found) == 6
    assert found["a01-000u-00-01"].segmentation == "err"
    assert found["a01-003-00-00"].text == "M P"
    assert found["a01-000u-00"].text == "A MOVE, said he."
    assert found["b02-010-00-00"].writer == "002"
    assert tally.damaged == []


def test_lists_of_forms_give_the_split(tmp_path: Path) -> None:
    folder = as_archives(tmp_path / "iam")
    (folder / "split_train.txt").write_text("a01-000u\na01-003\n")
    (folder / "split_validation.txt").write_text("b02-010\n")
    layout = open_iam(folder)
    assert layout.has_lists
    assert layout.entries["b02-010-00-00"].split == "validation"
    assert layout.entries["a01-003-00-00"].split == "train"


def test_damaged_and_missing_images_are_named(tmp_path: Path) -> None:
    folder = as_archives(tmp_path / "iam", damaged=WORD_IDS[1])
    pack(folder / "lines.tar", {}, mode="w")
    tally = Tally()
    assert len(list(open_iam(folder).images(tally))) == 3
    assert tally.damaged == [WORD_IDS[1], "a01-000u-00 (missing)", "b02-010-00 (missing)"]


def test_a_folder_that_is_no_iam_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no IAM layout here; it needs forms"):
        open_iam(tmp_path)


def test_a_damaged_archive_is_one_clear_error(tmp_path: Path) -> None:
    folder = as_archives(tmp_path / "iam")
    (folder / "words.tar").write_bytes(b"not a tar")
    with pytest.raises(DataError, match=r"words\.tar: damaged archive"):
        list(open_iam(folder).images(Tally()))


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        ('he|said|,|"|no|"|.', 'he said, "no".'),
        ("That|'s|how|it|is|n't|so|!", "That's how it isn't so!"),
        ("(|a|)|b", "(a) b"),
        ('in|the|past|"', 'in the past"'),  # its partner stands on the line before
        ('called|"|Abou|Ben', 'called "Abou Ben'),  # its partner stands on the next line
        ("L'Avventura|man|,", "L'Avventura man,"),
        ("M P|,|for", "M P, for"),
        ("one|-|two", "one - two"),
    ],
)
def test_tokens_are_joined_as_a_hand_writes_them(tokens: str, text: str) -> None:
    assert join_handwritten(tokens) == text
