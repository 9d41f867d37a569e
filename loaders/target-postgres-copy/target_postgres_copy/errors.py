"""What ends a run because of its input; every message is one line for the user."""

from __future__ import annotations

#: How much of a value a message shows.
_SHOWN = 60


class LoadError(Exception):
    """The input, or the server's answer to it, ends the run."""


class BadValue(Exception):  # noqa: N818 - it names what it carries, and is never the last word
    """A value that its column can't hold; the row is added where it is known."""

    def __init__(self, reason: str, *, column: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.column = column


class Unsupported(Exception):  # noqa: N818 - a reason to take another way, not an error
    """A stream that only target-postgres itself can load correctly, and why."""


def shown(value: bytes | str) -> str:
    """Shorten a value for a message, and keep it on one line."""
    text = value.decode(errors="backslashreplace") if isinstance(value, bytes) else value
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
