"""Convert the transformations of rows to steps of processing."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tap_analytics.commands.importing.airbyte.components import class_for
from tap_analytics.commands.importing.airbyte.jinja_texts import has_expressions
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Placeholder,
    UndecidedError,
    Unset,
    Value,
    laters_in,
    literal,
    with_templates,
)
from tap_analytics.commands.importing.airbyte.range_start import EPOCHS
from tap_analytics.commands.importing.airbyte.request_scope import Scope
from tap_analytics.commands.importing.airbyte.whole_rows import (
    WHOLE,
    hashed,
    is_copy,
    is_json,
    keeps_columns,
)
from tap_analytics.commands.importing.loading import Object, as_list
from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown
from tap_analytics.config.declarations.templates import PARTITIONS, RECORD, RESOURCES
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.jinja_values import Path

#: A member that is replaced by an empty object where it is missing, as `(record.x or {})`.
_OR_EMPTY = re.compile(r"\(\s*(record[\w.]*(?:\.get\([^()]*\)|\[[^\[\]]*\])*)\s+or\s+\{\s*\}\s*\)")
#: A field of the row in an expression.
_FIELD = re.compile(r"\brecord(?:\.get\(\s*['\"]([^'\"]+)|\[\s*['\"]([^'\"]+)|\.(?!get\()(\w+))")
#: The first member of a placeholder for a field of the row.
_FIRST = re.compile(rf"{RECORD}\.(?:([^.\[]+)|\['([^']+)'\])")
_PATH = r"record((?:\.\w+|\[\s*(?:'[^']+'|\"[^\"]+\")\s*\])+)"
_STEP = re.compile(r"\.(\w+)|'([^']+)'|\"([^\"]+)\"")
#: A time of the row in another format, or without what follows a character.
_TIMES = (
    re.compile(rf"\{{\{{\s*format_datetime\(\s*{_PATH}\s*,\s*['\"][^'\",]*['\"]\s*\)\s*\}}\}}"),
    re.compile(rf"\{{\{{\s*{_PATH}\.split\(\s*['\"].['\"]\s*\)\[0\]\s*\}}\}}"),
)
_MOMENT = re.compile(r"\b(?:now_utc|today_utc|generate_uuid)\(")
#: Days whose texts may be numbers, and may not.
_MOMENTS = (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 10, 11, 12, 13, 14, tzinfo=UTC))
_QUOTED = re.compile(r"(['\"])(\{\{[^{}]*\}\})\1")
#: A name that can be a part of a dotted path.
_QUOTABLE = re.compile(r"[^{}'\"\\]+")
_MEMBER = re.compile(r"[^.\s*\[\]{}'\"]+")


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
    row_scope = _RowScope(partitions=scope.partitions, interval=scope.interval, form=form)
    for each in stream.children("transformations"):
        if made.classes and each.kind in {"AddFields", "RemoveFields"}:
            # The steps of a resource precede its class.
            raise UnsupportedError(f"its rows are changed by {shown(each.kind)} after a class")
        if each.kind == "AddFields":
            _add_fields(each, row_scope, made, stream)
        elif each.kind == "RemoveFields":
            _remove_fields(each, made)
        else:
            made.classes.append(class_for(each, "post_process", "its rows are changed by"))
        each.note_unread()
    return made


@dataclass(frozen=True, kw_only=True)
class _RowScope(Scope):
    """The values of a row, besides those of its slice."""

    #: The format of the ends of its interval.
    form: str

    def look_up(self, path: Path) -> Value:
        """Return the value at a path; raises `UndecidedError`."""
        if path.root != RECORD:
            return super().look_up(path)
        if not path.names or not all(map(_QUOTABLE.fullmatch, path.names)):
            raise UndecidedError
        members = "".join(
            f".{name}" if _MEMBER.fullmatch(name) and not name.isdecimal() else _in_brackets(name)
            for name in path.names
        )
        return Later((Placeholder(f"{RECORD}.{members.removeprefix('.')}"),))


def _in_brackets(name: str) -> str:
    return f"[{name}]" if name.isdecimal() else f"['{name}']"


# --- added fields ---------------------------------------------------------------------------


def _add_fields(
    part: Component, scope: _RowScope, made: Transformations, stream: Component
) -> None:
    computed = []
    for each in part.children("fields"):
        path = each.get("path")
        if not isinstance(path, list) or not path or not all(map(_is_text, path)):
            raise UnsupportedError("the path of an added field is computed")
        is_plain = len(path) == 1 and not part.get("condition")
        if is_plain and _add_exactly(path[0], each, made, stream):
            each.note_unread()
            continue
        try:
            value = _value(each, scope) if is_plain else ...
        except UndecidedError:
            value = ...
        if value is ...:
            computed.append(".".join(path))
            sources = _sources(str(each.get("value")))
            made.computed[".".join(path)] = sources
            if (source := _time_source(str(each.get("value")).strip())) is not None:
                made.times[".".join(path)] = source
            if not sources and _MOMENT.search(str(each.get("value"))):
                made.momentary.add(".".join(path))
            made.added.pop(path[0], None)
        else:
            made.add(path[0], value)
            if each.get("value_type"):
                made.typed.add(path[0])
        each.note_unread()
    if computed:
        part.note("fields", f"{listed(computed)} would have to be computed: left as rows have it.")


def _add_exactly(name: str, field: Component, made: Transformations, stream: Component) -> bool:
    """Add a field that needs the very row that the CDK has; False for another."""
    source = WHOLE if is_copy(field) else hashed(field)
    if source is None or not made.is_sent(source) or not is_json(stream):
        return False
    cursor = stream.child("incremental_sync")
    if cursor is not None and cursor.get("cursor_field") == name:
        return False
    if source == WHOLE and not keeps_columns(stream):
        return False
    if is_copy(field):
        made.add_row(name)
    else:
        made.add_hash(name, source)
    return True


def _sources(text: str) -> set[str]:
    """Return the fields of the row that an expression names."""
    return {next(filter(None, found)) for found in _FIELD.findall(text)}


def _time_source(text: str) -> str | None:
    """Return the path of the field that an expression writes as a time of another format."""
    found = next(filter(None, (each.fullmatch(text) for each in _TIMES)), None)
    steps = _STEP.findall(found[1]) if found else ()
    return ".".join(next(filter(None, step)) for step in steps) or None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _check_within(value: Value, *, is_text: bool) -> None:
    """Raise `UndecidedError` for an object or a list with others than values of its row."""
    within = [] if isinstance(value, Later) else [*laters_in(value)]
    for each in within:
        each.template()
        if is_text or each.settings or any(n.form or not _is_known(n) for n in each.placeholders):
            raise UndecidedError


def _value(part: Component, scope: _RowScope) -> Value:
    """Return the value of an added field; raises `UndecidedError`."""
    text = part.get("value")
    is_text = part.get("value_type") == "string"
    if not isinstance(text, str):
        return text
    if not has_expressions(text):
        return text if is_text else _literal(text)
    quoted = _QUOTED.fullmatch(text.strip())
    text = _OR_EMPTY.sub(r"\1", quoted[2] if quoted else text.strip())
    value = part.evaluated(text, "value", scope)
    if isinstance(value, Unset):
        return value.later
    _check_within(value, is_text=bool(quoted or part.get("value_type")))
    if not isinstance(value, Later):
        if quoted:
            return str(value)
        return value if is_text or not isinstance(value, str) else _literal(value)
    if value.bound and not value.bound.form:
        _check_bound(scope.form, is_text=is_text or bool(quoted))
    elif any(each.form or not _is_known(each) for each in value.placeholders):
        raise UndecidedError
    return value


def _check_bound(form: str, *, is_text: bool) -> None:
    """Raise `UndecidedError` where an end of an interval has another type than its format gives."""
    try:
        texts = [str(TimeFormat(form).write(each)) for each in _MOMENTS]
    except TimeFormatError:
        raise UndecidedError from None
    kinds = {str if is_text else type(literal(text)) for text in texts}
    if kinds != {int if form in EPOCHS else str} or (form not in EPOCHS and "%s" in form):
        raise UndecidedError


def _literal(text: str) -> Value:
    """Return a constant as the CDK reads it: a literal of Python, or else a text."""
    value = literal(text)
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise UndecidedError from None


def _is_known(each: Placeholder) -> bool:
    return each.name.partition(".")[0] in {RECORD, RESOURCES, PARTITIONS}


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
        is_said = not part.get("condition") and _is_plain(path)
        (names if is_said else kept).append(text)
    made.remove(names)
    made.keeps_fields |= bool(kept)
    if kept:
        part.note("field_pointers", f"{listed(kept)} can't be said: rows keep these fields.")


def _is_plain(path: object) -> bool:
    """Whether a path leads to one field, and can be written with dots."""
    if not isinstance(path, list) or not all(isinstance(name, str) for name in path):
        return False
    is_column = len(path) == 1 and "*" not in path[0]
    return is_column or all(map(_MEMBER.fullmatch, path))
