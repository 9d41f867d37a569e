"""Children with a bookmark: of a parent that it doesn't cover, older rows are read as well."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import urlsplit

import pytest
from support.runs import declared, run
from support.servers import ScriptedServer, reply

from tap_analytics.records import parents
from tap_analytics.records.notation import in_unit, parse_iso

CHILD = "shop_parts"
NOW = datetime.now(UTC)


def ago(days):
    return in_unit(NOW - timedelta(days=days), "iso")


class Shop(ScriptedServer):
    """Items with parts; `gone` items are listed, and their parts answer 404."""

    def __init__(self, parts):
        self.parts = parts
        self.gone = set()
        self.broken = set()
        super().__init__(self._serve_shop)

    def _serve_shop(self, received):
        query, path = received.query, urlsplit(received.target).path
        start = int(query["offset"])
        if path == "/items":
            return self._page([{"id": item} for item in self.parts], start)
        item = int(path.split("/")[2])
        if item in self.gone:
            return reply(404, b"{}")
        if item in self.broken:
            return reply(403, b"{}")
        since = parse_iso(query.get("since", "1970-01-01"))
        return self._page([r for r in self.parts[item] if parse_iso(r["at"]) >= since], start)

    @staticmethod
    def _page(rows, start):
        return reply(200, json.dumps({"data": rows[start : start + 3]}).encode())

    @property
    def filters(self):
        """What the parts of each item were asked from, by the number of the item."""
        return {
            int(urlsplit(received.target).path.split("/")[2]): received.query.get("since")
            for received in self.requests
            if received.target.startswith("/items/")
        }

    def config(self, *, concurrency=1, **top):
        child = {
            "name": "parts",
            "primary_key": ["item_id", "id"],
            "endpoint": {
                "path": "/items/{item_id}/parts",
                "data_selector": "data",
                "paginator": {"type": "offset", "limit": 3},
                "incremental": {
                    "cursor_path": "at",
                    "cursor_format": "iso",
                    "start_param": "since",
                },
            },
        }
        endpoint = {"paginator": {"type": "offset", "limit": 3}}
        return declared(
            self.origin, concurrency=concurrency, endpoint=endpoint, children=[child], **top
        )


def parts(*days):
    return [{"id": number, "at": ago(age)} for number, age in enumerate(days)]


def ids(done):
    return {(row["item_id"], row["id"]) for row in done.records(CHILD)}


def note(done):
    return done.state["bookmarks"][CHILD]["parents"]


def warnings(caplog, text):
    return [r for r in caplog.records if r.levelname == "WARNING" and text in r.getMessage()]


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_new_parent_has_its_older_rows_read_and_the_others_only_what_is_new(concurrency):
    with Shop({1: parts(9, 8, 7, 6), 2: parts(9, 2)}) as shop:
        given = shop.config(concurrency=concurrency)
        first = run(given)
        shop.parts[3] = parts(30, 20, 9, 8)
        shop.parts[1].append({"id": 9, "at": ago(1)})
        shop.requests.clear()
        second = run(given, state=first.state)
        asked = shop.filters
        third = run(given, state=second.state)
    assert ids(first) == {(1, 0), (1, 1), (1, 2), (1, 3), (2, 0), (2, 1)}
    assert ids(second) == {(1, 9), (2, 1), (3, 0), (3, 1), (3, 2), (3, 3)}
    assert asked == {1: ago(2), 2: ago(2), 3: None}
    assert third.bookmark(CHILD) == ago(1)
    assert ids(third) == {(1, 9)}


@pytest.mark.parametrize("concurrency", [1, 16])
def test_a_parent_that_answered_404_and_came_back_has_its_older_rows_read(concurrency):
    with Shop({1: parts(9, 8), 2: parts(9, 8), 3: parts(9, 2)}) as shop:
        given = shop.config(concurrency=concurrency)
        shop.gone = {2}
        first = run(given)
        shop.gone = set()
        second = run(given, state=first.state)
        # Gone altogether, and back with rows of the time before.
        back = shop.parts.pop(2)
        third = run(given, state=second.state)
        shop.parts[2] = back
        fourth = run(given, state=third.state)
    assert ids(first) | ids(second) == {(item, n) for item in (1, 2, 3) for n in (0, 1)}
    assert {(2, 0), (2, 1)} <= ids(second)
    assert second.bookmark(CHILD) == ago(2)
    assert ids(third) == {(3, 1)}
    assert ids(fourth) == {(2, 0), (2, 1), (3, 1)}


def test_a_start_date_bounds_the_rows_of_a_new_parent_as_it_did_those_of_the_others():
    with Shop({1: parts(9, 2)}) as shop:
        given = shop.config() | {"start_date": ago(10)}
        first = run(given)
        shop.parts[2] = parts(30, 9)
        second = run(given, state=first.state)
        assert shop.filters[2] == ago(10)
    assert ids(second) == {(1, 1), (2, 1)}


def test_a_run_that_fails_leaves_bookmark_and_note_as_they_were():
    with Shop({1: parts(9, 8), 2: parts(9, 2)}) as shop:
        first = run(shop.config())
        shop.parts[3], shop.parts[4] = parts(30), parts(30)
        shop.broken = {4}
        failed = run(shop.config(), state=first.state)
        shop.broken = set()
        second = run(shop.config(), state=failed.state)
    assert failed.error is not None
    assert failed.state["bookmarks"][CHILD]["replication_key_value"] == first.bookmark(CHILD)
    assert note(failed) == note(first)
    assert {(3, 0), (4, 0)} <= ids(second)


def test_a_state_without_a_note_has_the_stream_read_in_full_once(caplog):
    with Shop({1: parts(9, 8), 2: parts(9, 2)}) as shop:
        first = run(shop.config())
        for odd in (None, 7, "not base64!"):
            old = json.loads(json.dumps(first.state))
            old["bookmarks"][CHILD]["parents"] = odd
            caplog.clear()
            again = run(shop.config(), state=old)
            assert ids(again) == ids(first)
            assert warnings(caplog, "parents that the bookmark covers")
            assert again.state == first.state
        del old["bookmarks"][CHILD]["parents"]
        assert ids(run(shop.config(), state=old)) == ids(first)
        assert ids(run(shop.config(), state=first.state)) == {(2, 1)}


def test_parents_beyond_the_bound_are_read_in_full_which_is_said(caplog, monkeypatch):
    monkeypatch.setattr(parents, "PARENTS_LIMIT", 2)
    with Shop({item: parts(9, 8) for item in (1, 2, 3, 4)}) as shop:
        shop.parts[2].append({"id": 7, "at": ago(1)})
        first = run(shop.config())
        caplog.clear()
        second = run(shop.config(), state=first.state)
    assert ids(second) == {(2, 7), *((item, n) for item in (3, 4) for n in (0, 1))}
    assert len(warnings(caplog, "2 parents")) == 1
    assert note(second) == note(first)


def test_a_note_stays_small():
    covered = parents.CoveredParents(None)
    for number in range(2 * parents.PARENTS_LIMIT):
        covered.add({"item_id": number})
    assert len(covered.to_state()) < 11 * parents.PARENTS_LIMIT
    again = parents.CoveredParents(covered.to_state())
    named = [{"item_id": number} in again for number in range(2 * parents.PARENTS_LIMIT)]
    assert named == [True] * parents.PARENTS_LIMIT + [False] * parents.PARENTS_LIMIT


@pytest.mark.parametrize("seed", range(8))
def test_over_runs_with_parents_that_come_and_go_every_row_arrives(seed):
    random = Random(seed)
    with Shop({item: parts(*random.sample(range(5, 60), 4)) for item in range(6)}) as shop:
        given = shop.config(concurrency=random.choice([1, 16]))
        arrived, state = {}, None
        for step in range(6):
            shop.gone = set(random.sample(sorted(shop.parts), 2)) if step % 3 == 1 else set()
            shop.broken = {random.choice(sorted(shop.parts))} if step % 3 == 2 else set()
            # Some runs end in the middle, for want of requests.
            limit = {"max_requests": random.randrange(1, 30)} if random.random() < 0.4 else {}
            done = run(given | limit, state=state)
            state = done.state or state
            for row in done.records(CHILD):
                arrived[row["item_id"], row["id"]] = row["at"]
            shop.parts[100 + step] = parts(*random.sample(range(5, 60), 5))
            chosen = random.choice(sorted(shop.parts))
            shop.parts[chosen][0]["at"] = in_unit(datetime.now(UTC), "iso")
        shop.gone = shop.broken = set()
        done = run(given, state=state)
        for row in done.records(CHILD):
            arrived[row["item_id"], row["id"]] = row["at"]
    there = {(item, row["id"]): row["at"] for item, rows in shop.parts.items() for row in rows}
    assert arrived == there
