"""Placeholders in requests: `{resources.customers.id}`, `{incremental.start_value}`.

A text with placeholders is a `Template`; `{{` and `}}` are braces in it, as in dlt. Rendering is a
pure function of a request and the values: of the parent, of the bookmark, of the page.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from urllib.parse import quote

from tap_analytics.config.declarations.object_reader import scalar
from tap_analytics.pagination.placement import PLACEHOLDERS
from tap_analytics.records.duration import Duration
from tap_analytics.records.notation import moment_of
from tap_analytics.records.time_format import TimeFormat, TimeFormatError
from tap_analytics.records.time_part import TimePart

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

START = "incremental.start_value"
END = "incremental.end_value"
INITIAL = "incremental.initial_value"
LAST = "incremental.last_value"
BOOKMARK_VALUES = (START, END, INITIAL, LAST)
#: Those that a row has from the window it was read in.
WINDOW_VALUES = (START, END)
#: Those that change from request to request, but for the values of parents.
RUN_VALUES = (*BOOKMARK_VALUES, *PLACEHOLDERS)
#: What begins the placeholders of parts of a start; a pattern follows.
_PART = f"{START}.%"
#: First part of the placeholders that a parent gives, and of those that a row gives itself.
RESOURCES = "resources"
RECORD = "record"
#: That of the placeholders that the values of a list give.
PARTITIONS = "partitions"
#: That of the moment a run begins; a format of times follows, `-P1D` before it is a day earlier.
MOMENT = "now"

_TOKEN = re.compile(
    r"\{\{|\}\}|\{(now(?:[-+]P\w+)?\.(?:%[^\n{}']+|\w+)|\+?[A-Za-z_]\w*(?:\.?\['[^'{}]+'\]|\.[^\s{}.']+)*"
    r"(?:\.%[^\n{}']+)?)\}|[{}]",
    re.ASCII,
)
#: A placeholder in doubled braces or with blanks, as templates of other tools have it.
_FOREIGN = re.compile(
    r"(?<!\{)\{(?:\{(?!\{)\s*|\s+)((?:incremental|record|resources)\.[\w.]+)[^{}]*\}\}?"
)


_MOMENT = re.compile(rf"{MOMENT}(?:([-+])(P\w+))?\.(.+)", re.ASCII | re.DOTALL)

#: A run begins between these.
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(3000, 1, 1, tzinfo=UTC)

#: Segments of a path that lead elsewhere.
_STEPS = {".", ".."}


class TemplateError(ValueError):
    """A text whose placeholders can't be read; the message follows the name of the field."""


@dataclass(frozen=True)
class Template:
    """A text with placeholders, in pairs: a literal text, and the name of the value behind it.

    A name that begins with `+` is that of a value of a path whose slashes stay, as in RFC 6570.
    """

    parts: tuple[tuple[str, str | None], ...]

    @property
    def ordered(self) -> tuple[str, ...]:
        """The names of the values it needs, in their order."""
        return tuple(name.removeprefix("+") for _, name in self.parts if name is not None)

    @property
    def names(self) -> frozenset[str]:
        """The names of the values it needs."""
        return frozenset(self.ordered)

    @property
    def sole(self) -> str | None:
        """The name of the value where the text is nothing but one placeholder."""
        return self.parts[0][1] if len(self.parts) == 1 and not self.parts[0][0] else None

    def fill(self, values: Mapping[str, t.Any], text_of: Callable[[t.Any], str]) -> str:
        """Return the text with values; a placeholder without a value stays as it is."""
        return "".join(
            literal + ("" if name is None else _value_text(name, values, text_of))
            for literal, name in self.parts
        )


def _value_text(name: str, values: Mapping[str, t.Any], text_of: Callable[[t.Any], str]) -> str:
    given = name.removeprefix("+")
    if given not in values:
        return f"{{{name}}}"
    text = text_of(values[given])
    if given == name or _STEPS.intersection(str(values[given]).split("/")):
        return text
    return text.replace("%2F", "/")


Text = str | Template


def parse_template(text: str, *, short: bool = False, of_row: bool = False) -> Text:
    """Return a text as a template, or as it is sent where it has no placeholder.

    With `short`, names without a dot are placeholders too; elsewhere such a text is sent as it is,
    for it may be JSON or GraphQL. With `of_row`, the text is a value of a row, made from the row
    and its parent. Raises `TemplateError`.
    """
    if "{" not in text and "}" not in text:
        return text
    if foreign := _FOREIGN.search(text):
        raise TemplateError(f"has `{foreign[0]}`. Write {{{foreign[1]}}}.")
    parts: list[tuple[str, str | None]] = []
    literal, end, is_odd = "", 0, False
    for found in _TOKEN.finditer(text):
        literal, end = literal + text[end : found.start()], found.end()
        name = found[1]
        if name is not None and (short or "." in name or (of_row and name == RECORD)):
            mark, name = name[: name.startswith("+")], name.removeprefix("+")
            if mark and not short:
                raise TemplateError(
                    f"has {{+{name}}}, which keeps slashes in a path. Write {{{name}}}."
                )
            parts.append((literal, mark + _known(name, of_row=of_row)))
            literal = ""
        else:
            is_odd |= found[0] not in {"{{", "}}"}
            literal += found[0][0] if found[0] in {"{{", "}}"} else found[0]
    literal += text[end:]
    if is_odd and (parts or short):
        raise TemplateError("has braces that aren't a placeholder. Write them as {{ and }}.")
    if not parts:
        return text if is_odd else literal
    if of_row and (RECORD in {name for _, name in parts}) and (literal or parts[0][0] or parts[1:]):
        raise TemplateError(f"has {{{RECORD}}}, the row, in a text. Write it alone.")
    return Template((*parts, (literal, None)) if literal else tuple(parts))


def _known(name: str, *, of_row: bool) -> str:
    """Return the name of a placeholder, or raise `TemplateError` for one without a meaning."""
    scope, _, rest = name.partition(".")
    is_parents = not rest or (scope == RESOURCES and "." in rest) or (scope == RECORD and of_row)
    of_run = WINDOW_VALUES if of_row else RUN_VALUES
    if is_parents:
        return _checked(name, divided(rest)[1], partial(TimeFormat, tells_days=False))
    if name in of_run:
        return name
    if scope == PARTITIONS and "." not in rest:
        return name
    if not of_row and (moment := _MOMENT.fullmatch(name)):
        if moment[1] and not all(map(_moved(moment), (_FIRST, _LAST))):
            raise TemplateError(f"has {{{name}}}, but {moment[2]} isn't a duration such as P1D.")
        return _checked(name, moment[3])
    if not of_row and name.startswith(_PART):
        return _checked(name, name.removeprefix(f"{START}."), TimePart)
    others = (*of_run, f"{RECORD}.…" if of_row else f"{MOMENT}.date")
    known = ", ".join(f"{{{each}}}" for each in (f"{RESOURCES}.…", f"{PARTITIONS}.…", *others))
    raise TemplateError(f"has the unknown placeholder {{{name}}}. Known: {known}.")


def _checked(name: str, form: str, read: Callable[[str], object] = TimeFormat) -> str:
    """Return the name of a placeholder with a format, or raise `TemplateError` for a wrong one."""
    try:
        if form:
            read(form)
    except TimeFormatError as error:
        raise TemplateError(f"has {{{name}}}, whose format {error}") from None
    return name


def divided(name: str) -> tuple[str, str]:
    """Return a name in the rows of a parent, and the pattern of times behind it, which may lack."""
    field, mark, form = name.partition(".%")
    return field, f"{mark[1:]}{form}"


def time_text(form: str, value: object) -> str | int | None:
    """Return a time of a row in a pattern; None for what is neither ISO 8601 nor epoch seconds."""
    moment = moment_of(value, "epoch_s" if type(value) is int else "iso")
    try:
        return None if moment is None else TimeFormat(form, tells_days=False).write(moment)
    except OverflowError:
        # An offset leads out of the calendar.
        return None


def start_parts(names: Iterable[str]) -> dict[str, TimePart]:
    """Return the placeholders that are parts of where a run or a window begins."""
    return {
        name: TimePart(name.removeprefix(f"{START}.")) for name in names if name.startswith(_PART)
    }


def is_run_value(name: str) -> bool:
    """Whether a placeholder changes from request to request, but for those of parents."""
    return name in RUN_VALUES or name.startswith(_PART)


def bookmark_names(names: Iterable[str]) -> set[str]:
    """Return the values of the bookmark that placeholders are, or are parts of."""
    found = {START if name.startswith(_PART) else name for name in names}
    return found.intersection(BOOKMARK_VALUES)


def moment_text(name: str, began: datetime) -> str | int | None:
    """Return the value of a placeholder of the moment a run began; None for other placeholders."""
    found = _MOMENT.fullmatch(name)
    moment = _moved(found)(began) if found else None
    return TimeFormat(found[3]).write(moment) if found and moment else None


def _moved(found: re.Match[str]) -> Callable[[datetime], datetime | None]:
    """Return what moves a moment by the duration in a placeholder."""
    span = Duration.parse(found[2] or "")
    if span is None:
        return lambda moment: None if found[2] else moment
    return lambda moment: span.after(moment, 1 if found[1] == "+" else -1)


def parse_json(value: t.Any, *, of_row: bool = False) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with its texts as templates. Raises `TemplateError`."""
    if isinstance(value, str):
        return parse_template(value, of_row=of_row)
    if isinstance(value, list):
        return [parse_json(each, of_row=of_row) for each in value]
    if isinstance(value, dict):
        return {name: parse_json(each, of_row=of_row) for name, each in value.items()}
    return value


Param = Text | tuple[Text, ...]


@dataclass(frozen=True, kw_only=True)
class RequestParts:
    """What a request consists of, with templates where values are still to come."""

    path: Text = ""
    #: A tuple is sent as one parameter per value.
    params: Mapping[str, Param] = field(default_factory=dict)
    headers: Mapping[str, Text] = field(default_factory=dict)
    #: Body of a POST, not yet encoded: JSON, or the fields of a form.
    json: t.Any = None
    data: Mapping[str, Param] | None = None

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """All templates, those of the path first."""
        found = [*templates_in([self.path, self.params, self.headers, self.data, self.json])]
        return tuple(found)

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the values that it needs."""
        return frozenset().union(*(template.names for template in self.templates))

    @cached_property
    def text_names(self) -> frozenset[str]:
        """Those that become text, unlike JSON values that are one placeholder."""
        others = [self.path, self.params, self.headers, self.data]
        texts = [each for each in templates_in(self.json) if each.sole is None]
        return frozenset().union(*(each.names for each in (*templates_in(others), *texts)))

    @cached_property
    def fixed_names(self) -> frozenset[str]:
        """Those of path and JSON body, where nothing can be left out."""
        return frozenset().union(*(each.names for each in templates_in([self.path, self.json])))

    def render(self, values: Mapping[str, t.Any]) -> RequestParts:
        """Return the request with values; a parameter, header or field that lacks its value goes.

        Values are encoded in the path. A JSON value that is one placeholder takes the value as it
        is. In path and body a placeholder without a value stays.
        """
        if not self.names:
            return self
        return RequestParts(
            # A value may begin with a slash, as that in front of it.
            path=re.sub(r"^/+", "/", _text(self.path, values, _path_text)),
            params=_entries(self.params, values),
            headers=t.cast("Mapping[str, Text]", _entries(self.headers, values)),
            json=_filled(self.json, values),
            data=None if self.data is None else _entries(self.data, values),
        )


def names_in(values: object) -> frozenset[str]:
    """Return the names of the values that parts of a request need."""
    return frozenset().union(*(template.names for template in templates_in(values)))


def templates_in(value: object) -> Iterator[Template]:
    """Yield the templates in a JSON value, in their order."""
    if isinstance(value, Template):
        yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from templates_in(each)
    elif isinstance(value, dict):
        yield from templates_in([*value.values()])


def _text(
    text: Text, values: Mapping[str, t.Any], text_of: Callable[[t.Any], str] | None = None
) -> str:
    return text if isinstance(text, str) else text.fill(values, text_of or _plain_text)


def _entries(entries: Mapping[str, Param], values: Mapping[str, t.Any]) -> dict[str, Param]:
    return {
        name: tuple(_text(each, values) for each in entry)
        if isinstance(entry, tuple)
        else _text(entry, values)
        for name, entry in entries.items()
        if all(each.names <= values.keys() for each in templates_in(entry))
    }


def _filled(value: t.Any, values: Mapping[str, t.Any]) -> t.Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Template):
        sole = value.sole
        return (
            values[sole] if sole is not None and sole in values else value.fill(values, _plain_text)
        )
    if isinstance(value, list):
        return [_filled(each, values) for each in value]
    if isinstance(value, dict):
        return {name: _filled(each, values) for name, each in value.items()}
    return value


def _plain_text(value: object) -> str:
    return scalar(value) or str(value)


def _path_text(value: object) -> str:
    return quote(str(value), safe="")
