"""Retry policy: how often, for which statuses, and with which delay.

A delay requested by the server has priority; `retry_after` reads it from a response.
"""

from __future__ import annotations

import email.utils
import itertools
import re
import typing as t
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus

import backoff
from requests.structures import CaseInsensitiveDict

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Action = t.Literal["ignore", "empty", "fail", "retry"]

#: Numbers above are instants (2001 and later), never seconds to wait.
_EPOCH = 1e9
_EPOCH_MS = 1e11
_NUMBER = re.compile(r"\s*(-?[0-9]+(?:\.[0-9]*)?)\s*", re.ASCII)
_COMBINED = re.compile(r"\b(?:t|reset)\s*=\s*([0-9.]+)", re.ASCII)
_SPENT = re.compile(r"\b(?:r|remaining)\s*=\s*0+\b", re.ASCII)

_ALWAYS = ("Retry-After", "X-RateLimit-Retry-After", "X-Rate-Limit-Retry-After")
_REMAINING = ("RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
_RESET = ("RateLimit-Reset", "X-RateLimit-Reset-After", "X-RateLimit-Reset", "X-Rate-Limit-Reset")


@dataclass(frozen=True, kw_only=True)
class ResponseAction:
    """What is done with responses of a status, with a body of some kind, or with both."""

    action: Action
    #: A status, or a class of them, such as `4xx`.
    status_code: int | str | None = None
    #: Text in the body.
    content: str | None = None
    #: Whether a body fits.
    filter: Callable[[bytes], bool] | None = None

    def fits(self, status: int, body: bytes) -> bool:
        """Whether it is declared for a response."""
        if self.status_code not in {None, status, f"{status // 100}xx"}:
            return False
        if self.content is not None and self.content.encode() not in body:
            return False
        return self.filter is None or self.filter(body)


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """Retry policy of an API."""

    #: Retries, not attempts: 3 means 4 attempts.
    max_retries: int = 3
    #: Seconds before the first retry; doubled for each further one.
    backoff_factor: float = 2
    statuses: frozenset[int] = frozenset({429, 500, 502, 503, 504})
    #: Maximum delay in seconds that a response may request.
    max_retry_after: float = 3600
    #: A header that requests a delay besides the common ones, and before them.
    wait_time_header: str | None = None
    #: What is done with some responses, whatever the rest of the policy says; the first that fits.
    actions: tuple[ResponseAction, ...] = ()

    def allows(self, wait: float | None) -> bool:
        """Whether a requested delay in seconds is within the limit."""
        return (wait or 0.0) <= self.max_retry_after

    def overridden(self, given: Mapping[str, t.Any]) -> RetryPolicy:
        """Return the policy with the settings of a `retry` block in place of its own."""
        known = {name: value for name, value in given.items() if value is not None}
        if (statuses := known.pop("retry_on_status_codes", None)) is not None:
            known["statuses"] = frozenset(statuses)
        return replace(self, **known)

    def action_for(self, status: int, body: bytes) -> Action | None:
        """Return what is done with a response, if it is declared."""
        return next((each.action for each in self.actions if each.fits(status, body)), None)

    def waits(self) -> Iterator[float]:
        """Yield the seconds to wait before retry 1, 2, 3 and so on, without end."""
        # The generator's first value only starts it; the waits come after.
        return itertools.islice(backoff.expo(factor=self.backoff_factor), 1, None)


def retry_after(
    headers: Mapping[str, str],
    *,
    now: float,
    status: int = HTTPStatus.TOO_MANY_REQUESTS,
    own: str | None = None,
) -> float | None:
    """Return the delay in seconds that a response requests, or None.

    `now` is Unix time, used where the response has no `Date` to measure an instant by; `own` names
    a header that counts before the common ones, with any status.
    The rate-limit family describes ordinary responses too,
    so it counts only with status 429 or where nothing remains.
    """
    headers = CaseInsensitiveDict(headers)
    sent_at = instant_of(headers.get("Date", ""))
    now = now if sent_at is None else sent_at
    names = _ALWAYS + _RESET if _is_throttled(headers, status=status) else _ALWAYS
    names = names if own is None else (own, *names)
    waits = (_seconds(headers.get(name, ""), now=now) for name in names)
    return next((seconds for seconds in waits if seconds is not None), _combined(headers))


def _is_throttled(headers: Mapping[str, str], *, status: int) -> bool:
    return status == HTTPStatus.TOO_MANY_REQUESTS or any(
        headers.get(name, "").strip() == "0" for name in _REMAINING
    )


def _combined(headers: Mapping[str, str]) -> float | None:
    """Read the one-header form, `RateLimit: limit=10, remaining=0, reset=7` or `…;r=0;t=7`."""
    value = headers.get("RateLimit", "")
    wait = _COMBINED.search(value)
    return _seconds(wait[1], now=0.0) if wait and _SPENT.search(value) else None


def _seconds(value: str, *, now: float) -> float | None:
    number = _NUMBER.fullmatch(value)
    if number is None:
        moment = instant_of(value)
        return None if moment is None else max(0.0, moment - now)
    seconds = float(number[1])
    if seconds > _EPOCH_MS:
        seconds /= 1000
    return max(0.0, seconds - now if seconds > _EPOCH else seconds)


def instant_of(value: str) -> float | None:
    """Read an HTTP date, or an ISO 8601 one; None for anything else."""
    if not value:
        return None
    for parse in (email.utils.parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = parse(value.strip())
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None
