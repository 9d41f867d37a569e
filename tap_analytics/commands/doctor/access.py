"""Whether a server answers, and how fast: what its refusals and its rate headers mean."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import replace

from tap_analytics.commands.doctor.findings import sentence, warning, wrong
from tap_analytics.commands.doctor.probe import PATIENCE
from tap_analytics.errors import explain
from tap_analytics.streams import APIS
from tap_analytics.streams.declared import DeclaredStream
from tap_analytics.streams.scope import (
    OPTIONAL_CAUSES,
    is_optional,
    open_bookmark,
    ordering,
    window_of,
)
from tap_analytics.transport.errors import BudgetSpent, Cancelled, Rejected, Retriable

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding, StreamReport
    from tap_analytics.commands.doctor.probe import Probe
    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.transport.connection import ApiConnection

#: Causes that all streams of an API share: where the first one meets them, no other is asked.
SHARED = frozenset({"credentials", "unreachable", "origin", "paused"})
#: Causes for which the path may be another one.
_MISPLACED = frozenset({"missing", "body", "in_band", "rejected"})
#: How the transport's errors begin where it is the server that did it.
_SERVERS_DOING = ("answered", "sent", "gave")


class Refused(Exception):  # noqa: N818 - it carries what the doctor has found
    """The first page can't be had; `finding` says why and what to do."""

    def __init__(self, finding: Finding, *, cause: str) -> None:
        super().__init__(finding.text)
        self.finding = finding
        self.cause = cause


def first_page(probe: Probe, report: StreamReport) -> tuple[Probe, FetchedPage]:
    """Return the first page as a first run asks for it, without the parameters that are refused.

    Raises `Refused` with what to do.
    """
    token = probe.stream.paging.start()
    extras = dict(_extras(probe.stream))
    probe = replace(probe, extras={k: v for params in extras.values() for k, v in params.items()})
    try:
        return probe, probe.fetch(token)
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        can_be_less = isinstance(error, Rejected) and error.status in {400, 422}
        for name, params in extras.items() if can_be_less else ():
            kept = {k: v for k, v in probe.extras.items() if k not in params}
            fewer = replace(probe, extras=kept)
            if params and (page := fewer.attempt(token)) is not None:
                report.findings.append(_without(probe.stream, name, params))
                return fewer, page
        raise _refused(probe, token, error) from None


def _extras(stream: AnalyticsStream) -> Iterator[tuple[str, PageToken]]:
    """Yield what a first run sends beside paging: the server's own filter, and an order."""
    bookmark = None if stream.child_streams else open_bookmark(stream)
    yield "filter", {} if bookmark is None else window_of(stream, bookmark)
    yield "order", ordering(stream, newest=False)


def _without(stream: AnalyticsStream, name: str, params: PageToken) -> Finding:
    shown = ", ".join(f"`{param}`" for param in params)
    text = f"The server refuses the {name} {shown}"
    if name == "order":
        return wrong("order_refused", f"{text}.", api={"sort_by": None})
    unfiltered = {"endpoint": {"incremental": {"start_param": None}}}
    change = unfiltered if isinstance(stream, DeclaredStream) else {}
    return warning("filter_refused", f"{text}; the tap reads without it.", resource=change)


def _refused(probe: Probe, token: PageToken, error: Exception) -> Refused:
    cause = str(getattr(error, "cause", "") or "failed")
    if isinstance(error, Retriable) and (error.retry_after or 0) > PATIENCE:
        cause = "paused"
    what = _without_place(probe, token, error)
    if cause in _MISPLACED and (path := _undoubled(probe, token)):
        text = f"{what} With the path {path} it answers."
        change = {"endpoint": {"path": path}}
        return Refused(wrong("address", text, resource=change), cause=cause)
    return Refused(_finding(probe, error, cause, what), cause=cause)


def _undoubled(probe: Probe, token: PageToken) -> str | None:
    """Return the path without what `base_url` ends with already, such as `/v1`, if it answers."""
    stream = probe.stream
    first, _, rest = (stream.path or "").lstrip("/").partition("/")
    if not first or not stream.url_base.endswith(f"/{first}"):
        return None
    other = probe.changed({"endpoint": {"path": f"/{rest}"}})
    page = None if other is None else other.attempt(token)
    return f"/{rest}" if page is not None and page.rows else None


def _finding(probe: Probe, error: Exception, cause: str, what: str) -> Finding:
    stream, hint = probe.stream, getattr(error, "hint", "")
    text = f"{what} {sentence(hint)}" if hint else what
    if isinstance(error, BudgetSpent):
        return wrong("failed", "No request was left to find out more.")
    if cause in {"throttled", "paused"}:
        found = throttled(stream.connection, what, {})
        return wrong("throttled", found.text, api=found.api)
    if cause in OPTIONAL_CAUSES and is_optional(stream, error):
        return warning(cause, f"{text} It is among optional_streams.", group=cause)
    if cause != "forbidden":
        return wrong(cause, text, group=cause)
    optional = (*(stream.connection.settings.get("optional_streams") or ()), stream.name)
    return wrong(
        cause,
        f"{text} Or name the stream in optional_streams, or deselect it.",
        api={"optional_streams": optional},
        group=cause,
    )


def _without_place(probe: Probe, token: PageToken, error: Exception) -> str:
    """Return what happened without the place, so that streams with one fault share a sentence."""
    stream = probe.stream
    what = str(getattr(error, "what", explain(error)))
    request = stream.endpoint(probe.context).build(token)
    for place in (f"{stream.api}: {request.label} ", f"{stream.label} "):
        if what.startswith(place):
            rest = what.removeprefix(place)
            subject = "server" if rest.startswith(_SERVERS_DOING) else "request"
            return sentence(f"The {subject} {rest}")
    return sentence(what)


# --- rates ------------------------------------------------------------------------------------

_FAMILY = re.compile(r"(x-)?rate-?limit.*|retry-after", re.IGNORECASE)
#: `1000;window=60`, `1000;w=60` and `"default";q=1000;w=60`.
_WINDOWED = re.compile(r"(?:q=)?(\d+)\s*;\s*w(?:indow)?=(\d+)")
_NAMED = re.compile(r"(?:x-)?rate-?limit-limit-(second|minute|hour|day)", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def rate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers about the rate."""
    return {name: value for name, value in headers.items() if _FAMILY.fullmatch(name)}


def allowed_rate(headers: Mapping[str, str]) -> float | None:
    """Return the requests per second that rate headers allow; None where they don't say."""
    rates = []
    for name, value in rate_headers(headers).items():
        windows = [(int(limit), int(span)) for limit, span in _WINDOWED.findall(value)]
        if (unit := _NAMED.fullmatch(name)) and value.strip().isdigit():
            windows.append((int(value), _SECONDS[unit[1].lower()]))
        rates += [limit / span for limit, span in windows if limit and span]
    return min(rates, default=None)


def too_fast(connection: ApiConnection, headers: Mapping[str, str]) -> list[Finding]:
    """Compare the configured rate with the one that the server allows."""
    allowed, configured = allowed_rate(headers), connection.http.requests_per_second
    # Who writes 0 wants no cap: the tap waits when the server asks for it.
    is_wanted = connection.settings.get("requests_per_second") == 0
    if allowed is None or is_wanted or 0 < configured <= allowed:
        return []
    made = f"up to {configured:g}" if configured else "as many as it can"
    text = f"The server allows {allowed:.3g} requests per second, and the tap makes {made}."
    return [warning("pace", text, api={"requests_per_second": _rounded(allowed)})]


def throttled(connection: ApiConnection, what: str, headers: Mapping[str, str]) -> Finding:
    """Report that the server asked to wait, and suggest a lower rate."""
    configured = connection.http.requests_per_second
    own = next((api.requests_per_second for api in APIS if api.name == connection.http.name), 0)
    rate = allowed_rate(headers)
    if rate is None and own and not 0 < configured <= own:
        rate = own
    if rate is None:
        # Half of what was asked for, or of what was answered, where no figure is known.
        rate = configured / 2 or max(1, connection.transport.stats.statuses[200] // 2)
    text = f"{what} It is asked for more than it allows."
    return warning("throttled", text, api={"requests_per_second": _rounded(rate)})


def _rounded(rate: float) -> float | int:
    """Return a rate as people write it, never faster."""
    return math.floor(rate) if rate >= 1 else math.floor(rate * 1000) / 1000
