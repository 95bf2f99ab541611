import dataclasses
from pathlib import Path

import numpy as np
import pytest
from iam_layout import as_archives

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
    assert manifest.absent == ["generated-handwriting", "generated-print", "generated-strokes"]


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
