import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from kills import KilledError, killed_after

from legible.data import dataset
from legible.data.dataset import Dataset, Sample, Tally, write_dataset
from legible.errors import DataError


def sample(number: int, *, split: str = "train", source: str = "drawn", text: str = "a/b £") -> Sample:
    image = np.random.default_rng(number).integers(0, 256, (20, 30 + number)).astype(np.uint8)
    name = "train" if split == "train" else "validation"
    return Sample(f"{source}/{number}", image, text, f"w{number % 3}", source, name, "word", "ok")


def written(folder: Path, samples: list[Sample]) -> Dataset:
    write_dataset(folder, samples, present=["drawn"])
    return Dataset.open(folder)


def test_samples_come_back_as_they_went_in(tmp_path: Path) -> None:
    samples = [sample(number) for number in range(5)]
    for before, after in zip(samples, written(tmp_path / "d", samples).samples(), strict=True):
        assert np.array_equal(before.image, after.image)
        assert (before.id, before.text, before.writer) == (after.id, after.text, after.writer)
        assert before.group == after.group


def test_the_same_samples_give_the_same_bytes(tmp_path: Path) -> None:
    one, other = (written(tmp_path / name, [sample(n) for n in range(6)]).manifest for name in ("a", "b"))
    assert one == other
    assert one.fingerprint == other.fingerprint


def test_splits_sources_and_kinds_are_read_apart(tmp_path: Path) -> None:
    samples = [sample(0), sample(1, split="validation"), sample(2, source="other")]
    opened = written(tmp_path / "d", samples)
    assert [s.id for s in opened.samples(split="validation")] == ["drawn/1"]
    assert [s.id for s in opened.samples(source="other")] == ["other/2"]
    assert list(opened.samples(kind="line")) == []


def test_shards_are_cut_at_a_size_and_follow_the_webdataset_convention(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "SHARD_BYTES", 4000)
    opened = written(tmp_path / "d", [sample(number) for number in range(12)])
    assert len(opened.manifest.shards) > 2
    assert len(list(opened.samples())) == 12
    with tarfile.open(tmp_path / "d/train-000.tar") as tar:
        assert tar.getnames()[:2] == ["drawn/0.png", "drawn/0.json"]


def test_counts_damage_and_absence_stand_in_the_manifest(tmp_path: Path) -> None:
    tally = Tally(damaged=["x-1"])
    tally.dropped["drawn: empty text"] += 2
    manifest = write_dataset(tmp_path / "d", [sample(0)], present=["drawn"], absent=["iam"], tally=tally)
    assert manifest.counts == {"train": {"drawn/word": 1}}
    assert "absent: iam" in manifest.summary()
    assert "damaged: x-1" in manifest.summary()
    assert Dataset.open(tmp_path / "d").manifest.dropped == {"drawn: empty text": 2}


def test_a_changed_shard_is_found(tmp_path: Path) -> None:
    opened = written(tmp_path / "d", [sample(0)])
    opened.verify()
    (tmp_path / "d/train-000.tar").write_bytes(b"else")
    with pytest.raises(DataError, match=r"train-000\.tar not as written"):
        opened.verify()


def test_another_format_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "d", [sample(0)])
    path = tmp_path / "d/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))
    with pytest.raises(DataError, match="format 2 is not 1"):
        Dataset.open(tmp_path / "d")


@pytest.mark.parametrize(
    "damage",
    [
        {"counts": {"train": {"drawn/word": -5}}},
        {"counts": {"train": 5}},
        {"counts": []},
        {"dropped": None},
        {"dropped": {"a": "5"}},
        {"damaged": [None]},
        {"present": "drawn"},
        {"shards": {}},
        {"shards": ["train-000.tar"]},
        {"shards": {"../train-000.tar": "a"}},
        {"shards": {"train-000.tar": 5}},
    ],
)
def test_a_manifest_that_states_what_cannot_be_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    """A training read no sample of shards that were not listed, or ended with a traceback."""
    written(tmp_path / "d", [sample(0)])
    path = tmp_path / "d/manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **damage}))
    with pytest.raises(DataError, match=r"manifest\.json: damaged data set"):
        Dataset.open(tmp_path / "d")


def test_a_damaged_shard_is_named_in_one_line(tmp_path: Path) -> None:
    opened = written(tmp_path / "d", [sample(n) for n in range(3)])
    path = tmp_path / "d/train-000.tar"
    content = path.read_bytes()
    for damaged in (b"", content[:1000], content[:700] + bytes(100) + content[800:], None):
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"train-000\.tar: missing or damaged"):
            list(opened.samples())


def test_no_data_set_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run legible ingest"):
        Dataset.open(tmp_path)


def test_a_failure_leaves_the_former_data_set(tmp_path: Path) -> None:
    written(tmp_path / "d", [sample(0)])

    def failing() -> list[Sample]:
        raise DataError("the source broke off")

    with pytest.raises(DataError, match="broke off"):
        write_dataset(tmp_path / "d", (s for s in failing()), present=[])
    assert len(list(Dataset.open(tmp_path / "d").samples())) == 1


@pytest.mark.parametrize("step", range(3))
def test_after_a_kill_at_any_step_the_former_data_set_or_the_new_one_is_whole(tmp_path: Path, step: int) -> None:
    written(tmp_path / "d", [sample(0)])
    with killed_after(step), pytest.raises(KilledError):
        written(tmp_path / "d", [sample(0), sample(1)])
    opened = Dataset.open(tmp_path / "d")
    opened.verify()
    assert len(list(opened.samples())) == (2 if step else 1)
    assert len(list(written(tmp_path / "d", [sample(n) for n in range(3)]).samples())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
