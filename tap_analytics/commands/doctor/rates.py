"""What answers tell about the rate they allow, and the pace that keeps to it."""

from __future__ import annotations

import math
import re
import typing as t

from tap_analytics.commands.doctor.findings import warning
from tap_analytics.streams import APIS

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.commands.doctor.findings import Finding
    from tap_analytics.transport.connection import ApiConnection

_FAMILY = re.compile(r"(x-)?rate-?limit.*|retry-after", re.IGNORECASE)
#: `1000;window=60`, `1000;w=60` and `"default";q=1000;w=60`.
_WINDOWED = re.compile(r"(?:q=)?(\d+)\s*;\s*w(?:indow)?=(\d+)")
_NAMED = re.compile(r"(?:x-)?rate-?limit-limit-(second|minute|hour|day)", re.IGNORECASE)
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}


def rate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that speak of the rate."""
    return {name: value for name, value in headers.items() if _FAMILY.fullmatch(name)}


def allowed_pace(headers: Mapping[str, str]) -> float | None:
    """Return the requests per second that rate headers allow; None where they don't say."""
    paces = []
    for name, value in rate_headers(headers).items():
        for limit, seconds in _WINDOWED.findall(value):
            if int(seconds):
                paces.append(int(limit) / int(seconds))
        if (unit := _NAMED.fullmatch(name)) and value.strip().isdigit():
            paces.append(int(value) / _SECONDS[unit[1].lower()])
    return min((pace for pace in paces if pace > 0), default=None)


def configured_pace(connection: ApiConnection) -> float:
    """Return the most requests per second that a connection makes; 0 is no cap."""
    return connection.http.requests_per_second


def _usual_pace(connection: ApiConnection) -> float:
    """Return the pace of a built-in API where nothing is configured; 0 is no cap."""
    return next((api.requests_per_second for api in APIS if api.name == connection.http.name), 0)


def too_fast(connection: ApiConnection, headers: Mapping[str, str]) -> Finding | None:
    """Tell that the server allows less than the configuration takes."""
    allowed, configured = allowed_pace(headers), configured_pace(connection)
    # Who writes 0 wants no cap: the tap heeds what the server says when it is too much.
    is_wanted = connection.settings.get("requests_per_second") == 0
    if allowed is None or is_wanted or 0 < configured <= allowed:
        return None
    taken = f"up to {configured:g}" if configured else "as many as it can"
    return warning(
        "pace",
        f"The server allows {allowed:.3g} requests per second, and the tap makes {taken}.",
        api={"requests_per_second": rounded(allowed)},
    )


def throttled(connection: ApiConnection, what: str, headers: Mapping[str, str]) -> Finding:
    """Tell that the server said to wait, and suggest a slower pace."""
    configured, own = configured_pace(connection), _usual_pace(connection)
    pace = allowed_pace(headers)
    if pace is None and own and not 0 < configured <= own:
        pace = own
    if pace is None:
        # Half of what it was asked for, or of what it granted, where it names no figure.
        pace = configured / 2 or max(1, connection.transport.stats.statuses[200] // 2)
    return warning(
        "throttled",
        f"{what} It is asked for more than it allows.",
        api={"requests_per_second": rounded(pace)},
    )


def rounded(pace: float) -> float | int:
    """Return a pace as people write it, never faster."""
    return math.floor(pace) if pace >= 1 else math.floor(pace * 1000) / 1000
