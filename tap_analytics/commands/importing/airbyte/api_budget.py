"""Convert the budget of a manifest to `requests_per_second`."""

from __future__ import annotations

import math
import typing as t

from tap_analytics.records.duration import Duration

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_analytics.commands.importing.airbyte.components import Component

#: The words of the number of requests and of the time, by kind of policy.
_FIXED, _MOVING = ("call_limit", "period"), ("limit", "interval")
#: What the tap finds out by itself, from usual headers and from 429.
_SILENT = ("status_codes_for_ratelimit_hit",)


def rate_of(root: Component) -> float | None:
    """Return the requests per second that all policies allow; None without a limit."""
    budget = root.child("api_budget")
    if budget is None:
        return None
    policies = budget.children("policies")
    found = [rate for policy in policies for rate in _rates(policy)]
    if any(policy.get("matchers") for policy in policies) and found:
        budget.note("policies", "are for some requests each: the lowest rate counts for all.")
    budget.note_unread(silent=_SILENT)
    return min(found, default=None)


def _rates(policy: Component) -> Iterator[float]:
    if policy.kind == "UnlimitedCallRatePolicy":
        return
    is_fixed = policy.kind == "FixedWindowCallRatePolicy"
    words = _FIXED if is_fixed else _MOVING
    for part in [policy] if is_fixed else policy.children("rates"):
        limit = part.integer(words[0])
        duration = Duration.parse(part.text(words[1]) or "")
        if not limit or duration is None or duration.months:
            part.note("", "isn't a rate: set `requests_per_second`.")
            continue
        rate = limit / duration.rest.total_seconds()
        yield math.floor(rate * 1000) / 1000 if rate >= 1 else round(rate, 6)
