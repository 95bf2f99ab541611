"""Labels become a source of the data set: versions, duplicates, documents, and images held out for ever."""

import dataclasses
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROJECT
from PIL import Image

from legible.config import load_params
from legible.data import sources
from legible.data.dataset import Dataset
from legible.data.ingest import ingest
from legible.errors import DataError
from legible.labelling import label_source
from legible.labelling.add_labels import Told, add_labels
from legible.labelling.forget import Held, forget
from legible.labelling.label_source import COLUMNS, LabelFolders, LabelledImage, MadeLabels, read_index
from legible.labelling.label_splits import assign_splits
from legible.labelling.labels import Label, LabelLog, LabelVerdict
from legible.labelling.verdicts import DISAGREE, UNWRITABLE, LabelOutcome, LabelVote, decide
from legible.observations.image_log import kept_image
from legible.observations.layout import hour
from legible.observations.row import observe
from legible.reading import Reading

AT = 1_794_999_601.0


class Traffic:
    """A service's folders: images that were kept, observations, and what labellers said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = LabelLog(folder / "labels", worker="1")

    def read(self, number: int, *, document: str = "", sender: str = "", pixels: int | None = None) -> str:
        """Keep an image of a reading and its observation; images of the same `pixels` are equal."""
        reading_id = f"{hour(AT)}-1-{number:012x}"
        image = np.full((8, 30), 200, np.uint8)
        image[2:6, 4:20] = 10
        image[0, :2] = divmod(number if pixels is None else pixels, 256)
        place = self.folder / "images/v1" / hour(AT) / f"{reading_id}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)
        row = observe(
            image, Reading("x", 0.5, ()), channel="till", at=AT, reading_id=reading_id, document=document, sender=sender
        )
        rows = self.folder / "observations/v1" / f"{hour(AT)}-1.jsonl"
        rows.parent.mkdir(parents=True, exist_ok=True)
        with rows.open("a") as file:
            file.write(row.to_json() + "\n")
        return reading_id

    def say(self, reading_id: str, text: str = "a", *, who: str = "ann", verdict: LabelVerdict = "text") -> None:
        self.log.append(Label(AT, reading_id, who, verdict, text if verdict == "text" else "", "chosen"))

    def add(self, root: Path, **more: object) -> MadeLabels:
        folders = LabelFolders(self.folder / "images", self.folder / "observations")
        return add_labels(root, self.folder / "labels", folders, **more)[1]  # type: ignore[arg-type]

    def forget_image(self, reading_id: str) -> None:
        path = kept_image(self.folder / "images", reading_id)
        assert path is not None
        path.unlink()


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path / "service")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project"


def raw(root: Path) -> Path:
    return root / "data/raw/labels"


def by_text(rows: tuple[LabelledImage, ...]) -> Mapping[str, LabelledImage]:
    return {row.text: row for row in rows}


@pytest.mark.parametrize(
    ("votes", "outcome"),
    [
        ([], None),
        ([LabelVote("skip")], None),
        ([LabelVote("text", "a")], LabelOutcome("a")),
        ([LabelVote("text", "a"), LabelVote("text", "b")], LabelOutcome(reason=DISAGREE)),
        ([LabelVote("text", "a"), LabelVote("text", "b"), LabelVote("text", "a")], LabelOutcome("a")),
        ([LabelVote("text", "a"), LabelVote("unreadable")], LabelOutcome(reason=DISAGREE)),
        ([LabelVote("unreadable"), LabelVote("skip")], LabelOutcome(reason="unreadable")),
        ([LabelVote("not_text")], LabelOutcome(reason="not text")),
        ([LabelVote("text", "a\tb")], LabelOutcome(reason=UNWRITABLE)),
    ],
)
def test_a_text_needs_more_labellers_than_anything_else(votes: list[LabelVote], outcome: LabelOutcome | None) -> None:
    assert decide(votes) == outcome


def test_labels_become_a_listed_source_with_texts_and_channels(traffic: Traffic, root: Path) -> None:
    traffic.say(traffic.read(1, document="d1"), "one")
    traffic.say(traffic.read(2, document="d2"), "two words")
    made = traffic.add(root)
    (listed,) = sources.listed(root)
    assert (listed.kind, dict(listed.counts)) == ("labels", {"line": 1, "word": 1, "damaged": 0})
    assert {row.channel for row in made.rows} == {"till"}
    assert read_index(raw(root)) == list(made.rows)
    assert all((raw(root) / row.path).is_file() for row in made.rows)


def test_the_same_picture_is_one_image_however_often_it_was_sent(traffic: Traffic, root: Path) -> None:
    readings = [traffic.read(number, document=f"d{number}", pixels=7) for number in (1, 2, 3)]
    for reading in readings[:2]:
        traffic.say(reading, "seven")
    (row,) = traffic.add(root).rows
    assert row.readings == tuple(readings[:2])


def test_equal_pictures_with_different_labels_are_left_out(traffic: Traffic, root: Path) -> None:
    traffic.say(traffic.read(1, pixels=7), "seven")
    traffic.say(traffic.read(2, pixels=7), "Seven")
    traffic.say(traffic.read(3), "three")
    made = traffic.add(root)
    assert list(by_text(made.rows)) == ["three"]
    assert made.left_out == {DISAGREE: 1}


def test_images_of_one_document_are_never_in_two_splits(traffic: Traffic, root: Path) -> None:
    for number in range(120):
        traffic.say(traffic.read(number, document=f"d{number // 6}"), f"t{number}")
    made = traffic.add(root)
    splits: dict[str, set[str]] = {}
    for row in made.rows:
        splits.setdefault(row.writer, set()).add(row.split)
    assert len(splits) == 20
    assert all(len(own) == 1 for own in splits.values())
    assert {split for own in splits.values() for split in own} == {"train", "tune", "validation"}


def test_without_a_document_the_sender_decides_and_without_both_the_image(traffic: Traffic, root: Path) -> None:
    traffic.say(traffic.read(1, sender="s1"), "one")
    traffic.say(traffic.read(2, sender="s1"), "two")
    traffic.say(traffic.read(3), "three")
    rows = by_text(traffic.add(root).rows)
    assert rows["one"].writer == rows["two"].writer == "sender-s1"
    assert rows["three"].writer.startswith("image-")


def test_a_held_out_image_stays_held_out_in_every_later_version(traffic: Traffic, root: Path) -> None:
    splits: dict[str, str] = {}
    for version in (1, 2, 3):
        for number in range(100 * version, 100 * version + 60):
            traffic.say(traffic.read(number % 250, document=f"d{number // 5}"), f"t{number}")
        made = traffic.add(root)
        assert made.version == version
        assert made.count("validation", version=version) > 0
        now = {row.path: row.split for row in made.rows}
        assert splits.items() <= now.items()
        splits = now


def test_a_new_image_of_a_held_out_document_is_held_out_too(traffic: Traffic, root: Path) -> None:
    for number in range(10):
        traffic.say(traffic.read(number, document=f"d{number}"), f"t{number}")
    held = next(row for row in traffic.add(root).rows if row.split == "validation")
    document = held.writer.removeprefix("document-")
    traffic.say(traffic.read(50, document=document), "late")
    assert by_text(traffic.add(root).rows)["late"].split == "validation"


def test_adding_again_without_new_labels_changes_no_byte(traffic: Traffic, root: Path) -> None:
    traffic.say(traffic.read(1), "one")
    traffic.add(root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert traffic.add(root).version == 1
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_corrected_label_changes_the_text_and_keeps_version_and_split(traffic: Traffic, root: Path) -> None:
    first = traffic.read(1)
    traffic.say(first, "One")
    (before,) = traffic.add(root).rows
    traffic.say(first, "one")
    assert traffic.add(root).rows == (dataclasses.replace(before, text="one"),)


def test_a_label_that_was_taken_back_leaves_the_source(traffic: Traffic, root: Path) -> None:
    for number in (1, 2):
        traffic.say(traffic.read(number), f"t{number}")
    traffic.add(root)
    traffic.say(f"{hour(AT)}-1-{1:012x}", verdict="undo")
    made = traffic.add(root)
    assert list(by_text(made.rows)) == ["t2"]
    assert len(list((raw(root) / "images").iterdir())) == 1


def test_images_and_labels_past_their_retention_stay_in_the_source(traffic: Traffic, root: Path) -> None:
    first = traffic.read(1)
    traffic.say(first, "one")
    traffic.add(root)
    traffic.forget_image(first)
    for file in (traffic.folder / "labels/v1").iterdir():
        file.unlink()
    traffic.say(traffic.read(2), "two")
    assert sorted(by_text(traffic.add(root).rows)) == ["one", "two"]


def test_a_label_whose_image_is_gone_is_counted(traffic: Traffic, root: Path) -> None:
    traffic.say(traffic.read(1), "one")
    gone = traffic.read(2)
    traffic.say(gone, "two")
    traffic.forget_image(gone)
    assert traffic.add(root).left_out == {"the image was deleted before its label was added": 1}


def test_corrections_of_callers_are_labels_where_nobody_labelled(traffic: Traffic, root: Path, tmp_path: Path) -> None:
    first, second = traffic.read(1), traffic.read(2)
    traffic.say(first, "one")
    (tmp_path / "corrections/v1").mkdir(parents=True)
    lines = [f'{{"reading_id": "{one}", "text": "by a caller"}}\n' for one in (first, second)]
    (tmp_path / "corrections/v1/a.jsonl").write_text("".join(lines))
    made = traffic.add(root, corrections=tmp_path / "corrections")
    assert sorted(by_text(made.rows)) == ["by a caller", "one"]


def test_no_label_with_an_image_is_an_error_and_lists_nothing(traffic: Traffic, root: Path) -> None:
    traffic.say(traffic.read(1), verdict="unreadable")
    with pytest.raises(DataError, match="no labelled image to add"):
        traffic.add(root)
    assert not sources.listed(root)


def test_a_source_of_another_kind_is_never_overwritten(traffic: Traffic, root: Path) -> None:
    traffic.say(traffic.read(1), "one")
    (root / "data/raw/letters").mkdir(parents=True)
    (root / "data/raw/letters/index.tsv").write_text("path\ttext\na.png\ta\n")
    with pytest.raises(DataError, match="no source of labels"):
        traffic.add(root, told=Told("letters"))


GOOD = ("images/a.png", "text", "writer", "train", "1", "", "", "")


@pytest.mark.parametrize(
    "cells",
    [
        GOOD[:5], GOOD[:-1], (*GOOD, "one too many"), (*GOOD[:4], "one", *GOOD[5:]), (*GOOD[:4], "9" * 5000, *GOOD[5:]),
        (*GOOD[:3], "", *GOOD[4:]), ("../../a.png", *GOOD[1:]),
    ],
    ids=["cut off", "a cell less", "a cell more", "version", "long version", "split", "path"],
)  # fmt: skip
def test_a_damaged_row_of_the_index_is_said_with_its_line(root: Path, cells: tuple[str, ...]) -> None:
    raw(root).mkdir(parents=True)
    (raw(root) / "index.tsv").write_text("\n".join("\t".join(row) for row in (COLUMNS, GOOD, cells)) + "\n")
    with pytest.raises(DataError, match=r"index\.tsv: damaged in line 3; fetch it anew"):
        read_index(raw(root))


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\u2028b", "a\x00b"])
def test_a_text_that_no_row_can_hold_is_left_out_and_stops_no_other(traffic: Traffic, root: Path, text: str) -> None:
    traffic.say(traffic.read(1), "one")
    traffic.say(traffic.read(2), text)
    made = traffic.add(root)
    assert [row.text for row in made.rows] == ["one"]
    assert "left out: 1 (its text has a tab, a line break" in made.summary()


def test_the_groups_alone_decide_and_their_order_does_not() -> None:
    groups = [f"document-{number}" for number in range(200)]
    assert assign_splits([], groups) == assign_splits([], reversed(groups))
    counts = [list(assign_splits([], groups).values()).count(split) for split in ("validation", "tune")]
    assert all(8 <= count <= 34 for count in counts)  # a tenth of 200, three standard deviations


@pytest.mark.parametrize(("groups", "held"), [(1, 0), (2, 1), (5, 1)])
def test_few_groups_hold_out_one_and_one_alone_is_trained_on(groups: int, held: int) -> None:
    splits = list(assign_splits([], [f"g{number}" for number in range(groups)]).values())
    assert splits.count("validation") == held


def test_ingest_takes_the_split_that_the_index_states(traffic: Traffic, root: Path) -> None:
    for number in range(60):
        traffic.say(traffic.read(number, document=f"d{number // 3}"), f"t{number}")
    made = traffic.add(root)
    ingest(load_params(PROJECT / "params.yaml"), root=root)
    samples = Dataset.open(root / "data/dataset").samples()
    assert {sample.text: sample.split for sample in samples} == {row.text: row.split for row in made.rows}


class Slow:
    """`make_labels`, the first call of which waits after its work until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made, self.goes_on, self._make = threading.Event(), threading.Event(), label_source.make_labels
        monkeypatch.setattr("legible.labelling.add_labels.make_labels", self)

    def __call__(self, *arguments: Any, **named: Any) -> MadeLabels:
        made = self._make(*arguments, **named)
        if not self.made.is_set():
            self.made.set()
            self.goes_on.wait(10)
        return made


def at_once(slow: Slow, first: Callable[[], object], second: Callable[[], object]) -> None:
    """Run one while another is at work, and let that one end a little later."""
    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert slow.made.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    slow.goes_on.set()
    for thread in threads:
        thread.join()


def test_of_labels_that_are_added_twice_at_once_none_is_lost(
    traffic: Traffic, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.say(traffic.read(1), "one")
    slow = Slow(monkeypatch)

    def add_another() -> None:
        second = traffic.read(2)
        traffic.say(second, "two")
        traffic.add(root)
        traffic.forget_image(second)  # past its retention
        shutil.rmtree(traffic.folder / "labels")

    at_once(slow, lambda: traffic.add(root), add_another)
    assert {row.text for row in read_index(raw(root))} == {"one", "two"}


def test_what_is_forgotten_while_labels_are_added_does_not_come_back(
    traffic: Traffic, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = [traffic.read(number) for number in (1, 2)]
    for reading in readings:
        traffic.say(reading, reading)
    traffic.add(root)
    names = ("observations", "images", "labels", "corrections", "queue", "shadow")
    observations, images, labels, corrections, queue, shadow = (traffic.folder / name for name in names)
    held = Held(observations, images, labels, corrections, queue, shadow, root)
    slow = Slow(monkeypatch)
    at_once(slow, lambda: traffic.add(root), lambda: forget(readings[:1], held))
    assert [row.readings for row in read_index(raw(root))] == [(readings[1],)]
    assert len(list((raw(root) / "images").iterdir())) == 1


def kill_between_renames(folder: Path) -> None:
    """Leave a folder as a command does that is killed when it has moved the former content away."""
    shutil.copytree(folder, folder.with_name(f".{folder.name}.new"))
    folder.rename(folder.with_name(f".{folder.name}.old"))


def test_labels_that_a_killed_command_left_beside_their_place_are_all_kept_by_the_next_two(
    traffic: Traffic, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic.say(traffic.read(1), "one")
    traffic.add(root)
    shutil.rmtree(traffic.folder / "labels")  # past their retention
    traffic.say(traffic.read(2), "two")
    kill_between_renames(raw(root))
    slow = Slow(monkeypatch)
    at_once(slow, lambda: traffic.add(root), lambda: traffic.add(root))
    assert {row.text for row in read_index(raw(root))} == {"one", "two"}


def test_forgetting_after_a_killed_command_takes_the_one_reading_and_leaves_the_others(
    traffic: Traffic, root: Path
) -> None:
    readings = [traffic.read(number) for number in (1, 2)]
    for reading in readings:
        traffic.say(reading, reading)
    traffic.add(root)
    kill_between_renames(raw(root))
    folders = ("observations", "images", "labels", "corrections", "queue", "shadow")
    held = Held(**{name: traffic.folder / name for name in folders}, root=root)
    forget(readings[:1], held)
    assert [row.readings for row in read_index(raw(root))] == [(readings[1],)]


def test_a_last_reading_is_forgotten_twice_at_once(
    traffic: Traffic, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = traffic.read(1)
    traffic.say(reading)
    traffic.add(root)
    folders = ("observations", "images", "labels", "corrections", "queue", "shadow")
    held = Held(**{name: traffic.folder / name for name in folders}, root=root)
    monkeypatch.setattr("legible.labelling.forget.sources_of_labels", lambda _: ["labels", "labels"])
    assert forget([reading], held).unreached == ()
    assert not raw(root).exists()
