"""The settings of a connector, as its specification describes them."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    UndecidedError,
    Unset,
    Value,
)
from tap_analytics.commands.importing.loading import as_list, as_object
from tap_analytics.commands.importing.notes import shown

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.notes import Notes

Object = dict[str, t.Any]

#: Objects that group settings; their names say nothing about a value.
_GROUPS = {"credentials", "authentication", "auth", "auth_type", "authorization"}


class Settings:
    """Gives each setting its default, or a variable for what a user must fill in."""

    def __init__(self, specification: Object, notes: Notes) -> None:
        self.specification = specification
        self.notes = notes

    def value(self, path: tuple[str, ...], where: str, *, is_secret: bool) -> Value:
        """Return what a setting is if a user fills in what is required.

        That is its default, or a variable if it is required or `is_secret`. Any other is `Unset`.
        """
        if not path:
            raise UndecidedError
        found = [*_described(self.specification, path)]
        name = ".".join(path)
        is_secret = is_secret or any(each.get("airbyte_secret") for each, _ in found)
        defaults = [each["default"] for each, _ in found if each.get("default") is not None]
        if defaults and not is_secret and defaults.count(defaults[0]) == len(found):
            self.notes.add(where, f"`config.{shown(name)}` is replaced by its default.")
            return defaults[0]
        variable = self._variable(path)
        requirements = {is_required for _, is_required in found}
        if requirements == {True}:
            return self._noted(name, Later((variable,), is_set=True))
        if is_secret or len(found) > 1:
            return self._noted(name, Later((variable,)))
        return Unset(variable, name)

    def note_unset(self, setting: Unset, where: str, value: Value) -> None:
        """Note whether a setting that isn't required became a variable of a value, or is left."""
        if setting.variable[1:] in str(value):
            self.notes.add("", f"`config.{shown(setting.name)}` becomes {setting.variable}.")
        elif setting.variable:
            self.notes.add(where, f"`config.{shown(setting.name)}` isn't set there.")

    def _variable(self, path: tuple[str, ...]) -> str:
        *groups, last = path
        names = [group for group in groups if group not in _GROUPS]
        return self.notes.variable("_".join((*names, last)))

    def _noted(self, name: str, value: Later) -> Later:
        self.notes.add("", f"`config.{shown(name)}` becomes {value.parts[0]}.")
        return value


def _described(part: Object, path: tuple[str, ...]) -> Iterator[tuple[Object, bool]]:
    """Yield each description of a setting, and whether it is always required."""
    name, *rest = path
    alternatives = [as_object(each) for each in as_list(part.get("oneOf"))]
    for place in (part, *alternatives):
        if name not in as_object(place.get("properties")):
            continue
        inner = as_object(place["properties"][name])
        is_required = name in as_list(place.get("required")) and (
            place is part or len(alternatives) == 1
        )
        if not rest:
            yield inner, is_required
        for each, is_also_required in _described(inner, tuple(rest)) if rest else ():
            yield each, is_required and is_also_required
