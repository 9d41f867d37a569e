"""The line to a terminal: what it doesn't take now it gets later, in order, and nobody waits.

A window may be stopped, with Ctrl-S or by a reader that hangs. Neither the rows nor the answer to a
signal may be held up by it.
"""

from __future__ import annotations

import contextlib
import os
import typing as t


class Line:
    """Writes to the terminal of a stream without ever waiting for it, where that is possible."""

    def __init__(self, stream: t.TextIO) -> None:
        self._encoding = stream.encoding or "utf-8"
        self._errors = stream.errors or "backslashreplace"
        self._waiting = bytearray()
        stream.flush()
        self._fd = _opened(stream.fileno())

    def write(self, text: str) -> None:
        """Write a text, or keep what the terminal doesn't take for the next time."""
        self._waiting += text.encode(self._encoding, self._errors)
        self.push()

    def push(self) -> bool:
        """Write what has been kept, as far as it is taken; say whether nothing is left."""
        while self._waiting:
            try:
                taken = os.write(self._fd, self._waiting)
            except BlockingIOError:
                return False
            except OSError:
                # The terminal is gone; that must not end the run.
                self._waiting.clear()
            else:
                del self._waiting[:taken]
        return True

    def close(self) -> None:
        """Forget what is left."""
        self._waiting.clear()
        with contextlib.suppress(OSError):
            os.close(self._fd)


def _opened(fd: int) -> int:
    """Open a terminal anew: not to wait is a matter of how it was opened, which others share.

    One that may not be opened again is waited for.
    """
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return os.dup(fd)
