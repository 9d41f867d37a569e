"""Sends signed requests to one origin and reads complete responses.

This is the only place where credentials leave the process: neither the URL of a caller nor a
redirect sends them to another server.
"""

from __future__ import annotations

import functools
import http.client
import ssl
import time
import typing as t
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import requests
import urllib3.exceptions
from requests.structures import CaseInsensitiveDict

from tap_analytics.transport import body
from tap_analytics.transport.deadline import Adapter, Deadline
from tap_analytics.transport.errors import OriginRefused, Unreachable
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
        self._adapter = Adapter(connections=throttle.concurrency)

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
        if not self._origin.owns(request.url):
            raise errors.refused("would leave the configured origin", kind=OriginRefused)
        prepared = self._prepared(self._sign(request))
        try:
            return self._attempt(request, prepared, errors)
        except _ClosedIdleError:
            return self._attempt(replace(request, is_retry=True), prepared, errors)

    def _attempt(
        self, request: Request, prepared: requests.PreparedRequest, errors: ErrorMapper
    ) -> Response:
        http = self._http
        if http.budget is not None:
            http.budget.spend()
        stats = self.stats.of(request.stream)
        with self._throttle.slot(stats.paused) as slot:
            deadline = Deadline(http, sent=slot.sent)
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
        self, prepared: requests.PreparedRequest, errors: ErrorMapper
    ) -> tuple[HTTPResponse, bytes]:
        pool, proxies = self._pool
        url = self._adapter.request_url(prepared, proxies) if proxies else prepared.path_url
        raw = pool.urlopen(
            prepared.method,
            url,
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

    @functools.cached_property
    def _pool(self) -> tuple[t.Any, dict[str, str]]:
        """The connections, and the proxies and CA bundle of the environment they use.

        `.netrc` is ignored, because it would replace the credentials of the API.
        """
        origin = self._origin.text
        with requests.Session() as session:
            found = session.merge_environment_settings(origin, {}, None, None, None)
        verify, proxies = found["verify"], dict(found["proxies"])
        if origin.startswith("https:") and isinstance(verify, str):
            self._check_bundle(Path(verify))
        return self._adapter.pool_of(origin, verify=verify, proxies=proxies), proxies

    def _check_bundle(self, bundle: Path) -> None:
        """Read the CA bundle, because later errors don't name the reason."""
        try:
            if bundle.is_dir():
                ssl.create_default_context(capath=bundle)
            else:
                ssl.create_default_context(cafile=bundle)
        except (OSError, ValueError):
            raise Unreachable(
                f"{self._http.name}: the CA bundle that the environment names can't be read",
                hint="Check the path in `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`.",
            ) from None

    def _prepared(self, request: Request) -> requests.PreparedRequest:
        """Encode a request; faster than `requests` itself."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = quote(self._origin.normalized(request.target), safe=_URL_SAFE)
        prepared.headers = CaseInsensitiveDict(self._headers)
        prepared.headers.update(request.headers)
        if request.json is not None:
            prepared.body = request.json
            prepared.headers["Content-Length"] = str(len(request.json))
            prepared.headers.setdefault("Content-Type", "application/json")
        return prepared
