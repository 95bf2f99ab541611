"""Labels drawn at random tell what is right, in `legible drift`, its JSON and the metrics of `legible monitor`."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_monitor import START, bundle, logged, usual

from legible.labelling.labels import Label, LabelLog
from legible.monitoring.check import Standard, check
from legible.monitoring.exporter import Exporter
from legible.monitoring.finding import Check
from legible.observations.row import Observation, check_of

READ = "read"


def named(rows: list[Observation]) -> list[Observation]:
    """Rows with ids as the service gives them, of readings of READ."""
    ids = [f"20251121T08-7-{number:012x}" for number in range(len(rows))]
    return [replace(row, reading_id=name, check=check_of(name, READ)) for row, name in zip(rows, ids, strict=True)]


def labelled(folder: Path, rows: list[Observation], *, drawn: str, every: int = 4) -> None:
    """Label rows: each of `every` is wrong."""
    log = LabelLog(folder, worker=drawn)
    for number, row in enumerate(rows):
        log.append(Label(START, row.reading_id, "ann", "text", READ if number % every else "other", drawn))


@pytest.fixture
def made(tmp_path: Path) -> Check:
    rows = named(usual())
    labelled(tmp_path / "labels", rows[:100], drawn="blind")
    labelled(tmp_path / "labels", rows[100:140], drawn="chosen", every=1)
    folder = logged(tmp_path / "log", rows)
    return check(folder, Standard(bundle(), labels=tmp_path / "labels"), at=START + 3600)


def test_labels_drawn_at_random_tell_what_is_right_and_chosen_ones_are_left_out(made: Check) -> None:
    assert made.labels is not None
    found = made.labels.estimate
    assert found is not None
    assert found.exact_match == pytest.approx(0.75, abs=0.01)
    assert found.low < 0.75 < found.high
    assert (made.labels.drawn, made.labels.chosen) == (100, 40)
    assert "by 100 drawn at random; left out: 40 chosen for doubt" in made.screen()
    assert json.loads(made.to_json())["labels"]["estimate"]["labels"] == 100


def test_the_monitor_exports_what_labels_tell(made: Check) -> None:
    exporter = Exporter()
    exporter.publish(made)
    value = exporter.registry.get_sample_value
    assert value("legible_drift_check_labelled_exact_match") == pytest.approx(0.75, abs=0.01)
    assert value("legible_drift_check_labels") == 100


def test_too_few_labels_are_said_and_tell_nothing(tmp_path: Path) -> None:
    rows = named(usual())
    labelled(tmp_path / "labels", rows[:9], drawn="blind")
    made = check(logged(tmp_path / "log", rows), Standard(bundle(), labels=tmp_path / "labels"), at=START + 3600)
    assert "9 labels drawn at random in this window, and it takes 20: take a longer window" in made.screen()
