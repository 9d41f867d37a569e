"""Interrupted runs: a checkpoint is used if nothing has changed, and by its own source only."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support.patience import just_before
from support.runs import STREAM, declared, deselect, discover, run, select
from support.servers import JsonApi, reply

from tap_analytics import tap
from tap_analytics.demo import DemoApi

LIMIT = 10
COLUMNS = {
    "id": {"type": "integer"},
    "at": {"type": "string", "format": "date-time"},
    "other_at": {"type": "string", "format": "date-time"},
    "name": {"type": "string"},
    "place": {"type": "object", "properties": {"town": {"type": "string"}}},
}
DAY = "2024-03-{:02}T00:00:00Z".format


def rows_of(count):
    return [
        {
            "id": number,
            "at": DAY(1 + number % 28),
            "other_at": DAY(1 + number % 28),
            "name": f"row {number}",
            "place": {"town": "Ulm"},
        }
        for number in range(count)
    ]


class Breaking:
    """A list by row number whose server refuses every request after some, until it is mended."""

    def __init__(self, count=60, *, after=3):
        self.table = rows_of(count)
        self.left = after
        #: The server's clock, where it isn't this machine's.
        self.date = None

    def answer(self, query):
        self.left -= 1
        if self.left < 0:
            return reply(403, b"{}")
        limit = int(query.get("limit", LIMIT))
        start = int(query.get("offset", limit * (int(query.get("page", 1)) - 1)))
        found = {"data": self.table[start : start + limit]}
        if "page" not in query:
            found |= {"rows": found["data"], "total": len(self.table)}
        if self.date is None:
            return found
        return reply(200, json.dumps(found).encode(), Date=format_datetime(self.date, usegmt=True))


def settings(origin, *, full_table=False, **top):
    endpoint = {"paginator": {"type": "offset", "limit": LIMIT}}
    if not full_table:
        endpoint["incremental"] = {"cursor_path": "at"}
    schema = {"type": "object", "properties": COLUMNS}
    return declared(origin, endpoint=endpoint, schema=schema, **top)


def api_of(config):
    return config["apis"][0]


def endpoint_of(config):
    return api_of(config)["resources"][0]["endpoint"]


def basic(username="anna", password="hunter2"):
    return {"type": "http_basic", "username": username, "password": password}


class Next:
    """What the next run is given; each change below is made to it."""

    def __init__(self, config, catalog, state):
        self.config = json.loads(json.dumps(config))
        self.catalog = json.loads(json.dumps(catalog))
        self.state = json.loads(json.dumps(state))
        self.api = api_of(self.config)
        self.resource = self.api["resources"][0]
        self.endpoint = self.resource["endpoint"]
        self.entry = self.catalog["streams"][0]
        self.bookmark = self.state["bookmarks"][STREAM]

    def top(self, **given):
        self.config |= given

    def metadata(self, **given):
        root = next(each for each in self.entry["metadata"] if not each["breadcrumb"])
        root["metadata"] |= given

    def deselect(self, *path):
        self.catalog = deselect(self.catalog, STREAM, *path)


#: Of a run that was cut, each of these decides which rows are wanted, or how they go out.
DECIDING = {
    "start_date": lambda each: each.top(start_date="2024-03-05"),
    "end_date": lambda each: each.top(end_date="2024-03-25"),
    "lookback_seconds": lambda each: each.top(lookback_seconds=60),
    "initial_value": lambda each: each.endpoint["incremental"].update(initial_value=DAY(2)),
    "stored bookmark": lambda each: each.bookmark.update(replication_key_value=DAY(3)),
    "no bookmark": lambda each: each.bookmark.pop("replication_key_value"),
    "stream map": lambda each: each.top(stream_maps={STREAM: {"name": "name + '!'"}}),
    "stream map filter": lambda each: each.top(stream_maps={STREAM: {"__filter__": "id > 3"}}),
    "stream map config": lambda each: each.top(stream_map_config={"factor": 2}),
    "flattening": lambda each: each.top(flattening_enabled=True, flattening_max_depth=1),
    "data_selector": lambda each: each.endpoint.update(data_selector="rows"),
    "replication key": lambda each: (
        each.endpoint["incremental"].update(cursor_path="other_at"),
        each.entry.update(replication_key="other_at"),
    ),
    "replication method": lambda each: each.entry.update(replication_method="FULL_TABLE"),
    "primary key": lambda each: (
        each.resource.update(primary_key=["id", "name"]),
        each.entry.update(key_properties=["id", "name"]),
        each.metadata(**{"table-key-properties": ["id", "name"]}),
    ),
    "header of the API": lambda each: each.api.update(headers={"X-Tenant": "b"}),
    "another header of the API": lambda each: each.api.update(
        headers={"X-Tenant": "a", "X-B": "b"}
    ),
    "header of the client": lambda each: each.api["client"].update(headers={"X-View": "all"}),
    "parameter": lambda each: each.endpoint.update(params={"status": "open"}),
    "path": lambda each: each.endpoint.update(path="/items2"),
    "method": lambda each: each.endpoint.update(method="POST", json={"status": "open"}),
    "page size": lambda each: each.endpoint["paginator"].update(limit=5),
    "paginator": lambda each: each.endpoint["paginator"].update(total_path=None),
    "page size not sent": lambda each: each.endpoint["paginator"].update(limit_param=None),
    "column": lambda each: each.deselect("name"),
    "nested column": lambda each: each.deselect("place", "town"),
    "type": lambda each: each.entry["schema"]["properties"].update(name={"type": ["integer"]}),
    "unknown fields": lambda each: each.top(on_unknown_field="ignore"),
    "mismatching types": lambda each: each.top(on_type_mismatch="null"),
    "datetimes": lambda each: each.top(datetimes="utc"),
    "user name": lambda each: each.api["client"].update(auth=basic("otto")),
    "base URL": lambda each: each.api["client"].update(
        base_url=each.api["client"]["base_url"] + "/v2"
    ),
}
#: These don't.
INDIFFERENT = {
    "nothing": lambda each: None,
    "concurrency": lambda each: each.top(concurrency=8),
    "max_requests": lambda each: each.top(max_requests=50),
    "timeout": lambda each: each.top(request_timeout=30),
    "pace": lambda each: each.api.update(requests_per_second=500),
    "retries": lambda each: each.api.update(retry={"max_retries": 2, "backoff_factor": 0}),
    "a slash behind the URL": lambda each: each.api["client"].update(
        base_url=each.api["client"]["base_url"] + "/"
    ),
    "password": lambda each: each.api["client"].update(auth=basic(password="new")),
    "salt": lambda each: each.top(stream_map_config={"hash_seed": "b"}),
    "secret header": lambda each: each.api.update(headers={"X-Tenant": "a", "X-Api-Key": "zz"}),
    "secret parameter": lambda each: each.endpoint.update(params={"api_key": "zz"}),
    "order of settings": lambda each: each.config.update(apis=[dict(reversed(each.api.items()))]),
}


def cut_and_go_on(change, **top):
    """Cut a run, change what the next one is given, and return both and the next's requests."""
    source = Breaking()
    with JsonApi(source.answer) as api:
        config = settings(api.origin, stream_map_config={"hash_seed": "a"}, **top)
        api_of(config)["client"]["auth"] = basic()
        api_of(config)["headers"] = {"X-Tenant": "a", "X-Api-Key": "yy"}
        endpoint_of(config)["params"] = {"api_key": "yy"}
        catalog = select(discover(config), STREAM)
        bookmark = {"replication_key": "at", "replication_key_value": DAY(2)}
        first = run(config, catalog=catalog, state={"bookmarks": {STREAM: bookmark}})
        assert first.error is not None
        given = Next(config, catalog, first.state)
        change(given)
        source.left = 10**6
        sent = len(api.requests)
        second = run(given.config, catalog=given.catalog, state=given.state)
        assert second.error is None
        return first, second, api.queries[sent:]


@pytest.mark.parametrize("change", DECIDING.values(), ids=DECIDING)
def test_a_change_of_what_is_wanted_starts_the_stream_again(change):
    _, _, asked = cut_and_go_on(change)
    assert asked[0]["offset"] == "0"


@pytest.mark.parametrize("change", INDIFFERENT.values(), ids=INDIFFERENT)
def test_a_change_of_anything_else_does_not(change):
    first, second, asked = cut_and_go_on(change)
    assert asked[0]["offset"] == "18"
    wanted = [row["id"] for row in rows_of(60) if row["at"] >= DAY(2)]
    assert first.ids() + second.ids() == wanted


def test_a_change_of_the_order_starts_the_stream_again():
    """Where a page lies in one order says nothing about another order."""
    down = {"status": 403, "match": {"path": "/notes"}, "after": 3, "times": None}
    with DemoApi(faults=[down]) as api:
        config = {"success": api.config["success"] | {"page_size": 5}, "concurrency": 1}
        first = run(config, only=("success_notes",))
        assert "position" in first.state["bookmarks"]["success_notes"]
        api.set_faults([])
        config["success"] |= {"sort_by": "updatedAt"}
        catalog = select(discover(config), "success_notes")
        api.reset_counts()
        second = run(config, catalog=catalog, state=first.state)
        assert "from" not in api.requests[0].params
        assert set(second.ids("success_notes")) == {row["id"] for row in api.rows("success_notes")}


def test_a_position_of_another_version_of_the_tap_is_not_used(monkeypatch):
    source = Breaking()
    with JsonApi(source.answer) as api:
        first = run(settings(api.origin))
        source.left = 10**6
        monkeypatch.setattr(tap.TapAnalytics, "plugin_version", "99.0")
        second = run(settings(api.origin), state=first.state)
    assert second.ids() == list(range(60))


@pytest.mark.parametrize("versions", [False, True])
def test_rows_with_versions_never_join_rows_without(versions):
    source = Breaking()
    with JsonApi(source.answer) as api:
        config = settings(api.origin, full_table=True, emit_activate_version_messages=versions)
        first = run(config)
        source.left = 10**6
        second = run(config | {"emit_activate_version_messages": not versions}, state=first.state)
    assert second.ids() == list(range(60))


# --- sources ------------------------------------------------------------------------------------


def account_of(auth):
    """Return the account that a run with these credentials leaves in the state, and that state."""
    with JsonApi(Breaking(after=10**6).answer) as api:
        config = settings(api.origin)
        api_of(config)["client"]["auth"] = auth
        done = run(config)
    made = done.state["bookmarks"][STREAM]["source"]
    assert made["base_url"] == api.origin
    return made["account"], json.dumps(done.state)


def test_an_account_is_remembered_without_a_secret():
    anna, otto = account_of(basic())[0], account_of(basic("otto"))[0]
    assert len({anna, otto, None}) == 3
    assert account_of(basic(password="another"))[0] == anna
    # A user name without a password is a key.
    for auth in (
        basic("key-as-user-name", ""),
        {"type": "bearer", "token": "key-as-user-name"},
        {"type": "api_key", "name": "X-Key", "api_key": "key-as-user-name"},
    ):
        account, state = account_of(auth)
        assert account is None
        assert "key-as" not in state


def warnings(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


@pytest.fixture
def shops():
    """Two services with the same rows."""
    with (
        JsonApi(Breaking(after=10**6).answer) as one,
        JsonApi(Breaking(after=10**6).answer) as other,
    ):
        yield one, other


#: Rows that equal the bookmark come again.
LATEST = [row["id"] for row in rows_of(60) if row["at"] == DAY(28)]


def test_a_bookmark_is_used_for_the_source_it_was_made_from_alone(shops, caplog):
    here, there = shops
    first = run(settings(here.origin))
    again = run(settings(here.origin), state=first.state)
    assert (again.ids(), warnings(caplog)) == (LATEST, [])
    moved = run(settings(there.origin), state=again.state)
    assert moved.ids() == list(range(60))
    [line] = warnings(caplog)
    assert line == (
        f"The state of {STREAM} was made from {here.origin} and is not used: this run reads "
        f"{there.origin}, from the start."
    )
    caplog.clear()
    config = settings(there.origin)
    assert (run(config, state=moved.state).ids(), warnings(caplog)) == (LATEST, [])
    api_of(config)["client"]["auth"] = basic()
    assert run(config, state=moved.state).ids() == list(range(60))
    assert f"{there.origin} (account " in warnings(caplog)[0]


def test_a_bookmark_without_a_source_is_taken_as_it_is_and_gets_one(shops, caplog):
    stored = {"replication_key": "at", "replication_key_value": DAY(28)}
    done = run(settings(shops[0].origin), state={"bookmarks": {STREAM: stored}})
    assert (done.ids(), warnings(caplog)) == (LATEST, [])
    source = {"base_url": shops[0].origin, "account": None}
    assert done.state["bookmarks"] == {STREAM: stored | {"source": source}}


def test_a_run_of_another_source_that_fails_leaves_the_bookmark_of_the_first(shops):
    source = Breaking()
    with JsonApi(source.answer) as there:
        first = run(settings(shops[0].origin))
        failed = run(settings(there.origin), state=first.state)
        source.left = 10**6
        taken_up = run(settings(there.origin), state=failed.state)
        back = run(settings(shops[0].origin), state=failed.state)
    assert failed.error is not None
    assert failed.bookmark() == DAY(28)
    assert failed.ids() + taken_up.ids() == list(range(60))
    assert back.ids() == LATEST


def test_a_position_of_another_source_is_named_and_not_used(shops, caplog):
    with JsonApi(Breaking().answer) as here:
        first = run(settings(here.origin, full_table=True))
    second = run(settings(shops[0].origin, full_table=True), state=first.state)
    assert second.ids() == list(range(60))
    assert f"{STREAM} was made from {here.origin} and is not used" in caplog.text


def test_each_api_has_a_source_of_its_own(shops, caplog):
    config = settings(shops[0].origin)
    other = json.loads(json.dumps(api_of(config)))
    other |= {"name": "depot", "client": {"base_url": shops[1].origin}}
    config["apis"].append(other)
    first = run(config)
    other["client"]["base_url"] = shops[0].origin
    second = run(config, state=first.state)
    assert (second.ids(), second.ids("depot_items")) == (LATEST, list(range(60)))
    assert "The state of depot_items was made from" in caplog.text
    made = {name: each["source"]["base_url"] for name, each in first.state["bookmarks"].items()}
    assert made == {STREAM: shops[0].origin, "depot_items": shops[1].origin}


def test_a_full_refresh_is_not_warned_of_a_bookmark_it_has_no_use_for(shops, caplog):
    first = run(settings(shops[0].origin))
    run(settings(shops[1].origin, full_table=True), state=first.state)
    assert "is not used" not in caplog.text


# --- streams that start again -------------------------------------------------------------------


def test_parents_start_again_so_that_no_child_is_taken_for_deleted():
    source = Breaking(40)

    def answer(query):
        return source.answer(query) if "offset" in query else {"data": [{"id": 1}]}

    parts = {
        "name": "parts",
        "endpoint": {
            "path": "/items/{item_id}/parts",
            "data_selector": "data",
            "paginator": "single_page",
        },
        "primary_key": ["item_id", "id"],
        "schema": {"type": "object", "properties": {"id": {"type": "integer"}}},
    }
    with JsonApi(answer) as api:
        top = {"children": [parts], "emit_activate_version_messages": True}
        config = settings(api.origin, full_table=True, **top)
        first = run(config)
        source.left = 10**6
        second = run(config, state=first.state)
    assert first.error is not None
    assert first.records("shop_parts")
    assert {row["item_id"] for row in second.records("shop_parts")} == set(range(40))


def test_a_stream_that_is_read_newest_first_leaves_no_position():
    down = {"status": 403, "match": {"path": "/notes"}, "after": 2, "times": None}
    with DemoApi(faults=[down]) as api:
        config = {"success": api.config["success"] | {"page_size": 5}, "concurrency": 1}
        stored = {"replication_key": "updatedAt", "replication_key_value": "2001-01-01T00:00:00Z"}
        state = {"bookmarks": {"success_notes": stored}}
        done = run(config, only=("success_notes",), state=state)
        assert done.error is not None
        assert done.ids("success_notes")
        assert done.state["bookmarks"]["success_notes"] == stored


# --- full refreshes -----------------------------------------------------------------------------


@pytest.mark.parametrize("after", [10**6, 3])
def test_a_full_refresh_keeps_the_bookmark_of_an_incremental_stream(after):
    source = Breaking(after=10**6)
    with JsonApi(source.answer) as api:
        config = settings(api.origin, emit_activate_version_messages=True)
        catalog = select(discover(config), STREAM)
        first = run(config, catalog=catalog)
        full = json.loads(json.dumps(catalog))
        full["streams"][0] |= {"replication_method": "FULL_TABLE"}
        source.left = after
        refreshed = run(config, catalog=full, state=first.state)
        source.left = 10**6
        last = run(config, catalog=catalog, state=refreshed.state)
    kept = refreshed.state["bookmarks"][STREAM]
    assert kept.pop("position", None) is None or after == 3
    assert kept == first.state["bookmarks"][STREAM]
    assert {row["at"] for row in last.records()} == {DAY(28)}


def test_an_incremental_run_between_full_ones_costs_nothing():
    source = Breaking()
    with JsonApi(source.answer) as api:
        config = settings(api.origin, emit_activate_version_messages=True)
        catalog = select(discover(config), STREAM)
        full = json.loads(json.dumps(catalog))
        full["streams"][0] |= {"replication_method": "FULL_TABLE"}
        cut = run(config, catalog=full)
        source.left = 10**6
        between = run(config, catalog=catalog, state=cut.state)
        last = run(config, catalog=full, state=between.state)
    assert cut.error is not None
    assert between.ids() == last.ids() == list(range(60))
    assert len(last.of("ACTIVATE_VERSION")) == 1
    assert last.bookmark() == between.bookmark() == DAY(28)


# --- what a position holds ----------------------------------------------------------------------


def test_the_highest_value_of_the_pages_before_the_cut_is_not_lost():
    source = Breaking()
    source.table.sort(key=lambda row: row["at"], reverse=True)
    with JsonApi(source.answer) as api:
        first = run(settings(api.origin))
        source.left = 10**6
        second = run(settings(api.origin), state=first.state)
    assert max(row["at"] for row in second.records()) < DAY(28)
    assert second.bookmark() == DAY(28)


@pytest.mark.parametrize("after", [3, 10**6])
def test_the_bookmark_stays_behind_the_server_clock_of_the_first_run(after):
    # The schema is declared: a sample would have told the server's clock before the run.
    source = Breaking(after=after)
    now = datetime.now(UTC).replace(microsecond=0)
    # Later than the server's clock, and earlier than this machine's.
    source.table[-1]["at"] = (now - timedelta(minutes=5)).isoformat()
    source.date = source_time = now - timedelta(minutes=10)
    with JsonApi(source.answer) as api:
        first = run(settings(api.origin))
        source.left, source.date = 10**6, None
        second = run(settings(api.origin), state=first.state) if first.error else first
    assert {*first.ids(), *second.ids()} == set(range(60))
    assert just_before(source_time, datetime.fromisoformat(second.bookmark()))


@pytest.mark.parametrize("after", [2, 5, 6])
def test_a_run_by_page_number_that_was_resumed_permits_no_deletes(after):
    """The pages before the cut were not looked at again, so rows may have moved past the reader."""
    source = Breaking(57, after=after)
    with JsonApi(source.answer) as api:
        config = settings(api.origin, full_table=True, emit_activate_version_messages=True)
        paginator = {"type": "page_number", "base_page": 1, "limit": LIMIT}
        endpoint_of(config)["paginator"] = paginator
        first = run(config)
        source.left = 10**6
        second = run(config, state=first.state)
        third = run(config, state=second.state)
    assert first.ids() + second.ids() == list(range(57))
    assert (second.verdict(), second.of("ACTIVATE_VERSION")) == ("unverified", [])
    assert (third.ids(), len(third.of("ACTIVATE_VERSION"))) == (list(range(57)), 1)


@pytest.mark.parametrize("promised", [57, 60])
def test_a_total_that_only_the_first_page_gives_is_not_forgotten(promised):
    source = Breaking(57)

    def answer(query):
        body = source.answer(query)
        if isinstance(body, dict) and query["offset"] == "0":
            return body | {"total": promised}
        return {"data": body["data"]} if isinstance(body, dict) else body

    with JsonApi(answer) as api:
        first = run(settings(api.origin))
        source.left = 10**6
        second = run(settings(api.origin), state=first.state)
    assert first.ids() + second.ids() == list(range(57))
    assert second.verdict() == ("verified" if promised == 57 else "short")
    assert (second.error is None) == (promised == 57)


@pytest.mark.parametrize("status", [206, 200], ids=["no whole answer", "a key that comes twice"])
def test_contradicting_evidence_is_kept(status):
    """It is seen on the second page, and nothing after the cut shows it."""
    source = Breaking()
    if status == 200:
        source.table[12] = dict(source.table[4])

    def answer(query):
        body = source.answer(query)
        second = isinstance(body, dict) and 0 < int(query["offset"]) < LIMIT
        return reply(status, json.dumps(body).encode()) if second else body

    with JsonApi(answer) as api:
        config = settings(api.origin, full_table=True, emit_activate_version_messages=True)
        first = run(config)
        source.left = 10**6
        second = run(config, state=first.state)
    assert first.ids() + second.ids() == [row["id"] for row in source.table]
    assert (second.verdict(), second.of("ACTIVATE_VERSION")) == ("unverified", [])


@pytest.mark.parametrize("refuses", [True, False], ids=["refused again", "taken by then"])
def test_a_stream_with_a_refused_filter_is_read_without_it(refuses):
    """With the filter the server may list rows in another order, and a place in it is another."""
    source, refused = Breaking(), True

    def answer(query):
        if "since" not in query:
            return source.answer(query)
        found = sorted(source.table, key=lambda row: row["name"], reverse=True)
        start = int(query["offset"])
        page = {"data": found[start : start + LIMIT], "total": len(found)}
        return reply(400, b'{"error": "unknown parameter"}') if refused else page

    with JsonApi(answer) as api:
        config = settings(api.origin)
        endpoint_of(config)["incremental"]["start_param"] = "since"
        bookmark = {"replication_key": "at", "replication_key_value": DAY(1)}
        first = run(config, state={"bookmarks": {STREAM: bookmark}})
        source.left, refused = 10**6, refuses
        sent = len(api.requests)
        second = run(config, state=first.state)
    assert first.ids() + second.ids() == list(range(60))
    assert not any("since" in query for query in api.queries[sent:])


def test_a_link_that_holds_a_credential_stays_out_of_the_state(monkeypatch):
    monkeypatch.setattr("tap_analytics.reporting.run.STATE_INTERVAL", 0)

    def answer(query):
        start = int(query.get("from", 0))
        more = start + LIMIT < 30
        link = f"/items?from={start + LIMIT}&signed=sekret-key-1" if more else None
        return {"data": rows_of(30)[start : start + LIMIT], "next": link}

    with JsonApi(answer) as api:
        config = settings(api.origin)
        endpoint_of(config)["paginator"] = {"type": "json_link"}
        key = {"type": "api_key", "name": "X-Key", "api_key": "sekret-key-1"}
        api_of(config)["client"]["auth"] = key
        done = run(config)
    assert done.ids() == list(range(30))
    assert b'"position"' in b"".join(done.lines)
    assert b"sekret" not in b"".join(done.lines)


@pytest.mark.parametrize(
    ("paginator", "pages"),
    [({"type": "offset"}, 1), ({"type": "page_number", "base_page": 1}, 17)],
    ids=["offset", "page number"],
)
def test_a_state_does_not_grow_with_the_pages(paginator, pages, monkeypatch):
    """Of pages that have to be looked at again, no more than 16 are remembered."""
    monkeypatch.setattr("tap_analytics.reporting.run.STATE_INTERVAL", 0)
    with JsonApi(Breaking(600, after=10**6).answer) as api:
        config = settings(api.origin, full_table=True)
        endpoint_of(config)["paginator"] = paginator | {"limit": 4}
        done = run(config)
    sizes = [len(line) for line in done.lines if b'"position"' in line]
    assert len(sizes) >= 150
    # Numbers become longer.
    assert max(sizes) - max(sizes[:pages]) < 40


# --- every place where a run may be cut ---------------------------------------------------------

COUNT = 57


class Pager:
    """A list that is served in every way of paging there is."""

    def __init__(self, *, total=True, cap=LIMIT, keyed=True, links=False, base=1):
        self.table = [{"id": number, "name": f"row {number // 3}"} for number in range(COUNT)]
        if not keyed:
            # Rows without a key may be alike.
            self.table = [{"name": row["name"]} for row in self.table]
        self.total, self.cap, self.links, self.base = total, cap, links, base

    def answer(self, query):
        limit = min(int(query.get("limit", self.cap)), self.cap)
        if "page" in query:
            start = limit * (int(query["page"]) - self.base)
        else:
            start = int(query.get("offset") or query.get("cursor", "").removeprefix("at-") or 0)
        end = start + limit
        more = end < COUNT
        body = {"data": self.table[start:end]}
        headers = {}
        if self.total:
            body["total"] = COUNT
        if self.links:
            following = f"/items?offset={end}&limit={limit}"
            body["links"] = {"next": following if more else None}
        if query.keys().isdisjoint({"page", "offset"}):
            body["after"] = f"at-{end}" if more else None
            body["next"] = f"/items?cursor=at-{end}&limit={limit}" if more else None
            headers = {"X_After": f"at-{end}", "Link": f"<{body['next']}>; rel=next"}
        return reply(200, json.dumps(body).encode(), **(headers if more else {}))


OFFSET = {"type": "offset", "limit": LIMIT}
PAGERS = {
    "offset": (OFFSET, {}),
    "offset without total": (OFFSET, {"total": False}),
    "offset, capped": (OFFSET, {"total": False, "cap": 6}),
    "offset with links": (OFFSET, {"links": True}),
    "offset of rows without a key": (OFFSET, {"keyed": False}),
    "cursor": ({"type": "cursor", "limit": LIMIT, "cursor_path": "after"}, {"total": False}),
    "cursor of rows without a key": (
        {"type": "cursor", "limit": LIMIT, "cursor_path": "after"},
        {"total": False, "keyed": False},
    ),
    "header cursor": (
        {"type": "header_cursor", "cursor_key": "X-After", "limit": LIMIT},
        {"total": False},
    ),
    "link in the body": ({"type": "json_link", "limit": LIMIT}, {"total": False}),
    "link in a header": ({"type": "header_link", "limit": LIMIT}, {"total": False}),
    "whatever the response shows": ({"type": "auto"}, {}),
    "page number": ({"type": "page_number", "base_page": 1, "limit": LIMIT}, {"total": False}),
    "page number from 0 or 1": ({"type": "page_number", "limit": LIMIT}, {"total": False}),
}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize(("paginator", "served"), PAGERS.values(), ids=PAGERS)
def test_wherever_a_run_is_killed_the_next_one_brings_the_rest(
    paginator, served, concurrency, monkeypatch
):
    """What a target has is the messages up to a STATE; what follows may be lost with the run."""
    monkeypatch.setattr("tap_analytics.reporting.run.STATE_INTERVAL", 0)
    pager = Pager(**served)
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {}}}
    keyed = served.get("keyed", True)
    with JsonApi(pager.answer) as api:
        config = declared(
            api.origin,
            endpoint={"paginator": paginator},
            schema=schema if keyed else {"type": "object", "properties": {"name": {}}},
            concurrency=concurrency,
            **({} if keyed else {"primary_key": []}),
        )
        uncut = run(config)
        places = [place for place, line in enumerate(uncut.lines) if b'"position"' in line]
        for place in places:
            kept = [json.loads(line) for line in uncut.lines[: place + 1]]
            rest = run(config, state=kept[-1]["value"])
            rows = [each["record"] for each in kept if each["type"] == "RECORD"]
            assert (rest.error, rows + rest.records()) == (None, pager.table)
            assert rest.verdict() == uncut.verdict()
    assert uncut.error is None
    assert uncut.records() == pager.table
    assert len(places) >= COUNT // LIMIT
