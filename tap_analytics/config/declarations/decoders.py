"""The fields of `decoder`, by its `type`."""

from __future__ import annotations

import codecs
import typing as t

from tap_analytics.config.declarations.fields import Field, Kind, Variant, read_variant
from tap_analytics.records.decoders import Csv, Json, JsonLines
from tap_analytics.records.xml import Xml

if t.TYPE_CHECKING:
    from tap_analytics.config.declarations.object_reader import ConfigPath, ObjectReader
    from tap_analytics.records.decoders import Decoder


def _delimiter(reader: ObjectReader, name: str) -> str | None:
    value = reader.given[name]
    value = "\t" if value == "\\t" else value
    if isinstance(value, str) and len(value) == 1 and value not in '"\r\n':
        return value
    reader.error(name, "must be one character, or \\t.")
    return None


def _encoding(reader: ObjectReader, name: str) -> str | None:
    value = reader.text(name)
    try:
        return value and codecs.lookup(value).name
    except LookupError:
        reader.error(name, f"'{value}' is unknown. Write one such as utf-8 or latin-1.")
        return None


DECODERS: dict[str, Variant[Decoder]] = {
    "json": Variant(makes=Json, meaning="One JSON value.", in_dlt=False),
    "jsonl": Variant(makes=JsonLines, meaning="A JSON value on each line.", in_dlt=False),
    "csv": Variant(
        makes=Csv,
        meaning="A table with a header row; values are text unless `schema` has another type.",
        fields={
            "delimiter": Field(
                Kind("one character", _delimiter), "What separates fields.", in_dlt=False
            ),
            "encoding": Field(Kind("text", _encoding), "How text is encoded.", in_dlt=False),
        },
        in_dlt=False,
    ),
    "xml": Variant(
        makes=Xml,
        meaning="Elements as members and lists, attributes as `@name`, text beside them as "
        "`#text`; values are text.",
        in_dlt=False,
    ),
}


def read_decoder(value: object, place: ConfigPath) -> Decoder | None:
    """Read a decoder, an object or just its type."""
    given = {"type": value} if isinstance(value, str) else value
    return read_variant(given, place, DECODERS)
