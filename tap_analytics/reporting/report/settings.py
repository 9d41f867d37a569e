"""The settings that shaped a run, by name and value; of what may hold a secret only that it is set.

What isn't known to be harmless isn't shown: credentials, headers and the SDK's own objects.
"""

from __future__ import annotations

import typing as t

from tap_analytics.config import settings

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        yield from _of_api(run, name)


def _of_api(run: Run, name: str) -> Iterator[Choice]:
    connection = run.connections[name]
    api, retry = connection.api, connection.transport.retry
    given = run.config.get(name) or _entry(run, name)
    retried = given.get("retry") or {}
    pace = given.get("requests_per_second", api.requests_per_second)
    shared: tuple[tuple[str, object, bool], ...] = (
        ("page_size", given.get("page_size", api.page_size), "page_size" in given),
        ("requests_per_second", pace or "no cap", "requests_per_second" in given),
        ("max_retries", retry.max_retries, "max_retries" in retried),
        ("backoff_factor", retry.backoff_factor, "backoff_factor" in retried),
        ("retry_on_status_codes", sorted(retry.statuses), "retry_on_status_codes" in retried),
        ("max_retry_after", retry.max_retry_after, "max_retry_after" in retried),
        ("optional_streams", given.get("optional_streams"), True),
    )
    for setting, value, is_given in shared:
        if value is not None:
            yield name, setting, _text(value), not is_given
    for each in api.settings:
        if not each.secret and each.name not in _OWN:
            value = given.get(each.name, each.default)
            yield name, each.name, _text(value), value == each.default


def _entry(run: Run, name: str) -> Mapping[str, t.Any]:
    """Return the entry of `apis` that declares an API."""
    return next(entry for entry in run.config["apis"] if entry["name"] == name)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
