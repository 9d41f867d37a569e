"""Incremental runs: changed rows are written, others are not, and no change is missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from support.patience import just_before
from support.processes import discover, only, run
from support.runs import bag, bookmarks, select
from support.servers import PathApi

from tap_analytics.demo import DemoApi

#: Replication key by stream.
KEYS = {
    "learning_people": "updated_at",
    "learning_courses": "updated_at",
    "experimentation_accounts_feeds": "when",
    "experimentation_custom_widgets": "updatedAt",
    "wiki_audit": "creationDate",
    "wiki_pages": "updatedAt",
    "wiki_blog_posts": "updatedAt",
    "success_accounts": "updatedAt",
    "success_conversations": "updatedAt",
    "success_notes": "updatedAt",
    "success_tasks": "updatedAt",
    "success_users": "updatedAt",
}
BLOCKS = ("learning", "experimentation", "wiki", "success")
#: Streams whose API filters, with the parameter that asks it to.
FILTERS = {
    "/people": "filter[updated_at][gteq]",
    "/feeds": "startTime",
    "/audit": "startDate",
}
#: Paths of streams whose API can only put the newest first.
SORTED = ("/accounts", "/conversations", "/notes", "/tasks", "/users")


def paged(config, size=10, **settings):
    """Return a configuration with small pages, for stopping early to show."""
    return {
        name: config[name] | {"page_size": size} if name in BLOCKS else config[name]
        for name in config
    } | settings


def moment(value):
    """Return a replication value of any notation as a datetime."""
    if isinstance(value, str):
        return datetime.fromisoformat(value)
    return datetime.fromtimestamp(value / (1000 if value > 10**11 else 1), UTC)


def complete(demo, done, *streams):
    """Check that streams arrived whole."""
    for name in streams:
        arrived = [
            {k: v for k, v in row.items() if k != "record_hash"} for row in done.records(name)
        ]
        assert bag(arrived) == bag(demo.rows(name, parse_float=Decimal)), name


def only_changes(demo, done, before, changed):
    """Check that a run brought the changes since `before`, and apart from them only equals."""
    for name, key in KEYS.items():
        rows = done.records(name)
        fresh = [row for row in rows if moment(row[key]) > moment(before[name])]
        identity = "creationDate" if name == "wiki_audit" else "id"
        assert sorted(str(row[identity]) for row in fresh) == sorted(
            str(identifier) for identifier in changed.get(name, [])
        ), name
        assert all(moment(row[key]) >= moment(before[name]) for row in rows), name
        now = {str(row[identity]): row[key] for row in demo.rows(name)}
        assert all(now[str(row[identity])] == row[key] for row in rows), name


@pytest.mark.parametrize("dialect", ["real", "spec"])
def test_three_runs_in_a_row_bring_the_changes_and_nothing_else(dialect):
    with DemoApi(dialect=dialect, scale=0.3) as demo:
        config = paged(demo.config)
        first = run(config)
        assert first.bookmarks.keys() == KEYS.keys()
        state = first.state
        for _ in range(2):
            before = bookmarks(state)
            changed = demo.mutate()
            assert changed["learning_course_enrollments"]
            done = run(config, state=state)
            assert (done.code, done.errors) == (0, [])
            only_changes(demo, done, before, changed)
            complete(demo, done, *(set(demo.streams) - KEYS.keys()))
            state = done.state
            for name in KEYS:
                newest = max(moment(row[KEYS[name]]) for row in demo.rows(name))
                assert moment(done.bookmarks[name]) == newest, name
        unchanged = run(config, state=state)
        assert unchanged.bookmarks == done.bookmarks
        only_changes(demo, unchanged, done.bookmarks, {})


def test_a_second_run_asks_for_less_where_the_server_can_give_less():
    with DemoApi(scale=1) as demo:
        config = paged(only(demo.config, *BLOCKS))
        first = run(config)
        before = {path: count for (_, path), count in demo.counts.items()}
        demo.mutate()
        demo.reset_counts()
        second = run(config, state=first.state)
        assert (second.code, second.errors) == (0, [])
        after = {path: count for (_, path), count in demo.counts.items()}
        asked = demo.requests
    for ending, filtering in FILTERS.items():
        sent = [request.params for request in asked if request.path.endswith(ending)]
        assert sent
        assert all(filtering in params for params in sent)
    for ending in SORTED:
        path = f"/resources{ending}"
        assert before[path] > 3
        assert after[path] <= 2, path
    courses = [request.params for request in asked if request.path.endswith("/courses")]
    assert not any(name.startswith("filter") for params in courses for name in params)


def test_courses_are_filtered_without_their_enrollments():
    with DemoApi(scale=0.2) as demo:
        config = only(demo.config, "learning")
        catalog = select(discover(config), "learning_courses")
        first = run(config, catalog=catalog)
        demo.mutate()
        demo.reset_counts()
        second = run(config, catalog=catalog, state=first.state)
        # The one page and, to show that it is the last, the page behind it.
        assert {request.params["filter[updated_at][gteq]"] for request in demo.requests} == {
            first.bookmarks["learning_courses"]
        }
        assert 1 <= len(second.records("learning_courses")) <= 2


def test_a_bookmark_never_passes_the_moment_the_run_began():
    with DemoApi(scale=0.2) as demo:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        changed = demo.mutate(at=tomorrow)
        first = run(demo.config)
        ended = datetime.now(UTC)
        again = run(demo.config, state=first.state)
    assert changed.keys() & KEYS.keys()
    for name in changed.keys() & KEYS.keys():
        past = [at for row in first.records(name) if (at := moment(row[KEYS[name]])) <= ended]
        assert moment(first.bookmarks[name]) == max(past), name
        assert isinstance(first.bookmarks[name], type(first.records(name)[0][KEYS[name]]))
        came = {row.get("id", row[KEYS[name]]) for row in again.records(name)}
        assert came >= set(changed[name]), name


def test_start_date_is_where_streams_without_a_bookmark_begin():
    with DemoApi(scale=0.5) as demo:
        people = sorted(row["updated_at"] for row in demo.rows("learning_people"))
        start = people[len(people) // 2]
        bookmark = {"replication_key": "updatedAt", "replication_key_value": people[-1]}
        config = only(demo.config, *BLOCKS, start_date=start)
        done = run(config, state={"bookmarks": {"success_notes": bookmark}})
        assert done.code == 0
        for name, key in KEYS.items():
            bound = people[-1] if name == "success_notes" else start
            wanted = [row for row in demo.rows(name) if moment(row[key]) >= moment(bound)]
            assert len(done.records(name)) == len(wanted), name
            assert all(moment(row[key]) >= moment(bound) for row in done.records(name)), name
        complete(demo, done, "learning_course_enrollments", "success_admins", "wiki_space")


@pytest.mark.parametrize("dialect", ["real", "spec"])
def test_windows_side_by_side_hold_every_row_once(dialect):
    with DemoApi(dialect=dialect, scale=0.5) as demo:
        config = only(demo.config, *BLOCKS)
        dates = sorted(row["updated_at"] for row in demo.rows("learning_people"))
        cuts = [None, dates[len(dates) // 3], dates[len(dates) // 2], None]
        found = []
        for start, end in pairwise(cuts):
            bounds = {"start_date": start, "end_date": end}
            window = run(config | {name: date for name, date in bounds.items() if date})
            assert (window.code, window.errors) == (0, [])
            for name, mark in window.bookmarks.items():
                assert end is None or moment(mark) < moment(end), name
            found.append(window)
        for name, key in KEYS.items():
            arrived = [row for window in found for row in window.records(name)]
            assert len(arrived) == len(demo.rows(name)), name
            identities = {row.get("record_hash", row.get("id")) for row in arrived}
            assert len(identities) == len(arrived), name
            middle = found[1].records(name)
            assert all(moment(cuts[1]) <= moment(row[key]) < moment(cuts[2]) for row in middle)


def test_lookback_reads_so_many_seconds_again():
    with DemoApi(scale=0.5) as demo:
        config = paged(only(demo.config, *BLOCKS))
        first = run(config)
        seconds = 40 * 24 * 3600
        again = run(config | {"lookback_seconds": seconds}, state=first.state)
        assert again.bookmarks == first.bookmarks
        for name, key in KEYS.items():
            bound = moment(first.bookmarks[name]) - timedelta(seconds=seconds)
            wanted = [row for row in demo.rows(name) if moment(row[key]) >= bound]
            assert len(again.records(name)) == len(wanted), name
        assert len(again.records("learning_people")) > 1


def test_a_stream_without_a_bookmark_in_the_state_is_read_whole():
    with DemoApi(scale=0.2) as demo:
        first = run(demo.config)
        kept = {"learning_people": first.state["bookmarks"]["learning_people"], "wiki_pages": {}}
        done = run(demo.config, state={"bookmarks": kept})
        complete(demo, done, *(set(demo.streams) - {"learning_people"}))
        assert len(done.records("learning_people")) == 1
        assert done.bookmarks == first.bookmarks


def things(**incremental):
    clause = {"cursor_path": "changed", "start_param": "since"} | incremental
    paginator = {"type": "offset", "limit": 2}
    endpoint = {"path": "/things", "data_selector": "data", "paginator": paginator}
    return {"name": "things", "endpoint": endpoint | {"incremental": clause}}


def test_a_declared_stream_asks_from_initial_value_and_then_from_its_bookmark():
    rows = [{"id": number, "changed": 100 + number} for number in range(9)]

    def answer(path, query):
        asked = dict(query)
        first = int(asked["offset"])
        wanted = [row for row in rows if row["changed"] >= int(asked["since"])]
        return {"data": wanted[first : first + 2]}

    with PathApi(answer) as api:
        config = api.config(things(initial_value=103))
        first = run(config)
        rows.append({"id": 9, "changed": 150})
        api.requests.clear()
        second = run(config, state=first.state)
    assert [row["id"] for row in first.records("odd_things")] == [3, 4, 5, 6, 7, 8]
    assert first.bookmarks == {"odd_things": 108}
    assert [row["id"] for row in second.records("odd_things")] == [8, 9]
    assert {dict(query)["since"] for _, query in api.asked} == {"108"}
    assert second.bookmarks == {"odd_things": 150}


def test_rows_that_change_while_they_are_read_come_again():
    """A server sorts by time of change; between two pages a row moves to the other end."""
    rows = [{"id": number, "changed": f"2026-03-{number + 1:02d}T00:00:00Z"} for number in range(8)]

    def answer(path, query):
        asked = dict(query)
        wanted = [row for row in rows if row["changed"] >= asked.get("since", "")]
        wanted.sort(key=lambda row: row["changed"])
        first = int(asked["offset"])
        page = [dict(row) for row in wanted[first : first + 2]]
        if first == 2:
            now = datetime.now(UTC) + timedelta(seconds=1)
            rows[7]["changed"] = now.isoformat(timespec="seconds").replace("+00:00", "Z")
        return {"data": page}

    with PathApi(answer) as api:
        config = api.config(things()) | {"concurrency": 1}
        first = run(config)
        second = run(config, state=first.state)
    assert first.code == 0
    assert {row["id"] for row in first.records("odd_things")} == set(range(8))
    assert 7 in {row["id"] for row in second.records("odd_things")}


def test_the_slow_clock_of_a_server_holds_the_bookmark_back():
    """Rows are stamped by the server: a bookmark beyond its clock would skip what comes next."""
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    stamp = hour_ago.strftime("%a, %d %b %Y %H:%M:%S GMT")
    ahead = (hour_ago + timedelta(minutes=30)).isoformat(timespec="seconds")
    rows = [{"id": 1, "changed": "2026-01-01T00:00:00+00:00"}, {"id": 2, "changed": ahead}]
    with PathApi(lambda path, query: {"data": rows[int(dict(query)["offset"]) :]}) as api:
        api.date = stamp
        done = run(api.config(things()))
    assert done.code == 0
    assert just_before(hour_ago.replace(microsecond=0), moment(done.bookmarks["odd_things"]))
