"""Bundles that differ from the shipped one in a stated way, with the sums that belong to them."""

import gzip
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from legible.files import replace_folder, sha256_of

Change = Callable[[str], str]


def variant(source: Path, target: Path, changes: Mapping[str, Change]) -> Path:
    """Write a copy of a bundle in which the text of some files is changed; its folder is replaced as a whole."""
    manifest = json.loads((source / "manifest.json").read_text(encoding="utf-8"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with replace_folder(target) as fresh:
        shutil.copytree(source, fresh, dirs_exist_ok=True)
        for name, change in changes.items():
            path = fresh / name
            if path.suffix == ".gz":
                path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()).decode()).encode()))
            else:
                path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
            manifest["files"][name] = sha256_of(path)
        (fresh / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return target


def other_letters(text: str) -> str:
    """Return a charset file in which a to m and n to z have changed places: each such letter is read as another."""
    content = json.loads(text)
    small = "abcdefghijklmnopqrstuvwxyz"
    content["characters"] = content["characters"].translate(str.maketrans(small, small[13:] + small[:13]))
    return json.dumps(content)


def less_confident(text: str) -> str:
    """Return a calibration that says less of the same readings."""
    content = json.loads(text)
    content["plain"]["reading"]["bias"] -= 2.0
    return json.dumps(content)
