"""The origin of an API; requests are sent to no other."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import replace
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

from tap_analytics.transport.errors import OriginRefused, shorten
from tap_analytics.transport.redaction import MASK, redact

if t.TYPE_CHECKING:
    from tap_analytics.transport.error_mapping import ErrorMapper
    from tap_analytics.transport.request import Request

_SHOWN = 200
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin:
    """Scheme, host and port of a URL."""

    def __init__(self, url: str) -> None:
        self.text = origin_of(url)
        self._prefix = f"{self.text}/"

    def contains(self, url: str) -> bool:
        """Whether a URL has this origin."""
        with contextlib.suppress(ValueError):
            return url.startswith(self._prefix) or origin_of(url) == self.text
        return False

    def normalized(self, url: str) -> str:
        """Return a URL of the origin with scheme and host in normalized form."""
        if url.startswith(self._prefix):
            return url
        parts = urlsplit(url)
        return urlunsplit((*urlsplit(self.text)[:2], parts.path, parts.query, ""))

    def redirected(self, request: Request, location: str, errors: ErrorMapper) -> Request:
        """Return the request to follow a redirect; raises if it leaves the origin."""
        try:
            url = urljoin(request.target, location).partition("#")[0]
            target = origin_of(url)
        except ValueError:
            text = "is redirected to a malformed URL, or one that isn't http(s)"
            raise errors.refused(text) from None
        if target != self.text:
            own, other = urlsplit(self.text), urlsplit(target)
            setting = f"`base_url` of {errors.http.name}"
            if (own.scheme, other.scheme, own.hostname) == ("http", "https", other.hostname):
                hint = f"Use https in {setting}."
            else:
                hint = f"If the API has moved there, set {setting} to it."
            text = f"is redirected to another origin, {shown_origin(url)}"
            raise errors.refused(text, kind=OriginRefused, hint=hint)
        path, _, query = url.partition("?")
        # The query is signed again, which replaces a key it may hold.
        params = tuple(parse_qsl(query, keep_blank_values=True))
        return replace(request, url=path, params=params, is_retry=False)


def shown_origin(url: str) -> str:
    """Return the origin of a URL to be shown, redacted before its letters change case."""
    with contextlib.suppress(ValueError):
        return shorten(origin_of(redact(url)), _SHOWN)
    return MASK


def origin_of(url: str) -> str:
    """Return scheme, host and port in normalized form, or raise ValueError.

    User info is included, masked, so that no request is sent to a URL that has some.
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
    """Return a host name in ASCII; raises ValueError for an invalid one."""
    if host.isascii():
        return host
    import idna  # noqa: PLC0415 - takes time, and few hosts need it

    return idna.encode(host, uts46=True).decode()
