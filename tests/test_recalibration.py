"""Confidence refitted for one deployment: the fit, the gate, the undo, and a service that follows."""

import errno
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from findings import START
from test_monitor import logged, usual
from test_monitor_labels import READ, named
from typer.testing import CliRunner

from legible.cli import app
from legible.drift.labelled import LabelledReading
from legible.drift.refit import FOLDS, HeldOutScores, Refit, fit_line, folds_of, refit
from legible.errors import BundleError, DataError, SettingsError
from legible.labelling.labels import Label, LabelLog
from legible.monitoring.recalibrate import recalibrate
from legible.observations.row import Observation
from legible.reading import Alternative, Reading
from legible.recognition.named_bundles import folder_of_model
from legible.recognition.recalibration import FILE, FORMER, SAME, ConfidenceLine, LiveRecalibration, Recalibration, undo

TOO_SURE = ConfidenceLine(-1.0, 0.6)
"""The truth of a deployment where the bundle is too sure of itself."""
MADE = Recalibration("b", START, 200, plain=TOO_SURE)


def drawn(count: int, truth: ConfidenceLine, *, seed: int = 1) -> list[LabelledReading]:
    """Readings of all confidences, right by what is true here."""
    rng = np.random.default_rng(seed)
    given = rng.beta(4, 1, count).clip(0.01, 0.999)
    right = [bool(rng.random() < truth(float(one))) for one in given]
    return [LabelledReading(float(one), is_right) for one, is_right in zip(given, right, strict=True)]


def test_a_line_moves_the_odds() -> None:
    assert ConfidenceLine(bias=-1.0)(0.9) == pytest.approx(9 / (9 + math.e))
    assert SAME(0.123456) == 0.123456
    assert TOO_SURE(0.0) == 0.0
    assert TOO_SURE(1.0) < 1.0
    given = np.linspace(0.01, 0.99, 50).tolist()
    assert sorted(map(TOO_SURE, given)) == list(map(TOO_SURE, given))


def test_a_fit_finds_what_is_true_here() -> None:
    labels = drawn(20_000, TOO_SURE)
    line = fit_line(np.asarray([one.confidence for one in labels]), np.asarray([float(one.is_right) for one in labels]))
    assert line.bias == pytest.approx(TOO_SURE.bias, abs=0.1)
    assert line.odds == pytest.approx(TOO_SURE.odds, abs=0.05)


def test_few_labels_move_confidence_little() -> None:
    line = fit_line(np.asarray([0.9, 0.9, 0.8]), np.asarray([1.0, 0.0, 1.0]))
    assert abs(line.bias) < 0.5
    assert abs(line.odds - 1) < 0.5


def test_confidence_that_tells_nothing_is_refused() -> None:
    given = np.linspace(0.05, 0.95, 400)
    with pytest.raises(DataError, match="not more often right here"):
        fit_line(given, (given < 0.5).astype(float))


@pytest.mark.parametrize("seed", range(3))
def test_a_bundle_that_is_too_sure_is_mended_on_labels_that_the_fit_has_not_seen(seed: int) -> None:
    found = refit(drawn(300, TOO_SURE, seed=seed), accept=0.9)
    assert found.faults == ()
    assert found.after.error < 0.5 * found.before.error
    assert found.after.accepted_wrong < found.before.accepted_wrong


def test_a_refit_that_accepts_more_wrong_readings_is_refused() -> None:
    found = refit(drawn(400, ConfidenceLine(1.5, 1.0)), accept=0.9)
    assert any("accepted and wrong rise" in fault and "--accept" in fault for fault in found.faults)


def test_a_refit_whose_held_out_labels_are_worse_calibrated_is_refused() -> None:
    found = Refit(SAME, 100, HeldOutScores(0.02, 50, 1), HeldOutScores(0.03, 50, 1))
    assert found.faults == ("the calibration error rises from 0.020 to 0.030",)


def test_images_of_a_document_are_held_out_together() -> None:
    labels = [LabelledReading(0.5, is_right=True, document=f"document {place % 20}") for place in range(200)]
    folds = folds_of(labels)
    assert all(len(set(folds[document::20])) == 1 for document in range(20))
    assert np.bincount(folds).tolist() == [40] * FOLDS
    assert len(set(folds_of([replace(label, document="") for label in labels])[::20])) > 1


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(DataError, match="99 labels drawn at random, and it takes 100"):
        refit(drawn(99, SAME), accept=0.9)


def rows_of(confidences: Sequence[float], *, lexicon: str = "") -> list[Observation]:
    rows = named(usual(200))[: len(confidences)]
    return [
        replace(row, confidence=own, bundle="b", lexicon=lexicon) for row, own in zip(rows, confidences, strict=True)
    ]


def label(folder: Path, rows: Sequence[Observation], labels: Sequence[LabelledReading], *, how: str = "blind") -> Path:
    log = LabelLog(folder, worker=how)
    for row, one in zip(rows, labels, strict=True):
        log.append(Label(START, row.reading_id, "ann", "text", READ if one.is_right else "other", how))
    return folder


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """A folder with a log and labels of a deployment where the bundle is too sure."""
    labels = drawn(200, TOO_SURE, seed=3)
    rows = rows_of([one.confidence for one in labels])
    logged(tmp_path / "log", rows)
    label(tmp_path / "labels", rows, labels)
    return tmp_path


def test_it_is_made_of_the_log_and_of_labels_drawn_at_random(deployment: Path) -> None:
    outcome = recalibrate(deployment / "log", deployment / "labels", bundle="b", accept=0.9, at=START)
    assert outcome.passed
    assert (outcome.made.bundle, outcome.made.labels) == ("b", 200)
    assert outcome.made.plain.bias < -0.3
    assert outcome.made.lexicon == SAME
    said = "\n".join(outcome.screen())
    assert "plain: 200 labels" in said
    assert "after:  calibration error" in said


def test_labels_of_doubtful_images_and_of_other_bundles_do_not_count(tmp_path: Path) -> None:
    labels = drawn(150, TOO_SURE)
    rows = rows_of([one.confidence for one in labels])
    logged(tmp_path / "log", rows)
    label(tmp_path / "chosen", rows, labels, how="chosen")
    with pytest.raises(DataError, match="0 labels drawn at random of readings by bundle b"):
        recalibrate(tmp_path / "log", tmp_path / "chosen", bundle="b", accept=0.9, at=START)
    label(tmp_path / "blind", rows, labels)
    with pytest.raises(DataError, match="0 labels drawn at random of readings by bundle c"):
        recalibrate(tmp_path / "log", tmp_path / "blind", bundle="c", accept=0.9, at=START)


def test_a_mode_with_few_labels_stays_as_it_is(tmp_path: Path) -> None:
    labels = drawn(180, TOO_SURE, seed=4)
    rows = rows_of([one.confidence for one in labels])
    rows = [*rows[:160], *(replace(row, lexicon="english") for row in rows[160:])]
    logged(tmp_path / "log", rows)
    outcome = recalibrate(tmp_path / "log", label(tmp_path / "labels", rows, labels), bundle="b", accept=0.9, at=START)
    assert outcome.made.lexicon == SAME
    assert "lexicon: 20 labels, and it takes 100; stays as it is" in list(outcome.screen())


def test_one_command_undoes_it(tmp_path: Path) -> None:
    first, second = MADE, replace(MADE, at=START + 1, plain=ConfidenceLine(0.2, 0.9))
    first.save(tmp_path)
    second.save(tmp_path)
    assert Recalibration.load(tmp_path, bundle="b") == second
    command = ["recalibrate", "--undo", "--out", str(tmp_path)]
    assert "the recalibration before holds again" in CliRunner().invoke(app, command).stdout
    assert Recalibration.load(tmp_path, bundle="b") == first
    assert "none holds any more" in CliRunner().invoke(app, command).stdout
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BundleError, match="nothing to undo"):
        undo(tmp_path)


def test_an_undo_puts_back_none_of_another_bundle_and_the_service_reads_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was put back, a service refused it and went on with the one that was undone, and did not start again."""
    clock = Clock()
    MADE.save(tmp_path)
    replace(MADE, bundle="c").save(tmp_path)
    live = LiveRecalibration(tmp_path, bundle="c", clock=clock)
    (tmp_path / FORMER).write_bytes((tmp_path / FILE).read_bytes().replace(b'"c"', b'"b"'))  # of an earlier legible
    assert "none holds any more" in CliRunner().invoke(app, ["recalibrate", "--undo", "--out", str(tmp_path)]).stdout
    clock.now = 2.0
    assert live.of_reading(Reading("cat", 0.9, ()), with_lexicon=False).confidence == 0.9
    assert caplog.text == ""
    LiveRecalibration(tmp_path, bundle="c")


def test_a_recalibration_of_another_bundle_or_a_damaged_one_is_no_former_one(tmp_path: Path) -> None:
    MADE.save(tmp_path)
    replace(MADE, bundle="c").save(tmp_path)
    assert not (tmp_path / FORMER).exists()
    (tmp_path / FILE).write_text("{")
    MADE.save(tmp_path)
    assert not (tmp_path / FORMER).exists()


def test_an_undo_puts_back_no_damaged_one(tmp_path: Path) -> None:
    MADE.save(tmp_path)
    MADE.save(tmp_path)
    (tmp_path / FORMER).write_text("{")
    assert undo(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("bias", "odds"), [(1e308, 1.0), (-101.0, 1.0), (0.0, 1e308), (0.0, 0.0), (True, 1.0)])
def test_a_line_that_no_refit_makes_is_refused(tmp_path: Path, bias: float, odds: float) -> None:
    replace(MADE, plain=ConfidenceLine(bias, odds)).save(tmp_path)
    with pytest.raises(BundleError, match="damaged recalibration"):
        Recalibration.load(tmp_path, bundle="b")


@contextmanager
def failing_after(steps: int) -> Iterator[None]:
    """Lets so many files be renamed into their place; the next fails, as on a full disk."""
    left = iter(range(steps))

    def until_full(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any) -> Any:
            if next(left, None) is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*given)

        return run

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", until_full(Path.rename))
        patch.setattr(Path, "replace", until_full(Path.replace))
        yield


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_where_writing_fails_the_former_goes_on_and_can_be_undone(tmp_path: Path, steps: int) -> None:
    second = replace(MADE, at=START + 1)
    MADE.save(tmp_path)
    expected = second if steps == 2 else MADE
    with suppress(OSError), failing_after(steps):
        second.save(tmp_path)
    assert Recalibration.load(tmp_path, bundle="b") == expected
    while (tmp_path / FORMER).exists():
        assert undo(tmp_path)
        assert Recalibration.load(tmp_path, bundle="b") == MADE
    assert not undo(tmp_path)


def test_an_undo_takes_up_a_former_one_that_stands_alone(tmp_path: Path) -> None:
    MADE.save(tmp_path)
    (tmp_path / FILE).rename(tmp_path / FORMER)
    assert undo(tmp_path)
    assert Recalibration.load(tmp_path, bundle="b") == MADE


@pytest.mark.parametrize("field", ["bias", "odds", "at"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_not_finite_is_refused(tmp_path: Path, field: str, number: str) -> None:
    MADE.save(tmp_path)
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(re.sub(f'"{field}": [-0-9.e]+', f'"{field}": {number}', text, count=1))
    with pytest.raises(BundleError, match=rf"damaged recalibration \({field} is "):
        LiveRecalibration(tmp_path, bundle="b")


def test_what_is_no_regular_file_is_refused_and_a_service_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, reading = Clock(), Reading("cat", 0.9, ())
    MADE.save(tmp_path)
    live = LiveRecalibration(tmp_path, bundle="b", clock=clock)
    for make in (
        os.mkfifo,
        Path.mkdir,
        lambda path: path.symlink_to(path),
        lambda path: path.write_bytes(b" " * 10**6),
    ):
        (tmp_path / FILE).rename(tmp_path / f"recalibration-{clock.now}")
        make(tmp_path / FILE)
        clock.now += 2
        assert live.of_reading(reading, with_lexicon=False).confidence == pytest.approx(TOO_SURE(0.9))
    assert "no regular file; delete it" in caplog.text
    assert "more than 100000 bytes" in caplog.text


def test_alternatives_share_what_is_left() -> None:
    reading = Reading("cat", 0.9, (), (Alternative("cut", 0.06), Alternative("oat", 0.02)))
    made = MADE.of_reading(reading, with_lexicon=False)
    assert made.confidence == pytest.approx(TOO_SURE(0.9))
    given = [one.confidence for one in made.alternatives]
    assert given[0] / given[1] == pytest.approx(3)
    assert sum(given) / (1 - made.confidence) == pytest.approx(0.8)
    assert MADE.of_reading(reading, with_lexicon=True) is reading


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_service_follows_what_is_made_and_undone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, reading = Clock(), Reading("cat", 0.9, ())
    live = LiveRecalibration(tmp_path, bundle="b", clock=clock)

    def answered() -> float:
        clock.now += 2
        return live.of_reading(reading, with_lexicon=False).confidence

    assert answered() == 0.9
    MADE.save(tmp_path)
    assert answered() == pytest.approx(TOO_SURE(0.9))
    (tmp_path / FILE).write_text("{")
    assert answered() == pytest.approx(TOO_SURE(0.9))
    assert "the former recalibration goes on" in caplog.text
    (tmp_path / FILE).unlink()
    assert answered() == 0.9


def test_a_service_looks_once_a_second_at_most(tmp_path: Path) -> None:
    clock, reading = Clock(), Reading("cat", 0.9, ())
    live = LiveRecalibration(tmp_path, bundle="b", clock=clock)
    MADE.save(tmp_path)
    clock.now = 0.5
    assert live.of_reading(reading, with_lexicon=False) is reading


def test_a_service_refuses_one_of_another_bundle_and_a_folder_that_is_missing(tmp_path: Path) -> None:
    MADE.save(tmp_path)
    with pytest.raises(BundleError, match="of bundle b, and c reads; run legible recalibrate again"):
        LiveRecalibration(tmp_path, bundle="c")
    with pytest.raises(SettingsError, match="missing is no folder; make it"):
        LiveRecalibration(tmp_path / "missing", bundle="b")


def test_each_model_has_a_folder_of_its_own() -> None:
    assert folder_of_model("here", "digits") == "here"
    assert folder_of_model("english=a,digits=b", "digits") == "b"
    assert folder_of_model("english=a", "digits") == ""
