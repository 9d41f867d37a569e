"""Authentication by tokens that a server issues.

A token is requested with the first request, shared by all threads, and renewed before it expires
or, once per token, after a 401.
"""

from __future__ import annotations

import json
import math
import threading
import time
import typing as t
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import partial

from typing_extensions import override

from tap_analytics.transport.auth import (
    Authenticator,
    NoAuth,
    with_cookie,
    with_header,
    with_param,
)
from tap_analytics.transport.errors import CredentialsRefused, Retriable

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_analytics.transport.auth import Register, Send
    from tap_analytics.transport.request import Request, Response

#: A token is renewed this many seconds before it expires.
MARGIN = 60.0
Location = t.Literal["header", "query", "cookie"]


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    #: On the authenticator's clock.
    expires_at: float


@dataclass(eq=False, kw_only=True)
class IssuedToken(Authenticator):
    """Base of the authentications whose token a server issues; sent as a bearer token."""

    #: What is asked for a token, and what to check where it gives none, for messages.
    what: t.ClassVar[str] = "the token URL"
    hint: t.ClassVar[str]

    #: Seconds for which a token is used whose response doesn't say how long; None until it is
    #: refused.
    default_token_expiration: float | None = None
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._token: _Token | None = None
        #: The token each thread used last, to which a 401 refers.
        self._signed = threading.local()
        self._send: Send | None = None
        self._register: Register = lambda _: None
        self._api = ""

    @abstractmethod
    def issue(self) -> tuple[object, object]:
        """Request a token; return it and its lifetime in seconds, None where that isn't said."""

    @property
    @override
    def token_requests(self) -> int:
        return 1

    @override
    def __call__(self, request: Request) -> Request:
        with self._lock:
            if self._token is None or self.clock() >= self._token.expires_at:
                self._token = self._fetch()
            self._signed.token = self._token
        return self.sign(request, self._signed.token.value)

    def sign(self, request: Request, token: str) -> Request:
        """Return the request with the token."""
        return with_header(request, "Authorization", f"Bearer {token}")

    @override
    def bind(self, send: Send, *, register: Register | None = None, name: str = "") -> None:
        self._send, self._api = send, name
        self._register = register or self._register

    @override
    def renew(self) -> bool:
        refused: _Token | None = getattr(self._signed, "token", None)
        with self._lock:
            if refused is None or self._token is None:
                return False
            if self._token is refused:
                self._token = self._fetch()
            return self._token.value != refused.value

    def ask(self, request: Request) -> Response:
        """Send a request for a token, in one attempt."""
        return t.cast("Response", self._sender(request, lambda response: response))

    def ask_json(self, request: Request) -> Mapping[str, t.Any]:
        """Return the JSON object of the response to a request for a token."""
        read = partial(_json_object, hint=self.hint)
        return t.cast("Mapping[str, t.Any]", self._sender(request, read))

    @property
    def _sender(self) -> t.Any:  # noqa: ANN401 - a `Send` with its keywords
        if self._send is None:
            raise RuntimeError("bind() comes before the first request")
        return partial(self._send, what=self.what, hint=self.hint)

    def _fetch(self) -> _Token:
        sent_at = self.clock()
        value, lifetime = self.issue()
        if not isinstance(value, str) or not value:
            raise CredentialsRefused(self.lacking, hint=self.hint)
        self._register(value)
        usable = _usable_for(lifetime)
        if usable is None:
            usable = _usable_for(self.default_token_expiration)
        return _Token(value, sent_at + (math.inf if usable is None else usable))

    @property
    def lacking(self) -> str:
        """The problem with a response that has no token."""
        return f"{self.what} answered without an `access_token`"


@dataclass(eq=False, kw_only=True)
class SessionToken(IssuedToken):
    """A token that a login returns, in the body or in a header of its response."""

    what: t.ClassVar[str] = "the login"
    hint: t.ClassVar[str] = "Check `login`, `session_token_path` and `session_token_header`."

    login: Request = field(repr=False)
    login_auth: Authenticator = field(default_factory=NoAuth, repr=False)
    #: Members that lead to the token in the body.
    path: tuple[str, ...] = ()
    #: The header that has it, instead.
    header: str | None = None
    name: str = "Authorization"
    location: Location = "header"
    #: Precedes the token, as in `Bearer `.
    prefix: str = ""

    @property
    @override
    def place(self) -> tuple[str, str]:
        return self.location, self.name.lower() if self.location == "header" else self.name

    @property
    @override
    def param_names(self) -> tuple[str, ...]:
        return (self.name,) if self.location == "query" else ()

    @property
    @override
    def account(self) -> str | None:
        return self.login_auth.account

    @override
    def issue(self) -> tuple[object, object]:
        request = self.login_auth(self.login)
        if self.header is not None:
            return self.ask(request).headers.get(self.header), None
        return value_at(self.ask_json(request), self.path), None

    @property
    @override
    def lacking(self) -> str:
        place = f"header `{self.header}`" if self.header else f"`{'.'.join(self.path)}`"
        return f"{self.what} answered without a token in {place}"

    @override
    def sign(self, request: Request, token: str) -> Request:
        write = {"header": with_header, "query": with_param, "cookie": with_cookie}[self.location]
        return write(request, self.name, f"{self.prefix}{token}")


def value_at(payload: t.Any, path: tuple[str, ...]) -> object:  # noqa: ANN401 - any JSON value
    """Return the value at a path of members; None where there is none."""
    for member in path:
        payload = payload.get(member) if isinstance(payload, dict) else None
    return t.cast("object", payload)


def _json_object(response: Response, *, hint: str) -> Mapping[str, t.Any]:
    try:
        payload = json.loads(response.body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise Retriable("it answered no JSON object", hint=hint, cause="body")
    return payload


def _usable_for(lifetime: object) -> float | None:
    """Return for how many seconds of its lifetime a token is used; None where it has none."""
    try:
        seconds = float(str(lifetime))
    except ValueError:
        return None
    return max(seconds - MARGIN, seconds / 2)
