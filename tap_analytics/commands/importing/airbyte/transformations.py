"""Convert the transformations of rows to steps of processing."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from tap_analytics.commands.importing.airbyte.added_fields import (
    WHOLE,
    RowScope,
    hashed,
    is_copy,
    is_momentary,
    is_text_column,
    part_of_text,
    sources_of,
    time_source_of,
    value_of,
)
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Placeholder,
    UndecidedError,
    Value,
    laters_in,
    literal_text,
    with_templates,
)
from tap_analytics.commands.importing.airbyte.stream_parts import class_for
from tap_analytics.commands.importing.loading import Object, as_list
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown
from tap_analytics.config.declarations.templates import RECORD

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.request_scope import Scope

#: The first member of a placeholder for a field of the row.
_FIRST = re.compile(rf"{RECORD}\.(?:([^.\[]+)|\['([^']+)'\])")
_NAME = re.compile(r"[^.\s*\[\]{}'\"]+")
#: What a field holds that is the row.
_ROW = Later((Placeholder(RECORD),))


@dataclass
class Transformations:
    """What transformations make of rows."""

    steps: list[Object] = field(default_factory=list)
    #: The values of fields that are added.
    added: dict[str, Value] = field(default_factory=dict)
    #: Dotted paths of fields that are computed, and so have another value or none, with the fields
    #: of the row that they are computed from.
    computed: dict[str, set[str]] = field(default_factory=dict)
    #: The dotted path of the field that is the same time as one of them, and not less precise.
    times: dict[str, str] = field(default_factory=dict)
    #: Those of them that are made of nothing but the moment of a run, or of chance.
    momentary: set[str] = field(default_factory=set)
    #: Added fields whose type is said, where the tap keeps that of the value.
    typed: set[str] = field(default_factory=set)
    #: Classes that change the rows after the steps.
    classes: list[str] = field(default_factory=list)
    #: Whether rows have fields that the manifest removes.
    keeps_fields: bool = False

    @property
    def windows(self) -> dict[str, str]:
        """The added fields that are an end of the window of a row, with its placeholder."""
        bounds = {name: each.bound for name, each in self.added.items() if isinstance(each, Later)}
        return {name: bound.name for name, bound in bounds.items() if bound}

    def sources(self, name: str) -> set[str] | None:
        """Return what a field is computed from; None for one that isn't computed."""
        return next(
            (found for path, found in self.computed.items() if f"{name}.".startswith(f"{path}.")),
            None,
        )

    def add(self, name: str, value: Value) -> None:
        """Add a field; a step sees what the steps before it have added."""
        last = self.steps[-1].get("add_fields") if self.steps else None
        if last is None or any(_source(each) in last for each in _placeholders(value)):
            last = {}
            self.steps.append({"add_fields": last})
        last[name] = with_templates(value)
        self.added[name] = value
        self.computed.pop(name, None)

    def add_row(self, name: str) -> None:
        """Add the row, as an object."""
        self.steps.append({"add_fields": {name: WHOLE}})
        self.added[name] = _ROW
        self.computed.pop(name, None)

    def add_hash(self, name: str, source: str) -> None:
        """Add the hash of the row or of one of its fields."""
        self.steps.append({"add_hashes": {name: source}})
        self.added[name] = Later((Placeholder(source[1:-1]),))
        self.computed.pop(name, None)

    def add_part(self, name: str, source: str, pattern: str) -> None:
        """Add the part of a field that a pattern finds, a text."""
        self.add(name, Later((Placeholder(f"{RECORD}.{source}"),)))
        self.steps.append({"match_fields": {name: literal_text(pattern, is_escaped=False)}})

    def leave(self, path: list[str], text: str) -> None:
        """Leave a field as rows have it, which the expression in a text would compute."""
        name = ".".join(path)
        self.computed[name] = sources = sources_of(text)
        if (source := time_source_of(text.strip())) is not None:
            self.times[name] = source
        if not sources and is_momentary(text):
            self.momentary.add(name)
        self.added.pop(path[0], None)

    def is_sent(self, source: str) -> bool:
        """Whether the row, or a field of it, is what the CDK has at this step."""
        if source == WHOLE:
            is_same = all(value is _ROW for value in self.added.values())
            return is_same and not self.computed and not self.keeps_fields
        changed = {path.partition(".")[0] for path in (*self.added, *self.computed)}
        return _source(source[1:-1]) not in changed and not self.keeps_fields

    def remove(self, names: list[str]) -> None:
        """Remove fields."""
        if names:
            self.steps.append({"remove_fields": names})
        for name in names:
            self.added.pop(name, None)


def transformations_of(stream: Component, scope: Scope) -> Transformations:
    """Return the steps of a stream; raises `UnsupportedError` where fields get unknown names."""
    made = Transformations()
    cursor = stream.child("incremental_sync")
    form = str(cursor.get("datetime_format")) if cursor else ""
    row_scope = RowScope(
        partitions=scope.partitions, joined=scope.joined, interval=scope.interval, form=form
    )
    for each in stream.children("transformations"):
        if made.classes and each.kind in {"AddFields", "RemoveFields"}:
            # The steps of a resource precede its class.
            raise UnsupportedError(f"its rows are changed by {shown(each.kind)} after a class")
        if each.kind == "AddFields":
            _add_fields(each, row_scope, made, stream)
        elif each.kind == "RemoveFields":
            _remove_fields(each, made)
        elif each.kind != "DpathFlattenFields" or not _flatten(each, made, stream):
            made.classes.append(class_for(each, "post_process", "its rows are changed by"))
        each.note_unread()
    return made


# --- added fields ---------------------------------------------------------------------------


def _add_fields(part: Component, scope: RowScope, made: Transformations, stream: Component) -> None:
    computed = []
    for each in part.children("fields"):
        path = each.get("path")
        if not isinstance(path, list) or not path or not all(isinstance(n, str) for n in path):
            raise UnsupportedError("the path of an added field is computed")
        is_plain = len(path) == 1 and not part.get("condition")
        is_added = is_plain and (
            _add_exactly(path[0], each, made, stream)
            or _add_value(path[0], each, made, scope)
            or _add_part(path[0], each, made, stream)
        )
        if not is_added:
            computed.append(".".join(path))
            made.leave(path, str(each.get("value")))
        each.note_unread()
    if computed:
        part.note("fields", f"{listed(computed)} would have to be computed: left as rows have it.")


def _add_exactly(name: str, field: Component, made: Transformations, stream: Component) -> bool:
    """Add a field that needs the very row that the CDK has; False for another."""
    source = WHOLE if is_copy(field) else hashed(field)
    if source is None or not made.is_sent(source) or not _is_json(stream):
        return False
    cursor = stream.child("incremental_sync")
    if cursor is not None and cursor.get("cursor_field") == name:
        return False
    if source == WHOLE and not _keeps_columns(stream):
        return False
    if is_copy(field):
        made.add_row(name)
    else:
        made.add_hash(name, source)
    return True


def _add_value(name: str, field: Component, made: Transformations, scope: RowScope) -> bool:
    """Add a field whose value can be said; False for another."""
    try:
        value = value_of(field, scope)
    except UndecidedError:
        return False
    made.add(name, value)
    if field.get("value_type"):
        made.typed.add(name)
    return True


def _add_part(name: str, field: Component, made: Transformations, stream: Component) -> bool:
    """Add a field that is a part of a text, and a text itself; False for another."""
    found = part_of_text(str(field.get("value")))
    is_sent = found is not None and made.is_sent(f"{{{RECORD}.{found[0]}}}")
    if found is None or not is_sent or not is_text_column(stream, name):
        return False
    made.add_part(name, *found)
    return True


def _flatten(part: Component, made: Transformations, stream: Component) -> bool:
    """Move the members of an object to the top level; False where that can't be said."""
    path = as_list(part.get("field_path"))
    part.ignore("key_transformation", "replace_record")
    words = {word: part.value.get(word) for word in ("key_transformation", "replace_record")}
    # Another field of a name of its members would keep it.
    is_same = not made.computed and not made.keeps_fields and not any(words.values())
    is_whole = part.get("delete_origin_value") is True and stream.get("incremental_sync") is None
    is_path = path and all(isinstance(name, str) and _NAME.fullmatch(name) for name in path)
    if not (is_same and is_whole and is_path):
        return False
    made.steps.append({"flatten_fields": [".".join(path)]})
    made.keeps_fields = True
    return True


def _is_json(stream: Component) -> bool:
    """Whether rows have the types of JSON."""
    decoder = stream.child("retriever", "decoder")
    return decoder is None or decoder.kind == "JsonDecoder"


def _keeps_columns(stream: Component) -> bool:
    """Whether no nested field becomes a column before the steps, as keys and cursors do."""
    names = stream.values("primary_key")
    is_flat = all(isinstance(name, str) and re.fullmatch(r"[\w-]+", name) for name in names)
    return is_flat and stream.get("incremental_sync") is None


def _placeholders(value: Value) -> list[str]:
    return [each.name for later in laters_in(value) for each in later.placeholders]


def _source(name: str) -> str:
    """Return the field of the row that a placeholder begins with."""
    found = _FIRST.match(name)
    return (found[1] or found[2]) if found else ""


# --- removed fields -------------------------------------------------------------------------


def _remove_fields(part: Component, made: Transformations) -> None:
    names: list[str] = []
    kept: list[str] = []
    for path in as_list(part.get("field_pointers")):
        text = ".".join(map(str, path)) if isinstance(path, list) else str(path)
        # What fields are left to be computed from stays.
        is_needed = any(text.partition(".")[0] in names for names in made.computed.values())
        is_said = not part.get("condition") and _is_plain(path) and not is_needed
        (names if is_said else kept).append(text)
    made.remove(names)
    made.keeps_fields |= bool(kept)
    if kept:
        what = "can't be said, or others are computed from them"
        part.note("field_pointers", f"{listed(kept)} {what}: rows keep these fields.")


def _is_plain(path: object) -> bool:
    """Whether a path leads to one field, and can be written with dots."""
    if not isinstance(path, list) or not all(isinstance(name, str) for name in path):
        return False
    is_column = len(path) == 1 and "*" not in path[0]
    return is_column or all(map(_NAME.fullmatch, path))
