"""Labels go to Label Studio and come back, and to index.tsv and back; nothing is written twice or in part."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from legible.data.transcribed import open_transcribed
from legible.errors import DataError
from legible.labelling.exchange import Imported, export_index, export_label_studio, import_labels
from legible.labelling.label_studio import LABELLING_CONFIG, from_tasks, to_tasks
from legible.labelling.labels import Label, LabelBook, LabelLog, LabelVerdict, read_rows

IDS = [f"20261129T10-7-{number:012x}" for number in range(4)]


def said(
    place: int, text: str = "", *, verdict: LabelVerdict = "text", labeller: str = "ann", at: float = 5.0
) -> Label:
    return Label(at, IDS[place], labeller, verdict, text, "chosen", f"read {place}", 0.25, "0123456789ab")


LABELS = [
    said(0, "Größe ☃"),
    said(0, "Grösse ☃", labeller="bob", at=6.0),
    said(1, verdict="unreadable"),
    said(2, verdict="not_text"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = LabelLog(tmp_path / "labels", worker="1")
    for label in LABELS:
        log.append(label)
    for reading_id in IDS:
        path = tmp_path / "images/v1/20261129T10" / f"{reading_id}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 9), np.uint8)).save(path)
    return tmp_path


def exported(folder: Path, *, unlabelled: bool = False) -> list[dict[str, Any]]:
    out = folder / "tasks.json"
    export_label_studio(folder / "labels", folder / "images", out, prefix="x/", unlabelled=unlabelled)
    return json.loads(out.read_text())  # type: ignore[no-any-return]


def book(folder: Path) -> dict[tuple[str, str], tuple[str, str]]:
    return {key: (one.verdict, one.text) for key, one in LabelBook.of(read_rows(folder)).labels.items()}


def test_what_went_to_label_studio_comes_back_the_same() -> None:
    content = json.dumps(to_tasks(LABELS, {})).encode()
    back = {(one.reading_id, one.labeller): (one.at, one.verdict, one.text) for one in from_tasks(content, "tasks")}
    assert back == {(one.reading_id, one.labeller): (one.at, one.verdict, one.text) for one in LABELS}


def test_a_task_names_its_image_its_reading_and_what_the_model_read(folder: Path) -> None:
    task = exported(folder)[0]
    assert task["data"] == {"image": f"x/{IDS[0]}.png", "reading_id": IDS[0], "read": "read 0"}
    assert task["predictions"][0]["score"] == 0.25
    assert task["predictions"][0]["model_version"] == "0123456789ab"
    for name in ("transcription", "verdict"):
        assert f'name="{name}"' in LABELLING_CONFIG


def test_images_without_a_label_are_tasks_where_asked_for(folder: Path) -> None:
    assert len(exported(folder)) == 3
    more = exported(folder, unlabelled=True)
    assert [len(task["annotations"]) for task in more] == [2, 1, 1, 0]


def test_an_import_into_an_empty_folder_is_whole_and_a_second_adds_nothing(folder: Path, tmp_path: Path) -> None:
    exported(folder)
    other = tmp_path / "other"
    assert import_labels(folder / "tasks.json", other, labeller="x", at=9.0) == Imported(4, 0)
    assert book(other) == book(folder / "labels")
    assert import_labels(folder / "tasks.json", other, labeller="x", at=9.0) == Imported(0, 4)


def label_studio_task(**annotation: Any) -> bytes:
    """A task as Label Studio exports one: a number for the annotator, an uploaded image under another name."""
    result = {"from_name": "transcription", "to_name": "image", "type": "textarea", "value": {"text": ["seven"]}}
    whole = {"completed_by": 3, "created_at": "2026-11-29T10:00:00.5Z", "result": [result], **annotation}
    return json.dumps([{"data": {"image": f"/data/upload/1/8ac2-{IDS[3]}.png"}, "annotations": [whole]}]).encode()


def test_an_uploaded_image_is_found_by_the_reading_in_its_name() -> None:
    (label,) = from_tasks(label_studio_task(), "x")
    assert (label.reading_id, label.labeller, label.text, label.at) == (IDS[3], "label-studio-3", "seven", 1795946400.5)


@pytest.mark.parametrize("annotation", [{"was_cancelled": True}, {"result": []}])
def test_a_skipped_task_has_no_label(annotation: dict[str, Any]) -> None:
    assert from_tasks(label_studio_task(**annotation), "x") == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "no JSON"),
        (b"{}", "no list of tasks"),
        (b"[1]", "task 1 cannot be understood"),
        (b'[{"data": {"image": "cat.png"}, "annotations": [{"result": [{"type": "textarea"}]}]}]', "task 1"),
        (label_studio_task(created_at="yesterday"), "task 1"),
        (label_studio_task().replace(IDS[3].encode(), b"cat"), "no reading id in '/data/upload/1/8ac2-cat.png'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_export_is_refused_in_one_line(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        from_tasks(content, "tasks.json")


def test_nothing_is_imported_where_one_label_cannot_be_kept(folder: Path, tmp_path: Path) -> None:
    tasks = [*exported(folder), json.loads(label_studio_task())[0]]
    tasks[-1]["annotations"][0]["result"][0]["value"]["text"] = ["a\x00b"]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    with pytest.raises(DataError, match=rf"{IDS[3]}: the text holds control characters.*nothing was imported"):
        import_labels(folder / "tasks.json", tmp_path / "other", labeller="x", at=9.0)
    assert not (tmp_path / "other").exists()


def test_a_queue_that_was_filled_in_becomes_labels_and_rows_without_a_text_do_not(folder: Path, tmp_path: Path) -> None:
    table = f"path\ttext\tread\nimages/{IDS[3]}.png\tseven\tx\nimages/{IDS[1]}.png\t\ty\n"
    (tmp_path / "index.tsv").write_text(table)
    assert import_labels(tmp_path / "index.tsv", folder / "labels", labeller="eve", at=9.0) == Imported(1, 0)
    assert book(folder / "labels")[IDS[3], "eve"] == ("text", "seven")


@pytest.mark.parametrize(
    ("table", "said"),
    [("a\tb\n", "columns path and text"), ("path\ttext\ncat.png\tcat\n", "line 2 names no reading")],
)
def test_a_table_that_is_no_queue_is_refused(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "index.tsv").write_text(table)
    with pytest.raises(DataError, match=said):
        import_labels(tmp_path / "index.tsv", tmp_path / "labels", labeller="eve", at=9.0)


def test_an_exported_folder_holds_each_image_once_with_the_text_that_was_agreed_on(folder: Path) -> None:
    LabelLog(folder / "labels", worker="1").append(said(0, "Größe ☃", labeller="eve", at=7.0))
    LabelLog(folder / "labels", worker="1").append(said(3, "three", at=7.0))
    assert export_index(folder / "labels", folder / "images", folder / "out") == 2
    rows = open_transcribed(folder / "out").rows
    assert [(row.path, row.text) for row in rows] == [
        (f"images/{IDS[0]}.png", "Größe ☃"),
        (f"images/{IDS[3]}.png", "three"),
    ]
    assert all((folder / "out" / row.path).is_file() for row in rows)
    with pytest.raises(DataError, match="is there already"):
        export_index(folder / "labels", folder / "images", folder / "out")


def annotated(*annotations: tuple[str, float]) -> str:
    """An export in which `ann@example.org` gave one image these texts at these times."""
    rows = [
        {
            "completed_by": {"email": "ann@example.org"},
            "updated_at": f"2026-11-29T10:00:{at:06.3f}Z",
            "result": [{"type": "textarea", "value": {"text": text}}],
        }
        for text, at in annotations
    ]
    return json.dumps([{"data": {"image": f"{IDS[0]}.png"}, "annotations": rows}])


def test_an_export_that_is_older_than_what_was_said_since_takes_nothing_back(tmp_path: Path) -> None:
    log, tasks = LabelLog(tmp_path / "labels", worker="1"), tmp_path / "tasks.json"
    log.append(said(0, "old"))
    log.append(said(1, "mistaken"))
    export_label_studio(tmp_path / "labels", tmp_path / "images", tasks, prefix="", unlabelled=False)
    log.append(said(0, "new", at=6.0))
    log.append(said(1, verdict="undo", at=6.0))
    assert import_labels(tasks, tmp_path / "labels", labeller="x", at=9.0) == Imported(0, 2)
    assert book(tmp_path / "labels") == {(IDS[0], "ann"): ("text", "new")}


def test_of_several_annotations_of_one_person_the_last_holds_however_often_they_are_imported(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(annotated(("second", 2.0), ("first", 1.0)))
    for added in (1, 0, 0):
        assert import_labels(tmp_path / "tasks.json", tmp_path, labeller="x", at=9.0).added == added
        assert book(tmp_path) == {(IDS[0], "ann"): ("text", "second")}
    (tmp_path / "tasks.json").write_text(annotated(("first", 3.0)))
    assert import_labels(tmp_path / "tasks.json", tmp_path, labeller="x", at=9.0) == Imported(1, 0)
    assert book(tmp_path) == {(IDS[0], "ann"): ("text", "first")}


def test_of_imports_at_once_one_alone_adds_a_label(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_slowly(place: Path) -> list[Label]:
        rows = read_rows(place)
        time.sleep(0.2)
        return rows

    monkeypatch.setattr("legible.labelling.exchange.read_rows", read_slowly)
    exported(folder)
    other = tmp_path / "other"
    LabelLog(other, worker="1").append(said(3))
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: import_labels(folder / "tasks.json", other, labeller="x", at=9.0), range(4)))
    assert sum(one.added for one in done) == len(read_rows(other)) - 1 == 4
