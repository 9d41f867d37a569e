"""What the requests of a manifest become: values of parents, lists, windows and settings."""

from __future__ import annotations

import json

import pytest

from tap_analytics.commands.importing import import_file


@pytest.fixture
def imported(tmp_path):
    """Import streams; returns the resources by name, and the notes."""

    def read(*streams, **parts):
        path = tmp_path / "shop.json"
        path.write_text(json.dumps({"type": "DeclarativeSource", "streams": streams, **parts}))
        found, _ = import_file(str(path))
        return {each["name"]: each for each in found.entry.get("resources", ())}, found.notes

    return read


def stream(name="items", path=None, router=None, cursor=None, **requester):
    sender = {
        "type": "HttpRequester",
        "url_base": "https://api.shop.com",
        "path": name if path is None else path,
    }
    retriever = {"type": "SimpleRetriever", "requester": sender | requester}
    retriever |= {"partition_router": router} if router else {}
    made = {"type": "DeclarativeStream", "name": name, "primary_key": "id", "retriever": retriever}
    return made | ({"incremental_sync": cursor} if cursor else {})


def below(parent, name="item", key="id", **words):
    config = {"stream": parent, "parent_key": key, "partition_field": name, **words}
    return {"type": "SubstreamPartitionRouter", "parent_stream_configs": [config]}


def listed(values, name="region", **words):
    return {"type": "ListPartitionRouter", "cursor_field": name, "values": values, **words}


def option(place, **words):
    return {"type": "RequestOption", "inject_into": place, **words}


def spec(required=(), **properties):
    return {
        "spec": {"connection_specification": {"properties": properties, "required": list(required)}}
    }


# --- settings -------------------------------------------------------------------------------

SETTINGS = spec(
    ["site", "login"],
    site={"type": "string"},
    state={"default": "open"},
    size={"default": 50},
    flag={"default": True},
    since={"default": "2024-02-03T00:00:00Z"},
    mark={},
    sites={"type": "array"},
    key={"airbyte_secret": True, "default": "k"},
    login={
        "required": ["name"],
        "properties": {"name": {}, "mode": {"default": "basic"}},
    },
)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("{{ config['state'] }}", "open"),
        ("{{ config.size }}", "50"),
        ("{{ config['flag'] }}", "True"),
        ("{{ config['site'] }}", "$SHOP_SITE"),
        ("{{ config['site'] }}s", "${SHOP_SITE}s"),
        ("{{ config['key'] }}", "$SHOP_KEY"),
        ("{{ config['mark'] }}", "${SHOP_MARK:-}"),
        ("{{ config['mark'] or '' }}", "${SHOP_MARK:-}"),
        ("{{ config['mark'] if config['mark'] else '' }}", "${SHOP_MARK:-}"),
        ("{{ config.get('mark', '') }}", "${SHOP_MARK:-}"),
        ("{{ config['mark'] | default('') }}", "${SHOP_MARK:-}"),
        ("{{ config['mark'] or '' }}y", "y"),
        ("{{ 'a' if config.get('mark', '') == '' else 'b' }}", "a"),
        ("{{ 'a' if 'x' in config.get('mark', '') else 'b' }}", "b"),
        ("{{ (config['mark'] or '').split(',') | length }}", "1"),
        ("{{ config['mark'] }}y", "${SHOP_MARK}y"),
        ("{{ config['nowhere'] }}", "$SHOP_NOWHERE"),
        # It sends `None` without one.
        ("{{ config.get('mark') }}", "$SHOP_MARK"),
        ("{{ config['mark'] or 'none' }}", "none"),
        ("{{ config['site'] or 'none' }}", "$SHOP_SITE"),
        ("{{ config.get('mark', 5) }}", "5"),
        ("{{ config['mark'] | default('d') }}", "d"),
        ("{{ config['login']['mode'] }}", "basic"),
        ("{{ config.get('login', {}).get('name') }}", "$SHOP_LOGIN_NAME"),
        ("{{ config['state'] if config['mark'] else 'all' }}", "all"),
        ("{{ config['state'] if 'state' in config else 'all' }}", "open"),
        ("{% if config['mark'] %}a{% elif config.site %}b{% else %}c{% endif %}", "b"),
        ("{%- if config.state == 'open' -%} x {%- endif %}", "x"),
        ("{{ 'a' if config['state'] == 'open' else 'b' }}", "a"),
        ("{{ config.state ~ '-' ~ config.size }}", "open-50"),
        ("{{ config.size * 2 + 1 }}", "101"),
        ("{{ ['a', 'b'] | join(',') }}", "a,b"),
        ("{{ ('x' + config.state) | upper }}", "XOPEN"),
        ("{{ format_datetime(config['since'], '%d.%m.%Y') }}", "03.02.2024"),
        ("{{ (timestamp(config['since']) * 1000) | int }}", "1706918400000"),
        ("{{ format_datetime(config['site'], '%Y') }}", "$SHOP_SITE"),
        ("{{ config['since'][:4] }}", "2024"),
        ("{{ now_utc().strftime('%Y-%m-%d') }}", "{now.%Y-%m-%d}"),
        ("{{ now_utc().strftime('%H:%M %d.%m') }}", "{now.%H:%M %d.%m}"),
        ("at {{ now_utc() }}", "at {now.%Y-%m-%d %H:%M:%S.%f+00:00}"),
        ("{{ config.mark or today_utc() }}", "{now.date}"),
        ("{{ format_datetime(now_utc(), '%s') }}", "{now.%s}"),
        ("{{ day_delta(0, format='%Y%m%d') }}", "{now.%Y%m%d}"),
        ("{{ day_delta(-7, format='%Y%m%d') }}", "{now-P7D.%Y%m%d}"),
        ("{{ day_delta(-365 * 2, '%s') }}", "{now-P730D.%s}"),
        ("{{ day_delta(1) }}", "{now+P1D.%Y-%m-%dT%H:%M:%S.%f%z}"),
        ("{{ (now_utc() - duration('P1M')).strftime('%d.%m.%Y') }}", "{now-P1M.%d.%m.%Y}"),
        ("{{ now_utc() - duration('PT1H') }}", "{now-PT1H.%Y-%m-%d %H:%M:%S.%f+00:00}"),
        ("{{ today_utc() + duration('P1D') }}", "{now+P1D.date}"),
        ("{{ today_utc().strftime('%Y-%m-%dT%H:%M:%SZ') }}", "{now.%Y-%m-%dT00:00:00Z}"),
        (
            "{{ format_datetime(now_utc(), '%Y-%m-%dT%H:%M:%S.%fZ')[:23] + 'Z' }}",
            "{now.%Y-%m-%dT%H:%M:%S.%_ms}Z",
        ),
        ("{{ now_utc().strftime('%Y-%m-%dT%H:%M')[2:10] }}", "{now.%y-%m-%d}"),
        ("{{ now_utc().strftime('%d/%m/%Y').replace('/', '') }}", "{now.%d%m%Y}"),
        ("{{ config.site | join(',') }}", "$SHOP_SITE"),
        ("{{ 'metric(%s)' % ','.join(['a', 'b']) }}", "metric(a,b)"),
        ("{{ 'x' if stream_state else 'y' }}", "y"),
        ("{{ stream_state.at }}y{{ parameters.mark }}", "y"),
        ("{{ 'Bearer ' ~ config['key'] if config.get('key') else '' }}", "Bearer $SHOP_KEY"),
        ("{{ '{' }}{{ config.size\n}}", "{50"),
        ("['a', 'b']", ["a", "b"]),
        ("{{ ['a', config.size] }}", ["a", "50"]),
        ("{a}", "{a}"),
        ("cost $5, $NAME, ${A}", "cost $5, $$NAME, $${A}"),
        ("{{ 'x' if config['mark'] }}y", "y"),
        ("{{ config.state }} {}", "open {}"),
        ("{resources.a.b}", "{{resources.a.b}}"),
        ("'a b'", "a b"),
        ("'{{ config['site'] }}'", "$SHOP_SITE"),
        ('"{{ config.site }}-{{ config.state }}"', "$SHOP_SITE-open"),
        ("'{{ config.site }}' or '{{ config.state }}'", "'$SHOP_SITE' or 'open'"),
        ("'{{ config.site }}", "'$SHOP_SITE"),
    ],
)
def test_value_of_the_default_configuration_is_sent(text, sent, imported):
    made, notes = imported(stream(request_parameters={"p": text}), **SETTINGS)

    assert made["items"]["endpoint"]["params"] == {"p": sent}, notes


def test_optional_parameter_that_is_named_like_a_secret_stays_optional(imported):
    params = {"author_year": "{{ config['mark'] }}", "api_token": "{{ config['mark'] }}"}
    made, notes = imported(stream(request_parameters=params), **SETTINGS)

    sent = made["items"]["endpoint"]["params"]
    assert sent == dict.fromkeys(params, "${SHOP_MARK:-}")
    assert not [note for note in notes if "secret" in note]


@pytest.mark.parametrize(
    "text",
    [
        "{{ next_page_token }}",
        "{{ generate_uuid() }}",
        "{{ day_delta('1') }}",
        "{{ now_utc() * 2 }}",
        "{{ format_datetime(today_utc(), '%Y') }}",
        "{{ now_utc() - 1 }}",
        "{{ now_utc() - duration('a day') }}",
        "{{ now_utc() - duration('P1D') - duration('P1D') }}",
        "{{ today_utc() - duration('PT1H') }}",
        "{{ today_utc().strftime('%Y-%m-%d %p') }}",
        # Half of a number, digits that may be anywhere, and no number.
        "{{ now_utc().strftime('%Y-%m-%d')[:9] }}",
        "{{ now_utc().strftime('%Y-%m-%d').replace('1', '2') }}",
        "{{ now_utc().strftime('%Y-%m-%d') | int }}",
        "{{ now_utc().strftime('%A')[:3] }}",
        "{{ stream_partition.parent_slice }}",
        "{{ stream_interval.start_time }}",
        "{{ stream_slice }}",
        "{% for a in b %}{% endfor %}",
        "{{ 'a' ~ 2 * 3 }}",
        "{{ ",
        "{% if config.state %}",
        "{# note #}{{ config.state }}",
    ],
)
def test_value_that_is_not_known_leaves_the_stream_out(text, imported):
    made, notes = imported(stream("a"), stream(request_parameters={"p": text}), **SETTINGS)

    assert [*made] == ["a"]
    assert "streams[1]: the stream 'items' is left out: the parameter `p` is computed." in notes


@pytest.mark.parametrize(
    "text",
    [
        "{{ config['site'] == 'a' }}",
        "{{ 'a' if config['site'] == 'b' else 'c' }}",
        "{% if config['site'] == 'b' %}a{% endif %}",
        "{{ config['site'] | upper }}",
        "{{ config['site'] | base64encode }}",
        "{{ config['state'] + 'x' | upper }}",
        "{% if -90 <= config.site | float <= 90 %}{{ config.site }}{% else %}none{% endif %}",
        "{{ ';'.join(config['sites']) if config.site in ['a', 'b'] else 'c' }}",
        "{{ config['sites'] + config['sites'] }}",
        "{{ format_datetime(config.site, format='%Y') ~ config.site[:4] }}",
    ],
)
def test_text_that_is_computed_from_settings_is_a_variable(text, imported):
    made, notes = imported(
        stream("a", request_parameters={"p": text}),
        stream("b", request_parameters={"p": text}),
        stream("c", request_parameters={"p": f"{text}2"}),
        stream("d", path=text, request_parameters={"q": "{{ config.site }}"}),
        **SETTINGS,
    )

    sent = [made[name]["endpoint"]["params"] for name in "abcd"]
    both = {"p": "$SHOP_PARAM_P"}
    assert sent == [both, both, {"p": "$SHOP_PARAM_P_2"}, {"q": "$SHOP_SITE"}]
    assert made["d"]["endpoint"]["path"] == "/$SHOP_PATH"
    place = "streams[0].retriever.requester.request_parameters.p"
    assert f"{place}: is computed: $SHOP_PARAM_P must be what it gives." in notes
    assert not any("streams[0]" in note and "default" in note for note in notes)


def test_expression_that_fails_sends_nothing(imported):
    cursor = {
        "type": "DatetimeBasedCursor",
        "cursor_field": "at",
        "datetime_format": "%Y-%m-%d",
        "start_datetime": "2024-01-01",
    }
    failing = "{{ stream_interval.start_time.strftime('%Y') }}"

    made, notes = imported(
        stream("a", cursor=cursor, request_parameters={"p": failing, "q": 1}),
        stream("b", path=f"b/{failing}", cursor=cursor),
    )

    assert made["a"]["endpoint"]["params"] == {"q": 1}
    place = "streams[0].retriever.requester.request_parameters.p"
    assert f"{place}: fails there, so it isn't sent." in notes
    assert "streams[1]: the stream 'b' is left out: its path is computed." in notes


def test_setting_with_several_values_is_noted(imported):
    params = {"p": "{{ config['sites'] }}", "q": "{{ config['sites'] | join(',') }}"}

    made, notes = imported(stream(request_parameters=params), **SETTINGS)

    assert made["items"]["endpoint"]["params"] == {"p": "${SHOP_SITES:-}", "q": "$SHOP_SITES"}
    place = "streams[0].retriever.requester.request_parameters"
    assert {note for note in notes if "SHOP_SITES" in note and place in note} == {
        f"{place}.p: is sent where $SHOP_SITES is set.",
        f"{place}.p: $SHOP_SITES is one value: for several, write a list in its place.",
        f"{place}.q: $SHOP_SITES must be with `,` between its values.",
    }


def test_member_that_no_slice_has_is_nothing(imported):
    params = {"p": "{{ stream_interval['since'] }}", "q": "{{ stream_partition.other }}"}

    made, notes = imported(
        stream("a"), stream(path="/x/{{ stream_slice.other }}", request_parameters=params)
    )

    assert made["items"]["endpoint"] == "/x/"
    start = "streams[1].retriever.requester.request_parameters"
    assert {f"{start}.p: is empty: left out.", f"{start}.q: is empty: left out."} <= {*notes}


def test_notation_that_a_setting_needs_is_noted(imported):
    params = {
        "a": "{{ format_datetime(config['site'], '%Y-%m-%d') }}",
        "b": "{{ (timestamp(config.mark) * 1000) | int }}",
        "c": "{{ ','.join(config['login']['name']) }}",
    }

    _, notes = imported(stream(request_parameters=params), **SETTINGS)

    start = "streams[0].retriever.requester.request_parameters"
    assert f"{start}.a: $SHOP_SITE must be a time as `%Y-%m-%d`." in notes
    assert f"{start}.b: $SHOP_MARK must be Unix time in milliseconds." in notes
    assert f"{start}.c: $SHOP_LOGIN_NAME must be with `,` between its values." in notes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{{ config['nowhere'] or '' }}",
        "{{ none }}",
        "{{ stream_state.x }}",
        "{{ parameters.x }}",
    ],
)
def test_parameter_without_a_value_is_not_sent(text, imported):
    made, notes = imported(stream(request_parameters={"p": text}), **SETTINGS)

    assert made["items"]["endpoint"] == {"path": "/items", "paginator": "single_page"}
    assert any(note.endswith("request_parameters.p: is empty: left out.") for note in notes)


# --- parents --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("requester", "router", "sent"),
    [
        ({"path": "a/{{ stream_partition.item }}"}, {}, {"path": "/a/{+resources.shops.id}"}),
        (
            {"path": "a/{{ sanitize_url(stream_slice.item) }}"},
            {},
            {"path": "/a/{resources.shops.id}"},
        ),
        ({"path": "a/{{ stream_slice['item'] }}"}, {}, {"path": "/a/{+resources.shops.id}"}),
        (
            {"path": "a/{{ stream_slice.get('item') }}/b"},
            {},
            {"path": "/a/{+resources.shops.id}/b"},
        ),
        (
            {"path": "a/{{ format_datetime(stream_slice.item, '%Y') }}"},
            {"key": "ends_on"},
            {"path": "/a/{+resources.shops.ends_on.%Y}"},
        ),
        (
            {"request_parameters": {"q": "{{ format_datetime(stream_slice.item, '%d.%m.%y') }}"}},
            {"key": "ends_on"},
            {"params": {"q": "{resources.shops.ends_on.%d.%m.%y}"}},
        ),
        (
            {"path": "a?of={{ stream_partition.item }}&b=1"},
            {},
            {"path": "/a", "params": {"of": "{resources.shops.id}", "b": "1"}},
        ),
        (
            {"request_parameters": {"q": "id:{{ stream_partition['item'] }} {x}"}},
            {"key": "deep/code"},
            {"params": {"q": "id:{resources.shops.deep.code} {{x}}"}},
        ),
        (
            {"request_headers": {"X-Item": "{{ stream_slice.extra_fields['a.b'] }}"}},
            {"extra_fields": [["a", "b"]]},
            {"headers": {"X-Item": "{resources.shops.a.b}"}},
        ),
        (
            {"request_parameters": {"q": "{{ stream_partition.item.id }}"}},
            {"key": "owner"},
            {"params": {"q": "{resources.shops.owner.id}"}},
        ),
        (
            {},
            {"request_option": option("request_parameter", field_name="item")},
            {"params": {"item": "{resources.shops.id}"}},
        ),
        (
            {},
            {"request_option": option("header", field_name="X-Item")},
            {"headers": {"X-Item": "{resources.shops.id}"}},
        ),
        (
            {"http_method": "POST", "request_body_json": {"a": {"b": 1}}},
            {"request_option": option("body_json", field_path=["a", "item"])},
            {"method": "POST", "json": {"a": {"b": 1, "item": "{resources.shops.id}"}}},
        ),
        (
            {"http_method": "POST"},
            {"request_option": option("body_data", field_name="item")},
            {"method": "POST", "data": {"item": "{resources.shops.id}"}},
        ),
        (
            {
                "http_method": "POST",
                "request_body_json": {"ids": "{{ [stream_slice.item, config.x, 5] }}", "n": "None"},
            },
            {},
            {"method": "POST", "json": {"ids": ["{resources.shops.id}", "$SHOP_X", 5]}},
        ),
        (
            {"request_parameters": {"ids": "{{ ['a', stream_slice.item] }}"}},
            {},
            {"params": {"ids": ["a", "{resources.shops.id}"]}},
        ),
        (
            {"http_method": "POST", "request_body_json": '{"ids": ["{{ stream_slice.item }}"]}'},
            {},
            {"method": "POST", "json": {"ids": ["{resources.shops.id}"]}},
        ),
    ],
)
def test_value_of_a_parent_is_sent(requester, router, sent, imported):
    made, notes = imported(
        stream("shops"), stream(router=below(stream("shops"), **router), **requester)
    )

    endpoint = made["items"]["endpoint"]
    endpoint = {"path": endpoint} if isinstance(endpoint, str) else endpoint
    assert endpoint == {"path": "/items"} | sent, notes


def test_value_of_a_grandparent_is_sent(imported):
    shops = stream(
        "shops", router=listed(["eu", "us"], request_option=option("header", field_name="R"))
    )
    items = stream("items", "{{ stream_partition.shop }}", below(shops, "shop"))
    path = "{{ stream_slice.parent_slice.shop }}/{{ stream_slice.part }}"
    region = {"r": "{{ stream_slice.parent_slice.parent_slice.region }}"}
    parts = stream("parts", path, below(items, "part"), request_parameters=region)

    made, _ = imported(shops, items, parts)

    assert made["parts"]["endpoint"]["path"] == "/{+resources.shops.id}/{+resources.items.id}"
    assert made["parts"]["endpoint"]["params"] == {"r": "{resources.shops.region}"}


def test_router_among_the_parameters_is_not_that_of_its_parents(imported):
    shops = stream("shops", "")
    items = stream("items", "")
    for each, path in ((shops, "all"), (items, "{{ stream_slice.item }}")):
        del each["retriever"]["requester"]["path"]
        each["$parameters"] = {"path": path}
    items["$parameters"]["partition_router"] = below(shops)

    made, notes = imported(shops, items)

    assert {name: each["endpoint"] for name, each in made.items()} == {
        "shops": "/all",
        "items": "/{+resources.shops.id}",
    }, notes


@pytest.mark.parametrize(
    ("router", "reason"),
    [
        (
            {
                "type": "SubstreamPartitionRouter",
                "parent_stream_configs": [
                    {"stream": stream("a"), "parent_key": "id", "partition_field": "item"},
                    {"stream": stream("b"), "parent_key": "id", "partition_field": "item"},
                ],
            },
            "it is read below the rows of 2 parents",
        ),
        (
            [below(stream("a"), "item"), below(stream("b"), "other")],
            "it is read for each pair of rows of two parents",
        ),
        (
            [below(stream("a"), "item"), below(stream("a"), "other")],
            "it is read for each pair of rows of two parents",
        ),
        (
            [below(stream("a"), "item"), below(stream("b"), "item")],
            "two of its partition routers give `item`",
        ),
        (below(stream("a"), key="a b"), "`a b` of its parent can't be a placeholder"),
        (
            below(stream("a"), request_option=option("path", field_name="x")),
            "the value of a partition is sent as path",
        ),
        ({"type": "GroupingPartitionRouter"}, "it is partitioned by GroupingPartitionRouter"),
        (listed("{{ now_utc() }}"), "its list of values is computed"),
        (listed([]), "its list of values is empty, or isn't a list"),
        (listed(["a", ""]), "its list has other values than texts and whole numbers"),
        (listed([{"a": 1}]), "its list has other values than texts and whole numbers"),
    ],
)
def test_partition_that_can_not_be_said_leaves_the_stream_out(router, reason, imported):
    path = "x/{{ stream_partition.item }}"
    made, notes = imported(stream("a"), stream("b"), stream(path=path, router=router))

    assert "items" not in made
    assert f"streams[2]: the stream 'items' is left out: {reason}." in notes


@pytest.mark.parametrize(
    "text",
    [
        "{{ format_datetime(stream_slice.item, 'FY%Y') }}",
        "{{ format_datetime(stream_slice.item, '%Q') }}",
        "{{ format_datetime(stream_slice.item, 'date') }}",
        "{{ format_datetime(stream_slice.item, '%H') }}",
        "{{ format_datetime(stream_slice.item, '%Y{') }}",
        "{{ format_datetime(stream_slice.item, '%m') | int }}",
        "{{ format_datetime(sanitize_url(stream_slice.item), '%Y') }}",
        "{{ format_datetime(format_datetime(stream_slice.item, '%F'), '%Y') }}",
        "{{ timestamp(stream_slice.item) }}",
    ],
)
def test_time_of_a_parent_that_a_pattern_can_not_say_leaves_the_stream_out(text, imported):
    items = stream(router=below(stream("shops")), request_parameters={"p": text})

    made, notes = imported(stream("shops"), items)

    assert "items" not in made
    assert any("the parameter `p` is computed" in note for note in notes)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ({"path": "a?x={{ format_datetime(stream_slice.item, '%m&%d') }}"}, "its path"),
        ({"path": "a/{{ format_datetime(stream_slice.item, '%d%d0') }}"}, "its path"),
        (
            {"request_body_json": {"y": "{{ format_datetime(stream_slice.item, '%Y') }}"}},
            "its body",
        ),
    ],
)
def test_time_of_a_parent_that_would_be_read_otherwise_leaves_the_stream_out(words, what, imported):
    items = stream(router=below(stream("shops")), **{"http_method": "POST", **words})

    made, notes = imported(stream("shops"), items)

    assert "items" not in made
    assert any(f"{what} is computed" in note for note in notes)


ONCE = "with the values that belong to it, where Airbyte asks for every pair of rows."


def test_pair_of_a_parent_and_its_own_parent_is_one_line(imported):
    shops = stream("shops")
    parts = stream("parts", "{{ stream_slice.shop }}/parts", below(shops, "shop"))
    routers = [
        below(shops, "shop"),
        below(parts, "part", request_option=option("request_parameter", field_name="part")),
    ]
    items = stream(path="{{ stream_slice.shop }}/items", router=routers)
    below_both = "{{ stream_slice.parent_slice.shop }}/{{ stream_slice.item }}/rows"
    rows = stream("rows", below_both, below(items, "item"))

    made, notes = imported(rows, items, shops, parts)

    assert made["items"]["endpoint"] == {
        "path": "/{+resources.shops.id}/items",
        "params": {"part": "{resources.parts.id}"},
    }
    assert made["rows"]["endpoint"] == "/{+resources.shops.id}/{+resources.items.id}/rows"
    where = "streams[1]: the stream 'items' is read once for each row of 'parts'"
    assert f"{where}, {ONCE}" in notes
    assert not any("left out" in note for note in notes)


def test_pair_of_two_values_of_one_parent_is_one_row(imported):
    shops = stream("shops")
    routers = [below(shops, "shop"), below(shops, "owner", "owner_id")]
    path = "{{ stream_slice.owner }}/{{ stream_slice.shop }}"

    made, notes = imported(shops, stream(path=path, router=routers))

    assert made["items"]["endpoint"] == "/{+resources.shops.owner_id}/{+resources.shops.id}"
    where = "streams[1]: the stream 'items' is read once for each row of 'shops'"
    assert f"{where}, {ONCE}" in notes


def test_pair_of_siblings_leaves_the_stream_and_its_children_out(imported):
    shops = stream("shops")
    path = "{{ stream_slice.shop }}"
    parts, people = (
        stream(name, f"{path}/{name}", below(shops, "shop")) for name in ("parts", "people")
    )
    routers = [below(parts, "part"), below(people, "person")]
    items = stream(path="{{ stream_slice.part }}/{{ stream_slice.person }}", router=routers)
    rows = stream("rows", "{{ stream_slice.item }}/rows", below(items))

    made, notes = imported(rows, items, shops, parts, people)

    assert [*made] == ["shops", "parts", "people"]
    reason = "it is read for each pair of rows of two parents"
    assert f"streams[1]: the stream 'items' is left out: {reason}." in notes
    assert "the stream 'rows' is left out: its parent is left out." in notes


def test_pair_with_a_parent_that_is_read_below_other_rows_is_left_out(imported):
    shops = stream("shops")
    some = stream("shops", request_parameters={"open": "1"})
    parts = stream("parts", "{{ stream_slice.shop }}/parts", below(some, "shop"))
    routers = [below(shops, "shop"), below(parts, "part")]
    items = stream(path="{{ stream_slice.shop }}/{{ stream_slice.part }}", router=routers)

    made, notes = imported(shops, parts, items)

    assert "items" not in made
    reason = "two of its parents have the name 'shops'"
    assert f"streams[2]: the stream 'items' is left out: {reason}." in notes


def test_parent_of_the_name_of_another_stream_is_a_resource_of_its_own(imported):
    shops = stream("shops")
    some = stream("shops", request_parameters={"open": "1"})
    items = stream("items", "{{ stream_partition.item }}", below(some))
    path = "{{ stream_slice.parent_slice.item }}/{{ stream_slice.part }}"
    parts = stream("parts", path, below(items, "part"))
    all_parts = stream("all", "{{ stream_partition.item }}/all", below(stream("shops")))

    made, notes = imported(shops, items, parts, all_parts)

    assert [*made] == ["shops", "shops_parent", "items", "parts", "all"]
    assert made["shops_parent"]["endpoint"] == {"path": "/shops", "params": {"open": "1"}}
    assert made["items"]["endpoint"] == "/{+resources.shops_parent.id}"
    assert made["parts"]["endpoint"] == "/{+resources.shops_parent.id}/{+resources.items.id}"
    assert made["all"]["endpoint"] == "/{+resources.shops.id}/all"
    assert any("the parent 'shops' becomes the resource 'shops_parent'." in each for each in notes)


def test_parent_that_can_not_be_said_leaves_its_children_out(imported):
    odd = stream("shops", http_method="PUT")

    made, notes = imported(
        stream("shops"), stream(path="{{ stream_slice.item }}", router=below(odd))
    )

    assert [*made] == ["shops"]
    assert any("the parent 'shops' is left out: its method is PUT." in each for each in notes)
    assert "the stream 'items' is left out: its parent is left out." in notes


# --- conditions ----------------------------------------------------------------------------------

ON_FIRST = "{{ 'a' if not next_page_token.next_page_token }}"


def test_range_that_nothing_gives_fails_a_condition(imported):
    text = "{{ 'a' if stream_interval.start_time and not next_page_token }}"
    other = "{{ next_page_token if next_page_token else 'b' }}"
    made, _ = imported(stream(request_parameters={"p": text, "q": ON_FIRST, "r": other}))

    assert made["items"]["endpoint"]["params"] == {"q": "a", "r": "b"}


BY_LINK = {
    "type": "DefaultPaginator",
    "page_token_option": {"type": "RequestPath"},
    "pagination_strategy": {"type": "CursorPagination", "cursor_value": "{{ response.next }}"},
}


@pytest.mark.parametrize(
    ("text", "params", "first"),
    [
        (ON_FIRST, {"p": "a"}, ["p"]),
        ("{{ 'a' if next_page_token is none }}", {"p": "a"}, ["p"]),
        ("{{ 'a' if not next_page_token or config.x is undefined }}", {"p": "a"}, None),
    ],
)
def test_parameter_of_the_first_page_is_named(text, params, first, imported):
    described = stream("a", request_parameters={"p": text})
    described["retriever"]["paginator"] = BY_LINK
    made, notes = imported(described)

    endpoint = made["a"]["endpoint"]
    assert endpoint["params"] == params, notes
    assert endpoint["paginator"].get("first_page_params") == first


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' if next_page_token else 'b' }}",
        "{{ 'a' if next_page_token.next_page_token == 'x' }}",
        "{{ 'a' ~ next_page_token.next_page_token if next_page_token else 'b' }}",
        "{{ 'a' if next_page_token.other else 'b' }}",
    ],
)
def test_parameter_that_is_another_on_later_pages_leaves_the_stream_out(text, imported):
    described = stream(request_parameters={"p": text})
    described["retriever"]["paginator"] = BY_LINK
    made, notes = imported(stream("a"), described)

    assert [*made] == ["a"]
    assert any("the stream 'items' is left out: the parameter `p` is" in each for each in notes)


BY_CURSOR = {
    "type": "DefaultPaginator",
    "pagination_strategy": {"type": "CursorPagination", "cursor_value": "{{ response.next }}"},
}
CURSOR_OR_FIRST = "{{ next_page_token['next_page_token'] if next_page_token else '1' }}"


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (CURSOR_OR_FIRST, {"p": "1"}),
        ("{{ next_page_token.next_page_token if next_page_token }}", None),
    ],
)
def test_cursor_may_have_another_value_on_the_first_page(text, params, imported):
    described = stream("a", request_parameters={"p": text})
    described["retriever"]["paginator"] = BY_CURSOR
    made, notes = imported(described)

    endpoint = made["a"]["endpoint"]
    assert endpoint.get("params") == params, notes
    assert endpoint["paginator"] == {"type": "cursor", "cursor_path": "next", "cursor_param": "p"}


@pytest.mark.parametrize(
    ("paginator", "requester"),
    [
        (BY_LINK, {"request_parameters": {"p": CURSOR_OR_FIRST}}),
        (BY_CURSOR, {"request_parameters": {"p": CURSOR_OR_FIRST, "q": CURSOR_OR_FIRST}}),
        (
            BY_CURSOR,
            {
                "request_parameters": {"p": CURSOR_OR_FIRST},
                "request_body_json": {"q": "{{ next_page_token.next_page_token }}"},
                "http_method": "POST",
            },
        ),
    ],
)
def test_cursor_in_several_places_leaves_the_stream_out(paginator, requester, imported):
    described = stream(**requester)
    described["retriever"]["paginator"] = paginator
    made, notes = imported(stream("a"), described)

    assert [*made] == ["a"]
    assert any("its page is sent in several ways" in each for each in notes), notes


def wrapped(text, body):
    """Return a stream whose cursor is put into the text of an object."""
    described = stream(http_method="POST", request_body_json=body)
    place = {"type": "RequestOption", "inject_into": "body_json", "field_path": ["q"]}
    cursor = {"type": "CursorPagination", "cursor_value": text}
    described["retriever"]["paginator"] = {
        "type": "DefaultPaginator",
        "page_token_option": place,
        "pagination_strategy": cursor,
    }
    return described


def test_cursor_is_put_into_an_object_beside_what_each_request_has(imported):
    text = """{{ '{"p": {"n": 5, "a": "' + response.next + '"}}' }}"""
    made, _ = imported(wrapped(text, {"q": {"p": {"n": 5}}}))

    endpoint = made["items"]["endpoint"]
    assert endpoint["json"] == {"q": {"p": {"n": 5}}}
    assert endpoint["paginator"]["cursor_body_path"] == "q.p.a"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("""{{ '{"n": 5, "a": "' + response.next + '"}' }}""", {"q": {"n": 6}}),
        ("""{{ '{"n": 5, "a": "' + response.next + '"}' }}""", {}),
        ("""{{ '{"a": "*", "b": "' + response.next + '"}' }}""", {"q": {"a": "*"}}),
        ("""{{ '{"n": 1, "a": "' + response.next + '"}' }}""", {"q": {"n": True}}),
    ],
)
def test_cursor_beside_what_other_requests_lack_is_left_out(text, body, imported):
    made, notes = imported(stream("a"), wrapped(text, body))

    assert [*made] == ["a"]
    assert any("its cursor_value is" in each for each in notes), notes


@pytest.mark.parametrize(
    ("value", "stop", "path"),
    [
        ("response.a.next or response.get('next')", "", "a.next | next"),
        ("response.a or response['b.c'] or none", "", "a | ['b.c']"),
        ("response.a or response.b", "{{ not response.a and not response.b }}", "a | b"),
        ("response.a or response.b", "{{ response.last }}", None),
        ("response.a or headers.b", "", None),
        ("response.a and response.b", "", None),
        ("response.a or 'x'", "", None),
    ],
)
def test_first_link_of_several_is_followed(value, stop, path, imported):
    strategy = {"type": "CursorPagination", "cursor_value": f"{{{{ {value} }}}}"}
    strategy |= {"stop_condition": stop} if stop else {}
    described = stream()
    described["retriever"]["paginator"] = BY_LINK | {"pagination_strategy": strategy}
    made, notes = imported(stream("a"), described)

    assert ("items" in made) == (path is not None), notes
    if path is not None:
        assert made["items"]["endpoint"]["paginator"] == {
            "type": "json_link",
            "next_url_path": path,
        }


def test_list_of_values_that_no_request_has_is_left_out(imported):
    router = {"type": "ListPartitionRouter", "cursor_field": "trick", "values": ["1"]}
    made, notes = imported(stream(router=router))

    assert "partitions" not in made["items"]
    assert any("partition_router: changes no request" in each for each in notes)


# --- streams of first syncs -----------------------------------------------------------------

TIME = {
    "type": "DatetimeBasedCursor",
    "cursor_field": "at",
    "datetime_format": "%Y-%m-%d",
    "start_datetime": "2024-01-01",
}


def delegating(cursor, **requester):
    full = stream("items", cursor=cursor, **requester)
    later = stream("items", "events", TIME)
    return {
        "type": "StateDelegatingStream",
        "name": "items",
        "full_refresh_stream": full,
        "incremental_stream": later,
    }


def test_first_sync_of_a_stream_with_another_for_later_syncs_is_taken(imported):
    made, notes = imported(delegating(TIME), stream("a"))

    assert made["items"] == {"name": "items", "endpoint": "/items", "primary_key": "id"}
    assert "streams[0]: every run reads all rows, as a first sync does." in notes


@pytest.mark.parametrize(
    ("cursor", "params"),
    [
        (TIME | {"start_time_option": option("request_parameter", field_name="since")}, {}),
        (TIME, {"since": "{{ stream_interval.start_time }}"}),
    ],
)
def test_first_sync_of_a_range_is_left_out(cursor, params, imported):
    made, notes = imported(stream("a"), delegating(cursor, request_parameters=params))

    assert [*made] == ["a"]
    assert any("the stream 'items' is left out" in each for each in notes)


def test_blanks_in_a_path_are_quoted(imported):
    made, _ = imported(stream(path="a b/{{ 'c d' }}"))

    assert made["items"]["endpoint"]["path"] == "/a%20b/c%20d"


@pytest.mark.parametrize(
    ("path", "kept"),
    [("a?", "/a"), ("a?/b/c", "/a?/b/c"), ("a?/b&c=1", "/a?/b&c=1"), ("a?c=1&", "/a")],
)
def test_only_a_path_stays_in_the_query(path, kept, imported):
    made, _ = imported(stream(path=path))

    assert made["items"]["endpoint"]["path"] == kept


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("[{{ stream_partition.item }}]", ["{resources.items.id}"]),
        ("[{{ stream_partition.item }}, 1]", ["{resources.items.id}", 1]),
        ("['a-{{ stream_partition.item }}']", ["a-{resources.items.id}"]),
        ("[{{ stream_partition.item }}", "[{resources.items.id}"),
        ("a [{{ stream_partition.item }}]", "a [{resources.items.id}]"),
    ],
)
def test_member_of_a_body_that_is_a_list_as_text_is_a_list(text, sent, imported):
    requester = {"http_method": "POST", "request_body_json": {"ids": text}}
    made, _ = imported(stream(), stream("parts", router=below(stream()), **requester))

    assert made["parts"]["endpoint"]["json"] == {"ids": sent}


# --- addresses and signing ------------------------------------------------------------------


def key(name):
    return {"type": "ApiKeyAuthenticator", "api_token": "{{ config['key'] }}", "header": name}


def test_stream_that_is_signed_in_another_way_has_its_own_auth(imported):
    streams = [stream(name, authenticator=key("X-A")) for name in ("a", "b")]

    made, _ = imported(*streams, stream("c", authenticator=key("X-C")))

    assert made["a"]["endpoint"] == "/a"
    assert made["c"]["endpoint"]["auth"] == {
        "type": "api_key",
        "name": "X-C",
        "api_key": "$SHOP_KEY",
        "location": "header",
    }


def test_stream_that_is_not_signed_is_not_below_one_that_is(imported):
    made, _ = imported(stream("a", authenticator=key("X-A")), stream("b"))

    assert made["a"]["endpoint"]["auth"]["name"] == "X-A"
    assert made["b"]["endpoint"] == "/b"


@pytest.mark.parametrize(
    ("requester", "base", "path"),
    [
        (
            {"url_base": "https://api.shop.com/v1/{{ stream_partition.item }}/x", "path": "a?b=1"},
            "https://api.shop.com",
            "/v1/{+resources.shops.id}/x/a",
        ),
        (
            {"url_base": "", "url": "{{ config['u'] }}/v1/{{ stream_partition.item }}", "path": ""},
            "$SHOP_U/v1",
            "/{+resources.shops.id}",
        ),
        (
            {"url_base": "", "url": "https://shop.com{{ stream_partition.item }}", "path": ""},
            "https://shop.com",
            "/{+resources.shops.id}",
        ),
        (
            {"url_base": "https://api.shop.com", "path": "a?u=https://x.com//b"},
            "https://api.shop.com",
            "/a",
        ),
        (
            {"url_base": "https://api{{ '.eu' if config.get('u') }}.shop.com", "path": "/a"},
            "https://api.shop.com",
            "/a",
        ),
        (
            {"url_base": "https://{{ 'a' if config.site == 'b' else 'c' }}.com", "path": "/a"},
            "$SHOP_BASE_URL",
            "/a",
        ),
    ],
)
def test_address_may_be_computed(requester, base, path, tmp_path):
    # The parent is at the same address.
    url = requester["url_base"] or requester["url"]
    above = stream("shops", url_base=url.partition("{{ stream")[0].rstrip("/"))
    made = stream(router=below(above), **requester)
    file = tmp_path / "shop.json"
    file.write_text(json.dumps({"streams": [made], "check": {}} | SETTINGS))

    found, _ = import_file(str(file))

    assert found.entry["client"]["base_url"] == base, found.notes
    (parts,) = [each for each in found.entry["resources"] if each["name"] == "items"]
    endpoint = parts["endpoint"]
    assert (endpoint if isinstance(endpoint, str) else endpoint["path"]) == path


@pytest.mark.parametrize(
    ("requester", "reason"),
    [
        ({"path": "a/https://x.com"}, "the host of its path is computed"),
        (
            {"path": "", "url_base": "", "url": "https://{{ stream_partition.item }}"},
            "the host of its url is computed",
        ),
        (
            {"path": "", "url_base": "", "url": "https://a{{ stream_partition.item }}.com/b"},
            "the host of its url is computed",
        ),
    ],
)
def test_host_that_is_computed_leaves_the_stream_out(requester, reason, imported):
    made, notes = imported(stream("shops"), stream(router=below(stream("shops")), **requester))

    assert [*made] == ["shops"]
    assert any(reason in each for each in notes), notes


def test_two_addresses_that_are_computed_are_not_one(imported):
    hosts = [f"https://{{{{ 'a' if config.site == '{n}' else 'c' }}}}.com" for n in (1, 2)]

    made, notes = imported(
        *(stream(f"s{n}", url_base=host) for n, host in enumerate(hosts)), **SETTINGS
    )

    assert [*made] == ["s0"]
    assert any("its url_base is computed, unlike those of others" in note for note in notes)


def test_streams_of_the_host_of_most_are_the_first_entry(imported):
    other = "https://files.shop.com"
    parent = stream("a", url_base=other)
    child = stream("d", "b/{{ stream_partition.item }}", below(parent))

    made, notes = imported(parent, stream("b"), stream("c"), child)

    assert [*made] == ["b", "c"]
    assert "the entry 'shop_2' has what is at files.shop.com: `a`." in notes
    assert "the stream 'd' is left out: its parent has another host." in notes


@pytest.mark.parametrize(
    ("field", "is_taken"), [("key", False), ("key/part", False), ("keys", True), ("id", True)]
)
def test_stream_below_a_field_that_its_parent_computes_is_left_out(field, is_taken, imported):
    parent = stream("shops")
    added = {"path": ["key"], "value": "{{ record['id'] * 2 }}"}
    parent["transformations"] = [{"type": "AddFields", "fields": [added]}]
    child = stream("items", "{{ stream_slice.item }}", below(parent, key=field))

    made, notes = imported(parent, child)

    assert ("items" in made) == is_taken
    reason = "the stream 'items' is left out: `key` of its parent is computed."
    assert any(reason in note for note in notes) != is_taken


def adding(**values):
    fields = [{"path": [name], "value": value} for name, value in values.items()]
    return {"type": "AddFields", "fields": fields}


def removing(*names):
    return {"type": "RemoveFields", "field_pointers": [[name] for name in names]}


KEY = {"key": "{{ record['shop'] }}-{{ record.owner.id }}"}


@pytest.mark.parametrize(
    ("changes", "shop"),
    [
        ([adding(**KEY)], "shop"),
        ([adding(key="{{ '-'.join([record.shop, record.owner.id]) }}")], "shop"),
        ([adding(shop="{{ record.s }}"), adding(**KEY)], "shop"),
        ([adding(**KEY), adding(name="{{ record.shop }}"), removing("shop")], "name"),
        ([adding(name="{{ record.shop }}", **KEY), removing("shop")], "name"),
        ([adding(**KEY), removing("other")], "shop"),
        ([adding(**KEY), removing("shop")], None),
        ([adding(**KEY), removing("s*")], None),
        ([adding(**KEY), adding(shop="x")], None),
        ([adding(**KEY), adding(shop="x"), adding(name="{{ record.shop }}")], None),
        ([adding(name="{{ record.shop }}", **KEY), removing("shop", "name")], None),
        ([adding(**KEY), adding(key="{{ record.id }}")], None),
        ([adding(**KEY) | {"condition": "{{ record.a }}"}], None),
        ([adding(key="{{ record.shop }}-{{ config['key'] }}")], None),
        ([adding(key="{{ record.shop }}{{ record.owner.id }}")], None),
    ],
)
def test_text_of_a_parent_is_taken_apart(changes, shop, imported):
    parent = stream("shops") | {"transformations": changes}
    path = "{{ stream_slice.item.split('-')[0] }}/{{ stream_partition.item.split('-')[1] }}"
    made, notes = imported(parent, stream("a"), stream(path=path, router=below(parent, key="key")))

    found = made.get("items", {}).get("endpoint")
    wanted = f"/{{+resources.shops.{shop}}}/{{+resources.shops.owner.id}}" if shop else None
    assert found == wanted, notes


@pytest.mark.parametrize(
    ("value", "member", "reason"),
    [
        ("{{ {'id': record.id} }}", ".id", None),
        ("{{ {'id': record.id} }}", "", "`key` of its parent is an object."),
        ("{{ {'id': record.id} }}", ".name", "`key` of its parent is an object."),
        ("{{ {'id': [record.id]} }}", ".id", "`key` of its parent is an object."),
        ("{{ {'id': now_utc()} }}", ".id", "`key` of its parent is computed."),
        ("{{ {'id': record.id * 2} }}", ".id", "`key` of its parent is computed."),
        ("'{{ {'id': record.id} }}'", ".id", "`key` of its parent is computed."),
        ("{{ {'id': config.size ~ '', 'a': record.id} }}", ".id", "`key` of its parent is comp"),
    ],
)
def test_stream_below_an_object_of_its_parent_names_a_member(value, member, reason, imported):
    parent = stream("shops")
    parent["transformations"] = [
        {"type": "AddFields", "fields": [{"path": ["key"], "value": value}]}
    ]
    child = stream("items", f"{{{{ stream_slice.item{member} }}}}", below(parent, key="key"))

    made, notes = imported(parent, child)

    if reason is None:
        assert made["items"]["endpoint"] == "/{+resources.shops.key.id}"
    else:
        assert "items" not in made
        assert any(f"the stream 'items' is left out: {reason}" in note for note in notes)


@pytest.mark.parametrize(
    ("requester", "reason"),
    [
        ({"request_headers": {"X-A": "{{ ['a'] }}"}}, "the header `X-A` is an object"),
        (
            {"request_headers": {"Accept": "{{ generate_uuid() }}"}},
            "the header `Accept` is computed",
        ),
        ({"request_parameters": {"a": {"b": 1}}}, "the parameter `a` is an object"),
        ({"request_parameters": {"{{ 'a' }}": 1}}, "the name of the parameter `{{ 'a' }}` is comp"),
        ({"path": "a?b/c=1"}, "its query has no names"),
        (
            {"path": "a?b=1", "request_parameters": {"b": 2}},
            "the parameter `b` is in its path too",
        ),
        (
            {"http_method": "POST", "request_body_json": {"{{ 'a' }}": 1}},
            "its body is computed",
        ),
        (
            {"http_method": "POST", "request_body_json": '["a"]'},
            "its body isn't a JSON object",
        ),
        (
            {
                "http_method": "POST",
                "request_headers": {"Content-Type": "text/csv"},
                "request_body": {"type": "RequestBodyPlainText", "value": "a"},
            },
            "its body is a text",
        ),
        ({"request_body": {"type": "RequestBodyOther"}}, "its body is a RequestBodyOther"),
    ],
)
def test_request_that_can_not_be_said_leaves_the_stream_out(requester, reason, imported):
    made, notes = imported(stream("a"), stream(**requester))

    assert [*made] == ["a"]
    assert any(f"the stream 'items' is left out: {reason}" in note for note in notes), notes


# --- lists of values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "made_values"),
    [
        (["eu", "us"], ["eu", "us"]),
        ([1, 2, 1], [1, 2]),
        ("['eu', 'us']", ["eu", "us"]),
        ('{{ ["eu"] }}', ["eu"]),
        ("{{ config['regions'] }}", ["eu", "us"]),
        ("{{ config['needed'] }}", "$SHOP_NEEDED"),
        ("{{ config.get('other', ['x']) }}", ["x"]),
    ],
)
def test_list_of_values_is_taken(values, made_values, imported):
    path = "items/{{ stream_partition.region }}"
    settings = spec(["needed"], regions={"default": ["eu", "us"]}, needed={}, other={})

    made, notes = imported(stream(path=path, router=listed(values)), **settings)

    assert made["items"]["partitions"] == {"region": made_values}, notes
    assert made["items"]["endpoint"]["path"] == "/items/{+partitions.region}"


def test_list_of_values_is_crossed_with_parents(imported):
    shops = stream("shops")
    size = listed([1, 2], "size", request_option=option("request_parameter", field_name="s"))
    made, _ = imported(shops, stream(path="{{ stream_slice.item }}", router=[below(shops), size]))

    assert made["items"]["partitions"] == {"size": [1, 2]}
    assert made["items"]["endpoint"]["path"] == "/{+resources.shops.id}"
    assert made["items"]["endpoint"]["params"] == {"s": "{partitions.size}"}


CHOICE = "{{ 'me' if stream_slice.region == 'me' else 'shops/' ~ stream_slice['region'] }}"


@pytest.mark.parametrize(
    ("values", "path"),
    [(["me"], "/me"), (["eu"], "/shops/eu"), ("{{ config.get('regions') or ['me'] }}", "/me")],
)
def test_path_may_depend_on_the_only_value_of_a_list(values, path, imported):
    made, _ = imported(stream(path=CHOICE, router=listed(values)))

    assert made["items"]["endpoint"]["path"] == path
    assert "partitions" not in made["items"]


def test_path_that_depends_on_the_value_of_a_list_leaves_the_stream_out(imported):
    made, notes = imported(stream("a"), stream(path=CHOICE, router=listed(["me", "eu"])))

    assert "items" not in made
    assert "streams[1]: the stream 'items' is left out: its path is computed." in notes
