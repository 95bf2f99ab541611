"""The real service answers with the confidence of its deployment, logs the bundle's own, and follows an undo."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import drawn_word
from findings import START
from PIL import Image
from serving import served
from waiting import wait_until

from legible.recognition.bundle import read_manifest
from legible.recognition.recalibration import ConfidenceLine, Recalibration, undo

pytestmark = pytest.mark.slow

LINE = ConfidenceLine(-2.0, 1.0)


@pytest.fixture
def service(tmp_path: Path, bundle_folder: Path) -> Iterator[httpx.Client]:
    (tmp_path / "recalibration").mkdir()
    settings = {"LEGIBLE_BUNDLE": str(bundle_folder), "LEGIBLE_RECALIBRATION": str(tmp_path / "recalibration")}
    with served(tmp_path, **settings) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def test_an_answer_follows_what_is_made_and_undone_and_the_log_keeps_the_bundles_own(
    service: httpx.Client, tmp_path: Path, bundle_folder: Path, print_face: Path
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(drawn_word("O0Q", print_face, size=20)).save(
        buffer, "PNG"
    )  # not quite sure, so that rounding tells little

    def confidence() -> float:
        return float(service.post("/read", files={"image": buffer.getvalue()}).json()["confidence"])

    own = confidence()
    Recalibration(read_manifest(bundle_folder).bundle_id, START, 200, plain=LINE).save(tmp_path / "recalibration")
    wait_until(lambda: confidence() == pytest.approx(LINE(own), abs=2e-4))
    undo(tmp_path / "recalibration")
    wait_until(lambda: confidence() == own)

    def logged() -> set[float]:
        lines = "".join(path.read_text() for path in (tmp_path / "observations/v1").glob("*.jsonl")).splitlines()
        return {round(json.loads(line)["confidence"], 4) for line in lines}

    assert wait_until(logged) == {own}
