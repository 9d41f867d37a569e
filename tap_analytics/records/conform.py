"""Conforms rows to catalog and schema, and handles unknown fields.

Selection and schema are compiled once per stream. RECORD lines, stream maps, flattening and BATCH
files get the same conformed rows.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field, replace

from singer_sdk.helpers._catalog import pop_deselected_record_properties

from tap_analytics.errors import TapError
from tap_analytics.records.inference import infer_schema, type_names
from tap_analytics.records.rows import StructRows

if t.TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from singer_sdk.singerlib import SelectionMask

    from tap_analytics.records.rows import Row, Rows
    from tap_analytics.records.type_policy import TypePolicy

UnknownField = t.Literal["evolve", "ignore", "fail"]


class UnknownFieldError(TapError):
    """A field in neither catalog nor schema, with `on_unknown_field: fail`."""


@dataclass(slots=True, kw_only=True)
class SchemaDrift:
    """Differences between the rows and the schema of a stream, by top-level field."""

    #: New fields that extended the schema, with the type that was inferred.
    added: dict[str, str] = field(default_factory=dict)
    #: Unknown fields that were left out.
    dropped: dict[str, None] = field(default_factory=dict)
    #: Fields whose type was widened, with the type they have since.
    widened: dict[str, str] = field(default_factory=dict)
    #: Values that contradicted the schema, if `on_type_mismatch` has them looked for.
    mismatches: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The fields of a row that are written: compiled from the catalog's schema and selection."""

    #: Root fields that are written.
    known: frozenset[str]
    #: Root fields that aren't: deselected, or removed from the schema in the catalog.
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
        """Return the undeclared top-level fields of rows."""
        known = self.known
        found: set[str] = set()
        for row in rows:
            if not known.issuperset(row):
                found.update(row.keys() - known)
        return found - self.refused

    def conform(self, rows: Iterable[Row]) -> None:
        """Remove from rows, in place, what isn't written."""
        known = self.known
        for row in rows:
            if not known.issuperset(row):
                for name in row.keys() - known:
                    del row[name]
            if self.nested:
                pop_deselected_record_properties(row, dict(self.schema), self.mask)


@dataclass(kw_only=True)
class Conformer:
    """Applies selection and type policy to pages, and handles unknown fields."""

    stream: str
    selection: Selection
    policy: UnknownField
    logger: logging.Logger
    #: Called with the schemas of new fields; extends the stream's schema and returns the new
    #: selection.
    evolve: Callable[[Mapping[str, t.Any]], Selection]
    drift: SchemaDrift
    #: How values are checked and changed.
    values: TypePolicy

    def conform(self, page: Rows) -> None:
        """Conform a page in place; raises `UnknownFieldError` where unknown fields are refused.

        Structs have been made by the selection, so they conform already.
        """
        if isinstance(page, StructRows):
            return
        rows = page.dicts
        if unknown := self.selection.unknown(rows):
            self._handle_unknown(sorted(unknown), rows)
        self.selection.conform(rows)
        if wider := self.values.apply(rows):
            self._widen(wider)
        if self.values.on_mismatch == "split":
            # A column that was split off earlier may be deselected.
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
        self.drift.widened |= type_names(wider)
        self.values = self.values.for_schema(self.selection.schema)

    def _handle_unknown(self, unknown: list[str], rows: Sequence[Row]) -> None:
        names = ", ".join(unknown)
        if self.policy == "fail":
            raise UnknownFieldError(
                f"{self.stream}: the API sent fields that neither catalog nor schema knows: "
                f"{names}. Set `on_unknown_field` to `evolve` to keep them, or to `ignore`."
            )
        if self.policy == "ignore":
            self.logger.warning("Fields not in the schema are dropped: %s", names)
            self.drift.dropped |= dict.fromkeys(unknown)
            refused = self.selection.refused.union(unknown)
            self.selection = replace(self.selection, refused=refused)
            return
        self.logger.warning("New fields extend the schema: %s", names)
        samples = ({name: row[name] for name in unknown if name in row} for row in rows)
        properties = infer_schema(samples)["properties"]
        self.selection = self.evolve(properties)
        self.drift.added |= type_names(properties)
        self.values = self.values.for_schema(self.selection.schema, inferred=properties)
