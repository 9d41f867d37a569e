"""Maps responses, and exceptions of the HTTP libraries, to errors.

The libraries' own texts are not shown: they have whole URLs, and the query may hold keys.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import typing as t
from dataclasses import dataclass
from http import HTTPStatus

import urllib3.exceptions as urllib3_errors

from tap_analytics.transport import errors
from tap_analytics.transport.retry import retry_after
from tap_analytics.transport.throttle import describe_wait

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_analytics.transport.request import HttpSettings, Response
    from tap_analytics.transport.retry import Action, RetryPolicy

#: Hints by cause; `{name}` is the name of the API.
HINTS: Mapping[errors.Cause, str] = {
    "unreachable": "Check `base_url` of {name} and the network.",
    "credentials": "Check the credentials of {name}.",
    "forbidden": "Give the credentials of {name} the permission to read it, or name the stream in "
    "`optional_streams`.",
    "missing": "Check the path, and `base_url` of {name} with its version.",
    "rejected": "Check the settings of {name}.",
    "server": "Try again later, or raise `retry.max_retries` of {name}.",
    "throttled": "Lower `requests_per_second` of {name}, or `concurrency`.",
    "timeout": "Raise `request_timeout`, or lower `page_size` of {name}.",
    "body": "Try again later.",
    "origin": "Check `base_url` of {name}.",
}

_EXCERPT = 200
_LARGEST_REPORT = 64 * 1024
_MESSAGE_IN = ("message", "detail", "title", "description", "error_description", "error")
_REFUSALS: Mapping[int, type[errors.Fatal]] = {
    HTTPStatus.UNAUTHORIZED: errors.CredentialsRefused,
    HTTPStatus.FORBIDDEN: errors.Forbidden,
    HTTPStatus.NOT_FOUND: errors.NotFound,
}


class _Failure(t.NamedTuple):
    """The error for some exceptions; `{timeout}` and `{reason}` are filled in."""

    kinds: tuple[type[BaseException], ...]
    text: str
    cause: errors.Cause
    hint: str = ""
    is_final: bool = False


#: The first entry that matches an exception of a chain.
_FAILURES = (
    _Failure(
        (ssl.SSLCertVerificationError,),
        "found a TLS certificate that is not trusted ({reason})",
        "unreachable",
        "Check `base_url` of {name}, or name the CA bundle in `REQUESTS_CA_BUNDLE`.",
        is_final=True,
    ),
    _Failure((urllib3_errors.InvalidHeader,), "got a response that is not HTTP", "server"),
    _Failure(
        (ValueError, urllib3_errors.LocationValueError),
        "cannot be sent: its URL, a header or the proxy's address is malformed",
        "rejected",
        is_final=True,
    ),
    _Failure(
        (urllib3_errors.ProxyError,),
        "got no connection through the proxy",
        "unreachable",
        "Check `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.",
    ),
    _Failure((socket.gaierror,), "found no address for the host name", "unreachable"),
    _Failure((ConnectionRefusedError,), "got no connection (refused)", "unreachable"),
    _Failure(
        (urllib3_errors.NewConnectionError,), "got no connection (no response)", "unreachable"
    ),
    _Failure(
        (TimeoutError, urllib3_errors.TimeoutError),
        "gave no complete response within {timeout:g} s",
        "timeout",
    ),
    _Failure((ssl.SSLError, urllib3_errors.SSLError), "got no TLS connection", "unreachable"),
    _Failure((http.client.IncompleteRead,), "sent a truncated body", "body"),
    _Failure((urllib3_errors.DecodeError,), "sent a body encoded too often", "body"),
    _Failure((ConnectionError,), "had its connection closed by the server", "server"),
    _Failure((BaseException,), "got a response that is not HTTP", "server"),
)


@dataclass(frozen=True)
class ErrorMapper:
    """Creates the errors of one request; messages start with `where`."""

    http: HttpSettings
    where: str

    def hint(self, cause: errors.Cause) -> str:
        """Return the hint for a cause."""
        return self.http.hints.get(cause, HINTS.get(cause, "")).format(name=self.http.name)

    def refused(
        self, text: str, *, kind: type[errors.Fatal] = errors.Rejected, hint: str = ""
    ) -> errors.Fatal:
        """Return the error of a request, or a redirect, that the transport doesn't send."""
        return kind(f"{self.where} {text}", hint=hint or self.hint("origin"))

    def refusal(
        self, response: Response, policy: RetryPolicy, action: Action | None = None
    ) -> errors.TransportError:
        """Return the error of an unsuccessful response, or of one with a declared action."""
        status = response.status
        phrase = http.client.responses.get(status, "")
        what = f"{self.where} answered {status} {phrase}".rstrip()
        if message := excerpt(response.body):
            what += f' ("{message}")'
        kind = _REFUSALS.get(status)
        if kind and action is None:
            return kind(what, hint=self.hint(kind.cause), status=status)
        cause: errors.Cause = kind.cause if kind else "rejected"
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            cause = "throttled"
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            cause = "server"
        hint = self.hint(cause)
        if action == "ignore":
            return errors.Ignored(what, status=status)
        if action == "retry" or (action is None and status in policy.statuses):
            wait = retry_after(
                response.headers,
                now=response.received_at,
                status=status,
                own=policy.wait_time_header,
            )
            return errors.Retriable(what, hint=hint, cause=cause, status=status, retry_after=wait)
        kind = errors.Rejected if cause == "rejected" and action is None else errors.Fatal
        return kind(what, hint=hint, cause=cause, status=status)

    def failure(self, error: Exception) -> errors.TransportError:
        """Return the error of an exception of the HTTP libraries or of a socket."""
        chain = list(_chain(error))
        row, found = next(
            (row, each) for row in _FAILURES for each in chain if isinstance(each, row.kinds)
        )
        reason = getattr(found, "verify_message", "")
        what = f"{self.where} {row.text.format(timeout=self.http.timeout, reason=reason)}"
        hint = row.hint.format(name=self.http.name) or self.hint(row.cause)
        if not row.is_final:
            return errors.Retriable(what, hint=hint, cause=row.cause)
        kind = errors.Unreachable if row.cause == "unreachable" else errors.Rejected
        return kind(what, hint=hint)


def final_error(
    failed: errors.Retriable,
    policy: RetryPolicy,
    *,
    name: str,
    attempts: int,
    outage: errors.Fatal | None,
) -> errors.Fatal:
    """Return the error of a request without attempts left; `outage` is one that is known."""
    times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    what, hint = f"{failed.what}, after {times}", failed.hint
    if failed.cause == "unreachable":
        return errors.Unreachable(what, hint=hint)
    if outage and (outage.cause, outage.status) == (failed.cause, failed.status):
        # The same text, so that the cause is reported once.
        what, hint = outage.what, outage.hint
    elif not policy.allows(failed.retry_after):
        wait = describe_wait(failed.retry_after or 0.0)
        what = f"{what}, and asks to wait {wait}, which is more than {policy.max_retry_after:g} s"
        hint = f"Run again later, or raise `retry.max_retry_after` of {name}."
    return errors.Fatal(what, hint=hint, cause=failed.cause, status=failed.status)


def excerpt(body: bytes) -> str:
    """Return the API's own message from a JSON body, on one line; empty where there is none."""
    if len(body) > _LARGEST_REPORT:
        return ""
    try:
        return errors.shorten(message_in(json.loads(body)), _EXCERPT)
    except (ValueError, RecursionError):
        return ""


def message_in(value: object) -> str:
    """Return the message of a JSON error, or an empty string."""
    match value:
        case str():
            return value
        case [first, *_]:
            return message_in(first)
        case {"errors": inner} | {"_errors": inner} if inner:
            return message_in(inner)
        case {"API_ERROR": str(code), **rest}:
            return f"{code} {rest.get('API_ERROR_DESCRIPTION') or ''}"
        case dict():
            return next((text for key in _MESSAGE_IN if (text := message_in(value.get(key)))), "")
        case _:
            return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it wraps: as argument, reason or cause."""
    waiting: list[t.Any] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += [*each.args, getattr(each, "reason", None), each.__cause__]
