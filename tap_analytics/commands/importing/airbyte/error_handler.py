"""A manifest's error handlers, in the words of `error_handler`."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.commands.importing.loading import as_list
from tap_analytics.commands.importing.notes import listed, shown
from tap_analytics.config.declarations.readers import NEVER_RETRIED
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.airbyte.components import Component, Object

_RETRIED = {"RETRY", "RATE_LIMITED"}
_OWN_HEADERS = {"retry-after"}
#: Statuses that a stream may answer with and the run still be whole.
_OPTIONAL = {403, 404}


@dataclass
class ErrorHandling:
    """What to do about failures, and whether the stream may be missing."""

    retried: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    factor: float | None = None
    retries: int | None = None
    longest: float | None = None
    is_optional: bool = False


def handler_of(part: Component | None) -> tuple[Object, bool]:
    """Return an `error_handler`, empty where the own one will do, and whether a stream may fail."""
    handling = ErrorHandling()
    for handler in _handlers(part):
        _read(handler, handling)
    # The CDK retries what the tap retries as well, whatever else a manifest names.
    own = RetryPolicy().statuses
    statuses = (own | handling.retried) - handling.failed - NEVER_RETRIED
    made = {
        "retry_on_status_codes": sorted(statuses) if statuses != own else None,
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
        part.note("", f"{shown(part.kind)} isn't taken; the tap's own retries hold.")


def _read(part: Component, handling: ErrorHandling) -> None:
    if (retries := part.whole("max_retries")) is not None and handling.retries is None:
        handling.retries = retries
    for strategy in part.children("backoff_strategies"):
        _backoff(strategy, handling)
    for each in part.children("response_filters"):
        _filter(each, handling)
    part.tell_unread(silent=("max_time",))


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
        part.ignore("min_wait")
        if part.get("max_waiting_time_in_seconds") is not None and handling.longest is None:
            handling.longest = _seconds(part, "max_waiting_time_in_seconds")
        if not isinstance(header, str) or header.lower() not in _OWN_HEADERS:
            part.note("header", "isn't taken: the tap heeds `Retry-After`.")
    else:
        part.note("", f"{shown(part.kind)} isn't taken.")
        return
    part.tell_unread()


def _seconds(part: Component, word: str) -> float | None:
    value = part.get(word)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        part.note(word, "isn't a number: not taken.")
        return None
    return value


def _filter(part: Component, handling: ErrorHandling) -> None:
    action = str(part.get("action"))
    codes = {code for code in as_list(part.get("http_codes")) if type(code) is int}
    part.ignore("error_message", "failure_type")
    if part.get("predicate") or part.get("error_message_contains"):
        part.note("", "looks into the response: not taken.")
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
        part.note("", f"the action {shown(action)} isn't taken.")
    part.tell_unread()
