"""The values of texts that are sent."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.airbyte.jinja_values import (
    NothingError,
    UndecidedError,
    Unset,
    Value,
)

if t.TYPE_CHECKING:
    from tap_analytics.commands.importing.airbyte.components import Component
    from tap_analytics.commands.importing.airbyte.request_scope import Scope


def sent_value(part: Component, text: str, word: str, scope: Scope) -> Value:
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
            return sent_value(part, text, word, scope.settled())
        return part.manifest.settings.computed(text, word, where)
    (setting,) = optional.settings
    part.manifest.notes.add(where, f"is sent where {setting.variable} is set.")
    part.manifest.settings.note_lists(optional, where)
    return optional
