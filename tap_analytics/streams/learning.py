"""Learning platform: people, courses and their enrollments.

Header key, numbered pages (or `links.next`), rows under `data`. Rows are JSON:API resource
objects: members of `attributes` become columns beside `id` and `type`; flat rows are unchanged.
"""

from __future__ import annotations

import typing as t
from types import MappingProxyType

from singer_sdk import typing as th
from typing_extensions import override

from tap_analytics.client import AnalyticsStream
from tap_analytics.config.settings import Setting
from tap_analytics.pagination import PageNumber
from tap_analytics.streams.api import Api
from tap_analytics.streams.schema_types import OpenObject, boolean, date_time, field, number, string
from tap_analytics.transport.auth import ApiKeyHeader
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken

STRINGS = th.ArrayType(th.StringType(nullable=True))

LINK = OpenObject(
    string("href", "Address of the link."),
    field("methods", STRINGS, "HTTP methods the link answers to, where people carry them."),
    field(
        "meta",
        OpenObject(field("methods", STRINGS, "HTTP methods the link answers to.")),
        "About the link, where courses carry its methods.",
    ),
)

REFERENCE = OpenObject(
    string("type", "Kind of the related object."),
    string("id", "Identifier of the related object."),
    nullable=True,
)
TO_ONE = OpenObject(field("data", REFERENCE, "The related object."))
TO_MANY = OpenObject(field("data", th.ArrayType(REFERENCE), "The related objects."))


def _links(*names: str) -> OpenObject:
    return OpenObject(*(field(name, LINK, f"The link '{name}'.") for name in names))


class LearningStream(AnalyticsStream):
    """Base of the learning platform's streams."""

    api = "learning"
    records_path = ("data",)
    # The specification calls it an offset, but it counts pages, from 1.
    paging = PageNumber(page_param="page", base_page=1)
    primary_keys: tuple[str, ...] = ("id",)

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        attributes = row.get("attributes")
        if not isinstance(attributes, dict):
            return row
        lifted = {name: value for name, value in row.items() if name != "attributes"}
        for name, value in attributes.items():
            lifted.setdefault(name, value)
        return lifted


class ChangingStream(LearningStream):
    """Base of streams with a modification time that the server can filter by."""

    replication_key = "updated_at"
    replication_unit = "iso"

    @override
    def window(self, start: t.Any, end: t.Any) -> PageToken:
        return {"filter[updated_at][gteq]": str(start)} if start is not None else {}


class People(ChangingStream):
    """People who may take courses."""

    name = "learning_people"
    path = "/people"
    schema = th.PropertiesList(
        string("id", "Identifier of the person.", required=True),
        string("type", "Kind of the object: people."),
        string("name", "Name shown, the email if none is known."),
        string("email", "Email address."),
        string("first_name", "First name."),
        string("last_name", "Last name."),
        string("full_name", "First and last name."),
        string("registration_status", "How far sign-up has come."),
        boolean("disabled", "Whether access was taken away."),
        boolean("unsubscribed", "Whether emails were declined."),
        date_time("activated_at", "When sign-up was completed."),
        date_time("deactivated_at", "When access was taken away."),
        date_time("last_active_at", "When the person was last seen."),
        date_time("created_at", "When the person was added."),
        date_time("updated_at", "When the person last changed."),
        string("custom_avatar_url", "Address of the own picture."),
        string(
            "invite_token", "Lets its bearer sign up as this person: deselect it if not needed."
        ),
        field("links", _links("self", "teaching"), "Links of the person."),
        field(
            "relationships",
            OpenObject(
                field("groups", TO_MANY, "Groups the person belongs to."),
                field("school", TO_ONE, "School the person belongs to."),
                field("partnerships", TO_MANY, "Partnerships of the person."),
            ),
            "Objects related to the person.",
        ),
    ).to_dict()


class Courses(ChangingStream):
    """Courses in every state, from draft to archived."""

    name = "learning_courses"
    path = "/courses"
    schema = th.PropertiesList(
        string("id", "Identifier of the course.", required=True),
        string("type", "Kind of the object: courses."),
        string("name", "Title of the course."),
        string("permalink", "Last part of the course's address."),
        string("status", "State: draft, live, archived and others."),
        string("full_description", "Description, may be HTML."),
        string("short_description", "Description in short."),
        string("list_image_url", "Address of the list picture."),
        string("ribbon", "Label laid over the list picture."),
        field("dependent_course_names", STRINGS, "Titles of courses that depend on this one."),
        number("enrollments_count", "Number of enrollments."),
        number("credential_achievement_count", "Number of credentials achieved."),
        boolean("unpublished_changes", "Whether there are changes not published yet."),
        date_time("created_at", "When the course was created."),
        date_time("updated_at", "When the course last changed."),
        field(
            "links",
            _links(
                "self",
                "edit",
                "clone",
                "enroll",
                "archive",
                "unarchive",
                "publish",
                "preview",
                "builder",
                "enrollments",
            ),
            "Links of the course.",
        ),
        field(
            "relationships",
            OpenObject(
                field("instructor_partnerships", TO_MANY, "Partnerships of the instructors."),
                field("categories", TO_MANY, "Categories of the course."),
            ),
            "Objects related to the course.",
        ),
    ).to_dict()

    @override
    def get_child_context(self, record: Record, context: Context | None) -> Context | None:
        return {"course_id": record["id"]}


class CourseEnrollments(LearningStream):
    """Enrollments of people in courses, with their progress."""

    name = "learning_course_enrollments"
    path = "/courses/{course_id}/enrollments"
    parent_stream_type = Courses
    # An enrollment's id is documented as unique within its course only.
    primary_keys = ("course_id", "id")
    references = MappingProxyType(
        {"course_id": "learning_courses.id", "person_id": "learning_people.id"}
    )
    schema = th.PropertiesList(
        string("course_id", "Course enrolled in.", required=True),
        string("id", "Identifier of the enrollment within its course.", required=True),
        string("type", "Kind of the object: course_enrollments."),
        string("person_id", "Person enrolled."),
        number("progress", "Progress in percent, 0 to 100."),
        date_time("enrolled_at", "When the person enrolled."),
        string("last_active_on", "Date, or date and time, of the last activity in the course."),
        field("links", _links("self"), "Links of the enrollment."),
        field(
            "relationships",
            OpenObject(field("person", TO_ONE, "Person enrolled.")),
            "Objects related to the enrollment.",
        ),
    ).to_dict()

    _course_conflict_reported = False

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record | None:
        lifted = super().post_process(row, context)
        if lifted is None:
            return None
        enrollment = dict(lifted)
        if context is not None:
            self._report_course_conflict(enrollment, course_id=context["course_id"])
            enrollment["course_id"] = context["course_id"]
        if enrollment.get("person_id") is None:
            person_id = _related_id(enrollment, relationship="person")
            if person_id is not None:
                enrollment["person_id"] = person_id
        return enrollment

    def _report_course_conflict(self, enrollment: Record, *, course_id: object) -> None:
        claimed = enrollment.get("course_id")
        if claimed is None or claimed == course_id or self._course_conflict_reported:
            return
        self._course_conflict_reported = True
        self.logger.warning(
            "%s: enrollment %s of course %s says its `course_id` is %s; the course it was listed "
            "under is kept, for it is the key. Further cases are not reported.",
            self.name,
            enrollment.get("id"),
            course_id,
            claimed,
        )


def _related_id(row: Record, *, relationship: str) -> object:
    """Return the id of a to-one relationship, None where any level of it is missing."""
    node: object = row
    for step in ("relationships", relationship, "data", "id"):
        if not isinstance(node, dict):
            return None
        node = node.get(step)
    return node


LEARNING = Api(
    name="learning",
    title="Learning platform",
    settings=(
        Setting(
            "api_key",
            "API key of the learning platform, sent as `X-Api-Key`.",
            secret=True,
            required=True,
        ),
        Setting(
            "base_url",
            "Address of the API with its version.",
            example="https://api.northpass.com/v2",
        ),
    ),
    authenticate=lambda block: ApiKeyHeader("X-Api-Key", block["api_key"]),
    page_size=100,
    requests_per_second=10,
    retry=RetryPolicy(max_retries=3, backoff_factor=5),
    streams=(People, Courses, CourseEnrollments),
)
