"""The examples of timers are units systemd takes, and a line cron can run."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PROJECT
from drawn_words import inverted, observed, words_drawn
from stand import bundle_knowing

from legible.observations.layout import FOLDER
from legible.observations.row import write_observations

LEGIBLE = Path(sys.executable).parent / "legible"
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


@needs_systemd
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in (PROJECT / "deploy/systemd").iterdir():
        unit = path.read_text()
        for environment in (".venv-monitor", ".venv"):
            unit = unit.replace(f"/opt/legible/{environment}/bin/legible", str(LEGIBLE))
        (tmp_path / path.name).write_text(unit.replace("User=legible\n", ""))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *tmp_path.iterdir()], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_too_few_images_are_no_failure_of_the_unit() -> None:
    assert "\nSuccessExitStatus=2\n" in (PROJECT / "deploy/systemd/legible-drift.service").read_text()


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, bundle_folder: Path) -> Path:
    """A bundle that knows drawn words."""
    return bundle_knowing(words_drawn(400, seed=1), bundle_folder, tmp_path_factory.mktemp("known") / "bundle")


def by_cron(folder: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    """What the line of the example does with these observations."""
    lines = (PROJECT / "deploy/cron/legible-drift").read_text().splitlines()
    (line,) = [line for line in lines if line[:1].isdigit()]
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line[0].isupper())
    assert {"LEGIBLE_BASELINE", "OPTIONS"} <= settings.keys()
    schedule_and_user = 6
    command = line.split(maxsplit=schedule_and_user)[schedule_and_user]
    for place, here in {
        "cd /opt/legible": f"cd {folder}",
        ".venv-monitor/bin/legible": f"{sys.executable} -m legible",
        "/var/lib/legible/observations": str(folder),
    }.items():
        assert place in command
        command = command.replace(place, here)
    environment = {**os.environ, **settings, "LEGIBLE_BUNDLE": str(bundle)}
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("images", "says", "code"),
    [(inverted(words_drawn(200, seed=2)), "drift: unlike", 1), (words_drawn(40, seed=2), "", 0), ((), "legible: ", 3)],
    ids=["drift", "too few", "no observations"],
)
def test_cron_mails_drift_and_errors_alone(
    tmp_path: Path, known: Path, images: tuple[object, ...], says: str, code: int
) -> None:
    if images:
        (tmp_path / FOLDER).mkdir()
        write_observations(tmp_path / FOLDER / "20261121T00-1.jsonl", observed(images))  # type: ignore[arg-type]
    ran = by_cron(tmp_path, known)
    assert (ran.returncode, ran.stderr) == (code, "")
    assert ran.stdout.startswith(says)
    assert bool(ran.stdout) == bool(says)
