"""Sends signed requests to one origin and reads complete responses.

This is the only place where credentials leave the process: neither the URL of a caller nor a
redirect sends them to another server.
"""

from __future__ import annotations

import http.client
import time
import typing as t
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

import urllib3.exceptions
from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from tap_analytics.transport import body
from tap_analytics.transport.deadline import Adapter, Deadline
from tap_analytics.transport.errors import OriginRefused
from tap_analytics.transport.origin import Origin
from tap_analytics.transport.request import Response
from tap_analytics.transport.stats import Stats

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from urllib3 import HTTPResponse

    from tap_analytics.transport.error_mapping import ErrorMapper
    from tap_analytics.transport.request import HttpSettings, Request
    from tap_analytics.transport.throttle import Throttle

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Characters not escaped in a URL; a percent sign counts as part of an escape.
_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"
#: Errors of sending and reading; all others are bugs.
_FAULTS = (
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class _ClosedIdleError(Exception):
    """An idle connection was closed by the server before the response."""


class Channel:
    """Connections to the origin of an API; `sign` adds credentials and may be called twice."""

    def __init__(
        self, http: HttpSettings, sign: Callable[[Request], Request], *, throttle: Throttle
    ) -> None:
        self.stats = Stats()
        self._http = http
        self._sign = sign
        self._throttle = throttle
        self._origin = Origin(http.base_url)
        self._headers = {
            "User-Agent": http.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": body.ACCEPT_ENCODING,
            **http.headers,
        }
        self._adapter = Adapter(http.name, self._origin.text, connections=throttle.concurrency)

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()

    def send(self, request: Request, errors: ErrorMapper) -> Response:
        """Return the response to `request`, following redirects within the origin."""
        seen: set[str] = set()
        while True:
            response = self._send(request, errors)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            if request.method != "GET":
                raise errors.refused("was redirected, which is followed for GET only")
            seen.add(request.target)
            request = self._origin.redirected(request, location, errors)
            if request.target in seen or len(seen) > _MAX_REDIRECTS:
                raise errors.refused("was redirected too many times")

    def _send(self, request: Request, errors: ErrorMapper) -> Response:
        """Send one request and read its complete response.

        If the server closed an idle connection, the request is sent again over another one.
        """
        if not self._origin.contains(request.url):
            raise errors.refused("would leave the configured origin", kind=OriginRefused)
        prepared = self._prepared(self._sign(request))
        try:
            return self._attempt(request, prepared, errors)
        except _ClosedIdleError:
            return self._attempt(replace(request, is_retry=True), prepared, errors)

    def _attempt(
        self, request: Request, prepared: PreparedRequest, errors: ErrorMapper
    ) -> Response:
        if self._http.budget is not None:
            self._http.budget.spend()
        stats = self.stats.of(request.stream)
        with self._throttle.slot(stats.paused) as slot:
            deadline = Deadline(self._http, sent=slot.sent)
            self.stats.sent(stats, is_retry=request.is_retry)
            try:
                with deadline:
                    raw, packed = self._exchange(prepared, errors)
            except _FAULTS as error:
                failure = errors.failure(error)
                is_closed = deadline.was_idle and failure.cause == "server"
                if is_closed and request.method == "GET" and not request.is_retry:
                    raise _ClosedIdleError from None
                # Errors of the libraries have the whole URL, whose query may have a key.
                raise failure from None
            elapsed = time.monotonic() - deadline.started
            slot.failed = raw.status >= HTTPStatus.BAD_REQUEST
        self.stats.received(stats, raw.status, size=len(packed), seconds=elapsed)
        return Response(
            status=raw.status,
            headers=raw.headers,
            body=self._unpacked(packed, raw, deadline, errors),
            elapsed=elapsed,
            url=request.url.partition("?")[0],
            received_at=time.time(),
        )

    def _unpacked(
        self, packed: bytes, raw: HTTPResponse, deadline: Deadline, errors: ErrorMapper
    ) -> bytes:
        most, check = self._http.max_body, deadline.remaining
        try:
            return body.unpack(packed, raw.headers, max_body=most, where=errors.where, check=check)
        except TimeoutError as error:
            raise errors.failure(error) from None

    def _exchange(
        self, prepared: PreparedRequest, errors: ErrorMapper
    ) -> tuple[HTTPResponse, bytes]:
        # Untyped, because urllib3's types are wider than what its pools return.
        pool: t.Any = self._adapter.pool
        raw = pool.urlopen(
            prepared.method,
            self._adapter.url_of(prepared),
            body=prepared.body,
            headers=prepared.headers,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=self._adapter.max_retries,
            timeout=self._http.timeout,
        )
        try:
            return raw, body.read(raw, max_body=self._http.max_body, where=errors.where)
        except BaseException:
            raw.close()
            raise

    def _prepared(self, request: Request) -> PreparedRequest:
        """Encode a request; faster than `requests` itself."""
        prepared = PreparedRequest()
        prepared.method = request.method
        prepared.url = quote(self._origin.normalized(request.target), safe=_URL_SAFE)
        prepared.headers = CaseInsensitiveDict(self._headers)
        prepared.headers.update(request.headers)
        if request.body is not None:
            prepared.body = request.body
            prepared.headers["Content-Length"] = str(len(request.body))
            prepared.headers.setdefault("Content-Type", "application/json")
        return prepared
