"""How one API is spoken to: a value that everything of the transport reads."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_analytics.transport.budget import RequestBudget
    from tap_analytics.transport.errors import Cause, StopSignal


@dataclass(frozen=True, kw_only=True, repr=False)
class HttpSettings:
    """How an API is spoken to; shared freely, for it never changes."""

    #: Of the API, as errors and log lines begin with it.
    name: str
    #: Requests go to its origin alone.
    base_url: str
    stop: StopSignal
    user_agent: str
    #: Seconds for a whole response.
    timeout: float
    #: Further headers of every request.
    headers: Mapping[str, str] = field(default_factory=dict)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    #: Requests in flight at once.
    concurrency: int = 1
    #: 0 is no cap.
    requests_per_second: float = 0
    #: Bytes of the largest body taken.
    max_body: int = 256 * 2**20
    #: The requests the run may send; None for any number.
    budget: RequestBudget | None = None
    #: What users of this API may do, by cause; they go before the general hints.
    hints: Mapping[Cause, str] = field(default_factory=dict)
