import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from drawn_words import START, WRITERS, inverted, observed, section, words_drawn

from legible.config import Params, load_params
from legible.data.dataset import Sample, write_dataset
from legible.drift.reference import Reference
from legible.drift.signatures import NONE, Corrupted
from legible.errors import DataError
from legible.evaluation.corrupted import write_corrupted
from legible.monitoring.check import ReportTarget, Standard, check
from legible.monitoring.workspace import open_workspace
from legible.observations.row import SIGNALS, write_observations
from legible.packing.reference import few_of_each, reference

PARAMS = Path(__file__).parents[1] / "params.yaml"


def params() -> Params:
    return dataclasses.replace(load_params(PARAMS), reference=section())


def staged(root: Path) -> Path:
    """The stage's folder, made from 400 drawn words."""
    (root / "evaluation").mkdir(parents=True)
    write_observations(root / "evaluation" / "observations.jsonl", observed(words_drawn(400, seed=1)))
    ways = [(NONE, 0), ("inversion", 3)]
    rows = [
        Corrupted(name, severity, right=True, observation=row)
        for name, severity in ways
        for row in observed(words_drawn(100, seed=3) if name == NONE else inverted(words_drawn(100, seed=3)))
    ]
    write_corrupted(root / "evaluation/corrupted.jsonl", iter(rows))
    samples = [
        Sample(f"s{i}", image, "word", f"w{i % WRITERS}", "drawn", "train", "word")
        for i, image in enumerate(words_drawn(800, seed=1))
    ]
    write_dataset(root / "data/dataset", samples, present=["drawn"])
    reference(params(), root=root)
    return root / "drift"


@pytest.mark.slow
def test_the_stage_writes_reference_rule_and_a_sample_of_rows(tmp_path: Path) -> None:
    folder = staged(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [
        "drift.json",
        "quality.json",
        "reference.json",
        "reference.parquet",
        "signatures.json",
    ]
    known = Reference.load(folder).known
    assert (known["image"].images, known["prediction"].images) == (400, 400)
    assert known["image"].writers == WRITERS
    rows = pyarrow.parquet.read_table(folder / "reference.parquet")
    assert (rows.num_rows, rows.column_names) == (150, list(SIGNALS))


@pytest.mark.slow
def test_the_stage_writes_the_same_bytes_twice(tmp_path: Path) -> None:
    first, second = staged(tmp_path / "1"), staged(tmp_path / "2")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_few_images_are_kept_of_each_writer_and_each_as_likely() -> None:
    items = [("often", n) for n in range(300)] + [("seldom", n) for n in range(2)]
    rng = np.random.default_rng(1)
    draws = [few_of_each(items, str, 3, rng) for _ in range(300)]
    assert all(sorted(drawn["seldom"]) == ["0", "1"] for drawn in draws)
    assert all(len(set(drawn["often"])) == 3 for drawn in draws)
    assert np.mean([int(n) for drawn in draws for n in drawn["often"]]) == pytest.approx(149.5, abs=10)


@pytest.mark.slow
def test_torn_observations_stop_the_stage(tmp_path: Path) -> None:
    staged(tmp_path)
    path = tmp_path / "evaluation" / "observations.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="1 torn lines; run legible evaluate again"):
        reference(params(), root=tmp_path)


def test_the_sections_of_params_yaml_are_sound() -> None:
    section = load_params(PARAMS).reference
    assert section.false_alarms_per_window * section.resamples > 0
    assert section.smallest_window == 50


@pytest.mark.slow
def test_evidently_shows_our_decision_for_each_column_and_for_all(tmp_path: Path) -> None:
    """Of inverted words the length of a reading is unchanged: some columns drift, others do not."""
    folder = staged(tmp_path)
    write_observations(tmp_path / "odd.jsonl", observed(inverted(words_drawn(200, seed=2)), seed=2))
    (tmp_path / "elsewhere").mkdir()
    path, workspace = tmp_path / "reports" / "drift.html", tmp_path / "elsewhere/../workspace"
    checks = [
        check(tmp_path / "odd.jsonl", Standard(folder), at=at, target=ReportTarget(path=report, workspace=workspace))
        for at, report in ((START, path), (START + 60, None))
    ]
    assert checks[0].screen().endswith(f"report: {path}")

    runs = [json.loads(run.read_text()) for run in workspace.rglob("*.json") if "metric_results" in run.read_text()]
    assert len(runs) == 2
    page = path.read_text()
    assert page.index("<h1>Drift: unlike training") < page.index('<div id="root_')
    assert plotted(workspace) == {*SIGNALS, "estimated exact match", "exact match by labels", "images of the window"}
    drifted = {signal.name for signal in checks[0].verdict.drifted}
    assert 0 < len(drifted) < len(SIGNALS)
    for name in SIGNALS:
        assert said_of(name, page) == (name in drifted)
    assert not re.findall(r"<script[^>]+src=|<link[^>]+href=.?http", page)


def plotted(workspace: Path) -> set[str]:
    """The columns that the dashboard of the workspace plots."""
    (project,) = open_workspace(workspace).search_project("legible")
    panels = project.dashboard.model().panels
    assert len(panels) == 4
    return {value.metric_labels["column"] for panel in panels for value in panel.values}


def said_of(name: str, page: str) -> bool:
    """Whether the page calls a column's drift detected."""
    found = re.search(rf"\"Drift in column '{name}'\", \"label\": \"Data drift (not )?detected", page)
    assert found is not None
    return found[1] is None
