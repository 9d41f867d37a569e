"""Constructs of what is read from a bookmark on, and in windows of time."""

from __future__ import annotations

from support.differential.construct import Construct, Description
from support.differential.writing import dlt, into, manifest, resource, stream

DAYS = [{"id": n, "at": f"2024-01-0{n}"} for n in range(1, 8)]
TIMES = [{"id": n, "at": f"2024-01-0{n}T10:00:00Z"} for n in range(1, 8)]
LATER = [{"id": 7, "at": "2024-01-08T09:00:00Z"}, {"id": 8, "at": "2024-01-09T10:00:00Z"}]
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


def on_day(asked):
    return {"data": [row for row in DAYS if row["at"] == asked.query["date"]]}


def over_time(**words):
    cursor = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
        "start_datetime": "2024-01-01T00:00:00Z",
        "end_datetime": "2024-01-10T00:00:00Z",
        "start_time_option": into("since"),
    }
    return {"incremental_sync": {**cursor, **words}}


def start(**words):
    return {
        "paginator": "single_page",
        "params": {"since": "{incremental.start_value}"},
        "incremental": {"cursor_path": "at", "initial_value": "2024-01-01T00:00:00Z", **words},
    }


CONSTRUCTS = [
    Construct(
        name="since",
        server=since(TIMES, LATER),
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte=Description(source=manifest(stream(stream=over_time()))),
        dlt=Description(source=dlt(resource(**start()))),
    ),
    Construct(
        name="since-seconds",
        server=since(SECONDS, LATER_SECONDS, int),
        rows={"items": SECONDS},
        changed={"items": LATER_SECONDS},
        airbyte=Description(
            source=manifest(
                stream(
                    stream=over_time(
                        datetime_format="%s",
                        start_datetime={
                            "type": "MinMaxDatetime",
                            "datetime": "2024-01-01T00:00:00Z",
                            "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
                        },
                        end_datetime={
                            "type": "MinMaxDatetime",
                            "datetime": "2024-01-10T00:00:00Z",
                            "datetime_format": "%Y-%m-%dT%H:%M:%SZ",
                        },
                    )
                )
            )
        ),
        dlt=Description(source=dlt(resource(**start(initial_value=1704067200)))),
    ),
    Construct(
        name="since-lag",
        server=since(TIMES, LATER),
        rows={"items": TIMES},
        changed={"items": [*TIMES[5:], *LATER]},
        airbyte="not compared",
        dlt=Description(source=dlt(resource(**start(lag=172800)))),
    ),
    Construct(
        name="windows",
        server=between(TIMES, LATER, longest=2),
        rows={"items": TIMES},
        changed={"items": LATER},
        airbyte="not compared",
        dlt="no windows",
    ),
    Construct(
        name="windows-of-days",
        server=between(DAYS, longest=2),
        rows={"items": DAYS},
        airbyte="not compared",
        dlt="no windows",
    ),
    Construct(
        name="day-by-day",
        server=on_day,
        rows={"items": DAYS},
        airbyte="not compared",
        dlt="no windows",
    ),
    Construct(
        name="until",
        server=between(TIMES),
        rows={"items": TIMES[:5]},
        airbyte="not compared",
        dlt=Description(
            source=dlt(
                resource(
                    paginator="single_page",
                    params={
                        "since": "{incremental.start_value}",
                        "until": "{incremental.end_value}",
                    },
                    incremental={
                        "cursor_path": "at",
                        "initial_value": "2024-01-01T00:00:00Z",
                        "end_value": "2024-01-06T00:00:00Z",
                    },
                )
            )
        ),
    ),
]
