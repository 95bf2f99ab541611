"""Labels: rows that survive a crash, who said what last, and which image comes next for whom."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from legible.errors import DataError
from legible.labelling.desk import LabelDesk, LabelRefusedError, Seen
from legible.labelling.disputes import Disputes
from legible.labelling.drawn import drawn_labels
from legible.labelling.labels import MAX_LENGTH, Label, LabelBook, LabelLog, faults_of, read_rows
from legible.observations.chance import is_at_random
from legible.observations.forget import Unreached, forget_rows
from legible.observations.page_row import PageObservation
from legible.observations.row import Observation
from legible.observations.shadow import ShadowRow

IDS = [f"20261129T10-7-{number:012x}" for number in range(40)]
BLIND = [name for name in IDS if is_at_random(name, kept=1.0)]
CHOSEN = [name for name in IDS if not is_at_random(name, kept=1.0)]


def said(reading_id: str, labeller: str = "ann", verdict: str = "text", text: str = "a", at: float = 0.0) -> Label:
    return Label(at, reading_id, labeller, verdict, text if verdict == "text" else "")  # type: ignore[arg-type]


def desk(folder: Path, names: list[str], *, worker: str = "1", shadow: Path | None = None) -> LabelDesk:
    """A desk over kept images whose confidence rises with their place."""
    for name in names:
        path = folder / "images/v1/20261129T10" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
    places = {name: place for place, name in enumerate(names)}
    made = LabelDesk(
        images=folder / "images",
        labels=folder / "labels",
        worker=worker,
        see=lambda path: Seen(
            f"read {path.stem[-2:]}", places[path.stem] / 100, unusual=places[path.stem], bundle="0123456789ab"
        ),
        shadow=shadow,
    )
    made.refresh(limit=1000)
    return made


def label_next(at_desk: LabelDesk, labeller: str, text: str = "a", at: float = 1.0) -> str:
    item = at_desk.next(labeller)
    assert item is not None
    at_desk.label(
        labeller=labeller, reading_id=item.reading_id, verdict="text", text=text, revision=item.revision, at=at
    )
    return item.reading_id


def test_a_label_comes_back_as_it_was_written(tmp_path: Path) -> None:
    label = Label(1.5, IDS[0], "ann", "text", "Größe ☃", "blind", "Grösse", 0.5, "0123456789ab")
    LabelLog(tmp_path, worker="7").append(label)
    assert read_rows(tmp_path) == [label]


def test_only_the_owner_can_read_labels(tmp_path: Path) -> None:
    LabelLog(tmp_path, worker="7").append(said(IDS[0]))
    (path,) = (tmp_path / "v1").glob("*")
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", [1, 20, -3])
def test_a_row_that_a_kill_cut_off_costs_itself_alone(tmp_path: Path, kept: int) -> None:
    log = LabelLog(tmp_path, worker="7")
    log.append(said(IDS[0]))
    (path,) = (tmp_path / "v1").glob("*")
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:kept])
    log.append(said(IDS[1]))
    assert [row.reading_id for row in read_rows(tmp_path)] == [IDS[0], IDS[1]]


@pytest.mark.parametrize("line", ["{}", "[]", "null", '{"version": 2}', '{"version": 1, "at": 1}', "\x00", "{" * 5000])
def test_rows_that_are_none_are_left_out(tmp_path: Path, line: str) -> None:
    LabelLog(tmp_path, worker="7").append(said(IDS[0]))
    (path,) = (tmp_path / "v1").glob("*")
    path.write_text(line + "\n" + path.read_text())
    assert len(read_rows(tmp_path)) == 1


def test_a_row_with_half_a_character_which_no_label_is_written_with_is_left_out(tmp_path: Path) -> None:
    LabelLog(tmp_path, worker="7").append(said(IDS[0]))
    (path,) = (tmp_path / "v1").glob("*")
    half = said(IDS[1], text="half").to_json().replace('"half"', '"\\ud800"')
    path.write_text(half + "\n" + path.read_text())
    assert [row.reading_id for row in read_rows(tmp_path)] == [IDS[0]]


def test_a_folder_without_labels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="LEGIBLE_LABELS_FOLDER"):
        read_rows(tmp_path)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"text": "x" * (MAX_LENGTH + 1)}, "1001 characters"),
        ({"text": "a\x07b"}, r"U\+0007"),
        ({"text": "\ud800"}, r"U\+D800"),
        ({"text": "a\nb"}, r"U\+000A"),
        ({"text": " a"}, "begins or ends with a space"),
        ({"text": "  "}, "the text is empty"),
        ({"verdict": "maybe"}, "known: text, unreadable"),
        ({"verdict": "skip"}, "skip has no text"),
        ({"reading_id": "../../etc"}, "no reading id"),
        ({"labeller": "a b"}, "no name"),
    ],
)
def test_what_is_wrong_with_a_label_is_said(changes: dict[str, str], fault: str) -> None:
    sent = {"reading_id": IDS[0], "labeller": "ann", "verdict": "text", "text": "a", **changes}
    with pytest.raises(AssertionError, match=fault):
        assert not faults_of(**sent), faults_of(**sent)


def test_a_text_of_any_script_is_kept() -> None:
    assert faults_of(IDS[0], "ann", "text", "Ünï 漢字 ☃ a b") == []


def test_the_last_label_of_each_labeller_holds() -> None:
    book = LabelBook.of([said(IDS[0], text="a"), said(IDS[0], "ben", text="b"), said(IDS[0], text="c")])
    assert {who: label.text for (_, who), label in book.labels.items()} == {"ann": "c", "ben": "b"}


def test_an_undo_brings_back_what_was_before() -> None:
    rows = [said(IDS[0], text="a"), said(IDS[0], text="b"), said(IDS[0], verdict="undo")]
    assert LabelBook.of(rows).labels[IDS[0], "ann"].text == "a"
    assert LabelBook.of([*rows, said(IDS[0], verdict="undo")]).labels == {}


def test_agreement_counts_images_that_two_decided() -> None:
    rows = [said(IDS[0]), said(IDS[0], "ben"), said(IDS[1]), said(IDS[1], "ben", text="b"), said(IDS[2])]
    assert LabelBook.of([*rows, said(IDS[2], "ben", "skip")]).agreed() == (2, 1)


def test_the_least_confident_and_the_most_unusual_come_in_turn(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:6])
    assert [label_next(at_desk, "ann") for _ in range(4)] == [CHOSEN[0], CHOSEN[5], CHOSEN[1], CHOSEN[4]]


def test_every_tenth_image_is_blind_and_the_same_for_all(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, IDS)
    mine = [label_next(at_desk, "ann") for _ in range(20)]
    others = [label_next(at_desk, "ben") for _ in range(12)]
    assert [is_at_random(name, kept=1.0) for name in mine].count(True) == 2
    assert mine[9] == others[9]
    assert not {name for name in mine if not is_at_random(name, kept=1.0)} & set(others)


def test_a_skipped_image_is_left_for_others(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:1])
    at_desk.label(labeller="ann", reading_id=CHOSEN[0], verdict="skip", text="", revision=0, at=1.0)
    assert at_desk.next("ann") is None
    assert label_next(at_desk, "ben") == CHOSEN[0]
    assert at_desk.next("cid") is None


def test_a_label_of_what_was_labelled_meanwhile_is_stale(tmp_path: Path) -> None:
    mine, theirs = desk(tmp_path, CHOSEN[:1], worker="1"), desk(tmp_path, CHOSEN[:1], worker="2")
    item = mine.next("ann")
    assert item is not None
    label_next(theirs, "ben")
    with pytest.raises(LabelRefusedError, match="meanwhile") as refused:
        mine.label(labeller="ann", reading_id=item.reading_id, verdict="text", text="b", revision=0, at=2.0)
    assert refused.value.status == 409


def test_the_same_label_sent_twice_is_kept_once(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, BLIND[:1])
    name = label_next(at_desk, "ann")
    with pytest.raises(LabelRefusedError):
        at_desk.label(labeller="ann", reading_id=name, verdict="text", text="a", revision=0, at=1.0)
    assert len(read_rows(tmp_path / "labels")) == 1


def test_an_undo_is_no_verdict_of_an_image(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:1])
    name = label_next(at_desk, "ann")
    with pytest.raises(LabelRefusedError, match="verdict is 'undo'; known: text, unreadable, not_text, skip"):
        at_desk.label(labeller="ann", reading_id=name, verdict="undo", text="", revision=1, at=2.0)
    assert len(read_rows(tmp_path / "labels")) == 1


def test_undo_returns_the_image_with_nothing_said_of_it(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:2])
    name = label_next(at_desk, "ann", text="typed")
    item = at_desk.undo("ann", at=2.0)
    assert (item.reading_id, item.label, item.revision) == (name, None, 0)
    with pytest.raises(LabelRefusedError, match="nothing to undo"):
        at_desk.undo("ann", at=3.0)


def test_an_undo_that_is_sent_twice_takes_one_label_back(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:3])
    for turn in range(2):
        label_next(at_desk, "ann", at=float(turn))
    at_desk.undo("ann", at=3.0, own=2)
    with pytest.raises(LabelRefusedError, match="you have 1 labels by now, and not 2; nothing was taken back"):
        at_desk.undo("ann", at=4.0, own=2)
    assert at_desk.progress("ann").own == 1


def test_an_undo_after_a_clock_was_set_back_is_of_the_label_that_was_given_last(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:3])
    first, second = (label_next(at_desk, "ann", at=at) for at in (200.0, 100.0))
    assert at_desk.undo("ann", at=101.0).reading_id == second
    assert {name for name, _ in LabelBook.of(read_rows(tmp_path / "labels")).labels} == {first}


def test_what_is_said_after_a_clock_was_set_back_holds(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:2])
    name = label_next(at_desk, "ann", at=1000.0)
    at_desk.label(labeller="ann", reading_id=name, verdict="text", text="later", revision=1, at=10.0)
    label = at_desk.item(name, "ann").label
    assert label is not None
    assert label.text == "later"
    former = at_desk.undo("ann", at=11.0).label
    assert former is not None
    assert former.text == "a"
    assert at_desk.undo("ann", at=12.0).label is None


def test_an_undo_of_an_image_that_is_kept_no_more_takes_nothing_back(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:3])
    names = [label_next(at_desk, "ann") for _ in range(2)]
    (tmp_path / "images/v1/20261129T10" / f"{names[1]}.png").unlink()
    at_desk.refresh(limit=10)
    for _ in range(2):
        with pytest.raises(LabelRefusedError, match="is kept no more; the label stays") as refused:
            at_desk.undo("ann", at=2.0)
        assert refused.value.status == 409
    assert [row.verdict for row in read_rows(tmp_path / "labels")] == ["text", "text"]


def test_an_image_that_another_process_handed_out_is_known(tmp_path: Path) -> None:
    mine, theirs = desk(tmp_path, CHOSEN[:2], worker="1"), desk(tmp_path, CHOSEN[:2], worker="2")
    del theirs._seen[CHOSEN[0]]  # noqa: SLF001
    theirs.label(labeller="ann", reading_id=CHOSEN[0], verdict="text", text="a", revision=0, at=1.0)
    assert [row.reading_id for row in read_rows(tmp_path / "labels")] == [CHOSEN[0]]
    assert mine.progress("ann").own == 1


def test_images_that_cannot_be_read_are_no_obstacle_to_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    at_desk = desk(tmp_path, CHOSEN[:6])
    at_desk._seen.clear()  # noqa: SLF001
    see = at_desk._see  # noqa: SLF001
    at_desk._see = lambda path: None if path.stem in CHOSEN[:4] else see(path)  # noqa: SLF001
    assert [at_desk.refresh(limit=4) for _ in range(3)] == [2, 0, 0]
    assert at_desk.progress("ann").images == 2
    assert len(caplog.records) == 4
    assert "cannot be read" in caplog.text


def test_a_picture_that_no_reading_is_of_is_not_handed_out(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:1])
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "images/v1/20261129T10/stray.png")
    at_desk.refresh(limit=10)
    assert at_desk.progress("ann").images == 1


def test_what_was_forgotten_meanwhile_is_nobodys_label_any_more(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:2])
    name = label_next(at_desk, "ann")
    assert at_desk.progress("ann").own == 1
    assert forget_rows(tmp_path / "labels", {name}, Unreached()) == 1
    assert at_desk.progress("ann").own == 0


def test_an_image_that_is_not_kept_is_unknown(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:1])
    for call in (lambda: at_desk.item(CHOSEN[1], "ann"), lambda: at_desk.image(CHOSEN[1])):
        with pytest.raises(LabelRefusedError) as refused:
            call()
        assert refused.value.status == 404


def test_progress_counts_what_is_left_for_each(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, [*CHOSEN[:3], BLIND[0]])
    label_next(at_desk, "ann")
    mine, theirs = at_desk.progress("ann"), at_desk.progress("ben")
    assert (mine.images, mine.labelled, mine.left, mine.own) == (4, 1, 3, 1)
    assert (theirs.left, theirs.own) == (3, 0)


def test_new_images_are_looked_at_a_few_at_a_time(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:2])
    for name in CHOSEN[2:6]:
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "images/v1/20261129T10" / f"{name}.png")
    at_desk._see = lambda _: Seen("", 0.0, 0.0, "")  # noqa: SLF001
    assert at_desk.refresh(limit=3) == 1
    assert at_desk.refresh(limit=3) == 0
    assert at_desk.progress("ann").images == 6


def test_new_images_are_looked_at_for_a_while_and_no_longer(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, CHOSEN[:20])
    at_desk._seen.clear()  # noqa: SLF001

    def see(_: Path) -> Seen:
        time.sleep(0.05)
        return Seen("", 0.0, 0.0, "")

    at_desk._see = see  # noqa: SLF001
    left = at_desk.refresh(limit=100, seconds=0.2)
    assert 10 < left < 20
    assert at_desk.progress("ann").images == 20 - left
    assert at_desk.refresh(limit=100, seconds=0.0) == left - 1


def test_rows_say_what_was_shown(tmp_path: Path) -> None:
    label_next(desk(tmp_path, BLIND[:1]), "ann", text="b")
    (path,) = (tmp_path / "labels/v1").glob("*.jsonl")
    row = json.loads(path.read_text())
    assert row["version"] == 1
    assert (row["drawn"], row["text"], row["bundle"]) == ("blind", "b", "0123456789ab")
    assert row["read"].startswith("read ")


def shadowed(reading_id: str, *, agrees: bool) -> str:
    return ShadowRow(1.0, reading_id, "a", "b", agrees, 0.5, 0.5, 1, 2, 0.1, 0.1).to_json() + "\n"


def test_a_row_names_the_bundle_that_read_what_was_shown(tmp_path: Path) -> None:
    at_desk = desk(tmp_path, BLIND[:2])
    for name, bundle in zip(BLIND[:2], ("000000000001", "000000000002"), strict=True):
        at_desk._seen[name] = Seen("a", 0.5, 0.0, bundle)  # noqa: SLF001
    names = [label_next(at_desk, "ann") for _ in range(2)]
    assert {row.reading_id: row.bundle for row in read_rows(tmp_path / "labels")} == {
        BLIND[0]: "000000000001", BLIND[1]: "000000000002"
    }  # fmt: skip
    assert sorted(names) == sorted(BLIND[:2])


def test_the_shadow_log_is_looked_at_once_for_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_desk = desk(tmp_path, CHOSEN[:6])
    for _ in range(2):
        label_next(at_desk, "ann")
    asked = []
    monkeypatch.setattr(Disputes, "readings", lambda _: asked.append(1) or frozenset())
    assert at_desk.next("ann") is not None
    assert len(asked) == 1


def test_every_third_image_is_one_on_which_champion_and_candidate_differ(tmp_path: Path) -> None:
    log = tmp_path / "shadow/v1/20261129T10-1.jsonl"
    log.parent.mkdir(parents=True)
    disputed = CHOSEN[10:12]
    log.write_text("".join(shadowed(name, agrees=name not in disputed) for name in CHOSEN))
    at_desk = desk(tmp_path, CHOSEN, shadow=tmp_path / "shadow")
    handed = [label_next(at_desk, "ann", at=float(turn)) for turn in range(9)]
    assert handed[2] == disputed[0]
    assert handed[5] == disputed[1]
    log.write_text(log.read_text() + shadowed(CHOSEN[20], agrees=False))
    later = [label_next(at_desk, "ann", at=10.0 + turn) for turn in range(3)]
    assert later[2] == CHOSEN[20]


@pytest.mark.parametrize("content", [None, "", "torn\n", '{"version": 99}\n'])
def test_without_a_readable_shadow_log_labelling_goes_on(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "shadow/v1").mkdir(parents=True)
        (tmp_path / "shadow/v1/20261129T10-1.jsonl").write_text(content)
    at_desk = desk(tmp_path, CHOSEN[:4], shadow=tmp_path / "shadow")
    assert {label_next(at_desk, "ann", at=float(turn)) for turn in range(4)} == set(CHOSEN[:4])


def test_labels_of_images_drawn_at_random_are_told_apart_from_chosen_ones(tmp_path: Path) -> None:
    log = LabelLog(tmp_path, worker="1")
    given = [
        Label(1.0, IDS[0], "ann", "text", "one", "blind"),
        Label(2.0, IDS[0], "bob", "text", "two", "blind"),
        Label(3.0, IDS[1], "ann", "not_text", "", "blind"),
        Label(4.0, IDS[2], "ann", "unreadable", "", "blind"),
        Label(5.0, IDS[3], "ann", "text", "four", "chosen"),
        Label(6.0, IDS[4], "ann", "text", "five", ""),
    ]
    for label in given:
        log.append(label)
    drawn = drawn_labels(tmp_path)
    assert drawn.texts == {IDS[0]: "two", IDS[1]: ""}
    assert (drawn.chosen, drawn.unknown, drawn.unreadable) == (1, 1, 1)


def test_only_images_that_were_kept_at_random_are_blind() -> None:
    kept = {name: is_at_random(name, kept=0.5) for name in IDS}
    assert all(is_at_random(name, kept=1.0) for name, is_one in kept.items() if is_one)
    many = [f"20251121T08-7-{number:012x}" for number in range(4000)]
    assert np.mean([is_at_random(name, kept=0.5) for name in many]) == pytest.approx(0.05, abs=0.01)


ROW = Label(1.0, "20261123T12-7-000000000001", "anna", "text", "Hamburg", "blind", "Hamburg", 0.9, "b")
VALUES = (None, True, -1, 1e999, 10**400, "\0", [], {}, [[1]])
"""What stands in the place of a value."""


def odd_rows(row: str) -> list[str]:
    """Rows with each of their values replaced by others, and those that no parser follows to their end."""
    fields = json.loads(row)
    replaced = [json.dumps({**fields, name: value}) for name in fields for value in VALUES]
    return [*replaced, "[" * 100_000, '{"a":' * 100_000, "", "null", row[:40]]


def test_a_row_of_any_content_is_a_label_or_torn(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    for row in odd_rows(ROW.to_json()):
        (tmp_path / "v1/20261123-w.jsonl").write_text(f"{row}\n{ROW.to_json()}\n")
        book = LabelBook.of(read_rows(tmp_path))
        assert ROW in book.labels.values(), row[:200]
        book.agreed()


@pytest.mark.parametrize("parse", [Observation.from_json, ShadowRow.from_json, PageObservation.from_json])
def test_a_row_that_no_parser_follows_to_its_end_is_torn(parse: Callable[[str], object]) -> None:
    for row in ("[" * 100_000, '{"a":' * 100_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            parse(row)


def test_a_number_that_no_float_holds_is_no_observation() -> None:
    row = Observation(at=1.0, channel="", width=9, height=9, length=3, confidence=0.5, statistics={})
    with pytest.raises(ValueError, match="no observation"):
        Observation.from_json(row.to_json().replace("0.5", "1" + 400 * "0"))


def test_twenty_thousand_labels_are_read_in_seconds_and_the_newest_of_each_image_counts(tmp_path: Path) -> None:
    """For each image all labels were gone through: a year of labels took the monitor minutes, every five minutes."""
    names = [f"20261129T10-7-{number:012x}" for number in range(10_000)]
    rows = [said(name, who, text=who, at=at) for name in names for who, at in (("ben", 2.0), ("ann", 1.0))]
    (tmp_path / "v1").mkdir()
    lines = [json.dumps({**json.loads(row.to_json()), "drawn": "blind"}) for row in rows]
    (tmp_path / "v1/20261129-1.jsonl").write_text("\n".join([*lines, ""]))
    started = time.monotonic()
    drawn = drawn_labels(tmp_path)
    assert time.monotonic() - started < 10
    assert drawn.texts == dict.fromkeys(names, "ben")
