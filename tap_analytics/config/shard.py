"""Shards: the parts into which a sync is divided, and what each of them has read.

`tap-analytics shards` makes them, the setting `shard` names the one to read, and
`tap-analytics conclude` puts together what they have read.
"""

from __future__ import annotations

import typing as t

import msgspec

from tap_analytics.records.digests import digest_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="by"):
    """What a shard reads of a stream and the streams below it."""

    def takes(self, row: Mapping[str, t.Any], keys: Sequence[str]) -> bool:  # noqa: ARG002 - for parts made of rows
        """Whether a row, with the streams below it, belongs to the part."""
        return True


class Whole(Part, frozen=True, kw_only=True, tag="stream"):
    """All of a stream."""


class SchemaOnly(Part, frozen=True, kw_only=True, tag="schema"):
    """Nothing but the SCHEMA messages, with which a target makes its tables."""


class TimeRange(Part, frozen=True, kw_only=True, tag="window"):
    """The rows from one replication value, inclusive, to another one, exclusive.

    Null is no bound of its own: that of the run holds.
    """

    start: str | None
    end: str | None


class RowRange(Part, frozen=True, kw_only=True, tag="rows"):
    """The rows from one position in the list to another one, exclusive; null is the end."""

    start: int
    end: int | None
    #: Offset or page number that the range begins with.
    number: int


class KeyGroup(Part, frozen=True, kw_only=True, tag="keys"):
    """The rows whose key has a digest of one group out of several, with the streams below them."""

    group: int
    of: int

    def takes(self, row: Mapping[str, t.Any], keys: Sequence[str]) -> bool:
        """Whether the key of a row belongs to the group."""
        return int(digest_of([row.get(name) for name in keys]), 16) % self.of == self.group


class ValueGroup(Part, frozen=True, kw_only=True, tag="values"):
    """Some of the lists that a stream has for the values of its `partitions`: one out of `of`."""

    group: int
    of: int


AnyPart = Whole | SchemaOnly | TimeRange | RowRange | KeyGroup | ValueGroup
WHOLE = Whole()
#: Name of the file with all shards of a sync.
SHARDS = "shards.json"


class ShardName(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which shard it is."""

    #: The sync that all shards of it belong to.
    run: str
    #: Unique within the run, such as "3-of-8".
    id: str


class Shard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the parts into which a sync is divided."""

    run: str
    id: str
    #: Shards of the sync.
    count: int
    #: Version that the rows of full-table streams carry, in milliseconds since 1970.
    version: int
    #: By name of a stream without a parent.
    streams: dict[str, AnyPart]
    #: Bookmarks the sync begins with, by stream.
    bookmarks: dict[str, t.Any]
    #: Requests it is estimated to take.
    requests: int

    @property
    def name(self) -> ShardName:
        """Which shard it is."""
        return ShardName(run=self.run, id=self.id)

    @classmethod
    def from_setting(cls, value: object) -> Shard:
        """Return the shard of the setting; raises `msgspec.ValidationError` for anything else."""
        return msgspec.convert(value, cls)


def shard_problems(value: object) -> list[str]:
    """Return what is wrong with the setting `shard`, in one line at most."""
    try:
        _ = value is None or Shard.from_setting(value)
    except msgspec.ValidationError as error:
        return [f"`shard`: {error}. Copy one of those that `tap-analytics shards` prints."]
    return []


class ShardedSync(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All shards of a sync, as `tap-analytics shards` prints them."""

    run: str
    version: int
    #: Writes the schemas of all streams, so that targets make no table at the same time.
    prepare: Shard
    shards: list[Shard]


class PartResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a shard has read of a stream, as its summary tells it."""

    #: The API and the account, as state names them.
    source: dict[str, str | None]
    #: The moment the reading began, ISO 8601.
    began: str
    #: The highest replication value; null for full tables and for streams without rows.
    highest: t.Any
    #: Parents whose rows the highest value covers, as state names them; null without parents.
    parents: str | None
    #: Aliases under which stream maps left out rows.
    filtered: list[str]
    #: Digests of the key at the start of a range of rows, and of the one at its end.
    first_key: str | None
    next_key: str | None
