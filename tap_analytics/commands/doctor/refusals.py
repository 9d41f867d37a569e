"""Where there is no answer: what it means, and whether another configuration gets one."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from tap_analytics.commands.doctor.findings import warning, wrong
from tap_analytics.commands.doctor.rates import throttled
from tap_analytics.commands.doctor.recorder import PATIENCE, BudgetSpent
from tap_analytics.errors import explain
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.streams.scope import OPTIONAL_CAUSES, is_optional
from tap_analytics.transport.errors import Cancelled, Rejected, Retriable, TransportError

if t.TYPE_CHECKING:
    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.commands.doctor.inquiry import Answer, Probe
    from tap_analytics.pagination import PageToken
    from tap_analytics.transport.request import Request

#: Causes that all streams of an API share: where the first one meets them, no other is asked.
SHARED = frozenset({"credentials", "unreachable", "origin", "paused"})
#: Causes for which the path may be another one.
_MISPLACED = frozenset({"missing", "body", "in_band", "rejected"})
#: How the transport's errors begin where it is the server that did it.
_SERVERS_DOING = ("answered", "sent", "gave")


class Refused(Exception):  # noqa: N818 - it carries what the doctor has found
    """The first page can't be had; `finding` tells why and what to do."""

    def __init__(self, finding: Finding, *, cause: str) -> None:
        super().__init__(finding.text)
        self.finding = finding
        self.cause = cause


def first_page(inquiry: Probe, query: PageToken, *, extras: tuple[Extra, ...]) -> Answer:
    """Return the first page, or raise `Refused` with what to do.

    `extras` are parameters that a server may not know; without those it refuses, the page is
    asked for again.
    """
    inquiry.extras = _all(extras)
    try:
        return inquiry.ask(query)
    except Cancelled:
        raise
    except Rejected as error:
        if error.status in {400, 422} and (answer := _without(inquiry, query, extras)):
            return answer
        raise _refused(inquiry, query, error) from None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        raise _refused(inquiry, query, error) from None


class Extra(t.NamedTuple):
    """Parameters beside those of paging, and the settings that leave them out."""

    params: PageToken
    #: What is found where the server takes the page without them.
    finding: Finding


def _all(extras: tuple[Extra, ...]) -> PageToken:
    return {name: value for extra in extras for name, value in extra.params.items()}


def _without(inquiry: Probe, query: PageToken, extras: tuple[Extra, ...]) -> Answer | None:
    """Leave out one group of parameters after the other, as far as requests are left."""
    for extra in extras:
        if not extra.params:
            continue
        inquiry.extras = _all(tuple(other for other in extras if other is not extra))
        try:
            answer = inquiry.ask(query)
        except (TransportError, BudgetSpent):
            continue
        inquiry.findings.append(extra.finding)
        return answer
    inquiry.extras = _all(extras)
    return None


# --- what a refusal means -----------------------------------------------------------------------


def _refused(inquiry: Probe, query: PageToken, error: Exception) -> Refused:
    cause = str(getattr(error, "cause", "") or "failed")
    if isinstance(error, Retriable) and (error.retry_after or 0) > PATIENCE:
        cause = "paused"
    # Before other requests are made, which have other names.
    finding = _finding(inquiry, error, cause)
    told = _told(inquiry, error)
    if cause in _MISPLACED and (path := _undoubled(inquiry, query)):
        text = f"{told} With the path {path} it answers."
        change = {"endpoint": {"path": path}}
        return Refused(wrong("address", text, resource=change), cause=cause)
    return Refused(finding, cause=cause)


def _undoubled(inquiry: Probe, query: PageToken) -> str | None:
    """Return the path without what `base_url` ends with already, such as `/v1`, if it answers."""
    stream = inquiry.stream
    path = f"/{(stream.path or '').lstrip('/')}"
    first, _, rest = path[1:].partition("/")
    base = stream.url_base
    if not isinstance(stream, DeclaredStream) or not first or not base.endswith(f"/{first}"):
        return None

    def move(request: Request) -> Request:
        return replace(request, url=request.url.replace(f"{base}/{first}", base, 1))

    try:
        answer = inquiry.ask(query, alter=move)
        stream.select(answer.page.payload)
    except Cancelled:
        raise
    except Exception:  # noqa: BLE001 - an alternative that fails is none
        return None
    return f"/{rest}"


def _finding(inquiry: Probe, error: Exception, cause: str) -> Finding:
    stream, hint = inquiry.stream, getattr(error, "hint", "")
    text = f"{_told(inquiry, error)} {sentence(hint)}" if hint else _told(inquiry, error)
    if isinstance(error, BudgetSpent):
        return wrong("failed", "No request was left to find out more.")
    if cause in {"throttled", "paused"}:
        found = throttled(stream.connection, _told(inquiry, error), {})
        return wrong("throttled", found.text, api=found.api)
    if cause in OPTIONAL_CAUSES:
        optional = tuple(stream.connection.settings.get("optional_streams") or ())
        if is_optional(stream, error):
            return warning(cause, f"{text} It is among optional_streams.", told_as=cause)
        if cause == "forbidden":
            return wrong(
                cause,
                f"{text} Or name the stream in optional_streams, or deselect it.",
                api={"optional_streams": [*optional, stream.name]},
                told_as=cause,
            )
    return wrong(cause, text, told_as=cause)


def _told(inquiry: Probe, error: Exception) -> str:
    """Return what happened without the place, so that streams with one trouble tell it as one."""
    stream = inquiry.stream
    what = str(getattr(error, "what", explain(error)))
    for place in (f"{stream.api}: {inquiry.label} ", f"{stream.label} "):
        if what.startswith(place):
            rest = what.removeprefix(place)
            subject = "server" if rest.startswith(_SERVERS_DOING) else "request"
            return sentence(f"The {subject} {rest}")
    return sentence(what)


def sentence(text: str) -> str:
    """Return a text with the full stop that it may lack."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
