"""Constructs of which rows a response has, and of what is done to them."""

from __future__ import annotations

import hashlib
import json

from support.differential.construct import Construct
from support.differential.writing import (
    added,
    by_cursor,
    by_number,
    dlt,
    dlt_cursor,
    manifest,
    over_time,
    paginator,
    resource,
    selected,
    stream,
    transformed,
)
from support.servers import reply

ROWS = [
    {"id": 1, "state": "open", "owner": {"id": "a", "name": "Ada"}, "size": 1.50},
    {"id": 2, "state": "shut", "owner": {"id": "b", "name": "Bo"}, "size": 0},
    {"id": 3, "state": "open", "owner": None, "size": None},
    {"id": 4, "state": "öpen 'x'", "owner": {"id": "d", "name": "漢字 \u2028 😀"}, "size": -3},
]


#: Values whose texts in Python differ from those in JSON.
HASHED = [
    *ROWS,
    {"id": 5, "state": None, "price": 3.25, "flags": [True, None, "it's", {"é": 1e22}]},
    {"state": "", "id": 2**64 - 1, "price": 1e-7, "flags": []},
]


HOURS = [
    {"id": 1, "time": "2024-01-01T10:20:30+02:00"},
    {"id": 2, "time": "2024-01-01T23:59:59.5-05:00"},
    {"id": 3, "time": "2024-01-03T07:00:00"},
]
LATER_HOURS = [{"id": 4, "time": "2024-01-03T07:59:00Z"}, {"id": 5, "time": "2024-01-04T00:00:00Z"}]
STARTS = ["2024-01-01T08", "2024-01-02T04", "2024-01-03T07", "2024-01-03T07", "2024-01-04T00"]
URI = "https://api.example.com/events"
LINKS = [f"{URI}/ab-1", f"{URI}/CD", "/x-1", f"{URI}/é!"]
NESTED = [
    {"id": 1, "about": {"title": "a", "tags": ["x"]}, "n": 1},
    {"id": 2, "about": {"n": 5, "title": "b"}, "n": 2},
    {"id": 3, "about": {"id": 7}},
    {"id": 4, "about": None},
    {"id": 5, "about": {}},
    {"id": 6, "title": "own"},
]


def by_hour(asked):
    """Give rows since a time, which a second run sends as the hour of the last row."""
    rows = HOURS if asked.run == 1 else LATER_HOURS
    wanted = "2024-01-01T00:00:00Z" if asked.run == 1 else f"{STARTS[2]}:00:00Z"
    return {"data": rows} if asked.query == {"since": wanted} else (400, {})


def hashed(row):
    """Return a row with a copy and hashes, made of its text in Python."""
    kept = {name: value for name, value in row.items() if name != "size"}
    whole = {**kept, "copy": kept}
    parts = {name: str(kept.get(name, "")) for name in ("state", "price")}
    return whole | {
        "uid": md5(str(whole)),
        **{f"{name}_hash": md5(text) for name, text in parts.items()},
    }


def md5(text):
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def always(value):
    return lambda _: value


def in_pages(pages):
    """Answer pages by a cursor."""

    def answer(asked):
        at = asked.number("cursor")
        return {**pages[at], "next": at + 1 if at + 1 < len(pages) else None}

    return answer


NEXT = paginator(by_cursor("{{ response.next }}", "{{ not response.next }}"), "cursor")
NEXT_OF_DLT = dlt_cursor("next")


#: Values of other types than a filter has, none, and null.
MIXED = [{"id": 1, "n": "5"}, {"id": 2, "n": 5}, {"id": 3}, {"id": 4, "n": None}, {"id": 5, "n": 6}]

CSV = 'id,name\n1,Ada\n2,"Bo, C"\n3,\n'

#: Pages of XML: several rows, a single one, none.
XML = [
    """<?xml version="1.0" encoding="ISO-8859-1"?>
    <Response api="1"><Status>OK</Status><Items>
      <Item kind="a&amp;b"><ID>1</ID><Name> Zo\u00eb </Name>
        <Tags><Tag>x</Tag><Tag>y</Tag></Tags></Item>
      <Item><ID>2</ID><Name/><Tags><Tag>z</Tag></Tags>
        <n:Note lang="en">so<!-- --> <![CDATA[<b>]]></n:Note></Item>
    </Items></Response>""",
    "<Response><Items><Item><ID>3</ID></Item></Items></Response>",
    "<Response><Status>OK</Status><Items/></Response>",
]
XML_ROWS = [
    {"ID": "1", "@kind": "a&b", "Name": "Zo\u00eb", "Tags": {"Tag": ["x", "y"]}},
    {"ID": "2", "Name": None, "Tags": {"Tag": "z"}, "n:Note": {"@lang": "en", "#text": "so <b>"}},
    {"ID": "3"},
]


def in_xml(asked):
    text = XML[min(asked.number("page", 1), 3) - 1]
    return reply(200, text.encode("latin-1"), Content_Type="text/xml; charset=iso-8859-1")


LINES = "".join(json.dumps(row) + "\n" for row in ROWS)

NUMBERS = (
    b'{"data": [{"id": 1, "n": 12345678901234567}, {"id": 2, "n": 1e-7}, {"id": 3, "n": -0.10}]}'
)
LONG = b'{"data": [{"id": 12345678901234567890123}]}'

#: An object that is the response, with lists.
WHOLE = {"id": 1, "tags": [{"name": "a"}, {"name": "b"}], "parts": {"of": []}}

#: Rows whose key is an object.
SEVERAL = [{"id": {"event": {"1": "red"}}}, {"id": {"event": {"2": "blue"}}}]

CONSTRUCTS = [
    Construct(
        name="rows-deep",
        server=always({"result": {"items": ROWS}}),
        rows={"items": ROWS},
        airbyte=manifest(stream(field_path=["result", "items"])),
        dlt=dlt(resource(data_selector="result.items", paginator="single_page")),
    ),
    Construct(
        name="rows-top",
        server=always(ROWS),
        rows={"items": ROWS},
        airbyte=manifest(stream(field_path=[])),
        dlt=dlt(resource(data_selector="$", paginator="single_page")),
    ),
    Construct(
        name="rows-whole",
        server=always(WHOLE),
        rows={"items": [WHOLE]},
        airbyte=manifest(stream(field_path=[])),
        dlt=dlt(resource(data_selector="$", paginator="single_page")),
    ),
    Construct(
        name="rows-one",
        server=always({"data": ROWS[0]}),
        rows={"items": ROWS[:1]},
        airbyte=manifest(stream()),
        dlt=dlt(resource(paginator="single_page")),
    ),
    Construct(
        name="rows-nested",
        server=in_pages(
            [
                {"data": [{"parts": ROWS[:2]}, {"parts": []}]},
                {"data": []},
                {"data": [{"parts": ROWS[2:]}]},
            ]
        ),
        rows={"items": ROWS},
        airbyte=manifest(stream(field_path=["data", "*", "parts", "*"], **NEXT)),
        dlt=dlt(resource(data_selector="data[*].parts[*]", paginator=NEXT_OF_DLT)),
    ),
    Construct(
        name="rows-map",
        server=always({"data": {f"k{row['id']}": row for row in ROWS}}),
        rows={"items": ROWS},
        airbyte=manifest(stream(field_path=["data", "*"])),
        dlt=dlt(resource(data_selector="data.*", paginator="single_page")),
    ),
    Construct(
        name="rows-filtered",
        server=always({"data": ROWS}),
        rows={"items": [ROWS[0], ROWS[2]]},
        airbyte=manifest(stream(**selected("{{ record.state == 'open' }}"))),
        dlt=dlt(resource(data_selector="data[?(@.state=='open')]", paginator="single_page")),
    ),
    Construct(
        name="rows-filtered-number",
        server=always({"data": ROWS}),
        rows={"items": ROWS[2:]},
        airbyte=manifest(stream(**selected("{{ record['id'] > 2 }}"))),
        dlt=dlt(resource(data_selector="data[?(@.id > 2)]", paginator="single_page")),
    ),
    Construct(
        name="rows-filtered-page",
        server=in_pages([{"data": ROWS[1:2]}, {"data": ROWS[:1]}, {"data": ROWS[3:]}]),
        rows={"items": ROWS[:1]},
        airbyte=manifest(stream(**selected("{{ record.state == 'open' }}"), **NEXT)),
        dlt=dlt(resource(data_selector="data[?(@.state=='open')]", paginator=NEXT_OF_DLT)),
    ),
    Construct(
        name="fields-added",
        server=always({"data": ROWS}),
        rows={"items": [{**row, "source": "shop", "copy": row["id"]} for row in ROWS]},
        airbyte=manifest(
            stream(**transformed(added(source="shop"), added(copy="{{ record.id }}")))
        ),
        dlt="code only",
    ),
    Construct(
        name="fields-added-nested",
        server=always({"data": ROWS[:2]}),
        rows={"items": [{**row, "owner_id": row["owner"]["id"]} for row in ROWS[:2]]},
        airbyte=manifest(stream(**transformed(added(owner_id="{{ record['owner']['id'] }}")))),
        dlt="code only",
    ),
    Construct(
        name="fields-times",
        server=by_hour,
        rows={"items": [{"id": n, "hour": f"{STARTS[n - 1]}:00:00Z"} for n in (1, 2, 3)]},
        changed={"items": [{"id": n, "hour": f"{STARTS[n - 1]}:00:00Z"} for n in (4, 5)]},
        airbyte=manifest(
            stream(
                primary_key=["hour", "id"],
                **over_time(cursor_field="hour"),
                **transformed(
                    added(
                        hour="{{ str_to_datetime(record['time']).strftime('%Y-%m-%dT%H:00:00Z') }}"
                    ),
                    {"type": "RemoveFields", "field_pointers": [["time"]]},
                ),
            )
        ),
        dlt="code only",
    ),
    Construct(
        name="fields-parts-of-texts",
        server=always({"data": [{"uri": link} for link in LINKS]}),
        rows={
            "items": [
                {"uri": link, "key": key, "path": path, "begins": link[:12]}
                for link, key, path in zip(
                    LINKS, ["ab-1", "CD", "x-1", ""], ["/ab-1", "/CD", "/x-1", "/é!"], strict=True
                )
            ]
        },
        airbyte=manifest(
            stream(
                primary_key="uri",
                **transformed(
                    added(key=r"{{ record['uri'] | regex_search('\/([a-zA-Z0-9-]*)$') }}"),
                    added(begins="{{ record.uri[:12] }}"),
                    added(path=f"{{{{ record.uri.replace('{URI}', '') }}}}"),
                ),
            )
        ),
        dlt="code only",
    ),
    Construct(
        name="fields-flattened",
        server=always({"data": NESTED}),
        rows={
            "items": [
                {"id": 1, "title": "a", "tags": ["x"], "n": 1},
                *NESTED[1:4],
                {"id": 5},
                NESTED[5],
            ]
        },
        airbyte=manifest(
            stream(
                **transformed(
                    {
                        "type": "DpathFlattenFields",
                        "field_path": ["about"],
                        "delete_origin_value": True,
                    }
                )
            )
        ),
        dlt="code only",
    ),
    Construct(
        name="fields-hashed",
        server=lambda _: reply(
            200, json.dumps({"data": HASHED}).encode().replace(b"3.25", b"3.250")
        ),
        rows={"items": [hashed(row) for row in HASHED]},
        airbyte=manifest(
            stream(
                primary_key="uid",
                **transformed(
                    {"type": "RemoveFields", "field_pointers": [["size"]]},
                    added(copy="{{ record }}"),
                    added(uid="{{ record|hash('md5') }}"),
                    added(state_hash='{{ record["state"] | hash }}'),
                    added(price_hash="{{ record.price | hash('md5') }}"),
                ),
            )
        ),
        dlt="code only",
    ),
    Construct(
        name="fields-removed",
        server=always({"data": ROWS[:2]}),
        rows={
            "items": [
                {"id": row["id"], "state": row["state"], "owner": {"id": row["owner"]["id"]}}
                for row in ROWS[:2]
            ]
        },
        airbyte=manifest(
            stream(
                **transformed(
                    {"type": "RemoveFields", "field_pointers": [["size"], ["owner", "name"]]}
                )
            )
        ),
        dlt="code only",
    ),
    Construct(
        name="lines",
        server=lambda _: reply(200, LINES.encode(), Content_Type="application/x-ndjson"),
        rows={"items": ROWS},
        airbyte=manifest(stream(field_path=[], decoder={"type": "JsonlDecoder"})),
        dlt="JSON only",
    ),
    Construct(
        name="csv",
        server=lambda _: reply(200, CSV.encode(), Content_Type="text/csv"),
        rows={
            "items": [
                {"id": "1", "name": "Ada"},
                {"id": "2", "name": "Bo, C"},
                {"id": "3", "name": ""},
            ]
        },
        airbyte=manifest(stream(field_path=[], decoder={"type": "CsvDecoder"})),
        dlt="JSON only",
    ),
    Construct(
        name="xml",
        server=in_xml,
        rows={"items": XML_ROWS},
        airbyte=manifest(
            stream(
                field_path=["Response", "Items", "Item"],
                decoder={"type": "XmlDecoder"},
                primary_key="ID",
                **paginator(by_number(1), "page"),
            ),
            more={"first page": r"GET /items\?page=1"},
            fewer={"first page": "GET /items"},
        ),
        dlt="JSON only",
    ),
    Construct(
        name="nothing",
        server=always({"data": []}),
        rows={"items": []},
        airbyte=manifest(stream()),
        dlt=dlt(resource(paginator="single_page")),
    ),
    Construct(
        name="rows-null",
        server=in_pages([{"data": ROWS[:2]}, {"data": None}, {"data": ROWS[2:]}]),
        rows={"items": ROWS},
        airbyte=manifest(stream(**NEXT)),
        dlt=dlt(resource(paginator=NEXT_OF_DLT)),
        verdicts={"items": "unverified"},
    ),
    Construct(
        name="rows-numbers",
        server=lambda _: reply(200, NUMBERS, Content_Type="application/json"),
        rows={
            "items": [
                {"id": 1, "n": 12345678901234567},
                {"id": 2, "n": 1e-07},
                {"id": 3, "n": -0.1},
            ]
        },
        airbyte=manifest(stream()),
        dlt=dlt(resource(paginator="single_page")),
    ),
    Construct(
        name="rows-number-long",
        server=lambda _: reply(200, LONG, Content_Type="application/json"),
        rows={"items": [{"id": 12345678901234567890123}]},
        airbyte=manifest(stream(), loses="long numbers become floats"),
        dlt=dlt(resource(paginator="single_page"), loses="it fails at long numbers"),
    ),
    Construct(
        name="no-content",
        server=lambda _: b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        rows={"items": []},
        airbyte=manifest(stream()),
        dlt=dlt(resource(paginator="single_page"), loses="it fails"),
    ),
    Construct(
        name="rows-same-key",
        server=in_pages([{"data": [{"id": 1, "v": 1}]}, {"data": [{"id": 1, "v": 2}]}]),
        rows={"items": [{"id": 1, "v": 1}, {"id": 1, "v": 2}]},
        verdicts={"items": "unverified"},
        airbyte=manifest(stream(**NEXT)),
        dlt=dlt(resource(paginator=NEXT_OF_DLT)),
    ),
    Construct(
        name="key-of-two",
        server=always({"data": [{"a": 1, "b": 1}, {"a": 1, "b": 2}]}),
        rows={"items": [{"a": 1, "b": 1}, {"a": 1, "b": 2}]},
        airbyte=manifest(stream(primary_key=["a", "b"])),
        dlt=dlt(resource(paginator="single_page", resource={"primary_key": ["a", "b"]})),
    ),
    Construct(
        name="key-object",
        server=lambda asked: {"data": SEVERAL},
        rows={"items": SEVERAL},
        airbyte=manifest(
            stream(
                schema_loader={
                    "type": "InlineSchemaLoader",
                    "schema": {"type": "object", "properties": {"id": {"type": "object"}}},
                }
            )
        ),
        dlt="schemas are inferred",
    ),
    Construct(
        name="rows-of-a-schema",
        server=always({"data": [{"id": 1, "n": "5", "more": {"x": 1}}, {"id": 2, "n": None}]}),
        rows={"items": [{"id": 1, "n": "5", "more": {"x": 1}}, {"id": 2, "n": None}]},
        airbyte=manifest(
            stream(
                schema_loader={
                    "type": "InlineSchemaLoader",
                    "schema": {
                        "type": "object",
                        "properties": {
                            "id": {"type": "integer"},
                            "n": {"type": ["null", "string"]},
                        },
                    },
                }
            )
        ),
        dlt="schemas are inferred",
    ),
    Construct(
        name="csv-delimiter",
        server=lambda _: reply(200, "id;name\n1;Zoë\n".encode("latin-1"), Content_Type="text/csv"),
        rows={"items": [{"id": "1", "name": "Zoë"}]},
        airbyte=manifest(
            stream(
                field_path=[],
                decoder={"type": "CsvDecoder", "delimiter": ";", "encoding": "latin-1"},
            )
        ),
        dlt="JSON only",
    ),
    Construct(
        name="rows-filtered-types",
        server=in_pages([{"data": MIXED[:3]}, {"data": []}, {"data": MIXED[3:]}]),
        rows={"items": [MIXED[0], MIXED[2], MIXED[3], MIXED[4]]},
        airbyte=manifest(stream(**selected("{{ record.n != 5 }}"), **NEXT)),
        dlt=dlt(resource(data_selector="data[?(@.n != 5 & @.id > 0)]", paginator=NEXT_OF_DLT)),
    ),
    Construct(
        name="rows-filtered-null",
        server=always({"data": MIXED}),
        rows={"items": [MIXED[0], MIXED[1], MIXED[4]]},
        airbyte=manifest(stream(**selected("{{ record.get('n') is not none }}"))),
        dlt="the same as rows-filtered-types",
    ),
]
