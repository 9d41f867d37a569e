"""What the fields are that a manifest adds to rows: values, and the row itself as it is sent."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tap_analytics.commands.importing.airbyte.jinja_texts import has_expressions
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    Path,
    Placeholder,
    UndecidedError,
    Unset,
    Value,
    laters_in,
    literal,
)
from tap_analytics.commands.importing.airbyte.range_bounds import EPOCHS
from tap_analytics.commands.importing.airbyte.request_scope import Scope
from tap_analytics.commands.importing.airbyte.stream_parts import columns_of
from tap_analytics.commands.importing.loading import as_list
from tap_analytics.config.declarations.templates import PARTITIONS, RECORD, RESOURCES
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.jinja_values import Part

#: A member that is replaced by an empty object where it is missing, as `(record.x or {})`.
_OR_EMPTY = re.compile(r"\(\s*(record[\w.]*(?:\.get\([^()]*\)|\[[^\[\]]*\])*)\s+or\s+\{\s*\}\s*\)")
#: A field of the row in an expression.
_FIELD = re.compile(r"\brecord(?:\.get\(\s*['\"]([^'\"]+)|\[\s*['\"]([^'\"]+)|\.(?!get\()(\w+))")
_PATH = r"record((?:\.\w+|\[\s*(?:'[^']+'|\"[^\"]+\")\s*\])+)"
_STEP = re.compile(r"\.(\w+)|'([^']+)'|\"([^\"]+)\"")
#: A time of the row in another format, or without what follows a character.
_TIMES = (
    re.compile(rf"\{{\{{\s*format_datetime\(\s*{_PATH}\s*,\s*['\"][^'\",]*['\"]\s*\)\s*\}}\}}"),
    re.compile(rf"\{{\{{\s*{_PATH}\.split\(\s*['\"].['\"]\s*\)\[0\]\s*\}}\}}"),
)
_TEXT = r"(?P<text>'[^']*'|\"[^\"]*\")"
_MEMBERS = _PATH.replace("record(", "record(?P<path>", 1)
#: A part of a text of the row.
_SEARCHED = re.compile(rf"\{{\{{\s*{_MEMBERS}\s*\|\s*regex_search\(\s*{_TEXT}\s*\)\s*\}}\}}")
_REPLACED = re.compile(rf"\{{\{{\s*{_MEMBERS}\.replace\(\s*{_TEXT}\s*,\s*(?:''|\"\")\s*\)\s*\}}\}}")
_BEGINNING = re.compile(rf"\{{\{{\s*{_MEMBERS}\[\s*:\s*(?P<size>[1-9]\d{{0,3}})\s*\]\s*\}}\}}")
_URL = re.compile(r"https?://\w")
_MOMENT = re.compile(r"\b(?:now_utc|today_utc|generate_uuid)\(")
#: Days whose texts may be numbers, and may not.
_MOMENTS = (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 10, 11, 12, 13, 14, tzinfo=UTC))
_QUOTED = re.compile(r"(['\"])(\{\{[^{}]*\}\})\1")
#: A name that can be a part of a dotted path.
_QUOTABLE = re.compile(r"[^{}'\"\\]+")
_MEMBER = re.compile(r"[^.\s*\[\]{}'\"]+")
_DOTTED = re.compile(r"[\w-]+(?:\.[\w-]+)*")


#: The row as an object.
WHOLE = f"{{{RECORD}}}"

_COPY = re.compile(r"\{\{\s*record\s*\}\}")
_HASH = re.compile(
    r"\{\{\s*record(?:\.(\w+)|\[\s*(?:'([\w-]+)'|\"([\w-]+)\")\s*\])?"
    r"\s*\|\s*hash\s*(?:\(\s*(?:'md5'|\"md5\")?\s*\)\s*)?\}\}",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class RowScope(Scope):
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


# --- values ---------------------------------------------------------------------------------


def value_of(part: Component, scope: RowScope) -> Value:
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
    elif not all(_is_said(each, is_text=is_text) for each in value.placeholders):
        raise UndecidedError
    return value


def _is_said(each: Placeholder, *, is_text: bool) -> bool:
    """Whether a value can be added, with the type it has there."""
    if each.is_quoted or each.is_moment or not _is_known(each):
        return False
    return not each.form or (each.is_rows and _types_of(each.form, is_text=is_text) == {str})


def _check_within(value: Value, *, is_text: bool) -> None:
    """Raise `UndecidedError` for an object or a list with others than values of its row."""
    within = [] if isinstance(value, Later) else [*laters_in(value)]
    for each in within:
        each.template()
        if is_text or each.settings or any(n.form or not _is_known(n) for n in each.placeholders):
            raise UndecidedError


def _check_bound(form: str, *, is_text: bool) -> None:
    """Raise `UndecidedError` where an end of an interval has another type than its format gives."""
    kinds = _types_of(form, is_text=is_text)
    if kinds != {int if form in EPOCHS else str} or (form not in EPOCHS and "%s" in form):
        raise UndecidedError


def _types_of(form: str, *, is_text: bool) -> set[type]:
    """Return the types of times in a format, as the CDK reads them; raises `UndecidedError`."""
    try:
        texts = [str(TimeFormat(form).write(each)) for each in _MOMENTS]
    except TimeFormatError:
        raise UndecidedError from None
    return {str if is_text else type(literal(text)) for text in texts}


def _literal(text: str) -> Value:
    """Return a constant as the CDK reads it: a literal of Python, or else a text."""
    value = literal(text)
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        raise UndecidedError from None


def _is_known(each: Placeholder) -> bool:
    return each.name.partition(".")[0] in {RECORD, RESOURCES, PARTITIONS}


def sources_of(text: str) -> set[str]:
    """Return the fields of the row that an expression names."""
    return {next(filter(None, found)) for found in _FIELD.findall(text)}


def is_momentary(text: str) -> bool:
    """Whether an expression has the moment of a run, or chance."""
    return _MOMENT.search(text) is not None


def time_source_of(text: str) -> str | None:
    """Return the path of the field that an expression writes as a time of another format."""
    found = next(filter(None, (each.fullmatch(text) for each in _TIMES)), None)
    return path_in(found[1]) if found else None


def path_in(members: str) -> str:
    """Return members of the row, as they are in an expression, as a path."""
    return ".".join(next(filter(None, step)) for step in _STEP.findall(members))


# --- parts of texts -----------------------------------------------------------------------------


def part_of_text(text: str) -> tuple[str, str] | None:
    """Return the path of the field of which an expression gives a part, and what matches that."""
    if found := _BEGINNING.fullmatch(text.strip()):
        return path_in(found["path"]), rf"\A([\s\S]{{0,{found['size']}}})"
    found = _SEARCHED.fullmatch(text.strip()) or _REPLACED.fullmatch(text.strip())
    pattern = literal(found["text"]) if found else None
    if found is None or not isinstance(pattern, str):
        return None
    if found.re is _REPLACED:
        # A text that has it elsewhere doesn't match.
        start = re.escape(pattern)
        pattern = rf"\A(?:{start})?((?:(?!{start})[\s\S])*)\Z" if _URL.match(pattern) else ""
    try:
        is_one = re.compile(pattern).groups == 1
    except re.error:
        return None
    return (path_in(found["path"]), pattern) if is_one else None


def is_text_column(stream: Component, name: str) -> bool:
    """Whether a column is described as text, or not at all."""
    column = columns_of(stream).get(name)
    kinds = column.get("type") if isinstance(column, dict) else "string"
    return kinds == "string" or (isinstance(kinds, list) and set(kinds) <= {"string", "null"})


# --- fields that are put together ---------------------------------------------------------------


def joined_of(stream: Component, name: str, scope: str) -> tuple[Part, ...]:
    """Return what an added field is put together from; empty for another field.

    Fields of the row are placeholders below `scope`, by a name that they have in the end.
    """
    history = _History()
    for part in stream.children("transformations"):
        history.read(part)
    parts, step = history.texts.get(name, ((), 0))
    if step != max(history.changes.get(name, [0])) or len(parts) < 2:  # noqa: PLR2004 - a text of its own
        return ()
    found = [_below(history, each, step, scope) for each in parts]
    return tuple(each for each in found if each) if all(found) else ()


def _below(history: _History, part: Part, step: int, scope: str) -> Part | None:
    if isinstance(part, str):
        return part
    source = part.name.partition(".")[2] if isinstance(part, Placeholder) else ""
    name = history.kept(source, step) if _DOTTED.fullmatch(source) else None
    return Placeholder(f"{scope}.{name}") if name else None


@dataclass
class _History:
    """What transformations do to fields, by the number of the step."""

    #: The steps that change a field at the top, or what is in it.
    changes: dict[str, list[int]] = field(default_factory=dict)
    #: The texts of fields, and the step that wrote them.
    texts: dict[str, tuple[tuple[Part, ...], int]] = field(default_factory=dict)
    #: The number of the last step.
    last: int = 0

    def read(self, part: Component) -> None:
        """Read a transformation."""
        if part.kind != "AddFields":
            paths = as_list(part.get("field_pointers")) if part.kind == "RemoveFields" else [""]
            names = [str(path[0]) if isinstance(path, list) and path else "" for path in paths]
            # A pattern may be any field.
            self._change(*(name if _DOTTED.fullmatch(name) else "" for name in names))
        for each in part.children("fields") if part.kind == "AddFields" else ():
            path = each.get("path") or [""]
            self._change(str(path[0]))
            value = None if part.get("condition") or len(path) > 1 else _text_of(each)
            if value is not None:
                self.texts[path[0]] = value.parts, self.last

    def kept(self, source: str, step: int) -> str | None:
        """Return a field that in the end is what another one was at a step."""
        if not self._changed(source, step, self.last):
            return source
        for name, (parts, at) in self.texts.items():
            is_copy = parts == (Placeholder(f"{RECORD}.{source}"),)
            if is_copy and not self._changed(source, *sorted((step, at))):
                return name if self.changes[name][-1] == at else None
        return None

    def _change(self, *names: str) -> None:
        self.last += 1
        for name in names:
            self.changes.setdefault(name, []).append(self.last)

    def _changed(self, source: str, after: int, until: int) -> bool:
        steps = (*self.changes.get(source.partition(".")[0], ()), *self.changes.get("", ()))
        return any(after < step <= until for step in steps)


def _text_of(part: Component) -> Later | None:
    """Return the value of an added field; None for one that isn't made of its row and texts."""
    with part.manifest.notes.provisional():
        try:
            value = value_of(part, RowScope(form=""))
        except UndecidedError:
            return None
    is_text = isinstance(value, Later) and not value.settings
    return value if is_text and all(each.form is None for each in value.placeholders) else None


# --- the row as the CDK has it ----------------------------------------------------------------


def is_copy(field: Component) -> bool:
    """Whether an added field is the row as an object."""
    return not field.get("value_type") and _COPY.fullmatch(_text(field)) is not None


def hashed(field: Component) -> str | None:
    """Return the placeholder of what an added field is the MD5 of; None for another field."""
    found = _HASH.fullmatch(_text(field))
    if found is None or field.get("value_type") not in (None, "string"):
        return None
    name = next(filter(None, found.groups()), "")
    if hasattr(dict, name) or name.isdecimal():
        # A method of the row in Jinja, where it has no such field.
        return None
    inner = f".{name}" if "-" not in name else f".['{name}']"
    return f"{{{RECORD}{inner}}}" if name else WHOLE


def _text(field: Component) -> str:
    return str(field.get("value")).strip()
