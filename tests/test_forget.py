"""Forgetting: nothing is left of a reading anywhere, and all of the others; a channel is handed over."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from conftest import PROJECT
from kills import KilledError
from PIL import Image
from reference_rows import MONDAY, rows_like
from typer.testing import CliRunner

from legible.cli import app
from legible.data import sources
from legible.errors import DataError
from legible.files import sha256_of
from legible.labelling.add_labels import add_labels
from legible.labelling.forget import Forgotten, Held, forget
from legible.labelling.held import export_channel, readings_of
from legible.labelling.label_source import LabelFolders, read_index
from legible.labelling.labels import Label, LabelLog, delete_old, read_rows
from legible.labelling.wanted import load_wanted, save_wanted
from legible.monitoring.check import Standard
from legible.monitoring.compact import compact
from legible.observations.corrections import Correction, read_corrections
from legible.observations.forget import Unreached, blank_rows, forget_rows
from legible.observations.forget_stored import forget_stored
from legible.observations.layout import hour
from legible.observations.row import observe
from legible.observations.sending import ParquetDestination
from legible.observations.shadow import ShadowRow
from legible.observations.window import read_back
from legible.reading import Reading
from legible.stores import LocalStore

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


def test_a_row_that_a_full_disk_has_torn_is_forgotten(held: Held) -> None:
    name, other = reading_id(0), reading_id(1)
    torn = {
        held.corrections: Correction(AT, name, f'private "reading_id": "{other}"').to_json()[:-3],
        held.labels: Label(AT, name, "ann", "text", "private").to_json().partition(', "drawn"')[0],
    }
    for folder, line in torn.items():
        assert "private" in line
        (folder / "v1" / f"{hour(AT)}-2.jsonl").write_text(line)
    done = forget([name], held)
    assert (done.labels, done.corrections) == (2, 2)
    assert not any(b"private" in path.read_bytes() for folder in torn for path in (folder / "v1").iterdir())


def test_an_image_that_a_kill_left_before_it_had_its_name_is_forgotten(held: Held) -> None:
    whole = held.images / "v1" / hour(AT) / f"{reading_id(0)}.png"
    left = whole.rename(whole.with_name(f".{whole.name}.new"))
    assert forget([reading_id(0)], held).images == 1
    assert not left.exists()


@pytest.mark.parametrize("killed_at", ["add", "copytree", "write_list"])
def test_what_a_killed_first_command_made_of_labels_is_forgotten(held: Held, tmp_path: Path, killed_at: str) -> None:
    """A folder that was not listed yet, and a scratch folder elsewhere, kept pictures and texts for ever."""
    shutil.rmtree(held.root / "data")
    place = "legible.labelling.add_labels.add" if killed_at == "add" else f"legible.data.sources.{killed_at}"
    end = f"import {place.rpartition('.')[0]} as m; import os; {'m.shutil' if killed_at == 'copytree' else 'm'}"
    code = f"""{end}.{killed_at} = lambda *a, **k: os.kill(os.getpid(), 9)
from pathlib import Path
from legible.labelling.label_source import LabelFolders
m2 = __import__("legible.labelling.add_labels", fromlist=["add_labels"])
m2.add_labels(Path("project"), Path("labels"), LabelFolders(Path("images"), Path("observations")))"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"TMPDIR": str(tmp_path)}, check=False)
    assert [path for path in tmp_path.rglob("index.tsv") if b"text 10" in path.read_bytes()]
    forget([reading_id(0)], held)
    assert not [path for path in tmp_path.rglob("index.tsv") if b"text 10" in path.read_bytes()]
    assert not list(held.root.glob("data/.*.new"))


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
        assert forget_rows(tmp_path, [reading_id(1)], Unreached()) == 1
        file.write(json.dumps({"reading_id": reading_id(3)}) + "\n")
    lines = path.read_text().splitlines()
    assert [json.loads(line)["reading_id"] for line in lines if line.strip()] == [reading_id(n) for n in (0, 2, 3)]


@pytest.mark.parametrize("wrong", ["", "../../etc/passwd", "20261129T10", "*", "20261399T10-1-00000000002a"])
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


@contextmanager
def cut_off_after(steps: int) -> Iterator[None]:
    """Lets so many deletions and replacements of files pass; raises KilledError at the next."""
    left = iter(range(steps))

    def until_cut_off(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **named: Any) -> Any:
            if next(left, None) is None:
                raise KilledError
            return call(*given, **named)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "unlink", until_cut_off(Path.unlink))
        patch.setattr(Path, "rename", until_cut_off(Path.rename))
        patch.setattr(shutil, "rmtree", until_cut_off(shutil.rmtree))
        patch.setattr("legible.observations.forget.blank_rows", until_cut_off(blank_rows))
        patch.setattr("legible.observations.forget_stored.blank_rows", until_cut_off(blank_rows))
        patch.setattr("legible.stores.LocalStore.write", until_cut_off(LocalStore.write))
        yield


@pytest.mark.parametrize("found_by", ["observations", "store", "samples", "all"])
def test_a_channel_that_was_forgotten_in_part_is_forgotten_by_the_same_command_again(
    with_store: Held, tmp_path: Path, found_by: str
) -> None:
    """It is cut off at each step, whatever it is that names the channel's readings."""
    if found_by in {"store", "all"}:
        stored(with_store, [0, 1])
    else:
        with_store = replace(with_store, store="")
    if found_by not in {"samples", "all"}:
        shutil.rmtree(with_store.root)
    if found_by not in {"observations", "all"}:
        shutil.rmtree(with_store.observations)
    if found_by == "samples":  # and the source goes with them
        forget([reading_id(number) for number in range(2, 6)], with_store)
    names = [reading_id(0), reading_id(1)]
    shutil.copytree(tmp_path, before := tmp_path.with_name(f"{tmp_path.name}-before"))
    for steps in itertools.count():
        try:
            with cut_off_after(steps):
                forget(readings_of("till", with_store), with_store)
        except KilledError:
            forget(readings_of("till", with_store), with_store)
            done = False
        else:
            done = True
        assert [traces(tmp_path, name) for name in names] == [[] for _ in names], steps
        for source in sources.listed(with_store.root):
            index = with_store.root / "data/raw" / source.name / "index.tsv"
            assert source.sha256["index.tsv"] == sha256_of(index), steps
        shutil.rmtree(tmp_path)
        shutil.copytree(before, tmp_path)
        if done:
            break
    assert steps > 10


@pytest.mark.parametrize("content", [b"", b"path\ttext\nimages/other.png\t\xe4\xff\n", b"\n\n", b"path\ttext"])
def test_a_queue_whose_table_people_saved_in_another_encoding_stops_nothing(held: Held, content: bytes) -> None:
    index = held.queue / "index.tsv"
    index.write_bytes(content + f"\nimages/{reading_id(0)}.png\t\xe4\n".encode("latin-1") + content)
    assert forget([reading_id(0)], held) == Forgotten(1, 1, 1, 1, 1, 1, 1)
    assert index.read_bytes() == content + b"\n" + content


def test_an_empty_table_of_a_queue_stops_nothing(held: Held) -> None:
    (held.queue / "index.tsv").write_bytes(b"")
    assert forget([reading_id(0)], held) == Forgotten(1, 1, 1, 1, 1, 1, 1)
    assert not (held.queue / f"images/{reading_id(0)}.png").exists()


def test_a_line_separator_in_a_text_of_a_queue_is_no_end_of_a_row(held: Held) -> None:
    index = held.queue / "index.tsv"
    other = f"images/{reading_id(1)}.png\tone\u2028images/{reading_id(0)}.png\n"
    index.write_text(f"path\ttext\nimages/{reading_id(0)}.png\ta\u2028b\n{other}", encoding="utf-8")
    assert forget([reading_id(0)], held).queue == 1
    assert index.read_text(encoding="utf-8") == f"path\ttext\n{other}"


def test_what_stops_one_place_stops_no_other_and_the_observations_stay_for_the_second_call(
    held: Held, tmp_path: Path
) -> None:
    index = held.queue / "index.tsv"
    rows = index.read_text()
    index.write_text(rows, encoding="utf-16")
    wanted, sample = held.labels / "wanted.json", held.root / "data/raw/labels/index.tsv"
    whole = sample.read_text()
    wanted.write_text("{")
    sample.write_text(whole + "images/torn.png\n")
    with pytest.raises(DataError, match="damaged in line 7"):
        export_channel("till", held, tmp_path / "out")
    done = forget(readings_of("till", held), held)
    assert (done.images, done.labels, done.corrections, done.shadow) == (2, 2, 2, 2)
    assert (done.observations, done.samples) == (0, 0)
    first, second, third, last = done.unreached
    assert str(wanted) in first
    assert second.startswith(f"{index}: no table in UTF-8")
    assert third.startswith(f"{sample}: damaged in line 7")
    assert last.startswith("the observations of these readings stay")
    wanted.unlink()
    index.write_text(rows)
    sample.write_text(whole)
    done = forget(readings_of("till", held), held)
    assert (done.queue, done.samples, done.observations, done.unreached) == (2, 2, 2, ())
    assert traces(tmp_path, reading_id(0)) == traces(tmp_path, reading_id(1)) == []


def test_a_log_that_cannot_be_read_is_named_and_the_others_are_forgotten(held: Held) -> None:
    (held.labels / "v1/20261129T10-2.jsonl").mkdir()
    os.mkfifo(held.shadow / "v1/20261129T10-2.jsonl")
    done = forget([reading_id(0)], held)
    assert (done.labels, done.corrections, done.shadow, done.samples) == (1, 1, 1, 1)
    assert [str(place) in said for place, said in zip((held.labels, held.shadow), done.unreached, strict=False)] == [
        True,
        True,
    ]


def stored(held: Held, numbers: list[int], *, file: int = 1) -> Path:
    """Send observations of readings to a store as services do, as Parquet by the hour; return the file."""
    image = np.full((8, 20), 200, np.uint8)
    rows = [
        observe(image, Reading("x", 0.5, ()), channel="till", at=AT, reading_id=reading_id(number), lexicon="english")
        for number in numbers
    ]
    ParquetDestination(held.store, worker="1").send(rows, number=file)
    return Path(held.store) / f"v1/hour={hour(AT)}/1-{file:06}.parquet"


@pytest.fixture
def with_store(held: Held, tmp_path: Path) -> Held:
    return replace(held, store=str(tmp_path / "store"))


def test_a_process_of_its_own_reaches_a_store(with_store: Held, tmp_path: Path) -> None:
    stored(with_store, [0, 1, 2])
    places = ["--store", with_store.store, "--root", str(tmp_path / "none")]
    for given, count in (["forget", reading_id(0)], 1), (["forget", "--channel", "till"], 2):
        command = [sys.executable, "-m", "legible", *given, *places]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path / "queue", check=False)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", f"deleted: {count} stored\n")


def test_a_store_loses_the_rows_of_a_reading_and_no_others(with_store: Held) -> None:
    first, second, third = (stored(with_store, some, file=n) for n, some in enumerate(([0, 1, 2], [0], [3]), start=1))
    untouched, before = third.stat().st_mtime_ns, read_back(with_store.store).observations
    done = forget([reading_id(0)], with_store)
    assert (done.stored, done.unreached) == (2, ())
    assert "2 stored" in done.said()
    left = read_back(with_store.store).observations
    assert left == tuple(row for row in before if row.reading_id != reading_id(0))
    assert {row.lexicon for row in left} == {"english"}
    assert [pyarrow.parquet.read_metadata(path).num_rows for path in (first, second)] == [2, 0]
    assert third.stat().st_mtime_ns == untouched
    assert forget([reading_id(0)], with_store).said() == "nothing was held of it"


def test_summaries_of_the_hour_are_counted_anew_without_the_reading(tmp_path: Path) -> None:
    """Also where a part has no row left."""
    store, summaries = tmp_path / "store", str(tmp_path / "summaries")
    named = rows_like(60, seed=1, seconds=1)
    for number, some in enumerate((named[:-1], named[-1:]), start=1):
        ParquetDestination(str(store), worker="1").send(some, number=number)
    assert compact(store, Standard(PROJECT / "models/bundle"), summaries, at=MONDAY + DAY).images == 60
    assert forget_stored(str(store), [named[-1].reading_id]).rows == 1
    made = compact(store, Standard(PROJECT / "models/bundle"), summaries, at=MONDAY + DAY)
    assert (made.images, made.left_alone) == (59, [])


def test_summaries_of_lines_are_counted_anew_too_and_name_the_reading_no_more(tmp_path: Path) -> None:
    """Rows are blanked in their place, which left a file as long as it was."""
    observations, summaries = tmp_path / "observations", tmp_path / "summaries"
    named = rows_like(60, seed=1, seconds=1)
    log = observations / "v1" / f"{hour(named[0].at)}-1.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("".join(f"{row.to_json()}\n" for row in named))
    compact(observations, Standard(PROJECT / "models/bundle"), str(summaries), at=MONDAY + DAY)
    (path,) = summaries.rglob("*.npz")
    (_, reading), *_ = json.loads(np.load(path)["header"].tobytes())["cells"][0]["unusual"]
    assert forget_rows(observations, [reading], Unreached()) == 1
    made = compact(observations, Standard(PROJECT / "models/bundle"), str(summaries), at=MONDAY + DAY)
    assert (made.images, made.left_alone) == (59, [])
    assert reading.encode() not in np.load(path)["header"].tobytes()


def test_a_row_whose_time_was_rounded_into_the_next_hour_is_found(with_store: Held) -> None:
    begun = AT - AT % 3600 + 3600
    name = f"{hour(begun - 1)}-1-ffff00000000"
    row = observe(np.full((8, 20), 200, np.uint8), Reading("x", 0.5, ()), channel="", at=begun, reading_id=name)
    ParquetDestination(with_store.store, worker="1").send([row], number=1)
    assert forget([name], with_store).stored == 1


def test_rows_as_lines_in_a_store_are_deleted_too(with_store: Held) -> None:
    path = Path(with_store.store) / f"v1/{hour(AT)}-9.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps({"reading_id": reading_id(number)}) + "\n" for number in (0, 1)))
    assert forget([reading_id(0)], with_store).stored == 1
    assert reading_id(0) not in path.read_text()
    assert reading_id(1) in path.read_text()


def test_what_cannot_be_reached_is_told_and_the_rest_is_deleted(with_store: Held) -> None:
    whole, torn = stored(with_store, [0, 1]), stored(with_store, [2], file=2)
    torn.write_bytes(torn.read_bytes()[:-20])
    (whole.parent / "notes.csv").write_text(reading_id(0))
    done = forget([reading_id(0)], replace(with_store, collector="http://collector:4318"))
    assert (done.stored, done.observations) == (1, 1)
    damaged, foreign, collector = done.unreached
    assert damaged.startswith(f"{torn}: damaged observations")
    assert foreign.startswith(f"{whole.parent}/notes.csv: no file that legible writes")
    assert collector.startswith("http://collector:4318: a collector holds what it was sent")


def test_the_command_names_what_it_could_not_reach_and_fails(with_store: Held) -> None:
    options = [part for name in ("observations", "images", "labels", "corrections", "queue", "shadow", "root")
               for part in (f"--{name}", str(getattr(with_store, name)))]  # fmt: skip
    stored(with_store, [0])
    asked = ["forget", reading_id(0), *options, "--store", with_store.store]
    done = CliRunner().invoke(app, [*asked, "--collector", "http://collector:4318"])
    assert done.exit_code == 1
    assert "1 stored" in done.stdout
    assert "not reached: http://collector:4318" in done.stderr
    assert CliRunner().invoke(app, asked).exit_code == 0


def test_a_channel_is_handed_over_and_forgotten_with_what_the_store_alone_holds(
    with_store: Held, tmp_path: Path
) -> None:
    stored(with_store, [0, 1, 9])
    assert export_channel("till", with_store, tmp_path / "out")["observations"] == 3
    assert reading_id(9) in readings_of("till", with_store)
    assert forget(readings_of("till", with_store), with_store).stored == 3
    assert readings_of("till", with_store) == []


def test_labels_are_deleted_after_their_retention(tmp_path: Path) -> None:
    log = LabelLog(tmp_path, worker="1", retention_days=10)
    for day in (0, 5, 11, 12):
        log.append(Label(AT + day * DAY, reading_id(day), "ann", "text", "a"))
    assert [row.reading_id for row in read_rows(tmp_path)] == [reading_id(day) for day in (5, 11, 12)]


def test_labels_are_kept_where_none_would_be_left_for_the_clock_may_have_jumped(tmp_path: Path) -> None:
    LabelLog(tmp_path, worker="1").append(Label(AT, reading_id(0), "ann", "text", "a"))
    delete_old(tmp_path / "v1", today="20990101", oldest="20981201")
    assert len(read_rows(tmp_path)) == 1
