"""The bundles of one service by name: `LEGIBLE_BUNDLES=english=models/bundle,digits=models/digits`."""

import re
from collections.abc import Sequence
from pathlib import Path

from legible.errors import SettingsError
from legible.recognition.bundle import find_bundle

DEFAULT = "default"
"""The name of the one bundle of a service that names none."""
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)
VARIABLE = "LEGIBLE_BUNDLES"


def named_bundles(entries: Sequence[str], *, single: str = "") -> dict[str, Path]:
    """Return the folder of each bundle by its name, the default first: `["a=models/bundle"]` -> `{"a": ...}`.

    Without entries it is the bundle that `find_bundle` finds, as `default`. `single` is LEGIBLE_BUNDLE, which may not
    be set too. Raise SettingsError with all entries that are no `NAME=FOLDER`, and for two of one name.
    """
    if not entries:
        return {DEFAULT: find_bundle()}
    faults = [fault for entry in entries if (fault := _fault(entry))]
    names = [entry.partition("=")[0].strip() for entry in entries]
    faults += [f"{name!r} names two bundles" for name in dict.fromkeys(names) if names.count(name) > 1]
    if single:
        faults.append(f"LEGIBLE_BUNDLE is set too, to {single!r}; name it in {VARIABLE}, or unset one of them")
    if faults:
        raise SettingsError(f"{VARIABLE}: {'; '.join(faults)}")
    return {name: Path(entry.partition("=")[2].strip()) for name, entry in zip(names, entries, strict=True)}


def _fault(entry: str) -> str:
    name, _, folder = entry.partition("=")
    if not folder.strip():
        return f"{entry!r} is no NAME=FOLDER, such as english=models/bundle"
    if not NAME.fullmatch(name.strip()):
        return f"{name!r} cannot name a bundle; at most 40 small letters a to z, digits, '.', '_' and '-'"
    return ""


def folder_of_model(setting: str, model: str) -> str:
    """Return the folder that a setting names for a model, by `FOLDER` or `NAME=FOLDER,...`; empty for none."""
    named = dict(part.strip().partition("=")[::2] for part in setting.split(",")) if "=" in setting else {}
    return named.get(model, "") if named else setting
