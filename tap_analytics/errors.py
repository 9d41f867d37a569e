"""Errors that explain themselves in one line: what, where, what to do."""

from __future__ import annotations

from singer_sdk.exceptions import MappingError, SingerSDKError

from tap_analytics.transport.errors import TransportError, joined, one_line
from tap_analytics.transport.redaction import redact

#: What to do about errors that are not the tap's own.
CHECK_MAPS = "Check `stream_maps`."
LOOK_CLOSER = "Run again with `LOGLEVEL=DEBUG` to see where it comes from."


class TapError(Exception):
    """Base of the errors whose text, one line without secrets, is all a user needs."""

    def __init__(self, text: str = "") -> None:
        super().__init__(*([one_line(redact(text))] if text else []))


class InputError(TapError):
    """Bad input, told before anything is extracted."""


class SyncFailedError(Exception):
    """At least one stream is not complete; the reasons have been logged."""


class NeverRanError(TapError):
    """A stream whose thread ended without result or error."""


def is_expected(error: BaseException) -> bool:
    """Whether an error is one whose text is meant for users."""
    return isinstance(error, (TapError, TransportError, SingerSDKError)) and bool(str(error))


def explain(error: BaseException) -> str:
    """Return the line that tells an error; one nobody expected is told with its type."""
    text = one_line(redact(str(error)))
    if isinstance(error, MappingError):
        return joined(text, CHECK_MAPS)
    if is_expected(error):
        return text
    unexpected = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return joined(unexpected, LOOK_CLOSER)
