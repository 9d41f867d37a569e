"""The table of fields in which rows and schemas disagreed."""

from __future__ import annotations

import typing as t

from tap_analytics.reporting.report.format import count
from tap_analytics.reporting.report.markup import Markup, tag

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_analytics.reporting.report.contents import Run

#: Fields of one stream that the page shows; the JSON has all.
FIELDS = 50
CHANGES = {
    "added": "new, added to the schema",
    "dropped": "new, left out",
    "widened": "type widened",
    "mismatched": "values became null",
}


def drift_table(run: Run) -> Markup:
    """Return the table, or a word that there is nothing to put into it."""
    met = [stream for stream in run.streams if stream.drift]
    if not met:
        return tag("p", "The rows brought no field that the schemas lack.", class_="note")
    rows = [("Stream", "Field", "What happened", "Type", "TypePolicy")]
    for stream in met:
        for each in stream.drift[:FIELDS]:
            values = "" if each.values is None else count(each.values)
            rows.append(
                (
                    stream.name,
                    each.field,
                    CHANGES.get(each.change, each.change),
                    each.type or "",
                    values,
                )
            )
        if len(stream.drift) > FIELDS:
            rows.append(
                (stream.name, f"{len(stream.drift) - FIELDS} more fields", "in the JSON", "", "")
            )
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    heads, *cells = zip(*columns, strict=True)
    return _table(heads, cells)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return a table; on a narrow page each row becomes a card, so its roles are told."""
    titles = (tag("th", head, scope="col", role="columnheader") for head in heads)
    cells = (
        tag(
            "tr",
            *(
                tag("td", cell, role="cell", data_label=head)
                for head, cell in zip(heads, row, strict=True)
            ),
            role="row",
        )
        for row in rows
    )
    return tag(
        "table",
        tag("thead", tag("tr", *titles, role="row"), role="rowgroup"),
        tag("tbody", *cells, role="rowgroup"),
        class_="drift",
        role="table",
    )
