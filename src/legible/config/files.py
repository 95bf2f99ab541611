"""Read params.yaml and what is merged over it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from legible.config.checked import from_plain
from legible.config.params import Params
from legible.config.recipe import in_todays_spelling, with_mixtures
from legible.errors import SettingsError


def load_params(*paths: Path) -> Params:
    """Return the parameters of the first file with those of the following ones merged over it."""
    return from_plain(Params, with_mixtures(_merged_files(paths)), where="params")


def dump_params(*paths: Path) -> str:
    """Return the same as YAML, once it is known to be valid."""
    import yaml  # kept out of the lean installation, which needs no parameters  # noqa: PLC0415

    load_params(*paths)
    return str(yaml.safe_dump(_merged_files(paths), allow_unicode=True, sort_keys=False))


def _merged_files(paths: Iterable[Path]) -> dict[str, Any]:
    import yaml  # as above  # noqa: PLC0415

    merged: dict[str, Any] = {}
    for path in paths:
        if not path.is_file():
            raise SettingsError(f"{path}: no such file; run in the project's folder or name one")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, no date, no number
            raise SettingsError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
        merged = merge(merged, in_todays_spelling(_sections(content, path)))
    return merged


def _sections(content: Any, path: Path) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise SettingsError(f"{path} holds a {type(content).__name__}; it needs sections such as `train:`")
    return content


WHOLE = frozenset({"shares", "mixture"})
"""The mappings of proportions: what is merged over one takes its place whole, as each is relative to the others."""


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested mappings joined, the second winning: `{a: {b: 1}} + {a: {c: 2}} -> {a: {b: 1, c: 2}}`.

    An empty one empties: `{a: {b: 1}} + {a: {}} -> {a: {}}`. One of WHOLE replaces the former.
    """
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping) and len(value) > 0 and key not in WHOLE
        merged[key] = merge(old, value) if nested else value  # type: ignore[arg-type]
    return merged
