"""The settings of a connector, as its specification describes them."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.jinja_texts import needs_only
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Setting,
    UndecidedError,
    Unset,
    Value,
)
from tap_analytics.commands.importing.loading import Object, as_list, as_object
from tap_analytics.commands.importing.notes import shown

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.commands.importing.notes import Notes

#: Parts of a request that a variable can stand for, as it names them.
_COMPUTED = {"path": "path", "request_parameters": "param"}
#: Objects that group settings; their names say nothing about a value.
_GROUPS = {"credentials", "authentication", "auth", "auth_type", "authorization"}


class Settings:
    """Gives each setting its default, or a variable for what a user must fill in."""

    def __init__(self, specification: Object, notes: Notes, *, changes_given: bool = False) -> None:
        self.specification = specification
        self.notes = notes
        #: Whether the manifest changes what a user fills in, so that no default is sure.
        self.changes_given = changes_given
        #: Variables of texts that are computed from settings.
        self._computed: dict[tuple[str, str], str] = {}

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
        if self.changes_given and not is_secret:
            rules = "spec.config_normalization_rules"
            self.notes.add(rules, "change settings: the variables must be what they give.")
            return self._noted(name, Setting(self._variable(path)), is_set=None)
        if defaults and not is_secret and defaults.count(defaults[0]) == len(found):
            self.notes.add(where, f"`config.{shown(name)}` is replaced by its default.")
            return defaults[0]
        variable = self._variable(path)
        requirements = {is_required for _, is_required in found}
        is_list = any(each.get("type") == "array" for each, _ in found)
        # A secret is filled in by whoever imports the manifest.
        if requirements == {True} or is_secret:
            return self._noted(name, Setting(variable, is_list=is_list), is_set=True)
        if len(found) > 1:
            return self._noted(name, Setting(variable, is_list=is_list), is_set=None)
        return Unset(name, variable, is_known=bool(found), is_list=is_list)

    def computed(self, text: str, word: str, where: str) -> Later:
        """Return the variable for a text of a request that is computed from nothing but settings.

        Raises `UndecidedError` for other texts.
        """
        kind, _, name = word.partition(".")
        if kind not in _COMPUTED or not needs_only(text, {"config", "parameters", "options"}):
            raise UndecidedError
        source = (word, "".join(text.split()))
        if source not in self._computed:
            name = f"{_COMPUTED[kind]}_{name}" if name else kind
            self._computed[source] = self.notes.new_variable(name)
        variable = self._computed[source]
        self.notes.add(where, f"is computed: {variable} must be what it gives.")
        return Later((Setting(variable),))

    def note_use(self, value: Value, unset: Sequence[Unset], where: str) -> None:
        """Note which settings that aren't required are variables of a value, and which are not."""
        used = {each.variable: each for each in _settings_in(value)}
        for each in unset:
            if each.variable and each.variable in used:
                self._noted(each.name, Setting(each.variable), is_set=None)
            else:
                self.notes.add(where, f"`config.{shown(each.name)}` isn't set there.")
        for setting in used.values():
            if setting.notation:
                self.notes.add(where, f"{setting.variable} must be {setting.notation}.")

    def note_lists(self, value: Value, where: str) -> None:
        """Note the settings of a request that may have several values."""
        for each in _settings_in(value):
            if each.is_list and not each.notation:
                text = f"{each.variable} is one value: for several, write a list in its place."
                self.notes.add(where, text)

    def _variable(self, path: tuple[str, ...]) -> str:
        *groups, last = path
        names = [group for group in groups if group not in _GROUPS]
        return self.notes.variable("_".join((*names, last)))

    def _noted(self, name: str, setting: Setting, *, is_set: bool | None) -> Later:
        self.notes.add("", f"`config.{shown(name)}` becomes {setting.variable}.")
        return Later((setting,), is_set=is_set)


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


def _settings_in(value: Value) -> Iterator[Setting]:
    if isinstance(value, Unset):
        yield from value.later.settings
    elif isinstance(value, Later):
        yield from value.settings
    elif isinstance(value, list):
        for each in value:
            yield from _settings_in(each)
