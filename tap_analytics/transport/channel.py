"""The way to one origin: a request goes out signed, a complete answer comes back.

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
from tap_analytics.transport.errors import OriginRefused, Rejected, Unreachable, shorten
from tap_analytics.transport.redaction import MASK, redact
from tap_analytics.transport.request import Response
from tap_analytics.transport.stats import Stats

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    """A connection that had been closed since its last answer; no answer to this request."""


class Channel:
    """Connections to the origin of an API; `sign` adds the credentials, and may do so twice."""

    def __init__(
        self,
        http: HttpSettings,
        sign: Callable[[Request], Request],
        *,
        throttle: Throttle,
        errors: ErrorMapper,
    ) -> None:
        self.stats = Stats()
        self._http = http
        self._sign = sign
        self._throttle = throttle
        self._errors = errors
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

    def send(self, request: Request, *, where: str) -> Response:
        """Return the answer to `request`, or to where redirects within the origin lead.

        `where` opens the text of an error.
        """
        seen: set[str] = set()
        while True:
            response = self._exchange(request, where=where)
            location = response.headers.get("Location")
            if response.status not in _REDIRECTS or not location:
                return response
            if request.method != "GET":
                raise Rejected(
                    f"{where} was redirected, which is followed for GET only",
                    hint=self._errors.hint("origin"),
                )
            seen.add(request.target)
            request = self._redirected(request, location, where=where)
            if request.target in seen or len(seen) > _MAX_REDIRECTS:
                raise Rejected(
                    f"{where} is redirected without end", hint=self._errors.hint("origin")
                )

    def _exchange(self, request: Request, *, where: str) -> Response:
        """Send one request and read its whole answer.

        Whoever serves it may close a connection while it is idle: where that is found out in the
        very moment the next request goes out, it goes out again over another one.
        """
        if not self._owns(request.url):
            raise OriginRefused(
                f"{where} would leave the configured origin", hint=self._errors.hint("origin")
            )
        prepared = self._prepared(self._sign(request))
        try:
            return self._carried(request, prepared, where=where)
        except _ClosedIdleError:
            return self._carried(replace(request, is_retry=True), prepared, where=where)

    def _carried(
        self, request: Request, prepared: requests.PreparedRequest, *, where: str
    ) -> Response:
        if self._http.budget is not None:
            self._http.budget.spend()
        stats = self.stats.of(request.stream)
        with self._throttle.slot(stats.paused) as slot:
            deadline = Deadline(self._http, sent=slot.sent)
            self.stats.sent(stats, is_retry=request.is_retry)
            try:
                with deadline:
                    raw, packed = self._sent(prepared, where=where)
            except _FAULTS as error:
                failure = self._errors.failure(error, where=where)
                is_closed = deadline.was_idle and failure.cause == "server"
                if is_closed and request.method == "GET" and not request.is_retry:
                    raise _ClosedIdleError from None
                # The libraries' errors tell the whole URL, and the query may hold a key.
                raise failure from None
            elapsed = time.monotonic() - deadline.started
            slot.failed = raw.status >= HTTPStatus.BAD_REQUEST
        self.stats.received(stats, raw.status, size=len(packed), seconds=elapsed)
        return Response(
            status=raw.status,
            headers=raw.headers,
            body=self._unpacked(packed, raw.headers, deadline, where=where),
            elapsed=elapsed,
            url=request.url.partition("?")[0],
            received_at=time.time(),
        )

    def _sent(self, prepared: requests.PreparedRequest, *, where: str) -> tuple[t.Any, bytes]:
        adapter = self._session.get_adapter(prepared.url or "")
        settings = {**self._settings, "stream": True, "timeout": self._http.timeout}
        raw = adapter.send(prepared, **settings).raw
        try:
            return raw, body.read(raw, max_body=self._http.max_body, where=where)
        except BaseException:
            raw.close()
            raise

    def _unpacked(
        self, packed: bytes, headers: Mapping[str, str], deadline: Deadline, *, where: str
    ) -> bytes:
        most, check = self._http.max_body, deadline.remaining
        try:
            return body.unpack(packed, headers, max_body=most, where=where, check=check)
        except TimeoutError as error:
            raise self._errors.failure(error, where=where) from None

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
        """Read the CA bundle once: what fails with it later says nothing of the reason."""
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

    def _redirected(self, request: Request, location: str, *, where: str) -> Request:
        """Return the request a redirect asks for, or refuse to leave the origin."""
        try:
            url = urljoin(request.target, location).partition("#")[0]
            target = origin_of(url)
        except ValueError:
            raise Rejected(
                f"{where} is redirected to a malformed URL, or one that isn't http(s)",
                hint=self._errors.hint("origin"),
            ) from None
        if target != self._origin:
            raise OriginRefused(
                f"{where} is redirected to another origin, {shown_origin(url)}",
                hint=self._new_home(target),
            )
        path, _, query = url.partition("?")
        # The query goes through the signing again, which replaces a key it may hold.
        params = tuple(parse_qsl(query, keep_blank_values=True))
        return replace(request, url=path, params=params, is_retry=False)

    def _new_home(self, target: str) -> str:
        own, other = urlsplit(self._origin), urlsplit(target)
        setting = f"`base_url` of {self._http.name}"
        if (own.scheme, other.scheme, own.hostname) == ("http", "https", other.hostname):
            return f"Use https in {setting}."
        return f"If that is where the API lives, set {setting} to it."


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
