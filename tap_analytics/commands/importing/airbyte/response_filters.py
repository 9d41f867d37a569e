"""What the response filters of a manifest make of responses, as `response_actions`.

As in Airbyte's CDK, the first filter of a handler that fits a response counts, by status, by a
predicate or by the message in its body. A failure is passed on to the next handler, all else isn't.
An ignored response has no rows and ends its list, but one with status 2xx is read all the same.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from http import HTTPStatus

from tap_analytics.commands.importing.loading import without_nulls
from tap_analytics.commands.importing.notes import UnsupportedError
from tap_analytics.config.declarations.retries import NEVER_RETRIED
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_analytics.commands.importing.loading import Object


#: A status, or a class of all that no filter names.
Status = int | str
_CLASSES = ("2xx", "4xx", "5xx")
_PASSED_ON = {"FAIL", "RATE_LIMITED"}
_ACTIONS = {"IGNORE": "ignore", "SUCCESS": "ignore", "FAIL": "fail"}
#: What fails in the CDK if no filter fits.
_FAILED = (400, 401, 403, 404, 405)
_RETRIED = RetryPolicy().statuses
#: Where the CDK looks for a message.
_HAS_MESSAGE = " || ".join(
    f"@.{name}"
    for name in (
        *("message", "messages", "error", "errors", "failures", "failure", "detail", "err"),
        *("error_message", "msg", "reason", "status_message"),
    )
)
#: The CDK retries what nothing is said of; the tap only what is usual.
_UNUSUAL = ""
_TOO_MANY = int(HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A body: with a text in it, or one that a JSONPath filter fits."""

    content: str | None = None
    filter: str | None = None
    #: Whether the text is in the message of an error, which a successful response may have too.
    is_message: bool = False


@dataclass(frozen=True, kw_only=True)
class ResponseFilter:
    """A filter: any of its statuses and conditions fits."""

    action: str
    statuses: frozenset[int] = frozenset()
    conditions: tuple[Condition, ...] = ()


#: What happens to responses of a status under a condition, or without one to all others.
_Case = tuple[Condition | None, str]


@dataclass
class Responses:
    """The `response_actions`, and the statuses to retry."""

    actions: list[Object] = field(default_factory=list)
    retried: set[int] = field(default_factory=lambda: set(_RETRIED))


def responses_of(handlers: Sequence[Sequence[ResponseFilter]]) -> Responses:
    """Return what is done with responses; raises `UnsupportedError`."""
    found = Responses()
    named = {status for each in handlers for one in each for status in one.statuses}
    if len(handlers) > 1:
        named |= {*_FAILED, _TOO_MANY}
    classes = {name: _cases(handlers, name) for name in _CLASSES}
    general = {name: _actions(cases, name) for name, cases in classes.items()}
    for status in sorted(named):
        cases = _cases(handlers, status)
        others = f"{status // 100}xx"
        if not general.get(others):
            _add(found, cases, status)
        elif cases[:-1] != classes[others][:-1] or _named(cases[-1][1], status) != _default(status):
            if status < HTTPStatus.BAD_REQUEST:
                raise UnsupportedError(f"its error handlers treat {status} on its own")
            found.actions += _actions(cases, status, is_complete=True)
    found.actions += [action for actions in general.values() for action in actions]
    return found


def _cases(handlers: Sequence[Sequence[ResponseFilter]], status: Status) -> list[_Case]:
    """Return what happens to responses of a status, the last one without a condition."""
    found: list[_Case] = []
    for each in handlers[0]:
        for condition in _conditions(each, status):
            action = each.action
            if action in _PASSED_ON and handlers[1:]:
                following = _cases(handlers[1:], status)
                if condition is None:
                    return found + following
                if following[1:]:
                    raise UnsupportedError("its error handlers depend on each other")
                action = following[0][1]
            found.append((condition, action))
            if condition is None:
                return found
    default = _default_action(status)
    if default in _PASSED_ON and handlers[1:]:
        return found + _cases(handlers[1:], status)
    return [*found, (None, default)]


def _conditions(each: ResponseFilter, status: Status) -> Iterator[Condition | None]:
    yield from (None,) if status in each.statuses else each.conditions


def _is_success(status: Status) -> bool:
    return int(str(status)[0]) * 100 < HTTPStatus.BAD_REQUEST


def _default_action(status: Status) -> str:
    if _is_success(status):
        return "SUCCESS"
    if status == _TOO_MANY:
        return "RATE_LIMITED"
    return "FAIL" if status in _FAILED else _UNUSUAL


# --- in the words of the tap ------------------------------------------------------------------


def _named(action: str, status: Status) -> str | None:
    """Return the name of an action; None where the rows of the response are read."""
    if action == _UNUSUAL:
        return _default(status)
    if _is_success(status) and action in {"IGNORE", "SUCCESS"}:
        return None
    return _ACTIONS.get(action, "retry")


def _default(status: Status) -> str | None:
    """Return what the tap does by itself."""
    if _is_success(status):
        return None
    return "retry" if status in _RETRIED else "fail"


def _add(found: Responses, cases: list[_Case], status: int) -> None:
    """Add what happens to responses of one status."""
    done = _named(cases[-1][1], status)
    found.actions += _actions(cases, status)
    if done == _default(status):
        return
    if done == "fail" and status in _RETRIED:
        found.retried.discard(status)
    elif done == "retry" and not _is_success(status) and status not in NEVER_RETRIED:
        found.retried.add(status)
    elif done is not None:
        found.actions.append({"status_code": status, "action": done})


def _actions(cases: list[_Case], status: Status, *, is_complete: bool = False) -> list[Object]:
    """Return the actions by condition, without those that change nothing."""
    found: list[Object] = []
    *conditional, _ = cases
    done = _named(cases[-1][1], status)
    while conditional and _named(conditional[-1][1], status) == done:
        conditional.pop()
    read: list[Condition] = []
    for condition, action in conditional:
        if condition is None or condition in read:
            continue
        name = _named(action, status)
        if name is None:
            read.append(condition)
            continue
        expression = condition.filter
        if condition.is_message and _is_success(status):
            expression = _HAS_MESSAGE
        made = {"content": condition.content, "filter": _but(expression, read)}
        found.append({"status_code": status, **without_nulls(made), "action": name})
    if is_complete and done is not None:
        found.append({"status_code": status, "action": done})
    return found


def _but(expression: str | None, read: list[Condition]) -> str | None:
    """Return a filter that leaves out what is read all the same, as far as filters tell it."""
    exceptions = [f"!({each.filter})" for each in read if each.content is None]
    if not exceptions:
        return expression
    return " && ".join([*exceptions, *([f"({expression})"] if expression else [])])
