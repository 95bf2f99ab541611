"""The stand: its files are sound, and an alert of the real Prometheus arrives at the receiver."""

import io
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from drawn_words import inverted, words_drawn
from PIL import Image
from serving import served
from stand import MONITORING, Stand, are_installed, bundle_knowing, watched

from legible.client import Client
from legible.image.decode import GreyImage


def png(image: GreyImage) -> bytes:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "PNG")
    return content.getvalue()


def send(address: str, images: Sequence[GreyImage]) -> None:
    with Client(address) as client:
        assert len(list(client.read_many(map(png, images)))) == len(images)


@pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is not installed; it comes with prometheus-alertmanager"
)
def test_alertmanager_takes_its_configuration() -> None:
    ran = subprocess.run(["amtool", "check-config", MONITORING / "alertmanager.yml"], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Iterator[str]:
    """A service that knows drawn words."""
    folder = tmp_path_factory.mktemp("service")
    bundle = bundle_knowing(words_drawn(400, seed=1), bundle_folder, folder / "bundle")
    with served(folder, LEGIBLE_BUNDLE=str(bundle)) as address:
        yield address


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, service: str) -> Iterator[Stand]:
    with watched(tmp_path_factory.mktemp("stand"), service) as stand:
        yield stand


@pytest.mark.slow
@pytest.mark.skipif(not are_installed(), reason="Prometheus or Alertmanager is not installed; Debian has both")
def test_the_alert_arrives_when_images_are_inverted_and_not_before(service: str, stand: Stand) -> None:
    stand.wait_for('legible:drift:too_little_data{kind="image", window="1h"} == 1')
    send(service, words_drawn(150, seed=2))
    stand.wait_for('legible:drift:ratio{kind="image", window="1h"} < 1')
    assert stand.query('ALERTS{alertname="ImageDrift"}') == []

    until = time.monotonic() + 120
    while "firing ImageDrift" not in stand.received.read_text():
        assert time.monotonic() < until, stand.received.read_text()
        send(service, inverted(words_drawn(50, seed=3)))
    assert "monitoring/runbook.md#imagedrift" in stand.received.read_text()
