"""A tiny source in the layout of the IAM database, drawn for the tests."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

FORMS = "# form\na01-000u 000 2 prt 1 1 2 2\na01-003 001 2 prt 1 1 2 2\nb02-010 002 1 prt 1 1 1 1\n"
WORDS = """# words
a01-000u-00-00 ok 154 408 768 27 51 AT A
a01-000u-00-01 err 154 507 766 213 48 NN MOVE
a01-003-00-00 ok 154 796 764 70 50 NP M P
b02-010-00-00 ok 154 796 764 70 50 , ,
"""
LINES = "# lines\na01-000u-00 ok 154 2 408 746 1661 89 A|MOVE|,|said|he|.\nb02-010-00 ok 154 1 1 1 1 1 no|£\n"
WORD_IDS = ("a01-000u-00-00", "a01-000u-00-01", "a01-003-00-00", "b02-010-00-00")
LINE_IDS = ("a01-000u-00", "b02-010-00")


def picture(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 40)).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def place(name: str) -> str:
    """`a01-000u-00-00` lies in `a01/a01-000u`."""
    start, form = name.split("-")[:2]
    return f"{start}/{start}-{form}/{name}.png"


def pack(path: Path, members: dict[str, bytes], *, mode: str) -> None:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def images(names: tuple[str, ...], *, damaged: str = "") -> dict[str, bytes]:
    return {place(name): b"no png" if name == damaged else picture(i) for i, name in enumerate(names)}


def texts() -> dict[str, bytes]:
    return {"forms.txt": FORMS.encode(), "words.txt": WORDS.encode(), "lines.txt": LINES.encode()}


def as_archives(folder: Path, *, damaged: str = "") -> Path:
    """words.tar and lines.tar with the text files beside them."""
    folder.mkdir(parents=True)
    for name, content in texts().items():
        (folder / name).write_bytes(content)
    for kind, names in (("words", WORD_IDS), ("lines", LINE_IDS)):
        members = {f"{kind}/{name}": content for name, content in images(names, damaged=damaged).items()}
        pack(folder / f"{kind}.tar", members, mode="w")
    return folder


def as_distributed(folder: Path) -> Path:
    """words.tgz, lines.tgz and ascii.tgz."""
    folder.mkdir(parents=True)
    pack(folder / "ascii.tgz", texts(), mode="w:gz")
    pack(folder / "words.tgz", images(WORD_IDS), mode="w:gz")
    pack(folder / "lines.tgz", images(LINE_IDS), mode="w:gz")
    return folder


def unpacked(folder: Path) -> Path:
    for kind, names in (("words", WORD_IDS), ("lines", LINE_IDS)):
        for name, content in images(names).items():
            path = folder / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    (folder / "ascii").mkdir()
    for name, content in texts().items():
        (folder / "ascii" / name).write_bytes(content)
    return folder
