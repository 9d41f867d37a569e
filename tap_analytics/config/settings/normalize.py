"""Normalizes configurations from files and environment variables.

Environment variables are strings, and unset ones are often empty: values are converted here to the
types of the settings. Values that can't be converted are left for `problems` to report.
"""

from __future__ import annotations

import contextlib
import json
import typing as t
from decimal import Decimal

from tap_analytics.config.settings.catalog import APIS, COMMON, TOP
from tap_analytics.config.settings.checks import nearest, shown_name

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_analytics.config.settings.setting import JsonSchema, Setting

#: Maximum nesting of objects and lists in a setting.
DEEPEST = 100
_BOOLEANS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_FROM_JSON: dict[str, tuple[type, ...]] = {
    "integer": (int, float),
    "number": (int, float),
    "object": (dict,),
    "array": (list,),
}


def clean(
    config: Mapping[str, t.Any], *, blocks: Mapping[str, Sequence[Setting]]
) -> dict[str, t.Any]:
    """Return a normalized copy of a configuration.

    Empty strings and null count as missing, except null for a nullable setting in a block with
    other values; a block without values is removed. Unknown settings are kept.
    """
    top = {setting.name: setting for setting in (APIS, *TOP)}
    cleaned: dict[str, t.Any] = {}
    for name, given in plain(dict(config)).items():
        if name in blocks:
            value = _clean_object(converted(given, "object"), (*blocks[name], *COMMON))
        elif name in top:
            value = _clean_value(given, top[name])
        else:
            cleaned[name] = given
            continue
        if _has_value(value):
            cleaned[name] = value
    return cleaned


def plain(value: t.Any) -> t.Any:  # noqa: ANN401 - any JSON value
    """Return a copy with floats instead of `Decimal`, which the SDK reads from files."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def _clean_object(value: object, settings: Sequence[Setting]) -> object:
    if not isinstance(value, dict):
        return value
    by_name = {setting.name: setting for setting in settings}
    cleaned: dict[str, t.Any] = {}
    for name, given in value.items():
        setting = by_name.get(name)
        if setting is None:
            cleaned[name] = given
            continue
        fitted = _clean_value(given, setting)
        if not _is_blank(given) and (fitted is None or not _is_blank(fitted)):
            cleaned[name] = fitted
        elif given is None and setting.nullable:
            cleaned[name] = None
    return cleaned


def _clean_value(value: object, setting: Setting) -> object:
    if setting.nullable and isinstance(value, str) and value.strip().lower() == "null":
        return None
    if setting.kind == "string" and not setting.secret and type(value) is int:
        return str(value)
    value = converted(value, setting.kind)
    return _clean_object(value, setting.parts) if setting.parts else value


def converted(value: object, kind: str) -> object:
    """Convert a string to a value of a type; return it unchanged if that fails."""
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and kind == "boolean":
        return _BOOLEANS.get(value.strip().lower(), value)
    if isinstance(value, str) and kind in _FROM_JSON:
        with contextlib.suppress(ValueError, RecursionError):
            read = json.loads(value)
            fits = isinstance(read, _FROM_JSON[kind]) and not isinstance(read, bool)
            if fits and not too_deep([read]):
                return converted(read, kind)
    return value


def _is_blank(value: object) -> bool:
    return value is None or value == {} or (isinstance(value, str) and not value.strip())


def _has_value(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_value(inner) for inner in value.values())
    return not _is_blank(value) and value != []


def environment(schema: JsonSchema, prefix: str, environ: Mapping[str, str]) -> dict[str, t.Any]:
    """Read a configuration from environment variables.

    `learning.api_key` is `<prefix>LEARNING_API_KEY`; an object may also be JSON in
    `<prefix>LEARNING`, which variables for single settings override.
    """
    found: dict[str, t.Any] = {}
    for name, fragment in schema.get("properties", {}).items():
        variable = (prefix + name).upper().replace("-", "_")
        inner = environment(fragment, f"{variable}_", environ)
        if variable in environ:
            whole = converted(environ[variable], _kind(fragment))
            if not inner or not _is_blank(whole):
                found[name] = merged(whole, inner)
                continue
        if inner:
            found[name] = inner
    return found


def unknown_variables(
    schema: JsonSchema, prefix: str, environ: Mapping[str, str], *, inherited: bool = False
) -> list[str]:
    """Return a line for each variable with the prefix that isn't a setting.

    Two underscores in a row mark a Meltano extra. With `inherited`, the name of an inheriting
    plugin may precede the name of a setting.
    """
    known = dict(_variables(schema, prefix))
    opened = tuple(f"{name}_" for name, is_open in known.items() if is_open)
    ends = tuple(f"_{name.removeprefix(prefix)}" for name in known) if inherited else ()
    unknown = [
        name
        for name in sorted(environ)
        if name.startswith(prefix)
        and name not in {*known, f"{prefix}LOGLEVEL"}
        and not (name.startswith(opened) or name.endswith(ends) or "__" in name)
    ]
    return [_unknown_variable(name, prefix, known) for name in unknown]


def _unknown_variable(name: str, prefix: str, known: Iterable[str]) -> str:
    # The common prefix doesn't count for similarity.
    near = nearest(name.removeprefix(prefix), [each.removeprefix(prefix) for each in known])
    hint = f"Did you mean `{prefix}{near}`?" if near else "`tap-analytics --about` lists them."
    return f"The variable `{shown_name(name)}` names no setting and is ignored. {hint}"


def _variables(schema: JsonSchema, prefix: str) -> Iterator[tuple[str, bool]]:
    """Yield the variables of settings, and whether each is an object with arbitrary members."""
    for name, fragment in schema.get("properties", {}).items():
        variable = (prefix + name).upper().replace("-", "_")
        is_open = fragment.get("additionalProperties") is not False
        yield variable, is_open and _kind(fragment) == "object"
        yield from _variables(fragment, f"{variable}_")


def _kind(fragment: JsonSchema) -> str:
    kinds = fragment.get("type", "string")
    named = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return str(named[0]) if named else "string"


def merged(base: object, over: Mapping[str, t.Any]) -> t.Any:  # noqa: ANN401 - an object, if `base` is
    """Merge settings deeply into an object; other values stay unchanged."""
    if not isinstance(base, dict):
        return base
    both = {
        name: merged(base[name], value)
        for name, value in over.items()
        if isinstance(value, dict) and isinstance(base.get(name), dict)
    }
    return {**base, **over, **both}


def too_deep(value: object) -> bool:
    """Whether a value is nested too deeply for recursive functions."""
    level: list[t.Any] = [value]
    for _ in range(DEEPEST):
        inside = [each.values() if isinstance(each, dict) else each for each in level]
        level = [part for each in inside for part in each if isinstance(part, (dict, list))]
        if not level:
            return False
    return True
