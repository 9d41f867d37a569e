"""How a request is signed: one small callable per kind of credential.

Signing returns a new request and replaces what an earlier signing put there, so it can be repeated
on every attempt. An authenticator is given values, and its `repr` has none of its secrets.
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

    Learn = Callable[[str], object]
    Post = Callable[[str, Mapping[str, str]], Mapping[str, t.Any]]

#: A token is renewed this many seconds before it expires.
MARGIN = 60.0


class Authenticator(ABC):
    """Signs requests."""

    #: Query parameters that carry credentials, to be dropped from next links.
    param_names: tuple[str, ...] = ()

    @abstractmethod
    def __call__(self, request: Request) -> Request:
        """Return the request with credentials, in place of any it has."""

    @property
    def account(self) -> str | None:
        """Whose account this is, where the credentials name one beside their secret."""
        return None

    def bind(self, post: Post, *, learn: Learn | None = None) -> None:  # noqa: B027 - few need it
        """Set the function that posts a form to a URL and returns the JSON object of the response.

        `learn` is called with every secret that is got this way, before it is used.
        """

    def renew(self) -> bool:
        """Get other credentials after a 401; whether another attempt makes sense."""
        return False


@dataclass(frozen=True)
class NoAuth(Authenticator):
    """An API open to everybody."""

    @override
    def __call__(self, request: Request) -> Request:
        return request


def _with_header(request: Request, name: str, value: str) -> Request:
    others = tuple(header for header in request.headers if header[0].lower() != name.lower())
    # HTTP carries a header as Latin-1: UTF-8 octets pass through it unharmed.
    return replace(request, headers=(*others, (name, value.encode().decode("latin-1"))))


@dataclass(frozen=True)
class ApiKeyHeader(Authenticator):
    """A key in a header of the API's own."""

    name: str
    key: str = field(repr=False)

    @override
    def __call__(self, request: Request) -> Request:
        return _with_header(request, self.name, self.key)


@dataclass(frozen=True)
class ApiKeyQuery(Authenticator):
    """A key in the query: every URL is a secret then."""

    name: str
    key: str = field(repr=False)

    @override
    def __call__(self, request: Request) -> Request:
        others = tuple(param for param in request.params if param[0] != self.name)
        return replace(request, params=(*others, (self.name, self.key)))

    @property
    def param_names(self) -> tuple[str, ...]:  # type: ignore[override]  # known per instance only
        """The parameter of the key."""
        return (self.name,)


@dataclass(frozen=True)
class Basic(Authenticator):
    """User name and password, either of which may be the actual secret."""

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
    """A token that doesn't expire, or not while the tap runs."""

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
    """A bearer token got for a client's own credentials (RFC 6749, section 4.4).

    The token is fetched with the first request, shared by all threads, and renewed before it
    expires or, once per token, when it is refused.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    #: Fields that are added to the form posted, or replace some of it.
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._token: _Token | None = None
        #: The token each thread signed with last: the one a 401 it meets is about.
        self._signed = threading.local()
        self._post: Post | None = None
        self._learn: Learn | None = None

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
    def bind(self, post: Post, *, learn: Learn | None = None) -> None:
        self._post, self._learn = post, learn

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
        if self._learn is not None:
            self._learn(value)
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
    """Return the seconds to use a token for; without a figure, until it is refused."""
    try:
        seconds = float(str(expires_in))
    except ValueError:
        return math.inf
    return max(seconds - MARGIN, seconds / 2)
