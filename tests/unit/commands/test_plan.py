"""A plan estimates the cost of a sync from few requests, with the basis of each figure."""

from __future__ import annotations

import io
import json
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.lists import LIMIT, SCHEMA, by_cursor, by_offset, family, rows_of
from support.runs import declared, discover, run, select
from support.servers import JsonApi, PathApi, ScriptedServer, reply

from tap_analytics.commands import plan as command
from tap_analytics.commands.plan.sample import Basis
from tap_analytics.commands.plan.sync_plan import SyncPlan
from tap_analytics.config.meltano import SELECT
from tap_analytics.demo import DemoApi
from tap_analytics.tap import TapAnalytics

OFFSET = {"type": "offset", "limit": LIMIT}
CURSOR = {"type": "cursor", "limit": LIMIT}
PAGES = {"type": "page_number", "base_page": 1, "limit": LIMIT, "total_path": "total"}


def by_unnamed(count):
    """Page by cursor; the last page has no member for it."""

    def answer(query):
        start, limit = int(query.get("cursor", 0)), int(query["limit"])
        body = {"data": rows_of(count)[start : start + limit]}
        more = start + limit < count
        return body | ({"cursors": {"next": str(start + limit)}} if more else {})

    return answer


def everything(count):
    return lambda _: {"data": rows_of(count)}


def by_row(count, *, total):
    """Page by offset without asking for a limit."""

    def answer(query):
        start = int(query.get("offset", 0))
        body = {"data": rows_of(count)[start : start + LIMIT]}
        return body | ({"total": count} if total else {})

    return answer


def by_page(count):
    def answer(query):
        start = (int(query["page"]) - 1) * LIMIT
        return {"data": rows_of(count)[start : start + LIMIT], "total": count}

    return answer


def planned(config, **given):
    tap = TapAnalytics(config=config, setup_mapper=False, **given)
    return SyncPlan(tap)


def figures(config, **given):
    """Return the figures of each stream of a plan."""
    estimates = planned(config, **given).estimates
    assert [each.error for each in estimates] == [None] * len(estimates)
    return [each.figures for each in estimates]


def one(config, **given):
    """Return the only figures of a plan, as a tuple."""
    [found] = figures(config, **given)
    return found.requests, found.wanted, found.basis.value


def shop(api, paginator, **more):
    more = {"schema": SCHEMA} | more
    endpoint = {"paginator": paginator} | more.pop("endpoint", {})
    return declared(api.origin, endpoint=endpoint, **more)


# --- one stream ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "paginator", "requests", "expected"),
    [
        (by_offset(rows_of(200)), OFFSET, 1, (23, 200, "total")),
        (by_offset(rows_of(4)), OFFSET, 1, (2, 4, "exact")),
        (by_offset(rows_of(0)), OFFSET, 1, (1, 0, "exact")),
        (by_page(95), PAGES, 1, (11, 95, "total")),
        (by_offset(rows_of(4), total=False), OFFSET, 2, (2, 4, "exact")),
        (by_offset(rows_of(200), total=False), OFFSET, 2, (3, 19, "at least")),
        (by_cursor(rows_of(4)), CURSOR, 1, (1, 4, "exact")),
        (by_cursor(rows_of(17)), CURSOR, 2, (2, 17, "exact")),
        (by_cursor(rows_of(200)), CURSOR, 2, (3, 20, "at least")),
        (everything(7), "single_page", 1, (1, 7, "exact")),
        (by_row(0, total=True), "auto", 1, (1, 0, "exact")),
        (by_row(4, total=True), "auto", 1, (2, 4, "at least")),
        (by_row(25, total=True), "auto", 1, (4, 25, "total")),
        (by_row(30, total=True), "auto", 1, (5, 30, "total")),
        (everything(7), "auto", 2, (2, 7, "at least")),
    ],
    ids=[
        *("total", "short page with total", "nothing", "pages with total", "short page"),
        *("no end in sight", "one page by cursor", "two pages by cursor", "more by cursor"),
        *("everything at once", "nothing, undeclared", "short page, undeclared"),
        *("total, undeclared", "full last page, undeclared", "everything at once, undeclared"),
    ],
)
def test_an_estimate_is_based_on_the_total_the_end_or_the_rows_seen(
    answer, paginator, requests, expected
):
    with JsonApi(answer) as api:
        config = shop(api, paginator)
        assert one(config) == expected
        assert len(api.requests) == requests
        api.requests.clear()
        done = run(config)
    if expected[2] == "at least":
        assert (len(api.requests) >= expected[0], len(done.ids()) >= expected[1]) == (True, True)
    else:
        assert (len(api.requests), len(done.ids())) == expected[:2]


@pytest.mark.parametrize(
    ("answer", "paginator", "below"),
    [
        (by_offset(rows_of(4)), OFFSET, 1),
        (by_offset(rows_of(10)), OFFSET, 2),
        (by_page(4), PAGES, 2),
        (by_cursor(rows_of(4)), CURSOR, 1),
        (by_unnamed(4), CURSOR, 1),
    ],
    ids=["short", "full", "pages", "by cursor", "no cursor"],
)
@pytest.mark.parametrize("parents", [1, 3, 9])
def test_what_the_first_of_many_lists_shows_is_requested_once(answer, paginator, below, parents):
    """A short list with a total takes two requests, and one more for each further parent."""
    endpoint = {"path": "/items/{items_id}/subs", "data_selector": "data", "paginator": paginator}
    subs = {"name": "subs", "endpoint": endpoint, "primary_key": ["items_id", "id"]}
    served = lambda path, pairs: (  # noqa: E731 - two kinds of lists
        {"data": rows_of(parents)} if path == "/items" else answer(dict(pairs))
    )
    with PathApi(served) as api:
        config = shop(api, "single_page", children=[subs | {"schema": SCHEMA}])
        items, found = figures(config)
        assert (items.requests, found.basis is Basis.AT_LEAST) == (1, False)
        api.requests.clear()
        assert run(config).error is None
    asked = [path for path, _ in api.asked if path != "/items"]
    assert len(asked) == found.requests
    assert found.requests - parents * below in {0, 1}


@pytest.mark.parametrize("count", [0, 1, 4])
def test_the_end_of_a_filtered_list_is_shown_by_one_request(count):
    key = {"cursor_path": "at", "start_param": "since", "cursor_format": "iso"}
    with JsonApi(by_unnamed(count)) as api:
        config = shop(api, CURSOR, endpoint={"incremental": key}, start_date="2024-01-01")
        expected = one(config)
        api.requests.clear()
        done = run(config)
    assert (len(api.requests), len(done.ids()), "exact") == expected
    assert expected[0] == (2 if count else 1)


def test_a_sampled_schema_costs_no_additional_request():
    with JsonApi(by_cursor(rows_of(200))) as api:
        plan = planned(shop(api, CURSOR, schema=None))
        assert [each.figures.basis.value for each in plan.estimates] == ["at least"]
        assert len(api.requests) == 2 == plan.budget.used


def test_nothing_is_prefetched():
    with JsonApi(by_cursor(rows_of(200))) as api:
        one(shop(api, CURSOR, concurrency=8))
        assert len(api.requests) == 2


def test_requests_used_include_retries():
    def answer(received):
        del received
        return reply(500) if len(server.requests) == 1 else reply(200, b'{"data": [{"id": 1}]}')

    with ScriptedServer(answer) as server:
        plan = planned(shop(server, "single_page"))
    assert plan.budget.used == 2
    assert [each.error for each in plan.estimates] == [None]


def test_the_request_for_a_token_is_allowed_in_addition():
    def answer(received):
        if received.target == "/token":
            return reply(200, b'{"access_token": "swordfish-2", "expires_in": 3600}')
        start = int(dict(parse_qsl(urlsplit(received.target).query)).get("cursor", 0))
        body = {"data": rows_of(200)[start : start + LIMIT], "cursors": {"next": start + LIMIT}}
        return reply(200, json.dumps(body).encode())

    with ScriptedServer(answer) as server:
        config = shop(server, CURSOR)
        config["apis"][0]["client"]["auth"] = {
            "type": "oauth2_client_credentials",
            "access_token_url": f"{server.origin}/token",
            "client_id": "shop",
            "client_secret": "swordfish-3",
        }
        plan = planned(config)
        [estimate] = [each.figures for each in plan.estimates]
        assert [received.target for received in server.requests].count("/token") == 1
        assert len(server.requests) == plan.budget.used == 3
    assert (estimate.requests, estimate.wanted, estimate.basis.value) == (3, 20, "at least")


@pytest.mark.parametrize("own", [True, False])
def test_each_authentication_is_allowed_its_token_once(own):
    """Two resources share one authentication, or each has its own."""

    def answer(received):
        is_token = received.method == "POST"
        return reply(200, b'{"token": "swordfish-2"}' if is_token else b'{"id": 1}')

    with ScriptedServer(answer) as server:
        config = shop(server, "single_page")
        resources = [
            {"name": name, "endpoint": {"path": f"/{name}", "paginator": "single_page"}}
            for name in ("a", "b")
        ]
        for number, resource in enumerate(resources):
            resource["schema"] = {"type": "object", "properties": {"id": {"type": "integer"}}}
            resource["endpoint"]["auth"] = {
                "type": "session_token",
                "login": {"url": f"{server.origin}/login", "data": {"n": number if own else 0}},
                "session_token_path": "token",
            }
        config["apis"][0]["resources"] = resources
        assert [each.requests for each in figures(config)] == [1, 1]
        assert [sent.path for sent in server.requests].count("/login") == 1 + own


def test_an_ignored_first_response_is_a_list_without_rows():
    with ScriptedServer([reply(410, b"{}")]) as server:
        config = shop(server, "single_page")
        endpoint = config["apis"][0]["resources"][0]["endpoint"]
        endpoint["response_actions"] = [{"status_code": 410, "action": "ignore"}]
        (found,) = figures(config)
    assert (found.requests, found.wanted) == (1, 0)


# --- with a state -------------------------------------------------------------------------------


def bookmark(value):
    mark = {"replication_key": "at", "replication_key_value": value}
    return {"bookmarks": {"shop_items": mark}}


def changed_since(count):
    """Return the rows since the parameter `since`."""

    def answer(query):
        wanted = [row for row in rows_of(count) if row["at"] >= query.get("since", "")]
        start = int(query["offset"])
        return {"data": wanted[start : start + LIMIT], "total": len(wanted)}

    return answer


def test_a_bookmark_is_sent_where_the_server_filters():
    endpoint = {"incremental": {"cursor_path": "at", "start_param": "since"}}
    with JsonApi(changed_since(280)) as api:
        config = shop(api, OFFSET, endpoint=endpoint)
        plan = planned(config, state=bookmark("2024-01-20"))
        [estimate] = [each.figures for each in plan.estimates]
        assert api.queries[0]["since"] == "2024-01-20"
        api.requests.clear()
        done = run(config, state=bookmark("2024-01-20"))
    assert (estimate.wanted, estimate.bounded) == (len(done.ids()), False)
    assert (estimate.requests, estimate.wanted) == (len(api.requests), 90)


@pytest.mark.parametrize("given", [{}, {"start_param": "ignored"}], ids=["no filter", "ignored"])
def test_without_a_filter_of_the_server_the_rows_are_an_upper_bound(given):
    endpoint = {"incremental": {"cursor_path": "at"} | given}
    with JsonApi(by_offset(rows_of(280))) as api:
        config = shop(api, OFFSET, endpoint=endpoint)
        [estimate] = figures(config, state=bookmark("2024-01-20"))
    assert (estimate.wanted, estimate.basis.value, estimate.bounded) == (280, "total", True)


def test_rows_read_to_the_end_are_counted_as_a_run_writes_them():
    endpoint = {"incremental": {"cursor_path": "at"}}
    with JsonApi(by_cursor(rows_of(17))) as api:
        config = shop(api, CURSOR, endpoint=endpoint)
        [estimate] = figures(config, state=bookmark("2024-01-15"))
    assert (estimate.wanted, estimate.basis.value, estimate.bounded) == (3, "exact", False)


# --- children -----------------------------------------------------------------------------------


def with_children(api, *, paginator="single_page", **more):
    endpoint = {"path": "/items/{item_id}/parts", "data_selector": "data", "paginator": paginator}
    child = {"name": "parts", "endpoint": endpoint, "primary_key": "id", "schema": SCHEMA}
    return shop(api, OFFSET, children=[child], **more)


def test_children_are_extrapolated():
    with family(64, lambda parent: 2) as api:
        config = with_children(api)
        parents, parts = figures(config)
        assert len(api.requests) == 1 + 3
        api.requests.clear()
        done = run(config)
    assert (parents.requests, parents.wanted, parents.basis.value) == (8, 64, "total")
    assert (parts.requests, parts.wanted, parts.basis.value) == (64, 128, "sample")
    assert parents.requests + parts.requests == len(api.requests)
    assert parts.wanted == len(done.records("shop_parts"))


def test_a_sample_is_spread_over_the_page():
    with family(10, lambda parent: 5) as api:
        [_, parts] = figures(with_children(api))
        parents = [int(each.target.split("/")[2]) for each in api.requests[1:]]
    assert parents == [0, 4, 8]
    assert (parts.wanted, parts.wanted_margin, parts.estimated) == (50, 0, True)


def test_more_parents_are_sampled_where_they_differ_and_a_margin_is_given(tmp_path, capsys):
    with family(40, lambda parent: parent) as api:
        path = config_file(tmp_path, with_children(api))
        _, data = run_plan(capsys, "--config", path)
        assert len(api.requests) == 1 + 10
        command.main(["--config", path])
    shown = capsys.readouterr().out
    [_, parts] = data["streams"]
    assert (parts["rows"], parts["rows_margin"]) == (180, 66)
    assert (parts["requests"], parts["requests_margin"]) == (40, 0)
    assert re.search(r"shop_parts +~ 40 +~ 180 ± 66 +sample", shown)


def test_the_children_of_few_parents_are_all_read():
    with family(3, lambda parent: parent) as api:
        [_, parts] = figures(with_children(api))
    assert (parts.requests, parts.wanted, parts.basis.value) == (3, 3, "exact")
    assert not parts.estimated


def test_without_parents_there_are_no_children():
    with family(0, lambda parent: 2) as api:
        [_, parts] = figures(with_children(api))
        assert len(api.requests) == 1
    assert (parts.requests, parts.wanted, parts.basis.value) == (0, 0, "exact")


def test_a_deleted_parent_costs_a_request():
    with family(3, lambda parent: 5, deleted={1}) as api:
        [_, parts] = figures(with_children(api))
    assert (parts.requests, parts.wanted) == (3, 10)


def test_a_parent_that_is_not_selected_is_read_and_not_written():
    with family(30, lambda parent: 2) as api:
        config = with_children(api)
        catalog = select(discover(config), "shop_parts")
        parents, parts = figures(config, catalog=catalog)
    assert (parents.requests > 1, parents.wanted) == (True, 0)
    assert parts.wanted == 60


def test_parents_filtered_by_a_stream_map_have_no_children():
    with family(10, lambda parent: 2) as api:
        config = with_children(api, stream_maps={"shop_items": {"__filter__": "id < 5"}})
        [_, parts] = figures(config)
    assert (parts.requests, parts.wanted) == (5, 10)


def test_a_short_page_of_children_takes_a_confirming_request():
    with family(9, lambda parent: 2) as api:
        paging = {"type": "page_number", "base_page": 1, "limit": LIMIT}
        config = with_children(api, paginator=paging)
        # Every page has the same two rows, which a sync reports as repeated.
        [_, parts] = figures(config)
    assert (parts.requests, parts.wanted, parts.basis.value) == (18, 18, "sample")


# --- time ---------------------------------------------------------------------------------------


def test_the_rate_limit_bounds_the_time():
    with JsonApi(by_offset(rows_of(200))) as api:
        config = shop(api, OFFSET)
        config["apis"][0]["requests_per_second"] = 2
        plan = planned(config)
    # 23 requests, no more than two of them in any second.
    assert 23 / 2 <= plan.seconds <= 23 / 2 * 1.1


def test_apis_are_read_concurrently_unless_the_run_is_serial():
    seconds = {}
    with JsonApi(by_offset(rows_of(200))) as api:
        for more in ({"concurrency": 8}, {"concurrency": 1}, {"max_requests": 9}):
            config = shop(api, OFFSET) | {"concurrency": 8} | more
            [entry] = config["apis"]
            config["apis"] = [
                entry | {"name": name, "requests_per_second": 1} for name in ("one", "two")
            ]
            seconds[str(more)] = planned(config).seconds
    together, serial, budgeted = seconds.values()
    assert serial == budgeted == pytest.approx(2 * together)


@pytest.mark.parametrize(("param", "parallel"), [("offset", 8), ("cursor", 1)])
def test_pages_that_can_be_predicted_are_planned_at_the_concurrency(param, parallel):
    def answer(query):
        start = int(query.get(param, 0))
        links = {"next": f"/items?{param}={start + LIMIT}"}
        return {"data": rows_of(200)[start : start + LIMIT], "links": links, "total": 200}

    paginator = {"type": "json_link", "next_url_path": "links.next", "total_path": "total"}
    with JsonApi(answer) as api:
        [found] = figures(shop(api, paginator, concurrency=8))
    assert found.parallel == parallel


# --- what can't be planned ----------------------------------------------------------------------


def config_file(tmp_path, config, name="config.json"):
    path = tmp_path / name
    path.write_text(json.dumps(config), "utf-8")
    return str(path)


def run_plan(capsys, *arguments):
    code = command.main([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def two(api, *, optional=()):
    """Return a configuration with a stream that is forbidden, its child, and one that is not."""
    parts = {"path": "/items/{item_id}/parts", "paginator": "single_page"}
    children = [
        {"name": "parts", "endpoint": parts, "schema": SCHEMA},
        {"name": "fine", "endpoint": {"path": "/fine", "paginator": "single_page"}},
    ]
    config = shop(api, OFFSET, children=children)
    config["apis"][0]["optional_streams"] = list(optional)
    return config


def forbidding(received):
    return reply(403) if received.target.startswith("/items") else reply(200, b'[{"id": 1}]')


def test_a_stream_that_cannot_be_planned_is_reported_with_its_children(tmp_path, capsys):
    with ScriptedServer(forbidding) as api:
        code, data = run_plan(capsys, "--config", config_file(tmp_path, two(api)))
    assert code == 1
    errors = {each["stream"]: each["error"] for each in data["streams"]}
    assert errors["shop_fine"] is None
    assert "403" in errors["shop_items"]
    assert errors["shop_parts"] == errors["shop_items"]
    assert (data["sum"]["rows"], data["sum"]["basis"]) == (1, "at least")


def test_an_optional_stream_that_is_forbidden_fails_no_plan(tmp_path, capsys):
    with ScriptedServer(forbidding) as api:
        config = two(api, optional=["shop_items", "shop_parts"])
        code, data = run_plan(capsys, "--config", config_file(tmp_path, config))
    assert code == 0
    assert [each["stream"] for each in data["streams"] if each["error"]] == [
        "shop_items",
        "shop_parts",
    ]


def test_a_failing_server_costs_at_most_two_requests(tmp_path, capsys):
    with ScriptedServer([reply(500)]) as api:
        config = shop(api, "single_page")
        config["apis"][0]["retry"] = {"max_retries": 5, "backoff_factor": 0}
        code, data = run_plan(capsys, "--config", config_file(tmp_path, config))
        assert len(api.requests) == 2 == data["requests_used"]
    assert code == 1
    assert "no page could be read" in data["streams"][0]["error"]


@pytest.mark.parametrize("option", ["--catalog", "--state"])
def test_a_missing_file_is_an_error_of_one_line(option, tmp_path, capsys):
    missing = str(tmp_path / "missing.json")
    assert command.main(["--config", config_file(tmp_path, {}), option, missing]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "missing.json can't be read" in said


def test_without_an_api_there_is_nothing_to_plan(tmp_path, capsys):
    assert command.main(["--config", config_file(tmp_path, {})]) == 1
    assert "No API is configured" in capsys.readouterr().err


# --- what is shown ------------------------------------------------------------------------------


def test_the_table_explains_the_basis_of_its_figures(tmp_path, capsys):
    with family(64, lambda parent: 2) as api:
        config = with_children(api) | {"max_requests": 30}
        code = command.main(["--config", config_file(tmp_path, config)])
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert code == 0
    assert ["shop_items", "8", "64", "total"] in [line[:4] for line in lines]
    assert ["shop_parts", "~", "64", "~", "128", "sample"] in [line[:6] for line in lines]
    assert ["Sum", "~", "72", "~", "192", "sample"] in [line[:6] for line in lines]
    assert [
        "With",
        "max_requests",
        "at",
        "30,",
        "that",
        "takes",
        "3",
        "runs",
        "or",
        "more.",
    ] in lines
    assert ["Planned", "with", "4", "requests,", "for", "concurrency", "1."] in lines


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_signs_that_an_encoding_lacks_are_replaced(encoding, options, tmp_path, monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(out, encoding=encoding))
    with JsonApi(by_cursor(rows_of(30))) as api:
        config = config_file(tmp_path, shop(api, CURSOR))
        assert command.main(["--config", config, *options]) == 0
    said = out.getvalue().decode(encoding)
    if options:
        assert json.loads(said)["streams"][0]["basis"] == "at least"
    else:
        assert re.search(r"shop_items +\|? +>= 3 +\|? +>= 20 +\|? +at least", said)
        assert "?" not in said
        assert "\\u" not in said


def test_a_small_plan_takes_seconds(tmp_path, capsys):
    with JsonApi(by_cursor(rows_of(5))) as api:
        command.main(["--config", config_file(tmp_path, shop(api, CURSOR))])
    assert re.search(r"shop_items +1 +5 +exact +[\d.]*[1-9][\d.]* s", capsys.readouterr().out)


def test_a_stream_meltano_does_not_select_is_not_planned(tmp_path, capsys, monkeypatch):
    with family(4, lambda parent: 2) as api:
        config = config_file(tmp_path, with_children(api))
        monkeypatch.setenv(SELECT, '["shop_items.*"]')
        _, data = run_plan(capsys, "--config", config)
        assert [each["stream"] for each in data["streams"]] == ["shop_items"]
        monkeypatch.setenv(SELECT, '["shop_parts.*"]')
        _, data = run_plan(capsys, "--config", config)
    rows = {each["stream"]: each["rows"] for each in data["streams"]}
    assert rows == {"shop_items": 0, "shop_parts": 8}


def test_catalog_and_state_are_taken_from_files(tmp_path, capsys):
    endpoint = {"incremental": {"cursor_path": "at", "start_param": "since"}}
    with JsonApi(changed_since(280)) as api:
        config = shop(api, OFFSET, endpoint=endpoint)
        catalog = discover(config)
        state = {"type": "STATE", "value": bookmark("2024-01-28")}
        given = {"config": config, "catalog": catalog, "state": state}
        arguments = [
            part
            for name, content in given.items()
            for part in (f"--{name}", config_file(tmp_path, content, f"{name}.json"))
        ]
        _, data = run_plan(capsys, *arguments)
        nothing = config_file(tmp_path, select(catalog), "catalog.json")
        _, empty = run_plan(capsys, *arguments, "--catalog", nothing)
    assert data["streams"][0]["rows"] == 10
    assert empty["streams"] == []
    assert empty["sum"]["requests"] == 0


def test_no_secret_is_shown(tmp_path, capsys):
    with ScriptedServer([reply(403)]) as api:
        config = shop(api, "single_page")
        auth = {"type": "api_key", "name": "key", "api_key": "swordfish-1", "location": "query"}
        config["apis"][0]["client"]["auth"] = auth
        for options in ([], ["--json"]):
            assert command.main(["--config", config_file(tmp_path, config), *options]) == 1
    shown = capsys.readouterr()
    assert "swordfish-1" not in shown.out + shown.err


def test_all_streams_are_planned_if_asked(tmp_path, capsys):
    with DemoApi(scale=0.1) as demo:
        config = config_file(tmp_path, {"experimentation": demo.config["experimentation"]})
        _, usual = run_plan(capsys, "--config", config)
        _, every = run_plan(capsys, "--config", config, "--all")
        command.main(["--config", config])
        goals = len(demo.rows("experimentation_campaign_goals"))
    found = {each["stream"]: each["rows"] for each in every["streams"]}
    assert found.keys() - {each["stream"] for each in usual["streams"]} == {
        name for name in demo.extra_streams if name.startswith("experimentation_")
    }
    assert found["experimentation_campaign_goals"] == goals
    assert "Not selected by default: " in capsys.readouterr().out


@pytest.mark.parametrize("dialect", ["real", "spec"])
def test_a_stream_is_planned_with_its_passes(dialect, tmp_path, capsys):
    with DemoApi(scale=0.1, dialect=dialect) as demo:
        rows = demo.dataset.tables["wiki_pages"]
        rows[3] = rows[3] | {"status": "trashed"}
        config = {"wiki": demo.config["wiki"]}
        _, data = run_plan(capsys, "--config", config_file(tmp_path, config))
        demo.reset_counts()
        run(config, only=("wiki_pages",))
        requests = len(demo.requests)
    [planned] = [each for each in data["streams"] if each["stream"] == "wiki_pages"]
    assert (planned["requests"], planned["rows"]) == (requests, len(rows))
