"""The wiki by each of its addresses, kinds of token and statuses."""

from __future__ import annotations

from decimal import Decimal

import pytest
from singer_sdk.exceptions import ConfigValidationError
from support.runs import bag, discover, run
from support.servers import JsonApi

from tap_analytics.demo import DEFAULT, DemoApi
from tap_analytics.demo.dialects.wiki import CLOUD_ID
from tap_analytics.errors import InputError
from tap_analytics.tap import TapAnalytics

BASIC = {"email": DEFAULT.wiki_email, "api_token": DEFAULT.wiki_api_token}
BEARER = {"access_token": DEFAULT.wiki_access_token}


@pytest.fixture(scope="module")
def api():
    with DemoApi(scale=0.2) as running:
        yield running


def configured(api, address="", **signing):
    paths = {"v1_path": "/wiki/rest/api", "v2_path": "/wiki/api/v2", "page_size": 10}
    return {"wiki": {"base_url": f"{api.url}{address}", **paths, **signing}}


@pytest.mark.parametrize("signing", [BASIC, BEARER], ids=["basic", "bearer"])
@pytest.mark.parametrize("address", ["", f"/ex/confluence/{CLOUD_ID}"], ids=["site", "gateway"])
def test_every_page_comes_whatever_the_address_and_the_token(api, address, signing):
    done = run(configured(api, address, **signing))

    assert done.error is None
    for stream in ("wiki_pages", "wiki_space", "wiki_group", "wiki_blog_posts"):
        assert bag(done.records(stream)) == bag(api.rows(stream, parse_float=Decimal)), stream


@pytest.mark.parametrize(
    ("signing", "named", "other"),
    [
        (BASIC | {"api_token": "not-the-one"}, "`wiki.email` and `wiki.api_token`", "access_token"),
        ({"access_token": "not-the-one"}, "`wiki.access_token`", "wiki.email"),
    ],
)
def test_a_refused_token_is_named_by_its_setting(api, signing, named, other):
    done = run(configured(api, **signing))

    assert f"Check {named}." in str(done.failure("wiki_space"))
    assert other not in str(done.failure("wiki_space"))
    assert "not-the-one" not in str(done.failure("wiki_space"))


def test_a_refresh_token_gives_the_access_tokens_and_is_kept_when_it_is_replaced(api, tmp_path):
    kept = tmp_path / "token.json"
    answer = {"access_token": DEFAULT.wiki_access_token, "refresh_token": "next-4711"}

    with JsonApi(lambda _: answer) as server:
        oauth = {"client_id": "app", "client_secret": "hush-4711", "refresh_token": "first-4711"}
        where = {"token_url": f"{server.origin}/token", "refresh_token_file": str(kept)}
        done = run(configured(api, **oauth, **where), only=("wiki_space",))

    assert done.error is None
    assert bag(done.records("wiki_space")) == bag(api.rows("wiki_space", parse_float=Decimal))
    assert "next-4711" in kept.read_text()


def test_a_refresh_token_without_its_client_is_an_error(api):
    with pytest.raises(InputError, match=r"`wiki.client_id` and `wiki.client_secret` must be"):
        run(configured(api, refresh_token="first-4711"), only=("wiki_space",))


def test_a_token_without_its_email_is_refused_before_any_request(api):
    with pytest.raises(ConfigValidationError) as refused:
        TapAnalytics(config=configured(api, api_token="t"))

    assert [line.split(" is missing")[0] for line in refused.value.errors] == ["`wiki.email`"]


# --- statuses ---------------------------------------------------------------------------------

MOVABLE = ("wiki_pages", "wiki_blog_posts", "wiki_attachments")


def move(api, stream, place, status):
    """Give a row another status, and nothing else, as the trash and the archive do."""
    rows = api.dataset.tables.get(stream) or api.dataset.extra[stream]
    rows[place] = rows[place] | {"status": status}
    api.dataset.changed()
    return rows[place]["id"]


def statuses(done, stream):
    return {row["id"]: row["status"] for row in done.records(stream)}


def asked(api, path):
    return [one.params.get("status") for one in api.requests if one.path.endswith(path)]


def test_what_goes_to_the_trash_arrives_with_its_status_and_its_version_unchanged():
    with DemoApi(scale=0.2) as api:
        config = configured(api, **BASIC)
        first = run(config, only=MOVABLE)
        moved = {stream: move(api, stream, 3, "trashed") for stream in MOVABLE}
        again = run(config, state=first.state, only=MOVABLE)
        wide = run(config | {"concurrency": 1}, state=first.state, only=MOVABLE)

        assert again.error is None
        for stream, identity in moved.items():
            assert statuses(first, stream)[identity] == "current"
            assert statuses(again, stream)[identity] == "trashed"
            assert len(again.records(stream)) < len(first.records(stream))
        assert again.streams == wide.streams
        assert again.bookmarks == first.bookmarks


def test_a_full_table_has_the_trash_in_the_version_it_activates():
    with DemoApi(scale=0.2) as api:
        identity = move(api, "wiki_pages", 3, "trashed")
        config = configured(api, **BASIC) | {"emit_activate_version_messages": True}
        catalog = discover(config)
        for entry in catalog["streams"]:
            entry["replication_method"] = "FULL_TABLE"
        done = run(config, catalog=catalog, only=("wiki_pages",))
        rows = api.rows("wiki_pages", parse_float=Decimal)

    assert bag(done.records("wiki_pages")) == bag(rows)
    assert statuses(done, "wiki_pages")[identity] == "trashed"
    assert done.kinds[-1] == "ACTIVATE_VERSION"


def test_the_archive_is_read_again_where_a_bookmark_would_hide_what_went_there():
    with DemoApi(scale=0.2) as api:
        config = configured(api, **BASIC, statuses=["archived"])
        first = run(config, only=("wiki_pages",))
        once = asked(api, "/pages")
        identity = move(api, "wiki_pages", 3, "archived")
        again = run(config, state=first.state, only=("wiki_pages",))

    assert set(once) == {None}
    assert len(statuses(first, "wiki_pages")) == len(first.records("wiki_pages"))
    assert statuses(again, "wiki_pages")[identity] == "archived"


def test_no_status_is_asked_for_where_none_is_wanted():
    with DemoApi(scale=0.2) as api:
        move(api, "wiki_pages", 3, "trashed")
        done = run(configured(api, **BASIC, statuses=[]), only=MOVABLE)

        assert {one.params.get("status") for one in api.requests} == {None}
    assert "trashed" not in statuses(done, "wiki_pages").values()


def test_a_server_without_links_is_not_asked():
    with DemoApi(dialect="spec", scale=0.2) as api:
        done = run(api.config, only=("wiki_pages", "wiki_blog_posts"))
        for stream, path in (("wiki_pages", "/pages"), ("wiki_blog_posts", "/blogposts")):
            assert bag(done.records(stream)) == bag(api.rows(stream, parse_float=Decimal))
            assert set(asked(api, path)) == {None}


def test_a_server_that_ignores_the_status_is_asked_once():
    sent = []

    def answer(query):
        sent.append(query.get("status"))
        return {"results": [{"id": "1", "status": "current"}], "_links": {"base": "/wiki"}}

    with JsonApi(answer) as server:
        config = {"wiki": BASIC | {"base_url": server.origin}}
        done = run(config, only=("wiki_pages",))

    assert done.ids("wiki_pages") == ["1"]
    assert sent == [None, "trashed"]


def test_a_server_that_refuses_the_status_is_read_without(caplog):
    refused = {"status": 400, "match": {"params": {"status": "trashed"}}, "times": None}
    with DemoApi(scale=0.2, faults=[refused]) as api:
        done = run(configured(api, **BASIC), only=("wiki_pages",))

        assert bag(done.records("wiki_pages")) == bag(api.rows("wiki_pages", parse_float=Decimal))
    assert done.error is None
    assert "wiki_pages: the server refuses status=trashed; not read." in caplog.messages


def test_a_pass_that_fails_fails_its_stream_and_leaves_the_bookmark():
    failing = {"status": 403, "match": {"params": {"status": "trashed"}}, "times": None}
    with DemoApi(scale=0.2) as api:
        config = configured(api, **BASIC)
        first = run(config, only=("wiki_pages",))
        api.mutate()
        api.set_faults([failing])
        again = run(config, state=first.state, only=("wiki_pages",))

    assert "403" in str(again.failure("wiki_pages"))
    assert again.bookmarks in ({}, first.bookmarks)


def test_a_page_in_the_trash_has_no_labels_to_ask_for():
    with DemoApi(scale=0.2) as api:
        identity = move(api, "wiki_pages", 3, "trashed")
        run(configured(api, **BASIC), only=("wiki_page_labels",))

        paths = [one.path for one in api.requests if one.path.endswith("/labels")]
    assert paths
    assert not [path for path in paths if f"/{identity}/" in path]
