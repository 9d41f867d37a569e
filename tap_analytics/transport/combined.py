"""Several authentications of one API: all for each request, or one by its stream."""

from __future__ import annotations

import threading
import typing as t
from dataclasses import dataclass, field

from typing_extensions import override

from tap_analytics.transport.auth import Authenticator

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_analytics.transport.auth import Register, Send
    from tap_analytics.transport.request import Request


@dataclass(frozen=True)
class Together(Authenticator):
    """Several authentications at once, each in a place of its own."""

    parts: tuple[Authenticator, ...]

    @override
    def __call__(self, request: Request) -> Request:
        for part in self.parts:
            request = part(request)
        return request

    @property
    @override
    def param_names(self) -> tuple[str, ...]:
        return tuple(name for part in self.parts for name in part.param_names)

    @property
    @override
    def account(self) -> str | None:
        return _accounts(self.parts)

    @property
    @override
    def token_requests(self) -> int:
        return sum(part.token_requests for part in self.parts)

    @override
    def bind(self, send: Send, *, register: Register | None = None, name: str = "") -> None:
        for part in self.parts:
            part.bind(send, register=register, name=name)

    @override
    def renew(self) -> bool:
        # Any of the tokens may be the one that was refused.
        renewed = [part.renew() for part in self.parts]
        return any(renewed)


@dataclass(eq=False)
class ByStream(Authenticator):
    """One authentication for most streams, and others for those that have their own."""

    usual: Authenticator
    own: Mapping[str, Authenticator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        #: What each thread signed with last, to which a 401 refers.
        self._signed = threading.local()

    @override
    def of(self, stream: str) -> Authenticator:
        return self.own.get(stream, self.usual)

    @override
    def __call__(self, request: Request) -> Request:
        by = self._signed.by = self.of(request.stream)
        return by(request)

    @property
    @override
    def account(self) -> str | None:
        return _accounts([self.usual, *self.own.values()])

    @override
    def bind(self, send: Send, *, register: Register | None = None, name: str = "") -> None:
        for each in (self.usual, *self.own.values()):
            each.bind(send, register=register, name=name)

    @override
    def renew(self) -> bool:
        by: Authenticator = getattr(self._signed, "by", self.usual)
        return by.renew()


def _accounts(parts: Iterable[Authenticator]) -> str | None:
    """Return the accounts, each once, in their order; None if there are none."""
    names = [part.account for part in parts]
    return " ".join(dict.fromkeys(name for name in names if name)) or None
