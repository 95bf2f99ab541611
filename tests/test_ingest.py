import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from iam_layout import as_archives, picture

from legible.config import IngestParams, Params, load_params
from legible.data import sources
from legible.data.dataset import Dataset
from legible.data.ingest import ingest, split_of
from legible.errors import DataError

PROJECT = Path(__file__).parents[1]


def params(**ingest_changes: object) -> Params:
    loaded = load_params(PROJECT / "params.yaml")
    return dataclasses.replace(loaded, ingest=dataclasses.replace(loaded.ingest, **ingest_changes))  # type: ignore[arg-type]


def with_iam(root: Path) -> Path:
    folder = as_archives(root / "there")
    (folder / "split_train.txt").write_text("a01-000u\na01-003\n")
    (folder / "split_validation.txt").write_text("b02-010\n")
    sources.add(root, kind="iam", path=folder)
    return root


def ids(root: Path, split: str) -> list[str]:
    return [sample.id for sample in Dataset.open(root / "data/dataset").samples(split=split)]


def test_official_lists_give_validation(tmp_path: Path) -> None:
    manifest = ingest(params(tune_share=0.0), root=with_iam(tmp_path))
    assert ids(tmp_path, "validation") == ["iam/word/b02-010-00-00", "iam/line/b02-010-00"]
    assert manifest.counts["train"] == {"iam/line": 1, "iam/word": 3}
    assert manifest.present == ["iam"]
    assert manifest.absent == [f"generated-{kind}" for kind in sorted(params().generate.shares)]


def test_tune_is_cut_out_of_the_training_writers_alone(tmp_path: Path) -> None:
    ingest(params(tune_share=1.0), root=with_iam(tmp_path))
    assert ids(tmp_path, "train") == []
    assert len(ids(tmp_path, "tune")) == 4
    assert len(ids(tmp_path, "validation")) == 2


def test_doubtful_segmentations_are_left_out_where_asked_and_counted(tmp_path: Path) -> None:
    manifest = ingest(params(segmentation=("ok",)), root=with_iam(tmp_path))
    assert manifest.dropped == {"iam: segmentation err": 1}


def test_characters_outside_the_charset_are_dropped_by_name(tmp_path: Path) -> None:
    narrow = dataclasses.replace(params(), charset=dataclasses.replace(params().charset, characters="AMOVEPhsaide ,."))
    manifest = ingest(narrow, root=with_iam(tmp_path))
    assert manifest.dropped == {"iam: n o £ not in the charset": 1}


def test_a_picture_drawn_without_text_is_kept_with_the_empty_text_and_another_s_is_not(tmp_path: Path) -> None:
    folder = as_archives(tmp_path / "data/generated/blank")
    words = (folder / "words.txt").read_text().splitlines()
    first = next(line for line in words if not line.startswith("#"))
    (folder / "words.txt").write_text("\n".join([" ".join(first.split(" ")[:8]), *words[words.index(first) + 1 :]]))
    manifest = ingest(params(), root=tmp_path)
    assert sum(groups.get("generated-blank/word", 0) for groups in manifest.counts.values()) == 4
    assert [s.text for s in Dataset.open(tmp_path / "data/dataset").samples(kind="word")].count("") == 1
    shutil.copytree(folder, tmp_path / "there")
    sources.add(tmp_path, kind="iam", path=tmp_path / "there")
    assert ingest(params(), root=tmp_path).dropped == {"iam: empty text": 1}


def test_a_second_ingest_gives_the_same_bytes(tmp_path: Path) -> None:
    with_iam(tmp_path)
    assert ingest(params(), root=tmp_path) == ingest(params(), root=tmp_path)


def test_nothing_to_ingest_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to ingest: run legible generate, or legible data add"):
        ingest(params(), root=tmp_path)


def test_a_writer_is_in_one_split_and_shares_hold() -> None:
    shares = IngestParams(revision=1, tune_share=0.1, validation_share=0.2, segmentation=("ok",), pasted_share=1.0)
    splits = [split_of("drawn", f"w{number}", shares) for number in range(4000)]
    assert np.mean([split == "validation" for split in splits]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([split == "tune" for split in splits]) == pytest.approx(0.08, abs=0.02)
    assert splits == [split_of("drawn", f"w{number}", shares) for number in range(4000)]


def with_transcribed(root: Path, writers: list[str], *, name: str = "own") -> Path:
    """A word of each writer in turn."""
    folder = root / "there"
    folder.mkdir()
    rows = ["path\ttext\twriter"]
    for number, writer in enumerate(writers):
        (folder / f"{number}.png").write_bytes(picture(number))
        rows.append(f"{number}.png\tword\t{writer}")
    (folder / "index.tsv").write_text("\n".join(rows), encoding="utf-8")
    sources.add(root, kind="transcribed", path=folder, name=name)
    return root


@pytest.mark.parametrize("writer", [f"w{number}" for number in range(6)])
def test_the_images_of_one_hand_are_parted_into_all_splits_whoever_wrote_them(tmp_path: Path, writer: str) -> None:
    shares = params(validation_share=0.25, tune_share=0.15)
    manifest = ingest(shares, root=with_transcribed(tmp_path, [writer] * 60))
    counts = {split: groups["own/word"] for split, groups in manifest.counts.items()}
    assert counts == {"train": 38, "tune": 5, "validation": 17}
    assert manifest.by_image == ["own"]
    assert manifest.summary().endswith("split by image, for want of writers: own")
    assert Dataset.open(tmp_path / "data/dataset").manifest == manifest
    assert {sample.writer for sample in Dataset.open(tmp_path / "data/dataset").samples()} == {writer}


def test_a_source_whose_writers_would_leave_a_split_empty_is_split_by_image(tmp_path: Path) -> None:
    shares = params(validation_share=0.25)
    alike = [w for number in range(40) if split_of("own", w := f"w{number}", shares.ingest) == "train"][:4]
    manifest = ingest(shares, root=with_transcribed(tmp_path, alike * 10))
    assert manifest.by_image == ["own"]
    assert manifest.counts["validation"]["own/word"] > 0
    asked = ingest(params(validation_share=0.0), root=tmp_path)
    assert asked.by_image == [], "nobody asked for validation"
    assert "validation" not in asked.counts


def test_a_source_of_many_writers_is_split_by_them_and_its_manifest_says_nothing_new(tmp_path: Path) -> None:
    shares = params(validation_share=0.25)
    manifest = ingest(shares, root=with_transcribed(tmp_path, [f"w{number % 20}" for number in range(60)]))
    assert manifest.by_image == []
    assert "by_image" not in (tmp_path / "data/dataset/manifest.json").read_text()
    for sample in Dataset.open(tmp_path / "data/dataset").samples():
        assert sample.split == split_of("own", sample.writer, shares.ingest)


def test_a_source_with_official_lists_is_split_by_them_however_few_wrote_it(tmp_path: Path) -> None:
    assert ingest(params(), root=with_iam(tmp_path)).by_image == []


def test_a_source_in_the_iam_layout_of_few_writers_is_split_by_line_and_words_go_with_theirs(tmp_path: Path) -> None:
    sources.add(tmp_path, kind="iam", path=as_archives(tmp_path / "there"), name="iam")
    shares = params(validation_share=0.001)
    assert ingest(shares, root=tmp_path).by_image == ["iam"]
    for sample in Dataset.open(tmp_path / "data/dataset").samples():
        line = "-".join(sample.id.split("/")[-1].split("-")[:3])
        assert sample.split == split_of("iam", line, shares.ingest)


def test_generated_samples_are_split_by_style_however_few_there_are(tmp_path: Path) -> None:
    as_archives(tmp_path / "there").rename(tmp_path / "drawn")
    (tmp_path / "data/generated").mkdir(parents=True)
    (tmp_path / "drawn").rename(tmp_path / "data/generated/print")
    manifest = ingest(params(), root=tmp_path)
    assert manifest.present == ["generated-print"]
    assert manifest.by_image == []
    for sample in Dataset.open(tmp_path / "data/dataset").samples():
        assert sample.split == split_of("generated-print", sample.writer, params().ingest)
