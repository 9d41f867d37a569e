"""Reads configuration, catalog and state files, and checks their structure.

Problems are reported with the name of the file.
"""

from __future__ import annotations

import json
import os
import re
import typing as t
from decimal import Decimal
from pathlib import Path

import yaml
from dotenv import dotenv_values, find_dotenv
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.singerlib import Metadata, Schema

from tap_analytics.config.settings import DEEPEST, merged, too_deep
from tap_analytics.errors import InputError
from tap_analytics.records.codec import JSON_TYPES

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from singer_sdk.singerlib import CatalogEntry

JsonObject = dict[str, t.Any]

#: What isn't text in YAML without quotes: as in JSON, so that dates and `no` are text.
_YAML_VALUES = {
    "null": r"null|~|",
    "bool": r"true|false",
    "int": r"-?(?:0|[1-9][0-9]*)",
    "float": r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?",
    "merge": r"<<",
}

_NEW_CATALOG = "Run `tap-analytics --discover` for a new one."
_STATE = "Give the last STATE line the tap wrote, or no state to read everything."


def environment_variables() -> dict[str, str]:
    """Return the variables of `.env` and of the environment; an empty one isn't set."""
    dotenv = {key: value for key, value in dotenv_values(find_dotenv(usecwd=True)).items() if value}
    return {**dotenv, **{key: value for key, value in os.environ.items() if value}}


def read_config(paths: Iterable[str]) -> _ConfigInput:
    """Read configuration files; settings of later files override those of earlier ones.

    `ENV` is the environment, which overrides all files.
    """
    config: JsonObject = {}
    parse_env = False
    for path in paths:
        if path == "ENV":
            parse_env = True
        else:
            config = merged(config, _read_config_file(path))
    return _ConfigInput(config=config, parse_env=parse_env)


def _read_config_file(path: str) -> JsonObject:
    # Not shown: it may be the configuration itself, by mistake.
    if path.lstrip().startswith(("{", "[")):
        raise InputError(
            "`--config` takes the path of a file, or ENV, not JSON itself. Write it to a file."
        )
    name = f"config file {path}"
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    is_yaml = Path(path).suffix in {".yaml", ".yml"}
    hint = "Correct it at that place; the name of a YAML file ends in .yaml or .yml."
    content = _yaml_object(text, name) if is_yaml else _object(text, name, hint=hint)
    if deep := [setting for setting, value in content.items() if too_deep([value])]:
        raise InputError(f"`{deep[0]}` in the {name} is nested more than {DEEPEST} levels deep.")
    return content


def read_json(file: t.IO[str] | None, kind: str) -> JsonObject | None:
    """Read a catalog or state file; raises `InputError` for an invalid one."""
    if file is None:
        return None
    name = f"{kind} file {getattr(file, 'name', '')}".rstrip()
    try:
        text = file.read()
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    content = _object(text, name) if text.strip() or kind == "catalog" else {}
    return _catalog(content, name) if kind == "catalog" else _state(content, name)


def read_json_file(path: str | None, kind: str) -> JsonObject | None:
    """Read a catalog or state file by its path; raises `InputError` for an invalid one."""
    if path is None:
        return None
    try:
        with Path(path).open(encoding="utf-8") as file:
            return read_json(file, kind)
    except (OSError, ValueError) as error:
        raise _unreadable(f"{kind} file {path}", error) from None


def _unreadable(name: str, error: OSError | ValueError) -> InputError:
    if isinstance(error, UnicodeDecodeError):
        return InputError(f"The {name} is not UTF-8 text. Save it as UTF-8.")
    reason = getattr(error, "strerror", None) or "no file can have that name"
    return InputError(
        f"The {name} can't be read: {reason}. Check its path and the permission to read it."
    )


def _object(text: str, name: str, *, hint: str = "Correct it at that place.") -> JsonObject:
    try:
        # A bookmark may be a fraction, and must keep all digits.
        content = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        # The message of the decoder has the position, not the content.
        raise InputError(f"The {name} is not JSON: {error}. {hint}") from None
    except RecursionError:
        raise InputError(f"The {name} is nested too deeply to be read. Flatten it.") from None
    if not isinstance(content, dict):
        kind = JSON_TYPES[type(content)]
        raise InputError(f"The {name} must hold a JSON object; it holds JSON of type {kind}.")
    return content


class _YamlLoader(yaml.SafeLoader):  # type: ignore[misc]  # untyped
    """Loads the values that JSON has."""

    yaml_implicit_resolvers: t.ClassVar[dict[str, t.Any]] = {}


for _tag, _pattern in _YAML_VALUES.items():
    _YamlLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), None
    )


def _yaml_object(text: str, name: str) -> JsonObject:
    try:
        content = json.loads(json.dumps(_YamlLoader(text).get_single_data()))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The message of the loader has content, which may be a secret.
        where = f"line {mark.line + 1}" if mark else "its characters"
        raise InputError(f"The {name} is not YAML: check {where}.") from None
    except (yaml.YAMLError, ValueError, TypeError):
        raise InputError(f"The {name} has values that JSON doesn't have. Remove them.") from None
    except RecursionError:
        raise InputError(f"The {name} is nested too deeply to be read. Flatten it.") from None
    if not isinstance(content, dict):
        raise InputError(f"The {name} must hold an object, such as one with `apis`.")
    return content


def _catalog(content: JsonObject, name: str) -> JsonObject:
    streams = content.get("streams")
    if not isinstance(streams, list):
        raise InputError(
            f"The {name} is not a Singer catalog: it has no list of `streams`. {_NEW_CATALOG}"
        )
    for number, entry in enumerate(streams):
        if problem := _catalog_problem(entry):
            raise InputError(
                f"The {name} is not a Singer catalog: streams[{number}] {problem}. {_NEW_CATALOG}"
            )
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
        name = entry["tap_stream_id"]
        return f"('{name}') has no schema for its property '{odd[0]}'"
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


def names_keys(entry: CatalogEntry) -> bool:
    """Whether a catalog states the primary key of a stream, even if there is none."""
    metadata = t.cast("t.Any", entry.metadata.get(()))
    named = getattr(metadata, "table_key_properties", None)
    return entry.key_properties is not None or named is not None


def include_always(
    entry: CatalogEntry, names: Sequence[str], *, columns: Mapping[str, t.Any]
) -> None:
    """Set the inclusion of columns to `automatic` in a catalog."""
    properties = entry.schema.properties = {**(entry.schema.properties or {})}
    for name in names:
        if name not in properties:
            properties[name] = Schema.from_dict(columns.get(name, {}))
        # Without metadata everything is selected; a first entry would deselect the stream.
        if entry.metadata:
            automatic = Metadata.InclusionType.AUTOMATIC
            entry.metadata[("properties", name)].inclusion = automatic


def _state(content: JsonObject, name: str) -> JsonObject:
    if content.get("type") == "STATE":
        # A complete STATE message.
        content = content.get("value") or {}
    bookmarks = content.get("bookmarks", {})
    if not isinstance(bookmarks, dict) or not all(
        isinstance(bookmark, dict) for bookmark in bookmarks.values()
    ):
        raise InputError(
            f"The {name} is not a Singer state: `bookmarks` is not an object of objects. {_STATE}"
        )
    if content and "bookmarks" not in content:
        raise InputError(f"The {name} is not a Singer state: it has no `bookmarks`. {_STATE}")
    return content
