"""Convert error handlers to `error_handler` and `response_actions`."""

from __future__ import annotations

import contextlib
import json
import typing as t
from dataclasses import dataclass

from tap_analytics.commands.importing.airbyte.body_predicates import body_condition
from tap_analytics.commands.importing.airbyte.jinja_values import UndecidedError
from tap_analytics.commands.importing.airbyte.response_filters import (
    Condition,
    ResponseFilter,
    responses_of,
)
from tap_analytics.commands.importing.loading import Object, as_list, without_nulls
from tap_analytics.commands.importing.notes import UnsupportedError, shown
from tap_analytics.config.settings.catalog import MOST_RETRIES
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.airbyte.components import Component

_STATUSES = range(200, 600)
_ACTIONS = {"SUCCESS", "FAIL", "RETRY", "IGNORE", "RATE_LIMITED"}


@dataclass
class Waits:
    """How often and how long to wait."""

    factor: float | None = None
    retries: int | None = None
    longest: float | None = None
    header: str | None = None


def handler_of(part: Component | None) -> tuple[Object, list[Object]]:
    """Return an `error_handler`, empty for the default, and `response_actions`.

    Raises `UnsupportedError` where the tap would read other rows.
    """
    waits = Waits()
    handlers: list[list[ResponseFilter]] = []
    for handler in _handlers(part):
        _read(handler, waits, is_first=not handlers)
        handlers.append(list(_filters(handler)))
        handler.note_unread()
    if not handlers:
        return {}, []
    responses = responses_of(handlers)
    made = {
        "retry_on_status_codes": sorted(responses.retried)
        if responses.retried != RetryPolicy().statuses
        else None,
        "max_retries": waits.retries,
        "backoff_factor": waits.factor,
        "max_retry_after": waits.longest,
        "wait_time_header": waits.header,
    }
    return without_nulls(made), responses.actions


def _handlers(part: Component | None) -> Iterator[Component]:
    if part is None:
        return
    if part.kind == "CompositeErrorHandler":
        for each in part.children("error_handlers"):
            yield from _handlers(each)
    elif part.kind in {"", "DefaultErrorHandler"} and part.get("class_name") is None:
        yield part
    else:
        name = shown(part.get("class_name") or part.kind)
        part.note("", f"{name} isn't supported: failures fail the stream.")


# --- filters ------------------------------------------------------------------------------------


def _filters(handler: Component) -> Iterator[ResponseFilter]:
    for part in handler.children("response_filters"):
        action = str(part.get("action") or "")
        codes = {code for code in as_list(part.get("http_codes")) if type(code) is int}
        conditions = tuple(_conditions(part, action))
        part.note_unread()
        if action not in _ACTIONS:
            part.note("action", f"{shown(action) or 'none'} isn't supported: it fails the stream.")
            action = "FAIL"
        yield ResponseFilter(
            action=action,
            statuses=frozenset(code for code in codes if code in _STATUSES),
            conditions=conditions,
        )


def _conditions(part: Component, action: str) -> Iterator[Condition]:
    predicate, message = part.get("predicate"), part.get("error_message_contains")
    if predicate and (condition := _predicate(part, str(predicate), action)) is not None:
        yield condition
    if isinstance(message, str) and message:
        # As JSON writes it.
        yield Condition(content=json.dumps(message, ensure_ascii=False)[1:-1], is_message=True)


def _predicate(part: Component, text: str, action: str) -> Condition | None:
    """Return the condition of a predicate; None for one without which a stream fails."""
    try:
        return body_condition(text)
    except UndecidedError:
        if action != "IGNORE" and "response" in text:
            raise UnsupportedError(f"a response is told by `{shown(text)}`") from None
    part.note("predicate", "isn't supported: such a response fails the stream.")
    return None


# --- waits --------------------------------------------------------------------------------------


def _read(part: Component, waits: Waits, *, is_first: bool) -> None:
    retries = part.integer("max_retries")
    if is_first and retries is not None:
        # As the CDK does, whichever handler a response is for.
        waits.retries = min(max(retries, 0), MOST_RETRIES)
    for strategy in part.children("backoff_strategies"):
        _wait(strategy, waits)


def _wait(part: Component, waits: Waits) -> None:
    if part.kind == "ConstantBackoffStrategy":
        waits.factor = waits.factor or _seconds(part, "backoff_time_in_seconds")
        if waits.factor is not None:
            times = ", ".join(f"{waits.factor * times:g}" for times in (1, 2, 4))
            part.note("", f"each wait is twice the one before: {times} s.")
    elif part.kind == "ExponentialBackoffStrategy":
        waits.factor = waits.factor or _seconds(part, "factor")
    elif part.kind in {"WaitTimeFromHeader", "WaitUntilTimeFromHeader"}:
        _by_header(part, waits)
    else:
        part.note("", f"{shown(part.get('class_name') or part.kind)} isn't supported.")
        return
    part.ignore("jitter_range_in_seconds")
    part.note_unread()


def _by_header(part: Component, waits: Waits) -> None:
    header = part.text("header")
    if part.get("max_waiting_time_in_seconds") is not None and waits.longest is None:
        waits.longest = _seconds(part, "max_waiting_time_in_seconds")
    if header is None or waits.header not in {None, header}:
        part.note("header", "isn't supported: `Retry-After` is read.")
    elif header.lower() != "retry-after":
        waits.header = header
    if part.get("regex"):
        part.note("regex", "isn't supported: the header must be a number.")


def _seconds(part: Component, word: str) -> float | None:
    value = part.get(word)
    if isinstance(value, str) and (text := part.text(word)):
        with contextlib.suppress(ValueError):
            value = float(text)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        part.note(word, "isn't a number: left out.")
        return None
    return value
