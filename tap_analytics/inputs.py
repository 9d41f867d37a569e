"""The files a user hands in: configuration, catalog and state, each checked for its shape.

What is wrong with a file is told here, by the file's name, so that no later step trips over it.
"""

from __future__ import annotations

import json
import typing as t
from decimal import Decimal
from pathlib import Path

from singer_sdk.plugin_base import _ConfigInput

from tap_analytics.errors import InputError

if t.TYPE_CHECKING:
    from collections.abc import Iterable

JsonObject = dict[str, t.Any]


def read_config(paths: Iterable[str]) -> _ConfigInput:
    """Read configuration files, later ones over earlier ones; `ENV` stands for the environment."""
    config: JsonObject = {}
    parse_env = False
    for path in paths:
        if path == "ENV":
            parse_env = True
        else:
            config |= _read_config_file(path)
    return _ConfigInput(config=config, parse_env=parse_env)


def _read_config_file(path: str) -> JsonObject:
    # The value may be the configuration itself, by mistake: it must not be shown.
    if path.lstrip().startswith(("{", "[")):
        raise InputError("--config takes the path of a JSON file, or ENV, not JSON itself.")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise InputError(f"The config file {path} can't be read: {reason}.") from None
    return _object(text, f"config file {path}")


def read_json(file: t.IO[str] | None, kind: str) -> JsonObject | None:
    """Read a catalog or state file; raises `InputError` for one that is not of its kind."""
    if file is None:
        return None
    name = f"{kind} file {getattr(file, 'name', '')}".rstrip()
    try:
        text = file.read()
    except (OSError, UnicodeDecodeError):
        raise InputError(f"The {name} can't be read as UTF-8 text.") from None
    content = _object(text, name) if text.strip() or kind == "catalog" else {}
    return _catalog(content, name) if kind == "catalog" else _state(content, name)


def _object(text: str, name: str) -> JsonObject:
    try:
        # A bookmark may be a fraction, and must come back as it was written.
        content = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        # A decoder's text tells the place, never the content.
        raise InputError(f"The {name} is not JSON: {error}.") from None
    if not isinstance(content, dict):
        raise InputError(f"The {name} must hold a JSON object, not {type(content).__name__}.")
    return content


def _catalog(content: JsonObject, name: str) -> JsonObject:
    streams = content.get("streams")
    if not isinstance(streams, list):
        raise InputError(f"The {name} is not a Singer catalog: it has no list of `streams`.")
    for number, entry in enumerate(streams):
        if problem := _catalog_problem(entry):
            raise InputError(f"The {name} is not a Singer catalog: streams[{number}] {problem}.")
    return content


def _catalog_problem(entry: object) -> str | None:
    if not isinstance(entry, dict):
        return "is not an object"
    if not isinstance(entry.get("tap_stream_id"), str):
        return "has no `tap_stream_id`"
    schema = entry.get("schema")
    properties = schema.get("properties", {}) if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return "has no `schema` with `properties`"
    if odd := [name for name, inner in properties.items() if not isinstance(inner, dict)]:
        return f"('{entry['tap_stream_id']}') has no schema for its property '{odd[0]}'"
    metadata = entry.get("metadata", [])
    if not isinstance(metadata, list) or not all(map(_is_metadata, metadata)):
        return "has a `metadata` that is not a list of breadcrumbs"
    return None


def _is_metadata(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("breadcrumb"), list)
        and isinstance(entry.get("metadata"), dict)
    )


def _state(content: JsonObject, name: str) -> JsonObject:
    if content.get("type") == "STATE":
        # A line of the tap's output, as it stands.
        content = content.get("value") or {}
    bookmarks = content.get("bookmarks", {})
    if not isinstance(bookmarks, dict) or not all(
        isinstance(bookmark, dict) for bookmark in bookmarks.values()
    ):
        raise InputError(f"The {name} is not a Singer state: it has no object of `bookmarks`.")
    if content and "bookmarks" not in content:
        raise InputError(f"The {name} is not a Singer state: it has no `bookmarks`.")
    return content
