"""Validation of a configuration: all problems, one line each, without secrets.

The JSON schema finds values of the wrong type; URLs, credentials, headers and dates are checked
separately.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import typing as t
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator

from tap_analytics.records.codec import kind_of
from tap_analytics.records.notation import parse_iso
from tap_analytics.transport.errors import shorten
from tap_analytics.transport.origin import ascii_host

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from jsonschema import ValidationError

    from tap_analytics.config.settings.setting import JsonSchema, Setting

Path = tuple[str | int, ...]

ENVIRONMENT_PREFIX = "TAP_ANALYTICS_"
EXAMPLE = "https://api.example.com"

_KINDS = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "string": "a string",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
#: Schema keywords whose invalid value may be shown; other values may be secrets.
_SHOWN = {"integer", "number", "boolean", "null"}
_BOUNDS = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HOST = re.compile(r"[\w.-]+|[0-9a-f:.]+(?:%\w+)?", re.IGNORECASE)
#: Unknown names that may be shown.
_NAME = re.compile(r"[\w$.{}-]{1,80}")
_MANY = 10**20
_HEADER_NAME = re.compile(r"[!#$%&'*+.^`|~\w-]+", re.ASCII)


class Problem(t.NamedTuple):
    """A path in the configuration and its problem."""

    path: Path
    text: str


def problems(
    config: Mapping[str, t.Any], schema: JsonSchema, *, blocks: Mapping[str, Sequence[Setting]]
) -> list[str]:
    """Return the problems of a configuration, in the order of the schema.

    `apis` is checked by `tap_analytics.config.declarations.parse`.
    """
    given = {name: value for name, value in config.items() if value is not None}
    replaced = _replaced(given, blocks)
    shape = (problem for problem in _shape(given, schema) if problem.path not in replaced)
    found = [*shape, *_beyond_schema(given, blocks)]
    found.sort(key=lambda problem: _rank(problem.path, schema))
    return list(dict.fromkeys(problem.text for problem in found))


def _replaced(config: Mapping[str, t.Any], blocks: Mapping[str, Sequence[Setting]]) -> set[Path]:
    """Return the settings that may be missing, because another one is given instead."""
    return {
        (name, other)
        for name, settings in blocks.items()
        if isinstance(block := config.get(name), dict)
        for setting in settings
        if setting.name in block
        for other in setting.replaces
        if other not in block
    }


def _rank(path: Path, schema: JsonSchema) -> tuple[int, ...]:
    """Return the position of a setting in the schema; unknown ones come last."""
    rank = []
    for part in path:
        known = list(schema.get("properties", {}))
        index = known.index(part) if part in known else len(known)
        rank.append(part if isinstance(part, int) else index)
        schema = schema.get("properties", {}).get(part, {})
    return tuple(rank)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name most similar to `name`."""
    import difflib  # noqa: PLC0415 - takes time, and few configurations have a typo

    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


# --- what the schema finds ------------------------------------------------------------------


def _shape(config: dict[str, t.Any], schema: JsonSchema) -> Iterator[Problem]:
    apis = {"apis": {"type": "array"}}
    shallow = {**schema, "properties": {**schema["properties"], **apis}}
    reported = set()
    for error in Draft202012Validator(_valid(shallow)).iter_errors(config):
        for problem in _described_error(error, schema):
            # One problem per value: wrong types aren't checked for their range.
            if problem.path not in reported:
                reported.add(problem.path)
                yield problem
    for problem in _not_finite((), {name: config[name] for name in config if name != "apis"}):
        if problem.path not in reported:
            yield problem


def _valid(fragment: t.Any) -> t.Any:  # noqa: ANN401 - any part of a schema
    """Return a schema without the names of types that the SDK writes among the alternatives."""
    if isinstance(fragment, list):
        return [_valid(part) for part in fragment]
    if not isinstance(fragment, dict):
        return fragment
    valid = {keyword: _valid(value) for keyword, value in fragment.items()}
    if isinstance(choices := valid.get("anyOf"), list):
        valid["anyOf"] = [choice for choice in choices if isinstance(choice, dict)]
    return valid


def _described_error(error: ValidationError, schema: JsonSchema) -> Iterator[Problem]:
    path, rule, expected = tuple(error.absolute_path), error.validator, error.validator_value
    if rule == "additionalProperties" and expected is False:
        known = error.schema["properties"]
        for unknown in sorted(set(error.instance) - set(known)):
            yield Problem((*path, unknown), _unknown(path, unknown, schema, known))
    elif rule == "required":
        for missing in (name for name in expected if name not in error.instance):
            yield Problem((*path, missing), _missing(path, missing, error.schema))
    else:
        yield _named(path, _schema_problem(error))


def _schema_problem(error: ValidationError) -> str:
    rule, expected, value = error.validator, error.validator_value, error.instance
    if rule == "type":
        kinds = [expected] if isinstance(expected, str) else list(expected)
        shown = _SHOWN.issuperset(kinds) and not error.schema.get("secret")
        wanted = " or ".join(_KINDS[kind] for kind in kinds)
        return f"must be {wanted}, not {_described(value, shown=shown)}.{_hint(kinds, value)}"
    if rule == "enum":
        return f"must be one of {', '.join(json.dumps(choice) for choice in expected)}."
    if rule in _BOUNDS:
        return f"must be {_BOUNDS[rule]} {expected}, not {readable(value)}."
    if rule == "pattern":
        return "is empty. Remove it or write a value."
    return "isn't valid. Run `tap-analytics --about` to see what it takes."


def _dotted(path: Iterable[str | int]) -> str:
    name = "".join(
        f"[{part}]" if isinstance(part, int) else f".{shown_name(part)}" for part in path
    )
    return name.removeprefix(".")


def shown_name(name: str) -> str:
    """Return a name to show; any other text may be a header with its value, a secret."""
    return name if _NAME.fullmatch(name) else "…"


def readable(number: float) -> object:
    """Format a number."""
    many = isinstance(number, int) and abs(number) >= _MANY
    return "a number of many digits" if many else number


def _described(value: object, *, shown: bool) -> str:
    if isinstance(value, bool):
        return json.dumps(value)
    if not shown or not isinstance(value, (str, int, float)):
        return kind_of(value)
    if isinstance(value, str):
        return f"the string {json.dumps(shorten(value, 40), ensure_ascii=False)}"
    return f"the number {readable(value)}"


def _hint(kinds: list[str], value: object) -> str:
    if isinstance(value, str) and not {"object", "array"}.isdisjoint(kinds):
        return " Written as text it must be valid JSON of that kind."
    if isinstance(value, (int, float)) and "string" in kinds:
        return " Put it in quotes."
    return ""


def _unknown(path: Path, key: str, schema: JsonSchema, known: Collection[str]) -> str:
    name = _dotted((*path, key))
    first, _, rest = key.partition(".")
    if rest and first in known:
        nested = f'{{"{first}": {{"{rest}": …}}}}'
        return f"Unknown setting `{name}`. Write it nested: {nested}."
    if near := nearest(key, known):
        return f"Unknown setting `{name}`. Did you mean `{_dotted((*path, near))}`?"
    elsewhere = [
        f"`{block}.{key}`"
        for block, fragment in schema["properties"].items()
        if key in fragment.get("properties", {})
    ]
    if elsewhere and not path:
        return f"Unknown setting `{name}`. Did you mean {' or '.join(elsewhere)}?"
    return f"Unknown setting `{name}`. Known: {', '.join(known)}."


def _missing(path: Path, key: str, schema: JsonSchema) -> str:
    name = _dotted((*path, key))
    variable = ENVIRONMENT_PREFIX + name.upper().replace(".", "_")
    example = next(iter(schema["properties"][key].get("examples", ())), None)
    what, example = (
        ("the address of the API", example or EXAMPLE)
        if key == "base_url"
        else ("its value", example)
    )
    such = f", such as {example}" if example else ""
    return f"`{name}` is missing: write {what}{such}, there or in `{variable}`."


def _not_finite(path: Path, value: object) -> Iterator[Problem]:
    if isinstance(value, float) and not math.isfinite(value):
        yield Problem(path, f"`{_dotted(path)}` must be a finite number, not {value}.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _not_finite((*path, name), inner)


# --- what the schema can't check ------------------------------------------------------------


def _beyond_schema(
    config: Mapping[str, t.Any], blocks: Mapping[str, Sequence[Setting]]
) -> Iterator[Problem]:
    for name, settings in blocks.items():
        if isinstance(block := config.get(name), dict):
            for path, problem in _block(block, settings):
                yield _named((name, *path), problem)
    if invalid := header_problem("User-Agent", config.get("user_agent")):
        yield _named(("user_agent",), invalid)
    yield from _dates(config)


def _named(path: Path, problem: str) -> Problem:
    return Problem(path, f"`{_dotted(path)}` {problem}")


def _block(block: Mapping[str, t.Any], settings: Sequence[Setting]) -> Iterator[tuple[Path, str]]:
    for setting in settings:
        value = block.get(setting.name)
        if isinstance(value, str) and setting.kind == "string":
            check = url_problem if setting.name == "base_url" else credential_problem
            if problem := check(value):
                yield (setting.name,), problem
            elif setting.required and not value.strip():
                yield (setting.name,), "is empty. Write its value."
        if value is not None and (both := [name for name in setting.replaces if name in block]):
            others = " and ".join(f"`{name}`" for name in both)
            yield (setting.name,), f"is given beside {others}, which it replaces. Remove one."
    headers = block.get("headers")
    for header, content in headers.items() if isinstance(headers, dict) else ():
        if problem := header_problem(header, content):
            yield ("headers", header), problem


def url_problem(url: str, *, may_have_query: bool = False) -> str | None:
    """Return why a text isn't the address of an API, to follow the name of the setting."""
    if re.search(r"[\s\x00-\x1f\x7f-\x9f]", url):
        return "contains white space or control characters. Write the address alone."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return f"isn't a valid URL: its host or port can't be read. Write it like {EXAMPLE}."
    checks = (
        (parts.scheme not in {"http", "https"}, f"must start with https://, like {EXAMPLE}."),
        ("@" in parts.netloc, "must not carry credentials: they have their own settings."),
        (not host, f"names no host. Write it like {EXAMPLE}."),
        (not _is_host(host), "has an impossible host. Write your own site's name."),
        (
            not may_have_query and not {*"?#"}.isdisjoint(url),
            "must not have a query or a fragment: end it before ? or #.",
        ),
        ("#" in url, "must not have a fragment: end it before #."),
    )
    return next((problem for is_wrong, problem in checks if is_wrong), None)


def _is_host(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return _HOST.fullmatch(ascii_host(host)) is not None
    return False


def credential_problem(value: str) -> str | None:
    """Return why a credential can't be sent, without its value."""
    if _CONTROL.search(value):
        return "contains control characters, such as a line break. Copy it again."
    if value != value.strip():
        return "begins or ends with white space. Remove it."
    return None


def header_problem(name: str, value: object) -> str | None:
    """Return why a header can't be sent, without its value."""
    if not _HEADER_NAME.fullmatch(name):
        return "isn't a header name. Write it with letters, digits and hyphens only."
    if not isinstance(value, str):
        return None
    if value.encode("latin-1", "replace").decode("latin-1") != value:
        return "contains characters that a header can't carry. Write it in Latin letters."
    return credential_problem(value)


def _dates(config: Mapping[str, t.Any]) -> Iterator[Problem]:
    written = {name: config.get(name) for name in ("start_date", "end_date")}
    moments: dict[str, datetime | None] = {}
    for name, value in written.items():
        if isinstance(value, str) and not (moments.setdefault(name, parse_iso(value))):
            shown = json.dumps(shorten(value, 40), ensure_ascii=False)
            good = "2026-01-31 or 2026-01-31T00:00:00Z"
            yield Problem((name,), f"`{name}` must be a date such as {good}, not {shown}.")
    start, end = moments.get("start_date"), moments.get("end_date")
    if start and end and end <= start:
        first, last = written["start_date"], written["end_date"]
        yield Problem(("end_date",), f"`end_date` ({last}) must be after `start_date` ({first}).")
