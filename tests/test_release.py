"""`make release`: what of a version can be fetched is whole, and says what it is."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from checkout import check_out

import legible
from legible.recognition.bundle import load_bundle

pytestmark = pytest.mark.slow

BIN = Path(sys.executable).parent
VERSION = f"v{legible.__version__}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = check_out(tmp_path_factory.mktemp("release"))
    author = ["-c", "user.name=legible", "-c", "user.email=legible@localhost"]
    subprocess.run(["git", *author, "commit", "-q", "-m", "Release"], cwd=folder, check=True)
    return folder


def release(folder: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-s", f"FULL={BIN}", "-o", f"{BIN}/.ready", f"PYTHON={sys.executable}", "release"]
    environment = {**os.environ, "VERSION": version}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_release_holds_bundle_wheel_and_bill_of_materials_with_their_sums(clone: Path, tmp_path: Path) -> None:
    made = release(clone, VERSION)
    assert made.returncode == 0, made.stderr
    folder = clone / "dist" / VERSION
    assert "pkg:pypi/bentoml@" in (folder / "sbom.json").read_text()
    with tarfile.open(folder / f"legible-bundle-{VERSION}.tar.gz") as tar:
        tar.extractall(tmp_path)  # noqa: S202 - made by the line above
    fetched = load_bundle(tmp_path / f"legible-{VERSION}/models/bundle")
    assert fetched.id == load_bundle(clone / "models/bundle").id
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        assert content.read("legible/_bundle/manifest.json") == (fetched.folder / "manifest.json").read_bytes()
    subprocess.run(["sha256sum", "--check", "--strict", "sha256sums"], cwd=folder, check=True)


def test_a_release_under_another_version_than_the_package_s_is_refused(clone: Path) -> None:
    made = release(clone, "v99.0.0")
    assert made.returncode != 0
    assert f"src/legible/__init__.py says {VERSION}; say there what VERSION=v99.0.0 says" in made.stderr


def test_a_release_of_what_is_not_committed_is_refused(clone: Path) -> None:
    (clone / "params.yaml").write_text("seed: 2")
    assert "a release is of a commit" in release(clone, VERSION).stderr
