"""The SDK's own test suite over all streams of all APIs, in both dialects.

The suite discovers while this module is imported, so each dialect's server starts here, on a free
port, and stops with the module.
"""

from __future__ import annotations

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_analytics.demo import DemoApi
from tap_analytics.tap import TapAnalytics

DEMOS = {dialect: DemoApi(dialect=dialect, scale=0.25) for dialect in ("real", "spec")}


@pytest.fixture(scope="module", autouse=True)
def _stop():
    yield
    for demo in DEMOS.values():
        demo.stop()


def suite(dialect):
    demo = DEMOS[dialect]
    demo.start()
    return get_tap_test_class(
        TapAnalytics,
        config=demo.config,
        suite_config=SuiteConfig(max_records_limit=None),
        parse_env_config=False,
    )


class TestRealDialect(suite("real")):
    """The services as they behave."""


class TestSpecDialect(suite("spec")):
    """The services as they are described."""
