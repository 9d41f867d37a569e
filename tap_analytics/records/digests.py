"""Short digests of content, the same in every process.

Among a million contents two have the same digest with a probability of 10^-17, so equal digests
count as equal content.
"""

from __future__ import annotations

import hashlib
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field

import msgspec

from tap_analytics.records.writer import ENCODER

#: Keys sorted, no spaces, UTF-8, a Decimal as the number it was decoded from.
CANONICAL_JSON = msgspec.json.Encoder(order="deterministic", decimal_format="number")

#: Bytes of a digest.
SIZE: t.Final = 12
#: Parts that digests are divided into, because a part is searched from its start.
_PARTS: t.Final = 1024


def digest(content: bytes, *, size: int = SIZE) -> bytes:
    """Return a digest of some content."""
    return hashlib.blake2b(content, digest_size=size).digest()


def digest_of(value: object) -> str:
    """Return a short digest of a JSON value, as it stands in the state."""
    return digest(ENCODER.encode(value), size=8).hex()


def record_hash(row: object) -> str:
    """Return the SHA-256 of a row as received, whatever the order of its fields."""
    return hashlib.sha256(CANONICAL_JSON.encode(row)).hexdigest()


@dataclass(slots=True)
class Digests:
    """Counts contents, at little more than `SIZE` bytes each."""

    _parts: defaultdict[int, bytearray] = field(default_factory=lambda: defaultdict(bytearray))

    def add(self, content: bytes) -> int:
        """Count some content and return its count."""
        found = digest(content)
        part = self._parts[int.from_bytes(found[:2], "big") % _PARTS]
        part += found
        return part.count(found)

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()
