"""Short digests of content, the same in every process.

Two of a million contents have the same digest in one of 10^17 runs, so equal digests count as equal
content.
"""

from __future__ import annotations

import hashlib
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field

from tap_analytics.records.writer import ENCODER

#: Bytes of a digest: half as many would mistake two contents in one of 10^7 runs.
SIZE: t.Final = 12
#: Digests are kept in so many parts, for it takes a search to find one.
_PARTS: t.Final = 1024


def digest(content: bytes, *, size: int = SIZE) -> bytes:
    """Return a digest of some content, the same in every process."""
    return hashlib.blake2b(content, digest_size=size).digest()


def digest_of(value: object) -> str:
    """Return a short digest of a JSON value, as it stands in the state."""
    return digest(ENCODER.encode(value), size=8).hex()


@dataclass(slots=True)
class Digests:
    """Counts how often contents came, at little more than `SIZE` bytes each time."""

    _parts: defaultdict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))

    def add(self, content: bytes) -> int:
        """Count some content and return how often it has come, this time included."""
        found = digest(content)
        part = self._parts[int.from_bytes(found[:2], "big") % _PARTS]
        part += found
        return part.count(found)

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
