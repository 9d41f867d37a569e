"""Reads objects with known fields; collects all problems with their paths."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from tap_analytics.config.settings.catalog import LONGEST, MOST_ROWS
from tap_analytics.config.settings.checks import (
    credential_problem,
    header_problem,
    nearest,
    readable,
    shown_name,
)
from tap_analytics.records.codec import kind_of
from tap_analytics.records.path import parse_path

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: A name of an API or a resource, of which stream names are made.
NAME = re.compile(r"[A-Za-z0-9_]+", re.ASCII)
#: A dotted path, with or without the leading `$.` of JSONPath.
DOTTED = re.compile(
    r"(?:\$\.)?([^\s.$*?@()\[\]{}'\"][^\s.$*?()\[\]{}'\"]*(?:\.[^\s.$*?()\[\]{}'\"]+)*)"
)

#: Fields of dlt's REST source that the tap doesn't support.
UNSUPPORTED = frozenset(
    """
    allow_external_schedulers columns data_selector_required file_format last_value_func
    map max_table_nesting maximum_value merge_key nested_hints on_cursor_value_missing
    parallelized parent range_start references row_order schema_contract
    selected session spec table_format table_name validator yield_map
    """.split()  # noqa: SIM905 - forty names read best as text
)


@dataclass(frozen=True)
class ConfigPath:
    """A path in the configuration, with the list that collects problems."""

    where: str
    problems: list[str]
    path: str = ""

    def at(self, field: str) -> ConfigPath:
        """Return the path of a field."""
        return replace(self, path=self.name(field))

    def item(self, field: str, index: int) -> ConfigPath:
        """Return the path of an item of a list."""
        return replace(self, path=f"{self.name(field)}[{index}]")

    def inside(self, where: str) -> ConfigPath:
        """Return the path of a named part, such as a resource."""
        return replace(self, where=f"{self.where}, {where}", path="")

    def name(self, field: str) -> str:
        """Return the full name of a field."""
        field = shown_name(field)
        return f"{self.path}.{field}" if self.path else field

    def report(self, text: str) -> None:
        """Add a problem; the text names the field."""
        self.problems.append(f"{self.where}: {text}")


def listed(known: Iterable[str]) -> str:
    """Return names as a list of alternatives."""
    return ", ".join(sorted(known)) or "none"


def suggestion(field: object, known: Iterable[str]) -> str:
    """Return the most similar known name as a sentence with a leading space."""
    near = nearest(str(field), known)
    return f" Did you mean `{near}`?" if near else ""


class ObjectReader:
    """An object with known fields; a null field counts as missing."""

    def __init__(
        self,
        value: object,
        place: ConfigPath,
        known: Collection[str],
        *,
        shown: Collection[str] | None = None,
    ) -> None:
        """Report unknown fields; `place` is the path of the object.

        Names not in `shown`, if given, may be credentials and are hidden.
        """
        self.place = place
        self.shown = shown
        self.is_object = isinstance(value, dict)
        self.given: dict[str, t.Any] = value if isinstance(value, dict) else {}
        if not self.is_object and (value is not None or not place.path):
            named = f"`{place.path}`" if place.path else "the entry"
            place.report(f"{named} must be an object, not {kind_of(value)}.")
        for field in (str(name) for name in self.given if name not in known):
            what = "isn't supported" if field in UNSUPPORTED else "is unknown"
            near = suggestion(field, known)
            named = f"`{place.name(field)}`"
            if shown is not None and not near and field not in {*shown, *UNSUPPORTED}:
                named = f"A field of `{place.path}`, not shown as it may be a credential,"
            place.report(f"{named} {what}. Known: {listed(known)}.{near}")

    def __contains__(self, field: str) -> bool:
        return self.given.get(field) is not None

    def at(self, field: str) -> ConfigPath:
        """Return the path of a field."""
        return self.place.at(field)

    def error(self, field: str, text: str) -> None:
        """Report a problem with a field."""
        self.place.report(f"`{self.place.name(field)}` {text}")

    def missing(self, field: str) -> None:
        """Report a missing field, unless the object itself is missing."""
        if self.is_object:
            self.error(field, "is missing. Write its value.")

    def text(self, field: str, *, required: bool = False) -> str | None:
        """Read a non-blank string."""
        value = self.given.get(field)
        if isinstance(value, str) and value.strip():
            return value
        if value is not None and not isinstance(value, str):
            self.error(field, f"must be a string, not {kind_of(value)}.")
        elif value is not None:
            self.error(field, "is empty. Write its value.")
        elif required:
            self.missing(field)
        return None

    def credential(self, field: str, *, may_be_empty: bool = False) -> str:
        """Read a required credential; its value is never shown."""
        if may_be_empty and self.given.get(field) == "":
            return ""
        secret = self.text(field, required=True) or ""
        if text := credential_problem(secret):
            self.error(field, text)
        return secret

    def choice(self, field: str, known: Collection[str], default: str | None = None) -> str | None:
        """Read one of several names; required without a default."""
        value = self.text(field, required=default is None)
        if value is None or value in known:
            return value or default
        shown = "" if self.shown is not None else f"'{value}' "
        hint = f"Known: {listed(known)}.{suggestion(value, known)}"
        self.error(field, f"{shown}is unknown. {hint}")
        return default

    def dotted(self, field: str) -> str | None:
        """Read a path such as `meta.next_cursor`."""
        value = self.text(field)
        path = DOTTED.fullmatch(value or "")
        if value and not path:
            self.error(field, f"'{value}' must be a dotted path such as meta.next.")
        return path[1] if path else None

    def path(self, field: str) -> str | None:
        """Read a path such as `meta.next`, `['@odata.nextLink']` or `data[-1].id`."""
        value = self.text(field)
        if value and parse_path(value) is None:
            self.error(field, f"'{value}' must be a dotted path such as meta.next.")
            return None
        return value and value.removeprefix("$.")

    def integer(self, field: str, *, minimum: int, maximum: int = MOST_ROWS) -> int | None:
        """Read an integer."""
        return t.cast("int | None", self._number(field, minimum, maximum, whole=True))

    def number(self, field: str, *, minimum: float, maximum: float = LONGEST) -> float | None:
        """Read a finite number."""
        value = self._number(field, minimum, maximum, whole=False)
        return None if value is None else float(value)

    def _number(self, field: str, minimum: float, maximum: float, *, whole: bool) -> float | None:
        value: t.Any = self.given.get(field)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if is_number and minimum <= value <= maximum and (isinstance(value, int) or not whole):
            return t.cast("float", value)
        if value is not None:
            kind = "a whole number" if whole else "a number"
            is_large = is_number and value > maximum
            bound = f"at most {maximum:g}" if is_large else f"at least {minimum:g}"
            shown = readable(value) if is_number else kind_of(value)
            self.error(field, f"must be {kind} of {bound}, not {shown}.")
        return None

    def boolean(self, field: str) -> bool | None:
        """Read true or false."""
        value = self.given.get(field)
        if value is None or isinstance(value, bool):
            return value
        self.error(field, f"must be true or false, not {kind_of(value)}.")
        return None

    def texts(self, field: str) -> tuple[str, ...]:
        """Read a string or a list of strings."""
        value = self.given.get(field)
        values = [value] if isinstance(value, str) else value or []
        if isinstance(values, list) and all(isinstance(v, str) and v.strip() for v in values):
            return tuple(values)
        self.error(field, "must be a string or a list of strings, none of them empty.")
        return ()

    def object(self, field: str) -> dict[str, t.Any]:
        """Read an object with any fields."""
        value = self.given.get(field)
        if value is None or isinstance(value, dict):
            return value or {}
        self.error(field, f"must be an object, not {kind_of(value)}.")
        return {}

    def headers(self, field: str) -> dict[str, str]:
        """Read headers; numbers and booleans are sent as in JSON, null removes a header."""
        headers = {}
        for name, value in self.object(field).items():
            content = scalar(value)
            if value is None:
                continue
            if content is None:
                text: str | None = f"must be a string, not {kind_of(value)}."
            else:
                headers[name], text = content, header_problem(name, content)
            if text:
                self.place.report(f"`{self.at(field).name(name)}` {text}")
        return headers


def scalar(value: object) -> str | None:
    """Return a JSON scalar as sent, or None if it isn't one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None
