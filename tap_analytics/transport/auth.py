"""Authentication of requests, one class per kind of credential.

Signing returns a new request and replaces credentials from an earlier signing, so it can be
repeated on every attempt. The `repr` of an authenticator has no secrets.
"""

from __future__ import annotations

import base64
import math
import threading
import time
import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

from typing_extensions import override

from tap_analytics.transport.errors import CredentialsRefused

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_analytics.transport.request import Request

    Register = Callable[[str], object]
    Post = Callable[[str, Mapping[str, str]], Mapping[str, t.Any]]

#: A token is renewed this many seconds before it expires.
MARGIN = 60.0


class Authenticator(ABC):
    """Signs requests."""

    @abstractmethod
    def __call__(self, request: Request) -> Request:
        """Return the request with credentials; existing ones are replaced."""

    @property
    def param_names(self) -> tuple[str, ...]:
        """Query parameters that carry credentials, to be dropped from next links."""
        return ()

    @property
    def account(self) -> str | None:
        """The account, if the credentials name one besides their secret."""
        return None

    def bind(self, post: Post, *, register: Register | None = None) -> None:  # noqa: B027 - few need it
        """Set the function that posts a form to a URL and returns the JSON object of the response.

        `register` is called with every secret received this way, before it is used.
        """

    def renew(self) -> bool:
        """Renew the credentials of this thread's last request after a 401; thread-safe.

        Returns whether there are others now, maybe renewed by another thread, to try again with.
        """
        return False


@dataclass(frozen=True)
class NoAuth(Authenticator):
    """No authentication."""

    @override
    def __call__(self, request: Request) -> Request:
        return request


def _with_header(request: Request, name: str, value: str) -> Request:
    others = tuple(header for header in request.headers if header[0].lower() != name.lower())
    # HTTP carries a header as Latin-1: UTF-8 octets pass through it unchanged.
    return replace(request, headers=(*others, (name, value.encode().decode("latin-1"))))


@dataclass(frozen=True)
class ApiKeyHeader(Authenticator):
    """An API key in a header."""

    name: str
    key: str = field(repr=False)

    @override
    def __call__(self, request: Request) -> Request:
        return _with_header(request, self.name, self.key)


@dataclass(frozen=True)
class ApiKeyQuery(Authenticator):
    """An API key in the query, so that every URL is secret."""

    name: str
    key: str = field(repr=False)

    @override
    def __call__(self, request: Request) -> Request:
        others = tuple(param for param in request.params if param[0] != self.name)
        return replace(request, params=(*others, (self.name, self.key)))

    @property
    @override
    def param_names(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True)
class Basic(Authenticator):
    """Basic authentication; either of the two may be the actual secret."""

    username: str = field(repr=False)
    password: str = field(repr=False)

    @property
    @override
    def account(self) -> str | None:
        # Without a password the user name is the secret.
        return self.username if self.password else None

    @override
    def __call__(self, request: Request) -> Request:
        token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return _with_header(request, "Authorization", f"Basic {token}")


@dataclass(frozen=True)
class Bearer(Authenticator):
    """A token that doesn't expire during the run."""

    token: str = field(repr=False)

    @override
    def __call__(self, request: Request) -> Request:
        return _with_header(request, "Authorization", f"Bearer {self.token}")


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    #: On the authenticator's clock.
    expires_at: float


@dataclass(eq=False, kw_only=True)
class OAuth2ClientCredentials(Authenticator):
    """OAuth 2 client credentials grant (RFC 6749, section 4.4).

    The token is requested with the first request, shared by all threads, and renewed before it
    expires or, once per token, after a 401.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    #: Form fields to add or replace.
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._token: _Token | None = None
        #: The token each thread used last, to which a 401 refers.
        self._signed = threading.local()
        self._post: Post | None = None
        self._register: Register | None = None

    @property
    @override
    def account(self) -> str | None:
        return self.client_id

    @override
    def __call__(self, request: Request) -> Request:
        with self._lock:
            if self._token is None or self.clock() >= self._token.expires_at:
                self._token = self._fetch()
            self._signed.token = self._token
        return _with_header(request, "Authorization", f"Bearer {self._signed.token.value}")

    @override
    def bind(self, post: Post, *, register: Register | None = None) -> None:
        self._post, self._register = post, register

    @override
    def renew(self) -> bool:
        refused: _Token | None = getattr(self._signed, "token", None)
        with self._lock:
            if refused is None or self._token is None:
                return False
            if self._token is refused:
                self._token = self._fetch()
            return self._token.value != refused.value

    def _fetch(self) -> _Token:
        if self._post is None:
            raise RuntimeError("bind() comes before the first request")
        sent_at = self.clock()
        response = self._post(self.token_url, self._fields())
        value = response.get("access_token")
        if not isinstance(value, str) or not value:
            raise CredentialsRefused(
                "the token URL answered without an `access_token`",
                hint="Check `access_token_url`, `client_id`, `client_secret` and `scopes`.",
            )
        if self._register is not None:
            self._register(value)
        return _Token(value, sent_at + _usable_for(response.get("expires_in")))

    def _fields(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            **({"scope": " ".join(self.scopes)} if self.scopes else {}),
            **self.form,
        }


def _usable_for(expires_in: object) -> float:
    """Return the lifetime of a token in seconds; without `expires_in`, until it is refused."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return math.inf
    return max(seconds - MARGIN, seconds / 2)
