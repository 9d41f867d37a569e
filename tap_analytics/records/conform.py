"""From rows to RECORD lines, a page at a time.

What selection and schema mean for a stream is compiled once; a page is then conformed and encoded
in one go. Stream maps, flattening and BATCH files get their records from the same conformed rows.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime

from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.mapper import SameRecordTransform

from tap_analytics.errors import TapError
from tap_analytics.records.inference import infer_schema
from tap_analytics.records.rows import StructRows
from tap_analytics.records.writer import ENCODER

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singer_sdk.mapper import StreamMap
    from singer_sdk.singerlib import SelectionMask

    from tap_analytics.records.drift import SchemaDrift
    from tap_analytics.records.rows import DictRows, Rows
    from tap_analytics.records.type_policy import TypePolicy

Row = dict[str, t.Any]
UnknownField = t.Literal["evolve", "ignore", "fail"]


class UnknownFieldError(TapError):
    """A field that neither catalog nor schema knows, where the settings refuse such fields."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What of a row goes out: compiled from the catalog's schema and its selection."""

    #: Root fields that go out.
    known: frozenset[str]
    #: Root fields that stay out: deselected, or pruned from the catalog's schema by its owner.
    refused: frozenset[str]
    #: Whether something below the root is deselected.
    nested: bool
    schema: Mapping[str, t.Any]
    mask: SelectionMask

    @classmethod
    def compile(
        cls, *, effective: Mapping[str, t.Any], declared: Mapping[str, t.Any], mask: SelectionMask
    ) -> Selection:
        """Compile from the schema in force, the stream's own schema and the selection mask."""
        fields = effective.get("properties", {})
        chosen = {name for name in fields if mask[("properties", name)]}
        pruned = set(declared.get("properties", {})) - set(fields)
        nested = any(len(crumb) > 2 and not kept for crumb, kept in mask.items())  # noqa: PLR2004 - ("properties", name) is the root
        return cls(
            known=frozenset(chosen),
            refused=frozenset(fields.keys() - chosen | pruned),
            nested=nested,
            schema=effective,
            mask=mask,
        )

    def unknown(self, rows: Iterable[Row]) -> set[str]:
        """Return the root fields of rows that nobody declared."""
        known = self.known
        found: set[str] = set()
        for row in rows:
            if not known.issuperset(row):
                found.update(row.keys() - known)
        return found - self.refused

    def conform(self, rows: Iterable[Row]) -> None:
        """Take out of rows, in place, what doesn't go out."""
        known = self.known
        for row in rows:
            if not known.issuperset(row):
                for name in row.keys() - known:
                    del row[name]
            if self.nested:
                pop_deselected_record_properties(row, dict(self.schema), self.mask)


@dataclass(kw_only=True)
class Conformer:
    """Applies the selection to pages and decides what becomes of unknown fields."""

    stream: str
    selection: Selection
    policy: UnknownField
    logger: logging.Logger
    #: Called with the schemas of new fields; extends the stream's schema and returns the selection
    #: that is in force from then on.
    evolve: Callable[[Mapping[str, t.Any]], Selection]
    drift: SchemaDrift
    #: What the settings want done to values.
    values: TypePolicy

    def conform(self, page: Rows) -> None:
        """Conform a page in place; raises `UnknownFieldError` where unknown fields are refused.

        Structs have been made by the selection, so they conform already.
        """
        if isinstance(page, StructRows):
            return
        rows = page.dicts
        if unknown := self.selection.unknown(rows):
            self._meet(sorted(unknown), rows)
        self.selection.conform(rows)
        if wider := self.values.apply(rows):
            self._widen(wider)
        if self.values.on_mismatch == "split":
            # A column that was split off before may be deselected.
            self.selection.conform(rows)

    def _widen(self, wider: Mapping[str, Mapping[str, t.Any]]) -> None:
        """Extend the schema by the fields that values contradicted, or were split off to."""
        names = ", ".join(sorted(wider))
        if self.values.on_mismatch == "split":
            self.logger.warning("Values contradict the schema; they go to columns: %s", names)
        else:
            self.logger.warning(
                "Values contradict the schema, so its types are widened: %s. If the target can't "
                "change a column, set `on_type_mismatch` to `split`.",
                names,
            )
        self.selection = self.evolve(wider)
        self.drift.widen(wider)
        self.values = self.values.for_schema(self.selection.schema)

    def _meet(self, unknown: list[str], rows: Sequence[Row]) -> None:
        names = ", ".join(unknown)
        if self.policy == "fail":
            raise UnknownFieldError(
                f"{self.stream}: the API sent fields that neither catalog nor schema knows: "
                f"{names}. Set `on_unknown_field` to `evolve` to keep them, or to `ignore`."
            )
        if self.policy == "ignore":
            self.logger.warning("Fields not in the schema are dropped: %s", names)
            self.drift.drop(unknown)
            self.selection = Selection(
                **{**self.selection.__dict__, "refused": self.selection.refused | set(unknown)}
            )
            return
        self.logger.warning("New fields extend the schema: %s", names)
        samples = ({name: row[name] for name in unknown if name in row} for row in rows)
        properties = infer_schema(samples)["properties"]
        self.selection = self.evolve(properties)
        self.drift.extend(properties)
        self.values = self.values.for_schema(self.selection.schema, inferred=properties)


class RecordEncoder:
    """Encodes conformed rows as the RECORD lines of a stream and of its stream maps."""

    def __init__(
        self,
        stream: str,
        stream_maps: Sequence[StreamMap],
        version: int | None,
        filtered: set[str],
    ) -> None:
        self.maps = stream_maps
        #: Aliases under which rows have been left out.
        self.filtered = filtered
        self.version = version
        first = stream_maps[0] if len(stream_maps) == 1 else None
        #: Whether rows go out under the stream's name as they are.
        self.plain = (
            isinstance(first, SameRecordTransform)
            and not first.flattening_enabled
            and first.stream_alias == stream
        )
        self._head = self._prefix(stream)

    @staticmethod
    def _prefix(alias: str) -> bytes:
        return b'{"type":"RECORD","stream":' + ENCODER.encode(alias) + b',"record":'

    def _suffix(self) -> bytes:
        version = b"" if self.version is None else b',"version":%d' % self.version
        moment = datetime.now(UTC).isoformat().encode()
        return version + b',"time_extracted":"' + moment + b'"}\n'

    def encode(self, rows: Rows) -> bytes:
        """Return the lines of a page; every line of a page carries the same `time_extracted`."""
        if not rows:
            return b""
        suffix = self._suffix()
        if self.plain:
            # JSON text holds no newline, so each one in the encoded lines ends a row.
            body = rows.encode()
            return self._head + body[:-1].replace(b"\n", suffix + self._head) + suffix
        return b"".join(
            self._prefix(alias) + ENCODER.encode(record) + suffix
            for alias, record in self.mapped(rows)
        )

    def mapped(self, rows: Rows) -> Iterable[tuple[str, Row]]:
        """Pass rows through the stream maps: (alias, record) for each record that goes out."""
        for row in t.cast("DictRows", rows).dicts:
            for stream_map in self.maps:
                record = stream_map.transform(row)
                if record is not None:
                    yield stream_map.stream_alias, record
                else:
                    self.filtered.add(stream_map.stream_alias)
