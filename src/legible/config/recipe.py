"""Spellings of params.yaml, before it is checked: shared mixtures by name, and older spellings, used until
November 2026.

They listed the phases after the first as `train.then`, and stated measured figures for the card in the section `pack`.
They are still read, so that a rollback to a tag of that time can be judged.
"""

from collections.abc import Mapping
from typing import Any

from legible.config.checked import nearest
from legible.errors import SettingsError

DEFAULTS_OF_THEN = {"precision": "float32", "consistency": 0.0, "renormalized": False}
"""What an entry of `then` meant where it said nothing, whatever the first phase said."""


MEASURED = frozenset({"measured", "generated_only"})
"""The keys of the section `pack` with prose for the card, which now comes from models/measured."""


def in_todays_spelling(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the same parameters in the spelling of today's params.yaml."""
    return without_measured(with_phases(params))


def without_measured(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the same parameters without the figures for the card, which decide nothing."""
    pack = params.get("pack")
    if not isinstance(pack, Mapping):
        return params
    return {**params, "pack": {name: value for name, value in pack.items() if name not in MEASURED}}


def with_phases(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the same parameters with `train.then` written as `train.phases`: `then: [x]` -> `phases: [{}, x]`."""
    train = params.get("train")
    if not isinstance(train, Mapping) or "then" not in train:
        return params
    if "phases" in train:
        raise SettingsError("params.train states both phases and then, its older spelling; leave then out")
    rest = {name: value for name, value in train.items() if name != "then"}
    return {**params, "train": {**rest, "phases": _phases(train["then"])}}


def _phases(then: Any) -> Any:
    """Return one phase for the section itself and one for each entry. What is no list is left for the checks."""
    entries = [then] if isinstance(then, Mapping) else then
    if not isinstance(entries, list):
        return entries
    return [{}, *(_phase(entry) for entry in entries)] if entries else []


def _phase(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    stated = {name: value for name, value in entry.items() if (name, value) != ("batch_columns", 0)}
    return {**DEFAULTS_OF_THEN, **stated}


def with_mixtures(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the same parameters with each mixture that is a name replaced by that entry of `train.mixtures`.

    Raise SettingsError for a name that is not there.
    """
    train = params.get("train")
    if not isinstance(train, Mapping):
        return params
    mixtures = train.get("mixtures", {})
    named = _with_mixture(train, mixtures, where="params.train")
    phases = train.get("phases")
    if isinstance(phases, list):
        named["phases"] = [
            _with_mixture(phase, mixtures, where=f"params.train.phases[{number}]")
            for number, phase in enumerate(phases)
        ]
    return {**params, "train": named}


def _with_mixture(settings: Any, mixtures: Any, *, where: str) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    name = settings.get("mixture")
    if not isinstance(name, str):
        return dict(settings)
    known = mixtures if isinstance(mixtures, Mapping) else {}
    if name not in known:
        raise SettingsError(f"{where}.mixture is {name!r}, which train.mixtures does not hold; {_hint(name, known)}")
    return {**settings, "mixture": known[name]}


def _hint(name: str, known: Mapping[str, Any]) -> str:
    near = nearest(name, list(known))
    return f"did you mean {near}?" if near else f"it holds {', '.join(known) or 'none'}"
