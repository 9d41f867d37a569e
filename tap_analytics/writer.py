"""The one writer of Singer messages: streams run side by side, lines never mix.

A page of records goes out in one write. State changes and the records they speak of are written
under one lock, so a STATE message is never ahead of its records.
"""

from __future__ import annotations

import sys
import threading
import typing as t
from datetime import datetime

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message
from typing_extensions import override

from tap_analytics.errors import TapError


def _plain(value: object) -> str:
    """Write what JSON has no word for as the SDK does."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


#: Encodes records and messages: compact, UTF-8, decimals as the numbers they were.
ENCODER = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")


class OutputClosedError(TapError):
    """Standard output takes no more: nothing can be delivered, so nothing is worth extracting.

    Its text is empty where that is the target's business: it has ended and will say why.
    """


class MessageWriter(GenericSingerWriter[bytes, Message]):
    """Writes whole messages to standard output, from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        #: Number of writes, for tests that hold the output to one write a page.
        self.writes = 0

    @override
    def serialize_message(self, message: Message) -> bytes:
        return ENCODER.encode(message.to_dict()) + b"\n"

    @override
    def write_message(self, message: Message) -> None:
        self.write_lines(self.serialize_message(message))

    def write_lines(self, lines: bytes) -> None:
        """Write complete lines at once; raises `OutputClosedError` if they can't be delivered."""
        with self.lock:
            self.writes += 1
            try:
                self._write(lines)
            except (BrokenPipeError, ConnectionResetError) as error:
                raise OutputClosedError from error
            except OSError as error:
                raise OutputClosedError(
                    f"Standard output can't be written: {error.strerror}. Make room "
                    "where it leads, and run again with the last STATE."
                ) from error

    @staticmethod
    def _write(lines: bytes) -> None:
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:
            sys.stdout.write(lines.decode())
        else:
            # An unbuffered stdout writes as much as the pipe takes.
            rest = memoryview(lines)
            while rest:
                rest = rest[t.cast("int", binary.write(rest)) :]
        sys.stdout.flush()
