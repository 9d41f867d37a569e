"""Components of a manifest: resolves references, passes on parameters, records unread keys."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.commands.importing.airbyte.connector_settings import Settings
from tap_analytics.commands.importing.airbyte.jinja_texts import evaluate
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Path,
    UndecidedError,
    Unset,
    Value,
    concatenated,
    known_text,
)
from tap_analytics.commands.importing.airbyte.request_scope import NOTHING
from tap_analytics.commands.importing.loading import (
    MOST_VALUES,
    TOO_LARGE,
    JsonValue,
    Object,
    as_list,
    as_object,
)
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.request_scope import Scope
    from tap_analytics.commands.importing.notes import Notes

#: A value, its path, and the paths of its keys that come from a reference.
Located = tuple[t.Any, str, dict[str, str]]
_WHOLE = re.compile(r"\d{1,9}", re.ASCII)
#: Keys that don't change requests or rows, or that match the behaviour of the tap.
_SILENT = {
    *("type", "$parameters", "$options", "$ref", "description", "title", "class_name", "name"),
    *("primary_key", "use_cache", "url_base", "decoder", "stream_cursor_field", "min_wait"),
    *("ignore_stream_slicer_parameters_on_paginated_requests", "schema_normalization"),
    *("transform_before_filtering", "inject_on_first_request", "cursor_granularity"),
    *("end_datetime", "is_data_feed", "is_client_side_incremental", "is_compare_strictly"),
    *("partition_field_start", "partition_field_end", "global_substream_cursor", "start_value"),
    *("incremental_dependency", "lazy_read_pointer", "error_message", "failure_type", "max_time"),
    *("scopes", "access_token_name", "expires_in_name"),
}


class Manifest:
    """A manifest, with its references and the settings of its connector."""

    def __init__(self, value: Object, notes: Notes) -> None:
        self.value = value
        self.notes = notes
        self._followed = 0
        self._computed_bases: set[str] = set()
        spec = as_object(value.get("spec"))
        described = as_object(spec.get("connection_specification"))
        rules = as_object(spec.get("config_normalization_rules"))
        self.settings = Settings(described, notes, changes_given=bool(rules.get("transformations")))

    def root(self) -> Component:
        """Return the manifest as a component."""
        return Component(self, (self.value, "", {}), {})

    def located(self, value: JsonValue, path: str, open_refs: tuple[str, ...] = ()) -> Located:
        """Return a value with its reference resolved, its path, and the paths of its keys."""
        self._followed += 1
        if self._followed > MOST_VALUES:
            raise InputError(TOO_LARGE)
        ref = value.get("$ref") if isinstance(value, dict) else value
        if not isinstance(ref, str) or not (isinstance(value, dict) or _is_reference(ref)):
            return value, path, {}
        if ref in open_refs:
            raise InputError(f"`$ref: {shown(ref)}` refers to itself. Write out its value.")
        open_refs = (*open_refs, ref)
        base, base_path, words = self.located(*self._at(ref, open_refs), open_refs)
        own = (
            {word: inner for word, inner in value.items() if word != "$ref"} if value != ref else {}
        )
        if not own or not isinstance(base, dict):
            return base, base_path, words
        below = {word: words.get(word, base_path) for word in base if word not in own}
        return {**base, **own}, path, below

    def base_variable(self, text: str, where: str) -> str:
        """Return the variable for a base URL that isn't known; there is one for all streams."""
        self._computed_bases.add("".join(text.split()))
        if len(self._computed_bases) > 1:
            raise UnsupportedError("its url_base is computed, unlike those of others")
        variable = self.notes.variable("base_url")
        if text:
            self.notes.add(where, f"is computed: it becomes {variable}.")
        return variable

    def unfolded(self, value: JsonValue) -> JsonValue:
        """Return a value with all references resolved."""
        value = self.located(value, "")[0]
        if isinstance(value, dict):
            return {name: self.unfolded(inner) for name, inner in value.items()}
        return [self.unfolded(each) for each in value] if isinstance(value, list) else value

    def _at(self, ref: str, open_refs: tuple[str, ...]) -> tuple[t.Any, str]:
        """Return the value and path of a reference."""
        found: t.Any = self.value
        path = ""
        parts = (
            ref[5:-1].split(".") if ref.startswith("*ref(") else ref.removeprefix("#/").split("/")
        )
        for part in parts:
            found = self.located(found, path, open_refs)[0]
            index = int(part) if isinstance(found, list) and _WHOLE.fullmatch(part) else None
            if isinstance(found, dict) and part in found:
                found, path = found[part], f"{path}.{part}".strip(".")
            elif index is not None and index < len(found):
                found, path = found[index], f"{path}[{index}]"
            else:
                raise InputError(
                    f"`$ref: {shown(ref)}` doesn't exist. Correct it, or write out its value."
                )
        return found, path


def _is_reference(value: str) -> bool:
    return value.startswith("#/") or (value.startswith("*ref(") and value.endswith(")"))


class Component:
    """A component of a manifest, with its inherited parameters and its path."""

    def __init__(self, manifest: Manifest, located: Located, parameters: Object) -> None:
        self.manifest = manifest
        self.value, self.path, self._words = located
        own = self.value.get("$parameters", self.value.get("$options"))
        self.parameters = {**parameters, **as_object(own)}
        self._read: set[str] = set()

    def place(self, word: str) -> str:
        """Return the path of a key, which may come from a reference."""
        path = self._words.get(word.partition(".")[0].partition("[")[0], self.path)
        return f"{path}.{word}".strip(".")

    @property
    def kind(self) -> str:
        """The type of the component; of one without it, the class that it names."""
        named = self.value.get("type") or self.value.get("class_name") or ""
        return str(named).rpartition(".")[2]

    def expect(self, kind: str, what: str) -> None:
        """Raise `UnsupportedError` for a component of another kind; `what` begins the reason."""
        if self.kind not in {"", kind}:
            article = "n" if what.endswith(" a") and self.kind[0] in "AEIOU" else ""
            raise UnsupportedError(f"{what}{article} {shown(self.kind)}")

    def note(self, word: str, text: str) -> None:
        """Add a note on a key."""
        self.manifest.notes.add(self.place(word), text)

    def ignore(self, *words: str) -> None:
        """Mark keys as read that have no effect."""
        self._read.update(words)

    def get(self, word: str) -> JsonValue:
        """Return the value of a key, or of the parameter of that name."""
        self._read.add(word)
        value = self.manifest.located(self.value.get(word), "")[0]
        inherited = None if value else self._inherited(word)[0]
        return value if inherited is None else inherited

    def _inherited(self, word: str) -> Located:
        """Return the parameter of the name of a key."""
        return self.manifest.located(self.parameters.get(word), self.place(word))

    def _below(self, word: str) -> Object:
        """Return the parameters of what is at a key: all but that of its name."""
        return {name: each for name, each in self.parameters.items() if name != word}

    def child(self, word: str, *further: str) -> Component | None:
        """Return the component at a key, or at a path of keys."""
        if not isinstance(self.get(word), dict):
            return None
        located = self.manifest.located(self.value.get(word), self.place(word))
        inherited = self._inherited(word)
        if not located[0] and inherited[0] is not None:
            located = inherited
        found = Component(self.manifest, located, self._below(word))
        return found.child(*further) if further else found

    def values(self, word: str) -> list[t.Any]:
        """Return the value of a key as a list; a single value becomes its only item."""
        value = self.get(word)
        return value if isinstance(value, list) else [value] if value else []

    def children(self, word: str) -> list[Component]:
        """Return the components in the list at a key."""
        found = []
        for index, given in enumerate(as_list(self.get(word))):
            located = self.manifest.located(given, self.place(f"{word}[{index}]"))
            if isinstance(located[0], dict):
                found.append(Component(self.manifest, located, self._below(word)))
            else:
                self.note(f"{word}[{index}]", "isn't a component: left out.")
        return found

    def text(self, word: str, scope: Scope = NOTHING) -> str | None:
        """Return a text with its expressions replaced, or None if one can't be."""
        value = self.get(word)
        return self.interpolated(value, word, scope) if isinstance(value, str) else None

    def credential(self, word: str) -> str | None:
        """Return a text in which each setting of the connector is replaced by a variable."""
        value = self.get(word)
        return self.interpolated(value, word, is_secret=True) if isinstance(value, str) else None

    def interpolated(
        self, text: str, word: str, scope: Scope = NOTHING, *, is_secret: bool = False
    ) -> str | None:
        """Return a text with its expressions replaced, as a template if it has placeholders.

        None if one of them can't be told. With `is_secret`, settings are variables, and of values
        that are given conditionally the first is taken.
        """
        try:
            value = self.evaluated(text, word, scope, is_secret=is_secret)
            if isinstance(value, str):
                return value
            if value is None or isinstance(value, dict | list):
                return None
            found = concatenated([value])
            return found.template() if isinstance(found, Later) else str(found)
        except UndecidedError:
            return None

    def evaluated(
        self,
        text: str,
        word: str,
        scope: Scope = NOTHING,
        *,
        is_secret: bool = False,
        is_sent: bool = False,
    ) -> Value:
        """Return the value of a text; raises `UndecidedError` if it can't be told.

        With `is_sent`, a setting that is empty unless a user fills it in is `Unset`.
        """
        where, unset = f"{self.path}.{word}".strip("."), []

        def look_up(path: Path) -> Value:
            if path.root in {"parameters", "options"}:
                return self._parameter(path.names)
            if path.root == "stream_state":
                self.manifest.notes.add(where, "is that of a first sync, whatever the state is.")
                return Unset() if path.names else {}
            if path.root != "config":
                return scope.look_up(path)
            value = self.manifest.settings.value(path.names, where, is_secret=is_secret)
            unset.extend([value] if isinstance(value, Unset) else [])
            return value

        value = evaluate(text, look_up, is_lenient=is_secret)
        self.manifest.settings.note_use(value, unset, where)
        return value if is_sent else known_text(value)

    def _parameter(self, names: tuple[str, ...]) -> Value:
        """Return a parameter; one that has expressions itself isn't known."""
        value: Value = self.parameters
        for name in names:
            if not isinstance(value, dict):
                raise UndecidedError
            if name not in value:
                return Unset()
            value = self.manifest.located(value[name], "")[0]
        if "{{" in str(value):
            raise UndecidedError
        return value

    def integer(self, word: str) -> int | None:
        """Return an integer, which may be written as a string."""
        value = self.get(word)
        if isinstance(value, str):
            value = self.interpolated(value, word) or ""
            value = int(value) if _WHOLE.fullmatch(value) else None
        return value if type(value) is int else None

    def note_unread(self, *, silent: t.Collection[str] = ()) -> None:
        """Add notes on keys that weren't read."""
        by_path: dict[str, list[str]] = {}
        for word, value in self.value.items():
            if word not in {*self._read, *_SILENT, *silent} and value not in (None, [], {}, ""):
                by_path.setdefault(self._words.get(word, self.path), []).append(word)
        for path, words in by_path.items():
            self.manifest.notes.unknown(path, words, "supported")
