"""Convert error handlers to `error_handler`."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.commands.importing.loading import as_list
from tap_analytics.commands.importing.notes import listed, shown
from tap_analytics.config.declarations.retries import NEVER_RETRIED
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.airbyte.components import Component, Object

_RETRIED = {"RETRY", "RATE_LIMITED"}
#: Statuses that an optional stream may respond with.
_OPTIONAL = {403, 404}


@dataclass
class ErrorHandling:
    """Retries, and whether the stream is optional."""

    retried: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    factor: float | None = None
    retries: int | None = None
    longest: float | None = None
    is_optional: bool = False


def handler_of(part: Component | None) -> tuple[Object, bool]:
    """Return an `error_handler`, empty for the default, and whether the stream is optional."""
    handling = ErrorHandling()
    for handler in _handlers(part):
        _read(handler, handling)
    # The CDK retries the default statuses of the tap too, besides those of the manifest.
    default = RetryPolicy().statuses
    statuses = (default | handling.retried) - handling.failed - NEVER_RETRIED
    made = {
        "retry_on_status_codes": sorted(statuses) if statuses != default else None,
        "max_retries": handling.retries,
        "backoff_factor": handling.factor,
        "max_retry_after": handling.longest,
    }
    return {n: value for n, value in made.items() if value is not None}, handling.is_optional


def _handlers(part: Component | None) -> Iterator[Component]:
    if part is None:
        return
    if part.kind == "CompositeErrorHandler":
        for each in part.children("error_handlers"):
            yield from _handlers(each)
    elif part.kind in {"", "DefaultErrorHandler"}:
        yield part
    else:
        part.note("", f"{shown(part.kind)} isn't supported; the tap's default retries apply.")


def _read(part: Component, handling: ErrorHandling) -> None:
    if (retries := part.integer("max_retries")) is not None and handling.retries is None:
        handling.retries = retries
    for strategy in part.children("backoff_strategies"):
        _backoff(strategy, handling)
    for each in part.children("response_filters"):
        _filter(each, handling)
    part.note_unread()


def _backoff(part: Component, handling: ErrorHandling) -> None:
    header = part.get("header")
    if part.kind == "ConstantBackoffStrategy":
        handling.factor = handling.factor or _seconds(part, "backoff_time_in_seconds")
        if handling.factor is not None:
            waits = ", ".join(f"{handling.factor * times:g}" for times in (1, 2, 4))
            part.note("", f"each wait is twice the one before: {waits} s.")
    elif part.kind == "ExponentialBackoffStrategy":
        handling.factor = handling.factor or _seconds(part, "factor")
    elif part.kind in {"WaitTimeFromHeader", "WaitUntilTimeFromHeader"}:
        if part.get("max_waiting_time_in_seconds") is not None and handling.longest is None:
            handling.longest = _seconds(part, "max_waiting_time_in_seconds")
        if not isinstance(header, str) or header.lower() != "retry-after":
            part.note("header", "isn't supported: the tap uses `Retry-After`.")
    else:
        part.note("", f"{shown(part.kind)} isn't supported.")
        return
    part.note_unread()


def _seconds(part: Component, word: str) -> float | None:
    value = part.get(word)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        part.note(word, "isn't a number: left out.")
        return None
    return value


def _filter(part: Component, handling: ErrorHandling) -> None:
    action = str(part.get("action"))
    codes = {code for code in as_list(part.get("http_codes")) if type(code) is int}
    if part.get("predicate") or part.get("error_message_contains"):
        part.note("", "depends on the response body: left out.")
        return
    if action in _RETRIED:
        if never := sorted(codes & NEVER_RETRIED):
            part.note("http_codes", f"{listed(never)} can't be retried: left out.")
        handling.retried |= {code for code in codes if 400 <= code < 600}  # noqa: PLR2004 - what may be retried
    elif action == "FAIL":
        handling.failed |= codes
    elif action == "IGNORE" and codes and codes <= _OPTIONAL:
        part.note("", f"{listed(sorted(codes))} is ignored there; here the stream is optional.")
        handling.is_optional = True
    else:
        part.note("", f"the action {shown(action)} isn't supported.")
    part.note_unread()
