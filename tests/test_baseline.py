import contextlib
import dataclasses
import io
import json
import re
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import httpx
import numpy as np
import pytest
from drawn_words import START, inverted, observed, reference_of, words_drawn
from PIL import Image
from serving import served

from legible.config import ServiceSettings
from legible.drift.baseline import MIN_IMAGES, Baseline
from legible.drift.reference import Reference
from legible.errors import BundleError, DataError
from legible.monitoring.check import Standard, check, rebase
from legible.observations.row import Observation, write_observations
from legible.observations.window import Selection, WindowTally
from legible.recognition.bundle import load_bundle, read_manifest
from legible.service.telemetry import check as check_service

NOW = START + 5000


@cache
def bundle() -> Path:
    folder = Path(mkdtemp())
    reference_of(observed(words_drawn(400, seed=1)), resamples=200).save(folder)
    return folder


def rows(count: int, *, seed: int, at: float = START) -> list[Observation]:
    """All inverted: this deployment's screens are dark."""
    return observed(inverted(words_drawn(count, seed=seed)), at=at, seed=seed)


@pytest.fixture(scope="module")
def normal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("normal")
    write_observations(folder / "log.jsonl", rows(MIN_IMAGES, seed=3))
    made = rebase(folder / "log.jsonl", Standard(bundle()), at=NOW, selection=Selection(since=START), resamples=1000)
    made.save(folder / "baseline")
    return folder


@pytest.mark.slow
def test_what_is_unlike_training_is_no_drift_from_a_normal_of_its_own(normal: Path) -> None:
    write_observations(normal / "now.jsonl", rows(200, seed=4))
    by_bundle, by_baseline = (
        check(normal / "now.jsonl", Standard(bundle(), baseline=own), at=NOW) for own in (None, normal / "baseline")
    )
    assert by_bundle.screen().startswith("drift: unlike training (200 images")
    assert by_baseline.screen().startswith("no drift (200 images")


def test_a_change_from_that_normal_is_drift_though_it_is_like_training(normal: Path) -> None:
    write_observations(normal / "bright.jsonl", observed(words_drawn(200, seed=4), seed=4))
    made = check(normal / "bright.jsonl", Standard(bundle(), baseline=normal / "baseline"), at=NOW)
    assert made.screen().startswith("drift: unlike this deployment's normal (200 images")
    assert json.loads(made.to_json())["against"] == "baseline"


def test_reliability_is_judged_by_the_bundle_whatever_is_normal(normal: Path) -> None:
    write_observations(normal / "now.jsonl", rows(200, seed=4))
    made = check(normal / "now.jsonl", Standard(bundle(), baseline=normal / "baseline"), at=NOW)
    assert made.estimate is not None
    assert made.estimate.unreliable == "unlike training"


def test_too_few_observations_make_no_normal(tmp_path: Path) -> None:
    write_observations(tmp_path / "log.jsonl", rows(99, seed=3))
    with pytest.raises(DataError, match="99 observations make no baseline; it takes 1000"):
        rebase(tmp_path / "log.jsonl", Standard(bundle()), at=NOW, selection=Selection(since=START))


def test_only_what_was_read_since_then_counts(tmp_path: Path) -> None:
    write_observations(tmp_path / "log.jsonl", rows(MIN_IMAGES, seed=3))
    with pytest.raises(DataError, match="600 observations make no baseline"):
        rebase(tmp_path / "log.jsonl", Standard(bundle()), at=NOW, selection=Selection(since=START + 400))


@pytest.mark.slow
def test_what_is_left_out_of_a_normal_is_counted(tmp_path: Path) -> None:
    write_observations(tmp_path / "log.jsonl", rows(MIN_IMAGES, seed=3))
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write("torn\n")
    tally = WindowTally()
    rebase(
        tmp_path / "log.jsonl", Standard(bundle()), at=NOW, selection=Selection(since=START), resamples=50, tally=tally
    )
    assert tally.screen() == ["1 torn lines were skipped"]


def test_the_baseline_of_another_bundle_is_refused(normal: Path) -> None:
    with pytest.raises(BundleError, match=r"of bundle unknown, and abc decides; run legible rebase again"):
        Baseline.load(normal / "baseline", bundle="abc")


def _is_mixed(folder: Path) -> bool:
    images = json.loads((folder / "baseline.json").read_bytes())["images"]
    rows = (folder / "sample.jsonl").read_bytes().count(b"\n")
    return (images, rows) not in {(MIN_IMAGES, MIN_IMAGES), (MIN_IMAGES + 1, MIN_IMAGES - 1)}


def test_a_rebase_that_is_cut_off_leaves_the_former_baseline_or_is_told(
    normal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new reference beside the former thresholds would judge by neither."""
    folder, rename = tmp_path / "baseline", Path.rename
    shutil.copytree(normal / "baseline", folder)
    own = Standard(bundle()).bundle_id
    former = Baseline.load(folder, bundle=own)
    new = dataclasses.replace(former, images=former.images + 1, sample=former.sample[1:])
    for steps in range(9):
        left = iter(range(steps))

        def renamed(path: Path, target: Path) -> Path:
            if next(left, None) is None:  # noqa: B023
                raise OSError(28, "No space left on device")
            return rename(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", renamed)
            with contextlib.suppress(OSError):
                new.save(folder)
        loaded, said = None, "is of another baseline than baseline.json; run legible rebase again"
        with pytest.raises(BundleError, match=said) if _is_mixed(folder) else contextlib.nullcontext():
            loaded = Baseline.load(folder, bundle=own)
        counts = {(one.images, len(one.sample)) for one in (former, new)}
        assert loaded is None or (loaded.images, len(loaded.sample)) in counts
    assert loaded is not None
    assert loaded.images == new.images
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in (normal / "baseline").iterdir()
    )


def test_a_folder_without_a_baseline_or_with_a_damaged_one_is_an_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"baseline\.json: no such file; run legible rebase"):
        Baseline.load(tmp_path, bundle="")
    (tmp_path / "baseline.json").write_text('{"version": 1')
    with pytest.raises(BundleError, match=r"baseline\.json: damaged"):
        Baseline.load(tmp_path, bundle="")


def test_a_service_refuses_the_baseline_of_another_bundle(normal: Path, bundle_folder: Path) -> None:
    with pytest.raises(BundleError, match="run legible rebase again"):
        check_service(ServiceSettings(baseline=str(normal / "baseline")), load_bundle(bundle_folder))


@pytest.mark.slow
def test_the_metrics_of_a_service_compare_with_its_baseline(tmp_path: Path, bundle_folder: Path) -> None:
    write_observations(tmp_path / "log.jsonl", rows(MIN_IMAGES, seed=3))
    own = rebase(
        tmp_path / "log.jsonl", Standard(bundle_folder), at=NOW, selection=Selection(since=START), resamples=500
    )
    own.save(tmp_path / "baseline")
    trained = Reference.load(bundle_folder)
    found = {}
    for name in ("", str(tmp_path / "baseline")):
        with served(tmp_path, LEGIBLE_BUNDLE=str(bundle_folder), LEGIBLE_BASELINE=name) as address:
            for image in inverted(words_drawn(30, seed=5)):
                assert httpx.post(f"{address}/read", files={"image": png(image)}).status_code == 200
            text = httpx.get(f"{address}/metrics").text
        found[name] = (
            sample(text, 'legible_drift_constant{kind="image",model="default"}'),
            sample(text, 'legible_image_statistic_bucket{channel="",le="0.1",model="default",statistic="brightness"}'),
            sample(text, 'legible_reference_confidence{model="default"}'),
        )
    (c, darkest, confidence), (own_c, own_darkest, own_confidence) = found.values()
    assert c == pytest.approx(trained.rules["image"].c)
    assert own_c == pytest.approx(own.reference.rules["image"].c)
    assert darkest > 25  # of 30 dark images
    assert own_darkest < 15
    assert confidence == pytest.approx(cells_mean(trained), abs=1e-6)
    assert own_confidence == pytest.approx(cells_mean(own.reference), abs=1e-6)  # harm is what is worse than normal
    assert own.bundle == read_manifest(bundle_folder).bundle_id


def cells_mean(reference: Reference) -> float:
    edges = reference.quantiles["confidence"]
    return float(((edges[1:] + edges[:-1]) / 2).mean())


def png(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def sample(exposition: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", exposition, re.MULTILINE)
    assert found is not None
    return float(found[1])
