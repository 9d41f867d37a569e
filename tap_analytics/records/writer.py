"""Writes Singer messages from concurrent streams without mixing lines.

A page of records goes out in one write. State changes and the records they follow are written
under one lock, so a STATE message is never ahead of its records.

A target may stop reading in the middle of a line. A run that is stopped then enlarges the pipe,
where the system allows it, so that the line and a last STATE are still written whole.
"""

from __future__ import annotations

import contextlib
import os
import select
import stat
import struct
import sys
import threading
import typing as t
from datetime import datetime
from time import monotonic, sleep

import msgspec
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.singerlib.encoding.simple import Message
from typing_extensions import override

from tap_analytics.errors import TapError
from tap_analytics.transport.errors import Cancelled

with contextlib.suppress(ImportError):  # on Windows
    import fcntl
    import termios

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Bytes written at once: a pipe may be enlarged by that much without privileges.
CHUNK = 512 * 1024
#: The longest time, in seconds, that a write takes if the reader isn't behind.
WRITE_TIME = 0.15


def _plain(value: object) -> str:
    """Encode types that JSON lacks as the SDK does."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


#: Encodes records and messages: compact, UTF-8, decimals as the numbers they were.
ENCODER = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number")


#: Logged where the target, or another reader, has ended.
READER_GONE = (
    "Standard output was closed by what reads it, such as the target, so the tap ends too: see why "
    "the reader ended."
)


def encode_message(message: Message) -> bytes:
    """Return a message as a line."""
    return ENCODER.encode(message.to_dict()) + b"\n"


class OutputClosedError(TapError):
    """Standard output can't be written any more, so the run ends.

    Its text is empty if the reader has closed it.
    """


class MessageWriter(GenericSingerWriter[bytes, Message]):
    """Writes whole messages to standard output, from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        #: Size of the current or last write.
        self._write_size = 0
        self._ended = False

    @override
    def serialize_message(self, message: Message) -> bytes:
        return encode_message(message)

    @override
    def write_message(self, message: Message) -> None:
        self.write_lines(self.serialize_message(message))

    def write_lines(self, lines: bytes) -> None:
        """Write complete lines at once; raises `OutputClosedError` if they can't be delivered."""
        with self.lock:
            try:
                for chunk in _chunks(lines):
                    if self._ended:
                        raise Cancelled("the output has ended")
                    self._write_size = len(chunk)
                    self._write(chunk)
            except (BrokenPipeError, ConnectionResetError) as error:
                raise OutputClosedError from error
            except OSError as error:
                raise OutputClosedError(
                    f"Standard output can't be written: {error.strerror}. Make room "
                    "where it leads, and run again with the last STATE."
                ) from error

    def end(self, last: Callable[[], Message | None], *, seconds: float) -> bool:
        """Write a last message, made after all other writes have ended, and nothing after it.

        False if it can't be written within so many seconds: then no part of it is written, and a
        thread may be blocked in a write for ever.
        """
        deadline = monotonic() + seconds
        self._ended = True
        if not self.lock.acquire(timeout=WRITE_TIME):
            _ensure_room(self._write_size)
            if not self.lock.acquire(timeout=max(deadline - monotonic(), 0)):
                return False
        if (message := last()) is None:
            return True
        line = self.serialize_message(message)
        while not _ensure_room(len(line)):
            if monotonic() > deadline:
                return False
            sleep(0.02)
        try:
            self._write(line)
        except OSError:
            return False
        return True

    @staticmethod
    def _write(lines: bytes | memoryview) -> None:
        binary = getattr(sys.stdout, "buffer", None)
        if binary is None:
            sys.stdout.write(bytes(lines).decode())
        else:
            # An unbuffered stdout writes as much as the pipe takes.
            rest = memoryview(lines)
            while rest:
                rest = rest[t.cast("int", binary.write(rest)) :]
        sys.stdout.flush()


def _chunks(lines: bytes) -> Iterator[bytes | memoryview]:
    """Yield complete lines in pieces of at most `CHUNK` bytes, or of one line."""
    start = 0
    while len(lines) - start > CHUNK:
        end = lines.rfind(b"\n", start, start + CHUNK)
        if end < 0:
            end = lines.index(b"\n", start)
        yield memoryview(lines)[start : end + 1]
        start = end + 1
    yield memoryview(lines)[start:] if start else lines


def _ensure_room(size: int) -> bool:
    """Whether standard output takes so many bytes at once; enlarges a pipe that doesn't."""
    if sys.platform == "win32":
        return True
    try:
        pipe = sys.stdout.fileno()
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            return True
    except (AttributeError, OSError, ValueError):
        return True
    is_open = bool(select.select([], [pipe], [], 0)[1])
    if is_open and size <= select.PIPE_BUF:
        return True
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            pages = size + 2 * select.PIPE_BUF
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) + pages)
            return True
    # It can't be enlarged; but one that has been emptied has a reader.
    (unread,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return is_open and unread == 0
