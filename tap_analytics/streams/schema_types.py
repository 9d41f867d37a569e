"""Schema fields, and types of nested values.

Nested times are plain strings: targets store nested values as JSON, and some validators fail on
formats inside nullable objects.
"""

from __future__ import annotations

import typing as t

from singer_sdk import typing as th
from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Callable

Fragment = dict[str, t.Any]
Field: t.TypeAlias = "th.Property[t.Any]"


def field(
    name: str, type_: th.JSONTypeHelper[t.Any] | type, description: str, *, required: bool = False
) -> Field:
    """Return a field, nullable unless required."""
    return th.Property(name, type_, required=required, description=description)


def _field_of(type_: type) -> Callable[..., Field]:
    def make(name: str, description: str, *, required: bool = False) -> Field:
        return field(name, type_, description, required=required)

    return make


string = _field_of(th.StringType)
integer = _field_of(th.IntegerType)
number = _field_of(th.NumberType)
boolean = _field_of(th.BooleanType)
date_time = _field_of(th.DateTimeType)
anything = _field_of(th.AnyType)


class OpenObject(th.ObjectType):
    """An object that may have other members than declared."""

    @property
    @override
    def type_dict(self) -> Fragment:
        fragment = t.cast("Fragment", _without_time_formats(super().type_dict))
        if not fragment.get("properties"):
            # Flattening creates columns from `properties`, and none if empty.
            fragment.pop("properties", None)
        return fragment


class LooseObject(OpenObject):
    """An open object that may arrive as a list when it is empty."""

    @property
    @override
    def type_dict(self) -> Fragment:
        return {**super().type_dict, "type": ["object", "array", "null"], "items": {}}


class LooseArray(th.ArrayType[t.Any]):
    """A list that may arrive as an object when it is empty."""

    @property
    @override
    def type_dict(self) -> Fragment:
        return {**super().type_dict, "type": ["array", "object", "null"]}


def _without_time_formats(fragment: t.Any) -> t.Any:  # noqa: ANN401 - any part of a schema
    if isinstance(fragment, list):
        return [_without_time_formats(part) for part in fragment]
    if not isinstance(fragment, dict):
        return fragment
    return {
        word: _without_time_formats(part)
        for word, part in fragment.items()
        if not (word == "format" and part in {"date-time", "date", "time"})
    }
