"""Checks of access: first request, refused parameters, credentials and rate limits."""

from __future__ import annotations

import math
import re
import typing as t
from dataclasses import replace

from tap_analytics.commands.doctor.findings import sentence, warning, wrong
from tap_analytics.commands.doctor.probe import MAX_PAUSE
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
from tap_analytics.transport.errors import BudgetSpent, Cancelled, Ignored, Rejected, Retriable

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_analytics.client import AnalyticsStream
    from tap_analytics.commands.doctor.findings import Finding, StreamReport
    from tap_analytics.commands.doctor.probe import Probe
    from tap_analytics.pagination import PageToken
    from tap_analytics.pagination.page import FetchedPage
    from tap_analytics.transport.connection import ApiConnection

#: Causes that affect all streams of an API: if the first stream fails with one, no other is read.
SHARED = frozenset({"credentials", "unreachable", "origin", "paused"})
#: Causes that a wrong path may have.
_CAUSES_OF_WRONG_PATH = frozenset({"missing", "body", "in_band", "rejected"})
#: Verbs of transport errors whose subject is the server.
_SERVER_VERBS = ("answered", "sent", "gave")


class Refused(Exception):  # noqa: N818 - carries a finding
    """The first page can't be read; `finding` says why and what to do."""

    def __init__(self, finding: Finding, *, cause: str) -> None:
        super().__init__(finding.text)
        self.finding = finding
        self.cause = cause


def first_page(probe: Probe, report: StreamReport) -> tuple[Probe, FetchedPage]:
    """Return the first page as requested by a first run, without parameters the server refuses.

    Raises `Refused`.
    """
    token = probe.stream.paging.start()
    extras = dict(_extras(probe.stream))
    probe = replace(probe, extras={k: v for params in extras.values() for k, v in params.items()})
    try:
        return probe, probe.fetch(token)
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - any error is reported
        may_be_params = isinstance(error, Rejected) and error.status in {400, 422}
        for name, params in extras.items() if may_be_params else ():
            kept = {k: v for k, v in probe.extras.items() if k not in params}
            fewer = replace(probe, extras=kept)
            if params and (page := fewer.attempt(token)) is not None:
                report.findings.append(_refused_params(probe.stream, name, params))
                return fewer, page
        raise _refused(probe, token, error) from None


def _extras(stream: AnalyticsStream) -> Iterator[tuple[str, PageToken]]:
    """Yield the parameters of a first run besides paging: the filter by bookmark and the order."""
    bookmark = None if stream.child_streams else open_bookmark(stream)
    yield "filter", window_of(stream, bookmark)
    yield "order", ordering(stream, newest=False)


def _refused_params(stream: AnalyticsStream, name: str, params: PageToken) -> Finding:
    shown = ", ".join(f"`{param}`" for param in params)
    text = f"The server refuses the {name} {shown}"
    if name == "order":
        return wrong("order_refused", f"{text}.", api={"sort_by": None})
    if stream.meets_at is not None:
        return wrong("filter_refused", f"{text}. Check `step`, `granularity` and `convert`.")
    unfiltered = {"endpoint": {"incremental": {"start_param": None}}}
    change = unfiltered if isinstance(stream, DeclaredStream) else {}
    return warning("filter_refused", f"{text}; the tap reads without it.", resource=change)


def _refused(probe: Probe, token: PageToken, error: Exception) -> Refused:
    cause = str(getattr(error, "cause", "") or "failed")
    if isinstance(error, Retriable) and (error.retry_after or 0) > MAX_PAUSE:
        cause = "paused"
    what = _general_message(probe, token, error)
    if isinstance(error, Ignored):
        cause = "ignored"
        return Refused(ignored(probe.stream, what, "reads no rows there"), cause=cause)
    if cause in _CAUSES_OF_WRONG_PATH and (path := _path_that_works(probe, token)):
        text = f"{what} The path {path} works."
        change = {"endpoint": {"path": path}}
        return Refused(wrong("address", text, resource=change), cause=cause)
    return Refused(_finding(probe, error, cause, what), cause=cause)


def _path_that_works(probe: Probe, token: PageToken) -> str | None:
    """Return the path without a prefix that `base_url` already ends with (`/v1`), if it works."""
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
        return wrong("failed", "The request limit of the check was reached.")
    if cause in {"throttled", "paused"}:
        found = throttled(stream.connection, what, {})
        return wrong("throttled", found.text, api=found.api)
    if cause in OPTIONAL_CAUSES and is_optional(stream, error):
        return warning(cause, f"{text} The stream is in optional_streams.", group=cause)
    if cause != "forbidden":
        return wrong(cause, text, group=cause)
    optional = (*(stream.connection.settings.get("optional_streams") or ()), stream.name)
    return wrong(
        cause,
        f"{text} Or add the stream to optional_streams, or deselect it.",
        api={"optional_streams": optional},
        group=cause,
    )


def ignored(stream: AnalyticsStream, what: str, effect: str) -> Finding:
    """Report a response that the declaration ignores, and its effect on a run."""
    which = "which `response_actions` ignores"
    text = f"{what.removesuffix('.')}, {which}: a run {effect}, so it ends `unverified`"
    if stream.config.get("on_unverified") == "fail":
        return wrong("ignored", f"{text}, and `on_unverified` makes it fail.")
    return warning("ignored", f"{text}.")


def _general_message(probe: Probe, token: PageToken, error: Exception) -> str:
    """Return the message without stream and URL, so that equal errors of streams are grouped."""
    stream = probe.stream
    what = str(getattr(error, "what", explain(error)))
    request = stream.endpoint(probe.context).build(token)
    for place in (f"{stream.api}: {request.label} ", f"{stream.label} "):
        if what.startswith(place):
            rest = what.removeprefix(place)
            subject = "server" if rest.startswith(_SERVER_VERBS) else "request"
            return sentence(f"The {subject} {rest}")
    return sentence(what)


# --- rate limits ------------------------------------------------------------------------------

_FAMILY = re.compile(r"(x-)?rate-?limit.*|retry-after", re.IGNORECASE)
#: `1000;window=60`, `1000;w=60` and `"default";q=1000;w=60`.
_WINDOWED = re.compile(r"(?:q=)?(\d+)\s*;\s*w(?:indow)?=(\d+)")
_NAMED = re.compile(r"(?:x-)?rate-?limit-limit-(second|minute|hour|day)", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def rate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers about rate limits."""
    return {name: value for name, value in headers.items() if _FAMILY.fullmatch(name)}


def allowed_rate(headers: Mapping[str, str]) -> float | None:
    """Return the requests per second that rate-limit headers allow, or None."""
    rates = []
    for name, value in rate_headers(headers).items():
        windows = [(int(limit), int(span)) for limit, span in _WINDOWED.findall(value)]
        if (unit := _NAMED.fullmatch(name)) and value.strip().isdigit():
            windows.append((int(value), _SECONDS[unit[1].lower()]))
        rates += [limit / span for limit, span in windows if limit and span]
    return min(rates, default=None)


def too_fast(connection: ApiConnection, headers: Mapping[str, str]) -> list[Finding]:
    """Compare the configured rate with the rate that the server allows."""
    allowed, configured = allowed_rate(headers), connection.http.requests_per_second
    # 0 means no limit on purpose: the tap waits when the server responds with a 429.
    is_wanted = connection.settings.get("requests_per_second") == 0
    if allowed is None or is_wanted or 0 < configured <= allowed:
        return []
    sent = f"up to {configured:g}" if configured else "as many as it can"
    text = f"The server allows {allowed:.3g} requests per second, and the tap sends {sent}."
    return [warning("pace", text, api={"requests_per_second": _rounded(allowed)})]


def throttled(connection: ApiConnection, what: str, headers: Mapping[str, str]) -> Finding:
    """Report that the server throttled requests, and suggest a lower rate."""
    configured = connection.http.requests_per_second
    own = next((api.requests_per_second for api in APIS if api.name == connection.http.name), 0)
    rate = allowed_rate(headers)
    if rate is None and own and not 0 < configured <= own:
        rate = own
    if rate is None:
        # Without a known limit: half of the configured rate, or of the successful responses.
        rate = configured / 2 or max(1, connection.transport.stats.statuses[200] // 2)
    text = f"{what} The tap sends more requests than the server allows."
    return warning("throttled", text, api={"requests_per_second": _rounded(rate)})


def _rounded(rate: float) -> float | int:
    """Round a rate down."""
    return math.floor(rate) if rate >= 1 else math.floor(rate * 1000) / 1000
