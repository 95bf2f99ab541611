"""Forgetting: nothing is left of a reading anywhere, and all of the others; a channel is handed over."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from legible.data import sources
from legible.errors import DataError
from legible.labelling.add_labels import add_labels
from legible.labelling.forget import Forgotten, Held, forget
from legible.labelling.held import export_channel, readings_of
from legible.labelling.label_source import LabelFolders, read_index
from legible.labelling.labels import Label, LabelLog, delete_old, read_rows
from legible.labelling.wanted import load_wanted, save_wanted
from legible.observations.corrections import Correction, read_corrections
from legible.observations.forget import forget_rows
from legible.observations.layout import hour
from legible.observations.row import observe
from legible.observations.shadow import ShadowRow
from legible.observations.window import read_back
from legible.reading import Reading

AT = 1_794_999_601.0
DAY = 86_400


def reading_id(number: int) -> str:
    return f"{hour(AT)}-1-{number:012x}"


def send(held: Held, number: int, channel: str, *, pixels: int) -> None:
    """Leave a trace of a reading in every place."""
    name = reading_id(number)
    image = np.full((8, 20), 200, np.uint8)
    image[2:6, 3:9] = pixels
    path = held.images / "v1" / hour(AT) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    row = observe(image, Reading("x", 0.5, ()), channel=channel, at=AT, reading_id=name, document=f"document {number}")
    correction = Correction(AT, name, f"corrected {number}")
    shadow = ShadowRow(AT, name, "a", "b", False, 0.5, 0.5, 1, 2, 0.1, 0.1)
    lines = {held.observations: row, held.corrections: correction, held.shadow: shadow}
    for folder, line in ((folder, one.to_json()) for folder, one in lines.items()):
        (folder / "v1").mkdir(parents=True, exist_ok=True)
        with (folder / "v1" / f"{hour(AT)}-1.jsonl").open("a") as file:
            file.write(line + "\n")
    LabelLog(held.labels, worker="1").append(Label(AT, name, "ann", "text", f"text {pixels}"))
    (held.queue / "images").mkdir(parents=True, exist_ok=True)
    (held.queue / "images" / f"{name}.png").write_bytes(path.read_bytes())
    index = held.queue / "index.tsv"
    index.write_text((index.read_text() if index.exists() else "path\ttext\n") + f"images/{name}.png\t\n")


@pytest.fixture
def held(tmp_path: Path) -> Held:
    names = ("observations", "images", "labels", "corrections", "queue", "shadow", "project")
    held = Held(*(tmp_path / name for name in names))
    for number in range(6):  # 4 and 5 are the same picture
        send(held, number, "till" if number < 2 else "desk", pixels=10 + min(number, 4))
    save_wanted(held.labels, [reading_id(0), reading_id(2)])
    add_labels(held.root, held.labels, LabelFolders(held.images, held.observations))
    return held


def traces(folder: Path, reading: str) -> list[str]:
    """The files that name a reading, or are named by it."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (reading in path.name or reading.encode() in path.read_bytes())
    ]


def test_nothing_is_left_of_a_reading_and_all_of_the_others(held: Held, tmp_path: Path) -> None:
    others = {reading_id(number): traces(tmp_path, reading_id(number)) for number in range(1, 6)}
    samples = len(list((held.root / "data/raw/labels/images").iterdir()))
    assert len(traces(tmp_path, reading_id(0))) >= 7
    assert forget([reading_id(0)], held) == Forgotten(1, 1, 1, 1, 1, 1, 1)
    assert traces(tmp_path, reading_id(0)) == []
    assert {name: traces(tmp_path, name) for name in others} == others
    assert len(list((held.root / "data/raw/labels/images").iterdir())) == samples - 1
    assert "text 10" not in (held.root / "data/raw/labels/index.tsv").read_text()
    assert b"corrected 0" not in b"".join(path.read_bytes() for path in (held.corrections / "v1").iterdir())


def test_what_is_left_is_read_as_before_and_a_second_call_finds_nothing(held: Held) -> None:
    forget([reading_id(0)], held)
    window = read_back(held.observations)
    assert (len(window.observations), window.torn) == (5, 0)
    assert len(read_rows(held.labels)) == 5
    assert len(read_corrections(held.corrections)) == 5
    assert load_wanted(held.labels) == {reading_id(2)}
    again = forget([reading_id(0)], held)
    assert again == Forgotten(0, 0, 0, 0, 0, 0, 0)
    assert again.said() == "nothing was held of it"


def test_a_picture_that_another_reading_showed_too_stays_until_its_last_one_goes(held: Held) -> None:
    folder = held.root / "data/raw/labels"
    assert forget([reading_id(4)], held).samples == 0
    (row,) = [row for row in read_index(folder) if row.text == "text 14"]
    assert row.readings == (reading_id(5),)
    assert forget([reading_id(5)], held).samples == 1
    assert all(row.text != "text 14" for row in read_index(folder))
    assert sources.listed(held.root)[0].counts["line"] == len(read_index(folder))


def test_a_forgotten_reading_does_not_come_back_with_the_next_version(held: Held) -> None:
    forget([reading_id(0)], held)
    made = add_labels(held.root, held.labels, LabelFolders(held.images, held.observations))[1]
    assert reading_id(0) not in {reading for row in made.rows for reading in row.readings}


def test_the_source_goes_with_its_last_reading(held: Held) -> None:
    forget([reading_id(number) for number in range(6)], held)
    assert sources.listed(held.root) == []
    assert not (held.root / "data/raw/labels").exists()


def test_a_row_that_is_written_while_another_is_forgotten_stays(tmp_path: Path) -> None:
    """The writer has the file open, as a service has, and goes on in it."""
    path = tmp_path / "v1/20261129T10-1.jsonl"
    path.parent.mkdir()
    with path.open("a") as file:
        for number in range(3):
            file.write(json.dumps({"reading_id": reading_id(number), "text": "ä"}) + "\n")
        file.flush()
        assert forget_rows(tmp_path, [reading_id(1)]) == 1
        file.write(json.dumps({"reading_id": reading_id(3)}) + "\n")
    lines = path.read_text().splitlines()
    assert [json.loads(line)["reading_id"] for line in lines if line.strip()] == [reading_id(n) for n in (0, 2, 3)]


@pytest.mark.parametrize("wrong", ["", "../../etc/passwd", "20261129T10", "*"])
def test_what_is_no_reading_is_refused_and_deletes_nothing(held: Held, tmp_path: Path, wrong: str) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DataError, match="is no reading id"):
        forget([reading_id(0), wrong], held)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_all_that_is_held_of_a_channel_is_handed_over_and_nothing_of_others(held: Held, tmp_path: Path) -> None:
    out = tmp_path / "out"
    counts = export_channel("till", held, out)
    assert counts == {"observations": 2, "labels": 2, "corrections": 2, "shadow": 2, "images": 2, "samples": 2}
    assert {path.stem for path in (out / "images").iterdir()} == {reading_id(0), reading_id(1)}
    text = "".join(path.read_text() for path in out.glob("*.jsonl")) + (out / "samples/index.tsv").read_text()
    assert all((reading_id(number) in text) == (number < 2) for number in range(6))
    with pytest.raises(DataError, match="is there already"):
        export_channel("till", held, out)


def test_a_channel_of_which_nothing_is_held_is_said(held: Held, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing is held of channel 'nowhere'"):
        export_channel("nowhere", held, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_whole_channel_is_forgotten_by_the_readings_it_has(held: Held) -> None:
    forget(readings_of("till", held), held)
    assert readings_of("till", held) == []
    assert len(readings_of("desk", held)) == 4


def test_labels_are_deleted_after_their_retention(tmp_path: Path) -> None:
    log = LabelLog(tmp_path, worker="1", retention_days=10)
    for day in (0, 5, 11, 12):
        log.append(Label(AT + day * DAY, reading_id(day), "ann", "text", "a"))
    assert [row.reading_id for row in read_rows(tmp_path)] == [reading_id(day) for day in (5, 11, 12)]


def test_labels_are_kept_where_none_would_be_left_for_the_clock_may_have_jumped(tmp_path: Path) -> None:
    LabelLog(tmp_path, worker="1").append(Label(AT, reading_id(0), "ann", "text", "a"))
    delete_old(tmp_path / "v1", today="20990101", oldest="20981201")
    assert len(read_rows(tmp_path)) == 1
