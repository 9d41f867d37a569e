"""Expressions that need a row exactly as the CDK has it: the row as a value, and hashes."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.config.declarations.templates import RECORD

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component

#: The row as an object.
WHOLE = f"{{{RECORD}}}"

_COPY = re.compile(r"\{\{\s*record\s*\}\}")
_HASH = re.compile(
    r"\{\{\s*record(?:\.(\w+)|\[\s*(?:'([\w-]+)'|\"([\w-]+)\")\s*\])?"
    r"\s*\|\s*hash\s*(?:\(\s*(?:'md5'|\"md5\")?\s*\)\s*)?\}\}",
    re.ASCII,
)


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


def is_json(stream: Component) -> bool:
    """Whether rows have the types of JSON."""
    retriever = stream.child("retriever")
    decoder = retriever and retriever.child("decoder")
    return decoder is None or decoder.kind == "JsonDecoder"


def keeps_columns(stream: Component) -> bool:
    """Whether no nested field becomes a column before the steps, as keys and cursors do."""
    names = stream.values("primary_key")
    is_flat = all(isinstance(name, str) and re.fullmatch(r"[\w-]+", name) for name in names)
    return is_flat and stream.get("incremental_sync") is None


def _text(field: Component) -> str:
    return str(field.get("value")).strip()
