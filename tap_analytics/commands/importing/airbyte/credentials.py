"""Credentials of authenticators, in which settings of the connector become variables."""

from __future__ import annotations

import re
import typing as t

from tap_analytics.commands.importing.notes import UnsupportedError, listed, shown

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.loading import Object

_BASIC = re.compile(r"Basic\s+\{\{(?P<pair>.+)\|\s*base64encode\s*\}\}\s*", re.DOTALL)
#: Text between quotes or brackets, from the innermost ones on.
_INNER = re.compile(r"'[^']*'|\"[^\"]*\"|\([^()\[\]]*\)|\[[^()\[\]]*\]")
_PLACES = {"header": "header", "request_parameter": "query"}


def credential(part: Component, word: str) -> str:
    """Return a credential; one that can't be read becomes a variable."""
    if value := part.credential(word):
        return value
    variable = part.manifest.notes.variable(word)
    if part.get(word) not in (None, ""):
        part.note(word, f"is known only at run time: it becomes {variable}.")
    return variable


def credentials_in(part: Component, word: str) -> dict[str, str]:
    """Return an object of texts, such as the fields of a form; raises `UnsupportedError`."""
    given = part.get(word)
    if given in (None, "", []):
        return {}
    if not isinstance(given, dict):
        raise UnsupportedError(f"its {word} is computed")
    found = {}
    for name, value in given.items():
        text = value
        if isinstance(value, str):
            text = part.interpolated(value, f"{word}.{name}", is_secret=True)
        if "{{" in name or not isinstance(text, str | int | float):
            raise UnsupportedError(f"`{shown(name)}` of its {word} is computed")
        found[name] = str(text).lower() if isinstance(text, bool) else str(text)
    return found


def basic_pair(part: Component, word: str, text: object) -> tuple[str, str] | None:
    """Return user name and password of `Basic {{ … | base64encode }}`; None for other texts."""
    found = _BASIC.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    outer, inner = "", found["pair"]
    while outer != inner:
        outer, inner = inner, _INNER.sub("", inner)
    if re.search(r"[~+]", outer):
        # Only what follows the last operator is encoded.
        return None
    pair = part.interpolated(f"{{{{{found['pair']}}}}}", word, is_secret=True) or ""
    user, colon, password = pair.partition(":")
    return (user, password) if user and colon else None


def place_of(option: Component | None) -> Object:
    """Return `name` and `location` of a key; raises `UnsupportedError`."""
    where = option and option.get("inject_into")
    name = option and option.text("field_name")
    if not isinstance(where, str) or where not in _PLACES or not name:
        raise UnsupportedError(f"its key is sent in {shown(where or 'an unknown place')}")
    return {"name": name, "location": _PLACES[where]}


def refuse(part: Component, words: Collection[str]) -> None:
    """Raise `UnsupportedError` for any of these words, without which the request is another."""
    if given := [word for word in words if part.get(word) not in (None, "", {}, [], False)]:
        raise UnsupportedError(f"{listed(given)} of {shown(part.kind)} isn't supported")
