"""Convert the requests of a stream: path, parameters and headers.

What can't be said leaves the stream out, unless it is known to change no row.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, quote

from tap_analytics.commands.importing.airbyte.jinja_macros import moment_as_text
from tap_analytics.commands.importing.airbyte.jinja_texts import has_expressions
from tap_analytics.commands.importing.airbyte.jinja_values import (
    Later,
    NothingError,
    Placeholder,
    UndecidedError,
    Unset,
    Value,
    as_template,
    concatenated,
    laters_in,
    literal,
)
from tap_analytics.commands.importing.airbyte.page_placement import FIELDS, PageTemplates
from tap_analytics.commands.importing.airbyte.request_scope import RUN_ROOTS, Scope
from tap_analytics.commands.importing.loading import Object, as_object
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.config.declarations.templates import END, START

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.partition_router import Partitioning

_HOST = re.compile(r"[a-z]+://[^/?]+", re.IGNORECASE)
#: A URL whose path is a value of a parent.
_VALUE = re.compile(r"([a-z]+://[^/?{}$]+)(\{\+[^{}]+\})", re.IGNORECASE)
#: The beginning of a placeholder, not of a variable.
_OPENED = re.compile(r"(?<!\$)\{")
#: Headers that don't change what an API returns.
_IRRELEVANT = {"user-agent", "x-request-id", "referer", "accept-encoding", "connection"}


@dataclass
class RequestParts:
    """Reads the parts of a request, and collects the ends of intervals in them."""

    requester: Component
    partitioning: Partitioning
    page: PageTemplates = field(default_factory=PageTemplates)
    #: The ends of an interval that the request names.
    bounds: set[Placeholder] = field(default_factory=set)
    #: The parameters that are nothing but such an end, by `START` or `END`.
    bound_params: dict[str, str] = field(default_factory=dict)

    # --- texts ------------------------------------------------------------------------------

    def value(
        self,
        text: str,
        word: str,
        what: str,
        *,
        is_path: bool = False,
        is_first: bool | None = None,
    ) -> Value:
        """Return the value of a text, with `is_first` on the first page or on later ones.

        Raises `UnsupportedError`.
        """
        try:
            scope = replace(self.partitioning.scope, page=self.page.name, is_first=is_first)
            text = self.page.read(text) if is_first is None else text
            value = _sent_value(self.requester, text, word, scope)
            value = value if is_path else moment_as_text(value)
            laters = [*laters_in(value)]
            for each in laters:
                each.template(is_path=is_path)
        except UndecidedError:
            raise UnsupportedError(f"{what} is computed") from None
        if isinstance(value, Unset):
            value = value.later if value.variable and not value.is_empty else ""
        named = {each for later in laters for each in later.placeholders}
        self.bounds |= {each for each in named if each.name in {START, END}}
        return value

    def text(self, text: str, word: str, what: str, *, is_path: bool = False) -> str:
        """Return a text as a template; raises `UnsupportedError`."""
        value = concatenated([self.value(text, word, what, is_path=is_path)])
        named = value.placeholders if isinstance(value, Later) else ()
        if is_path and any(map(_divides_path, named)):
            raise UnsupportedError(f"{what} is computed")
        return as_template(value, is_path=is_path)

    # --- the address ------------------------------------------------------------------------

    def address(self) -> tuple[str, str]:
        """Return base URL and path of a stream, which may have a query."""
        base, rest = self._base()
        given = str(self.requester.get("path") or "")
        path = self.text(given, "path", "its path", is_path=True).strip()
        if not path.strip("/"):
            return base, rest
        if "://" in path.partition("?")[0]:
            self.page.is_below_base = False
            return _full(path)
        if "?" in rest:
            raise UnsupportedError("its url_base has a query")
        # As they are sent, for the tap quotes only values; empty segments aren't sent.
        path = re.sub(r"\s", lambda blank: quote(blank[0]), path)
        path, mark, query = path.partition("?")
        path = re.sub(r"/{2,}", "/", path) + mark + query
        if not _OPENED.search(rest):
            return f"{base}{rest}", path
        return base, f"{rest.rstrip('/')}/{path.lstrip('/')}"

    def _base(self) -> tuple[str, str]:
        """Return host and path of the base URL; a variable for one that only a user knows."""
        word = "url_base" if self.requester.get("url_base") else "url"
        given = str(self.requester.get(word) or "").strip()
        try:
            base = self.text(given, word, f"its {word}", is_path=True).strip()
        except UnsupportedError:
            if any(root in given for root in RUN_ROOTS):
                raise
            return self.requester.manifest.base_variable(given, self.requester.place(word)), ""
        # Joined parts may have a slash each.
        base = re.sub(r"(?<!:)/{2,}", "/", base)
        if found := _VALUE.fullmatch(base):
            return found[1], f"/{found[2]}"
        host, opened = _HOST.match(base), _OPENED.search(base)
        end = host.end() if host else base.rfind("/", 0, opened.start()) if opened else len(base)
        if end < 0 or _OPENED.search(base[:end]):
            raise UnsupportedError(f"the host of its {word} is computed")
        return base[:end], base[end:]

    # --- parameters and headers -------------------------------------------------------------

    def params(self, query: str) -> Object:
        """Return the parameters, those in the query of the path first."""
        # Nothing but a path has slashes to keep.
        in_path = query_params(re.sub(r"(?<!\{)\{\+", "{", query))
        found = self._entries("request_parameters", "the parameter")
        for name in in_path.keys() & found.keys():
            if str(in_path[name]) != str(found[name]):
                raise UnsupportedError(f"the parameter `{shown(name)}` is in its path too")
        return in_path | found

    def headers(self) -> Object:
        """Return the headers."""
        return self._entries("request_headers", "the header")

    def _entries(self, word: str, what: str) -> Object:
        given = self.requester.get(word)
        if isinstance(given, str) and given.strip():
            self.requester.note(word, "is a text, which the original tool doesn't send: left out.")
        made: Object = {}
        for name, value in as_object(given).items():
            called = f"{what} `{shown(name)}`"
            if has_expressions(name):
                raise UnsupportedError(f"the name of {called} is computed")
            try:
                written = self._on_pages(name, value, word, called)
            except UnsupportedError:
                if word != "request_headers" or name.lower() not in _IRRELEVANT:
                    raise
                self.requester.note(f"{word}.{shown(name)}", "is computed: left out.")
                continue
            if written is None:
                self.requester.note(f"{word}.{shown(name)}", "is empty: left out.")
            else:
                made[name] = written
        return made

    def _on_pages(self, name: str, given: Value, word: str, called: str) -> Value:
        """Return a parameter or header as it is sent on the first page."""
        if not self.page.is_tested(given):
            return self.entry(name, given, word, called)
        first = self.entry(name, given, word, called, is_first=True)
        if not self.page.name:
            return first
        later = self.entry(name, given, word, called, is_first=False)
        if later == first:
            return first
        if word != "request_parameters" or not self.page.changes(name, later):
            raise UnsupportedError(f"{called} is another one on later pages")
        return first

    def entry(
        self, name: str, given: Value, word: str, called: str, *, is_first: bool | None = None
    ) -> Value:
        """Return a parameter, header or field as it is sent, or None to send none."""
        value = given
        if isinstance(given, str):
            value = self.value(given, f"{word}.{name}", called, is_first=is_first)
        if isinstance(value, Later):
            if value.bound and word == "request_parameters":
                self.bound_params.setdefault(value.bound.name, name)
            return value.template()
        values = literal(value)
        if isinstance(values, list) and word != "request_headers":
            return [as_template(concatenated([each])) for each in values if each is not None]
        if isinstance(value, dict | list):
            kind = shown(value.get("type")) if isinstance(value, dict) else ""
            raise UnsupportedError(f"{called} is an object{f', {kind}' if kind else ''}")
        if value in (None, ""):
            return None
        return given if type(given) in {int, float} else as_template(str(value))


def inject(endpoint: Object, option: Component, value: Later) -> None:
    """Add a value to a request where a `request_option` says; raises `UnsupportedError`."""
    place, name = option.get("inject_into"), option.text("field_name")
    path = [name] if name else option.values("field_path")
    is_plain = all(isinstance(each, str) and "{{" not in each for each in path)
    if place not in FIELDS or not path or not is_plain:
        raise UnsupportedError(f"the value of a partition is sent as {shown(place)}")
    if str(place).startswith("body_"):
        endpoint.setdefault("method", "GET")
    target = endpoint.setdefault(FIELDS[place], {})
    *outer, last = path
    for member in outer:
        target = target.setdefault(member, {}) if isinstance(target, dict) else None
    if not isinstance(target, dict) or last in target:
        raise UnsupportedError(f"`{shown(last)}` is sent twice")
    target[last] = value.template()
    option.note_unread()


def _sent_value(part: Component, text: str, word: str, scope: Scope) -> Value:
    """Return the value of a text; raises `UndecidedError`.

    A setting that isn't required is an optional variable, and a text that is computed from nothing
    but settings a variable.
    """
    where = f"{part.path}.{word}".strip(".")
    try:
        with part.manifest.notes.provisional() as keep:
            value = part.evaluated(text, word, scope, is_sent=True)
            optional = value.optional if isinstance(value, Unset) and word != "path" else None
            if optional is None:
                keep()
                part.manifest.settings.note_lists(value, where)
                return value
    except NothingError:
        if word == "path":
            raise
        part.manifest.notes.add(where, "fails there, so it isn't sent.")
        return None
    except UndecidedError:
        if scope.fixed:
            return _sent_value(part, text, word, scope.settled())
        return part.manifest.settings.computed(text, word, where)
    (setting,) = optional.settings
    part.manifest.notes.add(where, f"is sent where {setting.variable} is set.")
    part.manifest.settings.note_lists(optional, where)
    return optional


def _divides_path(part: Placeholder) -> bool:
    """Whether the name of a placeholder would be read as a part of a URL."""
    form = (part.is_parents and part.form) or ""
    return " " in part.full_name or bool(re.search(r"[?#&=+;\\]|//|%[\da-fA-F]{2}", form))


def _full(url: str) -> tuple[str, str]:
    """Return host and path of a path that is a full URL, which replaces the base URL."""
    host = _HOST.match(url)
    if host is None or _OPENED.search(host[0]):
        raise UnsupportedError("the host of its path is computed")
    return host[0], url[host.end() :]


def query_params(text: str) -> Object:
    """Return the parameters of a query, as lists where they are repeated."""
    found: dict[str, list[str]] = parse_qs(text, keep_blank_values=True)
    if any("/" in name or "{" in name for name in found):
        raise UnsupportedError("its query has no names")
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}
