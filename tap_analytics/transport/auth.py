"""Authentication of requests, one class per kind of credential.

Signing returns a new request and replaces credentials from an earlier signing, so it can be
repeated on every attempt. The `repr` of an authenticator has no secrets.
"""

from __future__ import annotations

import base64
import typing as t
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

from typing_extensions import override

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from tap_analytics.transport.request import Request, Response

    Register = Callable[[str], object]

T = t.TypeVar("T")


class Send(t.Protocol):
    """Sends a request for a token in one attempt and returns what `read` makes of the response.

    Raises `Retriable` or `CredentialsRefused`, whose texts name `what` and give `hint`.
    """

    def __call__(
        self, request: Request, read: Callable[[Response], T], *, what: str, hint: str
    ) -> T:
        """Return what `read` makes of the response."""


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

    @property
    def place(self) -> tuple[str, str]:
        """Where credentials are written: a header, the query or a cookie, and the name."""
        return "header", "authorization"

    @property
    def token_requests(self) -> int:
        """How many requests for tokens the first request needs."""
        return 0

    def of(self, stream: str) -> Authenticator:  # noqa: ARG002 - for those that differ by stream
        """Return what signs the requests of a stream."""
        return self

    def bind(  # noqa: B027 - few need it
        self, send: Send, *, register: Register | None = None, name: str = ""
    ) -> None:
        """Set the function that sends requests for tokens.

        `register` is called with every secret received this way, before it is used. `name` is the
        name of the API, for messages.
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


def with_header(request: Request, name: str, value: str) -> Request:
    """Return the request with a header, which replaces one of that name."""
    others = tuple(header for header in request.headers if header[0].lower() != name.lower())
    # HTTP carries a header as Latin-1: UTF-8 octets pass through it unchanged.
    return replace(request, headers=(*others, (name, value.encode().decode("latin-1"))))


def with_param(request: Request, name: str, value: str) -> Request:
    """Return the request with a query parameter, which replaces those of that name."""
    others = tuple(param for param in request.params if param[0] != name)
    return replace(request, params=(*others, (name, value)))


def with_cookie(request: Request, name: str, value: str) -> Request:
    """Return the request with a cookie, which replaces one of that name."""
    given = next((each for header, each in request.headers if header.lower() == "cookie"), "")
    others = [each for each in given.split("; ") if each and each.partition("=")[0] != name]
    return with_header(request, "Cookie", "; ".join([*others, f"{name}={value}"]))


@dataclass(frozen=True)
class ApiKeyHeader(Authenticator):
    """An API key in a header."""

    name: str
    key: str = field(repr=False)

    @property
    @override
    def place(self) -> tuple[str, str]:
        return "header", self.name.lower()

    @override
    def __call__(self, request: Request) -> Request:
        return with_header(request, self.name, self.key)


@dataclass(frozen=True)
class ApiKeyQuery(Authenticator):
    """An API key in the query, so that every URL is secret."""

    name: str
    key: str = field(repr=False)

    @property
    @override
    def place(self) -> tuple[str, str]:
        return "query", self.name

    @override
    def __call__(self, request: Request) -> Request:
        return with_param(request, self.name, self.key)

    @property
    @override
    def param_names(self) -> tuple[str, ...]:
        return (self.name,)


@dataclass(frozen=True)
class ApiKeyCookie(Authenticator):
    """An API key in a cookie."""

    name: str
    key: str = field(repr=False)

    @property
    @override
    def place(self) -> tuple[str, str]:
        return "cookie", self.name

    @override
    def __call__(self, request: Request) -> Request:
        return with_cookie(request, self.name, self.key)


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
        return with_header(request, "Authorization", f"Basic {token}")


@dataclass(frozen=True)
class Bearer(Authenticator):
    """A token that doesn't expire during the run."""

    token: str = field(repr=False)

    @override
    def __call__(self, request: Request) -> Request:
        return with_header(request, "Authorization", f"Bearer {self.token}")
