"""What follows from a verdict: deletes, bookmarks, positions, exit code, and what is said of it."""

from __future__ import annotations

import io
import json
import logging
from urllib.parse import urlsplit

import pytest
from rich.console import Console
from support.runs import STREAM, declared, discover, run, select
from support.servers import JsonApi, ScriptedServer, reply

from tap_analytics.client import AnalyticsStream
from tap_analytics.reporting.terminal.table import final_table

LIMIT = 3
OLD, NEW = "2024-01-01T00:00:00Z", "2024-06-01T00:00:00Z"
FAMILY = ITEMS, PARTS, BITS = (STREAM, "shop_parts", "shop_bits")
PAGES = {"type": "page_number", "base_page": 1, "limit": LIMIT, "total_path": "total"}


def rows(*ids):
    return [{"id": number, "at": NEW} for number in ids]


class Shop(ScriptedServer):
    """Six items in pages by number, one part below each but four below 2, a bit below each part.

    `moved` takes a row out of the list of a path after so many answers, so that others move past
    the reader; `short` names paths whose total is one too high; `answers` holds a status by page.
    """

    def __init__(self, *, moved=(), short=(), answers=None):
        super().__init__(self._respond)
        self.moved, self.short, self.statuses = set(moved), set(short), answers or {}
        self.asked = {}

    def _respond(self, received):
        path, query = urlsplit(received.target).path, received.query
        self.asked[path] = self.asked.get(path, 0) + 1
        if status := self.statuses.get((path, query["page"])):
            return reply(status, b"{}")
        own = int(path.split("/")[2]) if path.count("/") > 1 else 0
        table = rows(*self._ids(path, own))
        if path in self.moved and self.asked[path] > 1:
            del table[0]
        start = (int(query["page"]) - 1) * LIMIT
        body = {"data": table[start : start + LIMIT]}
        if path in self.short:
            body["total"] = len(table) + 1
        return reply(200, json.dumps(body).encode())

    @staticmethod
    def _ids(path, own):
        if path == "/items":
            return range(1, 7)
        parts = 4 if own == 2 else 1
        return range(10 * own, 10 * own + parts) if path.startswith("/items") else [own]


def shop(origin, *, incremental, **top):
    """Return a configuration of three generations: with versions, or with bookmarks."""

    def endpoint(path):
        words = {
            "path": path,
            "data_selector": "data",
            "paginator": PAGES | {"total_path": "total"},
        }
        return words | ({"incremental": {"cursor_path": "at"}} if incremental else {})

    below = {"parts": "/items/{item_id}/parts", "bits": "/parts/{part_id}/bits"}
    children = [
        {"name": name, "endpoint": endpoint(path), "primary_key": "id"}
        for name, path in below.items()
    ]
    top = {"emit_activate_version_messages": not incremental} | top
    return declared(origin, endpoint=endpoint("/items"), children=children, **top)


def old_state():
    mark = {"replication_key": "at", "replication_key_value": OLD}
    return {"bookmarks": {name: dict(mark) for name in FAMILY}}


#: Server; settings; streams that are proven, doubted (with a word of why), and failed.
CASES = {
    "all is shown": ({}, {}, FAMILY, {}, ()),
    "rows moved": (
        {"moved": ["/items"]},
        {},
        (),
        {ITEMS: "rows moved", PARTS: "are unverified", BITS: "are unverified"},
        (),
    ),
    "rows moved, and that fails": (
        {"moved": ["/items"]},
        {"on_unverified": "fail"},
        (),
        {},
        FAMILY,
    ),
    "rows moved below one parent": (
        {"moved": ["/items/2/parts"]},
        {},
        (ITEMS,),
        {PARTS: "rows moved", BITS: "are unverified"},
        (),
    ),
    "rows moved below one parent, and that fails": (
        {"moved": ["/items/2/parts"]},
        {"on_unverified": "fail"},
        (ITEMS,),
        {},
        (PARTS, BITS),
    ),
    "short": ({"short": ["/items"]}, {}, (), {}, FAMILY),
    "short, accepted": (
        {"short": ["/items"]},
        {"on_shortfall": "warn"},
        (),
        {ITEMS: "counts 7 rows and gave 6", PARTS: "are short", BITS: "are unverified"},
        (),
    ),
    "short below one parent, accepted": (
        {"short": ["/items/2/parts"]},
        {"on_shortfall": "warn"},
        (ITEMS,),
        {PARTS: "counts 5 rows and gave 4", BITS: "are short"},
        (),
    ),
    "a parent is gone": (
        {"answers": {("/items/2/parts", "1"): 404}},
        {},
        (ITEMS,),
        {PARTS: "1 of 6 parents answered 404", BITS: "its parents, shop_parts, may be missing"},
        (),
    ),
    "every parent is gone": (
        {"answers": {(f"/items/{n}/parts", "1"): 404 for n in range(1, 7)}},
        {},
        (ITEMS,),
        {},
        (PARTS, BITS),
    ),
    "a later page below a parent is gone": (
        {"answers": {("/items/2/parts", "2"): 404}},
        {},
        (ITEMS,),
        {},
        (PARTS, BITS),
    ),
    "below a parent it fails": (
        {"answers": {("/items/2/parts", "1"): 403}},
        {},
        (ITEMS,),
        {},
        (PARTS, BITS),
    ),
    "cut short": (
        {},
        {"max_records": 5},
        (),
        dict.fromkeys(FAMILY, "max_records cut it short"),
        (),
    ),
}


@pytest.mark.parametrize(
    ("incremental", "width"), [(False, 1), (True, 8)], ids=["versions", "bookmarks"]
)
@pytest.mark.parametrize("case", CASES)
def test_deletes_and_bookmarks_follow_proof(case, incremental, width, tmp_path):
    server, settings, proven, doubted, failed = CASES[case]
    path = tmp_path / "summary.json"
    with Shop(**server) as api:
        config = shop(api.origin, incremental=incremental, concurrency=width) | settings
        done = run(config | {"summary_path": str(path)}, state=old_state())
    summary = json.loads(path.read_bytes())["streams"]
    assert {name for name in FAMILY if done.failure(name)} == set(failed)
    assert (done.error is not None) == bool(failed)
    assert {name for name in FAMILY if summary[name]["doubt"]} == set(doubted)
    for name, reason in doubted.items():
        assert reason in summary[name]["doubt"]
    moved = {name for name in FAMILY if done.bookmark(name) != OLD}
    activated = {name for name in FAMILY if done.of("ACTIVATE_VERSION", name)}
    assert (moved, activated) == ((set(proven), set()) if incremental else (set(), set(proven)))


@pytest.mark.parametrize("incremental", [False, True], ids=["versions", "bookmarks"])
def test_rows_that_a_stream_map_leaves_out_are_not_deleted(incremental, caplog):
    maps = {PARTS: {"__filter__": "id != 21"}, "copy": {"__source__": PARTS}}
    with Shop() as api:
        given = shop(api.origin, incremental=incremental, stream_maps=maps)
        done = run(given, state=old_state())
    assert len(done.records(PARTS)) == 8
    moved = {name for name in FAMILY if done.bookmark(name) == NEW}
    activated = {name for name in (*FAMILY, "copy") if done.of("ACTIVATE_VERSION", name)}
    told = "A stream map leaves out rows of shop_parts, so nothing is deleted in the target."
    if incremental:
        # A bookmark names the parents that it covers: one that is left out is not among them.
        assert (moved, activated) == (set(FAMILY), set())
        assert "left out" not in caplog.text
    else:
        # Rows below a part that is left out are not read.
        assert (moved, activated) == (set(), {ITEMS, "copy"})
        assert told in caplog.text
        assert "shop_bits" in caplog.text
        assert "a filter or stream map left out parents" in caplog.text


def test_rows_below_a_parent_that_was_left_out_come_when_it_is_let_in():
    with Shop() as api:
        given = shop(api.origin, incremental=True)
        first = run(given | {"stream_maps": {ITEMS: {"__filter__": "id != 3"}}})
        # What changed since then is asked for; what is below item 3 is as old as the bookmark.
        state = json.loads(json.dumps(first.state).replace(NEW, "2024-06-02T00:00:00Z"))
        second = run(given, state=state)
    assert [row["item_id"] for row in second.records(PARTS)] == [3]
    assert [row["part_id"] for row in second.records(BITS)] == [30]


@pytest.mark.parametrize("above", [True, False], ids=["bookmark", "version"])
def test_a_version_below_a_parent_that_was_left_out_is_not_activated(above):
    """Whatever the stream in between: its bookmark names its parents, a version names none."""
    with Shop() as api:
        given = shop(api.origin, incremental=False)
        given["stream_maps"] = {ITEMS: {"__filter__": "id != 3"}}
        parts = given["apis"][0]["resources"][1]
        if above:
            parts["endpoint"]["incremental"] = {"cursor_path": "at"}
        done = run(given)
    assert done.error is None
    assert [name for name in FAMILY if done.of("ACTIVATE_VERSION", name)] == []


def test_rows_that_were_left_out_before_a_cut_are_not_deleted_after_it():
    """The filter drops a row of the first page only, which is read before the cut."""
    table = rows(*range(12))

    def answer(query):
        start = int(query.get("cursor", 0))
        following = start + LIMIT if start + LIMIT < len(table) else None
        return {"data": table[start : start + LIMIT], "cursors": {"next": following}}

    with JsonApi(answer) as api:
        given = declared(
            api.origin,
            endpoint={"paginator": {"type": "cursor", "limit": LIMIT}},
            stream_maps={STREAM: {"__filter__": "id != 1"}},
            emit_activate_version_messages=True,
        )
        cut = run(given | {"max_requests": 2})
        done = run(given, state=cut.state)
    assert (cut.ids(), done.ids()) == ([0, 2, *range(3, 6)], list(range(6, 12)))
    assert done.error is None
    assert done.of("ACTIVATE_VERSION") == []


def test_a_failure_that_is_accepted_deletes_nothing_and_keeps_its_bookmark():
    for incremental in (False, True):
        with Shop(answers={("/items/2/parts", "1"): 403}) as api:
            given = shop(api.origin, incremental=incremental)
            given["apis"][0]["optional_streams"] = [PARTS, BITS]
            done = run(given, state=old_state())
        assert done.error is None
        assert done.tap.run.results[PARTS].is_optional
        moved = [name for name in FAMILY if done.bookmark(name) != OLD]
        activated = [name for name in FAMILY if done.of("ACTIVATE_VERSION", name)]
        assert (moved, activated) == (([ITEMS], []) if incremental else ([], [ITEMS]))


# --- what is said -------------------------------------------------------------------------------


def warnings(caplog):
    return [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]


@pytest.mark.parametrize(
    ("settings", "left_undone"),
    [
        ({}, ""),
        ({"emit_activate_version_messages": True}, " Nothing is deleted in the target."),
        (
            {"endpoint": {"paginator": PAGES, "incremental": {"cursor_path": "at"}}},
            " Its bookmark stays, and the next run reads the same rows again.",
        ),
    ],
    ids=["neither", "versions", "bookmark"],
)
def test_one_warning_says_what_was_missing_and_what_follows(settings, left_undone, caplog):
    with Shop(moved=["/items"]) as api:
        done = run(declared(api.origin, **({"endpoint": {"paginator": PAGES}} | settings)))
    assert done.error is None
    missing = done.tap.run.results[ITEMS].finding.missing
    said = [line for line in warnings(caplog) if line.startswith("shop_items (/items)")]
    assert said == [
        (
            f"shop_items (/items) is unverified: {missing}.{left_undone} "
            "`on_unverified: fail` makes it an error."
        )
    ]


def test_what_could_not_be_deleted_anyway_is_no_warning(caplog):
    with Shop(answers={("/items/2/parts", "1"): 404}) as api:
        given = shop(api.origin, incremental=False, emit_activate_version_messages=False)
        done = run(given)
    assert warnings(caplog) == []
    assert done.tap.run.results[PARTS].doubt == "1 of 6 parents answered 404"


def test_of_a_stream_that_is_read_for_others_nothing_would_have_been_deleted(caplog):
    with Shop(moved=["/items"]) as api:
        given = shop(api.origin, incremental=False)
        catalog = select(discover(given), PARTS)
        api.asked.clear()
        run(given, catalog=catalog)
    parents, parts = (line for line in warnings(caplog) if "is unverified" in line)
    assert "Nothing is deleted" not in parents
    assert "Nothing is deleted" in parts


def test_what_fails_says_what_was_missing_and_what_accepts_it(caplog):
    with Shop(moved=["/items"]) as api:
        given = declared(api.origin, endpoint={"paginator": PAGES}, on_unverified="fail")
        done = run(given)
    missing = done.tap.run.results[ITEMS].finding.missing
    errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert errors == [
        (
            f"shop_items (/items) is unverified: {missing}. `on_unverified: warn` accepts it. "
            "[not extracted: shop_items]"
        )
    ]


def test_state_summary_report_and_table_tell_the_same_story(tmp_path):
    files = {"summary_path": str(tmp_path / "run.json"), "report_path": str(tmp_path / "page.html")}
    with Shop(moved=["/items"]) as api:
        done = run(shop(api.origin, incremental=True) | files, state=old_state())
    streams = json.loads((tmp_path / "run.json").read_bytes())["streams"]
    figures = json.loads((tmp_path / "page.json").read_bytes())["streams"]
    page = (tmp_path / "page.html").read_text("utf-8")
    console = Console(file=io.StringIO(), width=200)
    console.print(final_table(done.tap.run, 1.0, console))
    table = console.file.getvalue()
    assert figures == streams
    assert page.count('class="doubt"') == len(FAMILY)
    assert "All 3 streams complete, but may lack rows" in page
    for name in FAMILY:
        assert (streams[name]["status"], streams[name]["verdict"]) == ("complete", "unverified")
        line = next(line for line in table.splitlines() if line.startswith(name))
        assert "unverified" in line
        assert "may lack rows" in line
        assert done.bookmark(name) == OLD


# --- positions ----------------------------------------------------------------------------------


def paged(table, total):
    def answer(query):
        start = (int(query["page"]) - 1) * LIMIT
        return {"data": table[start : start + LIMIT]} | ({"total": total} if total else {})

    return answer


@pytest.mark.parametrize(
    ("settings", "total"),
    [
        ({}, None),
        ({"on_unverified": "fail"}, None),
        ({}, 14),
        ({"on_shortfall": "warn"}, 14),
    ],
    ids=["unverified", "unverified fails", "short fails", "short"],
)
def test_a_stream_that_ended_without_proof_is_read_from_the_start_again(settings, total):
    table = rows(*range(12))
    with JsonApi(paged(table, total)) as api:
        given = declared(api.origin, endpoint={"paginator": PAGES}, **settings)
        given |= {"emit_activate_version_messages": True}
        cut = run(given | {"max_requests": 2})
        # What was read before the cut is not looked at again, so nothing vouches for it.
        first = run(given, state=cut.state)
        second = run(given, state=first.state)
    assert cut.state["bookmarks"][STREAM]["position"]["rows"] == 6
    assert first.ids() == list(range(6, 12))
    assert first.of("ACTIVATE_VERSION") == []
    # Where Meltano merges states, a member that is not there would stay.
    assert first.state["bookmarks"][STREAM]["position"] == {"at": None}
    assert second.ids() == list(range(12))


# --- failures at the beginning and at the end ---------------------------------------------------


@pytest.mark.parametrize("name", FAMILY)
def test_a_last_file_that_cannot_be_written_costs_its_own_stream_only(name, tmp_path):
    """Its name leads to a folder that isn't there; the files are written at the end."""
    storage = {"root": f"file://{tmp_path}"}
    files = {"encoding": {"format": "jsonl", "compression": "none"}, "storage": storage}
    maps = {name: {"__alias__": "no/such/folder"}}
    with Shop() as api:
        given = shop(api.origin, incremental=True, stream_maps=maps, batch_config=files)
        done = run(given, state=old_state())
    assert [each for each in FAMILY if done.failure(each)] == [name]
    assert [each for each in FAMILY if done.bookmark(each) == OLD] == [name]


@pytest.mark.parametrize("name", [PARTS, BITS])
def test_a_child_that_cannot_be_opened_costs_its_own_stream_only(name, monkeypatch):
    opened = AnalyticsStream.get_record_counter

    def broken(stream):
        if stream.name == name:
            raise OSError("no room for the counter")
        return opened(stream)

    monkeypatch.setattr(AnalyticsStream, "get_record_counter", broken)
    with Shop() as api:
        done = run(shop(api.origin, incremental=True), state=old_state())
    failed = {PARTS, BITS} if name == PARTS else {BITS}
    assert {each for each in FAMILY if done.failure(each)} == failed
    assert "no room for the counter" in done.failure(name)
    assert done.bookmark(ITEMS) == NEW
