"""Requests to one origin: each is signed, and its response is read whole.

The origin is pinned here, at the one place where credentials leave the process:
neither a caller's URL nor a redirect gets them to another server.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import ssl
import time
import typing as t
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, quote, urljoin, urlsplit, urlunsplit

import requests
import urllib3.exceptions
from requests.structures import CaseInsensitiveDict

from tap_analytics.transport import body
from tap_analytics.transport.deadline import Adapter, Deadline
from tap_analytics.transport.errors import OriginRefused, Unreachable, shorten
from tap_analytics.transport.redaction import MASK, redact
from tap_analytics.transport.request import Response
from tap_analytics.transport.stats import Stats

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.transport.error_mapping import ErrorMapper
    from tap_analytics.transport.request import HttpSettings, Request
    from tap_analytics.transport.throttle import Throttle

_MAX_REDIRECTS = 5
_SHOWN = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: What may stand in a URL as it is; a percent sign is taken for an escape already made.
_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"
#: What sending and reading raise; all else is a fault of this program and shows as such.
_FAULTS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class _ClosedIdleError(Exception):
    """A connection that was closed since its last response; there is none to this request."""


class Channel:
    """Connections to the origin of an API; `sign` adds the credentials, and may do so twice."""

    def __init__(
        self, http: HttpSettings, sign: Callable[[Request], Request], *, throttle: Throttle
    ) -> None:
        self.stats = Stats()
        self._http = http
        self._sign = sign
        self._throttle = throttle
        self._origin = origin_of(http.base_url)
        self._headers = {
            "User-Agent": http.user_agent,
            "Accept": "application/json",
            "Accept-Encoding": body.ACCEPT_ENCODING,
            **http.headers,
        }
        self._session = requests.Session()
        adapter = Adapter(connections=throttle.concurrency)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def send(self, request: Request, errors: ErrorMapper) -> Response:
        """Return the response to `request`, or to where redirects within the origin lead."""
        seen: set[str] = set()
        while True:
            response = self._send(request, errors)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            if request.method != "GET":
                raise errors.refused("was redirected, which is followed for GET only")
            seen.add(request.target)
            request = self._redirected(request, location, errors)
            if request.target in seen or len(seen) > _MAX_REDIRECTS:
                raise errors.refused("was redirected too many times")

    def _send(self, request: Request, errors: ErrorMapper) -> Response:
        """Send one request and read its whole response.

        The server may close a connection while it is idle: a request that meets this goes out
        again over another one.
        """
        if not self._owns(request.url):
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
                # The libraries' errors have the whole URL, and the query may hold a key.
                raise failure from None
            elapsed = time.monotonic() - deadline.started
            slot.failed = raw.status >= HTTPStatus.BAD_REQUEST
        self.stats.received(stats, raw.status, size=len(packed), seconds=elapsed)
        most, check = http.max_body, deadline.remaining
        try:
            unpacked = body.unpack(
                packed, raw.headers, max_body=most, where=errors.where, check=check
            )
        except TimeoutError as error:
            raise errors.failure(error) from None
        return Response(
            status=raw.status,
            headers=raw.headers,
            body=unpacked,
            elapsed=elapsed,
            url=request.url.partition("?")[0],
            received_at=time.time(),
        )

    def _exchange(
        self, prepared: requests.PreparedRequest, errors: ErrorMapper
    ) -> tuple[t.Any, bytes]:
        adapter = self._session.get_adapter(prepared.url or "")
        settings = {**self._settings, "stream": True, "timeout": self._http.timeout}
        raw = adapter.send(prepared, **settings).raw
        try:
            return raw, body.read(raw, max_body=self._http.max_body, where=errors.where)
        except BaseException:
            raw.close()
            raise

    @functools.cached_property
    def _settings(self) -> dict[str, t.Any]:
        """The environment's proxies and CA bundle.

        Never its .netrc, which would replace the credentials of the API.
        """
        merge = self._session.merge_environment_settings
        settings = dict(merge(self._origin, {}, None, None, None))
        bundle = settings["verify"]
        if self._origin.startswith("https:") and isinstance(bundle, str):
            self._check_bundle(Path(bundle))
        return settings

    def _check_bundle(self, bundle: Path) -> None:
        """Read the CA bundle once: an error of a later use wouldn't name the reason."""
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
        """Encode a request; what `requests` itself would do costs as much as sending it."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = quote(self._located(request.target), safe=_URL_SAFE)
        prepared.headers = CaseInsensitiveDict(self._headers)
        prepared.headers.update(request.headers)
        if request.json is not None:
            prepared.body = request.json
            prepared.headers["Content-Length"] = str(len(request.json))
            prepared.headers.setdefault("Content-Type", "application/json")
        return prepared

    def _owns(self, url: str) -> bool:
        with contextlib.suppress(ValueError):
            return url.startswith(f"{self._origin}/") or origin_of(url) == self._origin
        return False

    def _located(self, url: str) -> str:
        """Return a URL of the origin in the one spelling of it that names can be looked up by."""
        if url.startswith(f"{self._origin}/"):
            return url
        parts = urlsplit(url)
        return urlunsplit((*urlsplit(self._origin)[:2], parts.path, parts.query, ""))

    def _redirected(self, request: Request, location: str, errors: ErrorMapper) -> Request:
        """Return the request a redirect asks for, or refuse to leave the origin."""
        try:
            url = urljoin(request.target, location).partition("#")[0]
            target = origin_of(url)
        except ValueError:
            text = "is redirected to a malformed URL, or one that isn't http(s)"
            raise errors.refused(text) from None
        if target != self._origin:
            own, other = urlsplit(self._origin), urlsplit(target)
            setting = f"`base_url` of {self._http.name}"
            if (own.scheme, other.scheme, own.hostname) == ("http", "https", other.hostname):
                hint = f"Use https in {setting}."
            else:
                hint = f"If that is where the API lives, set {setting} to it."
            text = f"is redirected to another origin, {shown_origin(url)}"
            raise errors.refused(text, kind=OriginRefused, hint=hint)
        path, _, query = url.partition("?")
        # The query is signed again, which replaces a key it may hold.
        params = tuple(parse_qsl(query, keep_blank_values=True))
        return replace(request, url=path, params=params, is_retry=False)


def shown_origin(url: str) -> str:
    """Return the origin of a URL to be shown; it is redacted before its letters change case."""
    with contextlib.suppress(ValueError):
        return shorten(origin_of(redact(url)), _SHOWN)
    return MASK


def origin_of(url: str) -> str:
    """Return scheme, host and port in one spelling, or raise ValueError.

    User info counts as part of it, masked, for nothing is sent to a URL that has some.
    """
    parts = urlsplit(url)
    host = ascii_host((parts.hostname or "").rstrip("."))
    if parts.scheme not in _DEFAULT_PORTS or not host:
        raise ValueError("not an absolute http(s) URL")
    host = f"[{host}]" if ":" in host else host
    user = "***@" if "@" in parts.netloc else ""
    port = parts.port
    suffix = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{user}{host}{suffix}"


def ascii_host(host: str) -> str:
    """Return a host as names are looked up; raises ValueError for one that can't be."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - takes time, and few hosts need it

    return idna.encode(host, uts46=True).decode()
