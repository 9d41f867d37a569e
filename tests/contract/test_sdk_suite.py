"""The SDK's own test suite over all streams of all APIs, in both dialects.

The suite discovers while this module is imported, so each dialect's server starts here, on a free
port, and stops with the module.
"""

from __future__ import annotations

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from support.runs import everything

from tap_analytics.demo import DemoApi
from tap_analytics.tap import TapAnalytics

DEMOS = {dialect: DemoApi(dialect=dialect) for dialect in ("real", "spec")}

#: Columns no record of the demo has: parts the services send only now and then, and what the
#: envelope of JSON:API adds. Any other column that stays empty is misspelt.
SELDOM = {
    "experimentation_campaign_details": {
        *("device", "excludedUrls", "integrations", "isCrossDomainEnabled", "schedules"),
        *("sections", "thresholds", "urls"),
    },
    "learning_course_enrollments": {"links"},
    "learning_people": {"deactivated_at", "last_active_at"},
    "success_tasks": {"createdById"},
    "success_users": {"accountIds", "organizationIds"},
    "wiki_attachments": {"customContentId"},
    "wiki_footer_comments": {"attachmentId", "customContentId", "resolutionStatus"},
    "wiki_group_members": {
        *("accountStatus", "externalCollaborator", "isExternalCollaborator", "locale"),
        "profilePicture",
    },
    "wiki_inline_comments": {"parentCommentId"},
    "wiki_page_versions": {"page"},
    "wiki_pages": {"sourceTemplateEntityId"},
}
ENVELOPE = {
    stream: {"type", "links", "relationships"}
    for stream in ("learning_people", "learning_courses", "learning_course_enrollments")
}


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
        catalog=everything(demo.config),
        suite_config=SuiteConfig(max_records_limit=None),
        parse_env_config=False,
    )


def never_filled(runner):
    """Return the columns of the catalog that no record has, by stream."""
    empty = {}
    for stream in runner.new_tap().streams.values():
        columns = set(stream.schema["properties"])
        filled = set().union(*(record.keys() for record in runner.records[stream.name]))
        if columns - filled:
            empty[stream.name] = columns - filled
    return empty


# The suite only warns of columns without a value, `test_columns_are_filled` is strict about them.
empty_columns = [
    pytest.mark.filterwarnings(f"ignore:{message}:UserWarning")
    for message in (
        "Fields in transformed catalog but not in records",
        "No records were available to test",
    )
]


class TestRealDialect(suite("real")):
    """The services as they behave."""

    pytestmark = empty_columns

    def test_columns_are_filled(self, runner):
        assert never_filled(runner) == SELDOM


class TestSpecDialect(suite("spec")):
    """The services as they are described: flat rows."""

    pytestmark = empty_columns
    #: It is the same in both dialects.
    test_tap_cli_prints = None

    def test_columns_are_filled(self, runner):
        assert never_filled(runner) == {
            stream: SELDOM.get(stream, set()) | ENVELOPE.get(stream, set())
            for stream in SELDOM | ENVELOPE
        }
