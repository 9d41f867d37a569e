"""Learning platform: people, courses and their enrollments.

Header key, numbered pages (or `links.next`), rows under `data`. Rows are JSON:API resource
objects: what lies under `attributes` is lifted beside `id` and `type`, so that every column has
the API's own name; a row that is flat already passes as it is.
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
from tap_analytics.streams.schema_types import OpenObject
from tap_analytics.transport.auth import ApiKeyHeader
from tap_analytics.transport.retry import RetryPolicy

if t.TYPE_CHECKING:
    from singer_sdk.helpers.types import Context, Record

    from tap_analytics.pagination import PageToken

STRINGS = th.ArrayType(th.StringType(nullable=True))

LINK = OpenObject(
    th.Property("href", th.StringType, description="Address of the link."),
    th.Property(
        "methods",
        STRINGS,
        description="HTTP methods the link answers to, where people carry them.",
    ),
    th.Property(
        "meta",
        OpenObject(
            th.Property(
                "methods",
                STRINGS,
                description="HTTP methods the link answers to.",
            ),
        ),
        description="About the link, where courses carry its methods.",
    ),
)

REFERENCE = OpenObject(
    th.Property("type", th.StringType, description="Kind of the related object."),
    th.Property("id", th.StringType, description="Identifier of the related object."),
    nullable=True,
)
TO_ONE = OpenObject(th.Property("data", REFERENCE, description="The related object."))
TO_MANY = OpenObject(
    th.Property("data", th.ArrayType(REFERENCE), description="The related objects."),
)


def _links(*names: str) -> OpenObject:
    return OpenObject(
        *(th.Property(name, LINK, description=f"The link '{name}'.") for name in names),
    )


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
    """Base of what carries the time of its last change, by which the server can filter."""

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
        th.Property("id", th.StringType, required=True, description="Identifier of the person."),
        th.Property("type", th.StringType, description="Kind of the object: people."),
        th.Property("name", th.StringType, description="Name shown, the email if none is known."),
        th.Property("email", th.StringType, description="Email address."),
        th.Property("first_name", th.StringType, description="First name."),
        th.Property("last_name", th.StringType, description="Last name."),
        th.Property("full_name", th.StringType, description="First and last name."),
        th.Property("registration_status", th.StringType, description="How far sign-up has come."),
        th.Property("disabled", th.BooleanType, description="Whether access was taken away."),
        th.Property("unsubscribed", th.BooleanType, description="Whether emails were declined."),
        th.Property("activated_at", th.DateTimeType, description="When sign-up was completed."),
        th.Property("deactivated_at", th.DateTimeType, description="When access was taken away."),
        th.Property(
            "last_active_at", th.DateTimeType, description="When the person was last seen."
        ),
        th.Property("created_at", th.DateTimeType, description="When the person was added."),
        th.Property("updated_at", th.DateTimeType, description="When the person last changed."),
        th.Property("custom_avatar_url", th.StringType, description="Address of the own picture."),
        th.Property(
            "invite_token",
            th.StringType,
            description="Lets its bearer sign up as this person: deselect it if not needed.",
        ),
        th.Property("links", _links("self", "teaching"), description="Links of the person."),
        th.Property(
            "relationships",
            OpenObject(
                th.Property("groups", TO_MANY, description="Groups the person belongs to."),
                th.Property("school", TO_ONE, description="School the person belongs to."),
                th.Property("partnerships", TO_MANY, description="Partnerships of the person."),
            ),
            description="Objects related to the person.",
        ),
    ).to_dict()


class Courses(ChangingStream):
    """Courses in every state, from draft to archived."""

    name = "learning_courses"
    path = "/courses"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True, description="Identifier of the course."),
        th.Property("type", th.StringType, description="Kind of the object: courses."),
        th.Property("name", th.StringType, description="Title of the course."),
        th.Property("permalink", th.StringType, description="Last part of the course's address."),
        th.Property(
            "status", th.StringType, description="State: draft, live, archived and others."
        ),
        th.Property("full_description", th.StringType, description="Description, may be HTML."),
        th.Property("short_description", th.StringType, description="Description in short."),
        th.Property("list_image_url", th.StringType, description="Address of the list picture."),
        th.Property("ribbon", th.StringType, description="Label laid over the list picture."),
        th.Property(
            "dependent_course_names",
            STRINGS,
            description="Titles of courses that depend on this one.",
        ),
        th.Property("enrollments_count", th.NumberType, description="Number of enrollments."),
        th.Property(
            "credential_achievement_count",
            th.NumberType,
            description="Number of credentials achieved.",
        ),
        th.Property(
            "unpublished_changes",
            th.BooleanType,
            description="Whether there are changes not published yet.",
        ),
        th.Property("created_at", th.DateTimeType, description="When the course was created."),
        th.Property("updated_at", th.DateTimeType, description="When the course last changed."),
        th.Property(
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
            description="Links of the course.",
        ),
        th.Property(
            "relationships",
            OpenObject(
                th.Property(
                    "instructor_partnerships",
                    TO_MANY,
                    description="Partnerships of the instructors.",
                ),
                th.Property("categories", TO_MANY, description="Categories of the course."),
            ),
            description="Objects related to the course.",
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
        {
            "course_id": "learning_courses.id",
            "person_id": "learning_people.id",
        }
    )
    schema = th.PropertiesList(
        th.Property("course_id", th.StringType, required=True, description="Course enrolled in."),
        th.Property(
            "id",
            th.StringType,
            required=True,
            description="Identifier of the enrollment within its course.",
        ),
        th.Property("type", th.StringType, description="Kind of the object: course_enrollments."),
        th.Property("person_id", th.StringType, description="Person enrolled."),
        th.Property("progress", th.NumberType, description="Progress in percent, 0 to 100."),
        th.Property("enrolled_at", th.DateTimeType, description="When the person enrolled."),
        th.Property(
            "last_active_on",
            th.StringType,
            description="Date, or date and time, of the last activity in the course.",
        ),
        th.Property("links", _links("self"), description="Links of the enrollment."),
        th.Property(
            "relationships",
            OpenObject(th.Property("person", TO_ONE, description="Person enrolled.")),
            description="Objects related to the enrollment.",
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
            name="api_key",
            kind="string",
            secret=True,
            required=True,
            description="API key of the learning platform, sent as `X-Api-Key`.",
        ),
        Setting(
            name="base_url",
            kind="string",
            description="Address of the API with its version.",
            example="https://api.northpass.com/v2",
        ),
    ),
    authenticate=lambda block: ApiKeyHeader("X-Api-Key", block["api_key"]),
    page_size=100,
    requests_per_second=10,
    retry=RetryPolicy(max_retries=3, backoff_factor=5),
    streams=(People, Courses, CourseEnrollments),
)
