"""The exact match by day, channel and bundle: estimated, and by labels that were drawn at random."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_words import START
from test_monitor import bundle, logged, usual
from test_monitor_labels import READ, labelled
from typer.testing import CliRunner

from legible.cli import app
from legible.drift.accuracy import AccuracyCell, AccuracyCounts, AccuracyGroup, stratified
from legible.drift.labelled import LabelledReading
from legible.monitoring.accuracy import Accuracy, AccuracyLedger, day_of
from legible.monitoring.accuracy_runs import PROJECT, file_accuracy
from legible.monitoring.check import Standard, check
from legible.monitoring.exporter import Exporter
from legible.observations.corrections import Correction
from legible.observations.hours import HourFiles
from legible.observations.layout import hour
from legible.observations.log import RowLog
from legible.observations.row import Observation, check_of
from legible.observations.window import Selection, WindowTally, stream_files

DAY = 86_400


def day_of_readings(images: int, *, right: float, labels: int, rng: np.random.Generator) -> tuple[AccuracyCounts, int]:
    """A day of readings whose confidence is 0.9 whatever they are, some labelled at random; how many are right."""
    is_right = rng.random(images) < right
    counts = AccuracyCounts(images, confidence=0.9 * images, doubt=0.09 * images)
    counts.labelled = [LabelledReading(0.9, bool(is_right[i])) for i in rng.permutation(images)[:labels]]
    return counts, int(is_right.sum())


def days_of(*counts: AccuracyCounts) -> dict[AccuracyCell, AccuracyCounts]:
    return {AccuracyCell(f"2026-11-{day + 1:02}", "default", "b"): one for day, one in enumerate(counts)}


def test_days_count_by_their_images_however_many_labels_each_has() -> None:
    """A quiet day has many labels, a busy one few: the mean of all labels would be 0.83, and the truth is 0.6."""
    rng = np.random.default_rng(1)
    held, found, pooled = 0, [], []
    for _ in range(200):
        (quiet, right), (busy, others) = (
            day_of_readings(1000, right=0.9, labels=200, rng=rng),
            day_of_readings(3000, right=0.5, labels=40, rng=rng),
        )
        made = stratified(days_of(quiet, busy))
        assert made is not None
        truth = (right + others) / 4000
        held += made.low <= truth <= made.high
        found.append(made.value - truth)
        pooled.append(np.mean([one.is_right for one in quiet.labelled + busy.labelled]) - truth)
    assert held / 200 > 0.92
    assert abs(np.mean(found)) < 0.02
    assert np.mean(pooled) > 0.2


def test_days_with_few_labels_are_taken_together() -> None:
    rng = np.random.default_rng(2)
    days = [day_of_readings(100, right=0.7, labels=8, rng=rng)[0] for _ in range(5)]
    assert stratified(days_of(*days[:2])) is None
    made = stratified(days_of(*days))
    assert made is not None
    right = [one.is_right for day in days for one in day.labelled]
    assert made.value == pytest.approx(np.mean(right))
    assert stratified({}) is None


def rows_of_two_days() -> list[Observation]:
    """Two hundred readings of a channel and bundle on each of two days, a hundred of another on the second."""
    rows = [*usual(), *usual(300, at=START + DAY)]
    ids = [f"{hour(row.at)}-7-{number:012x}" for number, row in enumerate(rows)]
    read = [replace(row, reading_id=one, check=check_of(one, READ)) for row, one in zip(rows, ids, strict=True)]
    others = [replace(row, channel="till", bundle="b2") for row in read[400:]]
    return [*(replace(row, bundle="b1") for row in read[:400]), *others]


def corrected(folder: Path, rows: list[Observation]) -> None:
    """People say of each of these that it was wrong."""
    log = RowLog(folder, worker="1", queue_size=1000, retention_days=30)
    for row in rows:
        log.put(Correction(row.at, row.reading_id, "other"))
    log.close(timeout_seconds=10)


@pytest.fixture
def ledger(tmp_path: Path) -> AccuracyLedger:
    rows = rows_of_two_days()
    logged(tmp_path / "log", rows)
    labelled(tmp_path / "labels", rows[:80], drawn="blind")
    labelled(tmp_path / "labels", rows[400:440], drawn="blind", every=2)
    labelled(tmp_path / "labels", rows[100:150], drawn="chosen", every=1)
    corrected(tmp_path / "corrections", rows[150:200])
    return AccuracyLedger(
        tmp_path / "log", bundle=bundle(), labels=tmp_path / "labels", corrections=tmp_path / "corrections"
    )


def group(accuracy: Accuracy, by: str, name: str = "", day: str = "") -> AccuracyGroup:
    (found,) = [one for one in accuracy.groups if (one.by, one.name, one.day) == (by, name, day)]
    return found


def test_each_day_channel_and_bundle_has_its_figures(ledger: AccuracyLedger) -> None:
    made = ledger.count(since=START, at=START + 2 * DAY)
    days = [day_of(START), day_of(START + DAY)]
    assert [group(made, "all", day=day).images for day in days] == [200, 300]
    assert (group(made, "bundle", "b1").images, group(made, "bundle", "b2").images) == (400, 100)
    till = group(made, "channel", "till", days[1])
    assert (till.images, till.labels) == (100, 40)
    assert till.labelled is not None
    assert till.labelled.value == pytest.approx(0.5, abs=0.02)
    default = group(made, "channel", "default", days[0]).labelled
    assert default is not None
    assert default.value == pytest.approx(0.75, abs=0.02)
    assert group(made, "channel", "default", days[1]).labelled is None
    assert not [one for one in made.groups if one.name == "b2" and one.day == days[0]]


def test_the_total_weighs_the_labels_by_the_images_they_stand_for(ledger: AccuracyLedger) -> None:
    """Of 500 readings 400 are right in three of four, by 80 labels, and 100 in one of two, by 40."""
    whole = group(ledger.count(since=START, at=START + 2 * DAY), "all").labelled
    assert whole is not None
    assert whole.value == pytest.approx((400 * 0.75 + 100 * 0.5) / 500, abs=0.02)


def test_corrections_bound_the_figure_and_do_not_change_it(ledger: AccuracyLedger, tmp_path: Path) -> None:
    made = ledger.count(since=START, at=START + 2 * DAY)
    without = AccuracyLedger(tmp_path / "log", bundle=bundle(), labels=tmp_path / "labels")
    first, second = (group(one, "all") for one in (made, without.count(since=START, at=START + 2 * DAY)))
    assert (first.labelled, first.estimated) == (second.labelled, second.estimated)
    assert (first.corrected, first.confirmed, second.corrected) == (50, 0, 0)
    assert first.at_most == pytest.approx(0.9)
    assert "corrections: left out, as people correct what is wrong; by them at most 90.0% are right" in made.screen()
    assert "labels left out: 50 chosen for doubt" in made.screen()


def test_an_hour_is_read_again_only_where_rows_or_labels_came(
    ledger: AccuracyLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(files: HourFiles, selection: Selection, *, tally: WindowTally) -> Iterator[Observation]:
        read.append(files.hour)
        return stream_files(files, selection, tally=tally)

    monkeypatch.setattr("legible.monitoring.accuracy.stream_files", counted)
    at = START + 2 * DAY
    first = ledger.count(since=START, at=at)
    hours = sorted(read)
    assert len(hours) == 2
    assert ledger.count(since=START, at=at) == first
    assert sorted(read) == hours
    labelled(tmp_path / "labels", rows_of_two_days()[440:450], drawn="blind", every=1)
    second = ledger.count(since=START, at=at)
    assert sorted(read[2:]) == hours[1:]
    assert group(second, "channel", "till").labels == 50
    assert group(ledger.count(since=START + DAY, at=at), "all").images == 300


def test_one_channel_can_be_asked_for(ledger: AccuracyLedger) -> None:
    made = ledger.count(since=START, at=START + 2 * DAY, channel="till")
    assert {one.name for one in made.groups if one.by == "channel"} == {"till"}
    assert group(made, "all").images == 100


def test_a_time_without_readings_is_said(ledger: AccuracyLedger) -> None:
    assert ledger.count(since=START + 5 * DAY, at=START + 6 * DAY).screen() == [
        "exact match by day: no readings in this time"
    ]


def test_the_command_says_it_and_its_json_holds_it(ledger: AccuracyLedger, tmp_path: Path) -> None:
    del ledger
    options = ["--observations", str(tmp_path / "log"), "--bundle", str(bundle()), "--labels", str(tmp_path / "labels")]
    said = CliRunner().invoke(app, ["drift", *options, "--accuracy", "2025-11-21"])
    assert f"| {day_of(START)} | channel default | 200 |" in said.stdout
    told = CliRunner().invoke(app, ["drift", *options, "--accuracy", "2025-11-21", "--json"])
    assert {one["by"] for one in json.loads(told.stdout)["accuracy"]["groups"]} == {"all", "channel", "bundle"}


def test_the_monitor_exports_each_group_and_drops_those_that_are_gone(ledger: AccuracyLedger, tmp_path: Path) -> None:
    made = check(tmp_path / "log", Standard(bundle()), at=START + 2 * DAY)
    exporter = Exporter()
    counted = ledger.count(since=START, at=START + 2 * DAY)
    exporter.publish(replace(made, accuracy=counted))
    value = exporter.registry.get_sample_value
    till = {"by": "channel", "name": "till", "day": day_of(START + DAY)}
    assert value("legible_accuracy_images", till) == 100
    assert value("legible_accuracy_labelled", till) == pytest.approx(0.5, abs=0.02)
    assert value("legible_accuracy_at_most", {"by": "all", "name": "all", "day": "all"}) == pytest.approx(0.9)
    none = {"by": "channel", "name": "default", "day": day_of(START + DAY)}
    assert value("legible_accuracy_labelled", none) is None
    assert value("legible_accuracy_estimated", none) is not None
    exporter.publish(replace(made, accuracy=ledger.count(since=START, at=START + 2 * DAY, channel="default")))
    assert value("legible_accuracy_images", till) is None


@pytest.mark.slow
def test_evidently_has_a_run_for_each_day_and_replaces_it_when_labels_come(
    ledger: AccuracyLedger, tmp_path: Path
) -> None:
    from evidently.ui.workspace import Workspace  # noqa: PLC0415

    folder = tmp_path / "workspace"
    assert file_accuracy(ledger.count(since=START, at=START + 2 * DAY), folder) == 2
    assert file_accuracy(ledger.count(since=START, at=START + 2 * DAY), folder) == 0
    labelled(tmp_path / "labels", rows_of_two_days()[440:450], drawn="blind", every=1)
    assert file_accuracy(ledger.count(since=START, at=START + 2 * DAY), folder) == 1
    workspace = Workspace.create(str(folder))
    (project,) = workspace.search_project(PROJECT)
    runs = {
        model.name: model for run in workspace.list_runs(project.id) if (model := workspace.get_run(project.id, run))
    }
    assert sorted(runs) == [day_of(START), day_of(START + DAY)]
    values = {result.display_name: result.value for result in runs[day_of(START + DAY)].metric_results.values()}
    assert values["Mean value of 'channel till, by labels'"] == pytest.approx(0.4, abs=0.02)
    titles = [panel.title for panel in project.dashboard.model().panels]
    assert sorted(titles) == ["all", "bundle b1", "bundle b2", "channel default", "channel till"]
