"""What the five services have in common: a path they answer under, a key they ask for, a rate."""

from __future__ import annotations

import base64
import binascii
import typing as t
from abc import ABC, abstractmethod

if t.TYPE_CHECKING:
    from tap_analytics.demo.credentials import Credentials
    from tap_analytics.demo.data import World
    from tap_analytics.demo.http import Answer, Request


class Service(ABC):
    """One API in one dialect."""

    #: The settings block of the API.
    name: str
    #: Every path of the API begins with it.
    prefix: str
    #: Requests granted in a sliding window, and its seconds, when rates are limited.
    rate: tuple[int, float] | None = None
    #: Whether the answers tell how much of the rate is left.
    tells_rate = False

    def __init__(self, world: World, *, url: str, credentials: Credentials) -> None:
        self.world = world
        self.url = url
        self.credentials = credentials

    @abstractmethod
    def admits(self, request: Request) -> bool:
        """Whether the request shows the credentials the API wants."""

    @abstractmethod
    def answer(self, request: Request) -> Answer:
        """Answer an admitted GET request; raise `Refused` for one that can't be granted."""


def basic_credentials(request: Request) -> tuple[str, str] | None:
    """Return user name and password of a Basic authorization, or None."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, colon, password = decoded.partition(":")
    return (user, password) if colon else None
