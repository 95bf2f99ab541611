"""Figures that benchmarks measured, for the card."""

from pathlib import Path

import pytest
from conftest import PROJECT

from legible.errors import DataError
from legible.files import sha256_of
from legible.packing.measured import SPEED, GeneratedOnly, Speed, generated_only_of, record, speed_of
from legible.recognition.bundle import load_bundle

MODEL = "0123456789ab" + 52 * "f"


def speed(model: str, *, peak_mib: int = 64) -> Speed:
    return Speed(model[:12], {"print": 1.2, "iam/word": 0.9}, peak_mib, "a processor")


def test_what_is_recorded_is_found_by_its_model(tmp_path: Path) -> None:
    for one in (speed("a" * 64), speed(MODEL), speed(MODEL, peak_mib=70)):
        record(tmp_path, one)
    assert speed_of(MODEL, root=tmp_path) == speed(MODEL, peak_mib=70)
    assert speed_of("b" * 64, root=tmp_path) is None


def test_a_speed_is_a_sentence_of_the_card() -> None:
    assert speed(MODEL).sentence() == (
        "1.2 ms an image of print, 0.9 ms an image of iam/word and 64 MiB at most, on one thread of a processor, "
        "prefix beam search, image files decoded before"
    )


def generated_only(revision: int) -> GeneratedOnly:
    return GeneratedOnly("python again.py", "small", 245_000, 80_000, revision, 1756, 0.417, 0.268, 0.642, 0.178)


def test_figures_of_generated_images_are_found_by_the_revision_that_drew_them_or_one_that_draws_alike(
    tmp_path: Path,
) -> None:
    record(tmp_path, generated_only(4))
    assert generated_only_of(4, root=tmp_path) == generated_only_of(5, root=tmp_path) == generated_only(4)
    assert generated_only_of(6, root=tmp_path) is None
    assert "of revision 4 of `generate`)." in generated_only(4).sentence(revision=4)
    assert "of revision 4 of `generate`, from which these differ by rounding)." in generated_only(4).sentence(
        revision=5
    )


def test_nothing_measured_is_nothing_stated(tmp_path: Path) -> None:
    assert speed_of(MODEL, root=tmp_path) is None
    assert generated_only_of(4, root=tmp_path) is None


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / SPEED).parent.mkdir(parents=True)
    (tmp_path / SPEED).write_text("{")
    with pytest.raises(DataError, match=r"damaged measured figures .* run its benchmark again"):
        speed_of(MODEL, root=tmp_path)


def test_the_shipped_card_states_what_was_measured_of_the_shipped_model(bundle_folder: Path) -> None:
    found = speed_of(sha256_of(bundle_folder / "model.tflite"), root=PROJECT)
    stated = f"\n{found.sentence()}.\n" if found else "\nnot measured for this model"
    assert stated in (bundle_folder / "card.md").read_text(encoding="utf-8")


def test_the_shipped_card_states_what_generated_images_alone_gave(bundle_folder: Path) -> None:
    revision = load_bundle(bundle_folder).manifest.revisions["generate"]
    found = generated_only_of(revision, root=PROJECT)
    card = (bundle_folder / "card.md").read_text(encoding="utf-8")
    assert ("From generated images alone" in card) == (found is not None)
    assert found is None or f"\n{found.sentence(revision=revision)}\n" in card
