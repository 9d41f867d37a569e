"""What the fields are that a manifest adds to rows: values, and the row itself as it is sent."""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass
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
from tap_analytics.commands.importing.airbyte.range_start import EPOCHS
from tap_analytics.commands.importing.airbyte.request_scope import Scope
from tap_analytics.config.declarations.templates import PARTITIONS, RECORD, RESOURCES
from tap_analytics.records.time_format import TimeFormat, TimeFormatError

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component

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
_MOMENT = re.compile(r"\b(?:now_utc|today_utc|generate_uuid)\(")
#: Days whose texts may be numbers, and may not.
_MOMENTS = (datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 10, 11, 12, 13, 14, tzinfo=UTC))
_QUOTED = re.compile(r"(['\"])(\{\{[^{}]*\}\})\1")
#: A name that can be a part of a dotted path.
_QUOTABLE = re.compile(r"[^{}'\"\\]+")
_MEMBER = re.compile(r"[^.\s*\[\]{}'\"]+")


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
    elif any(each.form or each.is_quoted or not _is_known(each) for each in value.placeholders):
        raise UndecidedError
    return value


def _check_within(value: Value, *, is_text: bool) -> None:
    """Raise `UndecidedError` for an object or a list with others than values of its row."""
    within = [] if isinstance(value, Later) else [*laters_in(value)]
    for each in within:
        each.template()
        if is_text or each.settings or any(n.form or not _is_known(n) for n in each.placeholders):
            raise UndecidedError


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


def sources_of(text: str) -> set[str]:
    """Return the fields of the row that an expression names."""
    return {next(filter(None, found)) for found in _FIELD.findall(text)}


def is_momentary(text: str) -> bool:
    """Whether an expression has the moment of a run, or chance."""
    return _MOMENT.search(text) is not None


def time_source_of(text: str) -> str | None:
    """Return the path of the field that an expression writes as a time of another format."""
    found = next(filter(None, (each.fullmatch(text) for each in _TIMES)), None)
    steps = _STEP.findall(found[1]) if found else ()
    return ".".join(next(filter(None, step)) for step in steps) or None


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
