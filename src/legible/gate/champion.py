"""The champion, the bundle in service: a folder, or models/bundle at a git revision."""

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from legible.errors import BundleError
from legible.recognition.bundle import MANIFEST

PLACE = "models/bundle"


@contextmanager
def champion_folder(named: str, *, root: Path) -> Iterator[Path | None]:
    """Yield the champion's folder while it is compared; None for `none`, and for a revision that holds no bundle."""
    if named == "none":
        yield None
    elif (Path(named) / MANIFEST).is_file():
        yield Path(named)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            yield _from_revision(named, root=root, scratch=Path(scratch))


def _from_revision(revision: str, *, root: Path, scratch: Path) -> Path | None:
    if _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").returncode:
        raise BundleError(f"{revision!r} is neither a bundle's folder nor a git revision; name one, or none")
    archive = _git(root, "archive", "--format=tar", revision, PLACE)
    if archive.returncode:
        return None
    folder = scratch / PLACE
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        for member in tar:
            content = tar.extractfile(member)  # None of what is no file; a bundle has no folders
            if content:
                (folder / Path(member.name).name).write_bytes(content.read())
    return folder


def _git(root: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)  # noqa: S603, S607
