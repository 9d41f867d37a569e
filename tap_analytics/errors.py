"""Errors with a one-line message: what, where, what to do."""

from __future__ import annotations

from singer_sdk.exceptions import MappingError, SingerSDKError

from tap_analytics.transport.errors import TransportError, joined, one_line
from tap_analytics.transport.redaction import redact

#: Hint for unexpected errors.
CHECK_MAPS = "Check `stream_maps`."
LOOK_CLOSER = "Run again with `LOGLEVEL=DEBUG` to see where it comes from."


class TapError(Exception):
    """Base of errors whose message is for users: one line, without secrets."""

    def __init__(self, text: str = "") -> None:
        super().__init__(*([one_line(redact(text))] if text else []))


class InputError(TapError):
    """Invalid input, reported before the extraction starts."""


class SyncFailedError(Exception):
    """At least one stream is not complete; the reasons have been logged."""


class PaginationError(TapError):
    """Paging that doesn't advance: what the server did, and what to set."""


class NeverRanError(TapError):
    """A stream whose thread ended without result or error."""


def is_expected(error: BaseException) -> bool:
    """Whether an error is one whose text is meant for users."""
    return isinstance(error, (TapError, TransportError, SingerSDKError)) and bool(str(error))


def explain(error: BaseException) -> str:
    """Return the message of an error in one line; unexpected ones with their type."""
    text = one_line(redact(str(error)))
    if isinstance(error, MappingError):
        return joined(text, CHECK_MAPS)
    if is_expected(error):
        return text
    unexpected = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return joined(unexpected, LOOK_CLOSER)
