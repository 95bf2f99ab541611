"""Turn plain values into a settings dataclass with pydantic, and say every fault at once in the project's words.

Bounds stand beside the fields, as `epochs: PositiveInt`. Pydantic is imported only when values are checked, so that
importing the settings stays cheap.
"""

import dataclasses
import difflib
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

from annotated_types import Ge, Gt, Le

from legible.errors import SettingsError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
"""A part of a whole, 0 to 1."""


class Section:
    """The base of every settings dataclass: unknown keys and values of another kind are refused."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}


SectionT = TypeVar("SectionT", bound=Section)
Location = Sequence[str | int]


def from_plain(section: type[SectionT], values: Mapping[str, Any], *, where: str) -> SectionT:
    """Return the section made of values as YAML or JSON gives them, nested sections included.

    Raise SettingsError with all faults at once, each with its place, such as `params.train.epochs`.
    """
    content = json.dumps(values, default=str)
    return _checked(section, lambda adapter: adapter.validate_json(content), lambda place: dotted((where, *place)))


def from_text(
    section: type[SectionT], values: Mapping[str, str | Sequence[str]], *, name: Callable[[str], str]
) -> SectionT:
    """Return the section made of texts, such as environment variables; `name` says how a field is called there.

    Raise SettingsError with all faults at once.
    """
    return _checked(
        section,
        lambda adapter: adapter.validate_python(values, strict=False),
        lambda place: dotted((name(str(place[0])), *place[1:])),
    )


def dotted(place: Location) -> str:
    """Return a place as a path: `("train", "phases", 0, "epochs")` -> `train.phases[0].epochs`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place).lstrip(".")


def nearest(name: str, known: Sequence[str], *, cutoff: float = 0.5) -> str | None:
    """Return the known name that is most like `name`, or None where none is."""
    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=cutoff)), None)


@cache
def _adapter(section: type[Any]) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter  # only where values are checked  # noqa: PLC0415

    return TypeAdapter(section)


def _checked(
    section: type[SectionT], validate: Callable[["TypeAdapter[Any]"], Any], name: Callable[[Location], str]
) -> SectionT:
    from pydantic import ValidationError  # as above  # noqa: PLC0415

    try:
        return typing.cast("SectionT", validate(_adapter(section)))  # type: ignore[arg-type]  # a class can be hashed
    except ValidationError as error:
        faults = [_fault(section, fault, name(fault["loc"])) for fault in error.errors(include_url=False)]
        raise SettingsError("; ".join(faults)) from error


NEEDS = {
    "dataclass_type": "it needs keys of its own",
    "tuple_type": "it needs a list",
    "mapping_type": "it needs names with a value each",
    "dict_type": "it needs names with a value each",
    "bool_type": "it needs a bool",
    "bool_parsing": "it needs 1 or 0",
    "string_type": "it needs a str",
    "finite_number": "it needs a finite number",
    "greater_than_equal": "it needs to be at least {ge:g}",
    "greater_than": "it needs to be more than {gt:g}",
    "less_than_equal": "it needs to be at most {le:g}",
    "string_pattern_mismatch": "it needs to match {pattern}",
    "literal_error": "it needs to be {expected}",
}
"""What a value needs, by the type of pydantic's error; its context fills the braces."""


def _fault(section: type[Section], fault: Any, place: str) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "missing":
        return f"{place} is missing"
    if kind == "unexpected_keyword_argument":
        return _unknown(_section_at(section, fault["loc"][:-1]), str(fault["loc"][-1]), place)
    if kind == "value_error":
        return str(context["error"])
    if kind in NEEDS:
        needs = NEEDS[kind].format(**context)
    elif kind.startswith(("int_", "float_")):
        needs = f"it needs a {kind.partition('_')[0]}"
    else:
        needs = fault["msg"]
    return f"{place} is {fault['input']!r}; {needs}"


def _unknown(section: type[Any] | None, key: str, place: str) -> str:
    known = [field.name for field in dataclasses.fields(section)] if section else []
    near = nearest(key, known)
    return f"{place} is unknown; " + (f"did you mean {near}?" if near else f"known: {', '.join(known)}")


def _section_at(section: type[Any], place: Location) -> type[Any] | None:
    """Return the dataclass at a place: the element's for a list of them."""
    for part in place:
        if isinstance(part, int):
            continue
        hint = typing.get_type_hints(section).get(part)
        section = next((kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind)), None)  # type: ignore[assignment]
        if section is None:
            return None
    return section
