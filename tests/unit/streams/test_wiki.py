"""The wiki by each of its addresses and kinds of token."""

from __future__ import annotations

from decimal import Decimal

import pytest
from singer_sdk.exceptions import ConfigValidationError
from support.runs import bag, run

from tap_analytics.demo import DEFAULT, DemoApi
from tap_analytics.demo.dialects.wiki import CLOUD_ID
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


def test_a_token_without_its_email_is_refused_before_any_request(api):
    with pytest.raises(ConfigValidationError) as refused:
        TapAnalytics(config=configured(api, api_token="t"))

    assert [line.split(" is missing")[0] for line in refused.value.errors] == ["`wiki.email`"]
