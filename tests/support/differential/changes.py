"""Constructs of what is read from a bookmark on, and in windows of time."""

from __future__ import annotations

import re

from support.differential.construct import Construct
from support.differential.writing import (
    added,
    below,
    by_number,
    dlt,
    dlt_page,
    each_of,
    into,
    manifest,
    over_time,
    paginator,
    resource,
    stream,
    transformed,
)

DAYS = [{"id": n, "at": f"2024-01-0{n}"} for n in range(1, 8)]
TIMES = [{"id": n, "at": f"2024-01-0{n}T10:00:00Z"} for n in range(1, 8)]
NOT_IN_AIRBYTE = "not a word of manifests"
#: A row that changed, one with the time of the bookmark, and a new one.
LATER = [
    {"id": 9, "at": TIMES[-1]["at"]},
    {"id": 7, "at": "2024-01-08T09:00:00Z"},
    {"id": 8, "at": "2024-01-09T10:00:00Z"},
]
SECONDS = [{"id": n, "at": 1704067200 + 86400 * n} for n in range(1, 8)]
LATER_SECONDS = [{"id": 8, "at": 1704067200 + 86400 * 8}]


def since(rows, later, convert=str):
    """Answer rows from a start on, in any order."""

    def answer(asked):
        known = [*rows, *later] if asked.run == 2 else rows
        start = convert(asked.query.get("since") or 0)
        return {"data": [row for row in reversed(known) if convert(row["at"]) >= start]}

    return answer


def between(rows, later=(), longest=None):
    """Answer rows of a window, both ends included, that has at most some days."""

    def answer(asked):
        known = [*rows, *later] if asked.run == 2 else rows
        start, end = asked.query["since"], asked.query["until"]
        if longest and int(end[8:10]) - int(start[8:10]) > longest:
            return 400, {"error": "too long"}
        return {"data": [row for row in known if start <= row["at"] <= end]}

    return answer


def since_in_body(asked):
    """Insist on a body in which a field is missing."""
    return since(TIMES, LATER)(asked) if asked.json == {"at": {}, "kind": "a"} else (400, {})


def asked_by_query(asked):
    """Take the ends of a window in a query."""
    found = re.fullmatch(r"at >= '(\S{19})\+00:00' and at <= '(\S{19})\+00:00'", asked.query["q"])
    if found is None:
        return 400, {}
    start, end = f"{found[1]}Z", f"{found[2]}Z"
    return {"data": [row for row in known_of(asked) if start <= row["at"] <= end]}


def on_day(asked):
    return {"data": [row for row in DAYS if row["at"] == asked.query["date"]]}


def ignoring(rows, later):
    """Answer all rows whatever is asked for."""
    return lambda asked: {"data": [*rows, *later] if asked.run == 2 else rows}


def nested(rows):
    return [{"id": row["id"], "meta": {"at": row["at"]}} for row in rows]


def nested_since(asked):
    start = asked.query.get("since", "")
    return {"data": [row for row in nested(known_of(asked)) if row["meta"]["at"] >= start]}


def with_changes(row):
    return {"id": row["id"], "changes": [{"at": "2023-01-01T00:00:00Z"}, {"at": row["at"]}]}


def changes_since(asked):
    return {"data": [with_changes(row) for row in since(TIMES, LATER)(asked)["data"]]}


def known_of(asked):
    return [*TIMES, *LATER] if asked.run == 2 else TIMES


def paged_since(asked):
    found = sorted(since(TIMES, LATER)(asked)["data"], key=lambda row: (row["at"], row["id"]))
    page = asked.number("page", 1) - 1
    return {"data": found[page * 3 : page * 3 + 3]}


#: Times at the borders of windows of two days, in each of them, and twice.
BORDERS = [
    {"id": n, "at": at}
    for n, at in enumerate(
        (
            "2024-01-01T00:00:00Z",
            "2024-01-02T23:59:59Z",
            "2024-01-03T00:00:00Z",
            "2024-01-03T00:00:00Z",
            "2024-01-04T23:59:59Z",
            "2024-01-05T00:00:00Z",
        )
    )
]
NULLS = [*TIMES[:3], {"id": 4, "at": None}, {"id": 5}, *TIMES[5:]]
TEXTS = [{"id": n, "at": str(98 + n)} for n in range(1, 5)]


def with_nulls(asked):
    start = asked.query["since"]
    return {"data": [row for row in NULLS if (row.get("at") or "9") >= start]}


def numbers_since(asked):
    start = int(asked.query.get("since") or 0)
    rows = [*TEXTS, {"id": 9, "at": "120"}] if asked.run == 2 else TEXTS
    return {"data": [row for row in rows if int(row["at"]) >= start]}


def in_shops(rows):
    return [{**row, "id": f"{shop}{row['id']}"} for row in rows for shop in "xy"]


def shops_since(asked):
    if asked.path == "/shops":
        return {"data": [{"id": "x"}, {"id": "y"}]}
    shop = asked.path.split("/")[2]
    found = since(TIMES, LATER)(asked)["data"]
    return {"data": [{**row, "id": f"{shop}{row['id']}"} for row in found]}


SHOPS = [{"id": "x", "at": "2024-01-02T00:00:00Z"}, {"id": "y", "at": "2024-01-03T00:00:00Z"}]
CHANGED_SHOP = [{"id": "y", "at": "2024-01-09T00:00:00Z"}]


def changed_shops(asked):
    """Answer the shops that changed, and what changed in one of them."""
    is_second = asked.run == 2
    start = asked.query.get("since", "")
    if asked.path == "/shops":
        shops = [SHOPS[0], *CHANGED_SHOP] if is_second else SHOPS
        return {"data": [each for each in shops if each["at"] >= start]}
    shop = asked.path.split("/")[2]
    rows = [*TIMES, *(LATER if shop == "y" and is_second else ())]
    return {"data": [{**row, "id": f"{shop}{row['id']}"} for row in rows if row["at"] >= start]}


def by_date(asked):
    """Take a date, and answer times."""
    if len(asked.query["since"]) != len("2024-01-01"):
        return 400, {}
    return {"data": [row for row in known_of(asked) if row["at"][:10] >= asked.query["since"]]}


def since_of_parents(asked):
    """Insist on a start, for shops too."""
    if "since" not in asked.query:
        return 400, {}
    return changed_shops(asked)


MILLISECONDS = [{"id": n, "at": 1704067200000 + 86400000 * n + 7} for n in range(1, 5)]
LATER_MILLISECONDS = [{"id": 8, "at": 1704067200000 + 86400000 * 8}]


def by_kind(asked):
    found = since(TIMES, LATER)(asked)["data"]
    return {"data": [{**row, "id": f"{asked.query['kind']}{row['id']}"} for row in found]}


def in_kinds(rows):
    return [{**row, "id": f"{kind}{row['id']}"} for row in rows for kind in "ab"]


def untyped(text):
    """Return a time in a notation of its own."""
    return {"datetime": text, "datetime_format": "%Y-%m-%dT%H:%M:%SZ"}


def moment(text):
    return {"type": "MinMaxDatetime", **untyped(text)}


def in_windows(**words):
    """Return the cursor of windows of two days."""
    return over_time(
        **{"end_datetime": END, "end_time_option": into("until"), "step": "P2D"}
        | {"cursor_granularity": "PT1S"}
        | words
    )


#: Where reading ends by a setting of the manifest, or else now.
END = "{{ config.get('end_date', now_utc().strftime('%Y-%m-%dT%H:%M:%SZ')) }}"
#: Times in a notation that is put together.
PIECES = (
    "at >= '{{ stream_slice.start_time[:-2] + ':' + stream_slice.start_time[-2:] }}' and "
    "at <= '{{ stream_slice['end_time'].split('+')[0] + '+00:00' }}'"
)
#: A path with the month in which a window begins.
MONTH = (
    "/items/{{ stream_slice['start_time'].split('-')[0] | int }}/"
    "{{ stream_slice['start_time'].split('-')[1] | int }}.json"
)
MONTHS = [{"id": n, "at": f"2024-0{n}-05T00:00:00Z"} for n in range(1, 5)]


def of_month(asked):
    """Answer the rows of a month in the path."""
    return {"data": [row for row in MONTHS if f"2024/{row['id']}.json" in asked.path]}


LAST_DAY = "{{ config.get('end_date', now_utc().strftime('%Y-%m-%d')) }}"


def sums(asked):
    """Answer what there was in a window, by project."""
    start, end = asked.query["since"], asked.query["until"]
    return {"data": [{"id": n, "first": start, "sum": end} for n in (1, 2)]}


def summed(*windows, number=str):
    """Return the rows of windows."""
    return [
        {"id": n, "first": str(start), "sum": str(end), "from": number(start), "to": number(end)}
        for start, end in windows
        for n in (1, 2)
    ]


def with_window(text="{{ stream_interval.%s }}", **words):
    """Return a stream whose rows have the ends of their window."""
    ends = {"from": "start_time", "to": "end_time"}
    words = {"cursor_field": "from", "end_time_option": into("until"), **words}
    return over_time(**words) | transformed(
        added(**{name: text % end for name, end in ends.items()})
    )


def finer(rows):
    """Return rows with a nested time that names no offset."""
    return [{"id": row["id"], "meta": {"at": f"{row['at'][:-1]}.500000"}} for row in rows]


TWO_DAYS = {
    "datetime_format": "%Y-%m-%d",
    "start_datetime": "2024-01-01",
    "end_datetime": LAST_DAY,
    "step": "P2D",
    "cursor_granularity": "P1D",
}
PAIRS_OF_DAYS = [(f"2024-01-0{n}", f"2024-01-{n + 1:02}") for n in (1, 3, 5, 7, 9)]


def ends(last, following):
    """Return the last moment or day of the tool, and the first that the tap leaves out."""
    return {"config": {"end_date": last}, "settings": {"end_date": following}}


def start(**words):
    """Return a resource of dlt from a start on, up to `end_value` if there is one."""
    params = {"since": "{incremental.start_value}"}
    params |= {"until": "{incremental.end_value}"} if "end_value" in words else {}
    incremental = {"cursor_path": "at", "initial_value": "2024-01-01T00:00:00Z", **words}
    return {"paginator": "single_page", "params": params, "incremental": incremental}


TO_THE_TENTH = ends("2024-01-10T00:00:00Z", "2024-01-10T00:00:01Z")

CONSTRUCTS = [
    Construct(
        name="since",
        server=since(TIMES, LATER),
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(stream(**over_time())),
        dlt=dlt(resource(**start())),
    ),
    Construct(
        name="since-seconds",
        server=since(SECONDS, LATER_SECONDS, int),
        rows={"items": SECONDS},
        changed={"items": LATER_SECONDS},
        airbyte=manifest(
            stream(
                **over_time(
                    datetime_format="%s",
                    start_datetime=moment("2024-01-01T00:00:00Z"),
                    end_datetime=moment("2024-01-10T00:00:00Z"),
                )
            )
        ),
        dlt=dlt(resource(**start(initial_value=1704067200))),
    ),
    Construct(
        name="since-lag",
        server=since(TIMES, LATER),
        rows={"items": TIMES},
        changed={"items": [*TIMES[5:], *LATER]},
        airbyte=manifest(stream(**over_time(lookback_window="P2D"))),
        dlt=dlt(resource(**start(lag=172800))),
    ),
    Construct(
        name="since-lag-of-a-setting",
        server=since(TIMES, LATER),
        rows={"items": TIMES},
        changed={"items": [*TIMES[5:], *LATER]},
        config={"days": 2},
        environment={"API_DAYS": "2"},
        airbyte=manifest(
            stream(**over_time(lookback_window="P{{ config['days'] }}D")),
            spec={
                "type": "Spec",
                "connection_specification": {
                    "type": "object",
                    "required": ["days"],
                    "properties": {"days": {"type": "integer"}},
                },
            },
        ),
        dlt="no settings",
    ),
    Construct(
        name="windows",
        **TO_THE_TENTH,
        server=between(TIMES, LATER, longest=2),
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(stream(**in_windows())),
        dlt="no windows",
    ),
    Construct(
        name="windows-in-pieces",
        **TO_THE_TENTH,
        server=asked_by_query,
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(
            stream(
                request_parameters={"q": PIECES},
                **over_time(
                    end_datetime=untyped(END),
                    start_datetime="2024-01-01T00:00:00+0000",
                    datetime_format="%Y-%m-%dT%H:%M:%S%z",
                    cursor_datetime_formats=["%Y-%m-%dT%H:%M:%SZ"],
                    start_time_option=None,
                    step="P2D",
                    cursor_granularity="PT1S",
                ),
            )
        ),
        dlt="no windows",
    ),
    Construct(
        name="windows-by-month",
        **ends("2024-03-31T00:00:00Z", "2024-04-01T00:00:00Z"),
        server=of_month,
        rows={"items": MONTHS[:3]},
        changed={"items": MONTHS[2:3]},
        airbyte=manifest(
            stream(
                path=MONTH,
                **over_time(
                    end_datetime=untyped(END),
                    start_datetime="2024-01-01T00:00:00Z",
                    start_time_option=None,
                    step="P1M",
                    cursor_granularity="PT1S",
                ),
            )
        ),
        dlt="no windows",
    ),
    Construct(
        name="expression-that-fails",
        **TO_THE_TENTH,
        server=since_in_body,
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(
            stream(
                http_method="POST",
                # What they are sent as comes from the options.
                request_parameters={
                    "since": "{{ stream_interval.start_time.strftime('%Y-%m-%d') }}"
                },
                request_body_json={
                    "at": {"from": "{{ stream_interval.start_time.strftime('%Y')[:2] }}"},
                    "kind": "a",
                },
                **over_time(end_datetime=END),
            )
        ),
        dlt="no expressions",
    ),
    Construct(
        name="windows-of-days",
        **ends("2024-01-10", "2024-01-11"),
        server=between(DAYS, longest=2),
        rows={"items": DAYS},
        airbyte=manifest(stream(**over_time(**TWO_DAYS, end_time_option=into("until")))),
        dlt="no windows",
    ),
    Construct(
        name="windows-as-columns",
        **ends("2024-01-10", "2024-01-11"),
        server=sums,
        rows={"items": summed(*PAIRS_OF_DAYS)},
        changed={"items": []},
        airbyte=manifest(
            stream(**with_window(**TWO_DAYS), primary_key=["from", "id"]),
            fewer={"a window that is over": r"again GET /items\?since=2024-01-09&until=2024-01-10"},
        ),
        dlt="no windows",
    ),
    Construct(
        name="windows-as-columns-without-a-key",
        **ends("2024-01-10", "2024-01-11"),
        server=sums,
        rows={"items": summed(*PAIRS_OF_DAYS)},
        changed={"items": []},
        airbyte=manifest(
            stream(
                **with_window("'{{ stream_slice['%s'] }}'", **TWO_DAYS, cursor_field="to"),
                primary_key=[],
            ),
            fewer={"a day that was read": r"again GET /items\?since=2024-01-10&until=2024-01-10"},
            loses="appends the last day once more, as another window",
        ),
        dlt="no windows",
    ),
    Construct(
        name="cursor-written-anew",
        server=lambda asked: {"data": finer(since(TIMES, LATER)(asked)["data"])},
        rows={"items": finer(TIMES)},
        changed={"items": finer(LATER)},
        columns=("at", "meta_at"),
        airbyte=manifest(
            stream(
                **over_time(cursor_datetime_formats=["%Y-%m-%dT%H:%M:%S"]),
                **transformed(added(at="{{ record['meta']['at'].split('.')[0] }}")),
            )
        ),
        dlt="no computed cursors",
    ),
    Construct(
        name="one-window-as-columns",
        **ends("2024-01-10T00:00:00Z", "2024-01-10T00:00:00Z"),
        server=sums,
        rows={"items": summed((1704067200, 1704844800), number=int)},
        changed={"items": []},
        airbyte=manifest(
            stream(
                **with_window(
                    datetime_format="%s",
                    start_datetime=untyped("2024-01-01T00:00:00Z"),
                    end_datetime=untyped(END),
                    cursor_field="to",
                ),
                primary_key=[],
            )
        ),
        dlt="no windows",
    ),
    Construct(
        name="day-by-day",
        **ends("2024-01-09", "2024-01-10"),
        server=on_day,
        rows={"items": DAYS},
        airbyte=manifest(
            stream(**over_time(**TWO_DAYS | {"step": "P1D", "start_time_option": into("date")})),
            more={"today": r"GET /items\?date=2024-01-09"},
        ),
        dlt="no windows",
    ),
    Construct(
        name="until",
        **ends("2024-01-06T00:00:00Z", "2024-01-06T00:00:00Z"),
        server=between(TIMES),
        rows={"items": TIMES[:5]},
        airbyte=manifest(stream(**over_time(end_datetime=END, end_time_option=into("until")))),
        dlt=dlt(resource(**start(end_value="2024-01-06T00:00:00Z"))),
    ),
    Construct(
        name="until-constant",
        server=between(TIMES),
        rows={"items": TIMES[:5]},
        airbyte=manifest(
            stream(**over_time(end_datetime="2024-01-06T00:00:00Z", end_time_option=into("until"))),
            left_out="its times end at `2024-01-06T00:00:00Z`",
        ),
        dlt="the same as until",
    ),
    Construct(
        name="since-paged",
        server=paged_since,
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(
            stream(**over_time(), **paginator(by_number(), "page")),
            more={"confirmation": r"(again )?GET /items\?page=[1-4]&since=.*"},
            fewer={"first page": r"(again )?GET /items\?since=.*"},
        ),
        dlt=dlt(
            resource(**start() | {"paginator": dlt_page()}),
            more={"confirmation": r"(again )?GET /items\?page=[12]&since=.*"},
        ),
    ),
    Construct(
        name="since-nested",
        server=nested_since,
        rows={"items": nested(TIMES)},
        changed={"items": nested(LATER)},
        columns=("meta_at",),
        airbyte="cursors are columns",
        dlt=dlt(resource(**start(cursor_path="meta.at"))),
    ),
    Construct(
        name="since-nulls",
        server=with_nulls,
        rows={"items": NULLS},
        airbyte=manifest(stream(**over_time())),
        dlt=dlt(resource(**start(on_cursor_value_missing="include"))),
    ),
    Construct(
        name="since-nulls-left-out",
        server=with_nulls,
        rows={"items": [row for row in NULLS if row.get("at")]},
        airbyte=NOT_IN_AIRBYTE,
        dlt=dlt(resource(**start(on_cursor_value_missing="exclude"))),
    ),
    Construct(
        name="since-exclusive",
        server=since(TIMES, LATER),
        rows={"items": TIMES[1:]},
        changed={"items": LATER},
        airbyte=NOT_IN_AIRBYTE,
        dlt=dlt(
            resource(**start(initial_value=TIMES[0]["at"], range_start="open")),
            loses="in the next run, a new row with the time of the last one",
        ),
    ),
    Construct(
        name="until-inclusive",
        server=between(TIMES),
        rows={"items": TIMES[:6]},
        airbyte=NOT_IN_AIRBYTE,
        dlt=dlt(resource(**start(end_value=TIMES[5]["at"], range_end="closed"))),
    ),
    Construct(
        name="since-last-item",
        server=changes_since,
        rows={"items": [with_changes(row) for row in TIMES]},
        changed={"items": [with_changes(row) for row in LATER]},
        columns=("changes_last_at",),
        airbyte=NOT_IN_AIRBYTE,
        dlt=dlt(
            resource(
                **start(cursor_path="changes[-1].at"), resource={"write_disposition": "append"}
            )
        ),
    ),
    Construct(
        name="since-digits",
        server=numbers_since,
        rows={"items": TEXTS},
        changed={"items": [{"id": 9, "at": "120"}]},
        airbyte="times only",
        dlt=dlt(
            resource(**start(initial_value="0")),
            more={"numbers, not texts": r"again GET /items\?since=102"},
            fewer={"texts, not numbers": r"again GET /items\?since=99"},
            loses="it compares digits as text",
        ),
    ),
    Construct(
        name="since-ignored",
        server=ignoring(TIMES, LATER),
        rows={"items": TIMES[2:]},
        changed={"items": LATER},
        airbyte=manifest(
            stream(
                **over_time(start_datetime="2024-01-03T00:00:00Z", is_client_side_incremental=True)
            )
        ),
        dlt=dlt(resource(**start(initial_value="2024-01-03T00:00:00Z"))),
    ),
    Construct(
        name="windows-of-moments-by-day",
        **TO_THE_TENTH,
        server=between(BORDERS, longest=2),
        rows={"items": BORDERS},
        airbyte=manifest(
            stream(**in_windows(cursor_granularity="P1D")),
            more={"precision": r"GET /items\?since=\S+&until=\S+T23%3A59%3A59Z"},
            fewer={"precision": r"GET /items\?since=\S+&until=\S+T00%3A00%3A00Z"},
            loses="what is in the last day of a window, which it doesn't ask for",
        ),
        dlt="no windows",
    ),
    Construct(
        name="windows-borders",
        **TO_THE_TENTH,
        server=between(BORDERS, longest=2),
        rows={"items": BORDERS},
        airbyte=manifest(stream(**in_windows())),
        dlt="no windows",
    ),
    Construct(
        name="since-body",
        server=lambda asked: {
            "data": [r for r in known_of(asked) if r["at"] >= asked.json["after"]]
        },
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(
            stream(http_method="POST", **over_time(start_time_option=into("after", "body_json")))
        ),
        dlt=dlt(
            resource(
                method="POST",
                **{**start(), "params": {}, "json": {"after": "{incremental.start_value}"}},
            )
        ),
    ),
    Construct(
        name="since-expression",
        server=since(TIMES, LATER),
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(
            stream(
                request_parameters={"since": "{{ stream_interval['start_time'] }}"},
                **over_time(start_time_option=None),
            )
        ),
        dlt="the same as since",
    ),
    Construct(
        name="since-below-parent",
        server=shops_since,
        rows={"items": in_shops(TIMES)},
        changed={"items": in_shops(LATER)},
        columns=("parent_id", "shops_id"),
        airbyte=manifest(
            stream(
                path="/shops/{{ stream_partition.parent_id }}/items",
                **over_time(),
                **below(stream("shops")),
            )
        ),
        dlt=dlt(
            resource("shops", paginator="single_page"),
            resource("items", "shops/{resources.shops.id}/items", **start()),
        ),
    ),
    Construct(
        name="since-date",
        server=by_date,
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=manifest(
            stream(
                **over_time(
                    datetime_format="%Y-%m-%d",
                    cursor_datetime_formats=["%Y-%m-%dT%H:%M:%SZ"],
                    start_datetime="2024-01-01",
                    end_datetime="2024-01-10",
                )
            )
        ),
        dlt="formats need code",
    ),
    Construct(
        name="since-milliseconds",
        server=since(MILLISECONDS, LATER_MILLISECONDS, int),
        rows={"items": MILLISECONDS},
        changed={"items": LATER_MILLISECONDS},
        airbyte=manifest(
            stream(
                **over_time(
                    datetime_format="%ms",
                    start_datetime=moment("2024-01-01T00:00:00Z"),
                    end_datetime=None,
                )
            )
        ),
        dlt=dlt(resource(**start(initial_value=1704067200000))),
    ),
    Construct(
        name="since-start-param",
        server=between(TIMES),
        rows={"items": TIMES[:5]},
        airbyte="the same as until",
        dlt=dlt(
            resource(
                paginator="single_page",
                incremental={
                    "cursor_path": "at",
                    "start_param": "since",
                    "end_param": "until",
                    "initial_value": "2024-01-01T00:00:00Z",
                    "end_value": "2024-01-06T00:00:00Z",
                },
            )
        ),
    ),
    Construct(
        name="since-and-list",
        server=by_kind,
        rows={"items": in_kinds(TIMES)},
        changed={"items": in_kinds(LATER)},
        columns=("kind",),
        airbyte=manifest(
            stream(**over_time(), partition_router=each_of("kind", "a", "b", option=into("kind")))
        ),
        dlt="no lists of values",
    ),
    Construct(
        name="changed-parents",
        server=changed_shops,
        rows={"items": in_shops(TIMES)},
        changed={"items": [row for row in in_shops(LATER) if row["id"].startswith("y")]},
        columns=("parent_id", "shops_id"),
        airbyte=manifest(
            stream(
                path="/shops/{{ stream_partition.parent_id }}/items",
                **over_time(),
                **below(stream("shops", **over_time()), incremental_dependency=True),
            ),
            more={"all parents": r"again GET /shops(\?since=2024-01-01.*|/x/items\?.*)"},
            fewer={"changed parents": r"again GET /shops\?since=2024-01-03.*"},
        ),
        dlt="children are read below all parents",
    ),
    Construct(
        name="since-of-parents",
        server=since_of_parents,
        rows={"items": in_shops(TIMES)[1::2]},
        columns=("parent_id", "shops_id"),
        airbyte=manifest(
            stream(
                path="/shops/{{ stream_partition.parent_id }}/items",
                **over_time(),
                **below(stream("shops", **over_time(start_datetime="2024-01-03T00:00:00Z"))),
            )
        ),
        dlt=dlt(
            resource("shops", **start(initial_value="2024-01-03T00:00:00Z")),
            resource("items", "shops/{resources.shops.id}/items", **start()),
        ),
    ),
]
