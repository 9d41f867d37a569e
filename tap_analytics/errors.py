"""Errors that explain themselves in one line: what, where, what to do."""

from __future__ import annotations

from singer_sdk.exceptions import SingerSDKError

from tap_analytics.transport.errors import TransportError


class TapError(Exception):
    """Base of the errors whose text is all a user needs."""


class InputError(TapError):
    """Bad input, found before any request."""


def explain(error: BaseException) -> str:
    """Return the line that tells an error; one nobody expected is told with its type."""
    text = str(error)
    if isinstance(error, (TapError, TransportError, SingerSDKError)) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
