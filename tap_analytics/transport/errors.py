"""Errors of requests, by what the caller can do about them.

TransportError
├── Retriable            may succeed when retried
└── Fatal                never retried
    ├── Unreachable      no connection, or none that TLS trusts
    ├── CredentialsRefused, Forbidden, NotFound, Rejected
    ├── OriginRefused    a URL of another server
    ├── Ignored          a response that the declaration ignores
    └── ErrorInBody      an error inside HTTP 200
Cancelled                the run is stopping
BudgetSpent              the run may send no further request
"""

from __future__ import annotations

import time
import typing as t

from tap_analytics.transport import redaction

Cause = t.Literal[
    "unreachable",
    "credentials",
    "forbidden",
    "missing",
    "rejected",
    "server",
    "throttled",
    "body",
    "origin",
    "in_band",
    "timeout",
    "oversized",
]

#: Causes independent of the request: other requests may fail too.
OVERLOAD = frozenset({"server", "throttled"})


class TransportError(Exception):
    """One redacted line: what and where (`what`), then what to do (`hint`)."""

    #: Groups errors of the same reason, so that an outage is reported once.
    cause: Cause = "server"

    def __init__(
        self,
        what: str,
        *,
        hint: str = "",
        cause: Cause | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Make an error; `retry_after` is the delay in seconds that the response requested."""
        self.what = one_line(redaction.redact(what))
        self.hint = one_line(redaction.redact(hint))
        self.cause = cause or self.cause
        self.status = status
        self.retry_after = retry_after
        #: On the monotonic clock; waits count from here.
        self.failed_at = time.monotonic()
        super().__init__(joined(self.what, self.hint))


class Retriable(TransportError):  # noqa: N818 - named after its handling
    """An error that may not occur again."""


class Fatal(TransportError):  # noqa: N818 - named after its handling
    """An error that a retry doesn't solve."""


class Unreachable(Fatal):
    """No connection to the API, or none that TLS trusts."""

    cause = "unreachable"


class CredentialsRefused(Fatal):
    """HTTP 401."""

    cause = "credentials"


class Forbidden(Fatal):
    """HTTP 403."""

    cause = "forbidden"


class NotFound(Fatal):
    """HTTP 404."""

    cause = "missing"


class Rejected(Fatal):
    """A request that the server, or the way to it, does not accept."""

    cause = "rejected"


class OriginRefused(Fatal):
    """A URL outside of the configured origin, where credentials must not go."""

    cause = "origin"


class Ignored(Fatal):
    """A response that a declared action ignores, so that nothing is known of its rows."""

    cause = "rejected"


class ErrorInBody(Fatal):
    """An error in a successful response."""

    cause = "in_band"


class Cancelled(Exception):  # noqa: N818 - a signal that the run is stopping
    """The run is stopping; all waits have ended."""


class BudgetSpent(Exception):  # noqa: N818 - a signal that the run has to pause
    """The run may send no further request; what it has read is valid."""


def joined(what: str, hint: str) -> str:
    """Return two sentences as one line; what ends without a full stop gets one."""
    ended = what.rstrip(")").endswith((".", "!", "?"))
    ending = "" if ended or not hint else "."
    return f"{what}{ending} {hint}".rstrip()


def shorten(text: str, limit: int) -> str:
    """Return a text from outside on one line, without secrets and at most `limit` long."""
    # Redacted before truncation: a part of a secret would not be recognized.
    line = one_line(redaction.redact(text))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def one_line(text: str) -> str:
    """Replace line breaks and runs of blanks by single blanks, and escape what isn't printable."""
    return redaction.escaped(" ".join(text.split()))
