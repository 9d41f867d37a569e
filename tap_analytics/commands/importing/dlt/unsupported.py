"""What makes a resource be left out."""

from __future__ import annotations

import typing as t

from tap_analytics.commands.importing.notes import listed, shown
from tap_analytics.commands.importing.unread import UNPACKED, unread_in

if t.TYPE_CHECKING:
    from collections.abc import Collection

Object = dict[str, t.Any]


class UnsupportedError(Exception):
    """An unsupported part of a resource; the message names it."""


def check_read(value: object) -> None:
    """Raise `UnsupportedError` for a value that has parts that can't be read."""
    for unread in unread_in(value):
        raise UnsupportedError(str(unread))


def check_words(given: Object, known: Collection[str], where: str) -> None:
    """Raise `UnsupportedError` for keys that aren't known."""
    if UNPACKED in given:
        raise UnsupportedError(str(given[UNPACKED]))
    if unknown := [word for word in given if word not in known]:
        verb = "isn't" if len(unknown) == 1 else "aren't"
        raise UnsupportedError(f"{listed(unknown)} of `{shown(where)}` {verb} supported")
