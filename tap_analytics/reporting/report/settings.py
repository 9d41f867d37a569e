"""The settings that shaped a run, by name and value; of what may hold a secret only that it is set.

What isn't known to be harmless isn't shown: credentials, headers and the SDK's own objects.
"""

from __future__ import annotations

import typing as t

from tap_analytics.config import settings

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.reporting.run import Run

#: The API a setting is for, its name, its value as text, and whether that is the default.
Choice = tuple[str, str, str, bool]

#: They say where the run is told, not what it is.
_PATHS = frozenset({"summary_path", "report_path"})
_OWN = frozenset({"base_url"}) | _PATHS


def chosen(run: Run) -> Iterator[Choice]:
    """Yield the settings for all APIs, then those of each API."""
    known = {setting.name for setting in settings.TOP}
    for setting in settings.TOP:
        value = run.config.get(setting.name)
        if value is not None and setting.name not in _OWN and not setting.secret:
            yield "", setting.name, _text(value), value == setting.default
    for name in sorted(run.config.keys() - known - {"apis", *run.apis}):
        if run.config[name] not in ({}, [], False, ""):
            yield "", name, "set", False
    for name in run.apis:
        for own, value, is_default in run.connections[name].public_settings:
            yield name, own, _text(value), is_default


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
